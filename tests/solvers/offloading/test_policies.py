"""Policies: none sees the future, all keep to the one signature, and each does what it says."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.errors import AssumptionError, BackendError, InstanceError, UnknownNameError
from edgeopt.instances.offloading import OffloadingInstance
from edgeopt.instances.offloading.generate import generate
from edgeopt.solvers.offloading.closed_loop import Loop, simulate
from edgeopt.solvers.offloading.episodes import Episodes, States
from edgeopt.solvers.offloading.matching import lower_bounds, match
from edgeopt.solvers.offloading.policies import SIMPLE, Rollouts, Traffic, policy
from edgeopt.solvers.offloading.queue_kernel import INFINITY
from edgeopt.testing.offloading import offloading_instances


def make(name: str) -> Any:
    """A policy that answers quickly."""
    options: dict[str, dict[str, Any]] = {
        "rollouts": {"rollouts": 8, "depth": 2},
        "llm": {"ask": lambda prompt: "s1"},
        "rolling": {"branches": 10},
    }
    return policy(name, **options.get(name, {}))


EVERY = [*SIMPLE, "lacs", "matching", "rollouts", "rolling", "learned", "dqn", "llm"]
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "rollouts on another base": ("rollouts", {"rollouts": 4, "depth": 1, "base": "shortest-queue", "weight": 0.5}),
    "rolling on drawn tasks": ("rolling", {"branches": 5, "depth": 1}),
    "learned over text": ("learned", {"text": True, "digits": 1}),
    "learned, supervised": ("learned", {"weights": "supervised"}),
}


def _mixed(instance: OffloadingInstance, cut: int) -> OffloadingInstance:
    """Everything after some slots permuted and changed."""
    rng = np.random.default_rng(1)
    later = np.flatnonzero(instance.arrival_s > cut * 0.1 + 1e-9)
    mixed = rng.permutation(later)
    rate = instance.rate_bit_per_s.copy()
    rate[cut + 1 :] = rate[cut + 1 :][::-1] * 1.7

    def changed(column: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        found = column.copy()
        found[later] = column[mixed]
        return found

    return replace(
        instance,
        task_device=changed(instance.task_device),
        bits=changed(instance.bits) * np.where(np.isin(np.arange(len(instance)), later), 2.0, 1.0),
        cycles=changed(instance.cycles),
        deadline_s=changed(instance.deadline_s),
        rate_bit_per_s=rate,
    )


def _ended(instance: OffloadingInstance, cut: int) -> OffloadingInstance:
    """Nothing after some slots: no tasks, no rates."""
    count = int((instance.arrival_s <= cut * 0.1 + 1e-9).sum())
    columns = ("task_device", "arrival_s", "bits", "cycles", "deadline_s")
    return replace(
        instance,
        **{name: getattr(instance, name)[:count] for name in columns},
        channel_start_s=instance.channel_start_s[: cut + 1],
        rate_bit_per_s=instance.rate_bit_per_s[: cut + 1],
    )


def _crowded(instance: OffloadingInstance, cut: int) -> OffloadingInstance:
    """Large tasks after some slots, all at once at one device."""
    kept = _ended(instance, cut)
    columns = {
        "task_device": np.zeros(8, dtype=np.int64),
        "arrival_s": np.full(8, (cut + 1) * 0.1),
        "bits": np.full(8, 9e6),
        "cycles": np.full(8, 9e9),
        "deadline_s": np.full(8, 7.0),
    }
    return replace(
        instance, **{name: np.concatenate([getattr(kept, name), column]) for name, column in columns.items()}
    )


@pytest.mark.parametrize("name", [*EVERY, *VARIANTS])
@pytest.mark.parametrize("discipline", ["fifo", "ps"])
def test_no_policy_sees_the_future(name: str, discipline: str) -> None:
    """Whatever comes after some time is permuted, changed, left out, or more: no decision until then changes."""
    kind, options = VARIANTS.get(name, (name, {}))
    if (kind, discipline) == ("rolling", "ps"):
        pytest.skip("has no exact model")

    def run(one: OffloadingInstance) -> list[int]:
        going = policy(kind, **options) if options else make(kind)
        found: list[int] = simulate(Episodes.of([one]), going, seed=2).place[0].tolist()
        return found

    instance = generate(seed=5, slots=14, load=0.8, discipline=discipline, channel="fading", coherence_slots=1)  # type: ignore[arg-type]
    before = run(instance)
    assert len(set(before)) > 1 or name in ("local", "llm")
    for cut in (3, 8):
        count = int((instance.arrival_s <= cut * 0.1 + 1e-9).sum())
        for other in (_mixed(instance, cut), _ended(instance, cut), _crowded(instance, cut)):
            assert run(other)[:count] == before[:count]
            assert other.digest != instance.digest


@pytest.mark.parametrize("name", SIMPLE)
@given(instance=offloading_instances(max_tasks=8), seed=st.integers(0, 9))
@settings(max_examples=max(10, settings().max_examples // 6))
def test_the_compiled_loop_is_the_open_one(name: str, instance: OffloadingInstance, seed: int) -> None:
    """Decision by decision, through the signature that all policies have, the same comes out."""
    episodes = Episodes.of([instance, instance])
    fast = simulate(episodes, policy(name), seed=seed)
    slow = simulate(episodes, policy(name), seed=seed, stop=lambda: False)
    assert fast.place.tolist() == slow.place.tolist()
    assert np.array_equal(fast.cost, slow.cost, equal_nan=True)


@given(instance=offloading_instances(max_tasks=6), name=st.sampled_from([*SIMPLE, "lacs", "matching", "rollouts"]))
def test_every_policy_makes_a_plan_whose_value_is_exact(instance: OffloadingInstance, name: str) -> None:
    options: dict[str, Any] = {"rollouts": 3, "depth": 1} if name == "rollouts" else {}
    result = eo.solve(instance, name, **options)
    assert eo.violations(instance, result.solution) == []
    assert str(result.value_evidence) == "checked"
    assert str(result.termination) == "complete", result


def states_of(*instances: OffloadingInstance) -> States:
    found = Loop(Episodes.of(instances)).states()
    assert found is not None
    return found


def test_the_published_cost_by_hand() -> None:
    """``C(0) = w_loc + d / (f_loc D / rho)`` and ``C(j) = w_net + d/r + (q_j + d) / (f_j D / ((n_j + 1) rho))``."""
    from edgeopt.solvers.offloading.policy_kernel import published_cost

    seen = np.array([300.0, 200.0, 150.0]), np.array([1, 1, 2]), np.zeros(1)
    python = published_cost.py_func  # type: ignore[attr-defined]
    assert python(0, 400.0, np.array([250.0]), np.array([40.0]), seen) == 300 + 400
    assert python(1, 400.0, np.array([250.0]), np.array([40.0]), seen) == 200 + 250 + (150 + 40) * 3


def queue_of_one(**changes: Any) -> OffloadingInstance:
    fields: dict[str, Any] = {
        "task_device": [0], "arrival_s": [0.0], "bits": 2e6, "cycles": 1e9, "deadline_s": 1.0,
        "device_hz": [2.5e9], "server_hz": [2e10, 4e10], "rate_bit_per_s": 1.4e7,
    }  # fmt: skip
    return OffloadingInstance.of("one", **(fields | changes))


def test_a_policy_that_answers_nonsense_is_named() -> None:
    class Odd:
        name = "odd"

        def __init__(self, answer: Any) -> None:
            self.answer = answer

        def start(self, episodes: int, seed: int) -> None: ...

        def decide(self, states: States) -> Any:
            return self.answer

    for answer in (np.array([5]), np.array([-1]), np.array([0.5]), np.array([0, 0]), "here"):
        with pytest.raises(BackendError, match="a policy returned the places"):
            simulate(Episodes.of([queue_of_one()]), Odd(answer))
    with pytest.raises(BackendError, match="must be one a task that it can go to"):
        simulate(Episodes.of([queue_of_one(device_hz=[0.0])]), Odd(np.array([0])))


@pytest.mark.parametrize(
    ("name", "options", "error", "text"),
    [
        ("oracle", {}, UnknownNameError, "no policy 'oracle'; there are: local, "),
        ("rollouts", {"rollouts": 0}, InstanceError, "rollouts = 0"),
        ("rollouts", {"depth": -1}, InstanceError, "depth = -1"),
        ("rollouts", {"base": "best"}, UnknownNameError, "no simple policy 'best'"),
        ("rollouts", {"confidence": 0.0}, InstanceError, "confidence = 0.0"),
        ("rollouts", {"width": 1}, InstanceError, "policy rollouts: "),
        ("lacs", {"draws": 0}, InstanceError, "draws = 0"),
        ("lacs", {"weight": -1.0}, InstanceError, "weight = -1.0"),
        ("rolling", {"depth": -1}, InstanceError, "depth = -1"),
        ("rolling", {"depth": 1.5}, InstanceError, "depth = 1.5: must be a whole number"),
        ("rolling", {"branches": "many"}, InstanceError, "branches = 'many': must be a whole number"),
        ("greedy", {"width": 1}, InstanceError, "policy greedy: has no options, so not width"),
        ("learned", {"weights": "best"}, InstanceError, "weights = 'best': must be a file (.npz) or one of "),
        ("llm", {}, InstanceError, "model = ''"),
    ],
)
def test_bad_options_are_named(name: str, options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        policy(name, **options)
    assert text in str(caught.value)


def test_rolling_has_no_model_of_shared_servers() -> None:
    with pytest.raises(AssumptionError, match="shared servers"):
        simulate(Episodes.of([queue_of_one(discipline="ps")]), policy("rolling"))


def test_rollouts_on_one_future_are_the_future() -> None:
    """With nothing to draw, the score of a place is the cost of going there."""
    states = states_of(queue_of_one())
    tried = Rollouts(depth=0, rollouts=1)
    tried.start(1, 0)
    assert tried.scores(states).tolist() == [[400.0, 143.0 + 50.0, 143.0 + 25.0]]


def test_rollouts_stop_early_where_it_is_clear() -> None:
    instances = [generate(seed=s, slots=20) for s in range(3)]
    bold, sure = Rollouts(rollouts=20, confidence=1.0), Rollouts(rollouts=20, confidence=float("inf"))
    for tried in (bold, sure):
        simulate(Episodes.of(instances), tried)
    assert sure.used == 20 * sure.decisions
    assert bold.used < 0.7 * sure.used


def test_an_episode_does_not_depend_on_those_beside_it() -> None:
    """Slots and traffic of another one change no decision."""
    one, calm, busy = generate(seed=1, slots=6), generate(seed=2, slots=6), generate(seed=3, slots=8, load=0.9)
    fast = replace(calm, slot_s=0.2)
    for name, options in (("rollouts", {"rollouts": 6}), ("rolling", {"depth": 1, "branches": 10}), ("lacs", {})):
        found = [
            simulate(Episodes.of([first, one]), policy(name, **options), seed=4).place[1, : len(one)].tolist()
            for first in (calm, busy, fast)
        ]
        assert found[0] == found[1] == found[2], name


def test_what_the_rolling_horizon_does_not_solve_goes_where_it_ends_earliest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Devices that compute nothing beside some that do, several tasks a slot."""
    from ortools.sat.python import cp_model

    monkeypatch.setattr(cp_model.CpSolver, "solve", lambda *_: cp_model.UNKNOWN)
    drawn = generate(seed=2, slots=8, arrival_probability=0.8, load=0.9, channel="fading")
    rate, speed = drawn.rate_bit_per_s.copy(), drawn.device_hz.copy()
    speed[::2], rate[:, :, -1] = 0.0, 0.0
    rate[:, 0, -1] = 1e6
    instance = replace(drawn, device_hz=speed, rate_bit_per_s=rate)
    episodes, rolling = Episodes.of([instance]), policy("rolling")
    found = simulate(episodes, rolling)
    assert found.place.tolist() == simulate(episodes, policy("earliest")).place.tolist()
    assert rolling.unsolved == len(instance)  # type: ignore[attr-defined]


