"""The executable specification: exact violations from the raw fields, entry by entry.

This is the second, independent path: complex numbers as pairs of `fractions.Fraction`, sums and products as the
equations write them, and the inverse of a matrix by elimination. It shares no code with `compiled`, `exact` and the
solvers, so that a mistake there shows here.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from edgeopt.instances.aircomp.instance import AirCompInstance
from edgeopt.instances.aircomp.plan import Design, Plan, check_shapes
from edgeopt.instances.base import Violation

Number = tuple[Fraction, Fraction]
Matrix = list[list[Number]]
ZERO, ONE = (Fraction(0), Fraction(0)), (Fraction(1), Fraction(0))
SUM_TOLERANCE = Fraction(1, 10**9)
"""Given shares are proportions; a sum further from 1 is no assignment."""


def mean_squared_error(instance: AirCompInstance, plan: Plan) -> Fraction | None:
    """The exact objective, mean over the draws; None where some channel cannot be inverted."""
    total, left = Fraction(0), _left(instance, _shares(plan))
    for draw, design in enumerate(plan.designs):
        if design.transmit is None:
            alpha = _alpha(instance, draw, design, left)
            if alpha is None:
                return None
            total += Fraction(instance.noise_w) * alpha
            continue
        receive = _matrix(design.receive)
        total += Fraction(instance.noise_w) * _norm2(receive)
        for n in range(len(left)):
            total += _norm2(_minus_identity(_seen_sent(instance, draw, n, design)))
    return total / len(plan.designs)


def violations(instance: AirCompInstance, plan: Plan) -> list[Violation]:
    """Every constraint that a plan breaks, from the raw fields.

    Names: ``shares on the simplex``, ``given shares``, ``memory``, ``power budget`` (computing and sending within
    ``P_n``), ``zero forcing`` (``A^H H_n B_n = I``, in instances of that class).

    Raises
    ------
    InstanceError
        If an array of the plan has another shape than the instance asks for, or a number is not finite.
    """
    check_shapes(instance, plan)
    found: list[Violation] = []
    floats = [float(share) for share in plan.shares]
    if any(share < 0 for share in floats) or abs(sum(map(Fraction, floats), Fraction(-1))) > SUM_TOLERANCE:
        return [Violation("shares on the simplex", "all devices", f"{floats}", "parts that sum to 1")]
    shares = _shares(plan)
    if instance.shares is not None:
        given = [Fraction(float(share)) for share in instance.shares]
        if any(share * sum(given) != own for share, own in zip(shares, given, strict=True)):
            found.append(Violation("given shares", "all devices", f"{floats}", f"{instance.shares.tolist()}"))
    weights = Fraction(instance.bytes_per_parameter) * instance.layer_parameters * instance.layers
    for n, share in enumerate(shares):
        memory = float(instance.devices.memory_bytes[n])
        if memory != np.inf and share * weights > Fraction(memory):
            found.append(Violation("memory", f"device {n}", f"{float(share * weights):.17g} B", f"{memory:.17g} B"))
    left = _left(instance, shares)
    for n, power in enumerate(left):
        if power < 0:
            found.append(
                Violation("power budget", f"device {n}", "computing alone", f"{instance.devices.power_w[n]:.17g} W")
            )
    for draw, design in enumerate(plan.designs):
        found += _design_violations(instance, draw, design, left)
    return found


def _design_violations(instance: AirCompInstance, draw: int, design: Design, left: list[Fraction]) -> list[Violation]:
    found = []
    if design.transmit is None:
        if _alpha(instance, draw, design, left) is None:
            found.append(Violation("zero forcing", f"draw {draw}", "channels to invert", "a singular one"))
        return found
    repeats = Fraction(instance.vector_length, instance.streams)
    for n, most in enumerate(left):
        used = repeats * _norm2(_matrix(design.transmit[n]))
        if used > most:
            found.append(
                Violation("power budget", f"draw {draw}, device {n}", f"{float(used):.17g} W", f"{float(most):.17g} W")
            )
        if instance.design == "zero-forcing":
            residual = _norm2(_minus_identity(_seen_sent(instance, draw, n, design)))
            if residual:
                found.append(Violation("zero forcing", f"draw {draw}, device {n}", f"{float(residual):.3g}", "0"))
    return found


def _shares(plan: Plan) -> list[Fraction]:
    given = [Fraction(float(share)) for share in plan.shares]
    return [share / sum(given) for share in given]


def _left(instance: AirCompInstance, shares: list[Fraction]) -> list[Fraction]:
    """``P_n - e_n m_n s``."""
    return [
        Fraction(float(power)) - Fraction(float(each)) * share * instance.layer_parameters
        for power, each, share in zip(instance.devices.power_w, instance.devices.w_per_parameter, shares, strict=True)
    ]


def _alpha(instance: AirCompInstance, draw: int, design: Design, left: list[Fraction]) -> Fraction | None:
    """``max_n (L0/L) tr[(G^H H_n H_n^H G)^-1] tr(G G^H) / u_n``; None where an inverse does not exist."""
    directions = _matrix(design.receive)
    repeats = Fraction(instance.vector_length, instance.streams)
    worst = Fraction(0)
    for n, power in enumerate(left):
        seen = _product(_adjoint(directions), _matrix(instance.channels[draw, n]))
        inverse = _inverse(_product(seen, _adjoint(seen)))
        if inverse is None or power <= 0:
            return None
        worst = max(worst, repeats * sum((inverse[i][i][0] for i in range(len(inverse))), Fraction(0)) / power)
    return worst * _norm2(directions)


def _seen_sent(instance: AirCompInstance, draw: int, n: int, design: Design) -> Matrix:
    """``A^H H_n B_n``."""
    assert design.transmit is not None
    seen = _product(_adjoint(_matrix(design.receive)), _matrix(instance.channels[draw, n]))
    return _product(seen, _matrix(design.transmit[n]))


def _matrix(array: Any) -> Matrix:
    return [[(Fraction(float(z.real)), Fraction(float(z.imag))) for z in row] for row in array]


def _adjoint(matrix: Matrix) -> Matrix:
    return [[(row[k][0], -row[k][1]) for row in matrix] for k in range(len(matrix[0]))]


def _times(a: Number, b: Number) -> Number:
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


def _product(left: Matrix, right: Matrix) -> Matrix:
    columns = list(zip(*right, strict=True))
    rows = []
    for row in left:
        terms = [[_times(a, b) for a, b in zip(row, column, strict=True)] for column in columns]
        rows.append(
            [(sum((t[0] for t in each), Fraction(0)), sum((t[1] for t in each), Fraction(0))) for each in terms]
        )
    return rows


def _sum(terms: list[Number]) -> Number:
    return sum((t[0] for t in terms), Fraction(0)), sum((t[1] for t in terms), Fraction(0))


def _minus_identity(matrix: Matrix) -> Matrix:
    return [[(z[0] - (i == j), z[1]) for j, z in enumerate(row)] for i, row in enumerate(matrix)]


def _norm2(matrix: Matrix) -> Fraction:
    return sum((z[0] ** 2 + z[1] ** 2 for row in matrix for z in row), Fraction(0))


def _inverse(matrix: Matrix) -> Matrix | None:
    """By elimination with the first pivot that is not 0; None where there is none."""
    size = len(matrix)
    rows = [[*row, *(ONE if i == j else ZERO for j in range(size))] for i, row in enumerate(matrix)]
    for k in range(size):
        pivot = next((i for i in range(k, size) if rows[i][k] != ZERO), None)
        if pivot is None:
            return None
        rows[k], rows[pivot] = rows[pivot], rows[k]
        a, b = rows[k][k]
        scale = (a / (a * a + b * b), -b / (a * a + b * b))
        rows[k] = [_times(scale, z) for z in rows[k]]
        for i in range(size):
            if i != k and rows[i][k] != ZERO:
                factor = rows[i][k]
                products = [_times(factor, z) for z in rows[k]]
                rows[i] = [(z[0] - p[0], z[1] - p[1]) for z, p in zip(rows[i], products, strict=True)]
    return [row[size:] for row in rows]
