"""What all formulations of the assignment problem share: the variables ``x_k`` and the way back to a solution."""

from __future__ import annotations

import numpy as np

from edgeopt.instances.assignment import Assignment, AssignmentInstance
from edgeopt.models.assignment import rows
from edgeopt.models.base import Cut, FloatArray, IntArray


class AssignmentFormulation:
    """Variables ``x_k``: choice ``k`` is taken, in the order of the choices.

    Where a group must take a choice and has none, one more variable is fixed to 0 and asked to be 1, which says
    that the model is infeasible in words that every solver understands.

    Parameters
    ----------
    instance : AssignmentInstance
    """

    def __init__(self, instance: AssignmentInstance) -> None:
        self.instance = instance
        self.hopeless = instance.pick == "exactly-one" and any(not len(group) for group in instance.by_group)

    def _taken(self, values: FloatArray) -> IntArray:
        return np.nonzero(values[: self.instance.choices] > 0.5)[0]

    def extract(self, values: FloatArray) -> Assignment:
        """The solution that values of the variables describe."""
        return Assignment.of(self.instance, self._taken(values))

    def start(self, solution: Assignment) -> FloatArray:
        """Values of all variables that describe a solution."""
        values = np.zeros(self.instance.choices + self.hopeless)
        values[solution.taken] = 1.0
        return values

    def cuts(self, values: FloatArray) -> list[Cut]:
        """Cover cuts that refute the values; none iff the solution is feasible in exact integers.

        A group that must take a choice and takes none cannot be cut off so; its row, an equality of binaries, is
        held by every solver.
        """
        chosen = np.zeros(self.instance.choices, dtype=bool)
        chosen[self._taken(values)] = True
        found = [Cut(group, 1) for group in self.instance.by_group if np.count_nonzero(chosen[group]) > 1]
        broken = (
            row for row in rows.binding(self.instance) if int(row.weight[chosen[row.choices]].sum()) > row.capacity
        )
        return found + [_cover(row, chosen[row.choices]) for row in broken]


def _cover(row: rows.Row, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Cut:
    """The fewest of the chosen that exceed the capacity, and all that weigh at least as much as each of them."""
    heaviest = np.sort(row.weight[chosen])[::-1]
    count = int(np.searchsorted(np.cumsum(heaviest), row.capacity, side="right")) + 1
    cover = np.argsort(np.where(chosen, -row.weight, 1), kind="stable")[:count]
    larger = np.nonzero(row.weight >= heaviest[0])[0]
    return Cut(row.choices[np.union1d(cover, larger)], count - 1)
