"""What the joint models share: the run in a child process, and exactly feasible solutions from their floats.

The models know the recursion and no algebra of least shares. What they return in floats is mended here: speeds are
scaled to the energy budget, and each user gets the share that the exact recursion asks for at these speeds. Users that
do not fit then are dropped, so the value is always that of an exactly feasible solution; the bound is the model's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from edgeopt.errors import BackendError
from edgeopt.instances.base import problem
from edgeopt.instances.slide.allocation import EMPTY, Allocation
from edgeopt.instances.slide.band import fits_band
from edgeopt.instances.slide.instance import SlideInstance
from edgeopt.instances.slide.pair import Pair
from edgeopt.models.slide.serve import Served, allocation, require_known, weights
from edgeopt.result import Answer, Termination
from edgeopt.solvers import child
from edgeopt.solvers.backend import Bound, Outcome
from edgeopt.solvers.base import Control

Emit = Callable[["Allocation | Bound"], None]

MOST_TRIES = 60
"""Steps by which speeds are lowered until the energy budget holds exactly; the first or second is usual."""

MARGIN = 1e-8
"""Part of the deadline that the search for speeds leaves unused, well above its tolerance. Deadline and energy budget
can be tight at once; speeds that overdraw the budget by a tolerance can then only be lowered if there is time left."""

MOST_ATTEMPTS = 10
"""Choices of pairs that are tried where the best ones hold within a model's tolerance but not exactly."""


@dataclass(frozen=True, slots=True)
class JointJob:
    """What a joint model is asked to do in the child."""

    instance: SlideInstance
    seed: int
    workers: int
    grid_bits: int = 0


@dataclass(frozen=True, slots=True)
class Library:
    """A joint model as a function for `edgeopt.solvers.child`: name for messages, target, modules to import."""

    name: str
    target: str
    imports: tuple[str, ...]


def solve_joint(instance: SlideInstance, control: Control, library: Library, *, grid_bits: int = 0) -> Answer:
    """Run a joint model in a child process and keep the best solution that passes the exact check.

    Raises
    ------
    AssumptionError
        If the variant has other constraints than those of the paper.
    BackendError
        If the library is missing, or died before it found anything.
    """
    require_known(instance, library.name)
    best = _Best(instance, control)
    if control.stop():
        return best.answer(Outcome(control.stopped_by()))
    job = JointJob(instance, control.seed, control.workers, grid_bits)
    try:
        outcome = child.run(library.target, job, control, best.hear, imports=library.imports)
    except BackendError as error:
        if best.value is None:
            raise BackendError(f"{library.name}: {error}") from error
        outcome = Outcome(Termination.ERROR, best.bound, f"{library.name}: {error}".splitlines()[0])
    if outcome is None:
        words = f"{library.name} did not stop when asked and was killed"
        outcome = Outcome(Termination.TIME_LIMIT, best.bound, words)
    if outcome.termination is Termination.TIME_LIMIT and control.interrupted:
        outcome = replace(outcome, termination=Termination.INTERRUPTED)
    return best.answer(outcome)


class _Best:
    """The best exactly feasible solution so far."""

    def __init__(self, instance: SlideInstance, control: Control) -> None:
        self.instance, self.control = instance, control
        self.family = problem(instance.problem)
        self.solution: Allocation | None = None
        self.value: float | None = None
        self.bound: float | None = None
        if control.start is not None:
            self.hear(control.start)

    def hear(self, event: Allocation | Bound) -> None:
        """Take in a solution or bound, and pass it on to the listener."""
        if isinstance(event, Bound):
            self.bound = event.value
        elif not self.family.compiled_violations(self.instance, event):
            value = self.family.value(self.instance, event)
            if self.value is None or value > self.value:
                self.solution, self.value = event, value
        self.control.report(self.value, self.bound)

    def answer(self, outcome: Outcome) -> Answer:
        """How it ended; a bound heard on the way stands where the end brought none."""
        return Answer(
            solution=self.solution,
            claimed_value=self.value,
            bound=self.bound if outcome.bound is None else outcome.bound,
            termination=outcome.termination,
            effort=outcome.effort,
            message=outcome.message,
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """A user with a model and the speeds that a model in floats gave it."""

    user: int
    model: int
    speed: Sequence[float]


def mended(instance: SlideInstance, choices: Sequence[Choice]) -> Allocation:
    """An exactly feasible solution that serves these users, or as many of them as fit.

    Where not all fit, those that need the least band for their weight come first.
    """
    served = []
    for choice in choices:
        pair = instance.compiled.pair(choice.user, choice.model)
        found = _enough(pair, choice.speed)
        if found is not None:
            served.append(Served(choice.user, choice.model, *found))
    if not fits_band([item.share for item in served]):
        worth = weights(instance)
        kept: list[Served] = []
        for item in sorted(served, key=lambda item: item.share / worth[item.user]):
            if fits_band([*(other.share for other in kept), item.share]):
                kept.append(item)
        served = kept
    return allocation(instance, served) if served else EMPTY


def conflicts(instance: SlideInstance, choices: Sequence[Choice]) -> list[list[int]]:
    """Places of choices that cannot be mended together: single ones that cannot even by themselves, else all."""
    alone = [
        [place]
        for place, choice in enumerate(choices)
        if _enough(instance.compiled.pair(choice.user, choice.model), choice.speed) is None
    ]
    return alone or [list(range(len(choices)))]


def _enough(pair: Pair, speed: Sequence[float]) -> tuple[Fraction, Sequence[Fraction] | None] | None:
    """The share that a pair needs at speeds like these, and the speeds; None if the band is not enough."""
    if pair.energy is None or pair.energy_used() <= pair.energy:
        share = pair.least_share()
        return None if share is None or share > 1 else (share, None)
    exact = [Fraction(min(1.0, z)) if z > 0 else Fraction(1) for z in speed]
    factor = math.sqrt(pair.energy / pair.energy_used(exact))
    loss = 0.0
    for _ in range(MOST_TRIES):
        tried = [Fraction(min(1.0, float(z) * factor * (1.0 - loss))) for z in exact]
        if all(tried) and pair.energy_used(tried) <= pair.energy:
            share = pair.least_share(tried)
            return None if share is None or share > 1 else (share, tried)
        loss = 2.0 * loss or 2.0**-53
    return None


def whole_bound(value: float, most: int) -> int:
    """A bound on a whole objective, at most the weight of all users that could be served."""
    return most if not math.isfinite(value) else min(most, math.floor(value + 1e-6))


def most_worth(instance: SlideInstance, users: set[int]) -> int:
    """What serving all of these users is worth."""
    worth = weights(instance)
    return sum(worth[user] for user in users)


def outcome(bound: int, solution: Allocation, instance: SlideInstance, effort: dict[str, Any]) -> Outcome:
    """The end of a search: complete where the gap is closed, else it says what the tolerance left open."""
    value = problem(instance.problem).value(instance, solution)
    if value >= bound:
        return Outcome(Termination.COMPLETE, bound, effort=effort)
    words = f"the model counts {bound} within its tolerance, {value} of that were found to fit exactly"
    return Outcome(Termination.NODE_LIMIT, bound, words, effort)
