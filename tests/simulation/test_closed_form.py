"""One node, one class, deterministic arrivals: what must come out can be computed by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.simulation import Scenario, Slots, State, Traffic, scenario, simulate
from edgeopt.system.quantization import quantization

TOKENS, PADDED = 128, 512
ACCURATE = 0.5


def regular(every_s: float, count: int, deadline_s: float, **options: object) -> Scenario:
    """A server and `count` requests of one class, one every so many seconds, from 0 on."""
    base = scenario(nodes=1, epochs=1, warmup=0, rate=0.0)
    traffic = Traffic(
        arrival_s=np.round(every_s * np.arange(count), 9),
        prompt_tokens=np.full(count, PADDED),
        output_tokens=np.full(count, TOKENS),
        deadline_s=np.full(count, deadline_s),
        accuracy=np.full(count, ACCURATE),
        padded_prompt_tokens=PADDED,
    )
    return replace(base, traffic=traffic, end_s=float(math.ceil(every_s * count) + 1), **options)  # type: ignore[arg-type]


def capacity(live: Scenario, time_s: Fraction) -> int:
    """Requests that the server computes in so much time."""
    node = live.nodes[0]
    work = math.ceil(Fraction(node.model.flops(PADDED, TOKENS), 10**6))
    return math.floor(time_s * Fraction(node.compute_flops) / 10**6) // work


@given(per_epoch=st.integers(1, 40), tenths=st.integers(11, 19), epochs=st.integers(1, 6))
def test_one_epoch_a_request(per_epoch: int, tenths: int, epochs: int) -> None:
    """Deadlines below the epoch: of the requests of each epoch, as many are served as the deadline lets in."""
    live = regular(2.0 / per_epoch, per_epoch * epochs, tenths / 10)
    room = capacity(live, Fraction(tenths, 10) - Fraction(1, 2))
    outcome = simulate(live, "gah")
    arrived = np.bincount((live.traffic.arrival_s // 2.0).astype(int), minlength=epochs)
    assert outcome.count(State.COMPLETED) == sum(min(room, int(n)) for n in arrived)
    assert outcome.count(State.EXPIRED) == per_epoch * epochs - outcome.count(State.COMPLETED)
    for epoch in outcome.epochs:
        assert [len(batch) for batch in epoch.batches] == [min(room, epoch.offered)]


def test_a_queue_that_waits_for_later_epochs() -> None:
    """Deadlines of three epochs: a backlog grows by arrivals less capacity, and is served until it is too old."""
    live = regular(0.05, 200, 6.4)  # 40 an epoch, 5 epochs
    node = live.nodes[0]
    work_s = math.ceil(node.model.flops(PADDED, TOKENS) / 10**6) * 10**6 / node.compute_flops
    full = capacity(live, Fraction(2))
    outcome = simulate(live, "gah")
    served = [sum(len(batch) for batch in epoch.batches) for epoch in outcome.epochs]
    assert served[:5] == [full] * 5  # the slot binds while there are enough
    # Waiting 0, 2 and 4 s are possible, 6 s is not: the last arrivals are tried in epochs 5, 6 and 7.
    assert len(served) == 7
    assert served[5] == full
    last = math.floor((6.4 - 4.0 - 0.5) / work_s)
    assert 0 < served[6] == min(outcome.epochs[6].offered, last)
    assert [epoch.offered for epoch in outcome.epochs[:3]] == [40, 80 - full, 120 - 2 * full]
    assert sum(served) == outcome.count(State.COMPLETED)


@pytest.mark.parametrize(("waiting", "deadline"), [("zero", 1.5), ("actual", 1.5), ("actual", 3.2)])
def test_waiting_counts_only_where_it_is_to(waiting: str, deadline: float) -> None:
    """One request at 0.5 s, the epoch begins at 2 s: 1.5 s of waiting, which `zero` does not count."""
    live = regular(0.5, 2, deadline, waiting=waiting)
    outcome = simulate(live, "gah")
    work_s = live.nodes[0].model.flops(PADDED, TOKENS) / live.nodes[0].compute_flops
    waits = np.array([0.0, 0.0]) if waiting == "zero" else np.array([2.0, 1.5])
    both = waits + 0.5 + 2 * work_s
    if deadline >= both.max():
        assert outcome.latency_s == pytest.approx(both)
    else:
        assert outcome.count(State.COMPLETED) == (2 if waiting == "zero" else 0)


@given(per_epoch=st.integers(1, 40), tenths=st.integers(11, 20))
def test_static_batching(per_epoch: int, tenths: int) -> None:
    """The size follows from the epoch; the batch is in time or late as a whole."""
    live = regular(2.0 / per_epoch, per_epoch, tenths / 10)
    node = live.nodes[0]
    exact = Fraction(node.model.flops(PADDED, TOKENS)) / Fraction(node.compute_flops)
    size = math.floor(Fraction(3, 2) / exact)
    taken = min(size, per_epoch)
    outcome = simulate(live, "static")
    work = math.ceil(node.model.flops(PADDED, TOKENS) / 10**6)
    budget = math.floor((Fraction(tenths, 10) - Fraction(1, 2)) * Fraction(node.compute_flops) / 10**6)
    in_time = taken * work <= budget
    assert outcome.count(State.COMPLETED) == (taken if in_time else 0)
    assert outcome.count(State.LATE) == (0 if in_time else taken)
    assert outcome.count(State.EXPIRED) == per_epoch - taken


@given(st.integers(1, 60), st.sampled_from([1.6, 2.0, 2.5, 4.0]))
def test_no_batching_is_a_queue_of_so_many_servers(per_second: int, deadline: float) -> None:
    """D/D/c with one service time: request ``i`` starts when request ``i - c`` ends (or is dropped)."""
    live = regular(1.0 / per_second, 4 * per_second, deadline)
    node, gpus = live.nodes[0], live.gpus[0]
    service = node.model.flops(PADDED, TOKENS) / (node.compute_flops / gpus)
    free = [0.0] * gpus
    expected = []
    for arrival in live.traffic.arrival_s.tolist():
        first = min(range(gpus), key=free.__getitem__)
        begin, latest = max(arrival + 0.25, free[first]), arrival + deadline - 0.25
        if begin >= latest:
            expected.append(State.EXPIRED)
            continue
        free[first] = min(begin + service, latest)
        expected.append(State.COMPLETED if begin + service <= latest else State.LATE)
    assert simulate(live, "no-batching").state.tolist() == expected


def test_utilisation_below_one_serves_everyone_without_waiting() -> None:
    """20 GPUs, 1.17 s each: 16 requests a second keep 18.8 of them busy, none waits."""
    live = regular(1 / 16, 160, 2.0)
    service = live.nodes[0].model.flops(PADDED, TOKENS) / (live.nodes[0].compute_flops / 20)
    outcome = simulate(live, "no-batching")
    if 16 * service < 20 and service <= 1.5:
        assert outcome.completion_rate == 1.0
        assert outcome.latency_s == pytest.approx(np.full(160, 0.5 + service))
    else:
        assert outcome.completion_rate < 1.0


def test_accuracy_that_nobody_has_is_refused() -> None:
    live = regular(0.1, 10, 2.0)
    lossy = quantization("w8a16", ppl_differential=0.54)
    node = replace(live.nodes[0], quantization=lossy)
    for policy in ("gah", "static", "no-batching"):
        outcome = simulate(replace(live, nodes=(node,)), policy)
        assert outcome.count(State.REFUSED) == 10


def test_slots_follow_the_load() -> None:
    """Where bands are nearly idle the communication slots shrink, and what they leave is computed in."""
    fixed = simulate(scenario(rate=50.0, epochs=30, warmup=10, seed=1), "gah")
    adaptive = simulate(scenario(rate=50.0, epochs=30, warmup=10, seed=1, adapt_every=2), "gah")
    assert {epoch.slots for epoch in fixed.epochs} == {Slots(0.25, 2.0, 0.25)}
    last = adaptive.epochs[-5].slots
    assert last.uplink_s < 0.25
    assert last.downlink_s < 0.25
    assert adaptive.completion_rate > fixed.completion_rate


def test_interval_of_one_run_holds_its_mean() -> None:
    outcome = simulate(scenario(rate=10.0, epochs=20, warmup=1), "gah")
    interval = outcome.completion_interval()
    assert interval.low is not None
    assert interval.high is not None
    assert interval.low < interval.mean == outcome.completion_rate < interval.high
    assert outcome.completed_per_epoch == pytest.approx(outcome.count(State.COMPLETED) / 20)
    summary = outcome.summary()
    assert summary["completed"] + summary["expired"] + summary["late"] + summary["refused"] == summary["arrivals"]
    empty = simulate(scenario(rate=0.0, epochs=2, warmup=0), "gah")
    assert math.isnan(empty.completion_rate)
    assert empty.completion_interval().low is None
