"""What the exact multicast models have in common: what each user needs on the channel of each other, and the way back.

They do not know of thresholds: a broadcast is what its users need, two by two.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from edgeopt.errors import AssumptionError, EdgeoptError
from edgeopt.instances.slide.allocation import Allocation
from edgeopt.instances.slide.band import fits_band
from edgeopt.instances.slide.instance import SlideInstance
from edgeopt.instances.slide.pair import Pair
from edgeopt.models.base import Cut, FloatArray
from edgeopt.models.slide.least_share import FIRST_BITS, MOST_BITS, LeastShare, least_share, refined, speeds
from edgeopt.models.slide.serve import float_above


@dataclass(frozen=True, slots=True)
class Need:
    """The user at place `first` needs `share` of the band, at least, on the channel of the one at `second`."""

    first: int
    second: int
    share: Fraction


class MulticastFormulation:
    """Binaries ``x_ki`` (user ``k`` hears the broadcast of model ``i``) and shares ``y_i``; users may take several.

        max sum_ki x_ki,  sum_i x_ki <= 1,  sum_i y_i <= 1,
        y_i >= (r_ki / rho_j) (x_ki + x_ji - 1)  for all users k, j of model i (k = j: y_i >= (r_ki / rho_k) x_ki)

    with the bit rate ``r_ki = y_min,ki rho_k``. Coefficients are rounded **down**, so that the optimum is a bound; what
    fits only because of that is refuted in exact arithmetic by `cuts`. The shares of a solution are exact, or rounded
    **up**.

    Parameters
    ----------
    instance : SlideInstance

    Raises
    ------
    AssumptionError
        If the variant is not ``multicast``.
    """

    def __init__(self, instance: SlideInstance) -> None:
        if instance.variant != "multicast":
            raise AssumptionError(f"the form multicast knows that variant alone, {instance.name} is {instance.variant}")
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
        self.broadcasts = sorted(set(self.model))

    def by_user(self) -> list[list[int]]:
        """Places of each user that has several."""
        found: dict[int, list[int]] = {}
        for place, user in enumerate(self.user):
            found.setdefault(user, []).append(place)
        return [places for places in found.values() if len(places) > 1]

    def needs(self) -> list[Need]:
        """Every need; those of a user itself have ``first == second``, others are there where they ask for more."""
        found = []
        for model in self.broadcasts:
            group = [place for place, own in enumerate(self.model) if own == model]
            for first in group:
                share, rate = self.known[first].low, self.pairs[first].rate
                found.append(Need(first, first, share))
                for second in group:
                    other = self.pairs[second].rate
                    if other < rate:
                        found.append(Need(first, second, share * rate / other))
        return found

    def _groups(self, chosen: list[int]) -> dict[int, list[int]]:
        groups: dict[int, list[int]] = {}
        for place in chosen:
            groups.setdefault(self.model[place], []).append(place)
        return groups

    def _shares(self, chosen: list[int], *, high: bool) -> dict[int, Fraction]:
        """The share of each broadcast, with one end of what its users need."""
        return {
            model: max((self.known[p].high if high else self.known[p].low) * self.pairs[p].rate for p in group)
            / min(self.pairs[p].rate for p in group)
            for model, group in self._groups(chosen).items()
        }

    def _fits(self, chosen: list[int]) -> bool:
        """Whether the broadcasts fit into the band together; what is known is refined until that is certain."""
        bits = FIRST_BITS
        while bits <= MOST_BITS:
            if fits_band(list(self._shares(chosen, high=True).values())):
                return True
            if not fits_band(list(self._shares(chosen, high=False).values())):
                return False
            bits *= 2
            for place in chosen:
                self.known[place] = refined(self.pairs[place], self.known[place], bits)
        raise EdgeoptError(f"cannot decide with {MOST_BITS} bits whether {len(chosen)} users fit into the band")

    def _chosen(self, values: FloatArray) -> list[int]:
        return np.flatnonzero(values[: len(self.pairs)] > 0.5).tolist()

    def extract(self, values: FloatArray) -> Allocation:
        """The solution with the least shares of the broadcasts, and speeds of least energy at them."""
        chosen = self._chosen(values)
        self._fits(chosen)
        exact = self._shares(chosen, high=True)
        rounded = {model: Fraction(float_above(share)) for model, share in exact.items()}
        if fits_band(list(rounded.values())) and all(share <= 1 for share in rounded.values()):
            exact = rounded
        z: list[Fraction] = []
        for place in chosen:
            found = speeds(self.pairs[place], self.known[place].high)
            assert found is not None  # it is feasible at this end
            z += found
        return Allocation(
            np.array([self.user[place] for place in chosen], dtype=np.int64),
            np.array([self.model[place] for place in chosen], dtype=np.int64),
            tuple(exact[self.model[place]] for place in chosen),
            None if all(value == 1 for value in z) else tuple(z),
        )

    def start(self, solution: Allocation) -> FloatArray:
        """Values of all variables that describe a solution."""
        taken = set(zip(solution.user.tolist(), solution.model.tolist(), strict=True))
        x = [float(pair in taken) for pair in zip(self.user, self.model, strict=True)]
        share = {int(model): float(solution.exact_share(place)) for place, model in enumerate(solution.model)}
        return np.array([*x, *(self._share_value(share.get(model, 0.0)) for model in self.broadcasts)])

    def _share_value(self, share: float) -> float:
        """A share in the unit of the model's variable ``y_i``."""
        return share

    def cuts(self, values: FloatArray) -> list[Cut]:
        """Cuts that refute the values; none iff the solution is feasible in exact arithmetic."""
        chosen = self._chosen(values)
        found = [Cut(np.array(places), 1) for places in self.by_user() if sum(place in chosen for place in places) > 1]
        if not self._fits(chosen):
            # dropping a user never makes a broadcast dearer: drop those that are not needed to refute it
            for place in list(chosen):
                rest = [other for other in chosen if other != place]
                if rest and not self._fits(rest):
                    chosen = rest
            found.append(Cut(np.array(chosen, dtype=np.int64), len(chosen) - 1))
        return found
