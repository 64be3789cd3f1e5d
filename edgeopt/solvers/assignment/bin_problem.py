"""One bin on its own: the problem that Next-Bin solves again and again, and what its solvers answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from importlib import import_module
from typing import NamedTuple

import numpy as np

from edgeopt.errors import UnknownNameError
from edgeopt.instances.assignment.instance import AssignmentInstance, IntArray

NO_CHOICES = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class BinProblem:
    """Maximise ``sum_k r_k x_k`` with at most (or exactly) one choice a group and ``sum_k w_kd x_k <= c_d``.

    Attributes
    ----------
    group : (K,) int64
        Ascending, so that the choices of a group stand together; any labels.
    profit : (K,) int64
        ``r_k``, of either sign.
    weight : (K, D) int64
        Not negative.
    capacity : (D,) int64
    exactly_one : bool
        Whether every group that has a choice must take one.
    """

    group: IntArray
    profit: IntArray
    weight: IntArray
    capacity: IntArray
    exactly_one: bool = False

    @property
    def first(self) -> IntArray:
        """Place of the first choice of each group, and of the end."""
        return np.flatnonzero(np.diff(self.group, prepend=-1, append=-2)).astype(np.int64)

    def restricted(self, keep: IntArray) -> BinProblem:
        """The same bin with these choices only, ascending."""
        return BinProblem(self.group[keep], self.profit[keep], self.weight[keep], self.capacity, self.exactly_one)

    def useful(self) -> IntArray:
        """Choices that fit alone and, where a group may take none, that earn something."""
        fits = (self.weight <= self.capacity).all(axis=1)
        return np.flatnonzero(fits if self.exactly_one else fits & (self.profit > 0)).astype(np.int64)


class BinAnswer(NamedTuple):
    """What a single-bin solver found.

    Attributes
    ----------
    chosen : (z,) int64 or None
        Places of the choices taken; None when nothing feasible was found.
    bound : int or None
        No feasible set has a greater profit.
    complete : bool
        Whether the solver ran to its end.
    effort : mapping
    """

    chosen: IntArray | None
    bound: int | None = None
    complete: bool = True
    effort: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True)
class SingleBin:
    """A single-bin solver and its quality.

    Attributes
    ----------
    solve : callable
        ``solve(problem, stop)`` returns a `BinAnswer`.
    theta : Fraction
        The optimum is at most ``theta`` times the value found, if the run was complete.
    """

    solve: Callable[[BinProblem, Callable[[], bool]], BinAnswer]
    theta: Fraction = field(default=Fraction(1))


SINGLE_BIN = {
    "mdkp-exact": "edgeopt.solvers.assignment.mdkp",
    "fptas": "edgeopt.solvers.assignment.fptas",
    "greedy": "edgeopt.solvers.assignment.greedy",
}
"""Modules whose ``single_bin(dimensions, **options)`` makes a `SingleBin`."""


def single_bin(name: str, dimensions: int, **options: object) -> SingleBin:
    """The single-bin solver of that name, for bins with so many capacities.

    Raises
    ------
    UnknownNameError
        If there is none.
    AssumptionError
        If it cannot solve bins with so many capacities.
    """
    if name not in SINGLE_BIN:
        raise UnknownNameError(f"no single-bin solver {name!r}; there are: {', '.join(SINGLE_BIN)}")
    made: SingleBin = import_module(SINGLE_BIN[name]).single_bin(dimensions, **options)
    return made


def only_bin(instance: AssignmentInstance) -> tuple[BinProblem, IntArray]:
    """An instance with one bin as a problem to maximise, and the choice behind each place in it."""
    order = np.argsort(instance.group, kind="stable").astype(np.int64)
    profit = instance.profit[order] if instance.sense == "max" else -instance.profit[order]
    problem = BinProblem(
        instance.group[order], profit, instance.weight[order], instance.capacity[0], instance.pick == "exactly-one"
    )
    return problem, order
