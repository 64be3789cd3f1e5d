"""The compiled integers against an independent recompilation from the raw fields."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.instances.batching import BatchingInstance, Node, Requests, check
from edgeopt.instances.batching.compiled import MOST
from edgeopt.instances.batching.generate import CORNERS
from edgeopt.instances.batching.node import SHARE_UNITS
from edgeopt.system.quantization import Quantization
from edgeopt.system.transformer import TransformerModel
from edgeopt.testing import batching_instances


def assert_compiles_like_the_check(instance: BatchingInstance) -> None:
    """Every number of every node's compiled form, recomputed one request at a time by `check`."""
    for index, node in enumerate(instance.compiled.nodes):
        per_user = instance.downlink_rule == "per-user"
        downlink_capacity = SHARE_UNITS if per_user else min(MOST, check.worst_channel_tokens(instance, index))
        memory_capacity = min(MOST, check.memory_tokens(instance, index))
        assert (node.uplink_capacity, node.downlink_capacity, node.memory_capacity) == (
            check.BAND,
            downlink_capacity,
            memory_capacity,
        )
        rows = []
        for request in range(len(instance.requests)):
            if check.refusal(instance, index, request) is not None:
                continue
            output = int(instance.requests.output_tokens[request])
            uplink = check.uplink_share(instance, index, request)
            downlink = check.downlink_share(instance, index, request) if per_user else output
            memory = instance.padded_prompt_tokens + output
            work = check.work(instance, index, output)
            budget = min(check.deadline_budget(instance, index, request), check.slot_budget(instance, index), MOST)
            fits = uplink <= SHARE_UNITS and downlink <= downlink_capacity
            if fits and memory <= memory_capacity and work <= budget:
                rows.append((request, uplink, downlink, memory, work, budget))
        kind = node.length_class
        downlinks = node.class_tokens[kind] if node.downlink is None else node.downlink
        columns = (node.request, node.uplink, downlinks, node.class_memory[kind], node.class_compute[kind], node.budget)
        assert list(zip(*(column.tolist() for column in columns), strict=True)) == rows


@given(batching_instances())
def test_drawn_instances(instance: BatchingInstance) -> None:
    assert_compiles_like_the_check(instance)


@pytest.mark.parametrize("corner", sorted(CORNERS))
@pytest.mark.parametrize("rule", ["worst-channel", "per-user"])
def test_corners(corner: str, rule: str) -> None:
    instance = eo.generate("batching", seed=5, requests=9, corner=corner, downlink_rule=rule, regime="all")
    assert_compiles_like_the_check(instance)


@pytest.mark.parametrize("regime", ["paper", "compute", "both", "all", "fixed"])
def test_regimes(regime: str) -> None:
    options = {"model": ["bloom-3b", "opt-1.3b"], "quantization_name": "w8a16-paper", "waiting": "uniform"}
    assert_compiles_like_the_check(eo.generate("batching", seed=2, requests=30, regime=regime, **options))


ONE_FLOP = TransformerModel(
    name="unit", layers=1, hidden=500, heads=1, head_dim=500, kv_heads=1, ffn=500, gated_ffn=False,
    vocabulary=1, tied_embeddings=True,
)  # fmt: skip


def single(
    *,
    gain: float = 1.0,
    prompt: int = 1,
    output: int = 1,
    deadline: float = 2.0,
    waiting: float = 0.0,
    compute: float = 1e9,
    memory: float = 1e8,
    bandwidth: float = 64.0,
    power: float | None = None,
    noise: float = 1e-9,
    slot: float = 0.25,
    time_factor: float = 1.0,
    rule: str = "per-user",
) -> BatchingInstance:
    """One request and one node; the signal-to-noise ratio is ``gain`` unless the power says otherwise."""
    power = float(f"{bandwidth:.0f}e-9") if power is None else power
    column = {"dtype": np.float64}
    return BatchingInstance(
        name="single",
        nodes=(
            Node("n", ONE_FLOP, Quantization(name="q", time_factor=time_factor), compute, memory,
                 bandwidth, bandwidth, power, power),
        ),
        requests=Requests(
            prompt_tokens=np.array([prompt]),
            output_tokens=np.array([output]),
            deadline_s=np.array([deadline], **column),
            waiting_s=np.array([waiting], **column),
            accuracy=np.zeros(1),
            accepts=np.zeros(1, dtype=np.int64),
            accept_sets=(None,),
            uplink_gain=np.array([[gain]], **column),
            downlink_gain=np.array([[gain]], **column),
        ),
        uplink_slot_s=slot,
        compute_slot_s=1e6,
        downlink_slot_s=slot,
        epoch_s=2.0,
        noise_w_per_hz=noise,
        bits_per_token=16,
        padded_prompt_tokens=max(prompt, 1),
        downlink_rule=rule,
    )  # fmt: skip


