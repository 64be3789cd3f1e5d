"""Exact models, brute force and simulator against each other, on tiny horizons with all their corners."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.errors import AssumptionError
from edgeopt.instances.offloading import OffloadingInstance, Plan
from edgeopt.instances.offloading.check import costs
from edgeopt.instances.offloading.queues import cost
from edgeopt.models.base import find, load
from edgeopt.result import Termination
from edgeopt.solvers.offloading.closed_loop import follow
from edgeopt.solvers.offloading.episodes import Episodes
from edgeopt.testing.offloading import offloading_instances


def plans(instance: OffloadingInstance) -> st.SearchStrategy[Plan]:
    """Any plan of an instance."""
    rows = [np.flatnonzero(row).tolist() for row in instance.compiled.allowed()]
    return st.tuples(*(st.sampled_from(row) for row in rows)).map(lambda p: Plan(np.array(p, dtype=np.int64)))


@given(data=st.data(), instance=offloading_instances(max_tasks=9))
def test_three_ways_to_move_the_queues(data: st.DataObject, instance: OffloadingInstance) -> None:
    """The recursion on compiled ticks, the events from the raw fields, and the compiled simulator: the same costs."""
    plan = data.draw(plans(instance))
    assert eo.violations(instance, plan) == []
    slow = costs(instance, plan)
    found = cost(instance.compiled, plan.place.tolist())
    arrival, penalty = instance.compiled.arrival.tolist(), instance.compiled.penalty
    charged = [e - a + (penalty if lost else 0) for e, a, lost in zip(found.end, arrival, found.dropped, strict=True)]
    assert charged == [charge for charge, _ in slow]
    assert found.dropped == [lost for _, lost in slow]
    assert found.total == sum(charged)
    record = follow(Episodes.of([instance]), plan.place[None])
    assert record.cost[0].tolist() == charged
    assert record.dropped[0].tolist() == found.dropped


def test_tasks_that_reach_a_server_at_once_are_served_in_their_order() -> None:
    """The second waits at its radio and then uploads nothing: it is there with the last, and before it."""
    instance = OffloadingInstance.of(
        "tie", task_device=[0, 0, 1], arrival_s=0.0, bits=[2.0, 0.0, 2.0], cycles=1.0, deadline_s=100.0,
        device_hz=[1.0, 1.0], server_hz=[1.0], rate_bit_per_s=1.0, slot_s=1.0, tick_s=1.0,
    )  # fmt: skip
    plan = Plan(np.array([1, 1, 1], dtype=np.int64))
    assert cost(instance.compiled, [1, 1, 1]).end == [3, 4, 5]
    assert [charge for charge, _ in costs(instance, plan)] == [3, 4, 5]


def exact(instance: OffloadingInstance, solver: str) -> float:
    result = eo.solve(instance, solver)
    assert result.termination is Termination.COMPLETE, result
    assert result.value == result.bound, result
    assert result.value is not None
    assert eo.violations(instance, result.solution) == []
    return result.value


@pytest.mark.child
@settings(max_examples=max(10, settings().max_examples // 10))
@given(instance=offloading_instances(max_tasks=5, max_servers=2, disciplines=("fifo",)))
def test_models_and_brute_force_agree(instance: OffloadingInstance) -> None:
    best = exact(instance, "brute-force")
    assert exact(instance, "cpsat") == best
    assert exact(instance, "highs") == best


def in_process(instance: OffloadingInstance) -> int:
    """The optimum of the CP-SAT model, without a child process."""
    from ortools.sat.python import cp_model

    formulation = load(find("offloading", "fifo", "cpsat"))(instance)
    built = formulation.build()
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.cp_model_presolve = False
    assert solver.solve(built.model) == cp_model.OPTIMAL
    plan = formulation.extract(np.array([solver.value(x) for x in built.variables], dtype=np.float64))
    value = cost(instance.compiled, plan.place.tolist()).total
    assert value == round(solver.objective_value)
    return value


@given(instance=offloading_instances(max_tasks=5, disciplines=("fifo",)))
def test_the_model_for_cpsat_is_the_horizon(instance: OffloadingInstance) -> None:
    best = eo.solve(instance, "brute-force").value
    assert in_process(instance) == best


def test_the_linear_form_refuses_times_that_a_tolerance_swallows() -> None:
    """A million ticks: HiGHS called such horizons infeasible, or gave a plan that is not the best as optimal."""
    instance = OffloadingInstance.of(
        "long", task_device=[0, 1, 2], arrival_s=[3e5, 4e5, 1.2e6], bits=1.0, cycles=4.0, deadline_s=2e5,
        device_hz=np.zeros(3), server_hz=[1.0, 2.0], rate_bit_per_s=1.0, tick_s=1.0, slot_s=1.0,
    )  # fmt: skip
    with pytest.raises(AssumptionError, match="1,400,000 ticks is too long for the linear form"):
        eo.solve(instance, "highs")
    assert in_process(instance) == eo.solve(instance, "brute-force").value


@pytest.mark.child
def test_work_that_takes_forever_is_the_same_as_work_that_takes_too_long() -> None:
    """Durations far beyond the deadlines make no big numbers."""
    instance = OffloadingInstance.of(
        "slow", task_device=[0, 0, 1], arrival_s=[0.0, 1.0, 1.0], bits=[3.0, 1e12, 2.0], cycles=[1e12, 3.0, 2.0],
        deadline_s=[9.0, 12.0, 7.0], device_hz=[1.0, 0.0], server_hz=[1.0, 2.0], rate_bit_per_s=[[[1, 2], [1, 1]]],
        tick_s=1.0, slot_s=1.0,
    )  # fmt: skip
    best = exact(instance, "brute-force")
    assert exact(instance, "cpsat") == best
    assert exact(instance, "highs") == best


@given(instance=offloading_instances(max_tasks=5, max_servers=2, disciplines=("ps",)))
@settings(max_examples=5)
def test_shared_servers_have_no_exact_model(instance: OffloadingInstance) -> None:
    for name in ("cpsat", "highs"):
        with pytest.raises(AssumptionError, match="shared"):
            eo.solve(instance, name)
