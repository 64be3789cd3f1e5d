"""Compiled heuristic: a set of choices from the contents of the bins, repaired and improved by moves of two groups."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

from edgeopt.solvers.jit import compiled, kernel

NONE = -1


@compiled
def move_in(g, k, place, profit, weight, bin, capacity, at, load, floor):
    """Move group `g` to choice `k`, pushing another group elsewhere if need be, if that gains more than `floor`."""
    old = place[g]
    gain = profit[k] - (profit[old] if old != NONE else 0)
    if old != NONE:
        load[bin[old]] -= weight[old]
    b = bin[k]
    if gain > floor and load[b] + weight[k] <= capacity[b]:
        place[g] = k
        load[b] += weight[k]
        return True
    over = load[b] + weight[k] - capacity[b]
    most, who, where = floor, NONE, NONE
    for h in range(len(place)):
        other = place[h]
        if h == g or other == NONE or bin[other] != b or weight[other] < over:
            continue
        for c in range(len(capacity)):
            new = at[h, c]
            if c == b or new == NONE or load[c] + weight[new] > capacity[c]:
                continue
            if gain + profit[new] - profit[other] > most:
                most, who, where = gain + profit[new] - profit[other], h, new
    if who == NONE:
        if old != NONE:
            load[bin[old]] += weight[old]
        return False
    load[b] += weight[k] - weight[place[who]]
    load[bin[where]] += weight[where]
    place[g], place[who] = k, where
    return True


@kernel
def repaired(profit, group, weight, bin, capacity, at, exact, x, place, load, worst):
    """Keep one choice a group of the contents `x`, put in who lacks one, then improve.

    Parameters
    ----------
    profit, group, weight, bin : (K,) int64
    capacity : (B,) int64
    at : (G, B) int64
        The choice of a group in a bin, -1 if there is none.
    exact : bool
        Whether every group needs a choice.
    x : (K,) int8
        Contents of the bins, each of which fits.
    place : (G,) int64
        Receives the choice of each group, or -1.
    load : (B,) int64
        Work space.
    worst : int
        Less than what any move loses.

    Returns
    -------
    bool
        Whether `place` is feasible.
    """
    groups, bins = at.shape
    for g in range(groups):
        place[g] = NONE
    for b in range(bins):
        load[b] = 0
    for k in range(len(x)):
        g = group[k]
        if x[k] and (place[g] == NONE or profit[k] > profit[place[g]]):
            place[g] = k
    for g in range(groups):
        if place[g] != NONE:
            load[bin[place[g]]] += weight[place[g]]
    for g in range(groups):
        if place[g] != NONE or not exact:
            continue
        # The best bin with room; if there is none, one that another group leaves.
        best = NONE
        for b in range(bins):
            k = at[g, b]
            if k != NONE and load[b] + weight[k] <= capacity[b] and (best == NONE or profit[k] > profit[best]):
                best = k
        if best != NONE:
            place[g] = best
            load[bin[best]] += weight[best]
            continue
        done = False
        for b in range(bins):
            if at[g, b] != NONE and move_in(g, at[g, b], place, profit, weight, bin, capacity, at, load, worst):
                done = True
                break
        if not done:
            return False
    better = True
    while better:
        better = False
        for g in range(groups):
            for b in range(bins):
                k = at[g, b]
                if k == NONE or k == place[g]:
                    continue
                if move_in(g, k, place, profit, weight, bin, capacity, at, load, 0):
                    better = True
    return True
