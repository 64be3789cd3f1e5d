"""Offloading instances from a seed: the published setting, other loads, real sites and measured rates.

Draws come from numpy's PCG64, whose stream is the same on every machine; every field is rounded to six significant
digits, so that the last bit of a machine's logarithm does not reach the file.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.offloading.instance import DISCIPLINES, Discipline, FloatArray, OffloadingInstance
from edgeopt.instances.offloading.real import nearest_sites, throughput_trace

SLOT_S = 0.1
CYCLES_PER_BIT = 297.0
"""``rho``: 0.297 Gcycle/Mbit."""
MOST_DRAWS = 10**8
"""Arrivals and rates that are drawn at most: more do not fit in memory."""
SNR = 10.0
"""Mean signal-to-noise ratio behind the fading rates."""
Channel = Literal["constant", "fading"]


def generate(
    *,
    seed: int = 0,
    devices: int = 6,
    servers: int = 6,
    slots: int = 100,
    arrival_probability: float = 0.3,
    size_bit: tuple[float, float] = (2e6, 5e6),
    cycles_per_bit: float = CYCLES_PER_BIT,
    device_hz: float = 2.5e9,
    server_hz: tuple[float, float] = (20e9, 48e9),
    load: float | None = None,
    uplink_bit_per_s: float = 14e6,
    channel: Channel = "constant",
    coherence_slots: int = 10,
    deadline_slots: float = 10.0,
    drop_penalty_slots: float = 10.0,
    discipline: Discipline = "fifo",
    tick_s: float = 1e-3,
    sites: str | None = None,
    users: str | None = None,
    throughput: str | None = None,
    name: str | None = None,
) -> OffloadingInstance:
    """Make an offloading instance; with the defaults, the published setting.

    Parameters
    ----------
    seed : int
        Seed of everything random.
    devices, servers : int
        How many.
    slots : int
        Length of the horizon in slots of 0.1 s; tasks come at the beginning of slots.
    arrival_probability : float
        Of a task at a device in a slot.
    size_bit : (float, float)
        Least and largest size of a task (bit), uniform between.
    cycles_per_bit : float
        Cycles that a bit of a task takes.
    device_hz : float
        Speed of a device (cycle/s).
    server_hz : (float, float)
        Least and largest speed of a server (cycle/s), uniform between.
    load : float, optional
        Mean work that arrives over what all servers together compute; their speeds are scaled to it. The published
        setting has about 0.09.
    uplink_bit_per_s : float
        Rate of a device's radio (bit/s), or its mean.
    channel : {"constant", "fading"}
        One rate for all and ever, or Rayleigh fading of each pair of a device and a server.
    coherence_slots : int
        How long a fading rate holds (slots).
    deadline_slots, drop_penalty_slots : float
        After how many slots a task is dropped, and what that costs beyond (slots).
    discipline : {"fifo", "ps"}
        Of the servers: first come, first served, or processor sharing.
    tick_s : float
        Unit of time of the compiled problem (s).
    sites, users : str, optional
        CSV files of base stations and user positions (LATITUDE, LONGITUDE): devices are users drawn among them, servers
        are the sites nearest to the first one, rates fall with the distance.
    throughput : str, optional
        File with a measured rate a line, "time Mbit/s": the rates of the devices begin at random places of it.
    name : str, optional

    Raises
    ------
    InstanceError
        If an option is out of range, or a file is not what it should be.
    """
    _require(seed >= 0, f"seed = {seed}: must be 0 or more")
    _require(1 <= devices <= 10**5, f"devices = {devices}: must be from 1 to 100000")
    _require(0 <= servers <= 10**4, f"servers = {servers}: must be from 0 to 10000")
    _require(1 <= slots <= 10**7, f"slots = {slots}: must be from 1 to 1e7")
    _require(0 < arrival_probability <= 1, f"arrival_probability = {arrival_probability}: must be in (0, 1]")
    sizes = f"slots = {slots}, devices = {devices}, servers = {servers}"
    most = slots * devices * max(1, arrival_probability * servers)
    _require(most <= MOST_DRAWS, f"{sizes}: about {most:.2g} times of tasks at places: must be at most {MOST_DRAWS:,}")
    for option, pair, unit in (("size_bit", size_bit, "bit"), ("server_hz", server_hz, "cycle/s")):
        _require(0 < pair[0] <= pair[1] < math.inf, f"{option} = {pair} ({unit}): must be 0 < least <= largest")
    for option, value, unit in (
        ("cycles_per_bit", cycles_per_bit, "cycle/bit"),
        ("uplink_bit_per_s", uplink_bit_per_s, "bit/s"),
        ("deadline_slots", deadline_slots, "slots"),
    ):
        _require(0 < value < math.inf, f"{option} = {value} ({unit}): must be a number > 0")
    _require(0 <= device_hz < math.inf, f"device_hz = {device_hz} (cycle/s): must be a number >= 0")
    _require(0 <= drop_penalty_slots <= 1e9, f"drop_penalty_slots = {drop_penalty_slots}: must be from 0 to 1e9")
    _require(load is None or 0 < load < 1e6, f"load = {load}: must be a number > 0")
    _require(channel in ("constant", "fading"), f"channel = {channel!r}: must be constant or fading")
    _require(coherence_slots >= 1, f"coherence_slots = {coherence_slots} (slots): must be 1 or more")
    rates = devices * servers * (-(-slots // coherence_slots) if channel == "fading" else slots if throughput else 1)
    _require(rates <= MOST_DRAWS, f"{sizes}: {rates:.2g} rates of the channel: must be at most {MOST_DRAWS:,}")
    _require(discipline in DISCIPLINES, f"discipline = {discipline!r}: must be one of {', '.join(DISCIPLINES)}")
    _require((sites is None) == (users is None), "sites and users: give both files or none")
    _require(throughput is None or channel == "constant", "throughput: measured rates do not fade; leave channel out")
    rng = np.random.default_rng(seed)
    speed = rng.uniform(*server_hz, servers)
    comes = rng.random((slots, devices)) < arrival_probability
    if not comes.any():
        comes[0, rng.integers(devices)] = True
    slot, device = np.nonzero(comes)
    times: FloatArray = slot.astype(np.float64) * SLOT_S
    bits = rng.uniform(*size_bit, len(slot))
    if load is not None and servers:
        offered = devices * arrival_probability / SLOT_S * sum(size_bit) / 2 * cycles_per_bit
        speed *= offered / (load * speed.sum())
    start: FloatArray = np.zeros(1)
    rate: FloatArray = np.full((1, devices, servers), uplink_bit_per_s)
    if sites is not None and users is not None:
        rate = rate * nearest_sites(sites, users, devices, servers, rng)
    if channel == "fading":
        start = np.arange(0, slots, coherence_slots, dtype=np.float64) * SLOT_S
        gain = rng.exponential(size=(len(start), devices, servers))
        rate = rate * np.log2(1 + SNR * gain) / _mean_efficiency()
    if throughput is not None:
        measured = throughput_trace(throughput)
        start, factor = _windows(measured, slots * SLOT_S, devices, rng)
        rate = rate / uplink_bit_per_s * factor[:, :, None]
    kind = "-".join(filter(None, [discipline, channel if channel != "constant" else "", "sites" if sites else ""]))
    return OffloadingInstance.of(
        name or f"{kind}-{devices}x{servers}-{slots}slots-seed{seed}",
        task_device=device,
        arrival_s=_rounded(times),
        bits=_rounded(bits),
        cycles=_rounded(bits * cycles_per_bit),
        deadline_s=float(f"{deadline_slots * SLOT_S:.6g}"),
        device_hz=np.full(devices, device_hz),
        server_hz=_rounded(speed),
        server_id=[f"s{j + 1}" for j in range(servers)],
        channel_start_s=_rounded(start),
        rate_bit_per_s=_rounded(rate),
        discipline=discipline,
        slot_s=SLOT_S,
        tick_s=tick_s,
        drop_penalty_s=float(f"{drop_penalty_slots * SLOT_S:.6g}"),
        source=f"edgeopt generate offloading, seed {seed}",
    )


def _require(good: bool, text: str) -> None:
    if not good:
        raise InstanceError(f"generate offloading: {text}")


def _rounded(values: FloatArray) -> FloatArray:
    """Six significant digits, so that files are short and the same on every machine."""
    flat = [float(f"{value:.6g}") for value in np.asarray(values, dtype=np.float64).ravel().tolist()]
    return np.array(flat, dtype=np.float64).reshape(np.shape(values))


def _mean_efficiency() -> float:
    """``E log2(1 + SNR g)`` for exponential ``g``, by the midpoints of 10000 quantiles."""
    gain = -np.log1p(-(np.arange(10_000) + 0.5) / 10_000)
    return float(np.log2(1 + SNR * gain).mean())


class Windows(NamedTuple):
    """Rates (S, K) in bit/s and when each begins to hold (s)."""

    start_s: FloatArray
    rate: FloatArray


def _windows(
    measured: tuple[FloatArray, FloatArray], length_s: float, devices: int, rng: np.random.Generator
) -> Windows:
    """A window of the measured rates for each device, all on one grid of a slot; the trace begins again at its end."""
    time, rate = measured
    period = float(time[-1] + (time[-1] - time[0]) / max(1, len(time) - 1)) if len(time) > 1 else 1.0
    grid = np.arange(0, length_s, SLOT_S)
    offset = rng.uniform(0, period, devices)
    place = np.searchsorted(time, (grid[:, None] + offset[None, :]) % period, side="right") - 1
    return Windows(grid, rate[np.maximum(place, 0)])
