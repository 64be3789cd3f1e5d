"""Greedy by profit density for one bin, theta = 2 D.

With ``s_k = sum_d w_kd / c_d``, every feasible set has ``sum s <= D``, and every set with ``sum s <= 1`` is feasible.
Let ``L(t)`` be the optimum of the linear relaxation with the one row ``sum s_k x_k <= t``: concave, ``L(0) = 0``, so
``OPT <= L(D) <= D L(1)``. ``L(1)`` is reached by walking over the increments of the groups' concave profit hulls in
order of density (Sinha and Zoltners 1979) and taking a part of the first that does not fit: ``L(1)`` is at most the
profit of the set before it plus the profit of the choice it leads to. The better of that set and the best single
choice therefore has at least ``L(1)/2 >= OPT/(2 D)``. All comparisons are made in integers.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from math import lcm

import numpy as np

from edgeopt.instances.assignment.instance import IntArray
from edgeopt.solvers.assignment.bin_problem import NO_CHOICES, BinAnswer, BinProblem, SingleBin


def single_bin(dimensions: int) -> SingleBin:
    """The greedy as a single-bin solver."""
    return SingleBin(_solve, Fraction(2 * dimensions))


def _solve(problem: BinProblem, stop: Callable[[], bool]) -> BinAnswer:
    """Greedy over positive choices that fit alone; more is added afterwards while anything fits."""
    if not len(problem.group):
        return BinAnswer(NO_CHOICES)
    profit = problem.profit.tolist()
    size, room = _sizes(problem)
    taken = _prefix(problem, profit, size, room)
    single = int(problem.profit.argmax())
    if sum(profit[k] for k in taken) < profit[single]:
        taken = [single]
    return BinAnswer(_filled(problem, taken))


def _sizes(problem: BinProblem) -> tuple[list[int], int]:
    """``s_k`` and 1, times the least common multiple of the capacities; what fits weighs nothing where one is 0."""
    capacity = [c for c in problem.capacity.tolist() if c]
    room = lcm(*capacity) if capacity else 1
    factor = [room // c if c else 0 for c in problem.capacity.tolist()]
    return [sum(w * f for w, f in zip(row, factor, strict=True)) for row in problem.weight.tolist()], room


def _prefix(problem: BinProblem, profit: list[int], size: list[int], room: int) -> list[int]:
    """Choices after the increments that fit, in order of density, up to the first that does not."""
    steps: list[tuple[int, int, int, int]] = []
    first = problem.first.tolist()
    for group, (begin, end) in enumerate(pairwise(first)):
        steps += [(group, *step) for step in _hull(range(begin, end), profit, size)]
    # An increment without size comes first. Densities fall along a hull, so a stable sort keeps its order.
    steps.sort(key=lambda step: Fraction(-step[2], step[3]) if step[3] else Fraction(-(2**80)))
    held: dict[int, int] = {}
    used = 0
    for group, choice, _, more in steps:
        if used + more > room:
            break
        held[group], used = choice, used + more
    return list(held.values())


def _hull(choices: range, profit: list[int], size: list[int]) -> list[tuple[int, int, int]]:
    """Increments (choice, profit gained, size added) of the upper concave hull from (0, 0)."""
    points = [(0, 0, -1)]
    for k in sorted(choices, key=lambda k: (size[k], -profit[k])):
        if profit[k] <= points[-1][1]:
            continue
        while len(points) > 1 and _below(points[-2], points[-1], (size[k], profit[k], k)):
            points.pop()
        points.append((size[k], profit[k], k))
    return [(b[2], b[1] - a[1], b[0] - a[0]) for a, b in pairwise(points)]


def _below(a: tuple[int, int, int], b: tuple[int, int, int], c: tuple[int, int, int]) -> bool:
    """Whether ``b`` lies on or below the segment from ``a`` to ``c``."""
    return (b[1] - a[1]) * (c[0] - a[0]) <= (c[1] - a[1]) * (b[0] - a[0])


def _filled(problem: BinProblem, taken: list[int]) -> IntArray:
    """Add choices of groups without one, the most profitable first, while they fit."""
    left = problem.capacity - problem.weight[taken].sum(axis=0)
    groups = set(problem.group[taken].tolist())
    for k in np.argsort(-problem.profit, kind="stable").tolist():
        if problem.group[k] not in groups and (problem.weight[k] <= left).all():
            taken.append(k)
            groups.add(int(problem.group[k]))
            left = left - problem.weight[k]
    return np.array(sorted(taken), dtype=np.int64)
