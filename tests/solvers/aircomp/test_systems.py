"""Systems compared, latencies, and what errors do to a model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import edgeopt as eo
from edgeopt.errors import InstanceError
from edgeopt.instances.aircomp.network import Decoder, air_sum, output_error, parts_of
from edgeopt.solvers.aircomp.systems import compare, fdma_error
from edgeopt.system import allreduce

SETTINGS = {"devices": 4, "server_antennas": 6, "antennas": 2, "seed": 1}


def test_systems_side_by_side() -> None:
    instance = eo.generate("aircomp", memory=True, hardware="jetson-orin-nano", model="llama-2-7b", **SETTINGS)
    found = {system.name: system for system in compare(instance, designs=("sdr-trace-inverse",))}
    air, fdma, alone = found["air-sdr-trace-inverse"], found["uncoded-fdma"], found["single-device"]
    digital = found["digital-8bit"]
    assert fdma.communicate_s == pytest.approx(4 * air.communicate_s)
    assert air.communicate_s == pytest.approx(2 * 32 * 4096 / 2 / 1e7)
    assert alone.compute_s == pytest.approx(4 * air.compute_s)
    assert air.tokens_per_s > digital.tokens_per_s > 0
    assert air.fits
    assert not alone.fits  # 13 GB of weights in 8 GB
    assert alone.error == 0
    assert digital.error == pytest.approx(4 * 2 * (8 / 256) ** 2 / 12)


def test_the_error_of_bands_of_their_own_is_that_of_devices_alone() -> None:
    instance = eo.generate("aircomp", **SETTINGS)
    each = 0.0
    for n in range(4):
        columns = {name: column[n : n + 1] for name, column in instance.devices.columns().items()}
        columns["w_per_parameter"] = columns["w_per_parameter"] / 4  # alone it holds all, for the power of its part
        own = replace(instance.devices, id=("d",), **columns)
        one = replace(instance, channels=instance.channels[:, n : n + 1], shares=np.ones(1), devices=own)
        each += eo.solve(one).value * one.compiled.unit
    assert fdma_error(instance, instance.shares) == pytest.approx(each, rel=1e-5)


def test_latency_formulas() -> None:
    assert allreduce.air_sum_s(4096, 4, 1e6) == pytest.approx(1.024e-3)
    assert allreduce.fdma_sum_s(4096, 4, 1e6, 8) == pytest.approx(8.192e-3)
    assert allreduce.digital_sum_s(1000, 1e6, [1.0, 4.0]) == pytest.approx(10e-3)
    slow = allreduce.compute_token_s([1e9, 1e9], [1e12, 1e15], [1e15, 1e11])
    assert slow == pytest.approx([2e-3, 20e-3])
    assert allreduce.link_efficiency(np.eye(2, dtype=complex), 2.0, 1.0) == pytest.approx(2.0)
    with pytest.raises(ValueError, match="bandwidth_hz"):
        allreduce.air_sum_s(1, 1, 0.0)


def test_a_decoder_in_parts_is_the_decoder() -> None:
    rng = np.random.default_rng(0)
    decoder = Decoder.random(rng, layers=2, hidden=16, heads=4, ffn=24)
    tokens = rng.standard_normal((5, 16))
    whole = decoder.run(tokens, np.ones(1))
    for shares in (np.full(4, 0.25), np.array([0.0, 0.7, 0.3])):
        assert decoder.run(tokens, shares) == pytest.approx(whole)
    assert sum(part.stop - part.start for part in parts_of(10, np.array([0.21, 0.29, 0.5]))) == 10
    first = decoder.run(tokens[:3], np.ones(1))
    assert whole[:3] == pytest.approx(first)  # causal
    with pytest.raises(InstanceError, match="heads = 3: must divide hidden = 16"):
        Decoder.random(rng, layers=1, hidden=16, heads=3, ffn=8)


def test_output_error_grows_with_the_root_of_the_error_on_the_air() -> None:
    rng = np.random.default_rng(1)
    decoder = Decoder.random(rng, layers=3, hidden=32, heads=4, ffn=64)
    tokens = rng.standard_normal((6, 32))
    errors, outputs = [], []
    for snr in (30.0, 50.0, 70.0):
        instance = eo.generate("aircomp", snr_db=snr, **SETTINGS)
        result = eo.solve(instance, "sdr-trace-inverse", starts=1)
        exact = decoder.run(tokens, instance.shares)
        noisy = [
            output_error(exact, decoder.run(tokens, instance.shares, air_sum(instance, result.solution, rng)))
            for _ in range(4)
        ]
        errors.append(result.value * instance.compiled.unit)
        outputs.append(float(np.mean(noisy)))
    slopes = np.diff(np.log(outputs)) / np.diff(np.log(errors))
    assert slopes == pytest.approx(np.full(2, 0.5), abs=0.1)
