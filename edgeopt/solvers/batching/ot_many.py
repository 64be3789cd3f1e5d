"""Compiled kernel of `ot` for many requests, worst-channel rule: most of them are looked at only in passing.

The method is that of `ot_kernel`. But prices come from a sample (`ot_sample`), thresholds are bounded in cells before
one by one (`ot_cells`), and only the requests are listed that may make the difference (`ot_lists`).
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
)
from edgeopt.solvers.batching.ot_cells import CELL_BITS, bound_cells, open_cells
from edgeopt.solvers.batching.ot_lists import (
    NO_LIMIT,
    fill_lists,
    list_requests,
    move_base,
    nearest,
    set_cheapest,
    shrink_base,
    subtract_base,
    unite,
    within,
)
from edgeopt.solvers.batching.ot_price import copy, first_at_least, price
from edgeopt.solvers.batching.ot_sample import price_sample, take_sample
from edgeopt.solvers.batching.ot_search import find_counts
from edgeopt.solvers.batching.ot_sort import bit_length, extent
from edgeopt.solvers.batching.ot_state import (
    BEHIND,
    BEST_END,
    CHOSEN,
    CHUNK_WORK,
    DONE,
    FIRST,
    FIRST_LIMIT,
    INCUMBENT,
    LARGEST,
    LAST_ROUND,
    LATEST,
    LPS,
    MISSED,
    NODES,
    PACKED,
    PAUSED,
    PIVOTS,
    SORTED,
    UNFIT,
    VECTORS,
    collect,
    keep,
    narrow,
    postpone,
    set_scales,
    settle,
)
from edgeopt.solvers.jit import FLOATS, FLOATS_2D, INT, INTS, READ, SHORTS, kernel

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
PARTS = price, take_sample, find_counts, price_sample, open_cells
SIGNATURE = (READ,) * 8 + (INT,) * 6 + (INTS, SHORTS, INTS, FLOATS, INTS, INTS, FLOATS_2D, INTS)
"""Types of the arguments but the last, a tuple as long as there are capacities."""

solve_prices, start_sample, ask_sample, open_up = price.call, take_sample.call, price_sample.call, open_cells.call


@kernel
def solve_many(
    parts, kind, uplink, budget, tokens, memory, compute, stream,
    uplink_capacity, downlink_capacity, memory_capacity, fixed_stream, search_limit, sampled,
    state, kinds, ints, bound, best, limits, prices, batch, axes,
):  # fmt: skip
    """Solve a node problem like `ot_kernel.solve_classes`, with about `sampled` requests in the sample.

    Only requests in the windows `limits` (kept for the next call) are listed.
    """
    size, classes, rows = len(kind), len(tokens), len(axes)
    order, budgets, uplinks = ints[:size], ints[size : 2 * size], ints[2 * size : 3 * size]
    rank, cheap, start = ints[3 * size : 4 * size], ints[4 * size : 5 * size], ints[5 * size :]
    word = order.view(np.uint64)
    edge = np.empty((1 << CELL_BITS) + 1, np.int64)
    most_in, least_in = np.empty(1 << CELL_BITS, np.int64), np.empty(1 << CELL_BITS, np.int64)
    fresh = state[SORTED] == 0
    if fresh:
        most, least = extent(uplink)
        latest, earliest = extent(budget)
        if most > uplink_capacity or least < 0 or latest > LARGEST or earliest < -LARGEST:
            return UNFIT
        state[LATEST], state[PACKED] = latest, bit_length(classes)
        state[SORTED], state[FIRST], state[BEHIND] = 1, 0, size

    demand, cost = np.empty((rows, classes), np.int64), np.empty((rows, classes))
    room, unit, share, y = np.empty(rows, np.int64), np.empty(rows), np.empty(rows), np.empty(rows)
    set_scales(
        tokens, memory, compute, stream, uplink_capacity, downlink_capacity, memory_capacity, state[LATEST],
        fixed_stream, demand, room, unit, cost,
    )  # fmt: skip
    low, high = limits[:classes], limits[classes:]
    none, low_before, beyond = np.zeros(classes, np.int64), np.zeros(classes, np.int64), np.empty(classes, np.int64)
    base, base_uplink, rest = np.zeros(classes, np.int64), np.zeros(classes, np.int64), np.empty(rows, np.int64)
    value, prefix = np.empty(size + 1, np.int64), np.empty(size + classes + 1, np.int64)
    offset, length = np.empty(classes, np.int64), np.empty(classes, np.int64)
    count, gain = np.empty(classes, np.int64), np.empty(classes)

    # The sample: every `stride`-th request by deadline. `windows` tell where to look, near the thresholds `centres`.
    stride = size // sampled
    few = size // stride if fresh else 0
    kinds_sampled, uplinks_sampled = np.empty(few, np.int32), np.empty(few, np.int64)
    rank_sampled, cheap_sampled = np.empty(few, np.int64), np.empty(few, np.int64)
    start_sampled, cost_sampled = np.empty(classes + 1, np.int64), np.empty((rows, classes))
    correction, corrections = np.zeros(rows), CORRECTIONS
    windows, centres = np.empty((MOST_CENTRES, 2 * classes), np.int64), np.empty(MOST_CENTRES, np.int64)
    known, centre, spread = 0, -1, 1
    wanted = np.empty(3, np.int64)  # thresholds at which prices of the sample are wanted
    asked, served = 0, 0
    cells, thin = 0, False  # no cells once they are open
    best_dual, best_top, last = 0.0, 0, -1
    polished, begun = False, False  # prices at the best threshold were put right again; a threshold was searched
    if fresh:
        for r in range(rows):
            for k in range(classes):
                cost_sampled[r, k] = stride * cost[r, k]
        cells, top, is_thin = start_sample(
            parts[1], parts[0], kind, uplink, budget, latest, earliest, stride, uplink_capacity, fixed_stream,
            room, unit, demand, cost_sampled, word, kinds, uplinks, edge, most_in, least_in,
            kinds_sampled, uplinks_sampled, rank_sampled, cheap_sampled, start_sampled, none, axes,
        )  # fmt: skip
        wanted[0], asked = top, 3
        wanted[1] = min(size - 1, top + size // ASIDE)
        wanted[2] = max(top // 2, top - size // ASIDE)
        # A batch of so few requests that the sample hardly tells one of them: the cheapest are listed at once.
        thin = is_thin > 0
        if thin:
            asked, known, centre = 0, 1, 0
            set_cheapest(start_sampled, cheap_sampled, spread, limits)
        best_top, polished = top, thin
    cell_bound, before = np.empty(cells), np.empty((MOST_CENTRES, cells))
    for c in range(cells):
        cell_bound[c] = edge[c + 1] if most_in[c] >= fixed_stream else -1.0

    work = 0
    first, behind = state[FIRST], state[BEHIND]  # the thresholds that still matter lie in between
    listed, base_end = 0, 0  # the first `listed` requests are in the lists
    verdict = DONE
    while verdict == DONE:
        # Pick a threshold: one that the sample is to tell about, one of the cells, or one of those opened.
        least = state[INCUMBENT] + 1.0
        coarse = served < asked
        if coarse:
            top = wanted[served]
        elif cells > 0 and begun:
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
                open_up(
                    parts[4], first, behind, uplink, budget, state[PACKED], fixed_stream, word, kinds, uplinks, budgets,
                    rank, start[classes], demand, prices, before, state[VECTORS], a, bound, axes,
                )  # fmt: skip
                cells, state[FIRST], state[BEHIND] = 0, first, behind
                continue
        elif cells > 0:
            if not polished:
                top = highest(cell_bound)
                wanted[0], asked, served = edge[top], 1, 0
                if top == last or known > MOST_COARSE or cell_bound[top] <= 10.0 + (1.0 + CLOSE) * best_dual:
                    wanted[0], corrections, polished = best_top, 1, True
                last = top
                continue
            top = best_top  # a batch of the threshold that looks best rules out most others
        else:
            first, behind = narrow(bound, least, first, behind)
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
        cell = 0
        if cells > 0:
            cell = first_at_least(edge, 0, cells, top + 1) - 1
            top, threshold = edge[cell + 1] - 1, least_in[cell]
        else:
            threshold = budgets[top]
        set_room(room, threshold, fixed_stream)
        end = top + 1

        # Price it, by the sample or by the lists.
        missed = False
        fixed = 0.0
        if coarse:
            fixed = ask_sample(
                parts[3], parts[0], kinds_sampled, uplinks_sampled, rank_sampled, cheap_sampled, start_sampled, stride,
                min(few, top // stride + 1), kinds, uplinks, end, corrections, correction, uplink_capacity,
                room, unit, demand, cost, cost_sampled, none, spread, y, gain, windows[known], state, axes,
            )  # fmt: skip
            corrections = 0
            served += 1
            centres[known] = top
            known += 1
            if polished:
                continue
        else:
            if end > listed:
                listed = size
                if known > 0:
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
                shrink_base(rank, cheap, start, low_before, base_end, base, base_uplink)
                copy(low, low_before)
            move_base(kinds, uplinks, low, end, base_end, base, base_uplink)
            base_end = end
            for k in range(classes):
                beyond[k] = 1 if high[k] < NO_LIMIT else 0
            fill_lists(end, uplink_capacity, rank, cheap, start, base_uplink, value, prefix, offset, length, beyond)
            missed = not subtract_base(room, demand, base, base_uplink, rest)
            if not missed:
                for r in range(rows):
                    share[r] = rest[r] * unit[r]
                state[PIVOTS] += solve_prices(
                    parts[0], value, prefix, offset, length, unit[0], cost, share, y, count, axes
                )
                state[LPS] += 1
                fixed = set_prices(y, unit, 1, room, demand, gain)
                missed = not within(gain, y[0], low, high, beyond)

        # Bound all thresholds by the prices, and look for a batch as large as the bound of this one.
        if not missed:
            keep(y, MOST_CENTRES if cells > 0 else len(prices), prices, state)
            work += size - state[NODES]
            if cells > 0:
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
                    kinds, uplinks, budgets, gain, y, 1, total, fixed_stream, top, first, behind, bound
                )
                target = int(bound[top])
            if coarse:
                work += state[NODES]
                continue
            limit = search_limit if state[LAST_ROUND] else min(search_limit, FIRST_LIMIT)
            verdict = settle(
                parts[2], value, prefix, offset, length, base, base_uplink, beyond, gain, y, demand, rest,
                target, own, limit, top, end, cells == 0, bound, count, best, state, axes,
            )  # fmt: skip
            work += state[NODES]
            if verdict == MISSED:
                missed, verdict = True, DONE
        if missed:
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
        begun = True
        if cells == 0 and bound[top] >= state[INCUMBENT] + 1.0 and verdict == DONE:
            postpone(bound, top, first, behind, state)
    if state[BEST_END] > 0:
        move_base(kinds, uplinks, low, state[BEST_END], base_end, base, base_uplink)
        for k in range(classes):
            count[k] = best[k] - base[k]
        state[CHOSEN] = collect(order, state[PACKED], kinds, uplinks, low, rank, start, state[BEST_END], count, batch)
    return verdict
