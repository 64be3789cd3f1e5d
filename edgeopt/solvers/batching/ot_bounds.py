"""Compiled dual bounds of `ot`: what prices prove about every deadline threshold.

Any prices ``y >= 0`` bound every threshold ``T`` in one scan over the requests by falling deadline,
``UB(T; y) = y . cap(T) + sum_{D_i >= T} max(0, 1 - y . A_i)``. Many requests are first bounded in cells (`ot_cells`).
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np

from edgeopt.solvers.jit import compiled, inlined


@inlined
def set_room(room, budget, fixed_stream):
    """Set the capacities that depend on the threshold."""
    room[3] = budget
    if len(room) == 5:
        room[4] = budget - fixed_stream


@inlined
def highest(bound):
    """Position of the highest bound, or any if all are negative.

    Positive floats are in the order of the integers with the same bits, whose maximum is found several at a time.
    """
    bits = bound.view(np.int64)
    most = bits[0]
    for i in range(len(bits)):
        most = max(most, bits[i])
    top = 0
    while bits[top] != most:
        top += 1
    return top


@compiled
def set_gain(y, demand, gain):
    """Set the profit of each class at prices per integer unit, but for its uplink."""
    for k in range(len(gain)):
        taken = 0.0
        for r in range(1, len(y)):
            taken += y[r] * demand[r, k]
        gain[k] = 1.0 - taken


@compiled
def set_prices(y, unit, load, room, demand, gain):
    """Turn normalised prices into prices per integer unit and set the profits of the classes.

    Return ``y . cap`` without what depends on the threshold.
    """
    fixed = 0.0
    for r in range(len(y)):
        y[r] = y[r] * unit[r] * load if y[r] > 1e-10 else 0.0
        if r < 3:
            fixed += y[r] * room[r]
    set_gain(y, demand, gain)
    return fixed


@compiled
def add_profits(kinds, uplinks, gain, per_uplink, end, total):
    """Add to `total` what the first `end` requests gain."""
    for i in range(end):
        profit = gain[kinds[i]] - per_uplink * uplinks[i]
        total += profit if profit > 0.0 else 0.0
    return total


@inlined
def rounding(size, less):
    """Relative error and margin of a scan: at most ``size + 50`` operations, each within 2**-53 of partial sums."""
    return 4.5e-16 * (size + 50.0), 10.0 + 2.0 * less


@compiled
def bound_thresholds(kinds, uplinks, budgets, gain, y, load, total, fixed_stream, at, first, behind, bound):
    """Lower `bound` at the thresholds from `first` to before `behind` by ``UB(T; y)``; return that of `y` at `at`.

    `total` is what does not depend on the threshold ``T``, with the requests before `first`; ``per_budget T - less``
    does. Every request stands for `load`. The bound of a threshold stands at its last request (ties share it; the
    others are smaller sets under the same deadline) and is raised by more than the rounding error of the scan,
    whose sums only grow, and of `less`.
    """
    per_uplink, per_stream = y[0], y[4] / load if len(y) == 5 else 0.0
    per_budget, less = y[3] / load + per_stream, per_stream * fixed_stream
    raise_by, margin = rounding(len(kinds), less)
    before = bound[at]
    bound[at] = 1e300
    kinds, uplinks, budgets, bounds = kinds[first:], uplinks[first:], budgets[first:], bound[first:behind]
    for i in range(len(bounds)):
        profit = gain[kinds[i]] - per_uplink * uplinks[i]
        total += profit if profit > 0.0 else 0.0
        upper = total + per_budget * budgets[i] - less
        upper += raise_by * (upper + margin)
        bounds[i] = upper if upper < bounds[i] else bounds[i]
    own = bound[at]
    bound[at] = min(before, own)
    return own


@inlined
def start_bounds(budgets, least, first, behind, bound):
    """Bound each threshold by its number of requests; close the positions that are none, and those below `least`."""
    for i in range(first, behind):  # ties never reach beyond
        tied = i + 1 < behind and budgets[i + 1] == budgets[i]
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
