"""The one signature of every solver, the registry, and the dispatcher that checks each answer."""

from __future__ import annotations

import inspect
import math
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from numbers import Integral, Real
from types import FrameType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from edgeopt.errors import BackendError, EdgeoptError, InstanceError, UnknownNameError
from edgeopt.instances.base import Instance, default_solver, digits_of, problem, problem_names, sense_of
from edgeopt.result import Answer, BoundEvidence, Result, Termination, ValueEvidence, amount, number

SolverFunction = Callable[..., Answer]


@dataclass(frozen=True, slots=True)
class SolverInfo:
    """A line of the registry.

    Attributes
    ----------
    name, problem : str
        What the user calls it, and the problem it solves.
    load : str or callable
        ``module:function`` (imported on first use) or the function itself. It is called as
        ``function(instance, control, **options)`` and returns an `Answer`.
    exact : bool
        Whether a complete run is optimal.
    guarantee : str or None
        Proved ratio of value to optimum, as a fraction such as ``1/2``.
    description : str
        One line for ``edgeopt solvers``.
    """

    name: str
    problem: str
    load: str | SolverFunction
    exact: bool = False
    guarantee: str | None = None
    description: str = ""

    def function(self) -> SolverFunction:
        """The solver function, imported now."""
        if not isinstance(self.load, str):
            return self.load
        module, _, name = self.load.partition(":")
        function: SolverFunction = getattr(import_module(module), name)
        return function


_registered: dict[str, dict[str, SolverInfo]] = {}


def register(info: SolverInfo) -> None:
    """Add a solver of one's own; it then has the command line, the tests and the benchmarks."""
    solvers(info.problem)[info.name] = info


def solvers(problem_name: str) -> dict[str, SolverInfo]:
    """All solvers of a problem by name: ours, registered ones, and those of installed plug-ins.

    A plug-in is a package with an entry point in the group ``edgeopt.solvers`` that names a `SolverInfo`.
    """
    if problem_name not in _registered:
        if problem_name not in problem_names():
            problem(problem_name)  # says which there are; one that exists is not imported to list its solvers
        ours = import_module(f"edgeopt.solvers.{problem_name}").SOLVERS
        plugins = (point.load() for point in entry_points(group="edgeopt.solvers"))
        found = [*ours, *(info for info in plugins if info.problem == problem_name)]
        _registered[problem_name] = {info.name: info for info in found}
    return _registered[problem_name]


def solver(problem_name: str, name: str) -> SolverInfo:
    """The registered solver of that name.

    Raises
    ------
    UnknownNameError
        If the problem has no such solver.
    """
    known = solvers(problem_name)
    if name not in known:
        raise UnknownNameError(f"no solver {name!r} for {problem_name}; there are: {', '.join(sorted(known))}")
    return known[name]


def known_somewhere(name: str) -> bool:
    """Whether some problem has a solver of that name."""
    return any(name in solvers(problem_name) for problem_name in problem_names())


@dataclass(frozen=True, slots=True)
class Progress:
    """A report from inside a running solver."""

    solver: str
    seconds: float
    value: float | None
    bound: float | None


_excused_s: dict[int, float] = {}
"""Seconds excused so far, by thread: what one compiles is no time that another may keep."""


def excuse(seconds: float) -> None:
    """Do not charge these seconds to this thread's solver: it compiled what it keeps for all later runs."""
    thread = threading.get_ident()
    _excused_s[thread] = _excused_s.get(thread, 0.0) + seconds


@dataclass(slots=True)
class Control:
    """What a solver function is given besides the instance: limits, seed, start, and ears.

    Attributes
    ----------
    time_limit : float or None
        Wall-clock limit (s), from `started`.
    seed, workers : int
        Random seed and number of threads.
    start : object or None
        A solution to start from.
    listener : callable or None
        Hears every `report`.
    thread : int
        The thread that solves, whose excused time does not count.
    digits : int
        See `edgeopt.result.Result`; reports are of what the numbers stand for.
    """

    solver: str = ""
    time_limit: float | None = None
    seed: int = 0
    workers: int = 1
    start: Any | None = None
    listener: Callable[[Progress], None] | None = None
    thread: int = field(default_factory=threading.get_ident)
    started: float = field(init=False)
    interrupted: bool = False
    digits: int = 0

    def __post_init__(self) -> None:
        self.started = self._clock()

    def _clock(self) -> float:
        return time.perf_counter() - _excused_s.get(self.thread, 0.0)

    def seconds(self) -> float:
        """Time since the start (s), without the one-time compilation of kernels."""
        return self._clock() - self.started

    def remaining(self) -> float | None:
        """Time left (s, not negative), or None without a limit."""
        return None if self.time_limit is None else max(0.0, self.time_limit - self.seconds())

    def stop(self) -> bool:
        """Whether the solver should return its best now: interrupted or out of time."""
        return self.interrupted or (self.time_limit is not None and self.seconds() >= self.time_limit)

    def stopped_by(self) -> Termination:
        """The termination to report after `stop` was true."""
        return Termination.INTERRUPTED if self.interrupted else Termination.TIME_LIMIT

    def report(self, value: float | None, bound: float | None = None) -> None:
        """Tell the listener the incumbent's value and the bound."""
        if self.listener is not None:
            shown, least = (None if known is None else amount(known, self.digits) for known in (value, bound))
            self.listener(Progress(self.solver, self.seconds(), shown, least))


