"""The offloading instance as a file: versioned JSON for people, arrays for large ones."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from edgeopt.errors import InstanceError
from edgeopt.instances import io as files
from edgeopt.instances.offloading.instance import COLUMNS, OffloadingInstance

VERSION = 1
"""Version of the file format; a reader refuses files of a later one."""

Seconds = Annotated[float, Meta(description="s")]


class PlaceFields(msgspec.Struct, forbid_unknown_fields=True):
    """A device or server as the file says it."""

    id: str
    frequency_hz: Annotated[float, Meta(description="speed, cycle/s; 0 for a device that computes nothing")]


class ChannelFields(msgspec.Struct, forbid_unknown_fields=True):
    """The uplink from some time on."""

    start_s: Annotated[float, Meta(description="since when these rates hold, s; the first is 0")]
    rate_bit_per_s: Annotated[
        list[list[float]], Meta(description="a row a device, an entry a server, bit/s; 0 where it is not reached")
    ]


class TaskFields(msgspec.Struct, forbid_unknown_fields=True):
    """A task as the file says it."""

    device: str
    arrival_s: Seconds
    bits: Annotated[float, Meta(description="what is sent to a server, bit")]
    cycles: Annotated[float, Meta(description="what is computed, cycle")]
    deadline_s: Annotated[float, Meta(description="time after the arrival at which the task is dropped, s")]


class OffloadingHeader(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Everything but devices, servers, rates and tasks."""

    edgeopt: Literal["offloading"]
    version: int
    name: str
    discipline: Annotated[
        Literal["fifo", "ps"], Meta(description="servers: first come, first served, or processor sharing")
    ] = "fifo"
    slot_s: Annotated[float, Meta(description="length of a slot, the unit latencies are shown in, s")] = 0.1
    tick_s: Annotated[float, Meta(description="unit of time that durations are rounded up to, s")] = 1e-3
    drop_penalty_s: Annotated[float, Meta(description="cost of a dropped task beyond its deadline, s")] = 1.0
    source: Annotated[str, Meta(description="where the instance comes from, in words")] = ""


class OffloadingFile(OffloadingHeader, kw_only=True):
    """A whole offloading instance as JSON."""

    devices: list[PlaceFields]
    servers: list[PlaceFields]
    channel: list[ChannelFields]
    tasks: list[TaskFields]


class ArrayHeader(OffloadingHeader, kw_only=True):
    """The JSON part of the array form; the columns lie beside it."""

    device_id: list[str]
    server_id: list[str]


def schema() -> dict[str, Any]:
    """JSON Schema of the instance file."""
    return files.schema_of(OffloadingFile)


def decode(data: bytes, where: str) -> OffloadingInstance:
    """The instance in a file's bytes: JSON, or the array form (a zip of arrays).

    Raises
    ------
    InstanceError
        Naming file, field, index, value and unit.
    """
    return files.decode_either(data, where, _decode_json, _decode_arrays)


def _decode_json(data: bytes, where: str) -> OffloadingInstance:
    content = files.decode_json(data, OffloadingFile, where)
    devices, servers, tasks = content.devices, content.servers, content.tasks
    for row, entry in enumerate(content.channel):
        at = f"channel[{row}].rate_bit_per_s"
        if len(entry.rate_bit_per_s) != len(devices):
            raise InstanceError(f"{at} has {len(entry.rate_bit_per_s)} rows: must have {len(devices)}, one a device")
        for k, rates in enumerate(entry.rate_bit_per_s):
            if len(rates) != len(servers):
                raise InstanceError(f"{at}[{k}] has {len(rates)} entries: must have {len(servers)}, one a server")
    index = {device.id: k for k, device in enumerate(devices)}
    for i, task in enumerate(tasks):
        if task.device not in index:
            known = ", ".join(list(index)[:20])
            raise InstanceError(f"tasks[{i}].device = {task.device!r}: no such device; there are: {known}")
    rate = np.array([entry.rate_bit_per_s for entry in content.channel], dtype=np.float64)
    columns: dict[str, Any] = {
        name: np.array([getattr(task, name) for task in tasks], dtype=np.float64)
        for name in ("arrival_s", "bits", "cycles", "deadline_s")
    }
    return OffloadingInstance(
        **_given(content),
        device_id=tuple(device.id for device in devices),
        server_id=tuple(server.id for server in servers),
        device_hz=np.array([device.frequency_hz for device in devices], dtype=np.float64),
        server_hz=np.array([server.frequency_hz for server in servers], dtype=np.float64),
        channel_start_s=np.array([entry.start_s for entry in content.channel], dtype=np.float64),
        rate_bit_per_s=rate.reshape(len(content.channel), len(devices), len(servers)),
        task_device=np.array([index[task.device] for task in tasks], dtype=np.int64),
        **columns,
    )