@pytest.mark.parametrize("discipline", ["fifo", "ps"])
@pytest.mark.parametrize("late", [0.0, 1e9, 1e11])
def test_every_policy_at_the_end_of_time(discipline: str, late: float) -> None:
    """Times near the largest that doubles count exactly: no policy hangs, nor decides otherwise than early."""
    rng = np.random.default_rng(5)
    tasks = 12
    instance = OffloadingInstance.of(
        "late", task_device=rng.integers(0, 3, tasks), arrival_s=late + np.sort(rng.integers(0, 10, tasks)), bits=1.0,
        cycles=rng.integers(1, 9, tasks), deadline_s=30.0, device_hz=np.zeros(3), server_hz=[1.0, 1.0],
        rate_bit_per_s=1.0, discipline=discipline, tick_s=1.0, slot_s=1.0,
    )  # fmt: skip
    early = replace(instance, arrival_s=instance.arrival_s - late)
    for name in SIMPLE if discipline == "ps" else [*SIMPLE, "matching", "lacs"]:
        assert eo.solve(instance, name).solution == eo.solve(early, name).solution, name
    for name in ("matching", "rollouts", "learned", "dqn", "hindsight"):
        value, wanted = eo.solve(instance, name).value, eo.solve(early, name).value
        assert value is not None
        assert wanted is not None
        assert value <= 1.5 * wanted, name


