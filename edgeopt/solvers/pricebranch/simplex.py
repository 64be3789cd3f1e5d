"""Compiled prices of one threshold of a bin: a dual simplex with a long step for few rows and many bounded columns."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np

from edgeopt.solvers.jit import compiled

MOST_PIVOTS = 200
RAY = 1e6
"""How far along an unbounded dual ray prices go, in units of the capacities: far enough to refute any value."""


@compiled
def invert(matrix, inverse):
    """Invert a small square matrix (Gauss-Jordan with row pivoting); False if it is singular."""
    size = len(matrix)
    work = matrix.copy()
    for r in range(size):
        for c in range(size):
            inverse[r, c] = 1.0 if r == c else 0.0
    for c in range(size):
        p = c
        for r in range(c + 1, size):
            if abs(work[r, c]) > abs(work[p, c]):
                p = r
        if abs(work[p, c]) < 1e-12:
            return False
        for j in range(size):
            work[c, j], work[p, j] = work[p, j], work[c, j]
            inverse[c, j], inverse[p, j] = inverse[p, j], inverse[c, j]
        scale = 1.0 / work[c, c]
        for j in range(size):
            work[c, j] *= scale
            inverse[c, j] *= scale
        for r in range(size):
            if r != c and work[r, c] != 0.0:
                factor = work[r, c]
                for j in range(size):
                    work[r, j] -= factor * work[c, j]
                    inverse[r, j] -= factor * inverse[c, j]
    return True


@compiled
def price(gain, weight, state, size, room, y, x):
    """Prices ``y`` of one threshold: the dual of ``max gain . x``, ``weight x <= room``, ``0 <= x <= 1``.

    A dual simplex with a long step: a pivot passes breakpoints (choices that change sides) as long as the
    dual objective falls. Only the first `size` choices exist. Whatever `y` comes out, it is a valid price;
    `x` receives the primal solution.
    """
    resources = weight.shape[1]
    free = np.empty(size, np.int64)
    n = 0
    left = room.copy()
    for k in range(size):
        if state[k] == 0:
            free[n] = k
            n += 1
        elif state[k] == 1:
            for r in range(resources):
                left[r] -= weight[k, r]
    upper = np.zeros(n, np.bool_)
    basis = np.empty(resources, np.int64)
    basic = np.zeros(n + resources, np.bool_)
    matrix = np.zeros((resources, resources))
    inverse = np.zeros((resources, resources))
    for r in range(resources):
        basis[r] = n + r
        basic[n + r] = True
        matrix[r, r] = 1.0
        y[r] = 0.0
    for j in range(n):
        upper[j] = gain[free[j]] > 0.0
    ratio = np.empty(n + resources)
    who = np.empty(n + resources, np.int64)
    rate = np.empty(n + resources)
    value = np.zeros(resources)
    for _ in range(MOST_PIVOTS):
        if not invert(matrix, inverse):
            break
        for r in range(resources):
            y[r] = 0.0
        for i in range(resources):
            if basis[i] < n:
                for r in range(resources):
                    y[r] += gain[free[basis[i]]] * inverse[i, r]
        slack = left.copy()
        for j in range(n):
            if upper[j] and not basic[j]:
                for r in range(resources):
                    slack[r] -= weight[free[j], r]
        out = -1
        worst = 1e-9
        for i in range(resources):
            value[i] = 0.0
            for r in range(resources):
                value[i] += inverse[i, r] * slack[r]
            amiss = -value[i]
            if basis[i] < n and value[i] - 1.0 > amiss:
                amiss = value[i] - 1.0
            if amiss > worst:
                worst = amiss
                out = i
        if out < 0:
            break
        sign = 1.0 if value[out] < 0.0 else -1.0
        m = 0
        for j in range(n):
            if basic[j]:
                continue
            step = 0.0
            for r in range(resources):
                step += inverse[out, r] * weight[free[j], r]
            step *= sign
            if (step > 1e-11) if upper[j] else (step < -1e-11):
                reduced = gain[free[j]]
                for r in range(resources):
                    reduced -= y[r] * weight[free[j], r]
                ratio[m] = max(0.0, reduced / step)
                rate[m] = abs(step)
                who[m] = j
                m += 1
        for r in range(resources):
            if basic[n + r]:
                continue
            step = sign * inverse[out, r]
            if step < -1e-11:
                ratio[m] = max(0.0, -y[r] / step)
                rate[m] = np.inf
                who[m] = n + r
                m += 1
        into = long_step(ratio, rate, who, m, worst, upper)
        if into < 0:  # no set of choices fits: walk far along the ray
            for r in range(resources):
                y[r] += sign * RAY * inverse[out, r]
            break
        gone = basis[out]
        if gone < n:
            upper[gone] = sign < 0.0
        basic[gone] = False
        basic[into] = True
        basis[out] = into
        for r in range(resources):
            matrix[r, out] = weight[free[into], r] if into < n else (1.0 if into - n == r else 0.0)
    for k in range(len(x)):
        x[k] = 1.0 if k < size and state[k] == 1 else 0.0
    for j in range(n):
        if upper[j] and not basic[j]:
            x[free[j]] = 1.0
    for i in range(resources):
        if basis[i] < n:
            x[free[basis[i]]] = min(1.0, max(0.0, value[i]))
    for r in range(resources):
        y[r] = max(0.0, y[r])


@compiled
def long_step(ratio, rate, who, size, slope, upper):
    """Pass breakpoints in the order of `ratio` while the dual objective falls; the one that stops it enters.

    A weighted quickselect: parts that are passed as a whole are never sorted.
    """
    low, high = 0, size
    while low < high:
        pivot = ratio[(low + high) >> 1]
        below, i, above = low, low, high
        while i < above:
            if ratio[i] < pivot:
                exchange(ratio, rate, who, i, below)
                below += 1
                i += 1
            elif ratio[i] > pivot:
                above -= 1
                exchange(ratio, rate, who, i, above)
            else:
                i += 1
        total = 0.0
        for m in range(low, below):
            total += rate[m]
        if total >= slope:
            high = below
            continue
        slope -= total
        for m in range(low, below):
            upper[who[m]] = not upper[who[m]]
        for m in range(below, above):
            slope -= rate[m]
            if slope <= 0.0:
                return who[m]
            upper[who[m]] = not upper[who[m]]
        low = above
    return -1


@compiled
def exchange(ratio, rate, who, i, j):
    """Swap two breakpoints."""
    ratio[i], ratio[j] = ratio[j], ratio[i]
    rate[i], rate[j] = rate[j], rate[i]
    who[i], who[j] = who[j], who[i]
