"""Compiled cells of `ot`: of many requests, those of similar deadlines are bounded together.

A cell has all its requests and its latest deadline. Few cells still matter in the end; these are opened, and only
their requests need be sorted.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np

from edgeopt.solvers.batching.ot_bounds import add_profits, bound_thresholds, rounding, set_gain, start_bounds
from edgeopt.solvers.batching.ot_price import copy
from edgeopt.solvers.batching.ot_sort import bit_length, extent, scatter, sort_by, unpack
from edgeopt.solvers.jit import (
    AXES,
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

CELL_BITS = 12
"""Leading digits of the budgets that requests in one cell share."""


@inlined
def part_deadlines(kind, uplink, budget, classes, latest, earliest, word, kinds, uplinks, edge, highest, least):
    """Sort requests into cells by falling deadline budget, in any order inside a cell; return the number of cells.

    Cell ``c`` ends before ``edge[c + 1]``, and its limits are ``least[c]`` and ``highest[c]``. The requests are
    left in words of position and class, see `unpack`, with the number of their digit of the budget in front.
    """
    size = len(budget)
    class_bits = bit_length(classes)
    low, width = bit_length(size) + class_bits, max(0, bit_length(latest - earliest) - CELL_BITS)
    unsorted = np.empty(size, np.uint64)
    place = np.zeros(1 << CELL_BITS, np.uint64)
    shift, mask = np.uint64(low), np.uint64((1 << CELL_BITS) - 1)
    for i in range(size):
        digit = (latest - budget[i]) >> width
        unsorted[i] = np.uint64((digit << low) | (i << class_bits) | kind[i])
        place[np.uint64(digit)] += 1
    cells, end = 0, 0
    edge[0] = 0
    for cell in range(1 << CELL_BITS):
        if place[cell] > 0:
            end += place[cell]
            highest[cells] = latest - (cell << width)
            least[cells] = highest[cells] - (1 << width) + 1
            cells += 1
            edge[cells] = end
    scatter(unsorted, word, place, shift, mask)
    unpack(word, uplink, class_bits, kinds, uplinks)
    return cells


@compiled
def bound_cells(kinds, uplinks, edge, highest, least, gain, y, total, fixed_stream, at, cell_bound, before):
    """Lower the bounds of all cells, like `bound_thresholds`; return the bound of cell `at` at its least budget.

    Cell ``c`` ends before ``edge[c + 1]``, and its limits are ``least[c]`` to ``highest[c]``. The sum in front
    of each cell is kept in `before`.
    """
    per_uplink, per_stream = y[0], y[4] if len(y) == 5 else 0.0
    per_budget, less = y[3] + per_stream, per_stream * fixed_stream
    raise_by, margin = rounding(len(kinds), less)
    own = 0.0
    for c in range(len(cell_bound)):
        begin = edge[c]
        before[c] = total
        total = add_profits(kinds[begin:], uplinks[begin:], gain, per_uplink, edge[c + 1] - begin, total)
        upper = total + per_budget * highest[c] - less
        upper += raise_by * (upper + margin)
        cell_bound[c] = upper if upper < cell_bound[c] else cell_bound[c]
        if c == at:
            own = total + per_budget * least[c] - less
            own += raise_by * (own + margin)
    return own


@inlined
def sort_part(first, behind, uplink, budget, class_bits, word, kinds, uplinks, budgets, rank, listed):
    """Sort the packed requests of some cells by falling deadline budget, and correct their ranks in the lists."""
    size = behind - first
    place, mask = np.uint64(class_bits), np.uint64((1 << bit_length(len(uplink))) - 1)
    part, key = np.empty(size, np.uint64), budgets[first:behind]
    position, now = np.empty(size, np.int64), np.empty(size, np.int64)
    for t in range(size):
        part[t] = word[first + t]
        key[t], position[t] = budget[(part[t] >> place) & mask], t
    latest, earliest = extent(key)
    for t in range(size):
        key[t] = latest - key[t]
    sort_by(key, position, latest - earliest)
    for t in range(size):
        key[t] = latest - key[t]
        word[first + t] = part[position[t]]
        now[position[t]] = first + t
    unpack(word[first:behind], uplink, class_bits, kinds[first:behind], uplinks[first:behind])
    for t in range(listed):
        if first <= rank[t] < behind:
            rank[t] = now[rank[t] - first]


@part(
    INT, INT, INT, READ, READ, INT, INT, WORDS, SHORTS, INTS, INTS, INTS, INT,
    INTS_2D, FLOATS_2D, FLOATS_2D, INT, INT, FLOATS, AXES,
)  # fmt: skip
def open_cells(
    first, behind, uplink, budget, class_bits, fixed_stream, word, kinds, uplinks, budgets, rank, listed,
    demand, prices, before, vectors, cell, bound, axes,
):  # fmt: skip
    """Sort the requests of the cells that matter, from the one at `cell` on, and bound their thresholds one by one.

    The first `vectors` of the `prices` have bounded cells, with the sums `before` each.
    """
    sort_part(first, behind, uplink, budget, class_bits, word, kinds, uplinks, budgets, rank, listed)
    start_bounds(budgets, fixed_stream, first, behind, bound)
    y, gain = np.empty(len(axes)), np.empty(demand.shape[1])
    for v in range(vectors):
        copy(prices[v], y)
        set_gain(y, demand, gain)
        bound_thresholds(
            kinds, uplinks, budgets, gain, y, 1, before[v, cell], fixed_stream, first, first, behind, bound
        )
    return behind - first
