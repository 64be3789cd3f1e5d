"""Both exact back ends against brute force, and back ends that lie, die or find nothing."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import edgeopt
from edgeopt.errors import BackendError, UnknownNameError
from edgeopt.instances.batching import BatchingInstance, NodeProblem, Schedule
from edgeopt.instances.batching.compiled import CompiledBatching
from edgeopt.instances.batching.generate import CORNERS
from edgeopt.result import BoundEvidence, Termination, ValueEvidence
from edgeopt.solvers import backend, child, cpsat, highs, pyomo_factory
from edgeopt.solvers.base import Progress
from edgeopt.testing import batching_instances, node_problems

pytestmark = pytest.mark.child
EXACT = ("highs", "cpsat")
FORMS = ("threshold", "big-m")


def with_node(node: NodeProblem) -> BatchingInstance:
    """An instance whose compiled form is the node."""
    count = int(node.request.max(initial=-1)) + 1
    instance: BatchingInstance = edgeopt.generate("batching", nodes=1, requests=count)
    instance.__dict__["compiled"] = CompiledBatching((node,), count)
    return instance


def assert_optimal(instance: BatchingInstance, solver: str, form: str) -> None:
    optimum = edgeopt.solve(instance, "brute-force").value
    result = edgeopt.solve(instance, solver, form=form)
    assert result.value == optimum, result
    assert result.bound == optimum, result
    assert result.value_evidence is ValueEvidence.CHECKED
    assert result.bound_evidence is BoundEvidence.CLAIMED
    assert result.termination is Termination.COMPLETE


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("solver", EXACT)
@given(instance=batching_instances(max_requests=7))
def test_equal_to_brute_force(solver: str, form: str, instance: BatchingInstance) -> None:
    assert_optimal(instance, solver, form)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("solver", EXACT)
@given(node=node_problems())
def test_equal_to_brute_force_on_integers(solver: str, form: str, node: NodeProblem) -> None:
    assert_optimal(with_node(node), solver, form)


@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("solver", EXACT)
def test_corners(solver: str, corner: str) -> None:
    for rule in ("worst-channel", "per-user"):
        instance = edgeopt.generate(
            "batching", seed=2, nodes=2, requests=8, regime="all", load=0.6, corner=corner, downlink_rule=rule
        )
        for form in FORMS:
            assert_optimal(instance, solver, form)


@pytest.mark.parametrize("solver", EXACT)
def test_the_same_seed_gives_the_same_answer(solver: str) -> None:
    instance = edgeopt.generate("batching", seed=5, nodes=2, requests=20, regime="all")
    first, second = (edgeopt.solve(instance, solver, seed=7) for _ in range(2))
    assert first.solution == second.solution
    assert first.effort == second.effort


@pytest.mark.parametrize("solver", EXACT)
def test_workers_may_change_between_calls(solver: str) -> None:
    instance = edgeopt.generate("batching", seed=5, nodes=2, requests=16, regime="all")
    values = {edgeopt.solve(instance, solver, workers=workers).value for workers in (1, 2, 1, 2)}
    assert len(values) == 1


def hard() -> BatchingInstance:
    found: BatchingInstance = edgeopt.generate("batching", seed=1, nodes=3, requests=400, regime="both")
    return found


def one_each(instance: BatchingInstance) -> Schedule:
    """A feasible schedule: another request on each node."""
    return Schedule.of([[node.request[place]] for place, node in enumerate(instance.compiled.nodes)])


@pytest.mark.parametrize("solver", EXACT)
def test_a_time_limit_returns_incumbent_and_bound(solver: str) -> None:
    start = one_each(hard())
    result = edgeopt.solve(hard(), solver, time_limit=1.0, start=start)
    assert result.termination is Termination.TIME_LIMIT
    assert result.value_evidence is ValueEvidence.CHECKED
    assert result.value is not None
    assert result.value >= start.value
    assert result.bound is None or result.bound > result.value


@pytest.mark.parametrize("solver", EXACT)
def test_no_time_at_all(solver: str) -> None:
    result = edgeopt.solve(hard(), solver, time_limit=0)
    assert result.termination is Termination.TIME_LIMIT
    assert result.solution is None
    assert result.bound is None
    start = one_each(hard())
    assert edgeopt.solve(hard(), solver, time_limit=0, start=start).solution == start


@pytest.mark.parametrize("solver", EXACT)
def test_ctrl_c_returns_the_incumbent(solver: str) -> None:
    heard: list[Progress] = []

    def interrupt(progress: Progress) -> None:
        heard.append(progress)
        if progress.value is not None and progress.value > 0 and len(heard) < 1000:
            heard.extend([progress] * 1000)
            os.kill(os.getpid(), signal.SIGINT)

    result = edgeopt.solve(hard(), solver, progress=interrupt)
    assert result.termination is Termination.INTERRUPTED
    assert result.value_evidence is ValueEvidence.CHECKED
    assert result.value is not None
    assert result.value > 0


@pytest.mark.parametrize("solver", EXACT)
def test_progress_is_honest(solver: str) -> None:
    instance = edgeopt.generate("batching", seed=5, nodes=2, requests=24, regime="all")
    heard: list[Progress] = []
    result = edgeopt.solve(instance, solver, progress=heard.append)
    assert heard[-1].value == result.value
    for progress in heard:
        assert progress.value is None or progress.value <= result.value
        assert progress.bound is None or progress.bound >= result.value


def test_an_unknown_form_is_answered() -> None:
    with pytest.raises(UnknownNameError, match="there are: threshold, big-m"):
        edgeopt.solve(hard(), "highs", form="small-m")


def test_an_infeasible_start_is_not_used() -> None:
    instance = edgeopt.generate("batching", seed=3, nodes=1, requests=10, regime="all")
    everything = Schedule.of([np.arange(10)])
    result = edgeopt.solve(instance, "highs", start=everything)
    assert result.closed
    assert not result.message


LIARS = """
import numpy as np
from edgeopt.result import Termination
from edgeopt.solvers.backend import Bound, Incumbent, Outcome

