"""The least band for broadcasts to any number of users: per model by enumeration, over all models by a knapsack (ours).

A user needs the bit rate ``r = y_min rho`` on any channel. A broadcast to the users ``S`` takes the share
``max_S r / min_S rho``, so the cheapest one to ``n`` users is found among those to the ``n`` smallest ``r`` of all
users with ``rho >= R``, for every ``R``. The multiple-choice knapsack with unit profits then adds up models.
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
    worst : (n + 1,) int64
        Place of the user whose rate is the least of them.
    """

    cost: Column
    worst: NDArray[np.int64]


def cheapest(bit_rate: Column, rate: Column, limit: Any) -> Broadcast:
    """The cheapest broadcasts to each number of users.

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
    return Broadcast(cost[:most], worst[:most])


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
