"""Bounds on slide instances as the verifier replays them: of each variant the proof with the least bound.

What is tried is a suggestion; the verifier's replay says what it shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from edgeopt.certify.proofs import encoded
from edgeopt.certify.verify import proof_concave, proof_edf, slide
from edgeopt.certify.verify.certificate import replay
from edgeopt.certify.verify.reading import Refuted, Unreadable
from edgeopt.instances.base import default_solver
from edgeopt.instances.program import Program
from edgeopt.instances.slide import SlideInstance
from edgeopt.instances.slide.instance import FloatArray
from edgeopt.models.slide.time_varying import TimeVaryingFormulation
from edgeopt.proof import Leaf, Tree
from edgeopt.result import Result
from edgeopt.solvers.base import Control, solver
from edgeopt.solvers.slide.concave_exact import enclose_share
from edgeopt.solvers.slide.edf_bound import relaxation
from edgeopt.solvers.slide.edf_tree import edf_tree
from edgeopt.solvers.slide.proof import Evidence, ExchangeProof

BITS = (64, 256, 1024)
"""Binary digits after the point of slopes that are tried, until the bound is the one that is promised."""
TREE_BITS = 160
SPARE_BITS = 45
"""Shares in floats are lowered by so small a part, so that what they need is shown by slopes with few digits."""
Content = dict[str, Any]


def best_proof(
    instance: SlideInstance, content: Content, value: int | None, results: Sequence[Result], control: Control
) -> Content:
    """The proof with the least bound, from those that results carry, or from the algorithm of the variant.

    Parameters
    ----------
    instance : SlideInstance
    content : dict
        The program as the certificate states it.
    value : int or None
        Of a solution: no bound is less.
    results : sequence of Result
    control : Control
    """
    best: tuple[int, Content] | None = None
    promised = [result.proof.most for result in results if isinstance(result.proof, ExchangeProof)]
    for found in _proofs(instance, content, value, results, control):
        try:
            bound = replay(content, None, found).bound
        except (Refuted, Unreadable):
            continue
        if bound is not None and (best is None or bound < best[0]):
            best = bound, found
        if bound is not None and (bound == value or bound <= min(promised, default=-1)):
            break
    if best is None:
        raise Refuted("there is no proof")
    return best[1]


def _proofs(
    instance: SlideInstance, content: Content, value: int | None, results: Sequence[Result], control: Control
) -> Iterator[Content]:
    """What may be a proof, the likeliest first."""
    if instance.variant == "time-varying":
        yield _edf(instance, content, value, control)
        return
    given = [result.proof for result in results if isinstance(result.proof, ExchangeProof)]
    for made in given or [_made(instance, control)]:
        for bits in BITS:
            rows = evidence(instance, made, bits)
            if instance.variant == "weighted":
                yield from _weighted(content, rows, value, made.most)
            elif instance.variant == "concave":
                yield _concave(content, rows, made.shares.user_low)
                yield _concave(content, rows, None)
            elif instance.variant == "plain":
                yield {"kind": "exchange", **rows}
            else:
                yield {"kind": "multicast", **rows, "prices": None, "band": None}


def _made(instance: SlideInstance, control: Control) -> ExchangeProof:
    """What the algorithm of the variant hands out."""
    own = solver(instance.problem, default_solver(instance))
    within = Control(own.name, control.remaining(), control.seed, control.workers)
    made = own.function()(instance, within).proof
    assert isinstance(made, ExchangeProof)
    return made


def evidence(instance: SlideInstance, made: ExchangeProof, bits: int) -> Content:
    """The lower bounds on what every user needs, with so many digits."""
    start = instance.compiled.pair_start.tolist()
    rows = [_line(made.evidence(pair), bits) for pair in range(start[-1])]
    return {"bits": bits, "users": [rows[begin:end] for begin, end in pairwise(start)]}


def _line(line: Evidence, bits: int) -> Content | None:
    if line.slopes is not None:
        return {"slopes": [int(Fraction(slope) * (1 << bits)) for slope in line.slopes]}
    return None if line.layer is None else {"prefix": line.layer}


def _weighted(content: Content, rows: Content, value: int | None, promised: int) -> Iterator[Content]:
    """At the price of the first user that no longer fits: the value, what is promised, and what the price shows."""
    models = slide.read_models(content["models"])
    plain = [{name: user[name] for name in slide.USER} for user in content["users"]]
    users = slide.read_users(plain, models)
    shares = slide.least_shares(users, slide.least_rates(users, models, rows["bits"], rows["users"]))
    weights = [user["weight"] for user in content["users"]]
    known = [(w, size) for w, size in zip(weights, shares, strict=True) if size is not None and size <= slide.ONE and w]
    room, price = slide.ONE, [0, 1]
    for weight, size in sorted(known, key=lambda user: Fraction(user[1], user[0])):
        room -= size
        if room < 0:
            price = [weight, size]
            break
    p, q = price
    priced = (p * slide.ONE + sum(max(0, q * weight - p * size) for weight, size in known)) // q
    for most in sorted({priced, promised, priced if value is None else value}):
        yield {"kind": "weighted", **rows, "price": price, "most": most}


def _concave(content: Content, rows: Content, low: FloatArray | None) -> Content:
    """With shares that surely have no more than the rates that are shown to be needed: these, or the largest ones."""
    models = slide.read_models(content["models"])
    band = Fraction(*content["band"])
    plain = [{**{k: v for k, v in user.items() if k != "snr"}, "rate": user["snr"]} for user in content["users"]]
    users = slide.read_users(plain, models)
    least = []
    for k, own in enumerate(slide.least_rates(users, models, rows["bits"], rows["users"])):
        need = min((rate for _, rate in own), default=None)
        least.append(0 if not need else _share(users[k].rate, need / band, None if low is None else float(low[k])))
    return {"kind": "concave", **rows, "least": least}


def _share(snr: Fraction, need: Fraction, low: float | None) -> int:
    """A share in the verifier's unit that has at most the rate `need` (bit/s a Hz of the whole band)."""
    if low is None or not 0 < low <= 1:
        ends = enclose_share(snr, need)
        share = slide.ONE + 1 if ends is None else int(ends[0] * slide.ONE)
    else:
        share = int(Fraction(low) * slide.ONE)
        share -= share >> SPARE_BITS
    while share and proof_concave.rates(snr, Fraction(share, slide.ONE))[1] > need:
        share -= max(1, share >> proof_concave.BITS - 8)
    return share


def _edf(instance: SlideInstance, content: Content, value: int | None, control: Control) -> Content:
    """A tree over due times."""
    formulation = TimeVaryingFormulation(instance)
    users, options = len(instance.users), formulation.options
    points: list[Fraction] = [Fraction(1)]
    tree: Tree = Leaf(np.zeros(users), (np.zeros((0, 1)),))
    if options:
        relaxed = relaxation(formulation, control)
        known = relaxed.bound if value is None else value
        points, tree = edf_tree(formulation, relaxed, known, control, unit=2.0**-proof_edf.UNIT)
    program = Program(
        "max",
        False,
        users,
        np.array([own.user for own in options], dtype=np.int64),
        np.zeros(len(options), dtype=np.int64),
        np.ones(len(options), dtype=np.int64),
        np.zeros((len(options), len(points)), dtype=np.int64),
        np.zeros((1, len(points)), dtype=np.int64),
    )
    times = [[time.numerator, time.denominator] for time in points]
    return {**encoded(program, tree, TREE_BITS), "kind": "edf", "times": times}
