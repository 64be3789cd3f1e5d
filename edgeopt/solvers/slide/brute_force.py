"""`brute-force`: every choice of a model or none for a few users, the reference that the algorithm is tested against.

It shares no idea with it: least shares come from halving on the paper's recursion and on the least energy at a share,
speeds from the definition of the steepest chord, and no order of the users is assumed. All numbers are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import prod

import numpy as np

from edgeopt.errors import AssumptionError
from edgeopt.instances.slide import Allocation, SlideInstance
from edgeopt.instances.slide.pair import Pair
from edgeopt.instances.slide.timeline import finish_times
from edgeopt.result import Answer, Termination
from edgeopt.solvers.base import Control

MOST_CHOICES = 20_000
"""Combinations of a model or none for every user."""
HALVINGS = 128
ALMOST = 1 - Fraction(1, 2**600)
"""A share times this is infeasible where the share is the least one; sums of shares are told apart no finer."""


@dataclass(frozen=True, slots=True)
class Option:
    """A model for a user: ``low < y <= high`` for its least share ``y``, and speeds feasible at `high`."""

    model: int
    low: Fraction
    high: Fraction
    speed: tuple[Fraction, ...]


def brute_force(instance: SlideInstance, control: Control) -> Answer:
    """Solve an instance by trying every model or none for every user.

    Raises
    ------
    AssumptionError
        If there are more than `MOST_CHOICES` combinations, or the variant is neither ``plain`` nor ``weighted``.
    """
    if instance.variant not in ("plain", "weighted"):
        raise AssumptionError(
            f"brute-force solves the variants plain and weighted, the instance {instance.name} is {instance.variant}"
        )
    compiled = instance.compiled
    choices = prod(1 + len(compiled.models_of(user)) for user in range(compiled.users))
    if choices > MOST_CHOICES:
        raise AssumptionError(
            f"brute-force assumes at most {MOST_CHOICES} combinations, the instance {instance.name} has {choices}"
        )
    worth = instance.users.weight.tolist() if instance.variant == "weighted" else [1] * compiled.users
    options: list[list[Option | None]] = []
    for user in range(compiled.users):
        found = (option(compiled.pair(user, model), model) for model in compiled.models_of(user).tolist())
        options.append([None, *(one for one in found if one is not None)])
    best: tuple[Option | None, ...] = (None,) * compiled.users
    value, most = 0, 0
    for step, combination in enumerate(product(*options)):
        if step % 256 == 0 and control.stop():
            return Answer(_allocation(best), claimed_value=value, bound=sum(worth), termination=control.stopped_by())
        own = sum(weight for weight, taken in zip(worth, combination, strict=True) if taken is not None)
        if own > most and sum(taken.low for taken in combination if taken is not None) < 1:
            most = own
        if own > value and sum(taken.high for taken in combination if taken is not None) <= 1:
            best, value = combination, own
    return Answer(
        _allocation(best),
        claimed_value=value,
        bound=most,
        termination=Termination.COMPLETE,
        effort={"combinations": choices},
    )


def _allocation(combination: Sequence[Option | None]) -> Allocation:
    served = {user: taken for user, taken in enumerate(combination) if taken is not None}
    return Allocation(
        np.array(list(served), dtype=np.int64),
        np.array([taken.model for taken in served.values()], dtype=np.int64),
        tuple(taken.high for taken in served.values()),
        tuple(z for taken in served.values() for z in taken.speed),
    )


def option(pair: Pair, model: int) -> Option | None:
    """Enclose the least share by halving; None if the whole band is not enough."""
    if least_energy_speeds(pair, Fraction(1)) is None:
        return None
    low, high = Fraction(0), Fraction(1)
    # what the max-plus form says is but a guess, to be confirmed; it is right where energy does not bind
    guess = pair.least_share() or high
    for _ in range(HALVINGS):
        if low < guess <= high and least_energy_speeds(pair, guess) is not None:
            if least_energy_speeds(pair, guess * ALMOST) is None:
                low, high = guess * ALMOST, guess
                break
            high = guess
        middle = (low + high) / 2
        if least_energy_speeds(pair, middle) is None:
            low = middle
        else:
            high = middle
        guess = high.limit_denominator(10**12)
    speed = least_energy_speeds(pair, high)
    assert speed is not None
    return Option(model, low, high, tuple(speed))


def least_energy_speeds(pair: Pair, share: Fraction) -> list[Fraction] | None:
    """Speeds of least energy that meet the deadline at a share; None if that breaks the deadline or the budget.

    The stretch of layers before the deadline that must run fastest does so, and no faster; then the one before it, with
    its end as the deadline (speed scaling of Yao, Demers and Shenker 1995). Without a budget all run at full speed.
    """
    arrival = pair.download_ticks(share)
    if finish_times(arrival, pair.compute_ticks())[-1] > pair.deadline:
        return None
    speeds, end, later = [Fraction(1)] * len(pair), len(pair), Fraction(pair.deadline)
    while end and pair.energy is not None:
        stretches = []
        work, fixed = Fraction(0), Fraction(0)
        for begin in reversed(range(end)):
            work += pair.work[begin] * pair.flop_ticks
            fixed += pair.overhead[begin]
            if work:
                stretches.append((work / (later - fixed - arrival[begin]), begin))
        if not stretches:
            break
        speed, begin = max(stretches, key=lambda stretch: (stretch[0], -stretch[1]))
        for layer in range(begin, end):
            speeds[layer] = speed if pair.work[layer] else Fraction(1)
            later -= pair.overhead[layer] + pair.work[layer] * pair.flop_ticks / speeds[layer]
        end = begin
    return None if pair.energy is not None and pair.energy_used(speeds) > pair.energy else speeds
