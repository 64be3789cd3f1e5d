"""HiGHS: tolerances against exact integers, and the states it can end in."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.instances.batching import NodeProblem
from edgeopt.models.base import Cut, FloatArray, Model, find
from edgeopt.result import Termination
from edgeopt.solvers import backend, highs
from edgeopt.solvers.backend import Bound, Incumbent, Job, Outcome
from edgeopt.solvers.batching.brute_force import feasible_subsets

BAND = 10**9


class Nodes:
    """As much of an instance as a formulation reads."""

    def __init__(self, *nodes: NodeProblem) -> None:
        self.compiled = self
        self.nodes = nodes


def band_only(uplink: list[int]) -> NodeProblem:
    """A node on which only the uplink binds."""
    count, one = len(uplink), np.ones(1, dtype=np.int64)
    return NodeProblem(
        "n", np.arange(count), np.zeros(count, dtype=np.int64), np.array(uplink, dtype=np.int64),
        np.full(count, count), None, one, one, one, BAND, count, count,
    )  # fmt: skip


def solve(instance: Any, form: str = "threshold", **options: Any) -> tuple[Outcome, list[Incumbent]]:
    heard: list[Incumbent | Bound] = []
    job = Job(find("batching", form, "pyomo"), instance, None, 0, 1, options)
    outcome = highs.run(job, None, heard.append, threading.Event())
    return outcome, [event for event in heard if isinstance(event, Incumbent)]


@pytest.mark.parametrize("form", ["threshold", "big-m"])
@pytest.mark.parametrize("tolerance", [1e-9, 1e-6])
def test_an_overshoot_of_one_unit_is_cut_off(form: str, tolerance: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(highs, "SETTINGS", (("choose", tolerance), *highs.SETTINGS[1:]))
    outcome, incumbents = solve(Nodes(band_only([333_333_334, 333_333_334, 333_333_333, 333_333_334])), form)
    assert outcome.termination is Termination.COMPLETE
    assert outcome.bound == 2
    assert backend.whole(incumbents[-1].objective) == 2


@pytest.mark.parametrize("form", ["threshold", "big-m"])
def test_a_capacity_that_is_met_exactly_is_kept(form: str) -> None:
    outcome, incumbents = solve(Nodes(band_only([333_333_334, 333_333_333, 333_333_333, 500_000_000])), form)
    assert outcome.bound == 3
    assert backend.whole(incumbents[-1].objective) == 3


@pytest.mark.parametrize("tolerance", [1e-9, 1e-6])
@given(
    parts=st.lists(st.integers(1, 1000), min_size=2, max_size=5),
    over=st.integers(-1, 3),
    others=st.lists(st.integers(BAND // 6, BAND // 2), max_size=4),
)
def test_capacities_near_the_tolerance(tolerance: float, parts: list[int], over: int, others: list[int]) -> None:
    shares = [BAND * part // sum(parts) for part in parts]
    shares[0] += BAND - sum(shares) + over  # these sum to the band and `over` units
    node = band_only([min(share, BAND) for share in shares + others])
    optimum = int(np.bitwise_count(np.nonzero(feasible_subsets(node))[0]).max())
    before, highs.SETTINGS = highs.SETTINGS, (("choose", tolerance), *highs.SETTINGS[1:])
    try:
        outcome, incumbents = solve(Nodes(node))
    finally:
        highs.SETTINGS = before
    assert outcome.bound == optimum
    assert backend.whole(incumbents[-1].objective) == optimum


def test_the_cuts_are_needed() -> None:
    """HiGHS serves both requests here, one unit over the band, so the tests above do test the repair."""
    outcome, incumbents = solve(Nodes(band_only([89_622_643, 910_377_358])))
    assert outcome.effort["cuts"] == 1
    assert outcome.bound == 1
    assert backend.whole(incumbents[-1].objective) == 1


class Tiny:
    """A formulation of anything: a Pyomo model made by the job's instance."""

    def __init__(self, instance: Any) -> None:
        self.make = instance

    def build(self) -> Model:
        model = pyo.ConcreteModel()
        variables = self.make(model)
        return Model(model, variables)

    def extract(self, values: FloatArray) -> FloatArray:
        return values

    def start(self, solution: FloatArray) -> FloatArray:
        return solution

    def cuts(self, values: FloatArray) -> list[Cut]:
        return []