def values(job, *chosen):
    found = np.zeros(sum(node.size for node in job.instance.compiled.nodes) + 1000)
    found[list(chosen)] = 1
    return found

def value(job, seconds, emit, stop):
    emit(Incumbent(values(job, 0), 2.0))
    return Outcome(Termination.COMPLETE, 2.0)

def bound(job, seconds, emit, stop):
    emit(Incumbent(values(job, 0), 1.0))
    return Outcome(Termination.COMPLETE, 0.0)

def solution(job, seconds, emit, stop):
    crowd = values(job)
    crowd[:] = 1
    emit(Incumbent(crowd, 10.0))
    return Outcome(Termination.COMPLETE, 10.0)

def late_solution(job, seconds, emit, stop):
    emit(Incumbent(values(job, 0), 1.0))
    return solution(job, seconds, emit, stop)

def infeasible(job, seconds, emit, stop):
    emit(Incumbent(values(job, 0), 1.0))
    return Outcome(Termination.INFEASIBLE)

def nothing(job, seconds, emit, stop):
    return Outcome(Termination.INFEASIBLE)

def less(job, seconds, emit, stop):
    emit(Incumbent(values(job, 0), 1.0))
    return Outcome(Termination.COMPLETE, 1.0)

def dies(job, seconds, emit, stop):
    emit(Incumbent(values(job, 0), 1.0))
    emit(Bound(9.0))
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)

def dies_early(job, seconds, emit, stop):
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)

def hangs(job, seconds, emit, stop):
    emit(Incumbent(values(job, 0), 1.0))
    emit(Bound(9.0))
    while True:
        pass
"""


@pytest.fixture(params=[highs, cpsat, pyomo_factory], ids=lambda module: module.BACKEND.name)
def liar(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Solve an instance of ten requests with a made-up function in the place of each back end's own."""
    module = request.param
    name, given = {highs: ("highs", {}), cpsat: ("cpsat", {}), pyomo_factory: ("pyomo", {"factory": "any"})}[module]
    (tmp_path / "liars.py").write_text(LIARS)
    monkeypatch.syspath_prepend(str(tmp_path))
    instance = edgeopt.generate("batching", seed=3, nodes=1, requests=10, regime="all")

    def solve(lie: str, **options: Any) -> Any:
        monkeypatch.setattr(module, "BACKEND", replace(module.BACKEND, target=f"liars:{lie}", imports=()))
        return edgeopt.solve(instance, name, **given, **options)

    solve.instance = instance  # type: ignore[attr-defined]
    solve.name = module.BACKEND.name  # type: ignore[attr-defined]
    yield solve
    child.close()


