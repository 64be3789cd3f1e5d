"""Compiled kernel of `ot`, worst-channel rule: deadline thresholds, dual bounds and class counts.

Inside a deadline threshold ``T`` only the requests with ``D_i >= T`` may run, and of each length class
the cheapest-uplink prefix is optimal, so a batch is one count per class. Three facts drive the search:

- any prices ``y >= 0`` bound *every* threshold in one scan (`ot_bounds`),
  ``UB(T; y) = y . cap(T) + sum_{D_i >= T} max(0, 1 - y . A_i)``;
- good prices for one threshold come from a dual simplex whose pivots are line searches on class prefix
  sums (`ot_price.price`);
- at a threshold, a class count that gives up more than ``UB(T; y) - z`` cannot be part of a batch of
  ``z`` requests, which leaves few counts to search (`ot_search.find_counts`).

Of many requests, most are looked at only in passing: prices come from a sample (`ot_sample`), thresholds are bounded
in cells before one by one, and only the requests are listed that may make the difference (`ot_lists`).

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
    bound_cells,
    bound_thresholds,
    highest,
    resume,
    set_gain,
    set_prices,
    set_room,
    start_bounds,
)
from edgeopt.solvers.batching.ot_lists import (
    NO_LIMIT,
    fill_lists,
    list_requests,
    move_base,
    nearest,
    set_cheapest,
    set_windows,
    shrink_base,
    subtract_base,
    within,
)
from edgeopt.solvers.batching.ot_price import copy, first_at_least, price
from edgeopt.solvers.batching.ot_sample import add_taken, best_threshold, draw_sample
from edgeopt.solvers.batching.ot_search import FOUND, NO_PROOF, NONE, find_counts
from edgeopt.solvers.batching.ot_sort import CELL_BITS, bit_length, extent, part_deadlines, sort_deadlines, sort_part
from edgeopt.solvers.jit import FLOATS, FLOATS_2D, INT, INTS, READ, SHORTS, compiled, inlined, kernel

# Slots of the `state` array, which lets a paused run continue.
INCUMBENT, BEST_END, VECTORS, LPS, PIVOTS, SEARCHES, NODES, HARD, SORTED = range(9)
LAST_ROUND, POSTPONED, FIRST, BEHIND, LATEST, PACKED = range(9, 15)
# What a run ends with.
DONE, PAUSED, STUCK, UNFIT = range(4)

FIRST_LIMIT = 2_000
"""Nodes after which a threshold is postponed until the others have had their turn."""
MOST_POSTPONED = 8
"""Postponed thresholds after which the search gets serious about each."""
THIN = 16
"""Sampled requests in the best batch of a sample below which it tells too little."""
ASIDE = 12
"""Part of all requests by which thresholds are looked at to either side of the best one of the sample."""
CLOSE = 3e-4
"""Relative difference from the best of the bounds up to which thresholds are looked at one after the other."""
MOST_COARSE = 8
"""Thresholds that a sample is asked about before the first batch."""
NEAR = 16
"""Part of all requests within which the windows of thresholds are united from the start."""
FEW = 8
"""Part of all requests whose thresholds are looked at one by one; with more of them left, a thin batch prices cells."""
CORRECTIONS = 2
"""Times that the prices of a sample are put right by what all requests take at them."""
MOST_SPREAD = 16
"""How many times wider than at first the windows may become before everything is listed."""
MOST_CENTRES = 12
"""Thresholds at which a sample may tell prices and windows, and price vectors that may bound cells."""
CHUNK_WORK = 2_000_000
"""Nodes (or requests scanned) after which the kernel pauses, so that the caller can be stopped."""
LARGEST = 2**61
"""Largest capacity and budget for which sums of two stay inside int64."""
SIGNATURE = (READ,) * 7 + (INT,) * 5 + (INTS, SHORTS, INTS, FLOATS, INTS, INTS, FLOATS_2D, INTS)
"""Types of the arguments but the last two: what is compiled depends on whether there is a sample, and a tuple as long
as there are capacities."""


@inlined
def keep(y, most, prices, state):
    """Keep a price vector for the proof, `most` in all; the last slot holds the latest."""
    if state[VECTORS] < most:
        state[VECTORS] += 1
    for r in range(len(y)):
        prices[state[VECTORS] - 1, r] = y[r]


@compiled
def unite(window, low, high):
    """Widen the windows to cover others."""
    for k in range(len(low)):
        low[k] = min(low[k], window[k])
        high[k] = max(high[k], window[len(low) + k])


@inlined
def postpone(bound, at, first, behind, state):
    """Leave a threshold for later: another one may make it superfluous."""
    bound[at] = -2.0 - bound[at]
    state[POSTPONED] += 1
    if state[POSTPONED] == MOST_POSTPONED:
        resume(bound[first:behind], state[INCUMBENT])
        state[LAST_ROUND] = 1


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


@kernel
def solve_classes(
    kind, uplink, budget, tokens, memory, compute, stream,
    uplink_capacity, downlink_capacity, memory_capacity, fixed_stream, search_limit,
    state, kinds, ints, bound, best, limits, prices, batch, sampled, axes,
):  # fmt: skip
    """Solve a node problem.

    With `sampled` requests in a sample, thresholds are bounded in cells first, and only requests in the windows
    `limits` (kept for the next call) are listed; without, nothing of that is compiled. `stream` is empty where only
    FLOPs count, and `fixed_stream` 0.

    Returns
    -------
    int
        `DONE`; `PAUSED` (call again); `STUCK` (the threshold ``state[HARD]`` needs another method, which
        lowers its `bound`, before the next call); `UNFIT` (numbers beyond what the kernel may add up).
    """
    size = len(kind)
    classes = len(tokens)
    order = ints[:size]
    budgets = ints[size : 2 * size]
    uplinks = ints[2 * size : 3 * size]
    rank = ints[3 * size : 4 * size]
    cheap = ints[4 * size : 5 * size]
    start = ints[5 * size :]
    one = np.int64(1)
    stride, cells = one, 0  # no cells once they are open
    if sampled is not None:
        word = order.view(np.uint64)
        edge = np.empty((1 << CELL_BITS) + 1, np.int64)
        most_in, least_in = np.empty(1 << CELL_BITS, np.int64), np.empty(1 << CELL_BITS, np.int64)
    if state[SORTED] == 0:
        most, least = extent(uplink)
        latest, earliest = extent(budget)
        if most > uplink_capacity or least < 0 or latest > LARGEST or earliest < -LARGEST:
            return UNFIT
        if sampled is not None:
            cells = part_deadlines(
                kind, uplink, budget, classes, latest, earliest, word, kinds, uplinks, edge, most_in, least_in
            )
            stride = size // sampled
            state[LATEST], state[PACKED] = latest, bit_length(classes)
        if sampled is None:
            sort_deadlines(kind, uplink, budget, classes, latest, earliest, order, kinds, uplinks, budgets)
            start_bounds(budgets, fixed_stream, 0, size, bound)
        state[SORTED], state[FIRST], state[BEHIND] = 1, 0, size

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
        unit[r] = 1.0 / max(1.0, float(room[r]))
    latest = budgets[0] if state[PACKED] == 0 else state[LATEST]
    unit[3] = 1.0 / max(1.0, float(latest))
    if rows == 5:
        room[4] = 0
        unit[4] = 1.0 / max(1.0, float(latest - fixed_stream))
    cost = np.empty((rows, classes))
    for r in range(rows):
        for k in range(classes):
            cost[r, k] = demand[r, k] * unit[r]
    share = np.empty(rows)

    low = limits[:classes]
    high = limits[classes:]
    base = np.zeros(classes, np.int64)
    base_uplink = np.zeros(classes, np.int64)
    beyond = np.empty(classes, np.int64)
    rest = np.empty(rows, np.int64)
    value = np.empty(size + 1, np.int64)
    prefix = np.empty(size + classes + 1, np.int64)
    offset = np.empty(classes, np.int64)
    length = np.empty(classes, np.int64)
    count = np.empty(classes, np.int64)
    gain = np.empty(classes)
    y = np.empty(rows)

    # The sample: every `stride`-th request by deadline. `windows` tell where to look, near the thresholds `centres`.
    known, asked, thin = 0, 0, False
    if sampled is not None:
        few = size // stride if stride > 1 else 0
        kinds_sampled, uplinks_sampled = np.empty(few, np.int32), np.empty(few, np.int64)
        rank_sampled, cheap_sampled = np.empty(few, np.int64), np.empty(few, np.int64)
        start_sampled = np.empty(classes + 1, np.int64)
        windows, centres = np.empty((MOST_CENTRES, 2 * classes), np.int64), np.empty(MOST_CENTRES, np.int64)
        centre, spread = -1, np.int64(1)
        wanted = np.empty(3, np.int64)  # thresholds at which prices of the sample are wanted
        served, corrections = 0, CORRECTIONS
        none, low_before, correction = np.zeros(classes, np.int64), np.zeros(classes, np.int64), np.zeros(rows)
        cell_bound, before = np.empty(cells), np.empty((MOST_CENTRES, cells))
        cost_sampled = np.empty((rows, classes))
        best_dual, best_top = 0.0, 0
        polished, begun = (
            False,
            False,
        )  # whether prices at the best threshold were put right again; a threshold was searched
    if sampled is not None and stride > 1:
        for r in range(rows):
            for k in range(classes):
                cost_sampled[r, k] = stride * cost[r, k]
        budgets_sampled, bound_sampled = np.empty(few, np.int64), np.empty(few)
        draw_sample(
            kinds, uplinks, budget, order, state[PACKED], stride, kinds_sampled, uplinks_sampled, budgets_sampled
        )
        list_requests(kinds_sampled, uplinks_sampled, few, low, high, rank_sampled, cheap_sampled, start_sampled)
        top, most_sampled = best_threshold(
            kinds_sampled, uplinks_sampled, budgets_sampled, stride, rank_sampled, cheap_sampled, start_sampled,
            value, prefix, offset, length, beyond, none, uplink_capacity, room, unit, demand, cost_sampled,
            fixed_stream, share, y, gain, count, bound_sampled, axes,
        )  # fmt: skip
        top *= stride
        wanted[0], asked = top, 3
        wanted[1] = min(size - 1, top + size // ASIDE)
        wanted[2] = max(top // 2, top - size // ASIDE)
        # A batch of so few requests that the sample hardly tells one of them: the cheapest are listed at once.
        thin = most_sampled < THIN
        if thin:
            asked, known, centre = 0, 1, 0
            set_cheapest(start_sampled, cheap_sampled, spread, limits)
        for c in range(cells):
            cell_bound[c] = edge[c + 1] if most_in[c] >= fixed_stream else -1.0
        last, best_top, polished = -1, top, thin

    work = 0
    first, behind = state[FIRST], state[BEHIND]  # the thresholds that still matter lie in between
    listed, base_end = np.int64(0), np.int64(0)  # the first `listed` requests are in the lists
    verdict = DONE
    while verdict == DONE:
        least = state[INCUMBENT] + 1.0
        coarse = False
        if sampled is not None and served < asked:
            coarse, top = True, wanted[served]
        elif sampled is not None and cells > 0 and begun:
            top = highest(cell_bound)
            if cell_bound[top] < least:
                break
            a, b = 0, cells
            while cell_bound[a] < least:
                a += 1
            while cell_bound[b - 1] < least:
                b -= 1
            if thin and (edge[b] - edge[a]) * FEW > size and state[VECTORS] < MOST_CENTRES and top != last:
                last, top = top, edge[top]
            else:
                polished = False
                first, behind = edge[a], edge[b]
                sort_part(
                    first, behind, uplink, budget, state[PACKED], word, kinds, uplinks, budgets, rank, start[classes]
                )
                start_bounds(budgets, fixed_stream, first, behind, bound)
                for v in range(state[VECTORS]):
                    copy(prices[v], y)
                    set_gain(y, demand, gain)
                    bound_thresholds(
                        kinds, uplinks, budgets, gain, y, one, before[v, a], fixed_stream, first, first, behind, bound
                    )
                cells, state[FIRST], state[BEHIND] = 0, first, behind
                continue
        elif sampled is not None and cells > 0:
            if not polished:
                top = highest(cell_bound)
                wanted[0], asked, served = edge[top], 1, 0
                if top == last or known > MOST_COARSE or cell_bound[top] <= 10.0 + (1.0 + CLOSE) * best_dual:
                    wanted[0], corrections, polished = best_top, 1, True
                last = top
                continue
            top = best_top  # a batch of the threshold that looks best rules out most others
        else:
            while first < behind and -2.0 - least < bound[first] < least:
                first += 1
            while first < behind and -2.0 - least < bound[behind - 1] < least:
                behind -= 1
            if first == behind:
                break
            top = first + highest(bound[first:behind])
            if bound[top] < least:  # what is left was postponed
                resume(bound[first:behind], state[INCUMBENT])
                state[LAST_ROUND] = 1
                continue
            if work > CHUNK_WORK and listed > 0:  # the lists go with the windows
                verdict = PAUSED
                break
        if sampled is not None and cells > 0:
            cell = first_at_least(edge, 0, cells, top + 1) - 1
            top, threshold = edge[cell + 1] - 1, least_in[cell]
        else:
            threshold = budgets[top]
        set_room(room, threshold, fixed_stream)

        # Price the threshold, by the sample or by the lists.
        end = top + 1
        if not coarse and end > listed:
            listed = size
            if sampled is not None and known > 0:
                listed = max(base_end, state[BEST_END], min(behind, end + end // 4))
                if cells > 0:  # whole cells: they are sorted when opened
                    listed = edge[first_at_least(edge, 0, cells, listed)]
                if centre < 0:
                    centre = nearest(centres, known, top)
                    copy(windows[centre], limits)
                    for c in range(known):
                        if abs(centres[c] - top) < size // NEAR:
                            unite(windows[c], low, high)
            list_requests(kinds, uplinks, listed, low, high, rank, cheap, start)
            if sampled is not None:
                shrink_base(rank, cheap, start, low_before, base_end, base, base_uplink)
                copy(low, low_before)
        of_rank = rank
        of_cheap = cheap
        of_start = start
        below = base_uplink
        upto = end
        costs = cost
        load = one
        if sampled is not None and coarse:
            upto = min(few, top // stride + 1)
            of_rank = rank_sampled
            of_cheap = cheap_sampled
            of_start = start_sampled
            below = none
            costs = cost_sampled
            load = stride
        elif sampled is not None:
            move_base(kinds, uplinks, low, end, base_end, base, base_uplink)
            base_end = end
        for k in range(classes):
            beyond[k] = 1 if high[k] < NO_LIMIT else 0
        fill_lists(upto, uplink_capacity, of_rank, of_cheap, of_start, below, value, prefix, offset, length, beyond)
        missed = not subtract_base(room, demand, base, base_uplink, rest)
        for r in range(rows):
            share[r] = rest[r] * unit[r]
        if sampled is not None and coarse:
            missed = False
            for r in range(rows):
                share[r] = room[r] * unit[r] - correction[r]
        if not missed:
            state[PIVOTS] += price(value, prefix, offset, length, load * unit[0], costs, share, y, count, axes)
            state[LPS] += 1
            fixed = set_prices(y, unit, load, room, demand, gain)
        if sampled is not None and coarse:
            if corrections > 0:
                corrections -= 1
                for r in range(rows):
                    correction[r] = 0.0
                add_taken(kinds[:end], uplinks[:end], gain, y[0], 1.0, unit, cost, correction)
                kinds_taken, uplinks_taken = kinds_sampled[:upto], uplinks_sampled[:upto]
                add_taken(kinds_taken, uplinks_taken, gain, y[0], -float(stride), unit, cost, correction)
                continue
            served += 1
            set_windows(value, offset, length, count, y[0], spread, windows[known])
            centres[known] = top
            known += 1
            if polished:
                continue
        elif sampled is not None and not missed:
            missed = not within(gain, y[0], low, high, beyond)

        # Bound all thresholds by the prices, and look for a batch as large as the bound of this one.
        if not missed:
            keep(y, MOST_CENTRES if cells > 0 else len(prices), prices, state)
            work += size
            if sampled is not None and cells > 0:
                own = bound_cells(
                    kinds, uplinks, edge, most_in, least_in, gain, y, fixed, fixed_stream, cell, cell_bound,
                    before[state[VECTORS] - 1],
                )  # fmt: skip
                if own > best_dual:
                    best_dual, best_top = own, top
                target = int(min(own, float(end)))
            else:
                total = add_profits(kinds, uplinks, gain, y[0], first, fixed)
                own = bound_thresholds(
                    kinds, uplinks, budgets, gain, y, one, total, fixed_stream, top, first, behind, bound
                )
                target = int(bound[top])
            if coarse:
                continue
            limit = search_limit if state[LAST_ROUND] else min(search_limit, FIRST_LIMIT)
            while target > state[INCUMBENT]:
                found, nodes = find_counts(
                    value, prefix, offset, length, base, base_uplink, beyond, gain, y, demand, rest,
                    target, own - target, limit, count, axes,
                )  # fmt: skip
                state[SEARCHES] += 1
                state[NODES] += nodes
                work += nodes
                if found == FOUND:
                    state[INCUMBENT] = target
                    state[BEST_END] = end
                    for k in range(classes):
                        best[k] = base[k] + count[k]
                elif found == NO_PROOF:
                    missed = True
                    break
                elif found == NONE and cells == 0:  # then there is no larger batch either
                    bound[top] = target - 1.0
                elif state[LAST_ROUND]:
                    state[HARD] = top
                    verdict = STUCK
                    break
                target -= 1
        if sampled is not None and not missed:
            begun = True
        if sampled is not None and missed:
            closest = nearest(centres, known, top)
            if thin:
                spread *= 4
                thin, listed = spread <= MOST_SPREAD, 0
                set_cheapest(start_sampled, cheap_sampled, spread, limits)
                if not thin:
                    known = 0
            elif known > 0 and closest != centre:
                centre, listed = closest, 0
                unite(windows[centre], low, high)  # what was looked at before is likely to be looked at again
            elif 0 < known < MOST_CENTRES and spread <= MOST_SPREAD:
                if centres[centre] == top:
                    spread *= 4
                wanted[0], asked, served, corrections = top, 1, 0, 1
            else:
                known, listed = 0, 0
                for k in range(classes):
                    low[k], high[k] = 0, NO_LIMIT
            continue
        if cells == 0 and bound[top] >= state[INCUMBENT] + 1.0 and verdict == DONE:
            postpone(bound, top, first, behind, state)
    if state[BEST_END] > 0:
        if sampled is not None:
            move_base(kinds, uplinks, low, state[BEST_END], base_end, base, base_uplink)
        for k in range(classes):
            count[k] = best[k] - base[k]
        collect(order, state[PACKED], kinds, uplinks, low, rank, start, state[BEST_END], count, batch)
    return verdict
