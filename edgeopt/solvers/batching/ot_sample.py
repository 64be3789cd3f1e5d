"""Compiled sample of `ot`: good prices for many requests from the linear programs of a few.

The sample takes every so-many-th request by falling deadline. Its own best thresholds and prices are off by what a
sample is off; but what *all* requests take at these prices, less what the sampled ones stand for, is one scan, and the
linear program of the sample with its capacities put right by that difference gives prices that are nearly those of
all requests (a control variate).
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np
from numba.types import UniTuple

from edgeopt.solvers.batching.ot_bounds import bound_thresholds, highest, set_prices, set_room
from edgeopt.solvers.batching.ot_cells import part_deadlines
from edgeopt.solvers.batching.ot_lists import NO_LIMIT, count_below, fill_lists, list_requests, set_windows
from edgeopt.solvers.batching.ot_price import price
from edgeopt.solvers.batching.ot_sort import bit_length
from edgeopt.solvers.batching.ot_state import LPS, PIVOTS
from edgeopt.solvers.jit import (
    AXES,
    FLOAT,
    FLOATS,
    FLOATS_2D,
    INT,
    INTS,
    INTS_2D,
    READ,
    SHORTS,
    WORDS,
    compiled,
    inlined,
    part,
)

THIN = 16
"""Sampled requests in the best batch of a sample below which it tells too little."""

solve_prices = price.call


@inlined
def draw_sample(kinds, uplinks, budget, word, class_bits, stride, kinds_sampled, uplinks_sampled, budgets_sampled):
    """Take every `stride`-th request by falling deadline; `word` holds its position above the class."""
    position = np.uint64((1 << bit_length(len(word))) - 1)
    for j in range(len(kinds_sampled)):
        i = j * stride
        kinds_sampled[j] = kinds[i]
        uplinks_sampled[j] = uplinks[i]
        budgets_sampled[j] = budget[(word[i] >> np.uint64(class_bits)) & position]


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


@part(
    UniTuple(INT, 3), INT, READ, READ, READ, INT, INT, INT, INT, INT, INTS, FLOATS, INTS_2D, FLOATS_2D,
    WORDS, SHORTS, *(INTS,) * 4, SHORTS, *(INTS,) * 5, AXES,
)  # fmt: skip
def take_sample(
    price_at, kind, uplink, budget, latest, earliest, stride, capacity, fixed_stream, room, unit, demand, cost,
    word, kinds, uplinks, edge, most_in, least_in, kinds_sampled, uplinks_sampled, rank, cheap, start, none, axes,
):  # fmt: skip
    """Put all requests into cells (see `part_deadlines`), and list every `stride`-th one by class and uplink.

    Costs are `stride` times those of one request.

    Returns
    -------
    cells, top, thin
        Number of cells, position of the threshold that looks best, and whether its best batch is thin.
    """
    classes, few = len(none), len(kinds_sampled)
    cells = part_deadlines(
        kind, uplink, budget, classes, latest, earliest, word, kinds, uplinks, edge, most_in, least_in
    )
    budgets, bound = np.empty(few, np.int64), np.empty(few)
    draw_sample(kinds, uplinks, budget, word, bit_length(classes), stride, kinds_sampled, uplinks_sampled, budgets)
    no_limit, beyond = np.empty(classes, np.int64), np.zeros(classes, np.int64)
    for k in range(classes):
        no_limit[k] = NO_LIMIT
    list_requests(kinds_sampled, uplinks_sampled, few, none, no_limit, rank, cheap, start)
    value, prefix = np.empty(few + 1, np.int64), np.empty(few + classes + 1, np.int64)
    offset, length, count = np.empty(classes, np.int64), np.empty(classes, np.int64), np.empty(classes, np.int64)
    share, y, gain = np.empty(len(axes)), np.empty(len(axes)), np.empty(classes)
    for j in range(few):
        bound[j] = j + 1.0
    best, last = 0.0, -1
    while True:
        top = highest(bound)
        if top == last or bound[top] <= best + 0.02 + 1e-3 * best:
            return cells, stride * top, 1 if best < THIN else 0
        last = top
        fill_lists(top + 1, capacity, rank, cheap, start, none, value, prefix, offset, length, beyond)
        set_room(room, budgets[top], fixed_stream)
        for r in range(len(room)):
            share[r] = room[r] * unit[r]
        solve_prices(price_at, value, prefix, offset, length, stride * unit[0], cost, share, y, count, axes)
        fixed = set_prices(y, unit, stride, room, demand, gain)
        own = bound_thresholds(
            kinds_sampled, uplinks_sampled, budgets, gain, y, stride, fixed / stride, fixed_stream, top, 0, few, bound
        )
        best = max(best, own)


@part(
    FLOAT, INT, SHORTS, INTS, INTS, INTS, INTS, INT, INT, SHORTS, INTS, INT, INT, FLOATS, INT, INTS, FLOATS,
    INTS_2D, FLOATS_2D, FLOATS_2D, INTS, INT, FLOATS, FLOATS, INTS, INTS, AXES,
)  # fmt: skip
def price_sample(
    price_at, kinds_sampled, uplinks_sampled, rank, cheap, start, stride, upto, kinds, uplinks, end,
    corrections, correction, capacity, room, unit, demand, cost, cost_sampled, none, spread,
    y, gain, windows, state, axes,
):  # fmt: skip
    """Price a threshold by its first `upto` requests of the sample, put right by what its `end` requests take.

    Sets prices `y`, profits `gain`, the `correction` of the capacities (`corrections` times, or it stays what it was)
    and the `windows`; returns ``y . cap`` without what depends on the threshold.
    """
    classes = len(gain)
    value, prefix = np.empty(upto + 1, np.int64), np.empty(upto + classes + 1, np.int64)
    offset, length, count = np.empty(classes, np.int64), np.empty(classes, np.int64), np.empty(classes, np.int64)
    beyond, share = np.zeros(classes, np.int64), np.empty(len(axes))
    fill_lists(upto, capacity, rank, cheap, start, none, value, prefix, offset, length, beyond)
    while True:
        for r in range(len(room)):
            share[r] = room[r] * unit[r] - correction[r]
        state[PIVOTS] += solve_prices(
            price_at, value, prefix, offset, length, stride * unit[0], cost_sampled, share, y, count, axes
        )
        state[LPS] += 1
        fixed = set_prices(y, unit, stride, room, demand, gain)
        if corrections == 0:
            set_windows(value, offset, length, count, y[0], spread, windows)
            return fixed
        corrections -= 1
        for r in range(len(room)):
            correction[r] = 0.0
        for sampled in range(2):
            part_kinds, part_uplinks, load = kinds[:end], uplinks[:end], 1.0
            if sampled:
                part_kinds, part_uplinks, load = kinds_sampled[:upto], uplinks_sampled[:upto], -float(stride)
            add_taken(part_kinds, part_uplinks, gain, y[0], load, unit, cost, correction)
