"""Compiled bounds: scans over all thresholds of a bin, and ascent in the group prices."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np

from edgeopt.solvers.jit import compiled, kernel
from edgeopt.solvers.pricebranch.simplex import price

POOL = 6
"""Price vectors a bin that are kept from one step to the next."""
# Slots of what the steps of an ascent rest on.
BEST, GAP, STALL, STEP = range(4)


@compiled
def scan(gain, weight, state, count, room, low, high, y, upper):
    """Lower `upper` at the thresholds ``low..high`` by the bound that the prices `y` give."""
    resources = weight.shape[1]
    total = 0.0
    k = 0
    for level in range(high + 1):
        while k < count[level]:
            if state[k] >= 0:
                profit = gain[k]
                for r in range(resources):
                    profit -= y[r] * weight[k, r]
                if profit > 0.0 or state[k] == 1:
                    total += profit
            k += 1
        if level >= low:
            here = total
            for r in range(resources):
                here += y[r] * room[level, r]
            if here < upper[level]:
                upper[level] = here


@kernel
def curve(gain, weight, state, count, room, low, high, vectors, upper):
    """Least bound of a bin at each of the thresholds ``low..high`` over the price `vectors`.

    Parameters
    ----------
    gain : (n,) float64
        ``profit_k - pi_g(k)``, choices by falling budget.
    weight : (n, D) float64
    state : (n,) int8
        1: chosen, -1: out, 0: open.
    count : (L,) int64
        Number of choices whose budget allows threshold ``l``.
    room : (L, D) float64
        Capacity of the bin at each threshold.
    vectors : (M, D) float64
    upper : (L,) float64
        Receives the bound.
    """
    for level in range(low, high + 1):
        upper[level] = np.inf
    for m in range(len(vectors)):
        scan(gain, weight, state, count, room, low, high, vectors[m], upper)


@compiled
def largest(upper, low, high):
    """Threshold with the largest bound."""
    top = low
    for level in range(low, high + 1):
        if upper[level] > upper[top]:
            top = level
    return top


@compiled
def bin_bound(gain, weight, state, count, room, low, high, pool, x, rounds):
    """Bound of one bin: refine the price vectors at the largest threshold until it stays the largest.

    Returns the bound and its threshold; `x` receives the fractional choices there. `pool` gets the new vectors.
    """
    upper = np.full(high + 1, np.inf)
    y = np.empty(weight.shape[1])
    trial = np.empty(len(gain))
    for m in range(len(pool)):
        scan(gain, weight, state, count, room, low, high, pool[m], upper)
    last = -1
    most = -np.inf
    where = low
    for _ in range(rounds):
        top = largest(upper, low, high)
        if top == last:
            break
        last = top
        price(gain, weight, state, count[top], room[top], y, trial)
        for m in range(len(pool) - 1, 0, -1):
            for r in range(len(y)):
                pool[m, r] = pool[m - 1, r]
        for r in range(len(y)):
            pool[0, r] = y[r]
        scan(gain, weight, state, count, room, low, high, y, upper)
        if upper[top] > most:
            most = upper[top]
            where = top
            for k in range(len(x)):
                x[k] = trial[k]
    return upper[largest(upper, low, high)], where


@kernel
def cover(gain, weight, state, count, room, low, high, vectors, known, goal):
    """Price vectors that bound a bin at every threshold as well as the prices of the groups allow.

    `vectors` holds `known` ones and receives more, until the largest bound is at most `goal`, cannot fall, or there
    is no space. Returns how many there are then.
    """
    upper = np.full(high + 1, np.inf)
    y = np.empty(weight.shape[1])
    x = np.empty(len(gain))
    for m in range(known):
        scan(gain, weight, state, count, room, low, high, vectors[m], upper)
    last = -1
    while known < len(vectors):
        top = largest(upper, low, high)
        if top == last or upper[top] <= goal:
            break
        last = top
        price(gain, weight, state, count[top], room[top], y, x)
        for r in range(len(y)):
            vectors[known, r] = y[r]
        known += 1
        scan(gain, weight, state, count, room, low, high, y, upper)
    return known


@kernel
def explore(gain, weight, state, count, room, low, high, vectors, known, x):
    """`cover` without a goal; returns how many vectors there are and the bound, `x` receives what reaches it."""
    upper = np.full(high + 1, np.inf)
    y = np.empty(weight.shape[1])
    for m in range(known):
        scan(gain, weight, state, count, room, low, high, vectors[m], upper)
    last = -1
    top = largest(upper, low, high)
    while known < len(vectors) and top != last:
        last = top
        price(gain, weight, state, count[top], room[top], y, x)
        for r in range(len(y)):
            vectors[known, r] = y[r]
        known += 1
        scan(gain, weight, state, count, room, low, high, y, upper)
        top = largest(upper, low, high)
    return known, upper[top]


@kernel
def ascend(
    profit, group, weight, state, first, levels, count, room, low, high, free,
    pi, pools, target, hope, until, best_pi, best_pools, share, amount, move, walk,
):  # fmt: skip
    """Lower the bound of a box by steps in the group prices (subgradients, Polyak's step length).

    What the steps rest on outlives a call, so that they may be taken in several.

    Parameters
    ----------
    free : bool
        Whether prices may be negative.
    pi : (G,) float64
        Prices to start from; changed.
    pools : (B, POOL, D) float64
        Price vectors to start from; changed.
    target : float
        Stop once the bound is not above this.
    hope : float
        The steps are given up once they aim at less than this share of what the target asks.
    until : int
        Number of the step before which to pause.
    best_pi, best_pools
        Receive the prices of the best bound.
    share : (L,) float64
        Receives how often a threshold was the largest, later steps counting more.
    amount : (K,) float64
        Receives the averaged fractional choices.
    move : (G,) float64
        Direction of the steps, 0 at first.
    walk : (4,) float64
        Best bound so far (infinite at first), how far below it the steps aim, steps without success, steps taken.

    Returns
    -------
    bool
        Whether further steps are of use.
    """
    bins, groups = len(first) - 1, len(pi)
    x = np.empty(len(profit))
    gain = np.empty(len(profit))
    slope = np.empty(groups)
    best, gap, stall = walk[BEST], walk[GAP], int(walk[STALL])
    useful = True
    for step in range(int(walk[STEP]), until):
        total = 0.0
        for g in range(groups):
            slope[g] = 1.0
            total += pi[g]
        for k in range(len(profit)):
            gain[k] = profit[k] - pi[group[k]]
        keep = 0.96 if step else 0.0
        for b in range(bins):
            here, there, base, over = first[b], first[b + 1], levels[b], levels[b + 1]
            value, top = bin_bound(
                gain[here:there], weight[here:there], state[here:there], count[base:over], room[base:over],
                low[b], high[b], pools[b], x[here:there], 5,
            )  # fmt: skip
            total += value
            for level in range(base, over):
                share[level] *= keep
            share[base + top] += 1.0 - keep
        for k in range(len(profit)):
            slope[group[k]] -= x[k]
            amount[k] = keep * amount[k] + (1.0 - keep) * x[k]
        if total < best:
            stall = 0 if total < best - 0.2 * gap else stall + 1
            best = total
            for g in range(groups):
                best_pi[g] = pi[g]
            for b in range(bins):
                for m in range(pools.shape[1]):
                    for r in range(pools.shape[2]):
                        best_pools[b, m, r] = pools[b, m, r]
            if best <= target:
                useful = False
                break
        else:
            stall += 1
        if stall > 12:
            gap *= 0.6
            stall = 0
            if gap < max(1e-5, hope * (best - target)):
                useful = False
                break
            for g in range(groups):
                pi[g] = best_pi[g]
                move[g] = 0.0
        norm = 0.0
        for g in range(groups):
            if not free and pi[g] <= 0.0 and slope[g] > 0.0:
                slope[g] = 0.0
            move[g] = slope[g] + 0.5 * move[g]
            if not free and pi[g] <= 0.0 and move[g] > 0.0:
                move[g] = 0.0
            norm += move[g] * move[g]
        if norm < 1e-14:
            useful = False
            break
        length = (total - max(best - gap, target - 1e-3)) / norm
        for g in range(groups):
            pi[g] -= length * move[g]
            if not free and pi[g] < 0.0:
                pi[g] = 0.0
    walk[BEST], walk[GAP], walk[STALL], walk[STEP] = best, gap, stall, until
    return useful
