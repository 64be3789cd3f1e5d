"""Latency of tensor-parallel inference: what a token takes to compute in parts, and to sum over a wireless band.

A layer of a decoder has two sums over the devices (after attention and after the feed-forward network), each of a
vector of ``L0`` numbers. Float functions in SI units, which broadcast over arrays.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgeopt.system._arrays import Array, positive

SUMS_PER_LAYER = 2
FLOP_PER_PARAMETER = 2
"""A multiplication and an addition for each parameter and token."""
PUBLISHED_MS: dict[str, tuple[float | None, ...]] = {
    "llama-2-7b": (114.2, 69.7, 45.7, 37.8),
    "llama-2-13b": (217.3, 128.5, 81.3, 66.4),
    "llama-2-70b": (None, 660.9, 423.0, 354.2),
    "llama-3-70b": (None, 746.8, 477.1, 406.0),
}
"""Time a token (ms) with 1, 2, 4 and 8 devices, as published for over-the-air sums; None where memory is short."""
PUBLISHED_DEVICES = (1, 2, 4, 8)


def air_sum_s(vector_length: int, streams: int, bandwidth_hz: ArrayLike) -> Array:
    """Time of a sum over the air (s): ``L0 / L`` uses of the band, whatever the number of devices."""
    return vector_length / streams / positive("bandwidth_hz", bandwidth_hz, "Hz")


def fdma_sum_s(vector_length: int, streams: int, bandwidth_hz: ArrayLike, devices: int) -> Array:
    """Time of a sum (s) when each device sends its numbers uncoded in a band of its own, ``1/N`` of the whole."""
    return devices * air_sum_s(vector_length, streams, bandwidth_hz)


def digital_sum_s(
    vector_length: int, bandwidth_hz: ArrayLike, efficiency_bit_per_s_hz: ArrayLike, bits: int = 8
) -> float:
    """Time of a sum (s) when each device sends its numbers as bits: ``sum_n q L0 / (B eta_n)``.

    With orthogonal bands (OFDMA) that end together, the time is that of sending one after the other in all of the band.

    Parameters
    ----------
    vector_length : int
        ``L0``.
    bandwidth_hz : float
    efficiency_bit_per_s_hz : (N,) array_like
        ``eta_n``, spectral efficiency of each device in all of the band.
    bits : int
        ``q`` a number.
    """
    rate = positive("bandwidth_hz", bandwidth_hz, "Hz") * positive(
        "efficiency_bit_per_s_hz", efficiency_bit_per_s_hz, "bit/s/Hz"
    )
    return float(np.sum(bits * vector_length / rate))


def quantization_error(devices: int, streams: int, bits: int = 8, loading: float = 4.0) -> float:
    """Squared error of ``L`` sums of numbers of variance 1, quantized evenly within ``-+loading``."""
    step = 2.0 * loading / (1 << bits)
    return devices * streams * step**2 / 12.0


def compute_token_s(
    parameters: ArrayLike,
    compute_flops: ArrayLike,
    memory_bandwidth_bytes: ArrayLike,
    bytes_per_parameter: float = 2.0,
) -> Array:
    """Time (s) in which devices work through parameters for one token: the slower of computing and reading them.

    Parameters
    ----------
    parameters : array_like
        Parameters on each device.
    compute_flops, memory_bandwidth_bytes : array_like
        FLOP/s and byte/s, > 0.
    bytes_per_parameter : float
    """
    count = np.asarray(parameters, dtype=np.float64)
    computing = FLOP_PER_PARAMETER * count / positive("compute_flops", compute_flops, "FLOP/s")
    reading = bytes_per_parameter * count / positive("memory_bandwidth_bytes", memory_bandwidth_bytes, "byte/s")
    return np.maximum(computing, reading)


def link_efficiency(channel: NDArray[np.complex128], power_w: float, noise_w: float) -> float:
    """Spectral efficiency (bit/s/Hz) of a link between arrays, ``log2 det(I + p/(Nt sigma^2) H H^H)``.

    Parameters
    ----------
    channel : (Nr, Nt) complex128
    power_w : float
        Power ``p`` of one use of the band, spread evenly over the antennas (W).
    noise_w : float
        ``sigma^2`` at each antenna of the receiver (W).
    """
    sizes = np.linalg.svd(channel, compute_uv=False)
    return float(np.log1p(power_w / (channel.shape[1] * noise_w) * sizes**2).sum() / math.log(2.0))
