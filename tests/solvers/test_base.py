"""The dispatcher: every answer is checked, every contradiction is named, every limit is a clear error."""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import edgeopt
import edgeopt as eo
from edgeopt.errors import AssumptionError, BackendError, InstanceError, UnknownNameError
from edgeopt.instances.batching import BatchingInstance, Schedule
from edgeopt.result import Answer, BoundEvidence, Termination, ValueEvidence
from edgeopt.solvers import base
from edgeopt.solvers.base import Control, Progress, SolverInfo, checked, excuse


@pytest.fixture
def instance() -> BatchingInstance:
    found: BatchingInstance = edgeopt.generate("batching", seed=3, nodes=2, requests=12, regime="both")
    return found


@pytest.fixture
def stub() -> Iterator[Any]:
    """Register a solver function as ``stub`` for one test."""

    def put(function: base.SolverFunction, *, exact: bool = False) -> None:
        base.register(SolverInfo("stub", "batching", function, exact=exact))

    yield put
    base.solvers("batching").pop("stub", None)


def honest(instance: BatchingInstance) -> Schedule:
    solution = edgeopt.solve(instance, "gah").solution
    assert isinstance(solution, Schedule)
    assert solution.value > 0
    return solution


def test_a_checked_value_comes_with_its_evidence(instance: BatchingInstance) -> None:
    result = edgeopt.solve(instance, "gah")
    assert result.value_evidence is ValueEvidence.CHECKED
    assert result.value == result.solution.value
    assert result.bound is None
    assert result.bound_evidence is None
    assert result.evidence == "checked"
    assert not edgeopt.violations(instance, result.solution)


def test_the_default_solver_is_used_without_a_name(instance: BatchingInstance) -> None:
    assert edgeopt.solve(instance).solver == "gah"


def test_a_lie_about_the_value_is_named(instance: BatchingInstance, stub: Any) -> None:
    truth = honest(instance)
    stub(lambda i, control: Answer(truth, claimed_value=truth.value + 1))
    result = edgeopt.solve(instance, "stub")
    assert result.value == truth.value
    assert result.termination is Termination.ERROR
    assert f"claimed the value {truth.value + 1}, its solution has {truth.value}" in result.message


def test_a_lie_about_the_bound_is_named_and_the_bound_dropped(instance: BatchingInstance, stub: Any) -> None:
    truth = honest(instance)
    stub(lambda i, control: Answer(truth, bound=truth.value - 1))
    result = edgeopt.solve(instance, "stub")
    assert result.bound is None
    assert result.bound_evidence is None
    assert "claimed the bound" in result.message


@pytest.mark.parametrize("thing", [None, 3, "done"])
def test_what_is_no_answer_is_named(instance: BatchingInstance, stub: Any, thing: Any) -> None:
    stub(lambda i, control: thing)
    with pytest.raises(BackendError, match=f"stub returned {type(thing).__name__}"):
        edgeopt.solve(instance, "stub")


@pytest.mark.parametrize(
    ("field", "thing"),
    [("termination", "complete"), ("termination", None), ("message", 3), ("claimed_value", "5"),
     ("claimed_value", True), ("guarantee", "0/0"), ("guarantee", "xx"), ("guarantee", "1/0")],
)  # fmt: skip
def test_a_field_of_another_type_is_named(instance: BatchingInstance, stub: Any, field: str, thing: Any) -> None:
    stub(lambda i, control: Answer(honest(instance), **{field: thing}))
    with pytest.raises(BackendError, match=f"stub: {field} = "):
        edgeopt.solve(instance, "stub")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"termination": Termination.INFEASIBLE}, "says infeasible, but its own checked solution has"),
        ({"termination": Termination.UNBOUNDED}, "says unbounded, but its own checked solution has"),
        ({"termination": Termination.TIME_LIMIT}, "says time_limit, but there was none"),
        ({"bound": True}, "claimed the bound True, which is no finite number"),
        ({"bound": "9"}, "claimed the bound 9, which is no finite number"),
        ({"bound": 99}, "says complete, but its value is"),
        ({"solution": None}, "says complete, but has no solution"),
        ({"solution": None, "claimed_value": 3}, "claimed the value 3 without a solution"),
        (
            {"solution": None, "bound": 3, "termination": Termination.INFEASIBLE},
            "says infeasible, and claims the bound 3",
        ),
    ],
)
def test_an_end_that_cannot_be_is_named(
    instance: BatchingInstance, stub: Any, said: dict[str, Any], words: str
) -> None:
    """Of an exact solver without a limit."""
    stub(lambda i, control: Answer(**{"solution": honest(instance), **said}), exact=True)
    result = edgeopt.solve(instance, "stub")
    assert result.termination is Termination.ERROR
    assert f"stub {words}" in result.message
    assert not result.closed