def tiny(make: Any, monkeypatch: pytest.MonkeyPatch, seconds: float | None = None) -> tuple[Outcome, list[Incumbent]]:
    monkeypatch.setattr(highs, "load", lambda path: Tiny)
    heard: list[Incumbent | Bound] = []
    outcome = highs.run(Job("", make, None, 0, 1), seconds, heard.append, threading.Event())
    return outcome, [event for event in heard if isinstance(event, Incumbent)]


def infeasible(model: Any) -> list[Any]:
    model.x = pyo.Var(range(2), domain=pyo.Binary)
    model.c = pyo.Constraint(expr=model.x[0] + model.x[1] >= 3)
    model.o = pyo.Objective(expr=model.x[0])
    return list(model.x.values())


def unbounded(model: Any) -> list[Any]:
    model.x = pyo.Var(domain=pyo.NonNegativeIntegers)
    model.y = pyo.Var(domain=pyo.NonNegativeIntegers)
    model.c = pyo.Constraint(expr=model.x - model.y <= 3)
    model.o = pyo.Objective(expr=model.x, sense=pyo.maximize)
    return [model.x, model.y]


def linear_program(model: Any) -> list[Any]:
    model.x = pyo.Var(range(2), bounds=(0, 1))
    model.c = pyo.Constraint(expr=2 * model.x[0] + model.x[1] <= 2)
    model.o = pyo.Objective(expr=model.x[0] + model.x[1], sense=pyo.maximize)
    return list(model.x.values())


def minimised(model: Any) -> list[Any]:
    model.x = pyo.Var(range(3), domain=pyo.Binary)
    model.c = pyo.Constraint(expr=sum(model.x.values()) >= 2)
    model.o = pyo.Objective(expr=3 * model.x[0] + 5 * model.x[1] + 4 * model.x[2] + 10)
    return list(model.x.values())


def test_infeasible_and_unbounded_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tiny(infeasible, monkeypatch)[0].termination is Termination.INFEASIBLE
    outcome, _ = tiny(unbounded, monkeypatch)
    assert outcome.termination is Termination.UNBOUNDED
    assert outcome.bound is None


def test_the_bound_of_a_linear_program_is_its_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, incumbents = tiny(linear_program, monkeypatch)
    assert outcome.bound == pytest.approx(1.5)
    assert incumbents[-1].objective == pytest.approx(1.5)


def test_minimisation_with_an_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, incumbents = tiny(minimised, monkeypatch)
    assert outcome.bound == 17
    assert incumbents[-1].objective == pytest.approx(17)
    assert incumbents[-1].values.tolist() == [1, 0, 1]


def test_no_time_left_is_a_time_limit_without_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, incumbents = tiny(minimised, monkeypatch, seconds=0.0)
    assert outcome.termination is Termination.TIME_LIMIT
    assert outcome.bound is None
    assert not incumbents


def test_a_liar_about_the_solution_is_handed_out_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    import highspy

    honest = highspy.Highs.getSolution

    def everything(self: Any) -> Any:
        solution = honest(self)
        solution.col_value = [1.0] * len(solution.col_value)
        return solution

    monkeypatch.setattr(highspy.Highs, "getSolution", everything)
    monkeypatch.setattr(highs._Search, "_on_incumbent", lambda self, event: None)
    outcome, incumbents = solve(Nodes(band_only([500_000_000, 500_000_000, 500_000_001])))
    assert incumbents[-1].values.sum() == 3
    assert "calls a value optimal that none of its solutions has" in outcome.message


def test_a_failed_run_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import highspy

    monkeypatch.setattr(highspy.Highs, "run", lambda self: highspy.HighsStatus.kError)
    outcome, _ = solve(Nodes(band_only([500_000_000, 500_000_000, 500_000_001])))
    assert outcome.termination is Termination.ERROR
    assert "HiGHS failed to run" in outcome.message
