"""What an offloading instance must be; the texts are part of the interface."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeopt.errors import InstanceError
from edgeopt.instances.offloading.instance import DISCIPLINES, FloatArray, OffloadingInstance

LEAST, MOST = 1e-40, 1e40
"""Range of every positive field; beyond it a number is a mistake."""
MOST_TICKS = 2**50
"""Horizon and durations, in ticks, stay below: doubles count so far exactly."""
MOST_PLACES = 10**6


def typed(field: str, value: Any) -> NDArray[Any]:
    """A column as int64 or float64; whole numbers may stand for floats, as in a file.

    Raises
    ------
    InstanceError
        If it holds anything else.
    """
    kind = np.int64 if field == "task_device" else np.float64
    given = np.asarray(value)
    whole = given.dtype.kind in "iu"
    if given.size and not (whole or (given.dtype.kind == "f" and kind is np.float64)):
        raise InstanceError(f"{field} holds {given.dtype}: must be {np.dtype(kind)}")
    found: NDArray[Any] = np.array(given, dtype=kind, order="C")
    return found


def validate(instance: OffloadingInstance) -> None:
    """Check every field.

    Raises
    ------
    InstanceError
        Naming field, index, value and unit of the first thing that is wrong.
    """
    if not instance.name or not isinstance(instance.name, str):
        raise fail("name", instance.name, "must not be empty; give the instance a name")
    if instance.discipline not in DISCIPLINES:
        raise fail("discipline", instance.discipline, f"must be one of {', '.join(DISCIPLINES)}")
    for field in ("slot_s", "tick_s"):
        value = getattr(instance, field)
        if not (isinstance(value, float) and 1e-12 <= value <= 1e6):
            raise fail(field, value, "must be a number from 1e-12 to 1e6 (s)")
    if not (isinstance(instance.drop_penalty_s, float) and 0 <= instance.drop_penalty_s <= 1e9):
        raise fail("drop_penalty_s", instance.drop_penalty_s, "must be a number from 0 to 1e9 (s)")
    _validate_places(instance)
    _validate_channel(instance)
    _validate_tasks(instance)
    _validate_reach(instance)


def fail(where: str, value: object, mend: str) -> InstanceError:
    """The error for a value."""
    shown = value.item() if isinstance(value, np.generic) else value
    return InstanceError(f"{where} = {shown!r}: {mend}")


def _shape(field: str, column: NDArray[Any], shape: tuple[int, ...]) -> None:
    if column.shape != shape:
        raise InstanceError(f"{field} has the shape {column.shape}: must be {shape}")


def _first(where: str, field: str, column: FloatArray, good: NDArray[np.bool_], mend: str) -> None:
    wrong = np.argwhere(~good)
    if len(wrong):
        place = tuple(wrong[0].tolist())
        index = "][".join(map(str, place))
        raise fail(f"{where}[{index}]{'.' if field else ''}{field}", column[place], mend)


def _distinct(names: tuple[str, ...], where: str) -> None:
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        if not isinstance(name, str) or not name:
            raise fail(f"{where}[{index}].id", name, "must be a text that is not empty")
        if name in seen:
            raise fail(f"{where}[{index}].id", name, f"is taken by {where}[{seen[name]}]; they must differ")
        seen[name] = index


def _validate_places(instance: OffloadingInstance) -> None:
    if not instance.device_id:
        raise InstanceError("devices = []: must hold at least one device")
    _distinct(instance.device_id, "devices")
    _distinct(instance.server_id, "servers")
    if "local" in instance.server_id:
        raise fail(f"servers[{instance.server_id.index('local')}].id", "local", "is what the device itself is called")
    _shape("device_hz", instance.device_hz, (len(instance.device_id),))
    _shape("server_hz", instance.server_hz, (len(instance.server_id),))
    speed = instance.device_hz
    _first("devices", "frequency_hz", speed, (speed == 0) | _in(speed), "must be a number > 0 (cycle/s), or 0")
    speed = instance.server_hz
    _first("servers", "frequency_hz", speed, _in(speed), f"must be a number from {LEAST:g} to {MOST:g} (cycle/s)")


def _in(column: FloatArray) -> NDArray[np.bool_]:
    return np.asarray((column >= LEAST) & (column <= MOST))


def _validate_channel(instance: OffloadingInstance) -> None:
    start, rate = instance.channel_start_s, instance.rate_bit_per_s
    if start.ndim != 1 or not len(start):
        raise InstanceError("channel = []: must hold at least one row of rates")
    _first("channel", "start_s", start, np.isfinite(start), "must be a finite number (s)")
    if start[0] != 0:
        raise fail("channel[0].start_s", start[0], "must be 0 (s): rates must be known from the beginning")
    falls = np.flatnonzero(np.diff(start) <= 0)
    if len(falls):
        raise fail(f"channel[{falls[0] + 1}].start_s", start[falls[0] + 1], "must be later than the row before (s)")
    _shape("rate_bit_per_s", rate, (len(start), len(instance.device_id), len(instance.server_id)))
    mend = f"must be a number > 0, up to {MOST:g} (bit/s), or 0 where the device does not reach the server"
    wrong = np.argwhere(~((rate == 0) | _in(rate)))
    if len(wrong):
        row, device, server = wrong[0].tolist()
        raise fail(f"channel[{row}].rate_bit_per_s[{device}][{server}]", rate[row, device, server], mend)
    never = np.flatnonzero(~(rate > 0).any(axis=(0, 1)))
    if len(never):
        where = f"servers[{never[0]}] ({instance.server_id[never[0]]})"
        raise InstanceError(f"{where} is reached by no device: every rate_bit_per_s to it is 0 (bit/s); leave it out")


def _validate_tasks(instance: OffloadingInstance) -> None:
    count = len(instance.task_device)
    if not count:
        raise InstanceError("tasks = []: the horizon is empty; there must be at least one task")
    for field in ("task_device", "arrival_s", "bits", "cycles", "deadline_s"):
        _shape(field, getattr(instance, field), (count,))
    device = instance.task_device
    known = (device >= 0) & (device < len(instance.device_id))
    _first("tasks", "device", device, known, f"must index the devices, 0 to {len(instance.device_id) - 1}")  # type: ignore[arg-type]
    arrival, deadline = instance.arrival_s, instance.deadline_s
    _first("tasks", "arrival_s", arrival, (arrival >= 0) & (arrival <= 1e12), "must be a number from 0 to 1e12 (s)")
    falls = np.flatnonzero(np.diff(arrival) < 0)
    if len(falls):
        raise fail(f"tasks[{falls[0] + 1}].arrival_s", arrival[falls[0] + 1], "must not be before the last task's (s)")
    bits, cycles = instance.bits, instance.cycles
    _first("tasks", "bits", bits, (bits == 0) | _in(bits), "must be a number >= 0 (bit)")
    _first("tasks", "cycles", cycles, _in(cycles), f"must be a number from {LEAST:g} to {MOST:g} (cycle)")
    _first("tasks", "deadline_s", deadline, (deadline > 0) & (deadline <= 1e12), "must be a number > 0, up to 1e12 (s)")


def _validate_reach(instance: OffloadingInstance) -> None:
    """Every task must have somewhere to go, and all times must be countable in ticks."""
    row = np.searchsorted(instance.channel_start_s, instance.arrival_s, side="right") - 1
    rate = instance.rate_bit_per_s[row, instance.task_device]
    speed = instance.device_hz[instance.task_device]
    stuck = np.flatnonzero((speed == 0) & ~(rate > 0).any(axis=1))
    if len(stuck):
        task, device = int(stuck[0]), instance.device_id[int(instance.task_device[stuck[0]])]
        raise InstanceError(
            f"tasks[{task}] has nowhere to go: its device {device} has frequency_hz = 0 (cycle/s) and reaches no "
            f"server at {instance.arrival_s[task]:g} s (every rate_bit_per_s is 0 bit/s)"
        )
    with np.errstate(all="ignore"):
        upload = np.where(rate > 0, instance.bits[:, None] / np.where(rate > 0, rate, 1), 0.0)
        work = np.where(rate > 0, instance.cycles[:, None] / instance.server_hz[None, :], 0.0)
        local = np.where(speed > 0, instance.cycles / np.where(speed > 0, speed, 1), 0.0)
    times = (
        upload.max(axis=1, initial=0) + work.max(axis=1, initial=0) + local + instance.arrival_s + instance.deadline_s
    )
    most = float(max(times.max(), instance.drop_penalty_s)) / instance.tick_s
    if not most * len(instance) < MOST_TICKS:
        task = int(np.argmax(times))
        raise InstanceError(
            f"tasks[{task}]: times of up to {times[task]:g} s are too long for tick_s = {instance.tick_s:g} (s) with "
            f"{len(instance)} tasks; check the units, or take a longer tick"
        )
    if not (instance.deadline_s >= instance.tick_s).all():
        task = int(np.argmin(instance.deadline_s))
        mend = f"must be at least a tick of {instance.tick_s:g} s; take a shorter tick"
        raise fail(f"tasks[{task}].deadline_s", instance.deadline_s[task], mend)
