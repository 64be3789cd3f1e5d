"""Generated instances: the same from a seed, in the paper's ranges, corners as they say; AsyncHow; realised values."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import edgeopt as eo
from edgeopt.errors import InstanceError
from edgeopt.instances.decomposition.asynchow import of_plans, read_plans
from edgeopt.instances.decomposition.generate import AP_FLOP_PER_S, CORNERS, DEVICE_FLOP_PER_S
from edgeopt.instances.decomposition.realised import evaluate, realised, replay, with_estimates
from edgeopt.instances.decomposition.schedule import breakdown, timeline
from edgeopt.testing.binding import nontrivial_share
from edgeopt.testing.decomposition import binding_limits, decomposition_instances

PLANS = Path(__file__).parents[4] / "shared" / "data" / "dag_asynchow" / "asynchow_first800.jsonl"


def test_same_seed_same_instance() -> None:
    assert eo.generate("decomposition", seed=5).digest == eo.generate("decomposition", seed=5).digest
    assert eo.generate("decomposition", seed=5).digest != eo.generate("decomposition", seed=6).digest


def test_the_papers_setting() -> None:
    counts = []
    for seed in range(20):
        instance = eo.generate("decomposition", seed=seed)
        counts.append(len(instance.tasks))
        aps = [node for node in instance.nodes if node.kind == "ap"]
        devices = [node for node in instance.nodes if node.kind == "device"]
        assert (len(aps), len(devices)) == (4, 7)
        assert all(AP_FLOP_PER_S[0] <= node.flop_per_s <= AP_FLOP_PER_S[1] for node in aps)
        assert all(DEVICE_FLOP_PER_S[0] <= node.flop_per_s <= DEVICE_FLOP_PER_S[1] for node in devices)
        assert max(task.arrival_s for task in instance.tasks) <= 600
    assert 50 < np.mean(counts) < 70  # 0.1 a second for 600 s


@pytest.mark.parametrize("corner", sorted(CORNERS))
def test_corners(corner: str) -> None:
    instance = eo.generate("decomposition", seed=1, tasks=6, corner=corner)
    result = eo.solve(instance, "list")
    assert str(result.value_evidence) == "checked"
    if corner == "alone":
        assert {busy.resource for busy in timeline(instance, result.solution)} <= {f"ue{i}" for i in range(7)}
    if corner == "burst":
        assert {task.arrival_s for task in instance.tasks} == {0.0}
    if corner == "ties":
        assert len({task.device for task in instance.tasks}) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"seed": -1}, {"aps": -1}, {"devices": 0}, {"tasks": -1}, {"rate_per_s": 0}, {"duration_s": 1e9},
        {"steps": (0, 2)}, {"steps": (3, 2)}, {"shape": "star"}, {"tokens": (0, 1)}, {"difficulty": (2, 1)},
        {"access": "magic"}, {"objective": "best"}, {"deadline_s": (0, 1)}, {"uncertainty": -1}, {"corner": "round"},
    ],
)  # fmt: skip
def test_options_are_checked(options: dict[str, object]) -> None:
    with pytest.raises(InstanceError, match=rf"generate decomposition: {next(iter(options))} = "):
        eo.generate("decomposition", **options)


def test_no_tasks_and_no_aps() -> None:
    for options in ({"tasks": 0}, {"tasks": 3, "aps": 0}):
        instance = eo.generate("decomposition", **options)
        result = eo.solve(instance, "local-search")
        assert str(result.value_evidence) == "checked"
        assert result.bound is not None


def test_instances_of_the_strategy_are_nontrivial(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two or more limits, the capacity among them: not every task can have what it would have alone."""
    monkeypatch.setattr(
        "edgeopt.testing.binding.nontrivial",
        lambda case: "capacity" in (found := binding_limits(case)) and len(found) >= 2,
    )
    assert nontrivial_share(decomposition_instances(), 60) >= 0.3


