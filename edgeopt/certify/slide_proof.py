"""What a certificate of a slide instance needs: its compiled users and models, allocations, and exchange proofs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from edgeopt.certify.parts import Parts
from edgeopt.certify.verify.proof_exchange import replay
from edgeopt.errors import AssumptionError
from edgeopt.instances.slide import Allocation, SlideInstance
from edgeopt.instances.slide.allocation import Numbers
from edgeopt.result import Result
from edgeopt.solvers.base import Control
from edgeopt.solvers.slide.admission import admit
from edgeopt.solvers.slide.least_share import least_shares
from edgeopt.solvers.slide.proof import Evidence, ExchangeProof

BITS = (64, 256, 1024)
"""Binary digits after the point of slopes that are tried, until the bound is the one that the proof promises."""


def stated(instance: SlideInstance) -> dict[str, Any]:
    """The compiled numbers; rates, prices of work and energy limits as numerator and denominator.

    Raises
    ------
    AssumptionError
        If the variant is not ``plain``.
    """
    if instance.variant != "plain":
        raise AssumptionError(f"there are certificates of the variant 'plain', {instance.name} is {instance.variant!r}")
    compiled = instance.compiled
    ends = list(zip(compiled.start[:-1].tolist(), compiled.start[1:].tolist(), strict=True))
    bits, work, overhead = (column.tolist() for column in (compiled.bits, compiled.work, compiled.overhead))
    models = [{"bits": bits[a:b], "work": work[a:b], "overhead": overhead[a:b]} for a, b in ends]
    users = [
        {
            "deadline": deadline,
            "rate": list(rate.as_integer_ratio()),
            "flop_ticks": list(flop_ticks.as_integer_ratio()),
            "energy": None if energy == np.inf else list(energy.as_integer_ratio()),
            "models": compiled.models_of(user).tolist(),
        }
        for user, (deadline, rate, flop_ticks, energy) in enumerate(
            zip(
                compiled.deadline.tolist(), compiled.rate.tolist(), compiled.flop_ticks.tolist(),
                compiled.energy.tolist(), strict=True,
            )
        )
    ]  # fmt: skip
    return {"variant": instance.variant, "models": models, "users": users}


def chosen(instance: SlideInstance, allocation: Allocation) -> list[dict[str, Any]]:
    """An allocation: one entry a served user, by index; ``compute`` is null at full speed."""
    found = []
    for place in np.argsort(allocation.user, kind="stable").tolist():
        speeds = allocation.exact_speeds(instance, place)
        full = speeds is None or all(z == 1 for z in speeds)
        found.append(
            {
                "user": int(allocation.user[place]),
                "model": int(allocation.model[place]),
                "share": _pair(allocation.exact_share(place)),
                "compute": None if full or speeds is None else [_pair(z) for z in speeds],
            }
        )
    return found


def proof(
    instance: SlideInstance, content: dict[str, Any], solution: Any, results: Sequence[Result], control: Control
) -> dict[str, Any]:
    """The exchange proof that gives the least bound, of those that results carry; else one made here."""
    given = [result.proof for result in results if isinstance(result.proof, ExchangeProof)]
    best: tuple[int, dict[str, Any]] | None = None
    for candidate in given or [_made(instance, control)]:
        for found in _encoded(instance, candidate):
            bound = replay(content, None, found).bound
            assert bound is not None
            if best is None or bound < best[0]:
                best = bound, found
            if bound <= candidate.most:
                break
    assert best is not None
    return best[1]


def solution(instance: SlideInstance, entries: Sequence[dict[str, Any]]) -> Allocation:
    """The allocation behind the entries of `chosen`."""
    model = np.array([entry["model"] for entry in entries], dtype=np.int64)
    speeds: list[Fraction] = []
    for entry, layers in zip(entries, instance.models.layers[model].tolist(), strict=True):
        speeds += [Fraction(1)] * layers if entry["compute"] is None else [Fraction(*z) for z in entry["compute"]]
    return Allocation(
        np.array([entry["user"] for entry in entries], dtype=np.int64),
        model,
        _numbers([Fraction(*entry["share"]) for entry in entries]),
        None if all(entry["compute"] is None for entry in entries) else _numbers(speeds),
    )


def _made(instance: SlideInstance, control: Control) -> ExchangeProof:
    shares = least_shares(instance.compiled)
    found = admit(shares, control)
    return ExchangeProof(found.most, shares, found.refined)


def _encoded(instance: SlideInstance, made: ExchangeProof) -> Iterator[dict[str, Any]]:
    """The proof as a certificate holds it, with more and more digits."""
    start = instance.compiled.pair_start.tolist()
    evidence = [made.evidence(pair) for pair in range(start[-1])]
    for bits in BITS:
        rows = [_plain(line, bits) for line in evidence]
        users = [rows[begin:end] for begin, end in pairwise(start)]
        yield {"kind": "exchange", "bits": bits, "users": users}


def _plain(line: Evidence, bits: int) -> dict[str, Any] | None:
    if line.slopes is not None:
        return {"slopes": [int(Fraction(slope) * (1 << bits)) for slope in line.slopes]}
    return None if line.layer is None else {"prefix": line.layer}


def _pair(value: Fraction) -> list[int]:
    return [value.numerator, value.denominator]


def _numbers(values: list[Fraction]) -> Numbers:
    """Doubles where they are exact, fractions otherwise."""
    floats = np.array([float(value) for value in values], dtype=np.float64)
    exact = all(Fraction(near) == value for near, value in zip(floats.tolist(), values, strict=True))
    return floats if exact else tuple(values)


PARTS = Parts(stated, chosen, proof, solution)
