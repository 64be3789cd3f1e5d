"""Compiled sample of `ot`: good prices for many requests from the linear programs of a few.

The sample takes every so-many-th request by falling deadline. Its own best thresholds and prices are off by what a
sample is off; but what *all* requests take at these prices, less what the sampled ones stand for, is one scan, and the
linear program of the sample with its capacities put right by that difference gives prices that are nearly those of
all requests (a control variate).
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np

from edgeopt.solvers.batching.ot_bounds import bound_thresholds, highest, set_prices, set_room
from edgeopt.solvers.batching.ot_lists import NO_LIMIT, count_below, fill_lists
from edgeopt.solvers.batching.ot_price import price
from edgeopt.solvers.batching.ot_sort import bit_length
from edgeopt.solvers.jit import compiled, inlined


@inlined
def draw_sample(kinds, uplinks, budget, order, packed, stride, kinds_sampled, uplinks_sampled, budgets_sampled):
    """Take every `stride`-th request by falling deadline; `order` holds its position above `packed` bits."""
    position = (1 << bit_length(len(order))) - 1
    for j in range(len(kinds_sampled)):
        i = j * stride
        kinds_sampled[j] = kinds[i]
        uplinks_sampled[j] = uplinks[i]
        budgets_sampled[j] = budget[(order[i] >> packed) & position]


@inlined
def best_threshold(
    kinds, uplinks, budgets, stride, rank, cheap, start, value, prefix, offset, length, beyond, none,
    capacity, room, unit, demand, cost, fixed_stream, share, y, gain, count, bound, axes,
):  # fmt: skip
    """Position in the sample of the threshold that looks best, and its bound in sampled requests."""
    for j in range(len(bound)):
        bound[j] = j + 1.0
    best, last = 0.0, -1
    while True:
        top = highest(bound)
        if top == last or bound[top] <= best + 0.02 + 1e-3 * best:
            return top, best
        last = top
        fill_lists(top + 1, capacity, rank, cheap, start, none, value, prefix, offset, length, beyond)
        set_room(room, budgets[top], fixed_stream)
        for r in range(len(room)):
            share[r] = room[r] * unit[r]
        price(value, prefix, offset, length, stride * unit[0], cost, share, y, count, axes)
        fixed = set_prices(y, unit, stride, room, demand, gain)
        own = bound_thresholds(
            kinds, uplinks, budgets, gain, y, stride, fixed / stride, fixed_stream, top, np.int64(0), len(bound), bound
        )
        best = max(best, own)


@compiled
def add_taken(kinds, uplinks, gain, per_uplink, load, unit, cost, correction):
    """Add to `correction` what the requests with a profit take, `load` times and normalised."""
    classes = len(gain)
    limit, number, total = np.empty(classes, np.int64), np.empty(classes, np.int64), np.empty(classes, np.int64)
    for k in range(classes):
        limit[k] = NO_LIMIT if gain[k] > 0.0 else 0
        if per_uplink > 0.0 and gain[k] / per_uplink < 4e18:
            limit[k] = int(gain[k] / per_uplink)
    count_below(kinds, uplinks, limit, number, total)
    for k in range(classes):
        correction[0] += load * total[k] * unit[0]
        for r in range(1, len(unit)):
            correction[r] += load * number[k] * cost[r, k]
