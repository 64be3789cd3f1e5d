"""AirComp instances from a seed: devices around a server with many antennas, Rician block fading, and corners.

Draws come from numpy's PCG64, whose stream is the same on every machine; channels are rounded to six digits, so that
libraries that differ in the last place give the same file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.aircomp.instance import (
    MOST_ANTENNAS,
    AirCompInstance,
    ComplexArray,
    DesignClass,
    Devices,
    FloatArray,
    shape_of,
)
from edgeopt.system.hardware import lookup
from edgeopt.system.mimo import rician_channel
from edgeopt.system.path_loss import log_distance_gain
from edgeopt.system.radio import dbm_to_watt, noise_power

REFERENCE_GAIN, EXPONENT, REFERENCE_M = 1e-3, 2.2, 1.0
"""Power gain at 1 m and its fall with the distance, for rooms."""
NOISE_DBM_PER_HZ = -174.0
NOISE_FIGURE_DB = 9.0
MOST_DEVICES, MOST_DRAWS = 64, 10**5
COMPUTE_PART = 0.5
"""With equal shares computing takes so much of a device's budget, on the mean."""

Fading = Literal["rician", "rayleigh"]
Sharing = Literal["equal", "power", "open"]


def generate(
    *,
    seed: int = 0,
    devices: int = 4,
    server_antennas: int = 20,
    antennas: int = 4,
    streams: int | None = None,
    draws: int = 1,
    fading: Fading = "rician",
    k_factor: float = 5.0,
    gain_spread_db: float = 0.0,
    radius_m: float | None = None,
    model: str = "llama-2-7b",
    tokens: int = 1,
    hardware: str = "jetson-agx-orin",
    power_w: float = 1.0,
    power_spread: float = 0.0,
    compute_part: float = COMPUTE_PART,
    bandwidth_hz: float = 1e7,
    snr_db: float | None = 20.0,
    bytes_per_parameter: float = 2.0,
    shares: Sharing = "equal",
    design: DesignClass = "zero-forcing",
    memory: bool = False,
    corner: str | None = None,
    name: str | None = None,
) -> AirCompInstance:
    """Make an AirComp instance.

    Parameters
    ----------
    seed : int
        Seed of everything random.
    devices, server_antennas, antennas : int
        ``N``, ``Nr`` and ``Nt``; the paper's setting is 1 to 8 devices, 20 and 4.
    streams : int, optional
        ``L``, as many as a device has antennas when not given.
    draws : int
        Channel draws; positions are drawn once, fading anew.
    fading : {"rician", "rayleigh"}
        Of the paper, or without a direct path.
    k_factor : float
        Power of the direct path over that of the scattered ones (linear).
    gain_spread_db : float
        The devices' mean gains are drawn evenly in dB from a range of this width, around 1 (0 dB); not used with
        `radius_m`.
    radius_m : float, optional
        Place the devices evenly in a disc of this radius (m) and take the path loss, instead of gains around 1.
    model : str
        A model of the catalogue; its hidden dimension times `tokens` is the length of the vectors summed.
    tokens : int
        Tokens summed at a time: 1 when decoding.
    hardware : str
        A device of the hardware table, for memory and latencies.
    power_w : float
        Budget ``P_n`` of a device (W), on the mean.
    power_spread : float
        Budgets are drawn evenly from 1 -+ this part of `power_w`, 0 to below 1.
    compute_part : float
        What computing an equal share takes of `power_w`, on the mean; 0 to below 1. The price of a parameter varies
        between devices by a factor of up to 4.
    bandwidth_hz : float
        Band (Hz).
    snr_db : float, optional
        Power sent in one use of the band, ``P L / L0``, at gain 1 over the noise (dB). None for thermal noise with a
        noise figure of 9 dB in the band, for use with `radius_m`.
    bytes_per_parameter : float
        Size of a weight (byte).
    shares : {"equal", "power", "open"}
        Given shares, equal or proportional to the budgets, or left to choose.
    design : {"zero-forcing", "linear"}
        Which transceivers are allowed.
    memory : bool
        Whether the devices' memory limits the shares.
    corner : str, optional
        One of `CORNERS`: an adversarial change of the drawn instance.
    name : str, optional

    Raises
    ------
    InstanceError
        If an option is out of range.
    UnknownNameError
        If there is no such model or hardware.
    """
    _check_options(locals())
    rng = np.random.default_rng(seed)
    shape = shape_of(model, tokens)
    length = streams or antennas
    budget = _rounded(power_w * rng.uniform(1 - power_spread, 1 + power_spread, devices))
    price = rng.uniform(0.4, 1.6, devices) * compute_part * power_w * devices / shape["layer_parameters"]
    distance = np.sqrt(rng.uniform(0.0, 1.0, devices)) * (radius_m or 0.0)
    angle = rng.uniform(-np.pi, np.pi, devices)
    spread = 10 ** (rng.uniform(-gain_spread_db / 2, gain_spread_db / 2, devices) / 10)
    if radius_m is None:
        gain = spread
    else:
        gain = log_distance_gain(np.maximum(distance, REFERENCE_M), EXPONENT, REFERENCE_GAIN)
    if snr_db is None:
        noise = float(noise_power(bandwidth_hz, dbm_to_watt(NOISE_DBM_PER_HZ), NOISE_FIGURE_DB))
    else:
        noise = power_w * length / shape["vector_length"] * 10 ** (-snr_db / 10)
    factor = 0.0 if fading == "rayleigh" else k_factor
    channels = np.stack(
        [rician_channel(rng, devices, server_antennas, antennas, factor, gain, arrival_rad=angle) for _ in range(draws)]
    )
    device = lookup(hardware)
    drawn = AirCompInstance(
        name=name or f"{'-'.join(filter(None, [design, corner]))}-{devices}x{server_antennas}x{antennas}-seed{seed}",
        channels=_rounded_complex(channels),
        noise_w=float(f"{noise:.5e}"),
        devices=Devices.of(
            power_w=budget,
            w_per_parameter=_rounded(price),
            memory_bytes=device.memory_bytes if memory else np.inf,
            compute_flops=device.compute_flop_per_s,
            memory_bandwidth_bytes=device.memory_bandwidth_byte_per_s,
            x_m=_rounded(distance * np.cos(angle)),
            y_m=_rounded(distance * np.sin(angle)),
        ),
        streams=length,
        shares=None,
        design=design,
        bytes_per_parameter=bytes_per_parameter,
        bandwidth_hz=bandwidth_hz,
        source=f"edgeopt generate aircomp, seed {seed}",
        **shape,
    )
    if corner is not None:
        drawn = CORNERS[corner](drawn)
    return drawn if shares == "open" else with_split(drawn, shares)


