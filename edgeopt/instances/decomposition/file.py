"""The decomposition instance as a file: versioned JSON, packed for large ones."""

from __future__ import annotations

import io
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from edgeopt.errors import InstanceError
from edgeopt.instances import io as files
from edgeopt.instances.decomposition.instance import (
    Aggregation,
    Channel,
    DecompositionInstance,
    Link,
    Node,
    Objective,
    Task,
)

VERSION = 1
"""Version of the file format; a reader refuses files of a later one."""


class DecompositionHeader(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Everything but nodes, links and tasks."""

    edgeopt: Literal["decomposition"]
    version: int
    name: str
    objective: Objective = "reward"
    accuracy_weight: Annotated[float, Meta(description="w_a, no unit")] = 1.0
    delay_weight_per_s: Annotated[float, Meta(description="w_d, 1/s")] = 0.01
    correctness_floor: Annotated[float, Meta(description="least mean correctness, objective latency only")] = 0.0
    aggregation: Aggregation = "product"
    tick_s: Annotated[float, Meta(description="unit of the time grid, s")] = 1e-4
    source: Annotated[str, Meta(description="where the instance comes from, in words")] = ""


class DecompositionFile(DecompositionHeader, kw_only=True):
    """A whole decomposition instance as JSON."""

    nodes: list[Node]
    channels: list[Channel] = []
    links: list[Link] = []
    tasks: list[Task]


def schema() -> dict[str, Any]:
    """JSON Schema of the instance file."""
    return files.schema_of(DecompositionFile)


def decode(data: bytes, where: str) -> DecompositionInstance:
    """The instance in a file's bytes: JSON, or the array form, which is the same JSON packed.

    Raises
    ------
    InstanceError
        Naming file, field, value and unit.
    """
    if data.startswith(files.ZIP):
        arrays = files.read_arrays(data, where)
        if set(arrays) != {"header"}:
            raise InstanceError(f"{where}: the array form holds the array 'header' only; write it with `edgeopt.write`")
        data = arrays["header"].tobytes()
    content = files.decode_json(data, DecompositionFile, where)
    fields = {name: getattr(content, name) for name in content.__struct_fields__ if name not in ("edgeopt", "version")}
    for name in ("nodes", "channels", "links", "tasks"):
        fields[name] = tuple(fields[name])
    try:
        return DecompositionInstance(**fields)
    except InstanceError as error:
        raise InstanceError(f"{where}: {error}") from error


def _fields(instance: DecompositionInstance) -> dict[str, Any]:
    names = [name for name in DecompositionHeader.__struct_fields__ if name not in ("edgeopt", "version")]
    return {"edgeopt": "decomposition", "version": VERSION, **{name: getattr(instance, name) for name in names}}


def canonical(instance: DecompositionInstance) -> bytes:
    """The one line of JSON that the digest is of."""
    rows: dict[str, Any] = {name: list(getattr(instance, name)) for name in ("nodes", "channels", "links", "tasks")}
    return msgspec.json.encode(DecompositionFile(**_fields(instance), **rows), order="deterministic")


def encode(instance: DecompositionInstance) -> bytes:
    """The instance as JSON, a node, a link and a task a line."""
    head = msgspec.json.format(msgspec.json.encode(DecompositionHeader(**_fields(instance))), indent=1)
    parts = [head[:-2]]
    for name in ("nodes", "channels", "links", "tasks"):
        rows = [b"  " + msgspec.json.encode(row, order="deterministic") for row in getattr(instance, name)]
        parts.append(b',\n "' + name.encode() + b'": [' + b",".join(b"\n" + row for row in rows) + b"\n ]")
    return b"".join(parts) + b"\n}\n"


def encode_arrays(instance: DecompositionInstance) -> bytes:
    """The array form, numpy's ``.npz``: the JSON, packed."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, header=np.frombuffer(canonical(instance), dtype=np.uint8))
    return buffer.getvalue()