def test_a_lie_about_the_value_is_named(liar: Any) -> None:
    result = liar("value")
    assert result.value == 1
    assert result.termination is Termination.ERROR
    assert "claimed the value 2, its solution has 1" in result.message


def test_a_lie_about_the_bound_is_named(liar: Any) -> None:
    result = liar("bound")
    assert result.bound is None
    assert result.termination is Termination.ERROR
    assert "claimed the bound 0" in result.message


def test_an_infeasible_solution_is_only_claimed(liar: Any) -> None:
    result = liar("solution")
    assert result.value_evidence is ValueEvidence.CLAIMED
    assert result.termination is Termination.ERROR
    assert "returned a solution that breaks" in result.message
    assert not result.closed


def test_a_checked_incumbent_is_not_lost_to_an_infeasible_one(liar: Any) -> None:
    result = liar("late_solution")
    assert result.value == 1
    assert result.value_evidence is ValueEvidence.CHECKED
    assert result.termination is Termination.ERROR
    assert f"{liar.name} returned a solution with" in result.message
    assert "the best checked one is kept" in result.message


def test_infeasible_is_not_believed_where_a_solution_is_known(liar: Any) -> None:
    result = liar("infeasible")
    assert result.termination is Termination.ERROR
    assert f"{liar.name} says infeasible, but a feasible solution with 1 is known" in result.message
    assert result.value_evidence is ValueEvidence.CHECKED


def test_a_consistent_lie_is_refuted_by_anything_better(liar: Any) -> None:
    """Too small a value with a bound that fits: one solver's word, until another has a better solution."""
    result = liar("less")
    assert result.closed
    assert result.bound_evidence is BoundEvidence.CLAIMED
    found = edgeopt.certify(liar.instance, result, against="ot")
    assert found.bound_evidence is BoundEvidence.PROVED
    assert found.value == 1 < found.bound
    assert found.guarantee_holds is False
    assert any("claims the bound 1, but a checked solution of ot has" in item for item in found.violations)


def test_a_false_infeasible_is_refuted_by_any_solution(liar: Any) -> None:
    result = liar("nothing")
    assert result.termination is Termination.INFEASIBLE
    found = edgeopt.certify(liar.instance, result, against="ot")
    assert any("says that there is no solution, but a checked solution of ot has" in item for item in found.violations)


def test_the_incumbent_survives_a_death(liar: Any) -> None:
    result = liar("dies")
    assert result.termination is Termination.ERROR
    assert (result.value, result.bound) == (1, 9)
    assert f"{liar.name}: the solver's process died (signal SIGKILL)" in result.message


def test_a_death_with_nothing_in_hand_is_an_error(liar: Any) -> None:
    with pytest.raises(BackendError, match=rf"{liar.name}: the solver's process died \(signal SIGKILL\)"):
        liar("dies_early")
    assert liar("value").value == 1  # and the next call works


def test_the_incumbent_survives_a_kill_at_the_limit(liar: Any) -> None:
    result = liar("hangs", time_limit=0.3)
    assert result.termination is Termination.TIME_LIMIT
    assert (result.value, result.bound) == (1, 9)
    assert result.value_evidence is ValueEvidence.CHECKED
    assert "did not stop when asked and was killed" in result.message


