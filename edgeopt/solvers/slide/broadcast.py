"""The least band for broadcasts to any number of users: per model by enumeration, over all models by a knapsack (ours).

A user needs the bit rate ``r = y_min rho`` on any channel. A broadcast to the users ``S`` takes the share
``max_S r / min_S rho``, so the cheapest one to ``n`` users is found among those to the ``n`` smallest ``r`` of all
users with ``rho >= R``, for every ``R``; several broadcasts of a model by a program over those that rise in both. The
multiple-choice knapsack with unit profits then adds up models.
All functions take doubles or, as object arrays, fractions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]
"""Doubles, or objects of the type Fraction."""


@dataclass(frozen=True, slots=True, eq=False)
class Broadcast:
    """The cheapest broadcasts of one model.

    Attributes
    ----------
    cost : (n + 1,) array
        Share for exactly ``0..n`` users, rising; at most the limit.
    groups : callable
        Number of users to the places of them, one list a broadcast.
    complete : bool
        Whether no number of users has a cheaper way.
    """

    cost: Column
    groups: Callable[[int], list[list[int]]]
    complete: bool = True


def cheapest(bit_rate: Column, rate: Column, limit: Any) -> Broadcast:
    """The cheapest single broadcasts to each number of users.

    Parameters
    ----------
    bit_rate : (n,) array
        ``r_k`` (bit/s).
    rate : (n,) array
        ``rho_k`` (bit/s), positive.
    limit
        Largest share of interest.
    """
    kind = bit_rate.dtype
    cost, worst = np.full(len(rate) + 1, np.inf, dtype=kind), np.full(len(rate) + 1, -1, dtype=np.int64)
    cost[0] = 0
    sorted_needs = np.zeros(0, dtype=kind)
    for place in np.argsort(-rate, kind="stable").tolist():
        at = int(np.searchsorted(sorted_needs, bit_rate[place], side="right"))
        sorted_needs = np.insert(sorted_needs, at, bit_rate[place])
        share = sorted_needs / rate[place]
        # what takes too much at this rate takes more at all lower ones
        count = int(np.searchsorted(share, limit, side="right"))
        sorted_needs, share = sorted_needs[:count], share[:count]
        better = 1 + np.flatnonzero(share < cost[1 : count + 1])
        cost[better], worst[better] = share[better - 1], place
    most = int(np.count_nonzero(cost <= limit))

    def groups(count: int) -> list[list[int]]:
        near = np.flatnonzero(rate >= rate[worst[count]]) if count else np.zeros(0, dtype=np.int64)
        return [near[np.argsort(bit_rate[near], kind="stable")][:count].tolist()] if count else []

    return Broadcast(cost[:most], groups)


def cheapest_several(bit_rate: Column, rate: Column, limit: Any, stop: Callable[[], bool]) -> Broadcast:
    """The cheapest sets of broadcasts of one model to each number of users, in ``O(n^4)`` (ours).

    A broadcast with a larger ``r`` and a smaller ``R`` than another serves all its users, so those that are worth it
    rise in both. Each then adds to the ones before it the users with ``r`` above the last one's, as many as wanted, and
    of these those of the largest rates: ``least[e][n] = min_{b, c} least[b][n - c] + r_e / R``, ``R`` the ``c``-th
    largest rate of the users after the ``b``-th up to the ``e``-th, sorted by ``r``. Parameters as in `cheapest`; where
    `stop` says so, it is not complete.
    """
    order = np.argsort(bit_rate, kind="stable")
    count, kind = len(rate), bit_rate.dtype
    least = np.full((count + 1, count + 1), np.inf, dtype=kind)
    least[0, 0] = 0
    begins = np.zeros((count + 1, count + 1), dtype=np.int64)
    adds = np.zeros((count + 1, count + 1), dtype=np.int64)
    complete = True
    for end in range(1, count + 1):
        if stop():
            complete = False
            break
        rising = np.zeros(0, dtype=kind)  # the negative rates of the users added
        for begin in reversed(range(end)):
            own = -rate[order[begin]]
            rising = np.insert(rising, int(np.searchsorted(rising, own, side="right")), own)
            shares = bit_rate[order[end - 1]] / -rising
            before = least[begin, : begin + 1]
            for added, share in enumerate(
                shares[: int(np.searchsorted(shares, limit, side="right"))].tolist(), start=1
            ):
                total = before + share
                here = least[end, added : added + begin + 1]
                better = np.flatnonzero(total < here)
                here[better] = total[better]
                begins[end, added + better], adds[end, added + better] = begin, added
    ends = np.array([min(range(count + 1), key=lambda end: least[end, n]) for n in range(count + 1)])
    cost = least[ends, np.arange(count + 1)]
    most = int(np.count_nonzero(cost <= limit))

    def groups(wanted: int) -> list[list[int]]:
        found, end = [], int(ends[wanted])
        while wanted:
            begin, added = int(begins[end, wanted]), int(adds[end, wanted])
            inside = order[begin:end]
            found.append(inside[np.argsort(-rate[inside], kind="stable")][:added].tolist())
            wanted, end = wanted - added, begin
        return found

    return Broadcast(cost[:most], groups, complete)


@dataclass(frozen=True, slots=True, eq=False)
class LeastBand:
    """The least band for each number of users in all.

    Attributes
    ----------
    band : (n + 1,) array
        For ``0..n`` users, rising; at most the limit.
    picks : list of (.,) int32
        By model: users it serves where it and the models before it serve so many; fewer when it was stopped.
    """

    band: Column
    picks: list[NDArray[np.int32]]

    def counts(self, users: int) -> list[int]:
        """How many users of each model the cheapest way to serve so many has."""
        found = []
        for pick in reversed(self.picks):
            found.append(int(pick[users]))
            users -= found[-1]
        return found[::-1]


def least_band(broadcasts: Sequence[Broadcast], limit: Any, stop: Callable[[], bool]) -> LeastBand:
    """Add up models: ``band[n] = min_j (band of the models before)[n - j] + cost[j]``."""
    band: Column = np.zeros(1, dtype=broadcasts[0].cost.dtype if broadcasts else np.float64)
    picks = []
    for broadcast in broadcasts:
        if stop():
            break
        total = np.full(len(band) + len(broadcast.cost) - 1, np.inf, dtype=band.dtype)
        pick = np.zeros(len(total), dtype=np.int32)
        for count, cost in enumerate(broadcast.cost):
            candidate = band + cost
            here = slice(count, count + len(band))
            better = candidate < total[here]
            total[here] = np.where(better, candidate, total[here])
            pick[here] = np.where(better, count, pick[here])
        most = int(np.count_nonzero(total <= limit))
        band = total[:most]
        picks.append(pick[:most])
    return LeastBand(band, picks)