def _names() -> list[str]:
    return [name for name in OffloadingHeader.__struct_fields__ if name not in ("edgeopt", "version")]


def _given(content: OffloadingHeader) -> dict[str, Any]:
    return {name: getattr(content, name) for name in _names()}


def _header_fields(instance: OffloadingInstance) -> dict[str, Any]:
    return {"edgeopt": "offloading", "version": VERSION, **{name: getattr(instance, name) for name in _names()}}


def header(instance: OffloadingInstance) -> bytes:
    """Canonical bytes of everything but the columns, for the digest and the array form."""
    content = ArrayHeader(
        **_header_fields(instance), device_id=list(instance.device_id), server_id=list(instance.server_id)
    )
    return msgspec.json.encode(content)


def encode(instance: OffloadingInstance) -> bytes:
    """The instance as JSON, a device, server, row of rates and task a line."""
    head = msgspec.json.format(msgspec.json.encode(OffloadingHeader(**_header_fields(instance))), indent=1)
    parts: dict[bytes, Iterable[msgspec.Struct]] = {
        b"devices": map(PlaceFields, instance.device_id, instance.device_hz.tolist()),
        b"servers": map(PlaceFields, instance.server_id, instance.server_hz.tolist()),
        b"channel": map(ChannelFields, instance.channel_start_s.tolist(), instance.rate_bit_per_s.tolist()),
        b"tasks": map(
            TaskFields,
            [instance.device_id[k] for k in instance.task_device.tolist()],
            instance.arrival_s.tolist(),
            instance.bits.tolist(),
            instance.cycles.tolist(),
            instance.deadline_s.tolist(),
        ),
    }
    lines = (_lines(name, [msgspec.json.encode(row) for row in rows]) for name, rows in parts.items())
    return head[:-2] + b"".join(lines) + b"\n}\n"


def _lines(name: bytes, rows: list[bytes]) -> bytes:
    return b',\n "' + name + b'": [\n' + b",\n".join(b"  " + row for row in rows) + b"\n ]"


def encode_arrays(instance: OffloadingInstance) -> bytes:
    """The compact array form: a zip of the header and one array a column (numpy's ``.npz``)."""
    buffer = io.BytesIO()
    columns: dict[str, Any] = {name: getattr(instance, name) for name in COLUMNS}
    np.savez_compressed(buffer, header=np.frombuffer(header(instance), dtype=np.uint8), **columns)
    return buffer.getvalue()


def _decode_arrays(data: bytes, where: str) -> OffloadingInstance:
    arrays = files.read_arrays(data, where)
    missing = [name for name in ["header", *COLUMNS] if name not in arrays]
    if missing:
        raise InstanceError(f"the array {missing[0]!r} is missing; write the file with `edgeopt.write`")
    unknown = sorted(set(arrays) - {"header", *COLUMNS})
    if unknown:
        raise InstanceError(f"the array {unknown[0]!r} is unknown; an instance has {', '.join(COLUMNS)}")
    content = files.decode_json(arrays["header"].tobytes(), ArrayHeader, where)
    return OffloadingInstance(
        **_given(content),
        device_id=tuple(content.device_id),
        server_id=tuple(content.server_id),
        **{name: arrays[name] for name in COLUMNS},
    )
