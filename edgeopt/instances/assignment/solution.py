"""A solution of the assignment problem: which choice each group takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.assignment.instance import AssignmentInstance, IntArray
from edgeopt.instances.base import Violation

NONE = -1
"""Stands for a group that takes no choice."""


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """One entry a group: the index of the choice that it takes, or `NONE`.

    Parameters
    ----------
    choice : (G,) int64
    """

    choice: IntArray

    @classmethod
    def of(cls, instance: AssignmentInstance, taken: Sequence[int] | IntArray) -> Assignment:
        """The solution in which these choices are taken, each by its own group."""
        choice = np.full(instance.groups, NONE, dtype=np.int64)
        indices = np.asarray(taken, dtype=np.int64).reshape(-1)
        choice[instance.group[indices]] = indices
        return cls(choice)

    @property
    def taken(self) -> IntArray:
        """Indices of the choices that are taken, by group."""
        taken: IntArray = self.choice[self.choice != NONE]
        return taken

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Assignment) and np.array_equal(self.choice, other.choice)

    __hash__ = None  # type: ignore[assignment]


def value(instance: AssignmentInstance, solution: Assignment) -> int:
    """Total profit, or cost, of the choices that are taken, in the instance's integers."""
    taken = solution.taken
    known = taken[(taken >= 0) & (taken < instance.choices)]
    return int(instance.profit[known].sum())


def encode_solution(instance: AssignmentInstance, solution: Assignment) -> dict[str, Any]:
    """Plain data: for each group the index of its choice, or null."""
    return {"choice": [None if index == NONE else index for index in solution.choice.tolist()]}


def decode_solution(instance: AssignmentInstance, data: Any, where: str) -> Assignment:
    """The solution that plain data describes.

    Raises
    ------
    InstanceError
        If an entry is not a choice of the instance, or the number of groups is another.
    """
    entries = data.get("choice") if isinstance(data, dict) else None
    if not isinstance(entries, list):
        raise InstanceError(f"{where}: solution.choice must list the choice of each group, or null")
    if len(entries) != instance.groups:
        raise InstanceError(f"{where}: solution.choice has {len(entries)} entries: must have {instance.groups}")
    for group, index in enumerate(entries):
        whole = isinstance(index, int) and not isinstance(index, bool)
        if index is not None and not (whole and 0 <= index < instance.choices):
            raise InstanceError(
                f"{where}: solution.choice[{group}] = {index!r}: must be null or from 0 to {instance.choices - 1}"
            )
    return Assignment(np.array([NONE if index is None else index for index in entries], dtype=np.int64))


def compiled_violations(instance: AssignmentInstance, solution: Assignment) -> list[Violation]:
    """What a solution breaks, over whole arrays at once; done after every solve, so it is quick."""
    choice = solution.choice
    if choice.shape != (instance.groups,):
        return [Violation("one entry a group", "solution", f"{choice.size} entries", f"{instance.groups} groups")]
    found = []
    empty = np.nonzero(choice == NONE)[0]
    if instance.pick == "exactly-one" and len(empty):
        found.append(Violation("exactly one choice", f"group {empty[0]}", f"{len(empty)} groups without one", "0"))
    taken = choice[choice != NONE]
    if len(taken) and not (taken.min() >= 0 and taken.max() < instance.choices):
        return [*found, Violation("known choice", "solution", str(taken.max()), str(instance.choices - 1))]
    strange = np.nonzero(instance.group[taken] != np.nonzero(choice != NONE)[0])[0]
    if len(strange):
        found.append(Violation("own choice", "solution", f"choice {taken[strange[0]]}", "the choices of its group"))
    load = np.zeros_like(instance.capacity)
    np.add.at(load, instance.bin[taken], instance.weight[taken])
    for j, d in np.argwhere(load > instance.capacity).tolist():
        where = f"bin {j}, dimension {d}"
        found.append(Violation("capacity", where, str(load[j, d]), str(instance.capacity[j, d])))
    return found
