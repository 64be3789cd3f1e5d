"""Compiled kernel of `ot`, per-user downlink: deadline thresholds, dual bounds, branch and bound.

Thresholds are bounded and picked as in `ot_kernel`. Inside one, each node of a depth-first branch and
bound prices what is still open by a linear program of four rows, or five (at most as many requests are fractional),
fixes every request whose reduced profit exceeds the slack between bound and target, rounds, and branches
on the most fractional request. Floats only steer: bounds are rounded up by more than their error, and
what fits is decided on int64.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np
from numba.types import UniTuple

from edgeopt.solvers.batching.ot_bounds import resume, start_bounds
from edgeopt.solvers.batching.ot_item_price import price_items
from edgeopt.solvers.batching.ot_search import FOUND, LIMIT, NONE
from edgeopt.solvers.batching.ot_sort import extent, sort_deadlines
from edgeopt.solvers.batching.ot_state import (
    BEST_END,
    CHUNK_WORK,
    DONE,
    HARD,
    INCUMBENT,
    LARGEST,
    LAST_ROUND,
    LPS,
    NODES,
    PAUSED,
    PIVOTS,
    SEARCHES,
    SORTED,
    STUCK,
    UNFIT,
    VECTORS,
    postpone,
)
from edgeopt.solvers.jit import AXES, FLOATS, FLOATS_2D, INT, INTS, INTS_2D, READ, SHORTS, compiled, kernel, part

FIRST_LIMIT = 100
"""Nodes after which a threshold is postponed until the others have had their turn."""
LAST_WORK = 5_000_000
"""Nodes times requests after which a threshold is handed over in the last round."""
SIGNATURE = (READ,) * 8 + (INT,) * 5 + (INTS, SHORTS, INTS, FLOATS, FLOATS_2D, INTS)


solve_prices = price_items.call


@compiled
def priced(demand, y, i):
    """What the demands of a request cost at prices `y`."""
    total = 0.0
    for r in range(len(y)):
        total += y[r] * demand[r, i]
    return total


@compiled
def bound_items(demand, budgets, y, fixed, fixed_stream, at, bound):
    """`ot_kernel.bound_thresholds` for requests with two demands of their own."""
    size = len(budgets)
    raise_by = 4.5e-16 * (size + 50.0)
    per_stream = y[4] if len(y) == 5 else 0.0
    less = per_stream * fixed_stream
    per_budget, margin = y[3] + per_stream, 10.0 + 2.0 * less
    total = fixed
    own = 0.0
    for i in range(size):
        profit = 1.0 - priced(demand, y, i)
        if profit > 0.0:
            total += profit
        upper = total + per_budget * budgets[i] - less
        upper += raise_by * (upper + margin)
        if i == at:
            own = upper
        if upper < bound[i]:
            bound[i] = upper
    return own


@compiled
def fix_by_profit(demand, y, slack, fate, trail, trailed, free, size):
    """Fix the free requests that a batch within `slack` of the bound cannot change; return the trail's end."""
    margin = 1e-12 + 1e-12 * abs(slack)
    for f in range(size):
        i = free[f]
        price = priced(demand, y, i)
        profit = 1.0 - price
        if abs(profit) - margin * (1.0 + price) > slack:
            fate[i] = 1 if profit > 0.0 else -1
            trail[trailed] = i
            trailed += 1
    return trailed


@compiled
def round_off(demand, room, side, basic, free, size, target, spare, fate):
    """Take the requests at one, then whatever else fits; whether `target` requests fit (marked in `fate`)."""
    rows = len(room)
    for r in range(rows):
        spare[r] = room[r]
    taken = 0
    for turn in range(3):  # those at one, the fractional ones, the rest
        for f in range(size):
            i = free[f]
            if side[i] != (1, 2, 0)[turn]:
                continue
            fits = True
            for r in range(rows):
                fits = fits and demand[r, i] <= spare[r]
            if not fits:
                continue
            for r in range(rows):
                spare[r] -= demand[r, i]
            side[i] += 4  # taken
            taken += 1
            if taken == target:
                for g in range(size):
                    if side[free[g]] >= 4:
                        fate[free[g]] = 1
                return True
    return False


