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
from edgeopt.instances.slide.instance import MULTICAST, SlideInstance
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

    with the bit rate ``r_ki = y_min,ki rho_k``. In the variant ``multicast-many`` a model has as many broadcasts ``i``
    as users that may take it, and the ``n``-th of them listens to one of the first ``n``. Coefficients are rounded
    **down**, so that the optimum is a bound; what fits only because of that is refuted in exact arithmetic by `cuts`.
    The shares of a solution are exact, or rounded **up**.

    Parameters
    ----------
    instance : SlideInstance

    Raises
    ------
    AssumptionError
        If the variant is neither ``multicast`` nor ``multicast-many``.
    """

    def __init__(self, instance: SlideInstance) -> None:
        if instance.variant not in MULTICAST:
            raise AssumptionError(
                f"the form multicast knows the variants of multicast alone, {instance.name} is {instance.variant}"
            )
        self.instance = instance
        self.many = instance.variant == "multicast-many"
        self.user: list[int] = []
        self.model: list[int] = []
        self.pairs: list[Pair] = []
        self.known: list[LeastShare] = []
        self.broadcast: list[int] = []
        models, takers = len(instance.models), [0] * len(instance.models)
        for user in range(len(instance.users)):
            for model in instance.compiled.models_of(user).tolist():
                pair = instance.compiled.pair(user, model)
                found = least_share(pair)
                if found is None:
                    continue
                takers[model] += 1
                for copy in range(takers[model] if self.many else 1):
                    self.user.append(user)
                    self.model.append(model)
                    self.pairs.append(pair)
                    self.known.append(found)
                    self.broadcast.append(copy * models + model)
        self.broadcasts = sorted(set(self.broadcast))

    def by_user(self) -> list[list[int]]:
        """Places of each user that has several."""
        found: dict[int, list[int]] = {}
        for place, user in enumerate(self.user):
            found.setdefault(user, []).append(place)
        return [places for places in found.values() if len(places) > 1]

    def needs(self) -> list[Need]:
        """Every need; those of a user itself have ``first == second``, others are there where they ask for more."""
        found = []
        for index in self.broadcasts:
            group = [place for place, own in enumerate(self.broadcast) if own == index]
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
            groups.setdefault(self.broadcast[place], []).append(place)
        return groups

    def _shares(self, chosen: list[int], *, high: bool) -> dict[int, Fraction]:
        """The share of each broadcast, with one end of what its users need."""
        return {
            index: max((self.known[p].high if high else self.known[p].low) * self.pairs[p].rate for p in group)
            / min(self.pairs[p].rate for p in group)
            for index, group in self._groups(chosen).items()
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
        rounded = {index: Fraction(float_above(share)) for index, share in exact.items()}
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
            tuple(exact[self.broadcast[place]] for place in chosen),
            None if all(value == 1 for value in z) else tuple(z),
            np.array([self.broadcast[place] for place in chosen], dtype=np.int64) if self.many else None,
        )

    def start(self, solution: Allocation) -> FloatArray:
        """Values of all variables that describe a solution."""
        places: dict[tuple[int, int], list[int]] = {}
        for place, pair in enumerate(zip(self.user, self.model, strict=True)):
            places.setdefault(pair, []).append(place)
        served = [places.get(pair, []) for pair in zip(solution.user.tolist(), solution.model.tolist(), strict=True)]
        groups = solution.groups.tolist()
        # a broadcast is the one that the first of its users has last, which no other's first user has
        copies: dict[int, int] = {}
        for own, group in zip(served, groups, strict=True):
            if own:
                copies[group] = min(copies.get(group, len(own)), len(own))
        x = np.zeros(len(self.user))
        share: dict[int, float] = {}
        for entry, (own, group) in enumerate(zip(served, groups, strict=True)):
            if own:
                place = own[copies[group] - 1]
                x[place] = 1.0
                share[self.broadcast[place]] = float(solution.exact_share(entry))
        return np.array([*x, *(self._share_value(share.get(index, 0.0)) for index in self.broadcasts)])

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
