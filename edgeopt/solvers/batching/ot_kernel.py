"""Compiled kernel of `ot`, worst-channel rule: deadline thresholds, dual bounds and class counts.

Inside a deadline threshold ``T`` only the requests with ``D_i >= T`` may run, and of each length class
the cheapest-uplink prefix is optimal, so a batch is one count per class. Three facts drive the search:

- any prices ``y >= 0`` bound *every* threshold in one scan (`bound_thresholds`),
  ``UB(T; y) = y . cap(T) + sum_{D_i >= T} max(0, 1 - y . A_i)``;
- good prices for one threshold come from a dual simplex whose pivots are line searches on class prefix
  sums (`ot_price.price`);
- at a threshold, a class count that gives up more than ``UB(T; y) - z`` cannot be part of a batch of
  ``z`` requests, which leaves few counts to search (`ot_search.find_counts`).

Under the roofline latency a batch also waits for its memory, a fifth capacity: ``stream`` of each class within the
deadline less `fixed`, the part that its longest class sets. The caller fixes that class, see `ot.solve_node`.

Floats only steer: bounds are rounded up by more than their rounding error, losses are rounded down, and
what fits is decided on int64.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np

from edgeopt.solvers.batching.ot_price import copy, price
from edgeopt.solvers.batching.ot_search import FOUND, NONE, find_counts
from edgeopt.solvers.batching.ot_sort import WORD_BITS, bit_length, sort_by
from edgeopt.solvers.jit import FLOAT, FLOATS, FLOATS_2D, INT, INTS, READ, compiled, inlined, kernel

# Slots of the `state` array, which lets a paused run continue.
INCUMBENT, BEST_END, VECTORS, LPS, PIVOTS, SEARCHES, NODES, HARD, SORTED, LAST_ROUND, POSTPONED = range(11)
# What a run ends with.
DONE, PAUSED, STUCK, UNFIT = range(4)

FIRST_LIMIT = 2_000
"""Nodes after which a threshold is postponed until the others have had their turn."""
MOST_POSTPONED = 8
"""Postponed thresholds after which the search gets serious about each."""
CHUNK_WORK = 2_000_000
"""Nodes (or requests scanned) after which the kernel pauses, so that the caller can be stopped."""
LARGEST = 2**61
"""Largest capacity and budget for which sums of two stay inside int64."""
SIGNATURE = (READ,) * 7 + (INT,) * 4 + (FLOAT, INT) + (INTS, INTS, FLOATS, INTS, FLOATS_2D, INTS)
"""Types of the arguments but the last, a tuple as long as there are capacities."""


@inlined
def sort_deadlines(budget, order, budgets):
    """Sort requests by falling deadline budget; ties keep their order."""
    latest, earliest = budget[0], budget[0]
    for i in range(len(budget)):
        latest = max(latest, budget[i])
        earliest = min(earliest, budget[i])
    for i in range(len(budget)):
        budgets[i] = latest - budget[i]
        order[i] = i
    sort_by(budgets, order, latest - earliest)
    for i in range(len(budget)):
        budgets[i] = budget[order[i]]


@inlined
def sort_requests(kind, uplink, budget, classes, order, kinds, uplinks, budgets, rank, cheap, start):
    """Sort by falling deadline (into `order`, `kinds`, `uplinks`, `budgets`) and by class and uplink.

    `rank` and `cheap` list deadline rank and uplink class by class, class ``k`` from ``start[k]`` on.
    """
    size = len(kind)
    sort_deadlines(budget, order, budgets)
    largest = 0
    for k in range(classes + 1):
        start[k] = 0
    for i in range(size):
        kinds[i] = kind[order[i]]
        uplinks[i] = uplink[order[i]]
        rank[i] = i
        largest = max(largest, uplinks[i])
        start[kinds[i] + 1] += 1
    for k in range(classes):
        start[k + 1] += start[k]
    bits = bit_length(largest)
    # Class and uplink make one key if they fit in a word, and two stable sorts, uplink first, otherwise.
    stages = 1 if bits + bit_length(classes) <= WORD_BITS else 2
    for stage in range(stages):
        for i in range(size):
            if stages == 1:
                cheap[i] = (kinds[i] << bits) | uplinks[i]
            else:
                cheap[i] = kinds[i] if stage == 1 else uplinks[i]
        sort_by(cheap, rank, (classes << bits) - 1 if stages == 1 else max(largest, classes))
    for i in range(size):
        cheap[i] = uplinks[rank[i]]


@inlined
def fill_lists(end, capacity, rank, cheap, start, value, prefix, offset, length):
    """List the first `end` requests class by class, cheapest uplink first, with prefix sums.

    A list stops after the first request that takes its sum over the capacity: no batch reaches it, but
    the linear program may take a fraction of it. ``prefix[offset[k] + k + v]`` is the uplink of the
    cheapest ``v`` of class ``k``, and cannot overflow.
    """
    at = 0
    for k in range(len(length)):
        offset[k] = at
        for t in range(start[k], start[k + 1]):
            value[at] = cheap[t]
            at += rank[t] < end
        base = offset[k] + k
        total = 0
        prefix[base] = 0
        count = 0
        while count < at - offset[k] and total <= capacity:
            total += value[offset[k] + count]
            count += 1
            prefix[base + count] = total
        length[k] = count


@compiled
def bound_thresholds(kinds, uplinks, budgets, gain, per_uplink, per_budget, fixed, less, at, bound):
    """Lower `bound` at every threshold by ``UB(T; y)``, in one scan; return the bound that `y` gives at `at`.

    `fixed` is ``y . cap`` without what depends on the threshold ``T``, which is ``per_budget T - less``. The bound
    of a threshold stands at its last request (ties share it; the others are smaller sets under the same deadline)
    and is raised by more than the rounding error of the scan: at most ``size + 50`` operations, each within 2**-53
    of partial sums that only grow, and of `less`.
    """
    size = len(kinds)
    raise_by = 4.5e-16 * (size + 50.0)
    margin = 10.0 + 2.0 * less
    total = fixed
    own = 0.0
    for i in range(size):
        profit = gain[kinds[i]] - per_uplink * uplinks[i]
        if profit > 0.0:
            total += profit
        upper = total + per_budget * budgets[i] - less
        upper += raise_by * (upper + margin)
        if i == at:
            own = upper
        if upper < bound[i]:
            bound[i] = upper
    return own


@inlined
def start_bounds(budgets, least, bound):
    """Bound each threshold by its number of requests; close the positions that are none, and those below `least`."""
    size = len(budgets)
    for i in range(size):
        tied = i + 1 < size and budgets[i + 1] == budgets[i]
        bound[i] = -1.0 if tied or budgets[i] < least else i + 1.0


@compiled
def resume(bound, incumbent):
    """Take up the postponed thresholds again; whether one of them still matters."""
    matters = False
    for i in range(len(bound)):
        if bound[i] < -2.0:
            bound[i] = -2.0 - bound[i]
            matters = matters or bound[i] >= incumbent + 1.0
    return matters


@inlined
def postpone(bound, at, state):
    """Leave a threshold for later: another one may make it superfluous."""
    bound[at] = -2.0 - bound[at]
    state[POSTPONED] += 1
    if state[POSTPONED] == MOST_POSTPONED:
        resume(bound, state[INCUMBENT])
        state[LAST_ROUND] = 1


@inlined
def collect(order, rank, start, end, count, batch):
    """Write the positions of the batch given by class counts among the first `end` requests, ascending."""
    chosen = np.empty(len(order), np.int64)
    for i in range(len(order)):
        chosen[i] = 0
    for k in range(len(count)):
        left = count[k]
        t = start[k]
        while left > 0:
            takes = 1 if rank[t] < end else 0
            chosen[order[rank[t]]] = takes
            left -= takes
            t += 1
    size = 0
    for i in range(len(order)):  # no branch: which are chosen is hard to predict
        batch[size] = i
        size += chosen[i]
    return size


@kernel
def solve_classes(
    kind, uplink, budget, tokens, memory, compute, stream,
    uplink_capacity, downlink_capacity, memory_capacity, fixed_stream, weight, search_limit,
    state, ints, bound, best, prices, batch, axes,
):  # fmt: skip
    """Solve a node problem exactly, or only the linear programs of a sample.

    The ``state[VECTORS]`` price vectors that `prices` holds at the first call bound the thresholds from
    the start. With ``weight > 0`` the requests are a sample, each standing for `weight` others: only
    prices are computed. `stream` is empty where only FLOPs count, and `fixed_stream` 0.

    Returns
    -------
    int
        `DONE`; `PAUSED` (call again); `STUCK` (the threshold ``state[HARD]`` needs another method, which
        lowers its `bound`, before the next call); `UNFIT` (numbers beyond what the kernel may add up).
    """
    size = len(kind)
    classes = len(tokens)
    order, kinds, uplinks = ints[:size], ints[size : 2 * size], ints[2 * size : 3 * size]
    budgets, rank, cheap = ints[3 * size : 4 * size], ints[4 * size : 5 * size], ints[5 * size : 6 * size]
    start = ints[6 * size : 6 * size + classes + 1]
    if state[SORTED] == 0:
        for i in range(size):
            if uplink[i] > uplink_capacity or uplink[i] < 0 or budget[i] > LARGEST or budget[i] < -LARGEST:
                return UNFIT
        sort_requests(kind, uplink, budget, classes, order, kinds, uplinks, budgets, rank, cheap, start)
        start_bounds(budgets, fixed_stream, bound)

    exact = weight <= 0.0
    load = 1.0 if exact else weight
    rows = len(axes)
    demand = np.empty((rows, classes), np.int64)
    for k in range(classes):
        demand[0, k], demand[1, k], demand[2, k], demand[3, k] = 0, tokens[k], memory[k], compute[k]
        if rows == 5:
            demand[4, k] = stream[k]
    room = np.empty(rows, np.int64)
    room[0], room[1], room[2], room[3] = uplink_capacity, downlink_capacity, memory_capacity, 0
    # Normalised costs keep the linear programs well scaled: every capacity is 1.
    unit = np.empty(rows)
    for r in range(3):
        unit[r] = load / max(1.0, float(room[r]))
    unit[3] = load / max(1.0, float(budgets[0]))
    if rows == 5:
        room[4] = 0
        unit[4] = load / max(1.0, float(budgets[0] - fixed_stream))
    cost = np.empty((rows, classes))
    share = np.empty(rows)
    for r in range(rows):
        share[r] = room[r] * unit[r] / load
        for k in range(classes):
            cost[r, k] = demand[r, k] * unit[r]

    value = np.empty(size + 1, np.int64)
    prefix = np.empty(size + classes + 1, np.int64)
    offset = np.empty(classes, np.int64)
    length = np.empty(classes, np.int64)
    count = np.empty(classes, np.int64)
    gain = np.empty(classes)
    y = np.empty(rows)
    if state[SORTED] == 0:
        state[SORTED] = 1
        for v in range(state[VECTORS]):  # prices to start from
            fixed = 0.0
            for r in range(rows):
                y[r] = prices[v, r]
                fixed += y[r] * room[r]
            for k in range(classes):
                taken = 0.0
                for r in range(1, rows):
                    taken += y[r] * demand[r, k]
                gain[k] = 1.0 - taken
            per_stream = y[4] if rows == 5 else 0.0
            less = per_stream * fixed_stream
            bound_thresholds(kinds, uplinks, budgets, gain, y[0], y[3] + per_stream, fixed, less, 0, bound)
    work = 0
    best_dual = 0.0
    last = -1
    verdict = DONE
    while verdict == DONE:
        top = 0
        for i in range(size):
            if bound[i] > bound[top]:
                top = i
        if exact:
            if bound[top] < state[INCUMBENT] + 1.0:
                if resume(bound, state[INCUMBENT]):
                    state[LAST_ROUND] = 1
                    continue
                break
            if work > CHUNK_WORK:
                verdict = PAUSED
                break
        elif top == last or bound[top] <= best_dual + 0.02 + 1e-3 * best_dual:
            break
        last = top
        end = top + 1
        fill_lists(end, uplink_capacity, rank, cheap, start, value, prefix, offset, length)
        share[3] = budgets[top] * unit[3] / load
        if rows == 5:
            share[4] = (budgets[top] - fixed_stream) * unit[4] / load
        state[PIVOTS] += price(value, prefix, offset, length, unit[0], cost, share, y, count, axes)
        state[LPS] += 1
        work += 4 * size
        for r in range(rows):
            y[r] = y[r] * unit[r] if y[r] > 1e-10 else 0.0  # from here on: prices per integer unit
        if state[VECTORS] < len(prices):
            state[VECTORS] += 1
        for r in range(rows):
            prices[state[VECTORS] - 1, r] = y[r]
        fixed = 0.0
        for r in range(3):
            fixed += y[r] * room[r]
        for k in range(classes):
            taken = 0.0
            for r in range(1, rows):
                taken += y[r] * demand[r, k]
            gain[k] = 1.0 - taken
        per_stream = y[4] / load if rows == 5 else 0.0
        less = per_stream * fixed_stream
        per_budget = y[3] / load + per_stream
        own = bound_thresholds(kinds, uplinks, budgets, gain, y[0], per_budget, fixed / load, less, top, bound)
        if not exact:
            best_dual = max(best_dual, own)
            continue
        room[3] = budgets[top]
        if rows == 5:
            room[4] = budgets[top] - fixed_stream
        limit = search_limit if state[LAST_ROUND] else min(search_limit, FIRST_LIMIT)
        target = int(bound[top])
        while target > state[INCUMBENT]:
            found, nodes = find_counts(
                value, prefix, offset, length, gain, y, demand, room, target, own - target, limit, count, axes
            )
            state[SEARCHES] += 1
            state[NODES] += nodes
            work += nodes
            if found == FOUND:
                state[INCUMBENT] = target
                state[BEST_END] = end
                copy(count, best)
            elif found == NONE:  # then there is no larger batch either
                bound[top] = target - 1.0
            elif state[LAST_ROUND]:
                state[HARD] = top
                verdict = STUCK
                break
            target -= 1
        if bound[top] >= state[INCUMBENT] + 1.0 and verdict == DONE:
            postpone(bound, top, state)
    if exact and state[BEST_END] > 0:
        collect(order, rank, start, state[BEST_END], best, batch)
    return verdict
