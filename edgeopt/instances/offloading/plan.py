"""A solution of the offloading problem: where each task goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.base import Violation
from edgeopt.instances.offloading.instance import IntArray, OffloadingInstance
from edgeopt.instances.offloading.queues import cost

LOCAL = "local"


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Where the tasks go; the disciplines of the queues decide the rest.

    Parameters
    ----------
    place : (N,) int64
        0 for the device itself, ``j`` for the ``j``-th server.

    Raises
    ------
    InstanceError
        If it is no such array.
    """

    place: IntArray

    def __post_init__(self) -> None:
        if not isinstance(self.place, np.ndarray) or self.place.ndim != 1 or self.place.dtype != np.int64:
            raise InstanceError(f"place = {self.place!r}: must be a 1-D int64 array")

    def __len__(self) -> int:
        return len(self.place)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plan) and np.array_equal(self.place, other.place)

    __hash__ = None  # type: ignore[assignment]


def value(instance: OffloadingInstance, solution: Plan) -> int:
    """Sum of what the tasks cost, in ticks: latency, or deadline and penalty of those that are dropped."""
    if compiled_violations(instance, solution):
        return 0
    return cost(instance.compiled, solution.place.tolist()).total


def compiled_violations(instance: OffloadingInstance, solution: Plan) -> list[Violation]:
    """What a plan breaks in the compiled form."""
    allowed, place = instance.compiled.allowed(), solution.place
    if len(place) != len(allowed):
        return [Violation("one place a task", "solution", f"{len(place)} places", f"{len(allowed)} tasks")]
    strange = np.flatnonzero((place < 0) | (place >= allowed.shape[1]))
    if len(strange):
        text = f"place {place[strange[0]]}"
        return [Violation("known place", f"task {strange[0]}", text, f"{allowed.shape[1] - 1} servers")]
    barred = np.flatnonzero(~allowed[np.arange(len(place)), place])
    return [
        Violation("reachable place", f"task {task}", f"place {place[task]}", "a rate or speed of 0") for task in barred
    ]


def encode_solution(instance: OffloadingInstance, solution: Plan) -> dict[str, Any]:
    """Plain data: the name of each task's place."""
    names = (LOCAL, *instance.server_id)
    return {"places": [names[place] for place in solution.place.tolist()]}


def decode_solution(instance: OffloadingInstance, data: Any, where: str) -> Plan:
    """The plan that plain data describes.

    Raises
    ------
    InstanceError
        If it does not name a place for each task.
    """
    names = data.get("places") if isinstance(data, dict) else None
    if not isinstance(names, list) or len(names) != len(instance):
        raise InstanceError(f"{where}: solution.places must list {len(instance)} places, one a task")
    index = {name: place for place, name in enumerate((LOCAL, *instance.server_id))}
    for task, name in enumerate(names):
        if not isinstance(name, str) or name not in index:
            raise InstanceError(f"{where}: solution.places[{task}] = {name!r}: must be 'local' or a server's id")
    return Plan(np.array([index[name] for name in names], dtype=np.int64))
