"""The joint models and the MILP with given least shares: limits, ties, variants, and what they say of themselves."""

from __future__ import annotations

import threading
from dataclasses import replace
from fractions import Fraction
from importlib.util import find_spec
from typing import Any

import pytest

import edgeopt
from edgeopt.errors import AssumptionError, BackendError, InstanceError
from edgeopt.instances.base import violations
from edgeopt.instances.slide import LayerTable, Models, SlideInstance, Users
from edgeopt.instances.slide.allocation import EMPTY, Allocation
from edgeopt.result import Result, Termination
from edgeopt.solvers.base import Control, solver
from edgeopt.solvers.slide import joint_scip as scip_module
from edgeopt.solvers.slide.joint import Choice, JointJob, mended

pytestmark = pytest.mark.child
needs_scip = pytest.mark.skipif(
    find_spec("pyscipopt") is None or find_spec("cvxpy") is None, reason="needs the extras convex and scip"
)
ALL = [
    "highs",
    "cpsat",
    "joint-highs",
    "joint-cpsat",
    pytest.param("joint-scip", marks=needs_scip),
]


def solved(name: str, instance: SlideInstance, **options: int) -> Result:
    """Solved with a time limit that none should need."""
    return edgeopt.solve(instance, name, time_limit=300, **options)


def tenths(count: int) -> SlideInstance:
    """Users that need exactly a tenth of the band each."""
    users = Users.of(deadline_s=[1.0] * count, frequency_hz=1e9, spectral_efficiency=1.0)
    table = LayerTable.of("tenth", bits=[10**6], flop_per_sample=[0])
    return SlideInstance("tenths", 1e7, Models.of([table]), users)


@pytest.mark.parametrize("name", [name for name in ALL if name != "joint-cpsat"])
@pytest.mark.parametrize("count", [9, 11])
def test_ten_tenths_fill_the_band(name: str, count: int) -> None:
    result = solved(name, tenths(count))
    assert result.value == min(count, 10)
    assert result.bound == min(count, 10)
    assert violations(tenths(count), result.solution) == []


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("work", [0, 10**6])
def test_users_who_need_the_whole_band_are_not_lost_to_a_tolerance(name: str, work: int) -> None:
    """Nothing is left over of band and deadline, with work nothing of the energy budget either."""
    instance = SlideInstance(
        "whole band",
        48000.0,
        Models.of([LayerTable.of("m", bits=[60], flop_per_sample=[work])]),
        Users.of(
            deadline_s=[0.00125 + 2e-9 * work] * 3,
            frequency_hz=1e9,
            spectral_efficiency=1.0,
            energy_coefficient=1e-27,
            energy_j=0.00025,
        ),
    )
    assert edgeopt.solve(instance, "slide").value == 1
    result = solved(name, instance)
    assert result.bound == 1
    assert name == "joint-cpsat" or result.value == 1


def test_the_grid_says_what_it_leaves_open() -> None:
    result = solved("joint-cpsat", tenths(12), grid_bits=6)
    assert (result.value, result.bound) == (9, 10)
    assert not result.closed


def crowd() -> SlideInstance:
    return edgeopt.generate("slide", users=12, layers=30, seed=1)


@pytest.mark.parametrize("name", ALL)
def test_limits(name: str) -> None:
    answer = solver("slide", name).function()(tenths(3), Control(name, time_limit=0.0))
    assert (answer.solution, answer.bound, answer.termination) == (None, None, Termination.TIME_LIMIT)
    started = edgeopt.solve(crowd(), "slide").solution
    result = edgeopt.solve(crowd(), name, time_limit=0.3, start=started)
    assert result.termination in (Termination.TIME_LIMIT, Termination.COMPLETE)
    assert result.value == len(started)
    assert result.bound is None or result.bound >= len(started)


@needs_scip
@pytest.mark.parametrize("seconds", [0.0, 0.3, 1.0])  # by the machine, SCIP has a solution at the limit or has none
def test_scip_out_of_time_has_a_bound_and_keeps_what_it_has(seconds: float) -> None:
    instance, found = crowd(), []
    outcome = scip_module.run(JointJob(instance, 0, 1), seconds, found.append, threading.Event())
    assert outcome.termination in (
        (Termination.TIME_LIMIT, Termination.COMPLETE) if seconds else (Termination.TIME_LIMIT,)
    )
    best = edgeopt.solve(instance, "slide").value
    assert best is not None
    assert outcome.bound is not None
    assert outcome.bound >= best
    assert all(violations(instance, event) == [] for event in found if isinstance(event, Allocation))


def test_scip_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scip_module, "find_spec", lambda name: None if name == "pyscipopt" else find_spec(name))
    with pytest.raises(BackendError, match=r"joint-scip needs pyscipopt.*edgeopt\[convex,scip\]"):
        edgeopt.solve(tenths(3), "joint-scip")


