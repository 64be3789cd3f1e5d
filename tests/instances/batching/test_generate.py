"""The generator: pinned content, regimes in which what they name binds, corners, and bad options."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import edgeopt as eo
from edgeopt.errors import EdgeoptError, InstanceError
from edgeopt.instances.batching import BatchingInstance, file
from edgeopt.instances.batching.generate import CORNERS, rounded
from edgeopt.testing import binding_constraints

PINNED: list[tuple[dict[str, Any], str]] = [
    ({"seed": 0}, "72c7ca78117c16c56ddd26e135b0e817844c65ae995003146c87cfb297a0f01b"),
    ({"seed": 1}, "1d471bc4decc95aca5d1a0ca11078ad5e4ea01912ecb61f81283e84f868e8594"),
    (
        {"seed": 2**63, "rate": 250.0, "waiting": "uniform"},
        "2529b127528f0240268b0ba5468ecbe541cfbc2f8da67405c7d8a59276698982",
    ),
    (
        {"seed": 1, "nodes": 7, "requests": 40, "model": ["bloom-3b", "opt-1.3b"], "regime": "all"},
        "58fb6c947032588c238fffd95cf39286d300eb753d1a1eec9dfceed70dde752e",
    ),
    (
        {"seed": 1, "requests": 40, "downlink_rule": "per-user", "regime": "both", "quantization_name": "fp16"},
        "1dd704f8a7b3a6a84c83f77bcc8bf3b9345ee801144a54af78d36ab0a9b82023",
    ),
    (
        {"seed": 3, "requests": 25, "regime": "compute", "load": 0.8},
        "8b157053a48b2b937cf9e53f8e9ec7829e46f712d88d2405e12254bcac94ded6",
    ),
    (
        {"seed": 3, "requests": 25, "regime": "fixed", "prompt_levels": [7, 9], "output_levels": range(1, 33)},
        "4e94e7b2ae5e71ccc3d19aaa3d7f378e32daf89d124931ef9df929e742eb0805",
    ),
]


@pytest.mark.parametrize(("options", "digest"), PINNED)
def test_pinned_digest(options: dict[str, Any], digest: str) -> None:
    """Another machine or another numpy that gives other instances shows here."""
    assert eo.generate("batching", **options).digest == digest


BINDING = {
    "compute": {"deadline"},
    "both": {"uplink", "deadline"},
    "all": {"uplink", "downlink", "memory", "deadline"},
}


@pytest.mark.parametrize("regime", sorted(BINDING))
def test_a_regime_makes_its_resources_bind_and_no_others(regime: str) -> None:
    found = [
        binding_constraints(eo.generate("batching", seed=seed, nodes=1, requests=12, regime=regime).compiled.nodes[0])
        for seed in range(40)
    ]
    for constraint in ("uplink", "downlink", "memory", "deadline"):
        share = sum(constraint in binding for binding in found) / len(found)
        assert share >= 0.3 if constraint in BINDING[regime] else share == 0, (constraint, share)


def test_fixed_regime_takes_about_a_dozen_whatever_the_number() -> None:
    for count in (40, 400):
        result = eo.solve(eo.generate("batching", seed=1, nodes=1, requests=count, regime="fixed"), "ot")
        assert 8 <= result.value <= 30


def test_paper_setting_binds_compute_only() -> None:
    """The literal numbers of V-A: about a dozen requests on the server, none on the UAV at s' = 512."""
    for seed in range(5):
        instance = eo.generate("batching", seed=seed, requests=100)
        server, uav, _ = instance.compiled.nodes
        assert uav.size == 0
        smallest = np.sort(server.class_compute[server.length_class])[:30].sum()
        assert smallest > server.budget.max()
        assert np.sort(server.uplink)[:30].sum() < server.uplink_capacity


@pytest.mark.parametrize("corner", sorted(CORNERS))
@pytest.mark.parametrize("count", [0, 1, 10])
@pytest.mark.parametrize("nodes", [1, 2])
def test_corners_compile_and_round_trip(corner: str, count: int, nodes: int) -> None:
    for regime in ("paper", "all"):
        instance = eo.generate("batching", nodes=nodes, requests=count, corner=corner, regime=regime)
        assert len(instance.compiled.nodes) == nodes
        assert file.decode(file.encode(instance), "x").digest == instance.digest
        assert file.decode(file.encode_arrays(instance), "x").digest == instance.digest


