"""What the exact models of time-varying shares have in common: one knapsack row a due time, and the way back."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from edgeopt.errors import AssumptionError
from edgeopt.instances.slide.allocation import Allocation
from edgeopt.instances.slide.edf import Demand, demand, overloaded
from edgeopt.instances.slide.instance import SlideInstance
from edgeopt.models.base import Cut, FloatArray
from edgeopt.models.slide.serve import float_above

MOST_ACTIVITY_BITS = 58
"""The coefficients of a row together stay below this power of two, as CP-SAT needs it."""
MOST_CAPACITY_BITS = 50


@dataclass(frozen=True, slots=True)
class Option:
    """A model for a user, and the band-ticks that it needs by when."""

    user: int
    model: int
    demand: Demand

    def need_by(self, time: Fraction) -> Fraction:
        """Band-ticks needed until a time (ticks)."""
        count = bisect_right(self.demand, time, key=lambda step: step.due)
        return self.demand[count - 1].need if count else Fraction(0)


@dataclass(frozen=True, slots=True)
class Row:
    """What is due at one time: ``sum coefficients x <= capacity``.

    Attributes
    ----------
    places : list of int
        Options that need something by then.
    coefficients : list of int
    capacity : int
    exact : bool
        Whether nothing was rounded.
    """

    places: list[int]
    coefficients: list[int]
    capacity: int
    exact: bool


class TimeVaryingFormulation:
    """Binaries ``x_ki``: user ``k`` is served with model ``i``.

        max sum_ki x_ki,  sum_i x_ki <= 1,  sum_ki demand_ki(t) x_ki <= t  at every due time t

    A row is divided by what makes all its numbers whole where that is small; else demands are rounded **down**, so that
    the optimum is a bound, and what fits only because of that is refuted in exact arithmetic by `cuts`.

    Parameters
    ----------
    instance : SlideInstance

    Raises
    ------
    AssumptionError
        If the variant is not ``time-varying``.
    """

    def __init__(self, instance: SlideInstance) -> None:
        if instance.variant != "time-varying":
            raise AssumptionError(
                f"the form time-varying knows that variant alone, {instance.name} is {instance.variant}"
            )
        self.instance = instance
        self.options: list[Option] = []
        for user in range(len(instance.users)):
            for model in instance.compiled.models_of(user).tolist():
                found = demand(instance.compiled.pair(user, model))
                if found is not None:
                    self.options.append(Option(user, model, found))
        self._events = sorted(
            (step.due, place, step.need) for place, own in enumerate(self.options) for step in own.demand
        )
        self.points = list(dict.fromkeys(due for due, _, _ in self._events))

    def by_user(self) -> list[list[int]]:
        """Options of each user that has several."""
        found: dict[int, list[int]] = {}
        for place, option in enumerate(self.options):
            found.setdefault(option.user, []).append(place)
        return [places for places in found.values() if len(places) > 1]

    def rows(self, points: Sequence[Fraction]) -> list[Row]:
        """The rows at these due times, ascending, without those that all users together satisfy."""
        found = []
        now: dict[int, Fraction] = {}
        most: dict[int, int] = {}  # by user, in whole ticks, rounded up
        at = total = 0
        for point in points:
            while at < len(self._events) and self._events[at][0] <= point:
                _, place, need = self._events[at]
                now[place] = need
                user, ticks = self.options[place].user, math.ceil(need)
                total += max(0, ticks - most.get(user, 0))
                most[user] = max(ticks, most.get(user, 0))
                at += 1
            if total > point:
                found.append(self._row(now, point))
        return found

    def _row(self, now: dict[int, Fraction], point: Fraction) -> Row:
        bits = min(MOST_CAPACITY_BITS, MOST_ACTIVITY_BITS - len(self.options).bit_length())
        whole = 1
        for need in now.values():
            whole = math.lcm(whole, (need / point).denominator)
            if whole.bit_length() > bits:
                break
        exact = whole.bit_length() <= bits
        capacity = whole if exact else 1 << bits
        top, bottom = capacity * point.denominator, point.numerator
        coefficients = [need.numerator * top // (need.denominator * bottom) for need in now.values()]
        return Row(list(now), coefficients, capacity, exact)

    def _chosen(self, values: FloatArray) -> list[int]:
        return np.flatnonzero(values > 0.5).tolist()

    def extract(self, values: FloatArray) -> Allocation:
        """The solution that the values describe."""
        return allocation([self.options[place] for place in self._chosen(values)])

    def start(self, solution: Allocation) -> FloatArray:
        """Values of all variables that describe a solution."""
        taken = set(zip(solution.user.tolist(), solution.model.tolist(), strict=True))
        return np.array([float((own.user, own.model) in taken) for own in self.options], dtype=np.float64)

    def cuts(self, values: FloatArray) -> list[Cut]:
        """Cuts that refute the values; none iff the solution is feasible in exact arithmetic."""
        chosen = self._chosen(values)
        found = [Cut(np.array(places), 1) for places in self.by_user() if sum(place in chosen for place in places) > 1]
        late = overloaded([self.options[place].demand for place in chosen])
        if late is not None:
            found.append(self._cover(chosen, late))
        return found

    def _cover(self, chosen: list[int], time: Fraction) -> Cut:
        """The fewest of the chosen that need too much by a time, and all options that need as much as each of them."""
        need = [option.need_by(time) for option in self.options]
        order = sorted(chosen, key=lambda place: need[place], reverse=True)
        count, total = 0, Fraction(0)
        while total <= time:
            total += need[order[count]]
            count += 1
        heavy = [place for place in range(len(need)) if need[place] >= need[order[0]]]
        return Cut(np.array(sorted({*order[:count], *heavy}), dtype=np.int64), count - 1)


def allocation(chosen: Sequence[Option]) -> Allocation:
    """The solution that serves these, by user; shares are averages until the last bits are due, rounded up."""
    order = sorted(chosen, key=lambda option: option.user)
    shares = [option.demand[-1].need / option.demand[-1].due for option in order]
    return Allocation(
        np.array([option.user for option in order], dtype=np.int64),
        np.array([option.model for option in order], dtype=np.int64),
        np.array([float_above(share) for share in shares], dtype=np.float64),
    )
