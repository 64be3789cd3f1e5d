"""The linear relaxation of time-varying shares, due times added where it overloads them; its bound is exact (ours).

Multipliers ``lambda_t >= 0`` of any kind give ``sum_t lambda_t + sum_k max(0, max_i (1 - sum_t lambda_t d_ki(t) / t))``
as a bound on the users served (weak duality). Those of the relaxation are the best; the sum is done in whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from edgeopt.models.slide.time_varying import Row, TimeVaryingFormulation
from edgeopt.solvers.base import Control

FIRST_POINTS = 100
MORE_POINTS = 50
MOST_ROUNDS = 8
OVERLOAD = 1e-6
"""Relative overload that asks for another due time."""
UNIT = 2**40
"""Multipliers are rounded to parts of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Relaxation:
    """What the relaxation says.

    Attributes
    ----------
    bound : int
        Nobody can serve more users.
    value : (P,) float64
        Of each option.
    price : (P,) float64
        ``sum_t lambda_t d(t) / t`` of each option.
    times : tuple of Fraction
        Due times (ticks) with a row.
    """

    bound: int
    value: NDArray[np.float64]
    price: NDArray[np.float64]
    times: tuple[Fraction, ...]


def relaxation(formulation: TimeVaryingFormulation, control: Control) -> Relaxation:
    """Solve the relaxation; without time for it the bound is the number of users that can be served at all."""
    options = formulation.options
    best = Relaxation(len({own.user for own in options}), np.ones(len(options)), np.zeros(len(options)), ())
    points = set(formulation.points[:: 1 + len(formulation.points) // FIRST_POINTS])
    for _ in range(MOST_ROUNDS):
        rows = formulation.rows(sorted(points))
        if not rows or control.stop():
            return best
        solved = _solve(formulation, rows, control)
        if solved is None:
            return best
        value, duals = solved
        bound, price = _bound(formulation, rows, duals)
        best = Relaxation(min(best.bound, bound), value, price, tuple(sorted(points)))
        more = _overloaded(formulation, value) - points
        if not more:
            return best
        points |= more
    return best


def _solve(
    formulation: TimeVaryingFormulation, rows: list[Row], control: Control
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Values of the options and multipliers of the rows; None without an optimum in time."""
    import highspy

    size, groups = len(formulation.options), formulation.by_user()
    entries = [np.array(row.coefficients, dtype=np.float64) / row.capacity for row in rows]
    entries += [np.ones(len(places)) for places in groups]
    position = [*(row.places for row in rows), *groups]
    starts = np.concatenate([[0], np.cumsum([len(places) for places in position])])
    matrix = csr_array((np.concatenate(entries), np.concatenate(position), starts), shape=(len(position), size))
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    if (seconds := control.remaining()) is not None:
        solver.setOptionValue("time_limit", seconds)
    model = highspy.HighsLp()
    model.num_row_, model.num_col_ = matrix.shape
    model.col_cost_ = -np.ones(size)
    model.col_lower_, model.col_upper_ = np.zeros(size), np.ones(size)
    model.row_lower_, model.row_upper_ = np.full(len(position), -highspy.kHighsInf), np.ones(len(position))
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_, model.a_matrix_.index_ = matrix.indptr, matrix.indices
    model.a_matrix_.value_ = matrix.data
    solver.passModel(model)
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    found = solver.getSolution()
    return np.array(found.col_value), -np.array(found.row_dual)[: len(rows)]


def _bound(
    formulation: TimeVaryingFormulation, rows: list[Row], duals: NDArray[np.float64]
) -> tuple[int, NDArray[np.float64]]:
    """The bound of these multipliers, rounded to a grid, and the prices they make."""
    price = [0] * len(formulation.options)  # in units of the grid, rounded down
    total = 0
    for row, dual in zip(rows, duals.tolist(), strict=True):
        multiplier = max(0, round(dual * UNIT))
        if not multiplier:
            continue
        total += multiplier
        for place, coefficient in zip(row.places, row.coefficients, strict=True):
            price[place] += multiplier * coefficient // row.capacity
    gain: dict[int, int] = {}
    for own, cost in zip(formulation.options, price, strict=True):
        gain[own.user] = max(gain.get(own.user, 0), UNIT - cost)
    return (total + sum(gain.values())) // UNIT, np.array(price, dtype=np.float64) / UNIT


def _overloaded(formulation: TimeVaryingFormulation, value: NDArray[np.float64]) -> set[Fraction]:
    """The due times that these values overload most."""
    place = {point: index for index, point in enumerate(formulation.points)}
    rise = np.zeros(len(place))
    for own, part in zip(formulation.options, value.tolist(), strict=True):
        before = 0.0
        for step in own.demand if part > 0 else ():
            rise[place[step.due]] += part * (float(step.need) - before)
            before = float(step.need)
    load = np.cumsum(rise) / np.array([float(point) for point in formulation.points])
    worst = np.argsort(-load, kind="stable")[:MORE_POINTS].tolist()
    return {formulation.points[index] for index in worst if load[index] > 1 + OVERLOAD}