@part(
    UniTuple(INT, 3), INT, INTS_2D, FLOATS, FLOATS_2D, INT, INTS, INT, FLOATS, INT, INTS, AXES,
)  # fmt: skip
def branch_and_bound(price_at, demand, unit, cost, end, capacity, target, y, limit, fate, axes):
    """Find `target` of the first `end` requests that fit, or show that there are none.

    Returns
    -------
    verdict, nodes, pivots
        `FOUND` (marked 1 in `fate`), `NONE` or `LIMIT`; what it took.
    """
    rows = len(axes)
    free = np.empty(end, np.int64)
    trail = np.empty(end, np.int64)  # requests in the order in which they were fixed
    mark = np.empty(end + 1, np.int64)  # length of the trail when a depth was entered
    chosen = np.empty(end + 1, np.int64)  # request branched on at a depth, -1 when both ways were tried
    side = np.empty(end, np.int64)
    basic = np.empty(rows, np.int64)
    level = np.empty(rows)
    step, weight, item = np.empty(end), np.empty(end), np.empty(end, np.int64)
    room = np.empty(rows, np.int64)
    spare = np.empty(rows, np.int64)
    share = np.empty(rows)
    price = np.empty(rows)
    for i in range(end):
        fate[i] = 0
    trailed, depth, nodes, pivots = 0, 0, 0, 0
    mark[0], chosen[0] = 0, -1
    while True:
        nodes += 1
        if nodes > limit:
            return LIMIT, nodes, pivots
        for r in range(rows):
            room[r] = capacity[r]
        taken, size, alive = 0, 0, True
        for i in range(end):
            if fate[i] == 1:
                taken += 1
                for r in range(rows):
                    room[r] -= demand[r, i]
                    alive = alive and room[r] >= 0
                if not alive:
                    break
            elif fate[i] == 0:
                free[size] = i
                size += 1
        alive = alive and taken + size >= target
        if alive and taken >= target:
            return FOUND, nodes, pivots
        pick, first = -1, 1
        if alive:
            for r in range(rows):
                share[r] = room[r] * unit[r]
            pivots += solve_prices(
                price_at, free, size, cost, share, price, side, basic, level, step, weight, item, axes
            )
            upper = 0.0
            for r in range(rows):
                y[r] = price[r] * unit[r]
                upper += y[r] * room[r]
            for f in range(size):
                i = free[f]
                profit = 1.0 - priced(demand, y, i)
                if profit > 0.0:
                    upper += profit
            upper += 4.5e-16 * (size + 50.0) * (upper + 10.0)
            alive = taken + upper >= target
        if alive:
            farthest = 1.0
            for q in range(rows):
                if basic[q] >= 0 and abs(level[q] - 0.5) < farthest:
                    farthest, pick, first = abs(level[q] - 0.5), basic[q], 1 if level[q] >= 0.5 else -1
            if round_off(demand, room, side, basic, free, size, target - taken, spare, fate):
                return FOUND, nodes, pivots
            before = trailed
            trailed = fix_by_profit(demand, y, taken + upper - target, fate, trail, trailed, free, size)
            if pick < 0 or fate[pick] != 0:
                pick = -1
                for f in range(size):
                    if fate[free[f]] == 0:
                        pick = free[f]
            if pick < 0 and trailed > before:
                continue  # everything is fixed: look at the result
        if alive and pick >= 0:
            depth += 1
            mark[depth], chosen[depth] = trailed, pick
            fate[pick] = first
            trail[trailed] = pick
            trailed += 1
            continue
        while depth > 0 and chosen[depth] < 0:
            depth -= 1
        bottom = mark[depth] if depth > 0 else 0
        if depth == 0:
            return NONE, nodes, pivots
        pick = chosen[depth]
        other = -fate[pick]
        while trailed > bottom:
            trailed -= 1
            fate[trail[trailed]] = 0
        fate[pick] = other
        trail[trailed] = pick
        trailed += 1
        chosen[depth] = -1


PARTS = price_items, branch_and_bound

search = branch_and_bound.call