def with_split(instance: AirCompInstance, sharing: Literal["equal", "power"]) -> AirCompInstance:
    """The instance with equal shares, or shares proportional to the budgets.

    Raises
    ------
    InstanceError
        If a device cannot hold its share.
    """
    return instance.with_shares(split(instance, sharing))


def split(instance: AirCompInstance, sharing: Literal["equal", "power"]) -> FloatArray:
    """Equal shares, or shares proportional to the budgets (N,)."""
    count = len(instance.devices)
    if sharing == "equal":
        return np.full(count, 1.0 / count)
    parts: FloatArray = instance.devices.power_w / instance.devices.power_w.sum()
    return parts


def _rounded(values: FloatArray) -> FloatArray:
    """Six significant digits, so that files are short and the same on every machine."""
    return np.array([float(f"{value:.5e}") for value in values.tolist()], dtype=np.float64)


def _rounded_complex(values: ComplexArray) -> ComplexArray:
    flat = values.ravel()
    return (_rounded(flat.real) + 1j * _rounded(flat.imag)).reshape(values.shape)


def _ties(instance: AirCompInstance) -> AirCompInstance:
    """All devices alike, channels too."""
    columns: dict[str, Any] = {
        name: np.full_like(column, column[0]) for name, column in instance.devices.columns().items()
    }
    channels = np.repeat(instance.channels[:, :1], len(instance.devices), axis=1)
    return replace(instance, channels=channels, devices=replace(instance.devices, **columns))


