"""The assignment instance as a file: versioned JSON for people, arrays for large ones."""

from __future__ import annotations

import io
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from edgeopt.errors import InstanceError
from edgeopt.instances import io as files
from edgeopt.instances.assignment.instance import COLUMNS, AssignmentInstance, IntArray

VERSION = 1
"""Version of the file format; a reader refuses files of a later one."""


class ChoiceFields(msgspec.Struct, forbid_unknown_fields=True):
    """A choice as the file says it."""

    group: int
    bin: int
    profit: Annotated[int, Meta(description="profit, or cost when the sense is min, in 10^-profit_digits")]
    weight: Annotated[list[int], Meta(description="one entry a dimension, in 10^-weight_digits")]


class AssignmentHeader(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Everything but the capacities and choices."""

    edgeopt: Literal["assignment"]
    version: int
    name: str
    groups: Annotated[int, Meta(description="number of groups; a group is an item in generalised assignment")]
    sense: Literal["max", "min"] = "max"
    pick: Annotated[
        Literal["at-most-one", "exactly-one"], Meta(description="how many choices of each group are taken")
    ] = "at-most-one"
    profit_digits: Annotated[int, Meta(description="decimal digits moved to make profits whole")] = 0
    weight_digits: Annotated[int, Meta(description="decimal digits moved to make weights and capacities whole")] = 0
    source: Annotated[str, Meta(description="where the instance comes from, in words")] = ""


class AssignmentFile(AssignmentHeader, kw_only=True):
    """A whole assignment instance as JSON."""

    capacity: Annotated[list[list[int]], Meta(description="one row a bin, one entry a dimension")]
    choices: list[ChoiceFields]


def schema() -> dict[str, Any]:
    """JSON Schema of the instance file."""
    return files.schema_of(AssignmentFile)


def decode(data: bytes, where: str) -> AssignmentInstance:
    """The instance in a file's bytes: JSON, or the array form (a zip of arrays).

    Raises
    ------
    InstanceError
        Naming file, field, index and value.
    """
    return files.decode_either(data, where, _decode_json, _decode_arrays)


def _decode_json(data: bytes, where: str) -> AssignmentInstance:
    content = files.decode_json(data, AssignmentFile, where)
    dimensions = len(content.capacity[0]) if content.capacity else 0
    for index, row in enumerate(content.capacity):
        if len(row) != dimensions:
            raise InstanceError(f"capacity[{index}] has {len(row)} entries: must have {dimensions}, as capacity[0]")
    for index, choice in enumerate(content.choices):
        if len(choice.weight) != dimensions:
            text = f"choices[{index}].weight has {len(choice.weight)} entries"
            raise InstanceError(f"{text}: must have {dimensions}, one a dimension")
    weights = _whole([entry for choice in content.choices for entry in choice.weight], "weight")
    return AssignmentInstance(
        **_given(content),
        group=_whole([choice.group for choice in content.choices], "group"),
        bin=_whole([choice.bin for choice in content.choices], "bin"),
        profit=_whole([choice.profit for choice in content.choices], "profit"),
        weight=weights.reshape(len(content.choices), dimensions),
        capacity=_whole([entry for row in content.capacity for entry in row], "capacity").reshape(-1, dimensions or 1),
    )


def _given(content: AssignmentHeader) -> dict[str, Any]:
    names = [name for name in AssignmentHeader.__struct_fields__ if name not in ("edgeopt", "version")]
    return {name: getattr(content, name) for name in names}


def _whole(values: list[int], field: str) -> IntArray:
    try:
        return np.array(values, dtype=np.int64)
    except OverflowError:
        large = next(value for value in values if not -(2**63) <= value < 2**63)
        raise InstanceError(f"{field} = {large}: far too large") from None


def _header_fields(instance: AssignmentInstance) -> dict[str, Any]:
    names = [name for name in AssignmentHeader.__struct_fields__ if name not in ("edgeopt", "version")]
    return {"edgeopt": "assignment", "version": VERSION, **{name: getattr(instance, name) for name in names}}


def header(instance: AssignmentInstance) -> bytes:
    """Canonical bytes of everything but the columns, for the digest and the array form."""
    return msgspec.json.encode(AssignmentHeader(**_header_fields(instance)))


def encode(instance: AssignmentInstance) -> bytes:
    """The instance as JSON, a bin and a choice a line."""
    head = msgspec.json.format(header(instance), indent=1)
    capacity = [msgspec.json.encode(row) for row in instance.capacity.tolist()]
    columns = (instance.group, instance.bin, instance.profit, instance.weight)
    choices = [
        msgspec.json.encode(ChoiceFields(*row)) for row in zip(*(column.tolist() for column in columns), strict=True)
    ]
    return head[:-2] + _lines(b"capacity", capacity) + _lines(b"choices", choices) + b"\n}\n"


def _lines(name: bytes, rows: list[bytes]) -> bytes:
    return b',\n "' + name + b'": [\n' + b",\n".join(b"  " + row for row in rows) + b"\n ]"


def encode_arrays(instance: AssignmentInstance) -> bytes:
    """The compact array form: a zip of the header and one array a column (numpy's ``.npz``)."""
    buffer = io.BytesIO()
    columns: dict[str, Any] = {name: getattr(instance, name) for name in COLUMNS}
    np.savez_compressed(buffer, header=np.frombuffer(header(instance), dtype=np.uint8), **columns)
    return buffer.getvalue()


def _decode_arrays(data: bytes, where: str) -> AssignmentInstance:
    arrays = files.read_arrays(data, where)
    missing = [name for name in ["header", *COLUMNS] if name not in arrays]
    if missing:
        raise InstanceError(f"the array {missing[0]!r} is missing; write the file with `edgeopt.write`")
    content = files.decode_json(arrays["header"].tobytes(), AssignmentHeader, where)
    return AssignmentInstance(**_given(content), **{name: arrays[name] for name in COLUMNS})
