"""`brute-force`: every subset of a few requests, the reference that the algorithms are tested against.

It shares no idea with them: no sorting, no prefixes, no bounds. Subsets are bit masks, their demands are
summed exactly, and over several nodes every split of every subset is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edgeopt.errors import AssumptionError
from edgeopt.instances.batching import BatchingInstance, Schedule
from edgeopt.instances.batching.node import IntArray, NodeBatch, NodeProblem
from edgeopt.result import Answer, Termination
from edgeopt.solvers.base import Control

MOST_ON_ONE_NODE = 20
"""Requests on one node: a million subsets."""
MOST_ON_MANY_NODES = 16
"""Requests that some node may serve: 3^16 pairs of a subset and a part of it, for each node."""
POLL = 1024
"""Steps between two looks at the control."""


def solve_node(node: NodeProblem, *, stop: Callable[[], bool] | None = None) -> NodeBatch:
    """Find a largest feasible batch of one node by trying them all.

    Parameters
    ----------
    node : NodeProblem
        At most `MOST_ON_ONE_NODE` requests; any downlink rule.
    stop : callable, optional
        Polled once at the start, as the enumeration takes a fraction of a second.

    Returns
    -------
    NodeBatch
        The feasible batch of largest size, and of least bit mask among those.

    Raises
    ------
    AssumptionError
        If there are more requests than that.
    """
    if node.size > MOST_ON_ONE_NODE:
        raise AssumptionError(
            f"brute-force tries every subset of at most {MOST_ON_ONE_NODE} requests of one node, "
            f"{node.name!r} has {node.size}; use ot"
        )
    if stop is not None and stop():
        return NodeBatch(np.empty(0, dtype=np.int64), node.size, False, {"subsets": 0})
    size = np.where(feasible_subsets(node), np.bitwise_count(np.arange(2**node.size)), 0)
    best = int(np.argmax(size))
    return NodeBatch(_members(best), int(size[best]), True, {"subsets": 2**node.size})


def brute_force(instance: BatchingInstance, control: Control) -> Answer:
    """Solve an instance by trying every assignment of every subset of its requests.

    ``best[j][m]``, the most requests of the set ``m`` that the nodes ``j, j+1, ...`` can serve, is the
    largest of ``|s| + best[j+1][m without s]`` over all parts ``s`` of ``m`` that are feasible on node ``j``.

    Raises
    ------
    AssumptionError
        If more than `MOST_ON_MANY_NODES` requests can be served by some node.
    """
    nodes = instance.compiled.nodes
    servable = np.unique(np.concatenate([node.request for node in nodes]))
    count = len(servable)
    if count > MOST_ON_MANY_NODES:
        raise AssumptionError(
            f"brute-force tries every split of at most {MOST_ON_MANY_NODES} requests, "
            f"the instance {instance.name} has {count} that some node may serve; use highs or cpsat"
        )
    best = np.zeros(2**count, dtype=np.int8)
    choices: list[IntArray] = []
    for node in reversed(nodes):
        feasible = np.zeros(2**count, dtype=bool)
        feasible[_subset_sums(2 ** np.searchsorted(servable, node.request))] = feasible_subsets(node)
        table = _best_parts(feasible, best, control.stop)
        if table is None:
            nothing = Schedule.of([[] for _ in nodes])
            return Answer(nothing, claimed_value=0, bound=count, termination=control.stopped_by())
        best, choice = table
        choices.append(choice)
    batches = []
    rest = 2**count - 1
    for choice in reversed(choices):
        part = int(choice[rest])
        batches.append(servable[_members(part)])
        rest ^= part
    value = int(best[-1])
    return Answer(
        Schedule(tuple(batches)),
        claimed_value=value,
        bound=value,
        termination=Termination.COMPLETE,
        effort={"splits": len(nodes) * 3**count},
    )


def feasible_subsets(node: NodeProblem) -> NDArray[np.bool_]:
    """Whether each subset of the requests, as a bit mask over positions, is a feasible batch (12a)-(12d).

    Returns
    -------
    (2**I,) bool
    """
    kind = node.length_class
    downlink = node.class_tokens[kind] if node.downlink is None else node.downlink
    work = _subset_sums(node.class_compute[kind])
    earliest = np.full(1, np.iinfo(np.int64).max)
    for budget in node.budget:
        earliest = np.concatenate([earliest, np.minimum(earliest, budget)])
    feasible: NDArray[np.bool_] = (
        (_subset_sums(node.uplink) <= node.uplink_capacity)
        & (_subset_sums(downlink) <= node.downlink_capacity)
        & (_subset_sums(node.class_memory[kind]) <= node.memory_capacity)
        & (work <= earliest)
    )
    if node.class_stream is not None and node.class_fixed is not None:
        longest = np.zeros(1, dtype=np.int64)
        for brought in node.class_fixed[kind]:
            longest = np.concatenate([longest, np.maximum(longest, brought)])
        feasible &= longest + _subset_sums(node.class_stream[kind]) <= earliest
    return feasible


def _subset_sums(demand: Sequence[int] | IntArray) -> IntArray:
    """Sum of the demands in each subset, by bit mask."""
    sums = np.zeros(1, dtype=np.int64)
    for amount in demand:
        sums = np.concatenate([sums, sums + amount])
    return sums


def _best_parts(
    feasible: NDArray[np.bool_], best: NDArray[np.int8], stop: Callable[[], bool]
) -> tuple[NDArray[np.int8], IntArray] | None:
    """For each mask the largest ``|s| + best[mask without s]`` over its feasible parts ``s``, and that part.

    All masks walk down their parts at once, ``s -> (s - 1) & mask``; None when `stop` said so.
    """
    bits = np.bitwise_count(np.arange(len(best))).astype(np.int8)
    masks = np.argsort(bits, kind="stable")
    starts = np.searchsorted(2 ** bits[masks].astype(np.int64), np.arange(len(best)), side="right")
    part = masks.copy()
    value = best.copy()
    choice = np.zeros(len(best), dtype=np.int64)
    for step, start in enumerate(starts.tolist()):
        if step % POLL == 0 and stop():
            return None
        mask, sub = masks[start:], part[start:]
        served = np.where(feasible[sub], bits[sub] + best[mask ^ sub], np.int8(-1))
        better = served > value[mask]
        value[mask[better]] = served[better]
        choice[mask[better]] = sub[better]
        part[start:] = (sub - 1) & mask
    return value, choice


def _members(mask: int) -> IntArray:
    """Positions of the bits of a mask."""
    return np.array([i for i in range(mask.bit_length()) if mask >> i & 1], dtype=np.int64)
