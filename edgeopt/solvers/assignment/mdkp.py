"""Exact multi-dimensional knapsack with multiple-choice groups: branch and bound on Lagrangian bounds in integers.

Any multipliers ``y >= 0`` bound the profit of every feasible set:
``UB(y) = y . c + sum_g max_k (r_k - y . w_k)``, a group's option to take nothing counting 0. A decision for another
option than the maximising one costs its *loss*, the difference; capacity left unused costs ``y`` times it. So a set
of profit ``v`` has losses of exactly ``UB(y) - v``, and a search for a better set than the incumbent goes over all
decisions with a total loss below ``UB(y) - incumbent``. Multipliers come from a subgradient descent in floats and are
then rounded to integers over a scale ``S``: everything that decides is int64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edgeopt.instances.assignment.instance import IntArray
from edgeopt.solvers.assignment import greedy
from edgeopt.solvers.assignment.bin_problem import NO_CHOICES, BinAnswer, BinProblem, SingleBin

FloatArray = NDArray[np.float64]

DESCENT_STEPS = 300
SCALE = 2**50
"""Largest scale ``S`` of the multipliers; weights of 10^15 have multipliers of 10^-12."""
MOST = 2**62
"""No total in the search passes this."""
CHUNK = 200_000
"""Nodes between two looks at the clock."""


def single_bin(dimensions: int) -> SingleBin:
    """The exact solver as a single-bin solver, theta = 1."""
    return SingleBin(solve, Fraction(1))


def solve(problem: BinProblem, stop: Callable[[], bool]) -> BinAnswer:
    """An optimal set of choices.

    Parameters
    ----------
    problem : BinProblem
    stop : callable
        Asked now and then; the best set so far comes back when it says yes.

    Returns
    -------
    BinAnswer
        `chosen` is None if no set is feasible (or none was found before the stop); `bound` is the optimum after a
        complete run, else the Lagrangian bound.
    """
    useful = problem.useful()
    groups = len(problem.first) - 1
    part = problem.restricted(useful)
    first = part.first
    if problem.exactly_one and len(first) - 1 < groups:
        return BinAnswer(None)
    if not len(useful):
        return BinAnswer(NO_CHOICES, bound=0)
    floor = np.minimum.reduceat(part.profit, first[:-1]) if part.exactly_one else np.zeros(len(first) - 1, np.int64)
    shifted = BinProblem(
        part.group,
        part.profit - np.repeat(floor, np.diff(first)),
        part.weight,
        part.capacity,
        part.exactly_one,
    )
    chosen, bound, complete, nodes = _search(shifted, stop)
    answer = None if chosen is None else useful[chosen]
    best = None if bound is None else bound + int(floor.sum())
    return BinAnswer(answer, bound=best, complete=complete, effort={"nodes": nodes})


@dataclass(frozen=True, slots=True, eq=False)
class _Options:
    """What each group may do, groups and options in the order of the search.

    Attributes
    ----------
    start : (G + 1,) int64
        Where the options of each group begin.
    choice, profit, loss : (N,) int64
        Choice (-1 for nothing), its profit, and its loss in units of ``1/S``; losses ascend within a group.
    weight : (N, D) int64
    """

    start: IntArray
    choice: IntArray
    profit: IntArray
    loss: IntArray
    weight: IntArray


def _search(problem: BinProblem, stop: Callable[[], bool]) -> tuple[IntArray | None, int | None, bool, int]:
    """Best choices (None if there are none), bound, whether the search is complete, and nodes visited."""
    from edgeopt.solvers.assignment.mdkp_kernel import search

    problem = _binding_rows(problem)
    y, scale = _integer_multipliers(problem, _multipliers(problem))
    reduced = scale * problem.profit - problem.weight @ y
    options = _options(problem, reduced)
    top = int(problem.capacity @ y) + int(_best_of_groups(problem, reduced).sum())
    groups = len(options.start) - 1
    least, most, gain = _suffixes(options)
    known, best = _incumbent(problem, options)
    place = np.zeros(groups + 1, dtype=np.int64)
    place[0] = options.start[0]
    left = np.zeros((groups + 1, len(problem.capacity)), dtype=np.int64)
    left[0] = problem.capacity
    loss, profit = np.zeros((2, groups + 1), dtype=np.int64)
    state = np.array([0, known, 0], dtype=np.int64)  # depth, incumbent, nodes
    arrays = (options.start, options.loss, options.profit, options.weight, least, most, gain, y)
    complete = False
    while not complete and not stop():
        complete = bool(search(*arrays, scale, top, CHUNK, place, left, loss, profit, best, state))
    value = int(state[1])
    chosen = None if value < 0 else np.sort(options.choice[best][options.choice[best] >= 0])
    bound = (None if value < 0 else value) if complete else top // scale
    return chosen, bound, complete, int(state[2])


def _binding_rows(problem: BinProblem) -> BinProblem:
    """The same problem without the capacities that all groups together respect."""
    heaviest = np.maximum.reduceat(problem.weight, problem.first[:-1], axis=0).sum(axis=0)
    binding = heaviest > problem.capacity
    weight = np.ascontiguousarray(problem.weight[:, binding])
    return BinProblem(problem.group, problem.profit, weight, problem.capacity[binding], problem.exactly_one)


def _best_of_groups(problem: BinProblem, value: NDArray[np.int64]) -> IntArray:
    """Largest value of each group, nothing counting 0 where it is allowed."""
    best: IntArray = np.maximum.reduceat(value, problem.first[:-1])
    return best if problem.exactly_one else np.maximum(best, 0)


def _multipliers(problem: BinProblem) -> FloatArray:
    """Multipliers ``y`` (D,) of a small ``UB(y)``, by subgradient descent with Polyak's step."""
    first, capacity = problem.first, problem.capacity.astype(np.float64)
    begin, sizes = first[:-1], np.diff(first)
    unit = np.maximum(capacity, 1.0)
    share = problem.weight / unit
    profit = problem.profit.astype(np.float64)
    y, best_y = np.zeros(len(capacity)), np.zeros(len(capacity))
    best, step, stalled = np.inf, 0.125, 0
    for _ in range(DESCENT_STEPS):
        reduced = profit - share @ y
        top = np.maximum.reduceat(reduced, begin)
        if not problem.exactly_one:
            top = np.maximum(top, 0.0)
        value = y @ (capacity / unit) + top.sum()
        if not np.isfinite(best) or value < best - 1e-9 * abs(best):
            best, best_y, stalled = value, y.copy(), 0
        else:
            stalled += 1
        if stalled == 8:
            step, stalled, y = step / 2, 0, best_y.copy()
            if step < 1e-5:
                break
            continue
        takes = reduced >= np.repeat(top, sizes)
        # of two maximising choices that stand together the first; any subgradient does
        takes &= np.concatenate(([True], ~takes[:-1])) | (np.diff(problem.group, prepend=-1) != 0)
        direction = capacity / unit - share[takes].sum(axis=0)
        length = float(direction @ direction)
        if length == 0.0:
            break
        y = np.maximum(0.0, y - step * max(abs(value), 1.0) / length * direction)
    return best_y / unit


