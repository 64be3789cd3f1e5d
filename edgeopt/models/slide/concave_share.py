"""The variant ``concave`` with least shares found by halving, for Pyomo and CP-SAT.

A second way to what `slide-concave` computes, without its inverse: whether a share is enough is decided in exact
rationals by the speeds of least energy at the rate that it buys, enclosed from both sides.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from edgeopt.errors import AssumptionError, EdgeoptError
from edgeopt.instances.slide.allocation import Allocation
from edgeopt.instances.slide.concave import efficiency_enclosure, whole_band_snr
from edgeopt.instances.slide.instance import SlideInstance
from edgeopt.instances.slide.pair import Pair
from edgeopt.models.base import FloatArray
from edgeopt.models.slide.cpsat_share import CpSatShare
from edgeopt.models.slide.formulation import MOST_ACTIVITY_BITS, MOST_DEMAND_BITS, LeastShareFormulation
from edgeopt.models.slide.least_share import FIRST_BITS, MOST_BITS, LeastShare, least_share, speeds
from edgeopt.models.slide.pyomo_share import PyomoShare
from edgeopt.models.slide.serve import Served, allocation
from edgeopt.system.exact import as_fraction

MOST_DENOMINATOR = 10**6
"""Least shares that are ratios of such numbers are known exactly."""


class ConcaveFormulation(LeastShareFormulation):
    """Binaries ``x_ki`` and rows as in `LeastShareFormulation`, with the least shares of concave rates.

    Parameters
    ----------
    instance : SlideInstance

    Raises
    ------
    AssumptionError
        If the variant is not concave.
    """

    def __init__(self, instance: SlideInstance) -> None:
        if instance.variant != "concave":
            raise AssumptionError(f"the form concave knows the variant concave, not {instance.variant}")
        self.instance = instance
        self.user, self.model, self.pairs, self.known = [], [], [], []
        self.snr = [whole_band_snr(instance, user) for user in range(len(instance.users))]
        for user in range(len(instance.users)):
            for model in instance.compiled.models_of(user).tolist():
                # no share has so high a rate, so that linear shares are below 1; equal pairs have equal channels
                most = 2 * self.snr[user] * as_fraction(instance.bandwidth_hz)
                pair = replace(instance.compiled.pair(user, model), rate=most)
                if self._speeds(user, pair, Fraction(1)) is not None:
                    self.user.append(user)
                    self.model.append(model)
                    self.pairs.append(pair)
                    self.known.append(LeastShare(Fraction(0), Fraction(1), 0))
        self.worth = [1] * len(self.pairs)
        for place in range(len(self.pairs)):
            self._refine(place, FIRST_BITS)
        bits = min(MOST_DEMAND_BITS, MOST_ACTIVITY_BITS - len(self.pairs).bit_length())
        self.band = 2**bits
        self.demand = [int(found.low * self.band) for found in self.known]
        self.lost = [int(found.low * self.band**2) % self.band for found in self.known]

    def _linear(self, user: int, share: Fraction, bits: int) -> tuple[Fraction, Fraction]:
        """Enclose the share of `Pair.rate` that a share has as its rate."""
        slow, fast = efficiency_enclosure(self.snr[user], share, bits)
        return slow / (2 * self.snr[user]), fast / (2 * self.snr[user])

    def _speeds(self, user: int, pair: Pair, share: Fraction) -> list[Fraction] | None:
        """Speeds that are feasible at a share; None if there are none."""
        bits = FIRST_BITS
        while bits <= MOST_BITS:
            slow, fast = self._linear(user, share, bits)
            found = speeds(pair, slow)
            if found is not None or speeds(pair, fast) is None:
                return found
            bits *= 2
        raise EdgeoptError(f"cannot decide with {MOST_BITS} bits whether user {user} has enough with {float(share)}")

    def _refine(self, place: int, bits: int) -> None:
        known = self.known[place]
        if known.low == known.high or bits <= known.bits:
            return
        user, pair = self.user[place], self.pairs[place]
        low, high = known.low, known.high
        while high - low > high / 2**bits:
            middle = (low + high) / 2
            if self._speeds(user, pair, middle) is None:
                low = middle
            else:
                high = middle
        self.known[place] = LeastShare(low, high, bits)
        simple = high.limit_denominator(MOST_DENOMINATOR)
        if low <= simple <= high:
            needed, (slow, fast) = least_share(pair), self._linear(user, simple, bits)
            if needed is not None and needed.low == needed.high == slow == fast:
                self.known[place] = LeastShare(simple, simple, MOST_BITS)

    def _fits(self, places: list[int]) -> bool:
        bits = FIRST_BITS
        while bits <= MOST_BITS:
            for place in places:
                self._refine(place, bits)
            if sum(self.known[place].high for place in places) <= 1:
                return True
            if sum(self.known[place].low for place in places) > 1:
                return False
            bits *= 2
        raise EdgeoptError(f"cannot decide with {MOST_BITS} bits whether {len(places)} least shares fit the band")

    def extract(self, values: FloatArray) -> Allocation:
        """The solution with the least shares of the chosen pairs, and speeds of least energy at them."""
        chosen = self._chosen(values)
        self._fits(chosen)
        served = []
        for place in chosen:
            share, user = self.known[place].high, self.user[place]
            served.append(Served(user, self.model[place], share, self._speeds(user, self.pairs[place], share)))
        return allocation(self.instance, served)


class PyomoConcave(ConcaveFormulation, PyomoShare):
    """The Pyomo MILP."""


class CpSatConcave(ConcaveFormulation, CpSatShare):
    """The CP-SAT model."""
