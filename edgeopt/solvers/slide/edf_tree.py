"""Branch and bound on time-varying shares, as a tree of multipliers that the verifier replays (ours).

Each leaf has the duals of the linear relaxation over some due times, each inner vertex a user that is served with a
model, or not so. Due times that an integral solution overloads are added on the way; leaves before them do not price
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeopt.models.slide.time_varying import TimeVaryingFormulation
from edgeopt.proof import ChoiceSplit, Leaf, Tree
from edgeopt.solvers.base import Control
from edgeopt.solvers.slide.edf_bound import Relaxation

MOST_VERTICES = 2000
MOST_POINTS = 400
WHOLE = 1e-6
"""Values so near to 0 or 1 count as whole, bounds so near above a whole number as that."""


@dataclass(slots=True)
class Vertex:
    """A vertex that waits: options that are out (0) or in (1), and where its tree belongs."""

    fixed: dict[int, int]
    parent: list[Any]
    key: int


def edf_tree(
    formulation: TimeVaryingFormulation, relaxed: Relaxation, value: int, control: Control, *, unit: float = 1.0
) -> tuple[list[Fraction], Tree]:
    """Due times (ticks) and a tree over them that shows that no more than `value` users can be served, if time allows.

    Parameters
    ----------
    formulation : TimeVaryingFormulation
    relaxed : Relaxation
        Its due times are the first ones.
    value : int
        Number of users that is known to be served.
    control : Control
        Where it says stop, the leaves left are as good as the relaxation.
    unit : float
        Multipliers are of rows ``sum_k need_k(t) x_k <= t`` divided by `t` times this.
    """
    search = _Search(formulation, list(relaxed.times), unit)
    root: list[Any] = [None]
    waiting = [Vertex({}, root, 0)]
    inner: list[tuple[list[Any], int, int, list[Any]]] = []
    count = 0
    while waiting:
        vertex = waiting.pop()
        count += 1
        bound, values, leaf = search.relaxed(vertex.fixed)
        while bound >= value + 1 - WHOLE and not control.stop() and search.add_overloaded(values):
            bound, values, leaf = search.relaxed(vertex.fixed)
        open_ = [place for place, part in enumerate(values.tolist()) if WHOLE < part < 1 - WHOLE]
        if bound < value + 1 - WHOLE or not open_ or count + len(waiting) > MOST_VERTICES or control.stop():
            vertex.parent[vertex.key] = leaf
            search.leaves += leaf.multipliers
            continue
        branch = min(open_, key=lambda place: (abs(values[place] - 0.5), place))
        children: list[Any] = [None, None]
        inner.append((vertex.parent, vertex.key, branch, children))
        waiting.append(Vertex({**vertex.fixed, branch: 0}, children, 0))
        waiting.append(Vertex({**vertex.fixed, branch: 1}, children, 1))
    priced = np.zeros(len(search.points), dtype=bool)
    for found in search.leaves:
        priced[: found.shape[1]] |= found.any(axis=0)
    kept = np.flatnonzero(priced) if priced.any() else np.zeros(1, dtype=np.intp)
    for parent, key, branch, (without, with_) in reversed(inner):
        parent[key] = ChoiceSplit(branch, _over(without, kept), _over(with_, kept))
    return [search.points[place] for place in kept.tolist()], _over(root[0], kept)


def _over(tree: Tree, kept: NDArray[np.intp]) -> Tree:
    """A leaf with the multipliers of these due times."""
    if not isinstance(tree, Leaf):
        return tree
    (found,) = tree.multipliers
    padded = np.pad(found, ((0, 0), (0, max(0, kept.max() + 1 - found.shape[1]))))
    return Leaf(tree.prices, (padded[:, kept],))


class _Search:
    """The relaxation over some due times, solved again and again with some options fixed."""

    def __init__(self, formulation: TimeVaryingFormulation, points: list[Fraction], unit: float) -> None:
        import highspy

        self.formulation, self.unit = formulation, unit
        self.points: list[Fraction] = []
        self.groups = formulation.by_user()
        self.users = len(formulation.instance.users)
        self.solver: Any = highspy.Highs()
        self.solver.setOptionValue("output_flag", False)
        self.optimal = highspy.HighsModelStatus.kOptimal
        size = len(formulation.options)
        self.places = np.arange(size, dtype=np.int32)
        for _ in range(size):
            self.solver.addVar(0.0, 1.0)
        self.solver.changeColsCost(size, self.places, -np.ones(size))
        for group in self.groups:
            self.solver.addRow(
                -highspy.kHighsInf, 1.0, len(group), np.array(group, dtype=np.int32), np.ones(len(group))
            )
        self.infinite = highspy.kHighsInf
        self.leaves: list[NDArray[np.float64]] = []
        self._add(points or formulation.points[-1:])

    def _add(self, points: list[Fraction]) -> None:
        for point in points:
            need = np.array([float(own.need_by(point) / point) for own in self.formulation.options])
            some = np.flatnonzero(need).astype(np.int32)
            self.solver.addRow(-self.infinite, 1.0, len(some), some, need[some])
            self.points.append(point)

    def relaxed(self, fixed: dict[int, int]) -> tuple[float, NDArray[np.float64], Leaf]:
        """The bound, the values, and the duals as a leaf; a bound of 0 where what is in does not fit."""
        low, high = np.zeros(len(self.places)), np.ones(len(self.places))
        for place, value in fixed.items():
            low[place] = high[place] = value
        self.solver.changeColsBounds(len(self.places), self.places, low, high)
        self.solver.run()
        none = Leaf(np.zeros(self.users), (np.zeros((1, len(self.points))),))
        if self.solver.getModelStatus() != self.optimal:
            return 0.0, np.zeros(len(self.places)), none
        solution = self.solver.getSolution()
        dual = np.maximum(-np.array(solution.row_dual), 0.0)
        prices = np.zeros(self.users)
        for row, group in enumerate(self.groups):
            prices[self.formulation.options[group[0]].user] = dual[row]
        leaf = Leaf(prices, (dual[None, len(self.groups) :] * self.unit,))
        return -float(self.solver.getObjectiveValue()), np.array(solution.col_value), leaf

    def add_overloaded(self, values: NDArray[np.float64]) -> bool:
        """Add the due time that values overload most; whether there is one that counts."""
        if len(self.points) >= MOST_POINTS:
            return False
        rise: dict[Fraction, float] = {}
        for own, part in zip(self.formulation.options, values.tolist(), strict=True):
            before = 0.0
            for step in own.demand if part > WHOLE else ():
                rise[step.due] = rise.get(step.due, 0.0) + part * (float(step.need) - before)
                before = float(step.need)
        times = sorted(rise)
        load = np.cumsum([rise[time] for time in times]) / np.array([float(time) for time in times])
        worst = int(load.argmax()) if times else 0
        if not times or load[worst] <= 1 + WHOLE or times[worst] in self.points:
            return False
        self._add([times[worst]])
        return True
