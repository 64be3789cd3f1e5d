"""Compiled dual simplex for one deadline threshold, on class lists with prefix sums (worst-channel rule).

The linear program is ``max sum x`` over four capacities (15a-15e with ``0 <= x <= 1``), or five with the roofline
latency, the fifth being the time that a batch waits for its memory. Its columns are
far too many to touch at each pivot, but inside a class they differ in the uplink only: whatever the
prices, those with a positive reduced profit are a prefix of the class. So a pivot is an exact line search
on the dual function, whose derivative needs one binary search and one prefix sum per class. The prices
steer the solver and prove nothing by themselves: a line search that ends early costs time, not truth.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np

from edgeopt.solvers.jit import AXES, FLOAT, FLOATS, FLOATS_2D, INT, INTS, compiled, part

MOST_PIVOTS = 60
MOST_STEPS = 80


@compiled
def copy(source, target):
    """Copy an array (numba takes ten times as long to compile ``target[:] = source``)."""
    for i in range(len(source)):
        target[i] = source[i]


@compiled
def first_at_least(value, low, high, limit):
    """First position in the sorted ``value[low:high]`` that is not below `limit`."""
    while low < high:
        middle = (low + high) >> 1
        if value[middle] < limit:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def exchange(inverse, row, column, rows):
    """Update the inverse of a square basis whose column `row` becomes `column`; False if that is singular."""
    pivot = 0.0
    for c in range(rows):
        pivot += inverse[row, c] * column[c]
    if abs(pivot) < 1e-14:
        return False
    for c in range(rows):
        inverse[row, c] /= pivot
    for q in range(rows):
        if q != row:
            factor = 0.0
            for c in range(rows):
                factor += inverse[q, c] * column[c]
            for c in range(rows):
                inverse[q, c] -= factor * inverse[row, c]
    return True


@compiled
def counts_at(t, value, offset, unit, gain, slope, y0, slope0, near, far, out):
    """Count per class the requests with positive reduced profit at prices ``y + t * direction``.

    The count lies between `near` and `far`, which are equal for a class with a basic request: its reduced
    profit stays 0, so its count does not move.
    """
    per_uplink = (y0 + t * slope0) * unit
    for k in range(len(out)):
        low, high = near[k], far[k]
        if low > high:
            low, high = high, low
        profit = gain[k] - t * slope[k]
        if low == high or per_uplink <= 1e-300:
            out[k] = high if profit > 1e-13 else low
        else:
            base = offset[k]
            out[k] = first_at_least(value, base + low, base + high, profit / per_uplink) - base


@compiled
def derivative(value, prefix, offset, unit, slope, slope0, constant, count):
    """Derivative of the dual function along the direction, with these requests at 1."""
    total = constant
    for k in range(len(count)):
        total -= slope[k] * count[k] + slope0 * unit * prefix[offset[k] + k + count[k]]
    return total


@compiled
def unresolved(value, offset, near, far):
    """Requests (equal uplinks once) whose place a line search has not decided yet."""
    total = 0
    for k in range(len(near)):
        low, high = min(near[k], far[k]), max(near[k], far[k])
        if high > low:
            total += 1 if value[offset[k] + low] == value[offset[k] + high - 1] else high - low
    return total


@compiled
def settle(prefix, offset, unit, slope, slope0, slack, near, far):
    """Walk from counts `near` to `far` until the derivative `slack` turns non-negative.

    Leaves the counts in `near` and returns class and position of the request at which it turns (it
    enters the basis), or class -1.
    """
    for k in range(len(near)):
        base = offset[k] + k
        sign = 1 if far[k] < near[k] else -1  # requests leave from the top, or enter from the bottom
        whole = slope[k] * (near[k] - far[k]) + slope0 * unit * (prefix[base + near[k]] - prefix[base + far[k]])
        if near[k] == far[k]:
            continue
        if slack + whole < 0.0:
            slack += whole
            near[k] = far[k]
            continue
        short, enough = 0, abs(near[k] - far[k])  # `short` requests do not turn it, `enough` do
        while enough - short > 1:
            middle = (short + enough) >> 1
            at = near[k] - sign * middle
            part = slope[k] * (near[k] - at) + slope0 * unit * (prefix[base + near[k]] - prefix[base + at])
            if slack + part >= 0.0:
                enough = middle
            else:
                short = middle
        position = near[k] - enough if sign > 0 else near[k] + enough - 1
        near[k] = position
        return k, position
    return -1, -1


@compiled
def agree(value, offset, length, unit, gain, y0, pinned, count):
    """Bring counts back in line with new prices where they clearly disagree."""
    for k in range(len(length)):
        base, size = offset[k], length[k]
        if pinned[k] >= 0:
            limit = float(value[base + pinned[k]])
            slack = 0.0
        elif y0 > 1e-300:
            limit = gain[k] / (y0 * unit)
            slack = 1e-9 * abs(limit)
        else:
            if gain[k] > 1e-9:
                count[k] = size
            elif gain[k] < -1e-9:
                count[k] = 0
            continue
        if count[k] > 0 and value[base + count[k] - 1] > limit + slack:
            count[k] = first_at_least(value, base, base + count[k], limit + slack) - base
        elif count[k] < size and value[base + count[k]] < limit - slack:
            count[k] = first_at_least(value, base + count[k], base + size, limit - slack) - base


@part(INT, INTS, INTS, INTS, INTS, FLOAT, FLOATS_2D, FLOATS, FLOATS, INTS, AXES)
def price(value, prefix, offset, length, unit, cost, share, y, count, axes):
    """Dual simplex from the empty basis; prices into `y`, requests at 1 into `count`; return the pivots.

    `cost` (R, N) and `unit` (for one unit of uplink) are normalised by the capacities, `share` are the
    normalised capacities. `axes` is a tuple as long as there are capacities: its length is known when this is compiled.
    """
    classes, rows = len(length), len(axes)
    # Few arrays with many rows: to allocate one takes as long as a step of the line search.
    whole, real = np.empty((6, classes), np.int64), np.empty((2, classes))
    near, far, middle, none, every, pinned = whole[0], whole[1], whole[2], whole[3], whole[4], whole[5]
    gain, slope = real[0], real[1]
    basis, matrix = np.empty((3, rows), np.int64), np.empty((rows + 2, rows))
    basic_class, basic_at, slack_basic = (
        basis[0],
        basis[1],
        basis[2],
    )  # class of a basic request; -1 - r: slack of row r
    inverse, residual, column = matrix[:rows], matrix[rows], matrix[rows + 1]
    for r in range(rows):
        basic_class[r], basic_at[r], slack_basic[r] = -1 - r, 0, 1
        y[r] = 0.0
        for q in range(rows):
            inverse[r, q] = 1.0 if r == q else 0.0
    for k in range(classes):
        gain[k] = 1.0
    copy(length, count)
    for pivot in range(MOST_PIVOTS):
        copy(share, residual)
        for k in range(classes):
            residual[0] -= unit * prefix[offset[k] + k + count[k]]
            for r in range(1, rows):
                residual[r] -= cost[r, k] * count[k]
        for q in range(rows):
            k = basic_class[q]
            if k >= 0 and basic_at[q] < count[k]:  # a basic request takes what the others leave
                residual[0] += unit * value[offset[k] + basic_at[q]]
                for r in range(1, rows):
                    residual[r] += cost[r, k]
        worst, row, sign = 1e-10, -1, 1.0
        for q in range(rows):
            x = 0.0
            for r in range(rows):
                x += inverse[q, r] * residual[r]
            if -x > worst:
                worst, row, sign = -x, q, 1.0
            elif basic_class[q] >= 0 and x - 1.0 > worst:
                worst, row, sign = x - 1.0, q, -1.0
        if row < 0:
            return pivot

        for k in range(classes):
            none[k], every[k] = 0, length[k]
        for q in range(rows):
            k = basic_class[q]
            if q != row and k >= 0:
                none[k], every[k] = count[k], count[k]
        slope0 = sign * inverse[row, 0]
        constant = 0.0
        furthest, blocking = np.inf, -1
        for r in range(rows):
            step = sign * inverse[row, r]
            constant += step * share[r]
            if slack_basic[r] == 0 and step < -1e-12 and -y[r] / step < furthest:
                furthest, blocking = -y[r] / step, r
        for k in range(classes):
            slope[k] = 0.0
            for r in range(1, rows):
                slope[k] += sign * inverse[row, r] * cost[r, k]

        # Bracket the step at which the derivative turns from negative to positive.
        copy(count, near)
        t0, h0 = 0.0, -worst
        t1, h1 = furthest, 0.0
        if blocking >= 0:
            counts_at(t1, value, offset, unit, gain, slope, y[0], slope0, none, every, far)
            h1 = derivative(value, prefix, offset, unit, slope, slope0, constant, far)
            enters_slack = h1 < 0.0
        else:
            enters_slack = False
            t1 = 1e-3 * max(1.0, y[0])
            for _ in range(120):
                counts_at(t1, value, offset, unit, gain, slope, y[0], slope0, none, every, far)
                h1 = derivative(value, prefix, offset, unit, slope, slope0, constant, far)
                if h1 >= 0.0:
                    break
                t0, h0 = t1, h1
                copy(far, near)
                t1 *= 4.0
            if h1 < 0.0:
                return pivot  # no feasible point: capacities are negative
        if enters_slack:
            copy(far, count)
            entering, at = -1 - blocking, 0
        else:
            for step in range(MOST_STEPS):
                if unresolved(value, offset, near, far) <= 1 or t1 - t0 <= 1e-15 * t1:
                    break
                t = 0.5 * (t0 + t1)
                if step % 3 < 2:
                    width = t1 - t0
                    t = min(max(t0 - h0 * width / (h1 - h0), t0 + 0.02 * width), t1 - 0.02 * width)
                counts_at(t, value, offset, unit, gain, slope, y[0], slope0, near, far, middle)
                h = derivative(value, prefix, offset, unit, slope, slope0, constant, middle)
                if h >= 0.0:
                    t1, h1 = t, h
                    copy(middle, far)
                else:
                    t0, h0 = t, h
                    copy(middle, near)
            slack = derivative(value, prefix, offset, unit, slope, slope0, constant, near)
            entering, at = settle(prefix, offset, unit, slope, slope0, slack, near, far)
            if entering < 0:
                return pivot
            copy(near, count)

        if basic_class[row] < 0:
            slack_basic[-1 - basic_class[row]] = 0
        if entering < 0:
            slack_basic[blocking] = 1
        basic_class[row] = entering
        basic_at[row] = at
        for r in range(rows):
            if entering < 0:
                column[r] = 1.0 if r == blocking else 0.0
            else:
                column[r] = cost[r, entering] if r > 0 else unit * value[offset[entering] + at]
        if not exchange(inverse, row, column, rows):
            return pivot
        for r in range(rows):
            y[r] = 0.0
            for q in range(rows):
                if basic_class[q] >= 0:
                    y[r] += inverse[q, r]
            y[r] = max(y[r], 0.0)
        for k in range(classes):
            taken = 0.0
            for r in range(1, rows):
                taken += y[r] * cost[r, k]
            gain[k] = 1.0 - taken
            pinned[k] = -1
        for q in range(rows):
            if basic_class[q] >= 0:
                pinned[basic_class[q]] = basic_at[q]
        agree(value, offset, length, unit, gain, y[0], pinned, count)
    return MOST_PIVOTS
