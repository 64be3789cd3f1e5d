"""What a certificate of an AirComp instance needs: its exact numbers, plans, and semidefinite slacks.

Multipliers in floats become integers over powers of two. What rounding takes from a slack is given back by a slightly
larger eigenvalue, or by slightly smaller matrices, until the exact check accepts it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from edgeopt.certify.parts import Parts
from edgeopt.certify.verify.proof_semidefinite import draw_bound, read_program, replay
from edgeopt.certify.verify.reading import Refuted
from edgeopt.instances.aircomp import AirCompInstance, Design, Plan
from edgeopt.instances.aircomp.exact import Gaussian
from edgeopt.instances.aircomp.instance import ComplexArray, FloatArray
from edgeopt.result import Result
from edgeopt.solvers.aircomp.joint import best_shares
from edgeopt.solvers.aircomp.proof import Cut, SemidefiniteProof
from edgeopt.solvers.aircomp.zero_forcing import received
from edgeopt.solvers.base import Control

BITS = 50
"""Binary digits of multipliers, from the largest of a kind."""
MARGINS = (1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)
"""What an eigenvalue or a matrix gives, relatively, until its slack is positive semidefinite."""


def stated(instance: AirCompInstance) -> dict[str, Any]:
    """The exact numbers of the instance; fractions as numerator and denominator, channels over one power of two."""
    compiled = instance.compiled
    return {
        "sense": "min",
        "design": instance.design,
        "places": compiled.places,
        "streams": compiled.streams,
        "repeats": _pair(compiled.repeats),
        "noise": _pair(compiled.noise),
        "power": [_pair(value) for value in compiled.power],
        "whole": [_pair(value) for value in compiled.whole],
        "memory": [_pair(value) for value in compiled.memory],
        "shares": None if compiled.shares is None else [_pair(value) for value in compiled.shares],
        "exponent": compiled.channels.exponent,
        "real": compiled.channels.real.tolist(),
        "imag": compiled.channels.imag.tolist(),
    }


def chosen(instance: AirCompInstance, plan: Plan) -> dict[str, Any]:
    """A plan: parts that the shares are proportional to, and the matrices of each draw."""
    designs = []
    for design in plan.designs:
        sent = None if design.transmit is None else _encoded(Gaussian.of(design.transmit))
        designs.append({**_encoded(Gaussian.of(design.receive)), "transmit": sent})
    return {"parts": Gaussian.of(plan.shares).real.tolist(), "designs": designs}


def solution(instance: AirCompInstance, content: dict[str, Any]) -> Plan:
    """The plan behind the content of `chosen`."""
    parts = content["parts"]
    # the exact shares are parts of their sum, which was near a power of two
    scale = 2.0 ** -round(math.log2(sum(parts)))
    designs = []
    for entry in content["designs"]:
        sent = entry["transmit"]
        designs.append(Design(_decoded(entry), None if sent is None else _decoded(sent)))
    return Plan(np.array([float(part) * scale for part in parts], dtype=np.float64), tuple(designs))


def proof(
    instance: AirCompInstance, content: dict[str, Any], solution: Any, results: Sequence[Result], control: Control
) -> dict[str, Any]:
    """The multipliers with the best bound, of those that results carry; else those of the joint relaxation."""
    given = [result.proof for result in results if isinstance(result.proof, SemidefiniteProof)]
    if not given:
        given = [made(instance, control)]
    best: tuple[int, dict[str, Any]] | None = None
    for candidate in given:
        found = encoded(instance, content, candidate)
        bound = replay(content, None, found).bound
        assert bound is not None
        if best is None or bound > best[0]:
            best = bound, found
    assert best is not None
    return best[1]


def made(instance: AirCompInstance, control: Control) -> SemidefiniteProof:
    """Multipliers of the relaxation, at the given shares or at the best ones."""
    from edgeopt.solvers.aircomp.design import proof_of
    from edgeopt.solvers.aircomp.relaxed import powers_left, relax

    if instance.shares is None:
        found = best_shares(instance, control).proof
    else:
        left = powers_left(instance, instance.shares)
        relaxations = [
            None if draw and control.stop() else relax(instance, draw, left, np.random.default_rng([0, draw]))
            for draw in range(instance.draws)
        ]
        found = proof_of(instance, instance.shares, relaxations)
    assert found is not None
    return found


def encoded(instance: AirCompInstance, content: dict[str, Any], candidate: SemidefiniteProof) -> dict[str, Any]:
    """A proof as a certificate holds it; a draw whose slack cannot be mended is left out."""
    program = read_program(content)
    mixed = _integers(candidate.mix)["values"]
    cuts = [
        _cut(instance, program, cut, inverse=candidate.inequality == "inverse")
        for cut, part in zip(candidate.cuts, mixed, strict=True)
        if part
    ]
    mix = [part for part in mixed if part]
    return {"kind": "semidefinite", "inequality": candidate.inequality, "mix": mix, "cuts": cuts}


def _cut(instance: AirCompInstance, program: Any, cut: Cut, *, inverse: bool) -> dict[str, Any]:
    levels = _integers(cut.levels)
    exact_levels = [int(v) * Fraction(2) ** levels["exponent"] for v in levels["values"]]
    draws = []
    for draw in range(instance.draws):
        weights, matrices = cut.weights[draw], cut.matrices[draw]
        if inverse:
            weights = weights * float(instance.compiled.repeats) / cut.levels
        draws.append(
            _draw(instance, program, draw, weights, matrices, exact_levels if inverse else None)
            if weights.any() and np.isfinite(weights).all() and np.isfinite(matrices).all()
            else None
        )
    return {"levels": levels, "draws": draws}


def _draw(
    instance: AirCompInstance,
    program: Any,
    draw: int,
    weights: FloatArray,
    matrices: ComplexArray,
    levels: list[Fraction] | None,
) -> dict[str, Any] | None:
    if instance.streams < instance.shape[2]:
        matrices = (matrices + matrices.conj().transpose(0, 2, 1)) / 2  # Hermitian to the last digit
    most = float(np.linalg.eigvalsh(received(instance.channels[draw], weights, matrices))[-1])
    for margin in MARGINS:
        entry: dict[str, Any] = {"weights": _integers(weights), "matrices": _complex(matrices), "most": None}
        scale = 1.0
        if levels is not None:
            entry["weights"] = _integers(weights * (1 - 2.0**-40))  # rounded down, they sum to no more than 1
            entry["most"] = _number(most * (1 + margin))
        elif most > 0:
            scale = math.sqrt(min(1.0, instance.noise_w / most) * (1 - margin))
            entry["matrices"] = _complex(matrices * scale)
        if instance.streams < instance.shape[2]:
            tops = np.linalg.eigvalsh(matrices * scale)[:, -1] * (1 + margin)
            entry["tops"] = _integers(np.maximum(tops, 0.0))
        try:
            draw_bound(program, program.channels[draw], entry, levels, "draw")
        except Refuted:
            continue
        return entry
    return None


def _encoded(matrix: Gaussian) -> dict[str, Any]:
    return {"exponent": matrix.exponent, "real": matrix.real.tolist(), "imag": matrix.imag.tolist()}


def _decoded(entry: dict[str, Any]) -> ComplexArray:
    def exact(values: Any) -> Any:
        if isinstance(values, list):
            return [exact(inner) for inner in values]
        return math.ldexp(values, entry["exponent"])

    return np.array(exact(entry["real"])) + 1j * np.array(exact(entry["imag"]))


def _exponent(largest: float) -> int:
    return math.frexp(largest)[1] - BITS if largest > 0 else 0


def _integers(values: FloatArray) -> dict[str, Any]:
    """Numbers that are not negative, rounded down."""
    exponent = _exponent(float(np.max(values, initial=0.0)))
    return {"exponent": exponent, "values": [int(math.ldexp(value, -exponent)) for value in values.tolist()]}


def _number(value: float) -> dict[str, Any]:
    exponent = _exponent(value)
    return {"exponent": exponent, "value": int(math.ldexp(value, -exponent)) + 1}


def _complex(values: ComplexArray) -> dict[str, Any]:
    parts = {"real": values.real, "imag": values.imag}
    exponent = _exponent(float(max(np.abs(part).max(initial=0.0) for part in parts.values())))

    def whole(content: Any) -> Any:
        return (
            [whole(inner) for inner in content] if isinstance(content, list) else round(math.ldexp(content, -exponent))
        )

    return {"exponent": exponent, **{name: whole(part.tolist()) for name, part in parts.items()}}


def _pair(value: Fraction) -> list[int]:
    return [value.numerator, value.denominator]


PARTS = Parts(stated, chosen, proof, solution)
