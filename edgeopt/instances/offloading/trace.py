"""Offloading instances from real traffic: a window of a trace of LLM requests or of other tasks.

A trace of LLM requests (``TIMESTAMP,ContextTokens,GeneratedTokens``, the format of the Azure traces) says when
requests came and how long they were; what a token takes is an option. A trace of tasks has the columns ``arrival_s``,
``bits`` and ``cycles``, and may have ``deadline_s`` and ``device``. The rest is the generator's.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.io import read_bytes
from edgeopt.instances.offloading.generate import Channel, generate
from edgeopt.instances.offloading.instance import Discipline, FloatArray, OffloadingInstance
from edgeopt.instances.offloading.real import number, rows

TOKENS = ("timestamp", "contexttokens", "generatedtokens")
TASKS = ("arrival_s", "bits", "cycles")


def from_trace(
    path: str | os.PathLike[str],
    *,
    start_s: float = 0.0,
    window_s: float = 10.0,
    rate_scale: float = 1.0,
    bits_per_token: float = 2e3,
    cycles_per_context_token: float = 2e5,
    cycles_per_generated_token: float = 2e7,
    deadline_s: float = 1.0,
    seed: int = 0,
    devices: int = 6,
    servers: int = 6,
    device_hz: float = 2.5e9,
    server_hz: tuple[float, float] = (20e9, 48e9),
    uplink_bit_per_s: float = 14e6,
    channel: Channel = "constant",
    discipline: Discipline = "fifo",
    drop_penalty_s: float = 1.0,
    tick_s: float = 1e-3,
    name: str | None = None,
) -> OffloadingInstance:
    """Make an offloading instance from a window of a trace.

    Parameters
    ----------
    path : str or path
        CSV file, plain or gzip.
    start_s, window_s : float
        Which part of the trace, in seconds after its first task.
    rate_scale : float
        Time compression: arrivals come this many times as fast.
    bits_per_token : float
        What is sent a token of context (bit), with all that comes with it.
    cycles_per_context_token, cycles_per_generated_token : float
        What a token takes (cycle).
    deadline_s : float
        Of the tasks (s), where the trace names none.
    seed : int
        Of the speeds of the servers, the channels, and of who sends what where the trace does not say.
    devices, servers : int
    device_hz, server_hz, uplink_bit_per_s, channel, discipline, tick_s
        As of the generator.
    drop_penalty_s : float
        What a dropped task costs beyond its deadline (s).
    name : str, optional

    Raises
    ------
    InstanceError
        If the file is no such trace, its times do not ascend, or the window is empty.
    """
    where = os.fspath(path)
    if not (0 < rate_scale < np.inf and 0 < window_s < np.inf and 0 <= start_s < np.inf):
        text = f"start_s = {start_s}, window_s = {window_s} (s), rate_scale = {rate_scale}: must be positive numbers"
        raise InstanceError(f"generate offloading: {text}")
    header = read_bytes(path)[:4096].decode("utf-8-sig", errors="replace").partition("\n")[0].lower()
    deadline: FloatArray | None = None
    named: list[str] | None = None
    if "contexttokens" in header:
        table = rows(path, TOKENS)
        arrival = np.array([_seconds(row["timestamp"], f"{where}: row {i}") for i, row in enumerate(table, 2)])
        context, generated = (_column(table, column, where, "tokens") for column in TOKENS[1:])
        bits = context * bits_per_token
        cycles = context * cycles_per_context_token + generated * cycles_per_generated_token
    else:
        table = rows(path, TASKS)
        arrival, bits, cycles = (
            _column(table, column, where, unit) for column, unit in zip(TASKS, ("s", "bit", "cycle"), strict=True)
        )
        if "deadline_s" in table[0]:
            deadline = _column(table, "deadline_s", where, "s")
        named = [row["device"] for row in table] if "device" in table[0] else None
    falls = np.flatnonzero(np.diff(arrival) < 0)
    if len(falls):
        raise InstanceError(f"{where}: row {falls[0] + 3}: the time falls; sort the trace by time")
    arrival = arrival - arrival[0] - start_s
    inside = np.flatnonzero((arrival >= 0) & (arrival < window_s * rate_scale))
    if not len(inside):
        raise InstanceError(
            f"{where}: no task comes from {start_s:g} s on for {window_s * rate_scale:g} s; take another window"
        )
    drawn = generate(
        seed=seed, devices=devices, servers=servers, slots=max(1, round(window_s * 10)), device_hz=device_hz,
        server_hz=server_hz, uplink_bit_per_s=uplink_bit_per_s, channel=channel, discipline=discipline, tick_s=tick_s,
    )  # fmt: skip
    owner = np.random.default_rng([seed, 1]).integers(0, devices, len(table))
    if named is not None:
        known = sorted(set(named))
        if len(known) > devices:
            raise InstanceError(f"{where}: has {len(known)} devices, the option devices is {devices}; give more")
        owner = np.array([known.index(one) for one in named])
    return OffloadingInstance.of(
        name or f"trace-{discipline}-{devices}x{servers}-{len(inside)}tasks",
        task_device=owner[inside],
        arrival_s=arrival[inside] / rate_scale,
        bits=bits[inside],
        cycles=cycles[inside],
        deadline_s=deadline_s if deadline is None else deadline[inside],
        device_hz=drawn.device_hz,
        server_hz=drawn.server_hz,
        server_id=drawn.server_id,
        channel_start_s=drawn.channel_start_s,
        rate_bit_per_s=drawn.rate_bit_per_s,
        discipline=discipline,
        slot_s=drawn.slot_s,
        tick_s=tick_s,
        drop_penalty_s=drop_penalty_s,
        source=f"trace {os.path.basename(where)} from {start_s:g} s, {window_s:g} s, times {rate_scale:g}; seed {seed}",
    )


def _column(table: list[dict[str, str]], column: str, where: str, unit: str) -> FloatArray:
    found = [number(row[column], f"{where}: row {index}: {column}", unit) for index, row in enumerate(table, 2)]
    wrong = next((index for index, value in enumerate(found) if value < 0), None)
    if wrong is not None:
        raise InstanceError(f"{where}: row {wrong + 2}: {column} = {found[wrong]:g} ({unit}): must be 0 or more")
    return np.array(found, dtype=np.float64)


def _seconds(text: str, where: str) -> float:
    """A timestamp in seconds; of its fraction, microseconds count."""
    head, point, digits = text.strip().partition(".")
    try:
        found = datetime.fromisoformat(f"{head}.{digits[:6]}" if point else head)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except ValueError:
        raise InstanceError(f"{where}: timestamp = {text[:60]!r}: must be a date and time") from None
