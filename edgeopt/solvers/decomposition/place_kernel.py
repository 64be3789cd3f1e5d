"""Every way to place a mode, in compiled code: its correctness, its least end, and its least price.

`enumerate_places` lists the placements of the modes that have few enough; that does not depend on prices. The least end
knows that steps on one node are one after the other. `priced_place` then adds what a placement pays at least: each
step and transfer begins where it is cheapest between its earliest start and the latest that the end allows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeopt.instances.decomposition.compiled import UNREACHABLE
from edgeopt.solvers.decomposition.list_kernel import _transfer_ticks
from edgeopt.solvers.jit import compiled, kernel

FAR = 1 << 60


@compiled
def _laid(a: Any, task: Any, mode: Any, code: Any, node: Any, side: Any, ticks: Any, head: Any, tail: Any) -> Any:
    """Nodes, execution times, heads and tails of a placement; its least end by paths, `FAR` where a link is missing.

    Entries of steps come first, then those of edges; of an edge that is no transfer the ticks are -1.
    """
    first, last = a.step_start[mode], a.step_start[mode + 1]
    first_edge, last_edge = a.edge_start[mode], a.edge_start[mode + 1]
    steps, device, release = last - first, a.device[task], a.release[task]
    for step in range(first, last):
        count = a.option_start[step + 1] - a.option_start[step]
        node[step - first] = a.option_start[step] + code % count
        code //= count
    for place in range(first, last):
        step = a.order[place]
        k = step - first
        at, ready, side[k] = a.option_node[node[k]], release, 0
        for edge in range(a.step_edge[step], a.step_edge[step + 1]):
            if a.edge_to[edge] != step:
                continue
            before, e = a.edge_from[edge], steps + edge - first_edge
            source = device if before < 0 else a.option_node[node[before - first]]
            have = release if before < 0 else head[before - first] + ticks[before - first]
            if a.channel[source, at] == UNREACHABLE:
                return FAR
            head[e], ticks[e] = have, -1
            if source != at:
                ticks[e] = _transfer_ticks(a, edge, source, at)
                have += ticks[e]
            if edge == a.context[step] and source == at:
                side[k] = 1
            ready = max(ready, have)
        head[k], ticks[k] = ready, a.option_ticks[node[k], side[k]]
    end = release
    for place in range(last - 1, first - 1, -1):
        step = a.order[place]
        k = step - first
        tail[k] = 0
        for edge in range(first_edge, last_edge):
            if a.edge_from[edge] != step:
                continue
            e, target = steps + edge - first_edge, a.edge_to[edge]
            if target < 0:
                at = a.option_node[node[k]]
                if a.channel[at, device] == UNREACHABLE:
                    return FAR
                head[e], tail[e], ticks[e] = head[k] + ticks[k], 0, -1
                if at != device:
                    ticks[e] = _transfer_ticks(a, edge, at, device)
            else:
                tail[e] = ticks[target - first] + tail[target - first]
            tail[k] = max(tail[k], max(0, ticks[e]) + tail[e])
        end = max(end, head[k] + ticks[k] + tail[k])
    for edge in range(first_edge, last_edge):
        if a.edge_from[edge] < 0:
            e, target = steps + edge - first_edge, a.edge_to[edge] - first
            tail[e] = ticks[target] + tail[target]
    return end


@compiled
def _one_after_the_other(a: Any, mode: Any, node: Any, ticks: Any, head: Any, tail: Any, end: Any) -> Any:
    """The least end where what is on one node shares its slots: for steps with late heads and long tails, their sum."""
    steps = a.step_start[mode + 1] - a.step_start[mode]
    for one in range(steps):
        at = a.option_node[node[one]]
        for other in range(steps):
            if a.option_node[node[other]] != at:
                continue
            total = 0
            for k in range(steps):
                if a.option_node[node[k]] == at and head[k] >= head[one] and tail[k] >= tail[other]:
                    total += ticks[k]
            if total > 0:
                slots = a.slots[at]
                end = max(end, head[one] + (total + slots - 1) // slots + tail[other])
    return end


@compiled
def _right(a: Any, mode: Any, node: Any, side: Any, product: Any) -> Any:
    first = a.step_start[mode]
    right, total, weight = 1000000, 0, 0
    for step in range(first, a.step_start[mode + 1]):
        own = a.option_right[node[step - first], side[step - first]]
        right = right * own // 1000000
        total += a.weight[step] * own
        weight += a.weight[step]
    return right if product else total // weight


@kernel
def enumerate_places(a: Any, product: Any, task_of: Any, start: Any, right: Any, end: Any, code: Any) -> None:
    """List the placements of each mode.

    Parameters
    ----------
    a : Arrays
    product : bool
    task_of : (M,) int64
    start : (M + 1,) int64
        Where the placements of each mode are put; none for a mode that has too many.
    right, end, code : (P,) int64
        Filled: correctness, least end (`FAR` where a link is missing), and the options, as one number.
    """
    most = 1
    for mode in range(len(task_of)):
        size = a.step_start[mode + 1] - a.step_start[mode] + a.edge_start[mode + 1] - a.edge_start[mode]
        most = max(most, size)
    node, side = np.zeros(most, dtype=np.int64), np.zeros(most, dtype=np.int64)
    ticks, head, tail = (
        np.zeros(most, dtype=np.int64),
        np.zeros(most, dtype=np.int64),
        np.zeros(most, dtype=np.int64),
    )
    for mode in range(len(task_of)):
        for place in range(start[mode], start[mode + 1]):
            number = place - start[mode]
            least = _laid(a, task_of[mode], mode, number, node, side, ticks, head, tail)
            code[place] = number
            if least == FAR:
                end[place], right[place] = FAR, 0
                continue
            end[place] = _one_after_the_other(a, mode, node, ticks, head, tail, least)
            right[place] = _right(a, mode, node, side, product)