@pytest.mark.parametrize("thing", [7, "everything", [[0, 1]], {"batches": []}])
def test_a_solution_of_another_type_is_named(instance: BatchingInstance, stub: Any, thing: Any) -> None:
    stub(lambda i, control: Answer(thing, claimed_value=2, bound=3))
    result = edgeopt.solve(instance, "stub")
    assert result.termination is Termination.ERROR
    assert result.solution is None
    assert result.value is None
    assert "stub returned a solution that is none: AttributeError" in result.message


def test_an_infeasible_solution_is_only_claimed(instance: BatchingInstance, stub: Any) -> None:
    crowd = np.arange(12)
    stub(lambda i, control: Answer(Schedule.of([crowd, []]), claimed_value=12, bound=12))
    result = edgeopt.solve(instance, "stub")
    assert result.value_evidence is ValueEvidence.CLAIMED
    assert not result.closed
    assert "optimal" not in result.summary()
    assert "returned a solution that breaks" in result.message


def test_a_request_on_two_nodes_is_refuted(instance: BatchingInstance, stub: Any) -> None:
    stub(lambda i, control: Answer(Schedule.of([[0], [0]])))
    result = edgeopt.solve(instance, "stub")
    assert result.value_evidence is ValueEvidence.CLAIMED
    assert "at most once" in result.message


def test_optimal_is_said_only_where_a_checked_value_meets_the_bound(instance: BatchingInstance, stub: Any) -> None:
    truth = honest(instance)
    stub(lambda i, control: Answer(truth, bound=truth.value))
    result = edgeopt.solve(instance, "stub")
    assert result.closed
    assert result.bound_evidence is BoundEvidence.CLAIMED
    assert "optimal (claimed)" in result.summary()


def test_no_solution_is_said_plainly(instance: BatchingInstance, stub: Any) -> None:
    stub(lambda i, control: Answer(None, termination=Termination.TIME_LIMIT))
    result = edgeopt.solve(instance, "stub", time_limit=1)
    assert result.value is None
    assert result.evidence is None
    assert "no solution (time_limit)" in result.summary()


def test_unknown_names_are_answered_with_the_known_ones(instance: BatchingInstance) -> None:
    with pytest.raises(UnknownNameError, match=r"no solver 'gahh' for batching; there are: .*gah"):
        edgeopt.solve(instance, "gahh")
    with pytest.raises(UnknownNameError, match=r"no problem 'batch'; there are: .*batching"):
        edgeopt.generate("batch")
    with pytest.raises(InstanceError, match="solver gah has no option 'colour'; it has: oracle, order, restarts"):
        edgeopt.solve(instance, "gah", colour="red")
    with pytest.raises(UnknownNameError, match="no single-node solver 'x'"):
        edgeopt.solve(instance, "gah", oracle="x")


def test_an_error_inside_a_solver_is_not_taken_for_a_wrong_option(instance: BatchingInstance, stub: Any) -> None:
    def broken(instance: BatchingInstance, control: Control) -> Answer:
        raise TypeError("inside")

    stub(broken)
    with pytest.raises(TypeError, match="inside"):
        edgeopt.solve(instance, "stub")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"time_limit": -1.0}, r"time_limit = -1.0 \(s\)"),
        ({"time_limit": float("nan")}, "time_limit = nan"),
        ({"workers": 0}, "workers = 0"),
    ],
)
def test_bad_limits(instance: BatchingInstance, options: dict[str, Any], text: str) -> None:
    with pytest.raises(InstanceError, match=text):
        edgeopt.solve(instance, "gah", **options)


def test_a_single_node_solver_refuses_two_nodes(instance: BatchingInstance) -> None:
    with pytest.raises(AssumptionError, match=r"ot solves one node, .* has 2; use gah with oracle='ot'"):
        edgeopt.solve(instance, "ot")


