"""Local search, the front, the baselines and the limits: what each promises besides being feasible."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import edgeopt as eo
from edgeopt.errors import AssumptionError, InstanceError
from edgeopt.instances.decomposition import DecompositionInstance, Link, Mode, Node, Step, Task
from edgeopt.instances.decomposition.schedule import placed
from edgeopt.result import Termination
from edgeopt.solvers.base import Control
from edgeopt.solvers.decomposition.local_search import local_search
from edgeopt.solvers.decomposition.pareto import nondominated, pareto_front, totals
from edgeopt.solvers.decomposition.priced import raw_bound
from edgeopt.testing.decomposition import decomposition_instances

SMALL: dict[str, Any] = {"tasks": 2, "aps": 1, "devices": 1, "steps": (2, 2), "tick_s": 0.5, "corner": "burst"}


def test_the_front_is_that_of_brute_force() -> None:
    for seed in (1, 2):
        instance = eo.generate("decomposition", seed=seed, **SMALL)
        fronts = [
            [(point.latency_ticks, point.correctness_units) for point in pareto_front(instance, solver)]
            for solver in ("cpsat", "brute-force")
        ]
        assert fronts[0] == fronts[1]
        assert len(fronts[0]) > 1
        late, right = zip(*fronts[0], strict=True)
        assert list(late) == sorted(set(late))
        assert list(right) == sorted(set(right))


def test_a_coarse_front_has_points_of_the_whole_one() -> None:
    instance = eo.generate("decomposition", seed=1, **SMALL)
    whole = pareto_front(instance, "brute-force")
    some = pareto_front(instance, "brute-force", points=4)
    assert {p.latency_ticks for p in some} <= {p.latency_ticks for p in whole}
    assert nondominated([*whole, *some]) == whole or len(nondominated([*whole, *some])) == len(whole)
    with pytest.raises(InstanceError, match="points = 1"):
        pareto_front(instance, points=1)
    with pytest.raises(InstanceError, match="at least one task"):
        pareto_front(eo.generate("decomposition", tasks=0))


def test_same_seed_same_schedule_and_the_start_is_kept() -> None:
    instance = eo.generate("decomposition", seed=2, tasks=10, corner="burst")
    one, other = (eo.solve(instance, "local-search", seed=5, rounds=60, bound=False) for _ in range(2))
    assert one.solution == other.solution
    listed = eo.solve(instance, "list")
    assert (one.value or 0) >= (listed.value or 0)
    again = eo.solve(instance, "local-search", start=one.solution, rounds=0, bound=False)
    assert again.value == one.value


def test_a_limit_leaves_the_best_so_far() -> None:
    instance = eo.generate("decomposition", seed=2, tasks=10, corner="burst")
    result = eo.solve(instance, "local-search", time_limit=0.05)
    assert result.solution is not None
    assert result.bound is not None
    assert result.termination in (Termination.TIME_LIMIT, Termination.COMPLETE)


def test_ctrl_c_leaves_the_best_so_far() -> None:
    instance = eo.generate("decomposition", seed=2, tasks=10, corner="burst")
    control = Control(seed=1)
    control.listener = lambda report: setattr(control, "interrupted", True)
    answer = local_search(instance, control, rounds=10**6)
    assert answer.termination is Termination.INTERRUPTED
    assert eo.violations(instance, answer.solution) == []


def test_a_floor_is_kept_at_nearly_the_least_latency() -> None:
    for seed in (2, 4):
        instance = eo.generate(
            "decomposition", seed=seed, tasks=4, aps=2, devices=2, steps=(2, 2), tick_s=0.05, objective="latency",
            correctness_floor=0.15,
        )  # fmt: skip
        best = eo.solve(instance, "cpsat")
        found = eo.solve(instance, "local-search", rounds=600, bound=False)
        assert best.value is not None
        assert found.value is not None
        assert best.value <= found.value <= 1.05 * best.value


def test_within_two_hundredths_of_the_optimal_reward() -> None:
    for seed in (1, 2, 3):
        instance = eo.generate("decomposition", seed=seed, tasks=4, aps=2, devices=2, steps=(2, 3), tick_s=0.01)
        found = eo.solve(instance, "local-search", rounds=300, bound=False)
        best = eo.solve(instance, "cpsat", start=found.solution)
        assert best.closed
        lost = ((best.value or 0) - (found.value or 0)) * float(instance.compiled.reward_unit)
        assert 0 <= lost <= 0.02 * len(instance.tasks)


def test_baselines_do_what_they_say() -> None:
    instance = eo.generate("decomposition", seed=3, tasks=12)
    names = [node.name for node in instance.nodes]
    rates: dict[str, tuple[float, str]] = {}
    for link in instance.links:
        if link.channel is not None:
            rates[link.a] = max(rates.get(link.a, (0.0, "")), (link.rate_bit_per_s, link.b))
    for name in ("local-only", "nearest-edge", "best-single-node"):
        for found in placed(instance.compiled, eo.solve(instance, name).solution):
            task = instance.tasks[found.task]
            assert len(found.node) == 1
            if name == "local-only":
                assert names[found.node[0]] == task.device
            if name == "nearest-edge" and task.device in rates:
                best = rates[task.device][0]
                assert any(
                    link.rate_bit_per_s == best and names[found.node[0]] == link.b
                    for link in instance.links
                    if link.a == task.device
                )
    one, other = (eo.solve(instance, "random", seed=seed).value for seed in (1, 2))
    assert one != other


def test_the_raw_bound_holds_for_the_raw_fields() -> None:
    from edgeopt.instances.decomposition import check

    for seed in (1, 2, 3):
        instance = eo.generate("decomposition", seed=seed, tasks=6, tick_s=0.5)
        fine = replace(instance, tick_s=1e-4)
        found = eo.solve(fine, "local-search", rounds=100, bound=False)
        assert float(check.reward(fine, found.solution)[0]) <= raw_bound(instance, Control())


@given(decomposition_instances(max_tasks=2, max_steps=2))
@settings(max_examples=60 if settings().max_examples < 1000 else 600)
def test_the_raw_bound_of_a_coarse_tick_is_no_better_than_the_best_of_a_fine_one(
    instance: DecompositionInstance,
) -> None:
    """What is feasible at a fine tick is feasible in the raw fields, and at least as good there."""
    fine = replace(instance, tick_s=instance.tick_s / 64)
    bound = raw_bound(instance, Control())
    best = eo.solve(fine, "brute-force")
    if best.value is None:
        assert best.termination is Termination.INFEASIBLE
        return
    sign = -1 if instance.sense == "min" else 1
    assert sign * bound >= sign * float(best.value * fine.compiled.reward_unit)


@pytest.mark.parametrize("objective", ["reward", "latency", "on-time"])
def test_the_raw_bound_takes_a_transfer_for_no_longer_than_it_is(objective: Any) -> None:
    """A byte of 0.01 s there and one back are less than a tick of 1 s, so for the bound they take nothing."""
    step = Step("s", input_bytes=1, output_bytes=1, nodes=["a"], correctness={"a": 1.0}, time_s={"a": 1.0})
    task = Task("t", "u", [Mode("m", [step])], deadline_s=1.5)
    nodes, links = (Node("u", "device", 0.0, 1, 1), Node("a", "ap", 0.0, 1, 1)), (Link("u", "a", 800.0),)
    instance = DecompositionInstance("r", nodes, (task,), (), links, objective, delay_weight_per_s=0.1, tick_s=1.0)
    bound, best = {"reward": (0.9, 0.898), "latency": (1.0, 1.02), "on-time": (1.0, 1.0)}[objective]
    fine = replace(instance, tick_s=0.01)
    assert float((eo.solve(fine, "brute-force").value or 0) * fine.compiled.reward_unit) == pytest.approx(best)
    assert raw_bound(instance, Control()) == pytest.approx(bound, abs=2e-6)


def test_the_raw_bound_of_a_task_that_cannot_keep_its_limit() -> None:
    step = Step("s", correctness={"u": 1.0}, time_s={"u": 3.0})
    task = Task("t", "u", [Mode("m", [step])], deadline_s=0.5)
    nodes = (Node("u", "device", 0.0, 1, 1),)
    for objective, bound in (("reward", -np.inf), ("latency", np.inf), ("on-time", 0.0)):
        instance = DecompositionInstance("r", nodes, (task,), (), (), objective, tick_s=1.0)
        assert raw_bound(instance, Control()) == bound


def test_totals() -> None:
    instance = eo.generate("decomposition", seed=1, tasks=5)
    result = eo.solve(instance, "list")
    late, right = totals(instance, result.solution)
    assert right * instance.compiled.right_factor - late * instance.compiled.tick_factor == result.value


def test_refusals() -> None:
    instance = eo.generate("decomposition", seed=1, tasks=30)
    for name, words in (("brute-force", "at most 300000"), ("highs", "at most 5000 ways")):
        with pytest.raises(AssumptionError, match=words):
            eo.solve(instance, name)
    fine = eo.generate("decomposition", seed=1, tasks=2, aps=1, devices=1, steps=(2, 2), tick_s=1e-6)
    with pytest.raises(AssumptionError, match="take a larger tick_s"):
        eo.solve(fine, "highs")
    for options in ({"steps": 0}, {"slots": 0}):
        with pytest.raises(InstanceError, match=r"steps = .*, slots = "):
            eo.solve(fine, "priced", **options)
    with pytest.raises(InstanceError, match="rounds = -1"):
        eo.solve(fine, "local-search", rounds=-1)


def test_many_slots_are_never_full() -> None:
    instance = eo.generate("decomposition", seed=1, tasks=6, corner="burst", slots=10**6)
    result = eo.solve(instance, "list")
    assert str(result.value_evidence) == "checked"
    starts = np.array([min(found.start) for found in placed(instance.compiled, result.solution)])
    assert starts.max() < 10**5


def crowded(deadline_s: float) -> DecompositionInstance:
    """Two tasks of three ticks on one device."""
    steps = [Step("a", time_s={"ue": 1.0}, output_bytes=1), Step("b", time_s={"ue": 2.0}, after=["a"])]
    tasks = tuple(Task(f"t{i}", "ue", [Mode("m", steps)], deadline_s=deadline_s) for i in range(2))
    return DecompositionInstance(
        "crowded", (Node("ue", "device", 1.0, 1.0, 1.0),), tasks, objective="latency", tick_s=1.0
    )


@pytest.mark.parametrize("deadline_s", [3.0, 5.0, 6.0])
def test_prices_of_what_cannot_be_done_do_not_rise_forever(deadline_s: float) -> None:
    """Each task alone keeps its limit, both together do not below 6 s: the dual is not bounded."""
    instance = crowded(deadline_s)
    result = eo.solve(instance, "priced", steps=2000, slots=6)
    exact = eo.solve(instance, "cpsat")
    assert result.termination is not Termination.ERROR
    assert (exact.solution is None) == (deadline_s < 6)
    assert (result.solution is None) == (exact.solution is None)
    if exact.value is not None:
        assert result.bound is not None
        assert result.bound <= exact.value


def test_a_limit_that_no_placement_keeps_is_proved() -> None:
    """Side by side the steps would be in time, but they share the only node."""
    steps = [Step("a", time_s={"ue": 2.0}), Step("b", time_s={"ue": 2.0})]
    task = Task("t", "ue", [Mode("m", steps)], deadline_s=3.0)
    instance = DecompositionInstance("x", (Node("ue", "device", 1.0, 1.0, 1.0),), (task,), tick_s=1.0)
    result = eo.solve(instance, "priced")
    assert result.termination is Termination.INFEASIBLE
    found = eo.certify(instance, result, against=())
    assert found.certificate is not None
    assert found.certificate.bound is None
    assert eo.solve(instance, "cpsat").termination is Termination.INFEASIBLE