@pytest.mark.parametrize("power", range(1, 40))
def test_share_at_a_power_of_two(power: int) -> None:
    """log2(1 + snr) is a whole number: the share is exact and must not be rounded a unit up."""
    instance = single(gain=float(2**power - 1))
    assert_compiles_like_the_check(instance)
    assert instance.compiled.nodes[0].uplink.tolist() == [-(-(10**9) // power)]


@pytest.mark.parametrize(("band", "share"), [(64.0, 10**9), (128.0, 5 * 10**8), (320.0, 2 * 10**8), (65.0, 984615385)])
def test_share_exactly_whole(band: float, share: int) -> None:
    """16 bit in 0.25 s at 1 bit/s/Hz: exactly the whole band of 64 Hz, a half of 128 Hz, a fifth of 320 Hz."""
    instance = single(bandwidth=band)
    assert_compiles_like_the_check(instance)
    assert instance.compiled.nodes[0].uplink.tolist() == [share]


def test_share_just_over_the_band() -> None:
    instance = single(bandwidth=63.0)
    assert check.uplink_share(instance, 0, 0) == 1015873016
    assert instance.compiled.nodes[0].size == 0


@pytest.mark.parametrize(("gain", "tokens"), [(1.0, 1), (3.0, 2), (7.0, 3), (6.999999999, 2), (7.000000001, 3)])
def test_worst_channel_capacity_at_whole_tokens(gain: float, tokens: int) -> None:
    instance = single(gain=gain, rule="worst-channel")
    assert_compiles_like_the_check(instance)
    assert instance.compiled.nodes[0].downlink_capacity == tokens


@pytest.mark.parametrize("deadline", [0.6, 0.7, 0.8, 0.9, 1.1, 1.3, 1.7, 0.501, 1.9999999])
@pytest.mark.parametrize("time_factor", [1.0, 0.1, 0.3, 1.6])
def test_budget_exactly_whole(deadline: float, time_factor: float) -> None:
    """Decimals such as 0.7 - 0.5 are not what floats make of them: the budget must not lose a MFLOP."""
    compute = float(10**10 * time_factor)
    instance = single(deadline=deadline, compute=compute, time_factor=time_factor)
    assert_compiles_like_the_check(instance)
    assert instance.compiled.nodes[0].budget.tolist() == [round((deadline - 0.5) * 1e10) // 10**6]


@pytest.mark.parametrize(("spare", "tokens"), [(0, 4), (-1, 3), (1, 4)])
def test_memory_exactly_whole(spare: int, tokens: int) -> None:
    memory = ONE_FLOP.weight_bytes() + 4 * ONE_FLOP.cache_bytes_per_token() + spare
    instance = single(memory=float(memory))
    assert_compiles_like_the_check(instance)
    assert instance.compiled.nodes[0].memory_capacity == tokens


@given(
    gain=st.floats(1e-300, 1e300),
    bandwidth=st.floats(1e-9, 1e15),
    power=st.floats(1e-12, 1e9),
    noise=st.floats(1e-30, 1e3),
    slot=st.floats(1e-9, 1e9),
    prompt=st.integers(1, 2**24),
    compute=st.floats(0, 1e30),
    memory=st.floats(0, 1e30),
    rule=st.sampled_from(["per-user", "worst-channel"]),
)
def test_any_units(**fields: object) -> None:
    assert_compiles_like_the_check(single(deadline=1e10, **fields))  # type: ignore[arg-type]


@given(
    deadline=st.floats(0, 1e12, exclude_min=True),
    waiting=st.floats(0, 1e12),
    slot=st.floats(1e-12, 1e3),
    compute=st.floats(0, 1e25),
    time_factor=st.floats(1e-6, 1e6),
)
def test_any_times(**fields: float) -> None:
    assert_compiles_like_the_check(single(bandwidth=1e15, **fields))  # type: ignore[arg-type]


@given(st.floats(0.46, 0.47), st.sampled_from([0.54, 0.5300000000000001, 0.53]))
def test_accuracy_is_compared_as_decimals(accuracy: float, differential: float) -> None:
    instance = single()
    node = replace(instance.nodes[0], quantization=Quantization(name="q", ppl_differential=differential))
    requests = replace(instance.requests, accuracy=np.array([accuracy]))
    assert_compiles_like_the_check(replace(instance, nodes=(node,), requests=requests))


def test_extreme_units_of_the_radio() -> None:
    """Scales far outside any radio, where the float path would overflow or go denormal."""
    for gain, power, noise in [
        (1e300, 1e300, 1e-300),
        (1.797693134862316e278, 1.0, 1e-30),
        (1e-300, 1e-300, 1e-300),
        (1e-20, 1e-300, 1e-10),
        (1e300, 1e-300, 1e300),
    ]:
        instance = single(gain=gain, power=power, noise=noise, bandwidth=1e10, slot=1e300)
        assert_compiles_like_the_check(instance)
