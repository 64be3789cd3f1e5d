"""Compiled dual simplex on single requests, for nodes with per-user downlink shares.

Requests of one class now differ in two demands, so no prefix of a class is always best, and a pivot has
to look at every request: the line search is a weighted selection among the steps at which requests change
sides. As in `ot_price`, prices steer and prove nothing by themselves.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np

from edgeopt.solvers.batching.ot_price import exchange
from edgeopt.solvers.jit import AXES, FLOATS, FLOATS_2D, INT, INTS, compiled, part

MOST_PIVOTS = 200


@compiled
def swap(step, weight, item, i, j):
    """Swap two breakpoints."""
    step[i], step[j] = step[j], step[i]
    weight[i], weight[j] = weight[j], weight[i]
    item[i], item[j] = item[j], item[i]


@compiled
def select(step, weight, item, size, needed):
    """Partition breakpoints so that those before the returned position weigh just less than `needed`.

    No breakpoint before it has a larger step, none after it a smaller one. -1 if all weigh too little.
    """
    total = 0.0
    for i in range(size):
        total += weight[i]
    if total < needed:
        return -1
    low, high, before = 0, size, 0.0
    while high - low > 1:
        a, b, c = step[low], step[(low + high) >> 1], step[high - 1]
        pivot = max(min(a, b), min(max(a, b), c))
        smaller, at, larger = low, low, high
        sum_smaller, sum_equal = 0.0, 0.0
        while at < larger:
            if step[at] < pivot:
                sum_smaller += weight[at]
                swap(step, weight, item, smaller, at)
                smaller += 1
                at += 1
            elif step[at] > pivot:
                larger -= 1
                swap(step, weight, item, at, larger)
            else:
                sum_equal += weight[at]
                at += 1
        if before + sum_smaller >= needed and smaller > low:
            high = smaller
        elif before + sum_smaller + sum_equal >= needed or larger == high:
            before += sum_smaller
            for i in range(smaller, larger):
                before += weight[i]
                if before >= needed:
                    return i
            return larger - 1
        else:
            before += sum_smaller + sum_equal
            low = larger
    return low


@compiled
def move(cost, item, amount, residual):
    """Give the demand of a request back to (+1), or take it from (-1), the residual capacities."""
    for r in range(len(residual)):
        residual[r] += amount * cost[r, item]


@part(INT, INTS, INT, FLOATS_2D, FLOATS, FLOATS, INTS, INTS, FLOATS, FLOATS, FLOATS, INTS, AXES)
def price_items(free, size, cost, share, y, side, basic, level, step, weight, item, axes):
    """Dual simplex over the requests ``free[:size]``; return the pivots.

    Parameters
    ----------
    cost : (R, n) float64
        Normalised demands; `share` (R,) are the normalised capacities.
    y, side, basic, level : arrays, out
        Prices; 1, 0 or 2 for a request at one, at zero, or basic; the basis (request, or ``-1 - r`` for
        the slack of row ``r``) and its values.
    step, weight, item : arrays of at least `size`
        Work space.
    """
    rows = len(axes)
    slack_basic = np.empty(rows, np.bool_)
    inverse = np.empty((rows, rows))
    residual = np.empty(rows)
    direction = np.empty(rows)
    column = np.empty(rows)
    for r in range(rows):
        basic[r], slack_basic[r], y[r], residual[r] = -1 - r, True, 0.0, share[r]
        for q in range(rows):
            inverse[r, q] = 1.0 if r == q else 0.0
    for f in range(size):
        side[free[f]] = 1
        move(cost, free[f], -1.0, residual)
    for pivot in range(MOST_PIVOTS):
        worst, row, sign = 1e-10, -1, 1.0
        for q in range(rows):
            x = 0.0
            for r in range(rows):
                x += inverse[q, r] * residual[r]
            level[q] = x
            if -x > worst:
                worst, row, sign = -x, q, 1.0
            elif basic[q] >= 0 and x - 1.0 > worst:
                worst, row, sign = x - 1.0, q, -1.0
        if row < 0:
            return pivot

        furthest, blocking = np.inf, -1
        for r in range(rows):
            direction[r] = sign * inverse[row, r]
            if not slack_basic[r] and direction[r] < -1e-12 and -y[r] / direction[r] < furthest:
                furthest, blocking = -y[r] / direction[r], r
        points = 0
        for f in range(size):
            i = free[f]
            if side[i] == 2:
                continue
            slope, profit = 0.0, 1.0
            for r in range(rows):
                slope += direction[r] * cost[r, i]
                profit -= y[r] * cost[r, i]
            if side[i] == 1 and slope > 1e-12:
                at = max(0.0, profit) / slope
            elif side[i] == 0 and slope < -1e-12:
                at = min(0.0, profit) / slope
            else:
                continue
            if at < furthest:
                step[points], weight[points], item[points] = at, abs(slope), i
                points += 1
        chosen = select(step, weight, item, points, worst)
        if chosen < 0 and blocking < 0:
            return pivot  # no feasible point
        flips = chosen if chosen >= 0 else points
        for p in range(flips):
            i = item[p]
            move(cost, i, 1.0 if side[i] == 1 else -1.0, residual)
            side[i] = 1 - side[i]
        leaving = basic[row]
        if leaving >= 0:
            side[leaving] = 0
            if sign < 0:
                side[leaving] = 1
                move(cost, leaving, -1.0, residual)
        else:
            slack_basic[-1 - leaving] = False
        if chosen >= 0:
            entering = item[chosen]
            if side[entering] == 1:
                move(cost, entering, 1.0, residual)
            side[entering] = 2
            basic[row] = entering
        else:
            slack_basic[blocking] = True
            basic[row] = -1 - blocking
        for r in range(rows):
            column[r] = cost[r, basic[row]] if basic[row] >= 0 else (1.0 if r == blocking else 0.0)
        if not exchange(inverse, row, column, rows):
            return pivot
        for r in range(rows):
            y[r] = 0.0
            for q in range(rows):
                if basic[q] >= 0:
                    y[r] += inverse[q, r]
            y[r] = max(y[r], 0.0)
    return MOST_PIVOTS
