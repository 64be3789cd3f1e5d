"""The slide instance as a file: versioned JSON for people, arrays for large ones."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from edgeopt.errors import InstanceError
from edgeopt.instances import io as files
from edgeopt.instances.slide.columns import accept_columns
from edgeopt.instances.slide.instance import (
    FloatArray,
    IntArray,
    LayerTable,
    Models,
    SlideInstance,
    Users,
)

VERSION = 1
"""Version of the file format; a reader refuses files of a later one."""

Seconds = Annotated[float, Meta(description="s")]


class ModelFields(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A model as the file says it."""

    name: str
    bits: Annotated[list[int], Meta(description="size of each layer as sent, bit")]
    flop_per_sample: Annotated[list[int], Meta(description="work of each layer, FLOP per sample")]
    overhead_s: Annotated[list[float] | float, Meta(description="fixed cost of each layer, or one for all, s")] = 0.0
    accuracy: Annotated[float, Meta(description="0 to 1")] = 1.0


class UserFields(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A user as the file says it."""

    id: str
    deadline_s: Seconds
    frequency_hz: Annotated[float, Meta(description="greatest speed of the device, cycle/s")]
    cycles_per_flop: Annotated[float, Meta(description="cycle/FLOP; with 1, frequency_hz is in FLOP/s")] = 1.0
    batch: Annotated[int, Meta(description="samples of the task")] = 1
    energy_j: Annotated[float | None, Meta(description="energy budget, J; null or absent for no limit")] = None
    energy_coefficient: Annotated[float, Meta(description="c in J s^2/cycle^3: a cycle at the speed s takes c s^2")] = (
        0.0
    )
    spectral_efficiency: Annotated[float | None, Meta(description="bit/s/Hz; or give power_w and gain")] = None
    power_w: Annotated[float | None, Meta(description="transmit power, W")] = None
    gain: Annotated[float | None, Meta(description="channel power gain, no unit")] = None
    min_accuracy: Annotated[float, Meta(description="accuracy that a model must have, 0 to 1")] = 0.0
    weight: Annotated[int, Meta(description="worth of serving the user, in the variant weighted")] = 1
    models: Annotated[list[str] | None, Meta(description="accepted models; null or absent accepts all")] = None


class SlideHeader(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Everything but models and users."""

    edgeopt: Literal["slide"]
    version: int
    name: str
    bandwidth_hz: Annotated[float, Meta(description="downlink band, Hz")]
    variant: Literal["plain", "weighted", "multicast", "multicast-many", "time-varying", "concave"] = "plain"
    noise_w_per_hz: Annotated[float | None, Meta(description="noise power density N0, W/Hz")] = None
    source: Annotated[str, Meta(description="where the instance comes from, in words")] = ""


class SlideFile(SlideHeader, kw_only=True):
    """A whole slide instance as JSON."""

    models: list[ModelFields]
    users: list[UserFields]


class ArrayHeader(SlideHeader, kw_only=True):
    """The JSON part of the array form; the columns of models and users lie beside it."""

    model_names: list[str]
    user_ids: list[str]
    accept_sets: list[list[str] | None]


def schema() -> dict[str, Any]:
    """JSON Schema of the instance file."""
    return files.schema_of(SlideFile)


def decode(data: bytes, where: str) -> SlideInstance:
    """The instance in a file's bytes: JSON, or the array form (a zip of arrays).

    Raises
    ------
    InstanceError
        Naming file, field, index, value and unit.
    """
    return files.decode_either(data, where, _decode_json, _decode_arrays)


def _decode_json(data: bytes, where: str) -> SlideInstance:
    content = files.decode_json(data, SlideFile, where)
    tables = []
    for index, model in enumerate(content.models):
        costs = model.overhead_s
        tables.append(
            LayerTable(
                name=model.name,
                accuracy=model.accuracy,
                bits=_whole(model.bits, f"models[{index}].bits"),
                flop_per_sample=_whole(model.flop_per_sample, f"models[{index}].flop_per_sample"),
                overhead_s=np.array(costs if isinstance(costs, list) else [costs] * len(model.bits), dtype=np.float64),
            )
        )
    rows = content.users
    accepts, accept_sets = accept_columns([None if row.models is None else tuple(row.models) for row in rows])

    def floats(field: str, missing: float = math.nan) -> FloatArray:
        values = (getattr(row, field) for row in rows)
        return np.array([missing if value is None else value for value in values], dtype=np.float64)

    users = Users(
        id=tuple(row.id for row in rows),
        deadline_s=floats("deadline_s"),
        frequency_hz=floats("frequency_hz"),
        cycles_per_flop=floats("cycles_per_flop"),
        batch=_whole([row.batch for row in rows], "users", "batch"),
        energy_j=floats("energy_j", math.inf),
        energy_coefficient=floats("energy_coefficient"),
        spectral_efficiency=floats("spectral_efficiency"),
        power_w=floats("power_w"),
        gain=floats("gain"),
        min_accuracy=floats("min_accuracy"),
        weight=_whole([row.weight for row in rows], "users", "weight"),
        accepts=accepts,
        accept_sets=accept_sets,
    )
    return _instance(content, Models.of(tables), users)


def _whole(values: Sequence[int], where: str, field: str = "") -> IntArray:
    try:
        return np.array(values, dtype=np.int64)
    except OverflowError:
        index = next(i for i, value in enumerate(values) if not -(2**63) <= value < 2**63)
        raise InstanceError(f"{where}[{index}]{field and '.'}{field} = {values[index]}: far too large") from None


def _instance(content: SlideHeader, models: Models, users: Users) -> SlideInstance:
    return SlideInstance(
        name=content.name,
        bandwidth_hz=content.bandwidth_hz,
        models=models,
        users=users,
        variant=content.variant,
        noise_w_per_hz=content.noise_w_per_hz,
        source=content.source,
    )


def _header_fields(instance: SlideInstance) -> dict[str, Any]:
    names = [name for name in SlideHeader.__struct_fields__ if name not in ("edgeopt", "version")]
    return {"edgeopt": "slide", "version": VERSION, **{name: getattr(instance, name) for name in names}}


def header(instance: SlideInstance) -> bytes:
    """Canonical bytes of everything but the columns, for the digest and the array form."""
    sets = [None if names is None else list(names) for names in instance.users.accept_sets]
    content = ArrayHeader(
        **_header_fields(instance),
        model_names=list(instance.models.name),
        user_ids=list(instance.users.id),
        accept_sets=sets,
    )
    return msgspec.json.encode(content)


def encode(instance: SlideInstance) -> bytes:
    """The instance as JSON, a model and a user a line."""
    head = msgspec.json.format(msgspec.json.encode(SlideHeader(**_header_fields(instance))), indent=1)
    tables = (instance.models[index] for index in range(len(instance.models)))
    models = [msgspec.json.encode(_model(table)) for table in tables]
    columns = {name: column.tolist() for name, column in instance.users.columns().items()}
    sets = [None if names is None else list(names) for names in instance.users.accept_sets]
    columns["models"] = [sets[index] for index in columns.pop("accepts")]
    columns["energy_j"] = [None if math.isinf(budget) else budget for budget in columns["energy_j"]]
    for name in ("spectral_efficiency", "power_w", "gain"):
        columns[name] = [None if value != value else value for value in columns[name]]
    rows = zip(instance.users.id, *columns.values(), strict=True)
    names = ("id", *columns)
    users = [msgspec.json.encode(UserFields(**dict(zip(names, row, strict=True)))) for row in rows]
    return head[:-2] + _lines(b"models", models) + _lines(b"users", users) + b"\n}\n"


def _model(table: LayerTable) -> ModelFields:
    costs = table.overhead_s.tolist()
    return ModelFields(
        name=table.name,
        bits=table.bits.tolist(),
        flop_per_sample=table.flop_per_sample.tolist(),
        overhead_s=costs[0] if len(set(costs)) == 1 else costs,
        accuracy=table.accuracy,
    )


def _lines(name: bytes, rows: list[bytes]) -> bytes:
    return b',\n "' + name + b'": [\n' + b",\n".join(b"  " + row for row in rows) + b"\n ]"


def encode_arrays(instance: SlideInstance) -> bytes:
    """The compact array form: a zip of the header and one array a column (numpy's ``.npz``)."""
    buffer = io.BytesIO()
    columns: dict[str, Any] = {f"models_{name}": column for name, column in instance.models.columns().items()}
    columns |= {f"users_{name}": column for name, column in instance.users.columns().items()}
    np.savez_compressed(buffer, header=np.frombuffer(header(instance), dtype=np.uint8), **columns)
    return buffer.getvalue()


_MODEL_COLUMNS = [name for name in Models.__dataclass_fields__ if name != "name"]
_USER_COLUMNS = [name for name in Users.__dataclass_fields__ if name not in ("id", "accept_sets")]


def _decode_arrays(data: bytes, where: str) -> SlideInstance:
    arrays = files.read_arrays(data, where)
    expected = [f"models_{name}" for name in _MODEL_COLUMNS] + [f"users_{name}" for name in _USER_COLUMNS]
    missing = [name for name in ["header", *expected] if name not in arrays]
    if missing:
        raise InstanceError(f"the array {missing[0]!r} is missing; write the file with `edgeopt.write`")
    unknown = sorted(set(arrays) - {"header", *expected})
    if unknown:
        raise InstanceError(f"the array {unknown[0]!r} is unknown; an instance has {', '.join(expected)}")
    content = files.decode_json(arrays.pop("header").tobytes(), ArrayHeader, where)
    models = Models(tuple(content.model_names), **{name: arrays[f"models_{name}"] for name in _MODEL_COLUMNS})
    users = Users(
        id=tuple(content.user_ids),
        accept_sets=tuple(None if names is None else tuple(names) for names in content.accept_sets),
        **{name: arrays[f"users_{name}"] for name in _USER_COLUMNS},
    )
    return _instance(content, models, users)