@pytest.mark.parametrize("name", ALL)
def test_nobody_to_serve(name: str) -> None:
    nobody = edgeopt.generate("slide", corner="no-users")
    late = replace(tenths(2), bandwidth_hz=1.0)
    for instance in (nobody, late):
        result = solved(name, instance)
        assert (result.value, result.bound, result.termination) == (0, 0, Termination.COMPLETE)
        assert result.solution == EMPTY


REFUSING: dict[str, dict[str, Any]] = {"highs": {"form": "least-share"}, "cpsat": {"form": "least-share"}}
"""These have a form for each variant, which they take where none is named."""


@pytest.mark.parametrize("name", ALL)
def test_weights_count_and_other_variants_are_refused(name: str) -> None:
    table = LayerTable.of("m", bits=[1_000_003], flop_per_sample=[0])
    users = Users.of(deadline_s=[1.0, 0.9, 0.4], frequency_hz=1e9, spectral_efficiency=1.0, weight=[2, 2, 5])
    weighted = SlideInstance("w", 2_600_000.0, Models.of([table]), users, variant="weighted")
    result = solved(name, weighted)
    assert (result.value, result.bound) == (5, 5)
    with pytest.raises(AssumptionError, match="plain, weighted, not multicast"):
        edgeopt.solve(replace(weighted, variant="multicast"), name, **REFUSING.get(name, {}))


def test_grid_bits_out_of_range() -> None:
    with pytest.raises(InstanceError, match="grid_bits = 20: must be from 6 to 16"):
        edgeopt.solve(tenths(2), "joint-cpsat", grid_bits=20)


def test_what_does_not_fit_is_dropped_and_speeds_are_scaled_to_the_budget() -> None:
    assert len(mended(tenths(12), [Choice(user, 0, [1.0]) for user in range(12)])) == 10
    table = LayerTable.of("m", bits=[10**6, 10**5], flop_per_sample=[10**7, 10**7])
    users = Users.of(
        deadline_s=[1.0], frequency_hz=1e8, energy_j=0.3, energy_coefficient=[2e-24], spectral_efficiency=2.0
    )
    hungry = SlideInstance("h", 1e7, Models.of([table]), users)
    assert hungry.compiled.pair(0, 0).energy_used() > (hungry.compiled.pair(0, 0).energy or 0)
    # full speed is too much, and half of the budget would be enough for slower ones: both are scaled
    solution = mended(hungry, [Choice(0, 0, [1.0, 1.0])])
    assert violations(hungry, solution) == []
    assert len(solution) == 1
    spent = hungry.compiled.pair(0, 0).energy_used(solution.exact_speeds(hungry, 0))
    assert spent > Fraction(999, 1000) * (hungry.compiled.pair(0, 0).energy or 0)


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_a_choice_that_is_tight_on_all_sides_gives_way_to_another(order: slice) -> None:
    # one user's speeds must be exactly 1/2 for deadline and budget alike: no share leaves any slack
    tight = LayerTable.of("tight", bits=[0, 180], flop_per_sample=[3000, 2000])
    users = Users.of(
        deadline_s=[1e-5, 3e-6][order],
        frequency_hz=1e9,
        cycles_per_flop=[1.0, 0.3][order],
        energy_j=[1.25e-6, float("inf")][order],
        energy_coefficient=[1e-27, 0.0][order],
        spectral_efficiency=[0.5, 1.0][order],
    )
    instance = SlideInstance("tight", 8e7, Models.of([tight]), users)
    for name in ("joint-highs", "joint-scip") if find_spec("pyscipopt") else ("joint-highs",):
        result = solved(name, instance)
        assert result.value == edgeopt.solve(instance, "slide").value == 1
        assert result.bound == 1


@needs_scip
@pytest.mark.parametrize("name", ["joint-highs", "joint-scip"])
def test_what_only_a_tolerance_lets_in_leaves_a_gap_that_is_told(name: str) -> None:
    nearly = replace(tenths(10), bandwidth_hz=1e7 * (1 - 1e-12))
    result = solved(name, nearly)
    assert (result.value, result.bound) == (9, 10)
    assert result.termination is Termination.NODE_LIMIT
    assert "counts 10 within its tolerance, 9 of that" in result.message


@pytest.mark.parametrize("name", ["joint-highs", pytest.param("joint-scip", marks=needs_scip)])
@pytest.mark.parametrize("roomy", [0, 1, 2])
def test_a_choice_that_only_a_tolerance_lets_in_gives_way_to_another(name: str, roomy: int) -> None:
    # two users need a hair more than half of the band each, the third less: only pairs with the third fit
    deadline = [1.0, 1.0, 1.0]
    deadline[roomy] = 1.25
    users = Users.of(deadline_s=deadline, frequency_hz=1e9, spectral_efficiency=1.0)
    table = LayerTable.of("half", bits=[10**6], flop_per_sample=[0])
    result = solved(name, SlideInstance("halves", 2e6 * (1 - 1e-12), Models.of([table]), users))
    assert (result.value, result.bound) == (2, 2)
    assert roomy in result.solution.user
