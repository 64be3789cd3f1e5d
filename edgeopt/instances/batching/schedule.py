"""A solution of the batching problem: which requests run on which node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.base import Violation
from edgeopt.instances.batching.instance import BatchingInstance
from edgeopt.instances.batching.node import IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """One batch a node: ``batches[j]`` holds the indices of the requests that node ``j`` runs.

    Parameters
    ----------
    batches : tuple of (z_j,) int64

    Raises
    ------
    InstanceError
        If a batch is no such array.
    """

    batches: tuple[IntArray, ...]

    def __post_init__(self) -> None:
        for batch in self.batches:
            if not (isinstance(batch, np.ndarray) and batch.ndim == 1 and batch.dtype == np.int64):
                raise InstanceError(f"batches holds {batch!r}: must hold 1-D int64 arrays; see Schedule.of")

    @classmethod
    def of(cls, batches: Sequence[Sequence[int] | IntArray]) -> Schedule:
        """A schedule from any sequences of request indices."""
        return cls(tuple(np.asarray(batch, dtype=np.int64).reshape(-1) for batch in batches))

    @property
    def value(self) -> int:
        """Number of scheduled requests, the objective (12)."""
        return sum(len(batch) for batch in self.batches)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schedule) and [sorted(b.tolist()) for b in self.batches] == [
            sorted(b.tolist()) for b in other.batches
        ]

    __hash__ = None  # type: ignore[assignment]


def value(instance: BatchingInstance, schedule: Schedule) -> int:
    """Objective (12): the number of scheduled requests."""
    return schedule.value


def encode_solution(instance: BatchingInstance, schedule: Schedule) -> dict[str, Any]:
    """Plain data: node name to the indices of its requests."""
    return {
        "batches": {
            node.name: sorted(batch.tolist()) for node, batch in zip(instance.nodes, schedule.batches, strict=True)
        }
    }


def decode_solution(instance: BatchingInstance, data: Any, where: str) -> Schedule:
    """The schedule that plain data describes.

    Raises
    ------
    InstanceError
        If a node is unknown, or an entry is not a request of the instance.
    """
    batches = data.get("batches") if isinstance(data, dict) else None
    if not isinstance(batches, dict):
        raise InstanceError(f"{where}: solution.batches must map node names to lists of request indices")
    names = [node.name for node in instance.nodes]
    for name in batches:
        if name not in names:
            raise InstanceError(f"{where}: solution.batches.{name}: no such node; there are: {', '.join(names)}")
    for name, batch in batches.items():
        if not isinstance(batch, list):
            raise InstanceError(f"{where}: solution.batches.{name} must be a list of request indices")
        for place, request in enumerate(batch):
            whole = isinstance(request, int) and not isinstance(request, bool)
            if not whole or not 0 <= request < len(instance.requests):
                raise InstanceError(
                    f"{where}: solution.batches.{name}[{place}] = {request!r}: "
                    f"must be a request index from 0 to {len(instance.requests) - 1}"
                )
    return Schedule.of([batches.get(name, []) for name in names])


def compiled_violations(instance: BatchingInstance, schedule: Schedule) -> list[Violation]:
    """What a schedule breaks in the compiled integers; done after every solve, so it is quick."""
    nodes = instance.compiled.nodes
    if len(schedule.batches) != len(nodes):
        return [Violation("one batch a node", "schedule", f"{len(schedule.batches)} batches", f"{len(nodes)} nodes")]
    found = []
    if len(nodes) > 1 or len(schedule.batches[0]):
        chosen = np.concatenate(schedule.batches)
        distinct = len(np.unique(chosen))
        if distinct < len(chosen):
            found.append(
                Violation("a request runs at most once", "schedule", f"{len(chosen)} entries", f"{distinct} requests")
            )
    for node, batch in zip(nodes, schedule.batches, strict=True):
        if not len(batch):
            continue
        place = np.searchsorted(node.request, batch)
        known = np.zeros(len(batch), dtype=bool)
        inside = place < node.size
        known[inside] = node.request[place[inside]] == batch[inside]
        if not known.all():
            found.append(
                Violation("servable (12e)", f"node {node.name}", f"request {batch[~known][0]}", "its servable requests")
            )
        elif not node.fits(place):
            found.append(Violation("capacities (12a)-(12d)", f"node {node.name}", f"{len(batch)} requests", "the node"))
    return found
