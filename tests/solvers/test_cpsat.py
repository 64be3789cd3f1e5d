"""CP-SAT: what it says of its bound is used only where it means something."""

from __future__ import annotations

import itertools
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ortools.sat.python import cp_model

from edgeopt.models.base import Cut, FloatArray, Model
from edgeopt.result import Termination
from edgeopt.solvers import cpsat
from edgeopt.solvers.backend import Bound, Incumbent, Job, Outcome


class Tiny:
    """A formulation of anything: a CP-SAT model made by the job's instance."""

    def __init__(self, instance: Any) -> None:
        self.make = instance

    def build(self) -> Model:
        model = cp_model.CpModel()
        return Model(model, self.make(model))

    def extract(self, values: FloatArray) -> FloatArray:
        return values

    def start(self, solution: FloatArray) -> FloatArray:
        return solution

    def cuts(self, values: FloatArray) -> list[Cut]:
        return []


def solve(make: Any, monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[Outcome, list[Incumbent | Bound]]:
    monkeypatch.setattr(cpsat, "load", lambda path: Tiny)
    heard: list[Incumbent | Bound] = []
    stop = options.pop("stop", threading.Event())
    job = Job("", make, options.pop("start", None), 0, 1)
    return cpsat.run(job, options.pop("seconds", None), heard.append, stop), heard


def cheapest(model: Any) -> list[Any]:
    x = [model.new_bool_var("") for _ in range(3)]
    model.add(sum(x) >= 2)
    model.minimize(3 * x[0] + 5 * x[1] + 4 * x[2] + 10)
    return x[::-1]


def infeasible(model: Any) -> list[Any]:
    x = [model.new_bool_var("") for _ in range(2)]
    model.add(sum(x) >= 3)
    model.maximize(sum(x))
    return x


def too_large(model: Any) -> list[Any]:
    x = [model.new_bool_var("") for _ in range(3)]
    model.add(cp_model.LinearExpr.weighted_sum(x, [2**62, 2**62, 2**62]) <= 2**62)
    model.maximize(sum(x))
    return x


def large(model: Any) -> list[Any]:
    rng = np.random.default_rng(0)
    x = [model.new_bool_var("") for _ in range(200)]
    for _ in range(20):
        weight = rng.integers(1, 10**6, 200)
        model.add(cp_model.LinearExpr.weighted_sum(x, weight.tolist()) <= int(weight.sum()) // 3)
    model.maximize(cp_model.LinearExpr.weighted_sum(x, rng.integers(1, 10**6, 200).tolist()))
    return x


def test_minimisation_with_an_offset_in_the_order_of_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, heard = solve(cheapest, monkeypatch)
    assert outcome.termination is Termination.COMPLETE
    assert outcome.bound == 17
    last = heard[-1]
    assert isinstance(last, Incumbent)
    assert last.objective == 17
    assert last.values.tolist() == [1, 0, 1]


def test_infeasible_has_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, heard = solve(infeasible, monkeypatch)
    assert outcome.termination is Termination.INFEASIBLE
    assert outcome.bound is None
    assert not [event for event in heard if isinstance(event, Incumbent)]


def test_a_refused_model_is_an_error_in_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, _ = solve(too_large, monkeypatch)
    assert outcome.termination is Termination.ERROR
    assert "overflow" in outcome.message


def test_without_a_solution_there_is_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, _ = solve(large, monkeypatch, seconds=0.0)
    assert outcome.termination is Termination.TIME_LIMIT
    assert outcome.bound is None


def test_it_stops_when_asked_and_its_bound_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    class Soon(threading.Event):
        """Set as soon as an incumbent is heard."""

    stop = Soon()
    monkeypatch.setattr(cpsat, "load", lambda path: Tiny)
    heard: list[Incumbent | Bound] = []

    def emit(event: Incumbent | Bound) -> None:
        heard.append(event)
        if isinstance(event, Incumbent):
            stop.set()

    outcome = cpsat.run(Job("", large, None, 0, 1), None, emit, stop)
    assert outcome.termination is Termination.TIME_LIMIT
    best = max(event.objective for event in heard if isinstance(event, Incumbent))
    assert outcome.bound is not None
    assert outcome.bound > best


def test_a_start_is_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    hinted = SimpleNamespace(count=0)
    add_hint = cp_model.CpModel.add_hint

    def counted(self: Any, variable: Any, value: int) -> None:
        hinted.count += 1
        add_hint(self, variable, value)

    monkeypatch.setattr(cp_model.CpModel, "add_hint", counted)
    outcome, _ = solve(cheapest, monkeypatch, start=np.array([1.0, 0.0, 1.0]))
    assert hinted.count == 3
    assert outcome.bound == 17


# A node of nine requests whose largest batch has four; found by comparing with enumeration.
KIND = [0, 0, 0, 1, 1, 0, 0, 0, 0]
UPLINK = [214517588, 751489577, 52055015, 575986720, 125209328, 316771792, 496850982, 39187197, 46749757]
DOWNLINK = [810625856, 782957526, 666535317, 703667123, 709761626, 432244640, 31063845, 121823868, 266327490]
BUDGET = [
    47626578451, 30913112247, 54639559138, 58332556932, 40376046044, 29369083618, 40862839333, 53586493292, 52753621546,
]  # fmt: skip


def wrong_with_presolve(model: cp_model.CpModel) -> list[Any]:
    """The threshold form of that node."""
    x = [model.new_bool_var("") for _ in KIND]
    levels = sorted(BUDGET, reverse=True)
    w = [model.new_bool_var("") for _ in levels[1:]]
    work = [[3730000000, 26980000000][kind] for kind in KIND]
    steps = [above - below for above, below in itertools.pairwise(levels)]
    total = cp_model.LinearExpr.weighted_sum
    model.add(total(x, UPLINK) <= 1796716159)
    model.add(total(x, DOWNLINK) <= 1060426831)
    model.add(total(x, [[2449, 5105][kind] for kind in KIND]) <= 14673)
    model.add(total([*x, *w], [*work, *steps]) <= levels[0])
    for above, below in itertools.pairwise(w):
        model.add_implication(below, above)
    for own, budget in zip(x, BUDGET, strict=True):
        if rank := levels.index(budget):
            model.add_implication(own, w[rank - 1])
    model.maximize(sum(x))
    return [*x, *w]


def test_the_optimum_that_presolve_loses_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, heard = solve(wrong_with_presolve, monkeypatch)
    assert outcome.termination is Termination.COMPLETE
    assert outcome.bound == 4
    assert max(item.objective for item in heard if isinstance(item, Incumbent)) == 4
