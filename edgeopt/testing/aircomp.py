"""Hypothesis strategies for the AirComp problem: small instances with all their corners, and plans of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from edgeopt.instances.aircomp import AirCompInstance, Design, Devices, Plan
from edgeopt.instances.aircomp.validate import share_limit

_UNITS = (1.0, 1.0, 1.0, 1e-6, 1e4)
"""Amplitude of the channels."""
_SNRS_DB = (20.0, 20.0, 0.0, 60.0, -30.0)
_SPREADS_DB = (0.0, 0.0, 20.0, 80.0)
_PARTS = (0.0, 0.3, 0.9, 0.999)
"""What computing an equal share takes of the first device's budget."""


@st.composite
def aircomp_instances(
    draw: DrawFn,
    *,
    max_devices: int = 4,
    max_server: int = 6,
    max_antennas: int = 3,
    max_draws: int = 2,
    shares: str | None = None,
    design: str | None = None,
    full: bool = False,
) -> AirCompInstance:
    """Instances with all their corners.

    Among them: one device, one antenna, as many antennas at the server as at a device, fewer streams than antennas,
    equal devices and channels, gains 80 dB apart, budgets that computing nearly uses up, devices that hold nothing,
    memory that binds, nearly dependent columns, and units from microvolts to kilowatts.

    Parameters
    ----------
    max_devices, max_server, max_antennas, max_draws : int
    shares : {"given", "open"}, optional
        Whether shares are given; drawn when None.
    design : {"zero-forcing", "linear"}, optional
        Drawn when None.
    full : bool
        As many streams as antennas.
    """
    devices = draw(st.integers(1, max_devices))
    antennas = draw(st.integers(1, max_antennas))
    server = draw(st.integers(antennas, max_server))
    streams = antennas if full else draw(st.sampled_from((antennas, antennas, max(1, antennas - 1))))
    draws = draw(st.integers(1, max_draws))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    unit, part = draw(st.sampled_from(_UNITS)), draw(st.sampled_from(_PARTS))
    kind = draw(st.sampled_from(("random", "random", "ties", "whole", "dependent")))
    channels = _channels(rng, (draws, devices, server, antennas), kind, draw(st.sampled_from(_SPREADS_DB)))
    power = rng.uniform(0.5, 1.5, devices) if kind != "ties" else np.ones(devices)
    length, parameters = draw(st.sampled_from((streams, 4096, 7))), draw(st.sampled_from((1, 10**6)))
    whole = np.full(devices, part * power[0] * devices)  # what computing a layer takes
    if kind != "ties":
        whole *= rng.uniform(0.2, 1.0, devices)
    room = float((power / whole).sum()) if part else 2.0
    if room < 1.05:
        whole *= room / 1.05
    equal = _shares(rng, power, whole)
    memory = draw(st.sampled_from((None, None, 1.01, 1.5)))
    given = draw(st.sampled_from(("given", "open"))) if shares is None else shares
    drawn = AirCompInstance(
        name="drawn",
        channels=channels * unit,
        noise_w=unit**2 * streams / length * 10 ** (-draw(st.sampled_from(_SNRS_DB)) / 10),
        devices=Devices.of(
            power_w=power,
            w_per_parameter=whole / parameters,
            memory_bytes=np.inf if memory is None else 2 * parameters * memory * np.maximum(equal, 0.05),
        ),
        layer_parameters=parameters,
        vector_length=length,
        streams=streams,
        shares=None if given == "open" else equal,
        design=design or draw(st.sampled_from(("zero-forcing", "linear"))),  # type: ignore[arg-type]
        source="edgeopt.testing",
    )
    return drawn


def _channels(rng: np.random.Generator, shape: tuple[int, ...], kind: str, spread_db: float) -> Any:
    found = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2)
    if kind == "ties":
        return np.repeat(found[:, :1], shape[1], axis=1)
    if kind == "whole":
        found = rng.integers(-3, 4, shape) + 1j * rng.integers(-3, 4, shape)
        # a full column rank, whatever was drawn
        found[:, :, : shape[3], :] += 10 * np.eye(shape[3])
        return found
    if kind == "dependent" and shape[3] > 1:
        found[..., -1] = found[..., 0] + 1e-3 * found[..., -1]
    gains = 10 ** (rng.uniform(-spread_db / 2, spread_db / 2, shape[1]) / 20)
    return found * gains[:, None, None]


def _shares(rng: np.random.Generator, power: Any, whole: Any) -> Any:
    """Shares that leave every device some power; some are 0."""
    count = len(power)
    mixed = rng.dirichlet(np.ones(count))
    if rng.random() < 0.2 and count > 1:
        mixed[0] = 0.0
        mixed /= mixed.sum()
    if (mixed * whole < 0.9999 * power).all():
        return mixed
    fits = power / whole
    return fits / fits.sum()


def plans(instance: AirCompInstance) -> SearchStrategy[Plan]:
    """Plans of an instance, feasible or not: any directions or matrices, shares near and off the simplex."""
    count, server, antennas = instance.shape

    @st.composite
    def made(draw: DrawFn) -> Plan:
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        shares = np.full(count, 1 / count) if instance.shares is None else instance.shares.copy()
        change = draw(st.sampled_from(("none", "none", "scale", "other", "negative")))
        if change == "scale":
            shares = shares * 1.5
        elif change == "other":
            shares = rng.dirichlet(np.ones(count))
        elif change == "negative":
            shares = shares - shares.max() * np.eye(count)[0] * 1.5
        size = draw(st.sampled_from((1e-3, 1.0, 1e2)))
        designs = []
        for _ in range(instance.draws):
            shape = server, instance.streams
            receive = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.abs(instance.channels).max()
            sent: Any = None
            if draw(st.booleans()):
                wide = count, antennas, instance.streams
                sent = size * (rng.standard_normal(wide) + 1j * rng.standard_normal(wide))
            designs.append(Design(receive, sent))
        return Plan(shares, tuple(designs))

    return made()


def binding_limits(instance: AirCompInstance) -> set[str]:
    """What makes an instance harder than one device over one stream.

    Returns
    -------
    set of str
        ``devices``: several must be received by one receiver. ``streams``: several at a time. ``computing``: shares
        change what can be sent. ``memory``: some device cannot hold a whole layer.
    """
    found = set()
    if len(instance.devices) > 1:
        found.add("devices")
    if instance.streams > 1:
        found.add("streams")
    if instance.devices.w_per_parameter.any() and len(instance.devices) > 1:
        found.add("computing")
    if any(share_limit(instance, n) < 1 for n in range(len(instance.devices))):
        found.add("memory")
    return found