@pytest.mark.skipif(not PLANS.exists(), reason="the AsyncHow plans are not here")
@pytest.mark.parametrize(("end", "durations"), [(0, "least"), (1, "largest")])
def test_asynchow_makespans(end: int, durations: str) -> None:
    """With workers for all and nothing to send, the published optimum of all 800 plans, proved."""
    plans = read_plans(PLANS)
    assert len(plans) == 800
    instance = of_plans(plans, durations=durations)  # type: ignore[arg-type]
    result = eo.solve(instance, "list")
    assert result.closed
    found = [row.latency_s for row in breakdown(instance, result.solution)]
    assert found == [plan.optimal_makespan_s_min_max[end] for plan in plans]


def test_asynchow_by_hand(tmp_path: Path) -> None:
    plan = {
        "id": 7, "title": "How to make tea", "steps": ["boil", "find cups", "pour"],
        "edges": [["1", "3"], ["2", "3"], ["START", "1"], ["START", "2"], ["3", "END"]],
        "duration_s_min_max": {"1": [60, 90], "2": [100, 100], "3": [5, 5]}, "optimal_makespan_s_min_max": [105, 105],
    }  # fmt: skip
    path = tmp_path / "plans.jsonl"
    path.write_text(json.dumps(plan) + "\n\n")
    (one,) = read_plans(path)
    assert eo.solve(of_plans([one])).value == 105
    assert eo.solve(of_plans([one], workers=1)).value == 165
    path.write_text(json.dumps(plan) + "\n{}\n")
    with pytest.raises(InstanceError, match=r"plans.jsonl: line 2: .*id"):
        read_plans(path)
    for change, words in (
        ({"edges": [["1", "9"]]}, "plan 7: an edge names step '9'"),
        ({"edges": [["1", "START"]]}, "plan 7: the edge 1 -> START: nothing comes before START"),
        ({"edges": [["START", "START"]]}, "plan 7: the edge START -> START: nothing comes before START"),
        ({"edges": [["END", "1"]]}, "plan 7: the edge END -> 1: nothing comes after END"),
        ({"edges": [["END", "END"]]}, "plan 7: the edge END -> END: nothing comes after END"),
        ({"edges": [["END", "START"]]}, "plan 7: the edge END -> START: nothing comes"),
        ({"duration_s_min_max": {"1": (1, 1)}}, "plan 7: step 2 has no duration"),
        ({"edges": [["1", "2"], ["2", "1"]]}, "circle: (1 -> 2 -> 1|2 -> 1 -> 2)"),
    ):
        path.write_text(json.dumps({**plan, **change}))
        with pytest.raises(InstanceError, match=words):
            of_plans(read_plans(path))


def test_realised_values() -> None:
    instance = eo.generate("decomposition", seed=3, tasks=12, uncertainty=0.6, context=True)
    truth = realised(instance)
    assert all(step.actual is None for task in truth.tasks for mode in task.modes for step in mode.steps)
    result = eo.solve(instance, "list")
    later = replay(truth, result.solution)
    assert eo.violations(truth, later) == []
    assert np.array_equal(later.mode, result.solution.mode)
    assert np.array_equal(later.node, result.solution.node)
    planned, found = breakdown(instance, result.solution), evaluate(instance, result.solution)
    assert found == breakdown(truth, later)
    assert [row.latency_s for row in planned] != [row.latency_s for row in found]


def test_a_replay_without_surprises_is_no_later() -> None:
    instance = eo.generate("decomposition", seed=4, tasks=15, corner="burst")
    result = eo.solve(instance, "random")
    again = replay(instance, result.solution)
    assert eo.violations(instance, again) == []
    assert (again.start <= result.solution.start).all()
    with pytest.raises(InstanceError, match="one mode a task"):
        replay(eo.generate("decomposition", seed=4, tasks=3), result.solution)
    with pytest.raises(InstanceError, match="give one for each"):
        with_estimates(instance, [])