def _integer_multipliers(problem: BinProblem, y: FloatArray) -> tuple[IntArray, int]:
    """Integers ``S y`` and ``S``, so small that no total of the search can leave 64 bits."""
    heaviest = np.maximum.reduceat(problem.weight, problem.first[:-1], axis=0).astype(object).sum(axis=0)
    gain = int(np.maximum.reduceat(problem.profit, problem.first[:-1]).astype(object).sum())
    reach = (problem.capacity.astype(object) + heaviest).tolist()
    scale = SCALE
    while scale > 1:
        rounded = [round(scale * value) for value in y.tolist()]
        if 2 * (scale * gain + sum(a * b for a, b in zip(rounded, reach, strict=True))) < MOST:
            return np.array(rounded, dtype=np.int64), scale
        scale //= 2
    return np.zeros(len(y), dtype=np.int64), 1


def _options(problem: BinProblem, reduced: IntArray) -> _Options:
    """Options of all groups; groups whose second option costs most come first."""
    first = problem.first
    groups = len(first) - 1
    group = np.repeat(np.arange(groups), np.diff(first))
    choice = np.arange(len(group), dtype=np.int64)
    loss = _best_of_groups(problem, reduced)[group] - reduced
    profit, weight = problem.profit, problem.weight
    if not problem.exactly_one:
        group = np.concatenate([group, np.arange(groups)])
        choice = np.concatenate([choice, np.full(groups, -1)])
        loss = np.concatenate([loss, _best_of_groups(problem, reduced)])
        profit = np.concatenate([profit, np.zeros(groups, np.int64)])
        weight = np.concatenate([weight, np.zeros((groups, weight.shape[1]), np.int64)])
    inside = np.lexsort((loss, group))
    counts = np.bincount(group, minlength=groups)
    start = np.concatenate(([0], np.cumsum(counts)))
    second = np.array([loss[inside[a + 1]] if b - a > 1 else MOST for a, b in pairwise(start)])
    rank = np.empty(groups, dtype=np.int64)
    rank[np.argsort(-second, kind="stable")] = np.arange(groups)
    order = np.lexsort((loss, rank[group]))
    begins = np.concatenate(([0], np.cumsum(np.bincount(rank[group], minlength=groups)))).astype(np.int64)
    return _Options(begins, choice[order], profit[order], loss[order], np.ascontiguousarray(weight[order]))


def _suffixes(options: _Options) -> tuple[IntArray, IntArray, IntArray]:
    """Least and largest weight (G + 1, D), and largest profit (G + 1,), of all groups from each on."""
    begin = options.start[:-1]
    columns = (
        np.minimum.reduceat(options.weight, begin, axis=0),
        np.maximum.reduceat(options.weight, begin, axis=0),
        np.maximum.reduceat(options.profit, begin)[:, None],
    )
    least, most, gain = (
        np.ascontiguousarray(np.concatenate([np.cumsum(c[::-1], axis=0)[::-1], np.zeros_like(c[:1])])) for c in columns
    )
    return least, most, np.ascontiguousarray(gain[:, 0])


def _incumbent(problem: BinProblem, options: _Options) -> tuple[int, IntArray]:
    """The greedy's set where nothing is forced, as its value and an option for each group; else -1."""
    best = options.start[:-1].copy()
    if problem.exactly_one:
        return -1, best
    found = greedy.single_bin(len(problem.capacity)).solve(problem, lambda: False).chosen
    assert found is not None
    wanted = np.isin(options.choice, found)
    for group, (begin, end) in enumerate(pairwise(options.start)):
        inside = np.flatnonzero(wanted[begin:end])
        nothing = np.flatnonzero(options.choice[begin:end] < 0)
        best[group] = begin + (inside[0] if len(inside) else nothing[0])
    return int(problem.profit[found].sum()), best