def test_the_shortest_queue_is_joined_however_long_tasks_take() -> None:
    instance = queue_of_one(
        task_device=[0, 0], arrival_s=[0.0, 0.0], bits=0.0, cycles=1e9, deadline_s=1e6, device_hz=[1e2],
        server_hz=[1e5, 2e2],
    )  # fmt: skip
    assert eo.solve(instance, "shortest-queue").solution.place.tolist() == [1, 2]


def test_matching_knows_where_long_tasks_cannot_go() -> None:
    """Their costs are above any number that one might take for what is barred."""
    instance = queue_of_one(
        task_device=[0, 0, 0], arrival_s=0.0, bits=0.0, cycles=3e8, deadline_s=1e5, device_hz=[0.0],
        server_hz=[1e-3], rate_bit_per_s=[[[1.0]]],
    )  # fmt: skip
    assert eo.solve(instance, "matching").solution.place.tolist() == [1, 1, 1]


def test_policies_without_servers() -> None:
    instance = generate(seed=1, slots=6, servers=0)
    for name in EVERY:
        assert simulate(Episodes.of([instance]), make(name)).place.tolist() == [[0] * len(instance)], name


def test_rollouts_from_a_known_traffic() -> None:
    past, now = generate(seed=1, slots=50), generate(seed=2, slots=15)
    found = simulate(Episodes.of([now]), Rollouts(rollouts=8, traffic=Traffic.of(past)))
    assert np.isfinite(found.cost).all()
    with pytest.raises(
        InstanceError, match="traffic of 6 devices, 3 servers, 100 ticks a slot in a system of 6 devices, 6"
    ):
        simulate(Episodes.of([now]), Rollouts(traffic=Traffic.of(generate(seed=1, servers=3))))
    with pytest.raises(InstanceError, match=r"10 ticks a slot in a system of .* 100 ticks a slot"):
        simulate(Episodes.of([now]), Rollouts(traffic=Traffic.of(generate(seed=1, tick_s=1e-2))))


