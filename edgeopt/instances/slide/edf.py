"""Time-varying shares in the compiled numbers: what each user needs by when, and whether that fits (ours).

The band is needed for ``A_l / rho`` band-ticks until layer ``l`` is due, ``D - sum_{m >= l} (V_m + w_m)``. Users can be
served together iff the needs of all add up to at most ``t`` at every due time ``t`` (EDF, see `time_varying`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from edgeopt.instances.slide.pair import TICKS_PER_S, Pair

POINT_BITS = 128
"""Needs are first added with so many binary places of a tick, which nearly always decides."""


@dataclass(frozen=True, slots=True)
class Step:
    """Until `due` (ticks) a user needs the whole band for `need` (ticks), for the layers up to `layer`."""

    due: Fraction
    need: Fraction
    layer: int


Demand = tuple[Step, ...]
"""Steps with rising due times and needs, all positive."""


def demand(pair: Pair, speed: Sequence[Fraction] | None = None) -> Demand | None:
    """What a user needs with a model; None if even alone it cannot be served."""
    steps: list[Step] = []
    for layer, (bits, due) in enumerate(zip(pair.bits, pair.room(speed), strict=True)):
        if due < 0:
            return None
        if not bits:
            continue
        need = Fraction(bits * TICKS_PER_S) / pair.rate
        if need > due:
            return None
        if steps and steps[-1].due == due:
            steps.pop()
        if not steps or need > steps[-1].need:
            steps.append(Step(due, need, layer))
    return tuple(steps)


def overloaded(demands: Sequence[Demand]) -> Fraction | None:
    """The first due time (ticks) at which the needs exceed the time there was; None if all can be served."""
    events = sorted((step.due, place, step.need) for place, steps in enumerate(demands) for step in steps)
    now: list[Fraction] = [Fraction(0)] * len(demands)
    low = [0] * len(demands)
    total = at = 0
    while at < len(events):
        due = events[at][0]
        while at < len(events) and events[at][0] == due:
            _, place, need = events[at]
            floor = (need.numerator << POINT_BITS) // need.denominator
            total += floor - low[place]
            now[place], low[place] = need, floor
            at += 1
        room = (due.numerator << POINT_BITS) // due.denominator
        # each need lost less than one unit, and so did the room
        if total > room or (total + len(demands) > room and sum(now, Fraction(0)) > due):
            return due
    return None


@dataclass(frozen=True, slots=True)
class Slot:
    """The whole band sends layers `first` to `last` of the user at a place from `begin` to `end` (ticks)."""

    place: int
    first: int
    last: int
    begin: Fraction
    end: Fraction


def schedule(demands: Sequence[Demand]) -> list[Slot]:
    """Earliest due first, one download after another; every slot ends in time iff nothing is `overloaded`."""
    order = sorted((step.due, place, index) for place, steps in enumerate(demands) for index, step in enumerate(steps))
    now, slots = Fraction(0), []
    for _, place, index in order:
        step = demands[place][index]
        before = demands[place][index - 1] if index else None
        end = now + step.need - (before.need if before else 0)
        slots.append(Slot(place, before.layer + 1 if before else 0, step.layer, now, end))
        now = end
    return slots


def download_times(pairs: Sequence[Pair], demands: Sequence[Demand]) -> list[list[tuple[Fraction, Fraction]]]:
    """By user and layer, begin and end (ticks) of its download in the `schedule`."""
    found: list[list[tuple[Fraction, Fraction]]] = [[] for _ in pairs]
    for slot in schedule(demands):
        pair, now = pairs[slot.place], slot.begin
        for layer in range(slot.first, slot.last + 1):
            bits = pair.bits[layer] - (pair.bits[layer - 1] if layer else 0)
            found[slot.place].append((now, now + bits * TICKS_PER_S / pair.rate))
            now = found[slot.place][-1][1]
    for own, pair in zip(found, pairs, strict=True):
        own += [(own[-1][1], own[-1][1])] * (len(pair) - len(own))  # layers of no bits after all others
    return found
