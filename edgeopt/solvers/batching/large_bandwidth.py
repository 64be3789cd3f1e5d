"""`large-bandwidth`: Algorithm 1 of the OT-GAH paper, one node whose band never binds.

For ``z = I, I-1, ..., 1`` and ``d = z, ..., I`` (requests sorted by falling deadline budget) the batch tried
is the ``d``-th request and the ``z - 1`` shortest outputs among the first ``d - 1``; the first one that meets
memory (14b) and deadline (14c) is returned.

Between ``d`` and ``d + 1`` one card of the hand changes (Fig. 6): the new one comes in and the longest goes
out. Only lengths matter for feasibility, so the hand is kept as counts per length class, and a step costs
a constant instead of a sort: O(I^2) in all, with the batches and the order of Algorithm 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgeopt.errors import AssumptionError
from edgeopt.instances.batching.node import IntArray, NodeBatch, NodeProblem


def solve_node(node: NodeProblem, *, stop: Callable[[], bool] | None = None) -> NodeBatch:
    """Find a largest feasible batch of one node by Algorithm 1 (Proposition 2).

    Parameters
    ----------
    node : NodeProblem
        Requests and capacities of the node; all requests together must fit into both bands.
    stop : callable, optional
        Polled before each batch size ``z``; when it returns true the batch comes back empty, with the bound
        ``z`` (all larger sizes are refuted) and ``complete=False``.

    Returns
    -------
    NodeBatch
        With the number of pairs ``(z, d)`` tried as ``effort["feasibility_problems"]``.

    Raises
    ------
    AssumptionError
        If all requests together need more than the uplink or downlink band, so that it could bind.
    """
    if node.class_stream is not None:
        raise AssumptionError(
            f"node {node.name!r}: large-bandwidth knows the paper's latency only, not the roofline; use ot"
        )
    _refuse_narrow_bands(node)
    position = np.argsort(-node.budget, kind="stable").astype(np.int64)
    tried = 0
    for z in range(node.size, 0, -1):
        if stop is not None and stop():
            return NodeBatch(np.empty(0, dtype=np.int64), z, False, {"feasibility_problems": tried})
        d = _first_feasible(node, position, z)
        tried += (node.size if d is None else d) - z + 1
        if d is not None:
            batch = _cards(node, position, z, d)
            return NodeBatch(batch, z, True, {"feasibility_problems": tried})
    return NodeBatch(np.empty(0, dtype=np.int64), 0, True, {"feasibility_problems": tried})


def _refuse_narrow_bands(node: NodeProblem) -> None:
    """The large-bandwidth condition of section IV-B, for both directions."""
    per_user = node.downlink is not None
    downlink = node.downlink if node.downlink is not None else node.class_tokens[node.length_class]
    bands = (
        ("uplink", "1e-9 of the band", node.uplink, node.uplink_capacity),
        ("downlink", "1e-9 of the band" if per_user else "tokens", downlink, node.downlink_capacity),
    )
    for name, unit, demand, capacity in bands:
        needed = sum(demand.tolist())
        if needed > capacity:
            raise AssumptionError(
                f"node {node.name!r}: large-bandwidth assumes that the {name} never binds, but its {node.size} "
                f"requests need {needed} of {capacity} ({unit}); use ot, which is exact when bands bind"
            )


def _first_feasible(node: NodeProblem, position: IntArray, z: int) -> int | None:
    """The least ``d`` at which the hand of `z` cards meets (14b) and (14c), or None."""
    kinds = node.length_class[position].tolist()
    budgets = node.budget[position].tolist()
    memory, compute = node.class_memory.tolist(), node.class_compute.tolist()
    hand = [0] * len(memory)
    for k in kinds[: z - 1]:
        hand[k] += 1
    cached = sum(memory[k] for k in kinds[: z - 1])
    work = sum(compute[k] for k in kinds[: z - 1])
    longest = len(hand) - 1
    for d in range(z, node.size + 1):
        k = kinds[d - 1]
        if cached + memory[k] <= node.memory_capacity and work + compute[k] <= budgets[d - 1]:
            return d
        # the d-th joins the pool of the first d, whose z-1 shortest are the next hand
        hand[k] += 1
        longest = max(longest, k)
        while not hand[longest]:
            longest -= 1
        hand[longest] -= 1
        cached += memory[k] - memory[longest]
        work += compute[k] - compute[longest]
    return None


def _cards(node: NodeProblem, position: IntArray, z: int, d: int) -> IntArray:
    """The `z - 1` shortest outputs among the first ``d - 1`` (ties by deadline), and the `d`-th (lines 5-7)."""
    before = position[: d - 1]
    shortest = np.argsort(node.length_class[before], kind="stable")[: z - 1]
    return np.sort(np.append(before[shortest], position[d - 1]))