def test_look_ahead_beats_one_step_in_the_closed_loop() -> None:
    """Paired over episodes, at the published load and at a heavier one."""
    for load in (None, 0.6):
        episodes = Episodes.of([generate(seed=100 + s, slots=60, load=load) for s in range(8)])
        mean = {}
        for name, options in (("greedy", {}), ("rollouts", {"rollouts": 16, "depth": 3})):
            mean[name] = simulate(episodes, policy(name, **options)).total / episodes.tasks
        gain = mean["greedy"] - mean["rollouts"]
        assert gain.mean() > 0
        assert gain.mean() / (gain.std(ddof=1) / np.sqrt(len(gain))) > 2


def ends(order_of: list[list[int]], backlog: Any, upload: Any, work: Any) -> float:
    """Sum of the ends where each server serves its tasks in an order, each once it is there."""
    total = 0.0
    for m, tasks in enumerate(order_of):
        free = backlog[m]
        for i in tasks:
            free = max(free, upload[i, m]) + work[i, m]
            total += free
    return total


def best_by_hand(backlog: Any, upload: Any, work: Any) -> float:
    tasks, machines = work.shape
    best = INFINITY
    for chosen in itertools.product(range(machines), repeat=tasks):
        groups = [[i for i in range(tasks) if chosen[i] == m] for m in range(machines)]
        orders = (list(map(list, order)) for order in itertools.product(*(itertools.permutations(g) for g in groups)))
        best = min(best, min(ends(order, backlog, upload, work) for order in orders))
    return best


numbers = st.integers(1, 12)