def corner(name: str) -> BatchingInstance:
    instance: BatchingInstance = eo.generate("batching", seed=1, requests=12, corner=name)
    return instance


def test_corners_are_what_they_say() -> None:
    assert len(corner("no-requests").requests) == 0
    for name in ("zero-compute", "zero-memory", "narrow-band"):
        assert not any(node.size for node in corner(name).compiled.nodes), name
    assert set(corner("one-class").requests.output_tokens) == {128}
    assert len(set(corner("equal-deadlines").requests.deadline_s)) == 1
    assert all(
        len(np.unique(column, axis=-1)[..., 0:].T) == 1
        for column in (corner("identical-requests").requests.deadline_s,)
    )
    assert len(set(corner("ties").requests.deadline_s)) == 2
    assert np.isnan(corner("uncovered").requests.uplink_gain).all(axis=0).sum() == 6
    hopeless = {0, 3, 6, 9, 1, 4, 7, 10}
    assert not any(hopeless & set(node.request.tolist()) for node in corner("hopeless-users").compiled.nodes)


BAD_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"nodes": 0}, "nodes = 0: must be from 1 to 1000"),
    ({"nodes": 1001}, "nodes = 1001"),
    ({"requests": -1}, "requests = -1: must be from 0"),
    ({"requests": 10**7 + 1}, "requests = 10000001"),
    ({"rate": -1.0}, "rate = -1.0 (1/s)"),
    ({"rate": float("nan")}, "rate = nan (1/s)"),
    ({"rate": 1e7, "epoch": 1e9}, "rate"),
    ({"epoch": 0.0}, "epoch = 0.0 (s)"),
    ({"epoch": float("inf")}, "epoch = inf (s)"),
    ({"deadline": (2.0, 1.0)}, "deadline = (2.0, 1.0) (s)"),
    ({"deadline": (0.0, 1.0)}, "deadline = (0.0, 1.0) (s)"),
    ({"model": "bloom-9b"}, "model 'bloom-9b'"),
    ({"model": []}, "model"),
    ({"quantization_name": "w3"}, "quantization 'w3'"),
    ({"quantization_name": "w4a16-gptq", "model": "gpt2"}, "ppl_differential"),
    ({"prompt_levels": []}, "prompt_levels"),
    ({"prompt_levels": [0, 4]}, "prompt_levels"),
    ({"output_levels": []}, "output_levels"),
    ({"output_levels": [2**25]}, "output_levels"),
    ({"waiting": "actual"}, "waiting = 'actual'"),
    ({"downlink_rule": "best"}, "downlink_rule = 'best'"),
    ({"regime": "hard"}, "regime = 'hard': must be one of paper"),
    ({"load": 0.0}, "load = 0.0"),
    ({"load": 1.5}, "load = 1.5"),
    ({"corner": "odd"}, "corner = 'odd': must be one of no-requests"),
    ({"seed": -1}, "seed = -1"),
    ({"speed": 3}, "speed"),
]


@pytest.mark.parametrize(("options", "text"), BAD_OPTIONS, ids=[str(row[0]) for row in BAD_OPTIONS])
def test_bad_option(options: dict[str, Any], text: str) -> None:
    with pytest.raises(EdgeoptError) as caught:
        eo.generate("batching", **options)
    assert text in str(caught.value)


def test_bad_combination_is_an_instance_error() -> None:
    with pytest.raises(InstanceError):
        eo.generate("batching", deadline=(0.1, 0.2), nodes=-3)


def test_rounded_keeps_six_digits() -> None:
    values = np.array([[0.0, 1.0, 123456789.0], [1.23456789e-300, 9.9999999e-5, 5e-324]])
    expected = np.array([[0.0, 1.0, 123457000.0], [1.23457e-300, 1e-4, 5e-324]])
    np.testing.assert_array_equal(rounded(values), expected)


def test_deadline_too_short_for_the_slots_still_makes_an_instance() -> None:
    for regime in ("paper", "all"):
        instance = eo.generate("batching", deadline=(0.1, 0.2), regime=regime, requests=5)
        assert not any(node.size for node in instance.compiled.nodes)
