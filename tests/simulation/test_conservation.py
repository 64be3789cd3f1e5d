"""Bookkeeping: every request ends in exactly one state, nothing is served twice, nothing is over capacity."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgeopt
from edgeopt.errors import InstanceError, UnknownNameError
from edgeopt.instances.batching import BatchingInstance, Schedule, check
from edgeopt.simulation import Outcome, State, policy_names, scenario, simulate
from edgeopt.simulation.outcome import Epoch

POLICIES = ("gah", "gah+", "static", "no-batching")


@st.composite
def scenarios(draw: st.DrawFn) -> Any:
    """Small scenarios over everything that can be chosen."""
    least = draw(st.sampled_from([0.6, 1.5, 3.0, 8.0]))
    model = draw(st.sampled_from(["bloom-560m", "bloom-3b", "opt-13b"]))
    schemes = ["w8a16", "fp16"] if model == "bloom-560m" else ["w8a16", "w4a16-gptq", "w4a16-zq-local"]
    return scenario(
        seed=draw(st.integers(0, 10**6)),
        rate=draw(st.sampled_from([0.0, 0.5, 4.0, 15.0])),
        epochs=draw(st.integers(1, 4)),
        warmup=draw(st.integers(0, 2)),
        epoch=draw(st.sampled_from([0.5, 1.0, 2.0, 4.0])),
        deadline=(least, least + draw(st.sampled_from([0.0, 1.0]))),
        nodes=draw(st.integers(1, 4)),
        model=model,
        quantization_name=draw(st.sampled_from(schemes)),
        waiting=draw(st.sampled_from(["zero", "actual"])),
        latency=draw(st.sampled_from(["flops", "roofline"])),
        downlink_rule=draw(st.sampled_from(["worst-channel", "per-user"])),
        adapt_every=draw(st.sampled_from([0, 1, 2])),
    )


class Ledger:
    """Recomputes what every epoch uses from the raw fields, in exact fractions."""

    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self.served: Counter[int] = Counter()
        self.begins: list[tuple[float, Epoch]] = []

    def __call__(self, epoch: Epoch, instance: BatchingInstance, schedule: Schedule) -> None:
        if self.strict:
            assert not edgeopt.violations(instance, schedule)
        for j, batch in enumerate(schedule.batches):
            requests = batch.tolist()
            assert sum(check.uplink_share(instance, j, i) for i in requests) <= check.BAND
            lengths = [int(instance.requests.output_tokens[i]) for i in requests]
            if instance.downlink_rule == "per-user":
                assert sum(check.downlink_share(instance, j, i) for i in requests) <= check.BAND
            elif requests:
                assert sum(lengths) <= check.worst_channel_tokens(instance, j)
            cached = sum(instance.padded_prompt_tokens + n for n in lengths)
            assert not requests or cached <= check.memory_tokens(instance, j)
            work = sum(check.work(instance, j, n) for n in lengths)
            assert work <= check.slot_budget(instance, j)
            assert all(check.refusal(instance, j, i) is None for i in requests)
        self.served.update(i for batch in epoch.batches for i in batch.tolist())
        self.begins.append((epoch.start_s, epoch))


def assert_conserved(outcome: Outcome, ledger: Ledger | None) -> None:
    state = outcome.state
    assert not (state == State.PENDING).any()
    assert sum(outcome.count(kind) for kind in State) == outcome.arrivals
    has_output = (state == State.COMPLETED) | ((state == State.LATE) & (outcome.epoch >= 0))
    assert (np.isfinite(outcome.latency_s) == has_output).all()
    done = state == State.COMPLETED
    limit = outcome.scenario.traffic.deadline_s
    assert (outcome.latency_s[done] <= limit[done] + 1e-9).all()
    if ledger is None:
        return
    assert set(ledger.served.values()) <= {1}
    assert sorted(ledger.served) == np.flatnonzero(has_output).tolist()
    assert (outcome.latency_s[has_output & ~done] > limit[has_output & ~done] - 1e-6).all()
    for before, after in itertools.pairwise(epoch for _, epoch in ledger.begins):
        end = before.start_s + before.slots.uplink_s + max(before.busy_s)
        assert after.start_s + after.slots.uplink_s >= end - 1e-6  # compute slots do not overlap


@given(scenarios(), st.sampled_from(POLICIES))
@settings(max_examples=settings.default.max_examples // 4)
def test_every_request_ends_once_and_nothing_is_over_capacity(live: Any, policy: str) -> None:
    ledger = None if policy == "no-batching" else Ledger(strict=policy != "static")
    outcome = simulate(live, policy, observe=ledger)
    assert_conserved(outcome, ledger)
    again = simulate(live, policy)
    assert (again.state == outcome.state).all()
    assert (again.node == outcome.node).all()


@given(scenarios())
@settings(max_examples=settings.default.max_examples // 8)
def test_without_batching_no_gpu_does_two_things_at_a_time(live: Any) -> None:
    outcome = simulate(live, "no-batching")
    traffic, slots = live.traffic, live.slots
    for j, gpus in enumerate(live.gpus):
        busy = []
        for i in np.flatnonzero((outcome.node == j) & (outcome.state == State.COMPLETED)).tolist():
            end = traffic.arrival_s[i] + outcome.latency_s[i] - slots.downlink_s
            work = live.nodes[j].model.flops(int(traffic.prompt_tokens[i]), int(traffic.output_tokens[i]))
            if live.latency == "flops":
                alone = live.nodes[j].quantization.time_factor * work / (live.nodes[j].compute_flops / gpus)
                assert end - alone >= traffic.arrival_s[i] + slots.uplink_s - 1e-9
                busy.append((end - alone, end))
        points = sorted([(begin + 1e-9, 1) for begin, _ in busy] + [(end, -1) for _, end in busy])
        assert max(itertools.accumulate(step for _, step in points), default=0) <= gpus


def test_policies_see_the_same_requests_and_channels() -> None:
    live = scenario(rate=6.0, epochs=3, warmup=0, deadline=(1.0, 1.4), seed=5)
    seen: dict[str, list[Any]] = {}
    for policy in ("gah", "static"):
        seen[policy] = []
        simulate(live, policy, observe=lambda e, i, s, p=policy: seen[p].append((e.start_s, i.digest)))  # type: ignore[misc]
    assert seen["gah"] == seen["static"]  # with such deadlines nobody waits for a second epoch
    assert len(seen["gah"]) == 3


def test_who_waits_on_keeps_its_place_and_gets_a_new_channel() -> None:
    live = scenario(rate=12.0, epochs=2, warmup=0, nodes=1, deadline=(6.0, 6.0), seed=2)
    gains: dict[float, list[float]] = {}

    def hear(epoch: Epoch, instance: BatchingInstance, schedule: Schedule) -> None:
        requests = instance.requests
        for name, gain in zip(requests.accuracy.tolist(), requests.uplink_gain[0].tolist(), strict=True):
            gains.setdefault(name, []).append(gain)

    simulate(live, "gah", observe=hear)
    assert max(len(values) for values in gains.values()) == 3  # it may wait 0, 2 and 4 s
    assert all(len(set(values)) == len(values) for values in gains.values())


def test_unknown_policies_and_bad_scenarios_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="no policy 'gahh'; there are: static, no-batching, gah"):
        simulate(scenario(epochs=1), "gahh")
    assert {"static", "no-batching", "gah", "cpsat"} <= set(policy_names())
    with pytest.raises(InstanceError, match="policy static has no option 'order'"):
        simulate(scenario(epochs=1), "static", options={"order": "best"})
    for options, text in (
        ({"epoch": 0.2}, "must be within the epoch"),
        ({"epochs": 0}, "epochs = 0: must be 1 or more"),
        ({"deadline": (2.0, 1.0)}, "must be 0 < least <= largest"),
        ({"accuracy": (0.5, 1.5)}, "must be within 0 and 1"),
        ({"rate": -1.0}, "rate = -1.0"),
        ({"waiting": "some"}, "must be 'zero' or 'actual'"),
        ({"adapt_every": -1}, "adapt_every = -1"),
        ({"trace": "no-such-file.csv"}, "no-such-file.csv"),
    ):
        with pytest.raises(InstanceError, match=text):
            scenario(**options)  # type: ignore[arg-type]
