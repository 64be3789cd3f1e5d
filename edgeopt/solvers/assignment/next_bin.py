"""Next-Bin: generalised assignment by local ratio (Cohen, Katzir, Raz, Inf. Process. Lett. 100, 2006).

Bins one after another, in any order. In bin ``j`` choice ``k`` of group ``g`` has the residual profit
``r_k = p_k - p_T[g]``, where ``T[g]`` is the choice that the group holds so far (0 without one). A single-bin solver
picks choices with ``r_k > 0``; their groups leave what they held. If the solver's value is always at least
``1/theta`` of its optimum, the total is at least ``1/(1 + theta)`` of the optimum: split the profits of the
remaining bins as ``p = p1 + p2`` with ``p1 = r`` in bin ``j`` and ``p1 = r_k`` for groups picked there in every other
bin. Whatever the later bins do, each picked group keeps ``p1 = r_k``; no solution has ``p1`` above ``(1 + theta)``
times their sum (bin ``j`` at most ``theta`` times it, the other bins at most once it); and ``p2`` is the problem of
the bins that are left. Several choices of a group in one bin change nothing in this argument. It needs that what a
bin holds may shrink, so no group can be forced to take a choice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, permutations
from typing import Any

import numpy as np

from edgeopt.errors import AssumptionError, InstanceError
from edgeopt.instances.assignment import Assignment, AssignmentInstance
from edgeopt.instances.assignment.instance import IntArray
from edgeopt.instances.assignment.solution import NONE
from edgeopt.result import Answer, Termination
from edgeopt.solvers.assignment.bin_problem import BinProblem, SingleBin, single_bin
from edgeopt.solvers.base import Control

ALL_ORDERS_UP_TO = 5
"""With at most this many bins ``order="best"`` tries every order; with more, a sample."""
SAMPLED_ORDERS = 120


def next_bin(
    instance: AssignmentInstance,
    control: Control,
    *,
    single: str = "mdkp-exact",
    order: str | Sequence[int] = "given",
    restarts: int = 10,
    epsilon: float | None = None,
) -> Answer:
    """Next-Bin: value at least ``1/(1 + theta)`` of the optimum, whatever the order.

    Parameters
    ----------
    single : str
        Single-bin solver: ``mdkp-exact`` (theta 1), ``fptas`` (one capacity a bin, theta ``1/(1 - epsilon)``) or
        ``greedy`` (theta ``2 D``).
    order : {"given", "random", "best"} or sequence of int
        Order of the bins: as in the instance; best of `restarts` random ones; best of all (of a sample above
        five bins); or each bin once.
    restarts : int
        Number of random orders.
    epsilon : float, optional
        Of ``fptas``; 0.5 when not given.

    Raises
    ------
    AssumptionError
        If the instance minimises, or every group must take a choice.
    InstanceError
        If the order or epsilon is out of range.
    """
    for field, needed in (("sense", "max"), ("pick", "at-most-one")):
        if getattr(instance, field) != needed:
            raise AssumptionError(
                f"next-bin assumes {field} = {needed!r}, the instance {instance.name} has {getattr(instance, field)!r}"
            )
    options: dict[str, Any] = {} if epsilon is None else {"epsilon": epsilon}
    one_bin = single_bin(single, instance.dimensions, **options)
    runner = _Runner(instance, one_bin, control.stop)
    best, value = np.full(instance.groups, NONE, dtype=np.int64), 0
    for candidate in _orders(instance.bins, order, restarts, control.seed):
        held = runner.run(candidate)
        found = int(instance.profit[held[held != NONE]].sum())
        if found > value:
            best, value = held, found
            control.report(value)
        if control.stop():
            break
    return Answer(
        solution=Assignment(best),
        claimed_value=value,
        termination=control.stopped_by() if control.stop() else Termination.COMPLETE,
        effort=runner.effort,
        guarantee=str(1 / (1 + one_bin.theta)),
    )


class _Runner:
    """Runs the single-bin solver over bins and counts its effort."""

    def __init__(self, instance: AssignmentInstance, single: SingleBin, stop: Callable[[], bool]) -> None:
        self.instance, self.single, self.stop = instance, single, stop
        self.effort: dict[str, int] = {"single_bin_runs": 0}
        # choices of a group stand together in a bin
        self.choices = [bin_[np.argsort(instance.group[bin_], kind="stable")] for bin_ in instance.by_bin]

    def run(self, order: Iterable[int]) -> IntArray:
        """The choice that each group holds after all bins in `order`."""
        instance = self.instance
        held = np.full(instance.groups, NONE, dtype=np.int64)
        worth = np.zeros(instance.groups, dtype=np.int64)
        for j in order:
            if self.stop():
                break
            choices = self.choices[j]
            group = instance.group[choices]
            residual = instance.profit[choices] - worth[group]
            problem = BinProblem(group, residual, instance.weight[choices], instance.capacity[j])
            useful = problem.useful()
            if not len(useful):
                continue
            answer = self.single.solve(problem.restricted(useful), self.stop)
            self.effort["single_bin_runs"] += 1
            for name, count in answer.effort.items():
                self.effort[name] = self.effort.get(name, 0) + count
            if answer.chosen is not None:
                taken = choices[useful[answer.chosen]]
                held[instance.group[taken]] = taken
                worth[instance.group[taken]] = instance.profit[taken]
        return held


def _orders(bins: int, order: str | Sequence[int], restarts: int, seed: int) -> Iterable[Sequence[int]]:
    if order == "given":
        return [range(bins)]
    rng = np.random.default_rng(seed)
    if order == "random":
        return (rng.permutation(bins).tolist() for _ in range(max(1, restarts)))
    if order == "best":
        if bins <= ALL_ORDERS_UP_TO:
            return permutations(range(bins))
        return chain([range(bins)], (rng.permutation(bins).tolist() for _ in range(SAMPLED_ORDERS)))
    chosen = order.split(",") if isinstance(order, str) else order
    try:
        places = [int(place) for place in chosen]
    except ValueError:
        places = []
    if sorted(places) != list(range(bins)):
        raise InstanceError(f"order = {order!r}: must be given, random, best, or each bin from 0 to {bins - 1} once")
    return [places]
