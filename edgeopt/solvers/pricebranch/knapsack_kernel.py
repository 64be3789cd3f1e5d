"""Compiled knapsacks: the Lagrangian bound at prices of the groups, what forcing a choice costs, steps in the prices.

Everything that decides is in int64: gains are multiples of a scale, so a bound is exact.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np

from edgeopt.solvers.jit import compiled, kernel

NEVER = 2**60
"""Loss of what cannot be, and the bound of a vertex that is empty with the opposite sign."""
PATIENCE = 10
"""Steps without a better bound after which shorter ones are taken."""


@compiled
def open_choices(profit, group, weight, first, capacity, state, pi, b, own):
    """List in `own` the open choices of a bin that gain and fit.

    Returns how many, the room left, what is gained by the chosen ones, and the weight of those listed.
    """
    room, base, total, count = capacity[b], 0, 0, 0
    for k in range(first[b], first[b + 1]):
        if state[k] == 1:
            room -= weight[k]
            base += profit[k] - pi[group[k]]
    for k in range(first[b], first[b + 1]):
        if state[k] == 0 and weight[k] <= room and profit[k] > pi[group[k]]:
            own[count] = k
            count += 1
            total += weight[k]
    return count, room, base, total


@compiled
def evaluate(profit, group, weight, first, capacity, state, pi, table, own, x):
    """Prices plus the best content of each bin, which `x` receives; ``-NEVER`` if what is chosen does not fit."""
    bound = 0
    for g in range(len(pi)):
        bound += pi[g]
    for b in range(len(capacity)):
        count, room, base, total = open_choices(profit, group, weight, first, capacity, state, pi, b, own)
        if room < 0:
            return -NEVER
        for k in range(first[b], first[b + 1]):
            x[k] = state[k] == 1
        bound += base
        if total <= room:
            for i in range(count):
                x[own[i]] = 1
                bound += profit[own[i]] - pi[group[own[i]]]
            continue
        # Row i is needed only from the capacity on that the choices after it can fill up to the room.
        for c in range(room + 1):
            table[0, c] = 0
        for i in range(count):
            k = own[i]
            w, gain = weight[k], profit[k] - pi[group[k]]
            total -= w
            low = max(0, room - total)
            for c in range(low, min(w, room + 1)):
                table[i + 1, c] = table[i, c]
            start = max(low, w)
            for c in range(start, room + 1):
                table[i + 1, c] = max(table[i, c], table[i, c - w] + gain)
        bound += table[count, room]
        left = room
        for i in range(count - 1, -1, -1):
            if table[i + 1, left] != table[i, left]:
                x[own[i]] = 1
                left -= weight[own[i]]
    return bound


@kernel
def losses(profit, group, weight, first, capacity, state, pi, table, own, without, with_):
    """What forcing each open choice out (`without`) or in (`with_`) takes off the bound, exactly.

    Where a choice is in, other bins lose their choices of its group too.

    Parameters
    ----------
    profit, pi : (K,) and (G,) int64
        Scaled.
    weight : (K,) int64
        In units of the bin, as `capacity` (B,).
    state : (K,) int8
        1: chosen, -1: out, 0: open. What is chosen has to fit.
    table : (n + 1, C + 1) int64
        Work space, as is `own` (n,): the most choices and the largest capacity of a bin.
    without, with_ : (K,) int64
        Receive the losses.
    """
    groups = len(pi)
    most, every = np.zeros(groups, dtype=np.int64), np.zeros(groups, dtype=np.int64)
    for b in range(len(capacity)):
        count, room, _, total = open_choices(profit, group, weight, first, capacity, state, pi, b, own)
        size = min(room, total)
        for c in range(size + 1):
            table[0, c] = 0
        for i in range(count):
            k = own[i]
            w, gain = weight[k], profit[k] - pi[group[k]]
            for c in range(min(w, size + 1)):
                table[i + 1, c] = table[i, c]
            for c in range(w, size + 1):
                table[i + 1, c] = max(table[i, c], table[i, c - w] + gain)
        best = table[count, size]
        for k in range(first[b], first[b + 1]):
            without[k], with_[k] = 0, NEVER
            if state[k] == 0 and weight[k] <= room:
                left = min(size, room - weight[k])
                with_[k] = best - table[count, left] - (profit[k] - pi[group[k]])
        after = np.zeros(size + 1, dtype=np.int64)
        for i in range(count - 1, -1, -1):
            k = own[i]
            w, gain = weight[k], profit[k] - pi[group[k]]
            none, some = 0, 0
            for c in range(size + 1):
                none = max(none, table[i, c] + after[size - c])
            for c in range(size - w + 1):
                some = max(some, table[i, c] + after[size - w - c])
            without[k], with_[k] = best - none, best - some - gain
            for c in range(size, w - 1, -1):
                after[c] = max(after[c], after[c - w] + gain)
        for k in range(first[b], first[b + 1]):
            most[group[k]] = max(most[group[k]], without[k])
        for k in range(first[b], first[b + 1]):
            every[group[k]] += most[group[k]]
            most[group[k]] = 0
    for b in range(len(capacity)):
        for k in range(first[b], first[b + 1]):
            most[group[k]] = max(most[group[k]], without[k])
        for k in range(first[b], first[b + 1]):
            if with_[k] < NEVER:
                with_[k] += every[group[k]] - most[group[k]]
        for k in range(first[b], first[b + 1]):
            most[group[k]] = 0


@kernel
def descend(
    profit, group, weight, first, capacity, state, free, limit,
    pi, need, gap, least_gap, steps, table, own, x, best_pi, best_x, amount,
):  # fmt: skip
    """Lower the bound by steps in the group prices (deflected subgradients, Polyak's step length).

    Parameters
    ----------
    profit, group, weight, first, capacity, state, table, own
        See `losses`.
    free : bool
        Whether prices may be negative.
    limit : float
        Largest absolute price.
    pi : (G,) float64
        Prices to start from; changed.
    need : int
        Stop once the bound is below this.
    gap, least_gap : float
        How far below the best bound the first steps aim, and the last.
    steps : int
    x : (K,) int8
        Receives the contents of the last step.
    best_pi, best_x : (G,) int64 and (K,) int8
        Receive the rounded prices of the best bound, and its contents.
    amount : (K,) float64
        The contents, averaged; changed.

    Returns
    -------
    (int, float)
        Best bound, and the gap aimed at in the end.
    """
    groups = len(pi)
    whole = np.empty(groups, dtype=np.int64)
    slope = np.empty(groups)
    move = np.zeros(groups)
    best = NEVER
    stall = 0
    for _ in range(steps):
        for g in range(groups):
            pi[g] = min(limit, max(-limit if free else 0.0, pi[g]))
            whole[g] = np.int64(np.rint(pi[g]))
        bound = evaluate(profit, group, weight, first, capacity, state, whole, table, own, x)
        if bound < best:
            stall = 0 if bound < best - 0.1 * gap else stall + 1
            best = bound
            for g in range(groups):
                best_pi[g] = whole[g]
            for k in range(len(x)):
                best_x[k] = x[k]
            if best < need:
                break
        else:
            stall += 1
        if stall > PATIENCE:
            gap *= 0.6
            stall = 0
            if gap < least_gap:
                break
            for g in range(groups):
                pi[g] = best_pi[g]
                move[g] = 0.0
        for g in range(groups):
            slope[g] = 1.0
        for k in range(len(x)):
            slope[group[k]] -= x[k]
            amount[k] += 0.05 * (x[k] - amount[k])
        norm = 0.0
        for g in range(groups):
            if not free and pi[g] <= 0.0 and slope[g] > 0.0:
                slope[g] = 0.0
            move[g] = slope[g] + 0.5 * move[g]
            norm += move[g] * move[g]
        if norm < 1e-12:
            break
        length = (bound - max(best - gap, need - 1.0)) / norm
        for g in range(groups):
            pi[g] -= length * move[g]
    return best, gap
