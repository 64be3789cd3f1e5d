"""The offloading problem in ticks: demand rounded up, time that is there rounded down."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from edgeopt.instances.offloading.instance import Discipline, FloatArray, IntArray
from edgeopt.system.exact import as_fraction

if TYPE_CHECKING:
    from edgeopt.instances.offloading.instance import OffloadingInstance

NEVER = -1
"""Of a place that a task cannot go to."""


@dataclass(frozen=True, slots=True, eq=False)
class CompiledOffloading:
    """Whole numbers that are the problem for every solver, model and checker; times in ticks.

    Attributes
    ----------
    devices, servers : int
        ``K`` and ``M``.
    device : (N,) int64
    arrival : (N,) int64
        Rounded up.
    due : (N,) int64
        When a task that is not done is dropped: arrival and deadline, rounded down, and not before the arrival.
    local : (N,) int64
        Time on the own device, rounded up; `NEVER` where there is none.
    upload, work : (N, M) int64
        Time of the radio, and of the server alone, rounded up; `NEVER` where the device does not reach the server.
    penalty : int
        What a drop costs beyond the deadline.
    discipline : {"fifo", "ps"}
    slot : float
        Ticks a slot.
    """

    devices: int
    servers: int
    device: IntArray
    arrival: IntArray
    due: IntArray
    local: IntArray
    upload: IntArray
    work: IntArray
    penalty: int
    discipline: Discipline
    slot: float

    def __len__(self) -> int:
        return len(self.device)

    def allowed(self) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
        """Where each task can go (N, 1 + M): the device itself first."""
        return np.column_stack([self.local != NEVER, self.upload != NEVER])


def ceil_quotients(top: FloatArray, bottom: FloatArray, tick_s: float) -> IntArray:
    """``ceil(top / (bottom tick))`` of decimals exactly, broadcast; `NEVER` where `bottom` is 0.

    Floats decide where the quotient is far from a whole number, fractions elsewhere.
    """
    above, below = np.broadcast_arrays(top, bottom)
    with np.errstate(all="ignore"):
        near = above / below / tick_s
    nothing = below == 0
    near = np.where(nothing, 0.5, near)
    found = np.ceil(near).astype(np.int64)
    unsure = np.abs(near - np.rint(near)) <= 1e-9 * np.maximum(near, 1e-3)
    tick = as_fraction(tick_s)
    for place in np.argwhere(unsure & ~nothing).tolist():
        index = tuple(place)
        exact = as_fraction(float(above[index])) / (as_fraction(float(below[index])) * tick)
        found[index] = -(-exact.numerator // exact.denominator)
    found[nothing] = NEVER
    return found


def _floor_sums(one: FloatArray, other: FloatArray, tick_s: float) -> IntArray:
    """``floor((one + other) / tick)`` of decimals exactly."""
    near = (one + other) / tick_s
    found = np.floor(near).astype(np.int64)
    tick = as_fraction(tick_s)
    for index in np.flatnonzero(np.abs(near - np.rint(near)) <= 1e-9 * np.maximum(near, 1e-3)).tolist():
        exact = (as_fraction(float(one[index])) + as_fraction(float(other[index]))) / tick
        found[index] = exact.numerator // exact.denominator
    return found


def compile_offloading(instance: OffloadingInstance) -> CompiledOffloading:
    """Compile an instance to ticks."""
    tick = as_fraction(instance.tick_s)
    one = np.ones(1)
    arrival = ceil_quotients(instance.arrival_s, one, instance.tick_s)
    due = _floor_sums(instance.arrival_s, instance.deadline_s, instance.tick_s)
    row = np.searchsorted(instance.channel_start_s, instance.arrival_s, side="right") - 1
    rate = instance.rate_bit_per_s[row, instance.task_device]
    upload = ceil_quotients(instance.bits[:, None], rate, instance.tick_s)
    work = ceil_quotients(instance.cycles[:, None], instance.server_hz[None, :], instance.tick_s)
    return CompiledOffloading(
        devices=len(instance.device_id),
        servers=len(instance.server_id),
        device=instance.task_device,
        arrival=arrival,
        due=np.maximum(due, arrival),
        local=ceil_quotients(instance.cycles, instance.device_hz[instance.task_device], instance.tick_s),
        upload=upload,
        work=np.where(upload == NEVER, NEVER, work),
        penalty=-((-as_fraction(instance.drop_penalty_s) / tick).__floor__()),
        discipline=instance.discipline,
        slot=float(Fraction(as_fraction(instance.slot_s), 1) / tick),
    )
