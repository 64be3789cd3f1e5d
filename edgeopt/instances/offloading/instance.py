"""The offloading problem in physical units: tasks of devices, computed there or on edge servers behind an uplink."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from edgeopt.instances.offloading.compiled import CompiledOffloading

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Discipline = Literal["fifo", "ps"]
DISCIPLINES: tuple[Discipline, ...] = get_args(Discipline)

COLUMNS = (
    "device_hz", "server_hz", "channel_start_s", "rate_bit_per_s",
    "task_device", "arrival_s", "bits", "cycles", "deadline_s",
)  # fmt: skip
"""The array fields."""


@dataclass(frozen=True, eq=False)
class OffloadingInstance:
    """A horizon of tasks that devices compute themselves or send to a server; validated on construction.

    A device has one processor and one radio, both first come, first served; a server has one processor, first come,
    first served or shared. A task goes where it is sent when it arrives, at the rate that the channel has then, and is
    dropped at its deadline wherever it is. The sum over the tasks of latency, or of deadline and penalty where a task
    is dropped, is to be least.

    Parameters
    ----------
    name : str
    device_id, server_id : tuple of str
        ``K`` devices and ``M`` servers, distinct.
    device_hz : (K,) float64
        Speed ``f_loc`` (cycle/s); 0 where a device computes nothing.
    server_hz : (M,) float64
        Speed ``f_j`` (cycle/s), > 0.
    channel_start_s : (S,) float64
        When each row of rates begins to hold (s), ascending from 0.
    rate_bit_per_s : (S, K, M) float64
        Uplink rate ``r`` (bit/s) of each device to each server; 0 where it does not reach it.
    task_device : (N,) int64
        Index of the device a task arrives at.
    arrival_s : (N,) float64
        Time of arrival (s), ascending.
    bits, cycles : (N,) float64
        What is sent, ``d`` (bit, >= 0), and computed, ``rho d`` (cycle, > 0).
    deadline_s : (N,) float64
        Time after its arrival at which a task is dropped (s).
    discipline : {"fifo", "ps"}
        Whether servers compute one task after the other, in the order in which they arrive there, or all at once at
        equal shares of their speed.
    slot_s : float
        Length ``D`` of a slot (s): the unit in which latencies are shown.
    tick_s : float
        Unit of time of the compiled problem (s): durations are rounded up to it.
    drop_penalty_s : float
        What a dropped task costs beyond its deadline (s).
    source : str
        Where the instance comes from, in words.

    Raises
    ------
    InstanceError
        Naming field, index, value and unit of the first thing that is wrong.
    """

    problem: ClassVar[str] = "offloading"

    name: str
    device_id: tuple[str, ...]
    server_id: tuple[str, ...]
    device_hz: FloatArray
    server_hz: FloatArray
    channel_start_s: FloatArray
    rate_bit_per_s: FloatArray
    task_device: IntArray
    arrival_s: FloatArray
    bits: FloatArray
    cycles: FloatArray
    deadline_s: FloatArray
    discipline: Discipline = "fifo"
    slot_s: float = 0.1
    tick_s: float = 1e-3
    drop_penalty_s: float = 1.0
    source: str = ""

    def __post_init__(self) -> None:
        from edgeopt.instances.offloading.validate import typed, validate

        for field in ("slot_s", "tick_s", "drop_penalty_s"):
            if isinstance(getattr(self, field), (int, np.integer, np.floating)):
                object.__setattr__(self, field, float(getattr(self, field)))
        for field in ("device_id", "server_id"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        for field in COLUMNS:
            object.__setattr__(self, field, typed(field, getattr(self, field)))
        validate(self)
        for field in COLUMNS:
            getattr(self, field).setflags(write=False)

    @classmethod
    def of(
        cls,
        name: str,
        *,
        task_device: ArrayLike,
        arrival_s: ArrayLike,
        bits: ArrayLike,
        cycles: ArrayLike,
        deadline_s: ArrayLike,
        device_hz: ArrayLike,
        server_hz: ArrayLike,
        rate_bit_per_s: ArrayLike,
        device_id: Sequence[str] | None = None,
        server_id: Sequence[str] | None = None,
        channel_start_s: ArrayLike = (0.0,),
        discipline: Discipline = "fifo",
        slot_s: float = 0.1,
        tick_s: float = 1e-3,
        drop_penalty_s: float = 1.0,
        source: str = "",
    ) -> OffloadingInstance:
        """An instance from any sequences; a single number stands for all tasks, devices or servers.

        Parameters
        ----------
        task_device : (N,) array_like
            Says how many tasks there are.
        device_hz, server_hz : array_like
            Say how many devices and servers there are, where no names are given.
        rate_bit_per_s : array_like
            Anything that broadcasts to (S, K, M).
        device_id, server_id : sequence of str, optional
            ``d0``, ``d1``, ... and ``s1``, ``s2``, ... when not given.
        """
        count = len(np.atleast_1d(np.asarray(task_device)))
        devices = np.atleast_1d(np.asarray(device_hz, dtype=np.float64))
        servers = np.atleast_1d(np.asarray(server_hz, dtype=np.float64))
        device_names = [f"d{k}" for k in range(len(devices))] if device_id is None else list(device_id)
        server_names = [f"s{j + 1}" for j in range(len(servers))] if server_id is None else list(server_id)
        starts = np.atleast_1d(np.asarray(channel_start_s, dtype=np.float64))
        shape = (len(starts), len(device_names), len(server_names))

        def column(value: ArrayLike) -> FloatArray:
            given = np.asarray(value, dtype=np.float64)
            return given if given.ndim else np.full(count, given)

        def each(values: FloatArray, names: Sequence[str]) -> FloatArray:
            return np.full(len(names), values[0]) if len(values) == 1 and len(names) > 1 else values

        rates = np.asarray(rate_bit_per_s, dtype=np.float64)
        with suppress(ValueError):  # validation says which shape it must have
            rates = np.broadcast_to(rates, shape).copy()
        return cls(
            name=name,
            device_id=tuple(device_names),
            server_id=tuple(server_names),
            device_hz=each(devices, device_names),
            server_hz=each(servers, server_names),
            channel_start_s=starts,
            rate_bit_per_s=rates,
            task_device=np.atleast_1d(np.asarray(task_device)),
            arrival_s=column(arrival_s),
            bits=column(bits),
            cycles=column(cycles),
            deadline_s=column(deadline_s),
            discipline=discipline,
            slot_s=slot_s,
            tick_s=tick_s,
            drop_penalty_s=drop_penalty_s,
            source=source,
        )

    def __len__(self) -> int:
        return len(self.task_device)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content; the same for every file form of the same instance."""
        from edgeopt.instances.offloading.file import header

        digest = hashlib.sha256(header(self))
        for name in COLUMNS:
            column = getattr(self, name)
            clean = column + 0.0 if column.dtype.kind == "f" else column  # one bit pattern for zero
            digest.update(name.encode() + clean.astype(clean.dtype.newbyteorder("<")).tobytes())
        return digest.hexdigest()

    @cached_property
    def compiled(self) -> CompiledOffloading:
        """The problem in ticks, which is the problem for every solver and model."""
        from edgeopt.instances.offloading.compiled import compile_offloading

        return compile_offloading(self)
