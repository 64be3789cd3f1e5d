"""Hypothesis strategy for the offloading problem: small horizons with all their corners."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from edgeopt.instances.offloading import OffloadingInstance
from edgeopt.instances.offloading.instance import DISCIPLINES, Discipline

_TICKS_S = (1e-3, 1.0, 1e-6, 0.1, 60.0)


@st.composite
def offloading_instances(
    draw: DrawFn,
    *,
    max_tasks: int = 5,
    max_devices: int = 3,
    max_servers: int = 3,
    disciplines: Sequence[Discipline] = DISCIPLINES,
) -> OffloadingInstance:
    """Horizons of a few tasks.

    Among them: one task, no servers, devices that compute nothing, servers that some do not reach, tasks that arrive
    together, uploads of nothing, equal times everywhere, deadlines that nobody, or everybody, meets, those that are met
    to the tick, no penalty and a large one, rates that change, and ticks from a microsecond to a minute.

    Parameters
    ----------
    max_tasks, max_devices, max_servers : int
    disciplines : sequence of str
    """
    devices, servers = draw(st.integers(1, max_devices)), draw(st.integers(0, max_servers))
    count = draw(st.sampled_from([1, *[max_tasks] * 4, *range(1, max_tasks + 1)]))
    tick = draw(st.sampled_from(_TICKS_S))
    rough = draw(st.booleans())  # durations that are no whole ticks

    def column(values: st.SearchStrategy[int], length: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return np.array(draw(st.lists(values, min_size=length, max_size=length)), dtype=np.float64)

    span = draw(st.sampled_from((0, 3, 10, 30)))
    arrival = np.sort(column(st.integers(0, span), count))
    size = st.just(4) if draw(st.integers(0, 3)) == 0 else st.integers(0, 12)
    bits, cycles = column(size, count), column(size, count) + 1
    deadline = column(draw(st.sampled_from([st.integers(1, 12), st.integers(6, 30), st.just(1000)])), count)
    rows = draw(st.integers(1, 2))
    speeds = st.sampled_from((1, 1, 2, 3))
    device_hz = column(st.sampled_from((1, 1, 2, 0)), devices)
    rate = column(st.sampled_from((1, 1, 1, 2, 4, 0)), rows * devices * servers).reshape(rows, devices, servers)
    reached = rate.any(axis=(0, 1))
    rate[:, :, ~reached] = 1.0
    owner = np.array(draw(st.lists(st.integers(0, devices - 1), min_size=count, max_size=count)), dtype=np.int64)
    starts = np.array([0.0, draw(st.integers(1, 20))])[:rows]
    row = np.searchsorted(starts, arrival, side="right") - 1
    assume(bool(((device_hz[owner] > 0) | rate[row, owner].any(axis=1)).all()))
    noise = draw(st.sampled_from((0.25, 1 / 3, 0.1))) if rough else 0.0
    return OffloadingInstance.of(
        "generated",
        task_device=owner,
        arrival_s=np.array([float(f"{a * tick:.6g}") for a in arrival.tolist()]),
        bits=np.maximum(bits - noise, 0) * tick,
        cycles=(cycles - noise) * tick,
        deadline_s=np.array([float(f"{d * tick:.6g}") for d in deadline.tolist()]),
        device_hz=device_hz,
        server_hz=column(speeds, servers),
        server_id=[f"s{j + 1}" for j in range(servers)],
        channel_start_s=np.array([float(f"{s * tick:.6g}") for s in starts.tolist()]),
        rate_bit_per_s=rate,
        discipline=draw(st.sampled_from(disciplines)),
        slot_s=tick,
        tick_s=tick,
        drop_penalty_s=float(f"{draw(st.sampled_from((0, 1, 5, 100))) * tick:.6g}"),
        source="edgeopt.testing",
    )
