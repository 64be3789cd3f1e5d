"""The radio channel: decibels, noise, fading, spectral efficiency, bandwidth shares.

Gains are **power** gains (no unit): received over sent power, the ``h**2`` of eqs. (1)-(2). All
functions here are floating-point and broadcast over arrays. They draw and describe channels; the
exact directed rounding of a share lives in the compile step, on `edgeopt.system.exact`.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from edgeopt.system._arrays import Array, positive

BOLTZMANN_J_PER_K = 1.380649e-23
REFERENCE_TEMPERATURE_K = 290.0
THERMAL_NOISE_DBM_PER_HZ = -174.0
"""The customary rounding of k T0 at 290 K (-173.975 dBm/Hz), and the paper's N0 (Section V-A)."""
BITS_PER_TOKEN = 16
"""A token is a 2-byte index on the air (Section V-A)."""


def db_to_linear(value_db: ArrayLike) -> Array:
    """Convert decibels to a power ratio (no unit)."""
    return np.power(10.0, np.asarray(value_db, dtype=np.float64) / 10.0)


def linear_to_db(ratio: ArrayLike) -> Array:
    """Convert a power ratio (no unit, > 0) to decibels.

    Raises
    ------
    ValueError
        If a ratio is not finite and positive.
    """
    return 10.0 * np.log10(positive("ratio", ratio, "no unit"))


def dbm_to_watt(power_dbm: ArrayLike) -> Array:
    """Convert dBm to watt; a density in dBm/Hz becomes W/Hz."""
    return db_to_linear(power_dbm) * 1e-3


def watt_to_dbm(power_w: ArrayLike) -> Array:
    """Convert watt (> 0) to dBm.

    Raises
    ------
    ValueError
        If a power is not finite and positive.
    """
    return linear_to_db(positive("power_w", power_w, "W") / 1e-3)


def thermal_noise_density(temperature_k: ArrayLike = REFERENCE_TEMPERATURE_K) -> Array:
    """Return the density ``k T`` of thermal noise (W/Hz) at a temperature (K).

    Raises
    ------
    ValueError
        If a temperature is not finite and positive.
    """
    return BOLTZMANN_J_PER_K * positive("temperature_k", temperature_k, "K")


def noise_power(bandwidth_hz: ArrayLike, density_w_per_hz: ArrayLike, noise_figure_db: float = 0.0) -> Array:
    """Return the noise power ``N0 B`` (W) in a band.

    Parameters
    ----------
    bandwidth_hz, density_w_per_hz : array_like
        Band (Hz) and one-sided noise density (W/Hz), both > 0.
    noise_figure_db : float
        Noise added by the receiver (dB).

    Raises
    ------
    ValueError
        If a band or density is not finite and positive.
    """
    density = positive("density_w_per_hz", density_w_per_hz, "W/Hz")
    return positive("bandwidth_hz", bandwidth_hz, "Hz") * density * db_to_linear(noise_figure_db)


def rayleigh_gain(rng: np.random.Generator, size: int | tuple[int, ...], mean_gain: ArrayLike = 1.0) -> Array:
    """Draw Rayleigh-fading power gains: exponential, with ``E[h**2] = mean_gain``.

    The paper's "average path loss 1e-3" is this mean of the power gain.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    size : int or tuple of int
        Shape of the draw.
    mean_gain : array_like
        Mean power gain, > 0, broadcast to `size`.

    Raises
    ------
    ValueError
        If a mean is not finite and positive.
    """
    return positive("mean_gain", mean_gain, "no unit") * rng.exponential(1.0, size)


def rician_gain(
    rng: np.random.Generator, size: int | tuple[int, ...], k_factor: float, mean_gain: ArrayLike = 1.0
) -> Array:
    """Draw Rician-fading power gains with ``E[h**2] = mean_gain``.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    size : int or tuple of int
        Shape of the draw.
    k_factor : float
        Power of the direct path over that of the scattered ones (linear), >= 0; 0 is Rayleigh.
    mean_gain : array_like
        Mean power gain, > 0, broadcast to `size`.

    Raises
    ------
    ValueError
        If `k_factor` is negative or not finite, or a mean is not finite and positive.
    """
    if not (math.isfinite(k_factor) and k_factor >= 0.0):
        raise ValueError(f"k_factor = {k_factor!r} (linear, no unit) must be finite and >= 0")
    spread = math.sqrt(0.5 / (k_factor + 1.0))
    in_phase = math.sqrt(k_factor / (k_factor + 1.0)) + spread * rng.standard_normal(size)
    quadrature = spread * rng.standard_normal(size)
    return positive("mean_gain", mean_gain, "no unit") * (in_phase**2 + quadrature**2)


def spectral_efficiency(
    power_w: ArrayLike, gain: ArrayLike, noise_density_w_per_hz: ArrayLike, bandwidth_hz: ArrayLike
) -> Array:
    """Return ``log2(1 + p g / (N0 B))`` (bit/s/Hz), the logarithm of eqs. (1)-(2).

    The paper prints ``p h**2 / N0``; since its N0 is a density, the noise power is ``N0 B``.

    Parameters
    ----------
    power_w, gain, noise_density_w_per_hz, bandwidth_hz : array_like
        Sent power (W), power gain (no unit), noise density (W/Hz) and band (Hz), all > 0;
        shapes broadcast.

    Raises
    ------
    ValueError
        If an argument is not finite and positive.
    """
    received = positive("power_w", power_w, "W") * positive("gain", gain, "no unit")
    # log1p keeps weak channels accurate, where 1 + SNR would round the SNR away.
    return np.log1p(received / noise_power(bandwidth_hz, noise_density_w_per_hz)) / math.log(2.0)


def minimum_share(
    tokens: ArrayLike,
    slot_s: ArrayLike,
    bandwidth_hz: ArrayLike,
    efficiency_bit_per_s_hz: ArrayLike,
    bits_per_token: int = BITS_PER_TOKEN,
) -> Array:
    """Return the least share of a band that carries `tokens` within a slot, eqs. (1) and (2).

    Equation (1) is the prompt in the uplink slot, eq. (2) the output in the downlink slot. A share
    above 1 means that the whole band is not enough.

    Parameters
    ----------
    tokens : array_like
        Tokens to carry, > 0.
    slot_s, bandwidth_hz, efficiency_bit_per_s_hz : array_like
        Slot (s), band (Hz) and spectral efficiency (bit/s/Hz), all > 0; shapes broadcast.
    bits_per_token : int
        Size of a token on the air (bit).

    Raises
    ------
    ValueError
        If an argument is not finite and positive.
    """
    bits = positive("tokens", tokens, "token") * positive("bits_per_token", bits_per_token, "bit")
    rate = positive("bandwidth_hz", bandwidth_hz, "Hz") * positive(
        "efficiency_bit_per_s_hz", efficiency_bit_per_s_hz, "bit/s/Hz"
    )
    return bits / (positive("slot_s", slot_s, "s") * rate)