def _far_device(instance: AirCompInstance) -> AirCompInstance:
    """The first device is 60 dB weaker than the others."""
    channels = instance.channels.copy()
    channels[:, 0] = _rounded_complex(channels[:, 0] * 1e-3)
    return replace(instance, channels=channels)


def _tight_budget(instance: AirCompInstance) -> AirCompInstance:
    """Of the first device's budget, an equal share leaves one part in a thousand for sending."""
    price = instance.devices.w_per_parameter.copy()
    count = len(instance.devices)
    price[0] = 0.999 * count * float(instance.devices.power_w[0]) / instance.layer_parameters
    return replace(instance, devices=replace(instance.devices, w_per_parameter=_rounded(price)))


def _aligned(instance: AirCompInstance) -> AirCompInstance:
    """Channels of all devices nearly the same, which one receiver fits all."""
    first = instance.channels[:, :1]
    mixed = first + 1e-4 * (instance.channels - first)
    return replace(instance, channels=_rounded_complex(mixed))


def _tiny_units(instance: AirCompInstance) -> AirCompInstance:
    """Channels of -100 dB and noise to match."""
    return replace(instance, channels=_rounded_complex(instance.channels * 1e-5), noise_w=instance.noise_w * 1e-10)


def _free_computing(instance: AirCompInstance) -> AirCompInstance:
    """Computing takes nothing, so that shares do not matter."""
    devices = replace(instance.devices, w_per_parameter=np.zeros(len(instance.devices)))
    return replace(instance, devices=devices)


CORNERS: dict[str, Callable[[AirCompInstance], AirCompInstance]] = {
    "ties": _ties,
    "far-device": _far_device,
    "tight-budget": _tight_budget,
    "aligned": _aligned,
    "tiny-units": _tiny_units,
    "free-computing": _free_computing,
}
"""Adversarial changes, by name."""


def _require(good: bool, text: str) -> None:
    if not good:
        raise InstanceError(f"generate aircomp: {text}")


def _check_options(given: dict[str, object]) -> None:
    def within(field: str, least: float, most: float, unit: str = "") -> None:
        value = given[field]
        good = isinstance(value, int | float) and least <= value <= most
        _require(good, f"{field} = {value}{unit and f' ({unit})'}: must be from {least:g} to {most:g}")

    _require(isinstance(given["seed"], int) and given["seed"] >= 0, f"seed = {given['seed']}: must be 0 or more")
    within("devices", 1, MOST_DEVICES)
    within("server_antennas", 1, MOST_ANTENNAS)
    within("antennas", 1, MOST_ANTENNAS)
    within("draws", 1, MOST_DRAWS)
    within("tokens", 1, 10**6)
    within("k_factor", 0, 1e6)
    within("gain_spread_db", 0, 200, "dB")
    within("power_w", 1e-9, 1e9, "W")
    within("power_spread", 0, 0.999)
    within("compute_part", 0, 0.6)
    within("bandwidth_hz", 1, 1e12, "Hz")
    if given["radius_m"] is not None:
        within("radius_m", 1, 1e6, "m")
    if given["snr_db"] is not None:
        within("snr_db", -200, 200, "dB")
    for field, choices in (
        ("fading", ("rician", "rayleigh")),
        ("shares", ("equal", "power", "open")),
        ("design", ("zero-forcing", "linear")),
        ("corner", (None, *CORNERS)),
    ):
        _require(given[field] in choices, f"{field} = {given[field]!r}: must be one of {', '.join(map(str, choices))}")
