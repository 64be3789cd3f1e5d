"""What the kernels of `ot` share: the state of a run, how it ends, its scales, and the search of one threshold."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"

from __future__ import annotations

import numpy as np

from edgeopt.solvers.batching.ot_bounds import resume
from edgeopt.solvers.batching.ot_search import FOUND, NO_PROOF, NONE, find_counts
from edgeopt.solvers.batching.ot_sort import bit_length
from edgeopt.solvers.jit import inlined

# Slots of the `state` array, which lets a paused run continue.
INCUMBENT, BEST_END, VECTORS, LPS, PIVOTS, SEARCHES, NODES, HARD, SORTED = range(9)
LAST_ROUND, POSTPONED, FIRST, BEHIND, LATEST, PACKED, CHOSEN = range(9, 16)
# What a run ends with, or the search of one threshold.
DONE, PAUSED, STUCK, UNFIT, MISSED = range(5)

FIRST_LIMIT = 2_000
"""Nodes after which a threshold is postponed until the others have had their turn."""
MOST_POSTPONED = 8
"""Postponed thresholds after which the search gets serious about each."""
CHUNK_WORK = 2_000_000
"""Nodes (or requests scanned) after which a kernel pauses, so that the caller can be stopped."""
LARGEST = 2**61
"""Largest capacity and budget for which sums of two stay inside int64."""

search = find_counts.call


@inlined
def keep(y, most, prices, state):
    """Keep a price vector for the proof, `most` in all; the last slot holds the latest."""
    if state[VECTORS] < most:
        state[VECTORS] += 1
    for r in range(len(y)):
        prices[state[VECTORS] - 1, r] = y[r]


@inlined
def narrow(bound, least, first, behind):
    """Leave out thresholds at both ends that cannot hold `least` requests and were not postponed."""
    while first < behind and -2.0 - least < bound[first] < least:
        first += 1
    while first < behind and -2.0 - least < bound[behind - 1] < least:
        behind -= 1
    return first, behind


@inlined
def postpone(bound, at, first, behind, state):
    """Leave a threshold for later: another one may make it superfluous."""
    bound[at] = -2.0 - bound[at]
    state[POSTPONED] += 1
    if state[POSTPONED] == MOST_POSTPONED:
        resume(bound[first:behind], state[INCUMBENT])
        state[LAST_ROUND] = 1


@inlined
def set_scales(
    tokens, memory, compute, stream, uplink_capacity, downlink_capacity, memory_capacity, latest, fixed_stream,
    demand, room, unit, cost,
):  # fmt: skip
    """Set demands by capacity and class, capacities, and the units in which every capacity is 1.

    These keep the linear programs well scaled. What the threshold sets is left at 0.
    """
    rows, classes = cost.shape
    for k in range(classes):
        demand[0, k], demand[1, k], demand[2, k], demand[3, k] = 0, tokens[k], memory[k], compute[k]
        if rows == 5:
            demand[4, k] = stream[k]
    room[0], room[1], room[2], room[3] = uplink_capacity, downlink_capacity, memory_capacity, 0
    for r in range(3):
        unit[r] = 1.0 / max(1.0, float(room[r]))
    unit[3] = 1.0 / max(1.0, float(latest))
    if rows == 5:
        room[4] = 0
        unit[4] = 1.0 / max(1.0, float(latest - fixed_stream))
    for r in range(rows):
        for k in range(classes):
            cost[r, k] = demand[r, k] * unit[r]


@inlined
def settle(
    search_at, value, prefix, offset, length, base, base_uplink, beyond, gain, y, demand, rest,
    target, own, limit, at, end, single, bound, count, best, state, axes,
):  # fmt: skip
    """Look for a batch of `target` requests, then for smaller ones, down to the incumbent.

    Where the threshold `at` stands for itself (`single`) and not for a cell, its bound is lowered. Return `DONE`,
    `STUCK` (in the last round, at a search beyond its limit) or `MISSED` (the windows are too narrow).
    """
    while target > state[INCUMBENT]:
        found, nodes = search(
            search_at, value, prefix, offset, length, base, base_uplink, beyond, gain, y, demand, rest,
            target, own - target, limit, count, axes,
        )  # fmt: skip
        state[SEARCHES] += 1
        state[NODES] += nodes
        if found == FOUND:
            state[INCUMBENT] = target
            state[BEST_END] = end
            for k in range(len(best)):
                best[k] = base[k] + count[k]
        elif found == NO_PROOF:
            return MISSED
        elif found == NONE and single:  # then there is no larger batch either
            bound[at] = target - 1.0
        elif state[LAST_ROUND]:
            state[HARD] = at
            return STUCK
        target -= 1
    return DONE


@inlined
def collect(order, packed, kinds, uplinks, low, rank, start, end, count, batch):
    """Write the positions of the batch, ascending: among the first `end` requests all below the windows, and `count`
    of each class in them."""
    chosen = np.zeros(len(order), np.int8)
    position = (1 << bit_length(len(order))) - 1
    for i in range(end):
        chosen[(order[i] >> packed) & position] = uplinks[i] < low[kinds[i]]
    for k in range(len(count)):
        left = count[k]
        t = start[k]
        while left > 0:
            if rank[t] < end:
                chosen[(order[rank[t]] >> packed) & position] = 1
                left -= 1
            t += 1
    size = 0
    for i in range(len(chosen)):  # no branch: which are chosen is hard to predict
        batch[size] = i
        size += chosen[i]
    return size
