"""Heuristics for time-varying shares, on whole ticks: needs rounded up, due times down, so that all is feasible (ours).

Users are inserted one by one while everything due is still in time, in several orders; one of them takes out who needs
most at the first time that is overloaded, as Moore and Hodgson do for single due times.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgeopt.instances.slide.instance import IntArray
from edgeopt.models.slide.time_varying import Option
from edgeopt.solvers.base import Control

POLL = 64
"""Users between two looks at the clock."""


class Load:
    """What is due by each of some times for a set of options, in whole ticks.

    Parameters
    ----------
    options : sequence of Option
    """

    def __init__(self, options: Sequence[Option]) -> None:
        due = [np.array([math.floor(step.due) for step in own.demand], dtype=np.int64) for own in options]
        self.needs = [np.array([math.ceil(step.need) for step in own.demand], dtype=np.int64) for own in options]
        self.points: IntArray = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *due]))
        self.begins = [np.searchsorted(self.points, own) for own in due]
        self.used = np.zeros(len(self.points), dtype=np.int64)
        self.chosen: set[int] = set()

    def _change(self, place: int) -> tuple[int, IntArray]:
        """From which point on an option needs how much."""
        begin = self.begins[place]
        return int(begin[0]), np.repeat(self.needs[place], np.diff(begin, append=len(self.points)))

    def add(self, place: int) -> None:
        """Take an option in."""
        first, need = self._change(place)
        self.used[first:] += need
        self.chosen.add(place)

    def remove(self, place: int) -> None:
        """Take an option out."""
        first, need = self._change(place)
        self.used[first:] -= need
        self.chosen.remove(place)

    def add_if_it_fits(self, place: int) -> bool:
        """Take an option in if all is still in time."""
        first, need = self._change(place)
        total = self.used[first:] + need
        if (total > self.points[first:]).any():
            return False
        self.used[first:] = total
        self.chosen.add(place)
        return True

    def overloaded(self) -> int | None:
        """The first point with too much due."""
        late = self.used > self.points
        return int(late.argmax()) if late.any() else None

    def heaviest(self, point: int) -> int:
        """The chosen option that needs most by a point."""
        return max(self.chosen, key=lambda place: (self._need_at(place, point), place))

    def _need_at(self, place: int, point: int) -> int:
        step = int(np.searchsorted(self.begins[place], point, side="right"))
        return int(self.needs[place][step - 1]) if step else 0


def insertion(options: Sequence[Option], order: Sequence[int] | NDArray[np.intp], control: Control) -> set[int]:
    """Options in an order, each taken if it fits and its user is not served yet."""
    load = Load(options)
    _fill(load, options, order, control)
    return load.chosen


def _fill(load: Load, options: Sequence[Option], order: Sequence[int] | NDArray[np.intp], control: Control) -> None:
    served = {options[place].user for place in load.chosen}
    for step, place in enumerate(order):
        if step % POLL == 0 and control.stop():
            return
        if options[place].user not in served and load.add_if_it_fits(int(place)):
            served.add(options[place].user)


def with_removals(options: Sequence[Option], control: Control) -> set[int]:
    """Each user's lightest option by its last due time; on overload, out goes who needs most by then; then the rest."""
    load = Load(options)
    lightest: dict[int, int] = {}
    for place in np.argsort(critical(options), kind="stable").tolist():
        lightest.setdefault(options[place].user, place)
    order = sorted(lightest.values(), key=lambda place: options[place].demand[-1].due)
    for step, place in enumerate(order):
        if step % POLL == 0 and control.stop():
            break
        load.add(place)
        point = load.overloaded()
        while point is not None:
            load.remove(load.heaviest(point))
            point = load.overloaded()
    _fill(load, options, np.argsort(critical(options), kind="stable"), control)
    return load.chosen


def critical(options: Sequence[Option]) -> NDArray[np.float64]:
    """The constant share that each option needs: its largest need over time."""
    return np.array([max(float(step.need / step.due) for step in own.demand) for own in options])


def total(options: Sequence[Option]) -> NDArray[np.float64]:
    """Band-ticks that each option needs in all."""
    return np.array([float(own.demand[-1].need) for own in options])


def best_of(options: Sequence[Option], control: Control, prices: Sequence[NDArray[np.float64]] = ()) -> set[int]:
    """The largest set of options that the heuristics find; `prices` are more orders to insert in, ascending."""
    if not options:
        return set()
    found = [insertion(options, np.argsort(own, kind="stable"), control) for own in (critical(options), *prices)]
    if not control.stop():
        found.append(insertion(options, np.argsort(total(options), kind="stable"), control))
    if not control.stop():
        found.append(with_removals(options, control))
    return max(found, key=len)
