"""Compiled search over class counts inside one deadline threshold (worst-channel rule)."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np
from numba.types import UniTuple

from edgeopt.solvers.jit import AXES, FLOAT, FLOATS, INT, INTS, INTS_2D, compiled, part

NONE, FOUND, LIMIT, NO_PROOF = range(4)

FAR = 2**40
"""More requests than there are."""

# Relative error of a class loss: a handful of operations, each within 2**-53 of its operands.
ROUNDING = 4e-15


@compiled
def loss(base, prefix, gain, weight, per_uplink, peak, v):
    """Lower bound on what a class gives up with `v` instead of its best count `peak`."""
    moved = float(peak - v)
    band = per_uplink * (float(prefix[base + peak]) - float(prefix[base + v]))
    total = moved * gain - band
    return total - ROUNDING * (abs(moved) * weight + abs(band) + per_uplink * float(prefix[base + max(peak, v)]))


@compiled
def ranges(value, prefix, offset, length, gain, weight, y, slack, peak, low, high):
    """Per class the counts that lose at most `slack`; the loss is convex."""
    for k in range(len(length)):
        base = offset[k] + k
        at, size = 0, length[k]
        bottom, top = 0, size
        while bottom < top:  # requests with positive reduced profit
            middle = (bottom + top) >> 1
            if gain[k] - y[0] * value[offset[k] + middle] > 0.0:
                bottom = middle + 1
            else:
                top = middle
        at = bottom
        peak[k] = at
        bottom, top = 0, at
        while bottom < top:
            middle = (bottom + top) >> 1
            if loss(base, prefix, gain[k], weight[k], y[0], at, middle) <= slack:
                top = middle
            else:
                bottom = middle + 1
        low[k] = bottom
        bottom, top = at, size
        while bottom < top:
            middle = (bottom + top + 1) >> 1
            if loss(base, prefix, gain[k], weight[k], y[0], at, middle) <= slack:
                bottom = middle
            else:
                top = middle - 1
        high[k] = bottom


@compiled
def pair(value, prefix, offset, demand, rest, a, b, least, most, total, rows):
    """Count of class `a` when classes `a` and `b` share `total` requests and must fit in `rest`; -1 if none.

    Each capacity cuts an interval of counts, on which the uplink is convex: its least is found by
    bisection on the marginal uplink.
    """
    for r in range(1, rows):
        at_least = demand[r, a] * least + demand[r, b] * (total - least)
        at_most = demand[r, a] * most + demand[r, b] * (total - most)
        if at_least > rest[r] and at_most > rest[r]:
            return -1
        if at_most > rest[r]:
            most = least + (rest[r] - at_least) // (demand[r, a] - demand[r, b])
        elif at_least > rest[r]:
            least = most - (rest[r] - at_most) // (demand[r, b] - demand[r, a])
        if least > most:
            return -1
    while least < most:
        middle = (least + most) >> 1
        if value[offset[a] + middle] >= value[offset[b] + total - middle - 1]:
            most = middle
        else:
            least = middle + 1
    if prefix[offset[a] + a + least] + prefix[offset[b] + b + total - least] > rest[0]:
        return -1
    return least


@part(UniTuple(INT, 2), *(INTS,) * 7, FLOATS, FLOATS, INTS_2D, INTS, INT, FLOAT, INT, INTS, AXES)
def find_counts(
    value, prefix, offset, length, base, base_uplink, beyond, gain, y, demand, room,
    target, slack, limit, count, axes,
):  # fmt: skip
    """Find counts with which `target` requests fit, or show that there are none.

    Listed are the requests in a window of each class: its `base` cheapest are in the batch (`room` is what they
    leave), and where `beyond` says so, there are more above. Counts are those in the windows.

    Every class but two is enumerated depth first, outward from its best count, as long as the losses sum
    to at most `slack`; the last two (those with most counts left) are solved in closed form.

    Returns
    -------
    verdict, nodes
        `FOUND` (in `count`), `NONE`, `LIMIT`, or `NO_PROOF` if there is none in the windows; visited nodes.
    """
    classes, rows = len(length), len(axes)
    for r in range(rows):
        if room[r] < 0:
            return NONE, 0
    whole, weight = np.empty((6, classes + 1), np.int64), np.empty(classes)
    peak, low, high, order, least_after, most_after = whole[0], whole[1], whole[2], whole[3], whole[4], whole[5]
    for k in range(classes):
        weight[k] = 2.0 + abs(gain[k])
    ranges(value, prefix, offset, length, gain, weight, y, slack, peak, low, high)
    outer = max(0, classes - 2)
    rest = np.empty((outer + 2, rows), np.int64)
    wide = rest[outer + 1]  # the capacities, as far as the windows do not settle what takes them
    for r in range(rows):
        wide[r] = room[r]
    for k in range(classes):
        target -= base[k]
        if low[k] == 0 and base[k] > 0:  # fewer than the window has may be in the batch as well
            low[k] = -base[k]
            wide[0] += base_uplink[k]
            for r in range(1, rows):
                wide[r] += demand[r, k] * base[k]
        if beyond[k] and high[k] == length[k]:
            high[k] = FAR
    for k in range(classes):
        own = base[k] if low[k] < 0 else 0
        uplink = base_uplink[k] if low[k] < 0 else 0
        if high[k] < FAR and prefix[offset[k] + k + high[k]] > wide[0] - uplink:
            high[k] -= 1  # a list ends with the first request too many
        for r in range(1, rows):
            if demand[r, k] > 0:
                high[k] = min(high[k], wide[r] // demand[r, k] - own)  # products below cannot overflow
    most, least = 0, 0
    for k in range(classes):
        if low[k] > high[k]:
            return NONE, 0
        least += low[k]
        most += high[k]
    if least > target or most < target:
        return NONE, 0
    for k in range(classes):
        lowest = max(low[k], target - (most - high[k]))
        high[k] = min(high[k], target - (least - low[k]))
        low[k] = lowest
        if low[k] > high[k]:
            return NONE, 0
    none = NONE
    for k in range(classes):
        if low[k] < 0 or high[k] > length[k]:
            none = NO_PROOF
            low[k], high[k] = max(low[k], 0), min(high[k], length[k])
            if low[k] > high[k]:
                return NO_PROOF, 0
        i = k  # insertion sort by width: the widest two classes come last
        while i > 0 and high[order[i - 1]] - low[order[i - 1]] > high[k] - low[k]:
            order[i] = order[i - 1]
            i -= 1
        order[i] = k

    least_after[classes], most_after[classes] = 0, 0
    for i in range(classes - 1, -1, -1):
        least_after[i] = least_after[i + 1] + low[order[i]]
        most_after[i] = most_after[i + 1] + high[order[i]]
    at_depth, spare = np.empty((2, outer + 1), np.int64), np.empty(outer + 1)
    left, step = at_depth[0], at_depth[1]
    step[0] = 0
    for r in range(rows):
        rest[0, r] = room[r]
    left[0] = target
    spare[0] = slack + 1e-12  # what subtracting the losses one by one may round away
    depth, nodes = 0, 0
    while True:
        nodes += 1
        if nodes > limit:
            return LIMIT, nodes
        if depth == outer:
            total = left[depth]
            a = order[outer]
            if classes == 1:
                b, least, most = a, total, total
                fits = low[a] <= total <= high[a] and prefix[offset[a] + a + total] <= rest[depth, 0]
                for r in range(1, rows):
                    fits = fits and demand[r, a] * total <= rest[depth, r]
                if fits:
                    count[a] = total
                    return FOUND, nodes
            else:
                b = order[outer + 1]
                least, most = max(low[a], total - high[b]), min(high[a], total - low[b])
                if least <= most:
                    v = pair(value, prefix, offset, demand, rest[depth], a, b, least, most, total, rows)
                    if v >= 0:
                        count[a] = v
                        count[b] = total - v
                        for i in range(outer):
                            count[order[i]] = left[i] - left[i + 1]
                        return FOUND, nodes
            depth -= 1
            if depth < 0:
                return none, nodes
            continue

        k = order[depth]
        base = offset[k] + k
        centre = min(max(peak[k], low[k]), high[k])
        bottom = max(low[k], left[depth] - most_after[depth + 1])
        top = min(high[k], left[depth] - least_after[depth + 1])
        deeper = False
        while True:
            reach = (step[depth] + 1) >> 1
            v = centre - reach if step[depth] & 1 else centre + reach
            step[depth] += 1
            if v < bottom or v > top:
                if centre - reach < bottom and centre + reach > top:
                    break
                continue
            lost = loss(base, prefix, gain[k], weight[k], y[0], peak[k], v)
            if lost > spare[depth] or prefix[base + v] > rest[depth, 0]:
                continue
            fits = True
            for r in range(1, rows):
                rest[depth + 1, r] = rest[depth, r] - demand[r, k] * v
                fits = fits and rest[depth + 1, r] >= 0
            if fits:
                rest[depth + 1, 0] = rest[depth, 0] - prefix[base + v]
                left[depth + 1] = left[depth] - v
                spare[depth + 1] = spare[depth] - max(0.0, lost)
                deeper = True
                break
        if deeper:
            depth += 1
            step[depth] = 0
        else:
            depth -= 1
            if depth < 0:
                return none, nodes