@kernel
def solve_items(
    parts, kind, uplink, downlink, budget, memory, compute, stream,
    uplink_capacity, downlink_capacity, memory_capacity, fixed_stream, search_limit,
    state, kinds, ints, bound, prices, batch, axes,
):  # fmt: skip
    """Solve one node problem with per-user downlink shares; see `ot_kernel.solve_classes`.

    `batch` holds 1 for the requests of the best batch.
    """
    size = len(kind)
    order, budgets, uplinks = ints[:size], ints[size : 2 * size], ints[2 * size : 3 * size]
    if state[SORTED] == 0:
        for i in range(size):
            if uplink[i] > uplink_capacity or uplink[i] < 0 or budget[i] > LARGEST or budget[i] < -LARGEST:
                return UNFIT
            if downlink[i] > downlink_capacity or downlink[i] < 0 or memory[kind[i]] > memory_capacity:
                return UNFIT
            if compute[kind[i]] > budget[i]:
                return UNFIT
        latest, earliest = extent(budget)
        sort_deadlines(kind, uplink, budget, len(memory), latest, earliest, order, kinds, uplinks, budgets)
        start_bounds(budgets, fixed_stream, 0, size, bound)
        state[SORTED] = 1

    rows = len(axes)
    capacity = np.empty(rows, np.int64)
    capacity[0], capacity[1], capacity[2], capacity[3] = (
        uplink_capacity,
        downlink_capacity,
        memory_capacity,
        0,
    )
    demand = np.empty((rows, size), np.int64)
    cost = np.empty((rows, size))
    unit = np.empty(rows)
    for r in range(3):
        unit[r] = 1.0 / max(1.0, float(capacity[r]))
    unit[3] = 1.0 / max(1.0, float(budgets[0]))
    if rows == 5:
        unit[4] = 1.0 / max(1.0, float(budgets[0] - fixed_stream))
    for i in range(size):
        j = order[i]
        demand[0, i], demand[1, i] = uplink[j], downlink[j]
        demand[2, i], demand[3, i] = memory[kind[j]], compute[kind[j]]
        if rows == 5:
            demand[4, i] = stream[kind[j]]
        for r in range(rows):
            cost[r, i] = demand[r, i] * unit[r]

    everyone = np.empty(size, np.int64)
    fate = np.empty(size, np.int64)
    side = np.empty(size, np.int64)
    basic = np.empty(rows, np.int64)
    level = np.empty(rows)
    step, weight, item = np.empty(size), np.empty(size), np.empty(size, np.int64)
    share = np.empty(rows)
    y = np.empty(rows)
    for i in range(size):
        everyone[i] = i
    work = 0
    verdict = DONE
    while verdict == DONE:
        top = 0
        for i in range(size):
            if bound[i] > bound[top]:
                top = i
        if bound[top] < state[INCUMBENT] + 1.0:
            if resume(bound, state[INCUMBENT]):
                state[LAST_ROUND] = 1
                continue
            break
        if work > CHUNK_WORK:
            verdict = PAUSED
            break
        end = top + 1
        capacity[3] = budgets[top]
        if rows == 5:
            capacity[4] = budgets[top] - fixed_stream
        for r in range(rows):
            share[r] = capacity[r] * unit[r]
        pivots = solve_prices(parts[0], everyone, end, cost, share, y, side, basic, level, step, weight, item, axes)
        state[PIVOTS] += pivots
        state[LPS] += 1
        work += 10 * size + pivots * end
        fixed = 0.0
        for r in range(rows):
            y[r] = y[r] * unit[r] if y[r] > 1e-10 else 0.0
            if r < 3:
                fixed += y[r] * capacity[r]
        if state[VECTORS] < len(prices):
            state[VECTORS] += 1
        for r in range(rows):
            prices[state[VECTORS] - 1, r] = y[r]
        bound_items(demand, budgets, y, fixed, fixed_stream, top, bound)
        limit = min(search_limit, 10 + LAST_WORK // end)
        if state[LAST_ROUND] == 0:
            limit = min(limit, FIRST_LIMIT)
        target = int(bound[top])
        while target > state[INCUMBENT]:
            found, nodes, pivots = search(
                parts[1], parts[0], demand, unit, cost, end, capacity, target, y, limit, fate, axes
            )
            state[SEARCHES] += 1
            state[NODES] += nodes
            work += pivots * end // 4
            if found == FOUND:
                state[INCUMBENT] = target
                state[BEST_END] = end
                for i in range(size):
                    batch[order[i]] = 1 if i < end and fate[i] == 1 else 0
            elif found == NONE:  # then there is no larger batch either
                bound[top] = target - 1.0
            elif state[LAST_ROUND]:
                state[HARD] = top
                verdict = STUCK
                break
            target -= 1
        if bound[top] >= state[INCUMBENT] + 1.0 and verdict == DONE:
            postpone(bound, top, 0, size, state)
    return verdict
