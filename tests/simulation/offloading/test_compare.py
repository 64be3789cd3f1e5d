"""Policies compared: differences are paired, and no episode of any policy is below its proved bound."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import edgeopt as eo
from edgeopt.errors import BackendError, InstanceError
from edgeopt.instances.offloading import OffloadingInstance
from edgeopt.instances.offloading.generate import generate
from edgeopt.simulation.offloading import compare as comparing
from edgeopt.simulation.offloading.compare import bounds, compare
from edgeopt.solvers.offloading.closed_loop import simulate
from edgeopt.solvers.offloading.episodes import Episodes
from edgeopt.solvers.offloading.policies import SIMPLE, policy
from edgeopt.testing.offloading import offloading_instances


def every(discipline: str) -> dict[str, Any]:
    """All policies, where they are slow with few rollouts and branches."""
    options: dict[str, dict[str, Any]] = {
        "rollouts": {"rollouts": 6, "depth": 2},
        "rolling": {"branches": 50},
        "llm": {"ask": lambda prompt: "s2"},
    }
    names = [*SIMPLE, "lacs", "matching", "rollouts", "learned", "dqn", "llm"]
    names += ["rolling"] if discipline == "fifo" else []
    return {name: policy(name, **options.get(name, {})) for name in names}


@pytest.mark.parametrize("discipline", ["fifo", "ps"])
@pytest.mark.parametrize("load", [None, 0.9])
def test_every_policy_is_held_against_the_bound_of_every_episode(discipline: str, load: float | None) -> None:
    instances = [
        generate(seed=seed, slots=16, load=load, discipline=discipline, channel="fading")  # type: ignore[arg-type]
        for seed in range(2)
    ]
    rows = compare(instances, every(discipline))
    assert len(rows) == 12 + (discipline == "fifo")
    assert all(row.ratio is not None and row.ratio >= 1 for row in rows)


@settings(max_examples=max(10, settings().max_examples // 6))
@given(instance=offloading_instances(max_tasks=4))
def test_the_bounds_are_below_the_optimum(instance: OffloadingInstance) -> None:
    optimum = eo.solve(instance, "brute-force").value
    assert optimum is not None
    lower = bounds([instance], steps=40)
    assert lower.dtype == np.int64
    assert 0 <= lower[0] <= optimum
    (row,) = compare([instance], {"greedy": policy("greedy")}, lower=lower)
    assert row.ratio is None or row.ratio >= 1


@pytest.mark.parametrize("name", ["earliest", "matching", "learned", "dqn", "rolling"])
def test_a_bound_that_is_false_is_found(name: str) -> None:
    """One tick above what the policy costs in the second of two episodes, and nothing is wrong with the first."""
    instances = [generate(seed=seed, slots=6, load=0.6) for seed in range(2)]
    lower = bounds(instances)
    lower[1] = simulate(Episodes.of(instances), policy(name)).total[1]
    compare(instances, {name: policy(name)}, lower=lower)
    lower[1] += 1
    with pytest.raises(
        BackendError, match=rf"policy mine on {instances[1].name} costs \d+ ticks, less than the {lower[1]}"
    ):
        compare(instances, {"mine": policy(name)}, lower=lower)


def test_a_simulator_that_charges_another_cost_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    instances = [generate(seed=1, slots=6)]

    def cheap(*args: Any, **options: Any) -> Any:
        record = simulate(*args, **options)
        cost = record.cost.copy()
        cost[0, 0] -= 1
        return replace(record, cost=cost)

    monkeypatch.setattr(comparing, "simulate", cheap)
    with pytest.raises(BackendError, match="the simulator is wrong"):
        compare(instances, {"greedy": policy("greedy")})


def nothing_to_pay() -> OffloadingInstance:
    """A task that is due when it arrives, in ticks, and costs nothing to drop."""
    return OffloadingInstance.of(
        "free", task_device=[0], arrival_s=[0.0005], bits=1e6, cycles=1e9, deadline_s=1e-3, device_hz=[1e9],
        server_hz=[1e9], rate_bit_per_s=1e6, drop_penalty_s=0.0,
    )  # fmt: skip


def test_where_nothing_costs_anything_there_is_no_ratio() -> None:
    (row,) = compare([nothing_to_pay()], {"greedy": policy("greedy")})
    assert row.cost.mean == 0
    assert row.drops == 1
    assert row.ratio is None


def test_an_environment_where_nothing_costs_anything_has_no_gap() -> None:
    pytest.importorskip("gymnasium")
    from edgeopt.simulation.offloading.environment import OffloadingEnv

    env = OffloadingEnv(nothing_to_pay())
    env.reset()
    _, reward, ended, _, info = env.step(0)
    assert ended
    assert (reward, info["cost"], info["bound"], info["gap"]) == (0, 0, 0, 0)


def test_an_agent_below_the_bound_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gymnasium")
    from edgeopt.simulation.offloading import environment

    monkeypatch.setattr(environment, "bounds", lambda instances: bounds(instances) + 10**6)
    env = environment.OffloadingEnv(generate(seed=1, slots=1))
    env.reset()
    for _ in range(len(env.current) - 1):
        assert not env.step(1)[2]
    with pytest.raises(BackendError, match="less than the"):
        env.step(1)


def test_comparisons_are_paired() -> None:
    instances = [generate(seed=s, slots=20, load=0.6) for s in range(5)]
    lower = bounds(instances)
    rows = compare(instances, {"greedy": policy("greedy"), "earliest": policy("earliest")}, lower=lower)
    first, second = rows
    assert first.difference == (0, 0, 0)
    assert second.difference.mean == pytest.approx(second.cost.mean - first.cost.mean)
    assert second.difference.low <= second.difference.mean <= second.difference.high
    assert all(row.ratio is not None and row.ratio >= 1 for row in rows)
    assert all(0 < row.jain <= 1 for row in rows)
    with pytest.raises(InstanceError, match="at least one policy"):
        compare(instances, {})
