"""What the formulations with given least shares have in common: the pairs, their demand, and the way back."""

from __future__ import annotations

import numpy as np

from edgeopt.instances.slide.allocation import Allocation
from edgeopt.instances.slide.instance import SlideInstance
from edgeopt.instances.slide.pair import Pair
from edgeopt.models.base import Cut, FloatArray
from edgeopt.models.slide.least_share import LeastShare, fits, least_share, speeds
from edgeopt.models.slide.serve import Served, allocation, require_known, weights

MOST_ACTIVITY_BITS = 58
"""The demands of all pairs together stay below this power of two, as CP-SAT needs it."""
MOST_DEMAND_BITS = 50


class LeastShareFormulation:
    """Binaries ``x_ki``: user ``k`` is served with model ``i``; one a pair that the band is enough for.

        max sum_ki weight_k x_ki,  sum_i x_ki <= 1,  sum_ki demand_ki x_ki <= 2^bits

    ``demand_ki = floor(2^bits y_ki)`` with the least share ``y_ki``: rounded **down**, so that every feasible choice
    satisfies the row and the optimum of the model is a bound. What fits only because of the rounding is refuted in
    exact arithmetic by `cuts`, so that a back end that adds them solves the problem itself; the shares of a solution
    are exact, or rounded **up**.

    Parameters
    ----------
    instance : SlideInstance

    Raises
    ------
    AssumptionError
        If the variant is none of plain and weighted.
    """

    def __init__(self, instance: SlideInstance) -> None:
        require_known(instance, "the form least-share")
        self.instance = instance
        self.user: list[int] = []
        self.model: list[int] = []
        self.pairs: list[Pair] = []
        self.known: list[LeastShare] = []
        for user in range(len(instance.users)):
            for model in instance.compiled.models_of(user).tolist():
                pair = instance.compiled.pair(user, model)
                found = least_share(pair)
                if found is not None:
                    self.user.append(user)
                    self.model.append(model)
                    self.pairs.append(pair)
                    self.known.append(found)
        worth = weights(instance)
        self.worth = [worth[user] for user in self.user]
        bits = min(MOST_DEMAND_BITS, MOST_ACTIVITY_BITS - len(self.pairs).bit_length())
        self.band = 2**bits
        self.demand = [int(found.low * self.band) for found in self.known]
        # the next word of the same number, also rounded down
        self.lost = [int(found.low * self.band**2) % self.band for found in self.known]

    def by_user(self) -> list[list[int]]:
        """Pairs of each user that has several."""
        found: dict[int, list[int]] = {}
        for place, user in enumerate(self.user):
            found.setdefault(user, []).append(place)
        return [places for places in found.values() if len(places) > 1]

    def _chosen(self, values: FloatArray) -> list[int]:
        return np.flatnonzero(values > 0.5).tolist()

    def _fits(self, places: list[int]) -> bool:
        known = [self.known[place] for place in places]
        found = fits([self.pairs[place] for place in places], known)
        for place, share in zip(places, known, strict=True):
            self.known[place] = share
        return found

    def extract(self, values: FloatArray) -> Allocation:
        """The solution with the least shares of the chosen pairs, and speeds of least energy at them."""
        chosen = self._chosen(values)
        self._fits(chosen)
        served = []
        for place in chosen:
            share = self.known[place].high
            found = speeds(self.pairs[place], share)
            served.append(Served(self.user[place], self.model[place], share, found))
        return allocation(self.instance, served)

    def start(self, solution: Allocation) -> FloatArray:
        """Values of all variables that describe a solution."""
        taken = set(zip(solution.user.tolist(), solution.model.tolist(), strict=True))
        pairs = zip(self.user, self.model, strict=True)
        return np.array([float(pair in taken) for pair in pairs], dtype=np.float64)

    def cuts(self, values: FloatArray) -> list[Cut]:
        """Cuts that refute the values; none iff the solution is feasible in exact arithmetic."""
        chosen = self._chosen(values)
        found = [Cut(np.array(places), 1) for places in self.by_user() if sum(place in chosen for place in places) > 1]
        if not self._fits(chosen):
            found.append(self._cover(chosen))
        return found

    def _cover(self, chosen: list[int]) -> Cut:
        """The fewest of the chosen that do not fit, and all pairs that surely need as much as each of them."""
        order = sorted(chosen, key=lambda place: self.known[place].high, reverse=True)
        count = len(order)
        while count > 1 and not self._fits(order[: count - 1]):
            count -= 1
        cover = order[:count]
        most = max(cover, key=lambda place: self.known[place].high)
        heavy = [
            place
            for place in range(len(self.pairs))
            if self.known[place].low >= self.known[most].high or self.pairs[place] == self.pairs[most]
        ]
        return Cut(np.array(sorted({*cover, *heavy}), dtype=np.int64), count - 1)
