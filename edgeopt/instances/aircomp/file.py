"""The AirComp instance as a file: versioned JSON for people, arrays for many draws."""

from __future__ import annotations

import io
import math
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from edgeopt.errors import InstanceError
from edgeopt.instances import io as files
from edgeopt.instances.aircomp.instance import AirCompInstance, ComplexArray, Devices

VERSION = 1
"""Version of the file format; a reader refuses files of a later one."""

Rows = list[list[list[float]]]


class DeviceFields(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A device as the file says it."""

    id: str
    power_w: Annotated[float, Meta(description="budget for computing and sending together, W")]
    w_per_parameter: Annotated[float, Meta(description="of the budget, for each parameter of a layer held, W")] = 0.0
    memory_bytes: Annotated[float | None, Meta(description="for weights, byte; null or absent for no limit")] = None
    compute_flops: Annotated[float, Meta(description="FLOP/s, for latencies")] = 1e13
    memory_bandwidth_bytes: Annotated[float, Meta(description="byte/s, for latencies")] = 1e11
    x_m: Annotated[float, Meta(description="position, the server being at 0, m")] = 0.0
    y_m: Annotated[float, Meta(description="m")] = 0.0


class DrawFields(msgspec.Struct, forbid_unknown_fields=True):
    """One draw of all channels: for each device a matrix, a row an antenna of the server."""

    real: Annotated[Rows, Meta(description="amplitude, no unit")]
    imag: Rows


class AirCompHeader(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Everything but devices and channels."""

    edgeopt: Literal["aircomp"]
    version: int
    name: str
    noise_w: Annotated[float, Meta(description="noise power at each antenna of the server, W")]
    layer_parameters: Annotated[int, Meta(description="parameters of a layer")]
    vector_length: Annotated[int, Meta(description="length of the vector that is summed")]
    streams: Annotated[int, Meta(description="entries sent at a time, at most the antennas of a device")]
    design: Annotated[
        Literal["zero-forcing", "linear"], Meta(description="transceivers without error but noise, or all linear ones")
    ] = "zero-forcing"
    layers: int = 1
    bytes_per_parameter: Annotated[float, Meta(description="byte")] = 2.0
    bandwidth_hz: Annotated[float, Meta(description="Hz, for latencies")] = 1e7
    model: Annotated[str, Meta(description="name of the model, in words")] = ""
    source: Annotated[str, Meta(description="where the instance comes from, in words")] = ""


class AirCompFile(AirCompHeader, kw_only=True):
    """A whole AirComp instance as JSON."""

    devices: list[DeviceFields]
    shares: Annotated[list[float] | None, Meta(description="part of every layer a device; null: to be chosen")] = None
    channels: list[DrawFields]


class ArrayHeader(AirCompHeader, kw_only=True):
    """The JSON part of the array form; the columns of devices and the channels lie beside it."""

    device_ids: list[str]


def schema() -> dict[str, Any]:
    """JSON Schema of the instance file."""
    return files.schema_of(AirCompFile)


def decode(data: bytes, where: str) -> AirCompInstance:
    """The instance in a file's bytes: JSON, or the array form (a zip of arrays).

    Raises
    ------
    InstanceError
        Naming file, field, index, value and unit.
    """
    return files.decode_either(data, where, _decode_json, _decode_arrays)


def _decode_json(data: bytes, where: str) -> AirCompInstance:
    content = files.decode_json(data, AirCompFile, where)
    rows = content.devices
    names = [name for name in DeviceFields.__struct_fields__ if name != "id"]
    columns: dict[str, Any] = {
        name: np.array([_or_infinite(getattr(row, name)) for row in rows], dtype=np.float64) for name in names
    }
    shares = None if content.shares is None else np.array(content.shares, dtype=np.float64)
    draws = [_draw(draw, f"channels[{index}]") for index, draw in enumerate(content.channels)]
    if len({draw.shape for draw in draws}) != 1:
        raise InstanceError("channels: must hold at least one draw, all of one shape")
    return _instance(content, np.stack(draws), Devices(tuple(row.id for row in rows), **columns), shares)


def _or_infinite(value: float | None) -> float:
    return math.inf if value is None else value


def _draw(draw: DrawFields, where: str) -> ComplexArray:
    parts = []
    for name in ("real", "imag"):
        try:
            parts.append(np.array(getattr(draw, name), dtype=np.float64))
        except ValueError:
            raise InstanceError(f"{where}.{name}: the matrices must all have the same shape") from None
    if parts[0].shape != parts[1].shape or parts[0].ndim != 3:
        raise InstanceError(
            f"{where}: real has the shape {parts[0].shape}, imag {parts[1].shape}: both must be "
            "(devices, server antennas, antennas)"
        )
    return parts[0] + 1j * parts[1]


def _instance(content: AirCompHeader, channels: ComplexArray, devices: Devices, shares: Any) -> AirCompInstance:
    names = [name for name in AirCompHeader.__struct_fields__ if name not in ("edgeopt", "version")]
    fields = {name: getattr(content, name) for name in names}
    return AirCompInstance(channels=channels, devices=devices, shares=shares, **fields)


def _header_fields(instance: AirCompInstance) -> dict[str, Any]:
    names = [name for name in AirCompHeader.__struct_fields__ if name not in ("edgeopt", "version")]
    return {"edgeopt": "aircomp", "version": VERSION, **{name: getattr(instance, name) for name in names}}


def header(instance: AirCompInstance) -> bytes:
    """Canonical bytes of everything but the columns, for the digest and the array form."""
    return msgspec.json.encode(ArrayHeader(**_header_fields(instance), device_ids=list(instance.devices.id)))


def encode(instance: AirCompInstance) -> bytes:
    """The instance as JSON, a device and a draw a line."""
    head = msgspec.json.format(msgspec.json.encode(AirCompHeader(**_header_fields(instance))), indent=1)
    columns = {name: column.tolist() for name, column in instance.devices.columns().items()}
    columns["memory_bytes"] = [None if math.isinf(size) else size for size in columns["memory_bytes"]]
    rows = zip(instance.devices.id, *columns.values(), strict=True)
    devices = [msgspec.json.encode(DeviceFields(**dict(zip(("id", *columns), row, strict=True)))) for row in rows]
    draws = [
        msgspec.json.encode(DrawFields(real=draw.real.tolist(), imag=draw.imag.tolist())) for draw in instance.channels
    ]
    shares = b"null" if instance.shares is None else msgspec.json.encode(instance.shares.tolist())
    return head[:-2] + b',\n "shares": ' + shares + _lines(b"devices", devices) + _lines(b"channels", draws) + b"\n}\n"


def _lines(name: bytes, rows: list[bytes]) -> bytes:
    return b',\n "' + name + b'": [\n' + b",\n".join(b"  " + row for row in rows) + b"\n ]"


def encode_arrays(instance: AirCompInstance) -> bytes:
    """The compact array form: a zip of the header, the columns of devices and the channels (numpy's ``.npz``)."""
    arrays: dict[str, Any] = {f"devices_{name}": column for name, column in instance.devices.columns().items()}
    arrays |= {"channels_real": instance.channels.real, "channels_imag": instance.channels.imag}
    if instance.shares is not None:
        arrays["shares"] = instance.shares
    buffer = io.BytesIO()
    np.savez_compressed(buffer, header=np.frombuffer(header(instance), dtype=np.uint8), **arrays)
    return buffer.getvalue()


def _decode_arrays(data: bytes, where: str) -> AirCompInstance:
    arrays = files.read_arrays(data, where)
    columns = [name for name in Devices.__dataclass_fields__ if name != "id"]
    expected = ["header", *(f"devices_{name}" for name in columns), "channels_real", "channels_imag"]
    missing = [name for name in expected if name not in arrays]
    if missing:
        raise InstanceError(f"the array {missing[0]!r} is missing; write the file with `edgeopt.write`")
    unknown = sorted(set(arrays) - {*expected, "shares"})
    if unknown:
        raise InstanceError(f"the array {unknown[0]!r} is unknown; an instance has {', '.join(expected)} and shares")
    content = files.decode_json(arrays["header"].tobytes(), ArrayHeader, where)
    for name, array in arrays.items():
        if name != "header" and array.dtype != np.float64:
            raise InstanceError(f"{name} holds {array.dtype}: must be float64")
    real, imag = arrays["channels_real"], arrays["channels_imag"]
    if real.shape != imag.shape:
        raise InstanceError(f"channels_real has the shape {real.shape}, channels_imag {imag.shape}")
    devices = Devices(tuple(content.device_ids), **{name: arrays[f"devices_{name}"] for name in columns})
    return _instance(content, real + 1j * imag, devices, arrays.get("shares"))
