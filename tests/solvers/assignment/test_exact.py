"""Exact solvers of the assignment problem against every combination of choices; infeasible is said as such."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

import edgeopt
from edgeopt.errors import AssumptionError
from edgeopt.instances.assignment import AssignmentInstance
from edgeopt.result import Result, Termination
from edgeopt.testing.assignment import assignment_instances


def same(found: Result, best: Result, instance: AssignmentInstance) -> None:
    assert found.termination is best.termination, found.summary()
    assert found.value == best.value
    assert found.sense == instance.sense
    if best.value is None:
        assert found.termination is Termination.INFEASIBLE
        assert found.bound is None
    else:
        assert found.closed
        assert not edgeopt.violations(instance, found.solution)


@given(assignment_instances())
def test_highs_and_cpsat_find_what_brute_force_finds(instance: AssignmentInstance) -> None:
    best = edgeopt.solve(instance, "brute-force")
    for name in ("highs", "cpsat"):
        same(edgeopt.solve(instance, name), best, instance)


@given(assignment_instances(max_bins=1, max_groups=7))
def test_the_single_bin_solver_is_exact(instance: AssignmentInstance) -> None:
    same(edgeopt.solve(instance, "mdkp-exact"), edgeopt.solve(instance, "brute-force"), instance)


@pytest.mark.parametrize("kind", ["knapsack", "mmkp", "mmkp-correlated"])
@pytest.mark.parametrize("seed", range(3))
def test_the_single_bin_solver_agrees_with_cpsat_on_larger_ones(kind: str, seed: int) -> None:
    instance = edgeopt.generate("assignment", kind=kind, items=20, dimensions=3, size=4, seed=seed)
    found, other = edgeopt.solve(instance, "mdkp-exact"), edgeopt.solve(instance, "cpsat")
    assert found.closed
    assert found.value == other.value


def test_a_group_that_cannot_be_served_is_infeasible_not_an_error() -> None:
    instance = edgeopt.generate("assignment", kind="gap-c", items=6, bins=1, corner="lone-groups")
    assert instance.pick == "exactly-one"
    for name in ("highs", "cpsat", "brute-force", "mdkp-exact"):
        result = edgeopt.solve(instance, name)
        assert result.termination is Termination.INFEASIBLE
        assert result.solution is None
        assert result.value is None
        assert result.bound is None


def test_the_bound_of_a_minimum_is_a_lower_bound() -> None:
    instance = edgeopt.generate("assignment", kind="mmkp", items=20, dimensions=5, sense="min")
    result = edgeopt.solve(instance, "mdkp-exact", time_limit=0)
    assert result.termination is Termination.TIME_LIMIT
    best = edgeopt.solve(instance, "cpsat")
    assert result.bound is not None
    assert best.value is not None
    assert result.bound <= best.value


def test_a_stopped_single_bin_solver_keeps_its_incumbent_and_a_true_bound() -> None:
    instance = edgeopt.generate("assignment", kind="knapsack", items=30, dimensions=5)
    stopped, best = edgeopt.solve(instance, "mdkp-exact", time_limit=0), edgeopt.solve(instance, "cpsat")
    assert stopped.termination is Termination.TIME_LIMIT
    assert stopped.value is not None
    assert best.value is not None
    assert stopped.bound is not None
    assert stopped.value <= best.value <= stopped.bound


def test_assumptions_are_named() -> None:
    with pytest.raises(AssumptionError, match=r"mdkp-exact solves one bin, the instance .* has 4"):
        edgeopt.solve(edgeopt.generate("assignment"), "mdkp-exact")
    with pytest.raises(AssumptionError, match="brute-force assumes at most 1048576 combinations"):
        edgeopt.solve(edgeopt.generate("assignment"), "brute-force")


def test_numbers_beyond_doubles_stay_exact() -> None:
    """Two weights that doubles of a scaled row cannot tell from the capacity."""
    heavy = 10**15
    instance = AssignmentInstance(
        name="close",
        groups=2,
        group=np.array([0, 1]),
        bin=np.array([0, 0]),
        profit=np.array([2, 3]),
        weight=np.array([[heavy], [heavy + 1]]),
        capacity=np.array([[2 * heavy]]),
    )
    for name in ("highs", "cpsat", "mdkp-exact", "brute-force"):
        result = edgeopt.solve(instance, name)
        assert result.value == 3
        assert result.closed