@given(data=st.data())
def test_matching_is_exact_where_it_is_said_to_be(data: st.DataObject) -> None:
    """Equal uploads, or uploads that end before every backlog does; lower bounds everywhere."""
    tasks, machines = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    work = np.array(data.draw(st.lists(numbers, min_size=tasks * machines, max_size=tasks * machines)), dtype=float)
    work = work.reshape(tasks, machines)
    backlog = np.array(data.draw(st.lists(numbers, min_size=machines, max_size=machines)), dtype=float)
    kind = data.draw(st.sampled_from(["equal", "before", "any"]))
    upload = np.full((tasks, machines), float(data.draw(numbers)))
    if kind != "equal":
        upload = np.array(data.draw(st.lists(numbers, min_size=tasks, max_size=tasks)), dtype=float)[:, None]
        upload = np.broadcast_to(upload, work.shape)
    if kind == "before":
        upload = np.minimum(upload, backlog.min())
    best = best_by_hand(backlog, upload, work)
    matched = match(np.maximum(backlog, upload), work, np.arange(1.0, tasks + 1))[1]
    if kind != "any":
        assert matched == best
    assert max(lower_bounds(backlog, upload, work)) <= best


def test_matching_with_unequal_uploads_is_no_bound() -> None:
    """The counterexamples: above the optimum, and below it."""
    backlog = np.zeros(1)
    work = np.array([[1.0], [4.0]])
    late = np.array([[9.0], [1.0]])
    assert match(np.maximum(backlog, late), work, np.array([1.0, 2.0]))[1] == 16
    assert best_by_hand(backlog, late, work) == 5 + 10
    work, late = np.array([[5.0], [5.0], [5.0]]), np.array([[0.0], [0.0], [20.0]])
    assert match(np.maximum(backlog, late), work, np.array([1.0, 2.0, 3.0]))[1] == 50
    assert best_by_hand(backlog, late, work) == 5 + 10 + 25


def test_the_coefficient_of_shared_servers_is_exact() -> None:
    """``2 k - 1`` without backlog and uploads, by the simulator."""
    rng = np.random.default_rng(3)
    for _ in range(20):
        cycles = rng.integers(1, 20, 3).astype(float)
        instance = OffloadingInstance.of(
            "shared", task_device=[0, 1, 2], arrival_s=[0, 0, 0], bits=0.0, cycles=cycles, deadline_s=1000.0,
            device_hz=np.zeros(3), server_hz=[1.0, 2.0], rate_bit_per_s=1.0, discipline="ps", tick_s=1e-3,
        )  # fmt: skip
        best = eo.solve(instance, "brute-force").value
        work = instance.compiled.work.astype(float)
        total = match(np.zeros((3, 2)), work, np.array([1.0, 3.0, 5.0]))[1]
        assert best is not None
        assert abs(best - total) <= 3  # ends are rounded up to ticks


def test_matching_decides_about_the_whole_slot() -> None:
    """Two tasks that would both take the one good server: together they do not."""
    instance = OffloadingInstance.of(
        "two", task_device=[0, 1], arrival_s=[0.0, 0.0], bits=0.0, cycles=[1e9, 4e9], deadline_s=10.0,
        device_hz=[0.0, 1e8], server_hz=[2e9, 1.9e9], rate_bit_per_s=1e9,
    )  # fmt: skip
    plan = eo.solve(instance, "matching").solution
    assert sorted(plan.place.tolist()) == [1, 2]
    assert eo.solve(instance, "matching").value == eo.solve(instance, "brute-force").value


def test_rolling_finds_the_optimum_of_a_slot() -> None:
    for seed in range(4):
        instance = generate(seed=seed, slots=1, arrival_probability=0.6, devices=4, servers=3, load=3.0)
        assert eo.solve(instance, "rolling").value == eo.solve(instance, "brute-force").value


def test_a_language_model_is_asked_and_its_answers_are_read() -> None:
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return "I would take s2." if len(asked) % 2 else "none of them"

    instance = generate(seed=3, slots=5)
    asking = policy("llm", ask=ask)
    record = simulate(Episodes.of([instance]), asking)
    assert record.place[0, 0] == 2
    assert asking.refused == len(asked) // 2  # type: ignore[attr-defined]
    assert "s2 upload=" in asked[0]


def test_episodes_must_fit_together() -> None:
    with pytest.raises(InstanceError, match="6 devices, 3 servers, fifo"):
        Episodes.of([generate(seed=1), generate(seed=1, servers=3)])
    with pytest.raises(InstanceError, match="at least one"):
        Episodes.of([])


def test_a_policy_that_is_stopped_makes_a_whole_plan() -> None:
    instance = generate(seed=1, slots=20)
    result = eo.solve(instance, "rollouts", time_limit=0)
    assert str(result.termination) == "time_limit"
    assert str(result.value_evidence) == "checked"
    assert result.value == eo.solve(instance, "earliest").value