@contextmanager
def _interruptible(control: Control) -> Iterator[None]:
    """Turn the first Ctrl-C into a flag that solvers poll; the second one kills as usual."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.getsignal(signal.SIGINT)
    if not callable(previous):  # ignored, or set outside Python: leave it so
        yield
        return

    def handler(number: int, frame: FrameType | None) -> None:
        control.interrupted = True
        signal.signal(signal.SIGINT, previous)

    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def solve(
    instance: Instance,
    solver_name: str | None = None,
    *,
    time_limit: float | None = None,
    seed: int = 0,
    workers: int = 1,
    progress: Callable[[Progress], None] | None = None,
    start: Any | None = None,
    **options: Any,
) -> Result:
    """Solve an instance with a registered solver and check the answer in exact integers.

    Parameters
    ----------
    instance : Instance
        What to solve.
    solver_name : str, optional
        A name from ``edgeopt solvers``; the problem's default when not given.
    time_limit : float, optional
        Wall-clock limit (s). At the limit the best solution so far comes back.
    seed : int
        Same seed, one worker, no time limit: same answer.
    workers : int
        Threads for solvers that can use them.
    progress : callable, optional
        Called with a `Progress` now and then.
    start : solution, optional
        A solution to start from, for solvers that can use one.
    **options
        Options of the solver, see its page.

    Returns
    -------
    Result
        Value and bound, each labelled with its evidence.

    Raises
    ------
    UnknownNameError
        If there is no such solver.
    AssumptionError
        If the instance is outside the solver's assumptions.
    InstanceError
        If an option or limit is not usable.
    BackendError
        If the solver returns something else than an `Answer`.
    """
    info = solver(instance.problem, solver_name or default_solver(instance))
    if time_limit is not None and not time_limit >= 0:
        raise InstanceError(f"time_limit = {time_limit} (s): must be 0 or more")
    if workers < 1:
        raise InstanceError(f"workers = {workers}: must be 1 or more")
    if seed < 0:
        raise InstanceError(f"seed = {seed}: must be 0 or more")
    function = info.function()
    if options:
        _check_options(info, function, options)
    control = Control(info.name, time_limit, seed, workers, start, progress, digits=digits_of(instance))
    with _interruptible(control):
        answer = function(instance, control, **options)
    seconds = control.seconds()
    _check_answer(info, answer)
    return checked(instance, info.name, answer, seconds, options, exact=info.exact, limited=time_limit is not None)


def _check_options(info: SolverInfo, function: SolverFunction, options: Mapping[str, Any]) -> None:
    """Refuse options that the solver does not have, and values that its annotations rule out."""
    parameters = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    known = list(parameters)[2:]
    try:
        hints = get_type_hints(function)
    except (NameError, TypeError):  # names for type checkers only, or a callable object: nothing to go by
        hints = {}
    for name, value in options.items():
        if name not in known:
            has = f"it has: {', '.join(known)}" if known else "it has none"
            raise InstanceError(f"solver {info.name} has no option {name!r}; {has}")
        if name in hints and not _is_a(value, hints[name]):
            wanted = str(parameters[name].annotation)
            raise InstanceError(f"solver {info.name}: option {name} = {value!r}: must be {wanted}")


def _is_a(value: Any, hint: Any) -> bool:
    """Whether a value is what an annotation says; annotations that are no classes, unions or sequences pass."""
    if get_origin(hint) in (Union, UnionType):
        return any(_is_a(value, kind) for kind in get_args(hint))
    kind = get_origin(hint) or hint
    if kind is Sequence:
        items = get_args(hint)
        return isinstance(value, Sequence) and not isinstance(value, str) and all(_is_a(v, items[0]) for v in value)
    if kind is bool or isinstance(value, bool):
        return kind is Any or (kind is bool and isinstance(value, bool))
    if kind in (int, float):
        return isinstance(value, Integral if kind is int else Real)
    return not isinstance(kind, type) or isinstance(value, kind)


def _check_answer(info: SolverInfo, answer: Any) -> None:
    """Refuse what is no `Answer`, or one with a field of another type."""
    if not isinstance(answer, Answer):
        raise BackendError(f"solver {info.name} returned {type(answer).__name__}; a solver returns an Answer")
    if not isinstance(answer.termination, Termination):
        raise BackendError(f"solver {info.name}: termination = {answer.termination!r}: must be a Termination")
    if not isinstance(answer.message, str):
        raise BackendError(f"solver {info.name}: message = {answer.message!r}: must be text")
    claimed = answer.claimed_value
    if claimed is not None and (isinstance(claimed, bool) or not isinstance(claimed, Real)):
        raise BackendError(f"solver {info.name}: claimed_value = {claimed!r}: must be a number")
    if answer.guarantee is not None and not re.fullmatch(r"\d+(/0*[1-9]\d*)?", str(answer.guarantee), re.ASCII):
        raise BackendError(f"solver {info.name}: guarantee = {answer.guarantee!r}: must be a fraction such as '1/2'")


def checked(
    instance: Instance,
    name: str,
    answer: Answer,
    seconds: float,
    options: Mapping[str, Any] | None = None,
    *,
    exact: bool = False,
    limited: bool = True,
) -> Result:
    """Recompute an answer's value, hold its claims against it, and name every contradiction.

    Parameters
    ----------
    instance, name, answer, seconds, options
        What was solved, by whom, and what came of it.
    exact : bool
        Whether the solver says that a complete run is optimal.
    limited : bool
        Whether there was a time limit.
    """
    family, sense = problem(instance.problem), sense_of(instance)
    value: float | None = None
    evidence: ValueEvidence | None = None
    bound, refuted = _number_of(answer.bound)
    refuted = [f"{name} {words}" for words in (*refuted, *_odd_end(answer, bound, exact=exact, limited=limited))]
    solution = answer.solution
    if solution is not None:
        try:
            value = family.value(instance, solution)
            broken = family.compiled_violations(instance, solution)
        except EdgeoptError:
            raise
        except (AttributeError, IndexError, TypeError, ValueError) as error:  # of another type than the problem's
            refuted.append(f"{name} returned a solution that is none: {type(error).__name__}: {error}"[:300])
            solution = value = None
    if solution is not None and value is not None:
        evidence = ValueEvidence.CLAIMED if broken else ValueEvidence.CHECKED
        refuted += [f"{name} returned a solution that breaks {item}" for item in broken[:3]]
        if answer.claimed_value is not None and answer.claimed_value != value:
            refuted.append(f"{name} claimed the value {number(answer.claimed_value)}, its solution has {number(value)}")
        if bound is not None and not broken and (value > bound if sense == "max" else value < bound):
            refuted.append(f"{name} claimed the bound {number(bound)}, its own checked solution has {number(value)}")
            bound = None
        end = answer.termination
        if not broken and end in (Termination.INFEASIBLE, Termination.UNBOUNDED):
            refuted.append(f"{name} says {end}, but its own checked solution has {number(value)}")
        if not broken and exact and end is Termination.COMPLETE and bound is not None and bound != value:
            refuted.append(f"{name} says complete, but its value is {number(value)} and its bound {number(bound)}")
    return Result(
        problem=instance.problem,
        instance=instance.name,
        digest=instance.digest,
        solver=name,
        sense=sense,
        solution=solution,
        value=value,
        value_evidence=evidence,
        bound=bound,
        bound_evidence=None if bound is None else BoundEvidence.CLAIMED,
        termination=Termination.ERROR if refuted else answer.termination,
        seconds=seconds,
        effort=answer.effort,
        options=dict(options or {}),
        proof=answer.proof,
        message="; ".join(filter(None, [answer.message, *refuted])),
        guarantee=answer.guarantee,
        digits=digits_of(instance),
    )


def _number_of(bound: Any) -> tuple[float | None, list[str]]:
    """A bound as a number that JSON knows, and what is wrong with it."""
    if bound is None:
        return None, []
    if isinstance(bound, bool) or not isinstance(bound, Real) or not math.isfinite(bound):
        return None, [f"claimed the bound {bound}, which is no finite number"]
    return (int(bound) if isinstance(bound, Integral) else float(bound)), []


def _odd_end(answer: Answer, bound: float | None, *, exact: bool, limited: bool) -> Iterator[str]:
    """What an answer says about its end that cannot be."""
    end = answer.termination
    if end is Termination.INFEASIBLE and bound is not None:
        yield f"says infeasible, and claims the bound {number(bound)}"
    if end is Termination.TIME_LIMIT and not limited:
        yield "says time_limit, but there was none"
    if answer.solution is None:
        if exact and end is Termination.COMPLETE:
            yield "says complete, but has no solution"
        if answer.claimed_value is not None:
            yield f"claimed the value {number(answer.claimed_value)} without a solution"