LYING_LIBRARIES = """
from types import SimpleNamespace

def highs(lie, job, seconds, emit, stop):
    import highspy
    from edgeopt.solvers import highs

    class Told(highspy.Highs):
        def getInfo(self):
            found = super().getInfo()
            told = {name: getattr(found, name) for name in dir(found) if not name.startswith("_")}
            if lie == "value":
                told["objective_function_value"] -= 1  # HiGHS minimises
            if lie == "bound":
                told["mip_dual_bound"] = 0.0
            return SimpleNamespace(**told)

        def getModelStatus(self):
            return highspy.HighsModelStatus.kInfeasible if lie == "status" else super().getModelStatus()

        def getSolution(self):
            found = super().getSolution()
            if lie == "solution":
                found.col_value = [1.0] * len(found.col_value)
            return found

    highspy.Highs = Told
    if lie == "solution":
        highs._Search._on_incumbent = lambda self, event: None
    return highs.run(job, seconds, emit, stop)

def cpsat(lie, job, seconds, emit, stop):
    from ortools.sat.python import cp_model
    from edgeopt.solvers import cpsat

    class Told(cp_model.CpSolver):
        def solve(self, model, callback):
            status = super().solve(model, None if lie == "solution" else callback)
            return cp_model.INFEASIBLE if lie == "status" else status

        @property
        def response_proto(self):
            found = super().response_proto
            value = found.objective_value + (lie == "value")
            bound = 0.0 if lie == "bound" else found.best_objective_bound
            solution = [1] * len(found.solution) if lie == "solution" else list(found.solution)
            return SimpleNamespace(objective_value=value, best_objective_bound=bound, solution=solution)

    cp_model.CpSolver = Told
    return cpsat.run(job, seconds, emit, stop)

def pyomo(lie, job, seconds, emit, stop):
    import pyomo.environ as pyo
    from edgeopt.solvers import pyomo_factory

    honest = pyomo_factory._available("appsi_highs")

    class Told:
        def warm_start_capable(self):
            return False

        def solve(self, model, **settings):
            found = honest.solve(model, **settings)
            if lie == "bound":
                found.problem.upper_bound = 0.0
            if lie == "status":
                found.solver.termination_condition = "infeasible"
            if lie == "solution":
                load = model.solutions.load_from
                def everything(results):
                    load(results)
                    for variable in model.component_data_objects(pyo.Var):
                        variable.set_value(1, skip_validation=True)
                model.solutions.load_from = everything
            return found

    pyomo_factory._available = lambda name: Told()
    if lie == "value":
        exact = pyo.value
        pyo.value = lambda thing: exact(thing) + 1
    return pyomo_factory.run(job, seconds, emit, stop)

for library in (highs, cpsat, pyomo):
    for lie in ("value", "bound", "status", "solution"):
        def told(job, seconds, emit, stop, library=library, lie=lie):
            return library(lie, job, seconds, emit, stop)
        globals()[f"{library.__name__}_{lie}"] = told
"""


@pytest.mark.parametrize(
    ("lie", "named"),
    [
        ("value", r"claimed the value (\d+), its solution has"),
        ("bound", r"claimed the bound 0, its own checked solution has|calls a value optimal that none"),
        ("status", r"says infeasible, but a feasible solution with"),
        ("solution", r"returned a solution that breaks"),
    ],
)
@pytest.mark.parametrize(
    ("library", "module", "options"),
    [("highs", highs, {}), ("cpsat", cpsat, {}), ("pyomo", pyomo_factory, {"factory": "told"})],
)
def test_what_a_lying_library_says_is_named(
    library: str, module: Any, options: Any, lie: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library itself lies inside the child: about its value, its bound, its status or its solution."""
    (tmp_path / "lying.py").write_text(LYING_LIBRARIES)
    monkeypatch.syspath_prepend(str(tmp_path))
    instance = edgeopt.generate("batching", seed=3, nodes=1, requests=10, regime="all")
    monkeypatch.setattr(module, "BACKEND", replace(module.BACKEND, target=f"lying:{library}_{lie}", imports=()))
    try:
        result = edgeopt.solve(instance, library, **options)
    finally:
        child.close()
    assert not result.closed
    assert result.termination is Termination.ERROR
    assert re.search(named, result.message)


@pytest.mark.parametrize(
    ("reported", "maximize", "integral", "safe"),
    [
        (6132.999999999994, True, True, 6133),
        (6133.4, True, True, 6133),
        (6132.6, False, True, 6133),
        (6133.0000001, False, True, 6133),
        (2.5, True, False, 2.5),
        (float("inf"), True, True, None),
        (float("-inf"), False, False, None),
        (float("nan"), True, True, None),
    ],
)
def test_bounds_are_rounded_safely(reported: float, maximize: bool, integral: bool, safe: float | None) -> None:
    assert backend.safe_bound(reported, maximize=maximize, integral=integral) == safe


def test_objectives_within_rounding_are_whole() -> None:
    assert backend.whole(12.999999999) == 13
    assert backend.whole(12.5) == 12.5
    assert backend.whole(float("inf")) == float("inf")
