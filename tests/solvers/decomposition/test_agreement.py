"""CP-SAT, the Pyomo MILP and brute force agree; every schedule is feasible, every bound holds, from the raw fields."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

import edgeopt as eo
from edgeopt.errors import AssumptionError
from edgeopt.instances.decomposition import DecompositionInstance, check
from edgeopt.instances.decomposition.schedule import placed
from edgeopt.result import Termination
from edgeopt.testing.decomposition import decomposition_instances

HEURISTICS = (
    "decomposition-aware", "list", "local-search", "priced", "local-only", "nearest-edge", "best-single-node", "random",
)  # fmt: skip


def exactly(instance: DecompositionInstance, name: str) -> int | None:
    """The optimum that an exact solver finds; None where it says that there is no schedule."""
    result = eo.solve(instance, name)
    if result.termination is Termination.INFEASIBLE:
        assert result.solution is None
        return None
    assert result.closed, f"{name}: {result}"
    assert eo.violations(instance, result.solution) == []
    return int(result.value or 0)


@given(decomposition_instances(max_tasks=2, max_steps=2))
@settings(max_examples=35 if settings().max_examples < 1000 else 700)
def test_three_exact_solvers_agree(instance: DecompositionInstance) -> None:
    reference = exactly(instance, "brute-force")
    assert exactly(instance, "cpsat") == reference
    assert exactly(instance, "highs") == reference


@given(decomposition_instances(max_tasks=3, max_steps=2))
@settings(max_examples=30 if settings().max_examples < 1000 else 600)
def test_heuristics_are_feasible_and_their_bounds_hold(instance: DecompositionInstance) -> None:
    try:
        optimum = exactly(instance, "brute-force")
    except AssumptionError:
        return
    sign = -1 if instance.sense == "min" else 1
    for name in HEURISTICS:
        options: dict[str, Any] = {"rounds": 20} if name == "local-search" else {}
        result = eo.solve(instance, name, **options)
        assert result.termination is not Termination.ERROR, result
        if optimum is None:
            assert result.solution is None
            continue
        assert result.termination is not Termination.INFEASIBLE
        if result.bound is not None:
            assert sign * result.bound >= sign * optimum, name
        if result.solution is not None:
            assert eo.violations(instance, result.solution) == []
            assert sign * (result.value or 0) <= sign * optimum


@given(decomposition_instances(min_tasks=1, objectives=("reward",)))
def test_the_value_is_at_most_what_the_raw_fields_say(instance: DecompositionInstance) -> None:
    result = eo.solve(instance, "list")
    if result.solution is None:
        return
    unit = instance.compiled.reward_unit
    low, high = check.reward(instance, result.solution)
    steps = sum(len(found.node) for found in placed(instance.compiled, result.solution))
    ticks = steps * 3 + 2  # executions, transfers and arrivals, each rounded up to one
    lost = instance.compiled.right_factor * (steps + len(instance.tasks))
    lost += instance.compiled.tick_factor * ticks * len(instance.tasks)
    assert (result.value or 0) * unit <= high
    assert (result.value or 0) * unit + lost * unit >= low


@pytest.mark.parametrize("name", ["cpsat", "highs"])
def test_a_start_is_taken(name: str) -> None:
    instance = eo.generate("decomposition", seed=3, tasks=3, aps=1, devices=2, steps=(2, 2), tick_s=0.1)
    start = eo.solve(instance, "local-search", rounds=50, bound=False)
    result = eo.solve(instance, name, start=start.solution)
    assert result.closed, result
    assert (result.value or 0) >= (start.value or 0)