def test_ctrl_c_returns_the_best_so_far(instance: BatchingInstance, stub: Any) -> None:
    truth = honest(instance)

    def patient(instance: BatchingInstance, control: Control) -> Answer:
        os.kill(os.getpid(), signal.SIGINT)
        while not control.stop():
            pass
        return Answer(truth, termination=control.stopped_by())

    stub(patient)
    before = signal.getsignal(signal.SIGINT)
    result = edgeopt.solve(instance, "stub")
    assert result.termination is Termination.INTERRUPTED
    assert result.value == truth.value
    assert signal.getsignal(signal.SIGINT) is before


def test_a_time_limit_of_zero_returns_at_once_with_something_feasible(instance: BatchingInstance) -> None:
    result = edgeopt.solve(instance, "gah", time_limit=0)
    assert result.termination is Termination.TIME_LIMIT
    assert result.value_evidence is ValueEvidence.CHECKED


def test_progress_is_heard(instance: BatchingInstance) -> None:
    heard: list[Progress] = []
    result = edgeopt.solve(instance, "gah+", progress=heard.append)
    assert heard
    assert heard[-1].solver == "gah+"
    assert max(p.value or 0 for p in heard) == result.value


@pytest.mark.parametrize(
    ("solver", "options", "text"),
    [
        ("gah", {"restarts": "x"}, "option restarts = 'x': must be int"),
        ("gah", {"order": 5}, "option order = 5"),
        ("gah", {"oracle": [1]}, "option oracle"),
        ("ot-paper", {"prune": "False"}, "option prune = 'False': must be bool"),
        ("ot", {"node_limit": True}, "option node_limit = True"),
        ("gah", {"seed": -1}, "seed = -1: must be 0 or more"),
    ],
)
def test_options_of_the_wrong_kind_are_refused(solver: str, options: dict[str, Any], text: str) -> None:
    instance = eo.generate("batching", nodes=1, requests=5, seed=1)
    with pytest.raises(InstanceError, match=text):
        eo.solve(instance, solver, **options)


def test_options_may_be_numbers_of_numpy_and_any_sequence() -> None:
    instance = eo.generate("batching", nodes=2, requests=5, seed=1)
    eo.solve(instance, "gah", restarts=np.int64(2), order="random")
    eo.solve(instance, "gah", order=(1, 0))
    eo.solve(instance, "gah", order=["uav", "server"])


@pytest.mark.parametrize("bound", [math.nan, math.inf, -math.inf])
def test_a_bound_that_is_no_number_is_named(bound: float) -> None:
    instance = eo.generate("batching", nodes=1, requests=5, seed=1)
    result = checked(instance, "liar", Answer(Schedule.of([[]]), bound=bound), 0.0)
    assert (result.bound, result.bound_evidence, result.termination) == (None, None, Termination.ERROR)
    assert "no finite number" in result.message


def test_a_bound_of_numpy_becomes_one_of_python() -> None:
    instance = eo.generate("batching", nodes=1, requests=5, seed=1)
    result = checked(instance, "x", Answer(Schedule.of([[]]), bound=np.int64(7)), 0.0)
    assert type(result.bound) is int


def test_what_one_thread_compiles_is_no_time_for_another() -> None:
    control = Control(time_limit=1.0)
    before = control.seconds()
    other = threading.Thread(target=excuse, args=(100.0,))
    other.start()
    other.join()
    assert control.seconds() >= before
    excuse(50.0)
    assert control.seconds() < 0
    excuse(-50.0)


def test_options_of_a_callable_object_are_taken_as_they_are() -> None:
    class Solver:
        def __call__(self, instance: BatchingInstance, control: Control, depth: int = 1) -> Answer:
            return Answer(Schedule.of([[]]), effort={"depth": depth})

    instance = eo.generate("batching", nodes=1, requests=5, seed=1)
    base.register(SolverInfo("object", "batching", Solver()))
    try:
        assert eo.solve(instance, "object", depth=3).effort == {"depth": 3}
        with pytest.raises(InstanceError, match="no option 'width'; it has: depth"):
            eo.solve(instance, "object", width=3)
    finally:
        del base.solvers("batching")["object"]
