"""What the exact back ends share: a formulation solved in a child process, the best checked incumbent kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from edgeopt.errors import BackendError
from edgeopt.instances.base import Instance, problem, sense_of
from edgeopt.models.base import FloatArray, Language, find, form_of, load
from edgeopt.result import Answer, Termination
from edgeopt.solvers import child
from edgeopt.solvers.base import Control

WHOLE = 1e-6
"""A reported objective or bound this close to a whole number means that number."""

Emit = Callable[["Incumbent | Bound"], None]


@dataclass(frozen=True, slots=True)
class Backend:
    """An exact solver as a function for `edgeopt.solvers.child`.

    Attributes
    ----------
    name : str
        For messages.
    target : str
        ``module:function``, called as ``function(job, seconds, emit, stop)``; returns an `Outcome`.
    language : {"pyomo", "cpsat"}
    imports : tuple of str
        Modules to load while the child starts.
    """

    name: str
    target: str
    language: Language
    imports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """What a back end is asked to do.

    Attributes
    ----------
    formulation : str
        ``module:Class``.
    instance : Instance
    start : solution or None
    seed, workers : int
    options : mapping
        Options of the one back end.
    """

    formulation: str
    instance: Any
    start: Any | None
    seed: int
    workers: int
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Incumbent:
    """A solution that a back end found, and the objective that it reports for it."""

    values: FloatArray
    objective: float


@dataclass(frozen=True, slots=True)
class Bound:
    """A better bound, on the way."""

    value: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a back end ended; its incumbents were emitted before.

    A back end that stopped because it was asked to says `Termination.TIME_LIMIT`, whatever the reason.
    """

    termination: Termination
    bound: float | None = None
    message: str = ""
    effort: Mapping[str, float] = field(default_factory=dict)


def whole(value: float) -> float:
    """`value`, as the whole number it is within `WHOLE` of, if any."""
    nearest = round(value) if math.isfinite(value) else value
    return nearest if abs(value - nearest) <= WHOLE else value


def safe_bound(value: float, *, maximize: bool, integral: bool) -> float | None:
    """A reported bound, rounded to the next whole number that no integral objective passes; None if infinite."""
    if not math.isfinite(value):
        return None
    if not integral:
        return value
    return math.floor(value + WHOLE) if maximize else math.ceil(value - WHOLE)


class _Best:
    """The best incumbent so far: an exactly feasible one beats every refuted one."""

    def __init__(self, instance: Instance, formulation: Any, control: Control) -> None:
        self.instance, self.formulation, self.control = instance, formulation, control
        self.family = problem(instance.problem)
        self.understates = getattr(formulation, "understates", False)
        self.solution: Any | None = None
        self.value: float | None = None
        self.feasible = False
        self.claimed: float | None = None
        self.refuted = ""
        self.bound: float | None = None
        if control.start is not None:
            self._offer(control.start, None)
            if not self.feasible:
                self.solution = self.value = None
                self.refuted = ""

    def hear(self, event: Incumbent | Bound) -> None:
        """Take in what the child found and pass it on to the listener."""
        if isinstance(event, Bound):
            self.bound = event.value
        else:
            self._offer(self.formulation.extract(event.values), whole(event.objective))
        self.control.report(self.value if self.feasible else None, self.bound)

    def _offer(self, solution: Any, claimed: float | None) -> None:
        value = self.family.value(self.instance, solution)
        broken = self.family.compiled_violations(self.instance, solution)
        if broken:
            self.refuted = f"returned a solution with {value} that breaks {broken[0]}"
        sign = 1 if sense_of(self.instance) == "max" else -1
        as_good = self.value is None or sign * value >= sign * self.value
        if self.understates and claimed is not None and sign * claimed < sign * value:
            claimed = value  # at an optimum it is not less, and the bound, which is what was claimed, says so
        if (not broken, as_good) > (self.feasible, False):
            self.solution, self.value, self.feasible, self.claimed = solution, value, not broken, claimed


def solve(instance: Instance, control: Control, backend: Backend, form: str | None, **options: Any) -> Answer:
    """Solve an instance's formulation with a back end in a child process.

    Raises
    ------
    UnknownNameError
        If the problem has no such form for the back end.
    BackendError
        If the back end is missing, or died before it found anything.
    """
    path = find(instance.problem, form_of(instance, form), backend.language)
    best = _Best(instance, load(path)(instance), control)
    if control.stop():
        return _answer(best, Outcome(control.stopped_by()))
    job = Job(path, instance, best.solution, control.seed, control.workers, options)
    try:
        outcome = child.run(backend.target, job, control, best.hear, imports=backend.imports)
    except BackendError as error:
        if best.solution is None:
            raise BackendError(f"{backend.name}: {error}") from error
        outcome = Outcome(Termination.ERROR, best.bound, f"{backend.name}: {error}".splitlines()[0])
    if outcome is None:
        words = f"{backend.name} did not stop when asked and was killed"
        outcome = Outcome(Termination.TIME_LIMIT, best.bound, words)
    if outcome.termination is Termination.TIME_LIMIT and control.interrupted:
        outcome = replace(outcome, termination=Termination.INTERRUPTED)
    if outcome.termination in (Termination.INFEASIBLE, Termination.UNBOUNDED) and best.feasible:
        words = f"{backend.name} says {outcome.termination}, but a feasible solution with {best.value} is known"
        outcome = Outcome(Termination.ERROR, None, words, outcome.effort)
    if best.refuted and best.feasible:
        words = f"{backend.name} {best.refuted}; the best checked one is kept"
        words = f"{outcome.message}; {words}" if outcome.message else words
        outcome = Outcome(Termination.ERROR, outcome.bound, words, outcome.effort)
    return _answer(best, outcome)


def _answer(best: _Best, outcome: Outcome) -> Answer:
    return Answer(
        solution=best.solution,
        claimed_value=best.claimed,
        bound=outcome.bound,
        termination=outcome.termination,
        effort=outcome.effort,
        message=outcome.message,
    )
