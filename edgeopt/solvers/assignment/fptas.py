"""Fully polynomial approximation for one bin with one capacity (Ibarra and Kim 1975; Lawler 1979), with groups.

Profits are rounded down to multiples of ``q = floor(epsilon G / n)``, where ``G`` is the greedy's value and ``n`` the
number of groups; a table over total rounded profit holds the least weight that reaches it. A set loses less than
``q`` a group, so the value is at least ``OPT - n q >= (1 - epsilon) OPT``: theta is ``1/(1 - epsilon)``. With
``q <= 1`` nothing is rounded. ``OPT <= 2 G`` cuts the table to ``O(n / epsilon)`` entries.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from edgeopt.errors import AssumptionError, InstanceError
from edgeopt.solvers.assignment import greedy
from edgeopt.solvers.assignment.bin_problem import BinAnswer, BinProblem, SingleBin


def single_bin(dimensions: int, epsilon: float = 0.5) -> SingleBin:
    """The approximation scheme as a single-bin solver.

    Parameters
    ----------
    dimensions : int
        Must be 1.
    epsilon : float
        Between 0 and 1, read as the decimal that it prints as.

    Raises
    ------
    AssumptionError
        If bins have several capacities: no such scheme exists for them unless P = NP.
    InstanceError
        If epsilon is out of range.
    """
    if dimensions != 1:
        raise AssumptionError(f"fptas assumes one capacity a bin, here it has {dimensions}; use mdkp-exact or greedy")
    exact = Fraction(str(epsilon))
    if not 0 < exact < 1:
        raise InstanceError(f"epsilon = {epsilon}: must be over 0 and under 1")
    return SingleBin(lambda problem, stop: _solve(problem, stop, exact), 1 / (1 - exact))


def _solve(problem: BinProblem, stop: Callable[[], bool], epsilon: Fraction) -> BinAnswer:
    rough = greedy.single_bin(1).solve(problem, stop)
    assert rough.chosen is not None
    known = int(problem.profit[rough.chosen].sum())
    first = problem.first
    groups = len(first) - 1
    unit = max(1, int(epsilon * known / groups)) if groups else 1
    rounded = problem.profit // unit
    weight = problem.weight[:, 0]
    too_much = int(problem.capacity[0]) + 1
    least = np.full(2 * known // unit + 1, too_much, dtype=np.int64)
    least[0] = 0
    came_by = np.full((groups, len(least)), -1, dtype=np.int32)
    for group in range(groups):
        if stop():
            return rough
        before = least.copy()
        for k in range(int(first[group]), int(first[group + 1])):
            gain = int(rounded[k])
            if not 0 < gain < len(least):
                continue
            reached = before[: len(least) - gain] + weight[k]
            better = reached < least[gain:]
            least[gain:][better] = reached[better]
            came_by[group, gain:][better] = k
    total = int(np.flatnonzero(least < too_much)[-1])
    chosen = []
    for group in reversed(range(groups)):
        k = int(came_by[group, total])
        if k >= 0:
            chosen.append(k)
            total -= int(rounded[k])
    found = np.array(chosen[::-1], dtype=np.int64)
    best = found if int(problem.profit[found].sum()) >= known else rough.chosen
    return BinAnswer(best, effort={"table": came_by.size})
