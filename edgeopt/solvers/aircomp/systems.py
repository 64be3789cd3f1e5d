"""Systems side by side: sums over the air, digital, uncoded in bands of their own, and one device alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeopt.instances.aircomp import AirCompInstance
from edgeopt.instances.aircomp.instance import FloatArray
from edgeopt.solvers.aircomp.relaxed import powers_left
from edgeopt.solvers.base import solve
from edgeopt.system import allreduce

BITS = 8


@dataclass(frozen=True, slots=True)
class System:
    """One way to run the model.

    Attributes
    ----------
    name : str
    error : float
        Mean squared error of ``L`` sums of numbers of variance 1.
    compute_s, communicate_s : float
        Of one token.
    fits : bool
        Whether every device has memory for its part.
    """

    name: str
    error: float
    compute_s: float
    communicate_s: float
    fits: bool

    @property
    def token_s(self) -> float:
        """Time of one token (s)."""
        return self.compute_s + self.communicate_s

    @property
    def tokens_per_s(self) -> float:
        """Tokens a second of one sequence."""
        return 1.0 / self.token_s


def compare(instance: AirCompInstance, *, designs: tuple[str, ...] = ("joint",), bits: int = BITS) -> list[System]:
    """The systems on an instance with given shares, errors and rates averaged over its draws.

    Parameters
    ----------
    instance : AirCompInstance
        With given shares.
    designs : tuple of str
        Solvers of the AirComp problem, each a system ``air-<solver>``.
    bits : int
        A number of the digital system.
    """
    assert instance.shares is not None
    shares = np.asarray(instance.shares)
    compute, fits = compute_s(instance, shares), holds(instance, shares)
    sums = instance.layers * allreduce.SUMS_PER_LAYER
    length, streams, band = instance.vector_length, instance.streams, instance.bandwidth_hz
    count = len(instance.devices)
    found = []
    for name in designs:
        result = solve(instance, name)
        error = float("nan") if result.value is None else result.value * instance.compiled.unit
        air = float(allreduce.air_sum_s(length, streams, band))
        found.append(System(f"air-{name}", error, compute, sums * air, fits))
    quantized = allreduce.quantization_error(count, streams, bits)
    found.append(System(f"digital-{bits}bit", quantized, compute, sums * digital_s(instance, shares, bits), fits))
    fdma = float(allreduce.fdma_sum_s(length, streams, band, count))
    found.append(System("uncoded-fdma", fdma_error(instance, shares), compute, sums * fdma, fits))
    alone = [np.eye(count)[n] for n in range(count)]
    best = min(range(count), key=lambda n: (not holds(instance, alone[n]), compute_s(instance, alone[n])))
    found.append(System("single-device", 0.0, compute_s(instance, alone[best]), 0.0, holds(instance, alone[best])))
    return found


def compute_s(instance: AirCompInstance, shares: FloatArray) -> float:
    """Time of the slowest device for one token of the whole model (s)."""
    parameters = shares * instance.layer_parameters
    each = allreduce.compute_token_s(
        parameters,
        instance.devices.compute_flops,
        instance.devices.memory_bandwidth_bytes,
        instance.bytes_per_parameter,
    )
    return instance.layers * float(each.max())


def holds(instance: AirCompInstance, shares: FloatArray) -> bool:
    """Whether every device has memory for its part of the layers."""
    weights = shares * instance.layer_parameters * instance.layers * instance.bytes_per_parameter
    return bool((weights <= instance.devices.memory_bytes).all())


def digital_s(instance: AirCompInstance, shares: FloatArray, bits: int = BITS) -> float:
    """Time of one digital sum (s), mean over the draws, at the power that computing leaves."""
    left = powers_left(instance, shares) * instance.streams / instance.vector_length
    times = []
    for draw in instance.channels:
        rates = [
            allreduce.link_efficiency(channel, float(p), instance.noise_w)
            for channel, p in zip(draw, left, strict=True)
        ]
        times.append(allreduce.digital_sum_s(instance.vector_length, instance.bandwidth_hz, rates, bits))
    return float(np.mean(times))


def fdma_error(instance: AirCompInstance, shares: FloatArray) -> float:
    """Squared error of uncoded numbers in bands of their own: each device alone, by its best zero-forcing design.

    For one device with as many streams as antennas that is ``sigma^2 kappa (sum_i 1/s_i)^2 / u`` of its singular values
    (Cauchy-Schwarz over the strengths of the directions).
    """
    left = powers_left(instance, shares) * instance.streams / instance.vector_length
    sizes = np.linalg.svd(instance.channels, compute_uv=False)[..., : instance.streams]
    each = instance.noise_w * (1.0 / sizes).sum(axis=-1) ** 2 / left
    return float(each.sum(axis=1).mean())
