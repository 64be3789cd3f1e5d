"""Compiled kernel of `ot`, worst-channel rule: deadline thresholds, dual bounds and class counts.

Inside a deadline threshold ``T`` only the requests with ``D_i >= T`` may run, and of each length class
the cheapest-uplink prefix is optimal, so a batch is one count per class. Three facts drive the search:

- any prices ``y >= 0`` bound *every* threshold in one scan (`ot_bounds`),
  ``UB(T; y) = y . cap(T) + sum_{D_i >= T} max(0, 1 - y . A_i)``;
- good prices for one threshold come from a dual simplex whose pivots are line searches on class prefix
  sums (`ot_price.price`);
- at a threshold, a class count that gives up more than ``UB(T; y) - z`` cannot be part of a batch of
  ``z`` requests, which leaves few counts to search (`ot_search.find_counts`).

Many requests are solved by `ot_many`, which looks at most of them in passing only.

Under the roofline latency a batch also waits for its memory, a fifth capacity: ``stream`` of each class within the
deadline less `fixed`, the part that its longest class sets. The caller fixes that class, see `ot.solve_node`.

Floats only steer: bounds are rounded up by more than their rounding error, losses are rounded down, and
what fits is decided on int64.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"

from __future__ import annotations

import numpy as np

from edgeopt.solvers.batching.ot_bounds import (
    add_profits,
    bound_thresholds,
    highest,
    resume,
    set_prices,
    set_room,
    start_bounds,
)
from edgeopt.solvers.batching.ot_lists import NO_LIMIT, fill_lists, list_requests
from edgeopt.solvers.batching.ot_price import price
from edgeopt.solvers.batching.ot_search import find_counts
from edgeopt.solvers.batching.ot_sort import extent, sort_deadlines
from edgeopt.solvers.batching.ot_state import (
    BEST_END,
    CHOSEN,
    CHUNK_WORK,
    DONE,
    FIRST_LIMIT,
    INCUMBENT,
    LARGEST,
    LAST_ROUND,
    LPS,
    NODES,
    PAUSED,
    PIVOTS,
    SORTED,
    UNFIT,
    collect,
    keep,
    narrow,
    postpone,
    set_scales,
    settle,
)
from edgeopt.solvers.jit import FLOATS, FLOATS_2D, INT, INTS, READ, SHORTS, kernel

PARTS = price, find_counts
SIGNATURE = (READ,) * 8 + (INT,) * 5 + (INTS, SHORTS, INTS, FLOATS, INTS, FLOATS_2D, INTS)
"""Types of the arguments but the last, a tuple as long as there are capacities."""

solve_prices = price.call


@kernel
def solve_classes(
    parts, kind, uplink, budget, tokens, memory, compute, stream,
    uplink_capacity, downlink_capacity, memory_capacity, fixed_stream, search_limit,
    state, kinds, ints, bound, best, prices, batch, axes,
):  # fmt: skip
    """Solve a node problem.

    `parts` are the addresses of `PARTS`. `stream` is empty where only FLOPs count, and `fixed_stream` 0.

    Returns
    -------
    int
        `DONE`; `PAUSED` (call again); `STUCK` (the threshold ``state[HARD]`` needs another method, which
        lowers its `bound`, before the next call); `UNFIT` (numbers beyond what the kernel may add up).
    """
    size, classes, rows = len(kind), len(tokens), len(axes)
    order, budgets, uplinks = ints[:size], ints[size : 2 * size], ints[2 * size : 3 * size]
    rank, cheap, start = ints[3 * size : 4 * size], ints[4 * size : 5 * size], ints[5 * size :]
    if state[SORTED] == 0:
        most, least = extent(uplink)
        latest, earliest = extent(budget)
        if most > uplink_capacity or least < 0 or latest > LARGEST or earliest < -LARGEST:
            return UNFIT
        sort_deadlines(kind, uplink, budget, classes, latest, earliest, order, kinds, uplinks, budgets)
        start_bounds(budgets, fixed_stream, 0, size, bound)
        state[SORTED] = 1

    demand, cost = np.empty((rows, classes), np.int64), np.empty((rows, classes))
    room, axis, gain = np.empty(rows, np.int64), np.empty((3, rows)), np.empty(classes)
    unit, share, y = axis[0], axis[1], axis[2]
    set_scales(
        tokens, memory, compute, stream, uplink_capacity, downlink_capacity, memory_capacity, budgets[0], fixed_stream,
        demand, room, unit, cost,
    )  # fmt: skip
    lines = np.zeros((7, classes), np.int64)
    none, low, high, beyond, offset, length, count = (
        lines[0], lines[1], lines[2], lines[3], lines[4], lines[5], lines[6]
    )  # fmt: skip
    for k in range(classes):
        high[k] = NO_LIMIT
    value, prefix = np.empty(size + 1, np.int64), np.empty(size + classes + 1, np.int64)
    list_requests(kinds, uplinks, size, low, high, rank, cheap, start)

    work = 0
    first, behind = 0, size  # the thresholds that still matter lie in between
    verdict = DONE
    while True:
        least = state[INCUMBENT] + 1.0
        first, behind = narrow(bound, least, first, behind)
        if first == behind:
            break
        top = first + highest(bound[first:behind])
        if bound[top] < least:  # what is left was postponed
            resume(bound[first:behind], state[INCUMBENT])
            state[LAST_ROUND] = 1
            continue
        if work > CHUNK_WORK:
            verdict = PAUSED
            break

        # Price the threshold, bound all by the prices, and look for a batch as large as the bound of this one.
        set_room(room, budgets[top], fixed_stream)
        fill_lists(top + 1, uplink_capacity, rank, cheap, start, none, value, prefix, offset, length, beyond)
        for r in range(rows):
            share[r] = room[r] * unit[r]
        state[PIVOTS] += solve_prices(parts[0], value, prefix, offset, length, unit[0], cost, share, y, count, axes)
        state[LPS] += 1
        fixed = set_prices(y, unit, 1, room, demand, gain)
        keep(y, len(prices), prices, state)
        total = add_profits(kinds, uplinks, gain, y[0], first, fixed)
        own = bound_thresholds(kinds, uplinks, budgets, gain, y, 1, total, fixed_stream, top, first, behind, bound)
        limit = search_limit if state[LAST_ROUND] else min(search_limit, FIRST_LIMIT)
        work += size - state[NODES]
        verdict = settle(
            parts[1], value, prefix, offset, length, none, none, beyond, gain, y, demand, room,
            int(bound[top]), own, limit, top, top + 1, True, bound, count, best, state, axes,
        )  # fmt: skip
        work += state[NODES]
        if verdict != DONE:
            break
        if bound[top] >= state[INCUMBENT] + 1.0:
            postpone(bound, top, first, behind, state)
    if state[BEST_END] > 0:
        state[CHOSEN] = collect(order, 0, kinds, uplinks, low, rank, start, state[BEST_END], best, batch)
    return verdict
