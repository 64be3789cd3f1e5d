"""`assert_solver`: any solver against exact checks and an exact reference, on generated instances."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis.errors import Flaky, Unsatisfiable
from hypothesis.strategies import SearchStrategy

from edgeopt.errors import AssumptionError, InstanceError
from edgeopt.instances.base import Instance, problem
from edgeopt.instances.io import write_bytes
from edgeopt.result import Answer, Result, Termination
from edgeopt.solvers.base import Control, SolverInfo, checked, solver, solvers
from edgeopt.testing.assignment import assignment_instances
from edgeopt.testing.offloading import offloading_instances
from edgeopt.testing.slide import slide_instances
from edgeopt.testing.strategies import batching_instances

STRATEGIES: dict[str, Callable[[], SearchStrategy[Any]]] = {
    "assignment": assignment_instances,
    "batching": batching_instances,
    "offloading": offloading_instances,
    "slide": slide_instances,
}
"""Strategy for the instances of each problem."""
REFERENCES = ("brute-force", "cpsat")
"""Exact solvers that give the optimum: the first one that takes the instance and is not the one under test."""
MOST_SHOWN = 4000
"""Characters of an instance that are shown in full."""


class _Broken(AssertionError):
    """What a solver did wrong on an instance."""

    def __init__(self, instance: Instance, text: str) -> None:
        super().__init__(text)
        self.instance = instance


def assert_solver(
    candidate: str | SolverInfo | Callable[..., Any],
    *,
    exact: bool | None = None,
    guarantee: Fraction | str | None = None,
    problem: str = "batching",
    examples: int | None = None,
    strategy: SearchStrategy[Any] | None = None,
    seed: int = 0,
    **options: Any,
) -> None:
    """Assert that a solver is right on generated instances.

    Every answer is checked from the instance's raw fields and in its compiled integers; its value, bound
    and claims are held against the optimum of an exact solver; and a second run must give the same answer.
    The instances are the same every time; a larger number of `examples` looks further.

    Parameters
    ----------
    candidate : str, SolverInfo or callable
        A registered name, a registry line, or a function: ``f(instance, control, **options) -> Answer``,
        or ``f(instance) -> solution``.
    exact : bool, optional
        Demand the optimum. What the registry line says when not given, False for a plain function.
    guarantee : Fraction or str, optional
        Demand at least this ratio of value to optimum (at most its inverse when minimising), such as
        ``"1/2"``. What the registry line says when not given.
    problem : str
        The problem whose instances are generated.
    examples : int, optional
        How many; Hypothesis's current profile decides when not given.
    strategy : SearchStrategy, optional
        Where instances come from, e.g. ``batching_instances(max_nodes=1)`` for a single-node algorithm.
    seed : int
        Random seed given to the solver.
    **options
        Options of the solver.

    Raises
    ------
    AssertionError
        Saying what broke, with the smallest instance found, also as a file to read again.
    """
    info, function = _runner(candidate, problem)
    exact = info.exact if exact is None else exact
    ratio = Fraction(guarantee or info.guarantee or 0)

    def run(instance: Instance) -> Result:
        control = Control(info.name, seed=seed)
        try:
            answer = function(instance, control, **options)
        except AssumptionError:
            raise
        except Exception as error:
            raise _Broken(instance, f"it raised {type(error).__name__}: {error}") from error
        if not isinstance(answer, Answer):
            raise _Broken(instance, f"it returned {type(answer).__name__}, not an edgeopt.result.Answer")
        return checked(instance, info.name, answer, control.seconds(), options)

    @settings(
        max_examples=examples or settings().max_examples,
        deadline=None,
        database=None,
        derandomize=True,
        report_multiple_bugs=False,
        print_blob=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(STRATEGIES[problem]() if strategy is None else strategy)
    def test(instance: Instance) -> None:
        try:
            first = run(instance)
        except AssumptionError:  # outside the theorem of the solver, and it said so
            assume(False)
        _check_answer(instance, first)
        _check_value(instance, first, _optimum(instance, info.name), exact, ratio)
        again = run(instance)
        if (again.solution, again.value, again.bound) != (first.solution, first.value, first.bound):
            raise _Broken(instance, f"two runs with seed {seed} differ: {_short(first)}, then {_short(again)}")

    try:
        test()
    except _Broken as broken:
        raise AssertionError(_report(info.name, broken)) from broken.__cause__
    except Flaky as flaky:
        raise AssertionError(
            f"{info.name}: it was wrong on an instance and right on the same one later: {flaky}"
        ) from flaky
    except Unsatisfiable:
        raise AssertionError(
            f"{info.name}: every generated instance is outside its assumptions; give a narrower strategy"
        ) from None


def _runner(
    candidate: str | SolverInfo | Callable[..., Any], problem_name: str
) -> tuple[SolverInfo, Callable[..., Any]]:
    if isinstance(candidate, str):
        candidate = solver(problem_name, candidate)
    if isinstance(candidate, SolverInfo):
        return candidate, candidate.function()
    info = SolverInfo(getattr(candidate, "__name__", type(candidate).__name__), problem_name, candidate)
    if len(inspect.signature(candidate).parameters) > 1:
        return info, candidate
    plain = candidate
    return info, lambda instance, control: Answer(plain(instance))


def _check_answer(instance: Instance, result: Result) -> None:
    """Every promise that can be checked without knowing the optimum."""
    if result.solution is None and result.termination is Termination.INFEASIBLE:
        return
    if result.solution is None:
        raise _Broken(instance, f"it returned no solution ({result.termination}) {result.message}".rstrip())
    broken = problem(instance.problem).violations(instance, result.solution)
    if broken:
        raise _Broken(instance, "its solution breaks " + "; ".join(map(str, broken)))
    if result.termination is not Termination.COMPLETE:
        raise _Broken(instance, f"it ended with {result.termination}: {result.message or 'no limit was set'}")


def _check_value(instance: Instance, result: Result, optimum: float | None, exact: bool, ratio: Fraction) -> None:
    value, bound = result.value, result.bound
    if (value is None) != (optimum is None):
        says = "there is no solution" if value is None else f"a checked solution has {value:g}"
        known = "that there is none" if optimum is None else f"one with {optimum:g}"
        raise _Broken(instance, f"it says that {says}; the reference says {known}")
    if value is None or optimum is None:
        return
    maximises = result.sense == "max"
    if value > optimum if maximises else value < optimum:
        raise _Broken(instance, f"its checked value {value:g} is better than the reference's optimum {optimum:g}")
    if bound is not None and (bound < optimum if maximises else bound > optimum):
        raise _Broken(instance, f"its bound {bound:g} is wrong, the optimum is {optimum:g}")
    if exact and value != optimum:
        raise _Broken(instance, f"its value {value:g} is not the optimum {optimum:g}")
    good, least = (
        (Fraction(value), ratio * Fraction(optimum)) if maximises else (Fraction(optimum), ratio * Fraction(value))
    )
    if ratio and good < least:
        raise _Broken(instance, f"its value {value:g} misses the guarantee {ratio} of the optimum {optimum:g}")


def _optimum(instance: Instance, tested: str) -> float | None:
    """The exact optimum, from the first reference that takes the instance; None where there is no solution."""
    known = solvers(instance.problem)
    for name in REFERENCES:
        if name == tested or name not in known:
            continue
        try:
            answer = known[name].function()(instance, Control(name))
        except AssumptionError:
            continue
        result = checked(instance, name, answer, 0.0)
        if result.solution is None and result.termination is Termination.INFEASIBLE:
            return None
        if not result.closed:
            raise InstanceError(f"the reference {name} did not close the instance {instance.name}: {result.message}")
        assert result.value is not None
        return result.value
    raise InstanceError(f"no exact reference for the instance {instance.name}; generate smaller ones")


def _short(result: Result) -> str:
    family = problem(result.problem)
    return f"value {result.value}, bound {result.bound}, {family.objective}"


def _report(name: str, broken: _Broken) -> str:
    instance = broken.instance
    content = problem(instance.problem).encode(instance)
    path = Path(tempfile.gettempdir()) / f"edgeopt-{name}-{instance.digest[:12]}.json"
    write_bytes(content, path)
    shown = content.decode()
    if len(shown) > MOST_SHOWN:
        shown = f"{shown[:MOST_SHOWN]}... ({len(shown)} characters)\n"
    return f"{name}: {broken}\nsmallest instance found, edgeopt.read({str(path)!r}):\n{shown}"
