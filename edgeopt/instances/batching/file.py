"""The batching instance as a file: versioned JSON for people, arrays for 10^6 requests."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import numpy as np
from msgspec import UNSET, Meta, UnsetType

from edgeopt.errors import InstanceError, UnknownNameError
from edgeopt.instances import io as files
from edgeopt.instances.batching.instance import BatchingInstance, Node, Requests, accept_columns
from edgeopt.system import catalogue
from edgeopt.system.quantization import Quantization, quantization
from edgeopt.system.transformer import TransformerModel

T = TypeVar("T")

VERSION = 1
"""Version of the file format; a reader refuses files of a later one."""

Seconds = Annotated[float, Meta(description="s")]
Gain = Annotated[float | None, Meta(description="channel power gain h^2; null where the node does not cover it")]


class NodeFields(msgspec.Struct, forbid_unknown_fields=True):
    """An edge node as the file says it."""

    name: str
    model: Annotated[str, Meta(description="a key of `models`, or a name of the built-in catalogue")]
    compute_flops: Annotated[float, Meta(description="FLOP/s of the whole node")]
    memory_bytes: Annotated[float, Meta(description="B")]
    uplink_bandwidth_hz: Annotated[float, Meta(description="Hz")]
    downlink_bandwidth_hz: Annotated[float, Meta(description="Hz")]
    user_power_w: Annotated[float, Meta(description="transmit power of a user towards the node, W")]
    node_power_w: Annotated[float, Meta(description="transmit power of the node, W")]
    quantization: Annotated[Quantization | str, Meta(description="a scheme, or a built-in name")] = "w8a16"
    # Unset leaves no trace in a file, so that the files and digests of instances without it stay what they were.
    memory_bandwidth_byte_per_s: Annotated[float, Meta(description="B/s of the whole node")] | UnsetType = UNSET


class RequestFields(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A request as the file says it."""

    prompt_tokens: int
    output_tokens: int
    deadline_s: Seconds
    uplink_gain: Annotated[list[Gain], Meta(description="one entry a node, in the order of `nodes`")]
    downlink_gain: Annotated[list[Gain], Meta(description="one entry a node, in the order of `nodes`")]
    waiting_s: Seconds = 0.0
    accuracy: Annotated[float, Meta(description="required accuracy, 0 to 1")] = 0.0
    models: Annotated[list[str] | None, Meta(description="accepted models; null or absent accepts all")] = None


class BatchingHeader(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Everything but the requests."""

    edgeopt: Literal["batching"]
    version: int
    name: str
    epoch_s: Seconds
    uplink_slot_s: Seconds
    downlink_slot_s: Seconds
    noise_w_per_hz: Annotated[float, Meta(description="noise power density N0, W/Hz")]
    padded_prompt_tokens: Annotated[int, Meta(description="length s' that prompts are padded to, tokens")]
    nodes: list[NodeFields]
    compute_slot_s: Annotated[float | None, Meta(description="s; the epoch when absent")] = None
    bits_per_token: Annotated[int, Meta(description="bit")] = 16
    downlink_rule: Literal["worst-channel", "per-user"] = "worst-channel"
    latency: Annotated[Literal["flops", "roofline"], Meta(description="flops when absent")] | UnsetType = UNSET
    models: dict[str, TransformerModel] = {}
    source: Annotated[str, Meta(description="where the instance comes from, in words")] = ""


class BatchingFile(BatchingHeader, kw_only=True):
    """A whole batching instance as JSON."""

    requests: list[RequestFields]


class ArrayHeader(BatchingHeader, kw_only=True):
    """The JSON part of the array form; the columns of the requests lie beside it."""

    accept_sets: list[list[str] | None]


def schema() -> dict[str, Any]:
    """JSON Schema of the instance file."""
    return files.schema_of(BatchingFile)


def decode(data: bytes, where: str) -> BatchingInstance:
    """The instance in a file's bytes: JSON, or the array form (a zip of arrays).

    Raises
    ------
    InstanceError
        Naming file, field, index, value and unit.
    """
    return files.decode_either(data, where, _decode_json, _decode_arrays)


def _decode_json(data: bytes, where: str) -> BatchingInstance:
    content = files.decode_json(data, BatchingFile, where)
    rows, nodes = content.requests, len(content.nodes)
    for index, row in enumerate(rows):
        for field in ("uplink_gain", "downlink_gain"):
            if len(getattr(row, field)) != nodes:
                raise InstanceError(
                    f"requests[{index}].{field} has {len(getattr(row, field))} entries: must have {nodes}, one a node"
                )
    accepts, accept_sets = accept_columns([None if row.models is None else tuple(row.models) for row in rows])
    requests = Requests(
        prompt_tokens=_whole([row.prompt_tokens for row in rows], "prompt_tokens"),
        output_tokens=_whole([row.output_tokens for row in rows], "output_tokens"),
        deadline_s=np.array([row.deadline_s for row in rows], dtype=np.float64),
        waiting_s=np.array([row.waiting_s for row in rows], dtype=np.float64),
        accuracy=np.array([row.accuracy for row in rows], dtype=np.float64),
        accepts=accepts,
        accept_sets=accept_sets,
        uplink_gain=np.array([row.uplink_gain for row in rows], dtype=np.float64).reshape(-1, nodes).T.copy(),
        downlink_gain=np.array([row.downlink_gain for row in rows], dtype=np.float64).reshape(-1, nodes).T.copy(),
    )
    return _instance(content, requests)


def _whole(values: list[int], field: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    try:
        return np.array(values, dtype=np.int64)
    except OverflowError:
        index = next(i for i, value in enumerate(values) if not -(2**63) <= value < 2**63)
        raise InstanceError(f"requests[{index}].{field} = {values[index]}: far too large (tokens)") from None


def _instance(content: BatchingHeader, requests: Requests) -> BatchingInstance:
    return BatchingInstance(
        name=content.name,
        nodes=tuple(_node(content, index) for index in range(len(content.nodes))),
        requests=requests,
        uplink_slot_s=content.uplink_slot_s,
        compute_slot_s=content.epoch_s if content.compute_slot_s is None else content.compute_slot_s,
        downlink_slot_s=content.downlink_slot_s,
        epoch_s=content.epoch_s,
        noise_w_per_hz=content.noise_w_per_hz,
        bits_per_token=content.bits_per_token,
        padded_prompt_tokens=content.padded_prompt_tokens,
        downlink_rule=content.downlink_rule,
        source=content.source,
        latency="flops" if content.latency is UNSET else content.latency,
    )


def _node(content: BatchingHeader, index: int) -> Node:
    fields = content.nodes[index]
    model = content.models.get(fields.model)
    if model is None:
        model = _built_in(f"nodes[{index}].model", fields.model, lambda: catalogue.lookup(fields.model))
    elif model.name != fields.model:
        raise InstanceError(f"models.{fields.model}.name = {model.name!r}: must be its key {fields.model!r}")
    scheme = fields.quantization
    if isinstance(scheme, str):
        named = scheme
        scheme = _built_in(f"nodes[{index}].quantization", named, lambda: quantization(named, fields.model))
    given = {name: found for name in fields.__struct_fields__ if (found := getattr(fields, name)) is not UNSET}
    return Node(**{**given, "model": model, "quantization": scheme})


def _built_in(field: str, name: str, lookup: Callable[[], T]) -> T:
    try:
        return lookup()
    except (UnknownNameError, ValueError) as error:
        raise InstanceError(f"{field} = {name!r}: {error}") from error


def _header_fields(instance: BatchingInstance) -> dict[str, Any]:
    nodes = [
        NodeFields(
            name=node.name,
            model=node.model.name,
            compute_flops=node.compute_flops,
            memory_bytes=node.memory_bytes,
            uplink_bandwidth_hz=node.uplink_bandwidth_hz,
            downlink_bandwidth_hz=node.downlink_bandwidth_hz,
            user_power_w=node.user_power_w,
            node_power_w=node.node_power_w,
            quantization=node.quantization,
            memory_bandwidth_byte_per_s=_or_unset(node.memory_bandwidth_byte_per_s),
        )
        for node in instance.nodes
    ]
    return {
        "edgeopt": "batching",
        "version": VERSION,
        "name": instance.name,
        "source": instance.source,
        "epoch_s": instance.epoch_s,
        "uplink_slot_s": instance.uplink_slot_s,
        "compute_slot_s": instance.compute_slot_s,
        "downlink_slot_s": instance.downlink_slot_s,
        "noise_w_per_hz": instance.noise_w_per_hz,
        "bits_per_token": instance.bits_per_token,
        "padded_prompt_tokens": instance.padded_prompt_tokens,
        "downlink_rule": instance.downlink_rule,
        "latency": UNSET if instance.latency == "flops" else instance.latency,
        "models": {node.model.name: node.model for node in instance.nodes},
        "nodes": nodes,
    }


def _or_unset(value: float | None) -> float | UnsetType:
    return UNSET if value is None else value


def header(instance: BatchingInstance) -> bytes:
    """Canonical bytes of everything but the request columns, for the digest and the array form."""
    sets = [None if names is None else list(names) for names in instance.requests.accept_sets]
    return msgspec.json.encode(ArrayHeader(**_header_fields(instance), accept_sets=sets))


def encode(instance: BatchingInstance) -> bytes:
    """The instance as JSON, a request a line."""
    requests = instance.requests
    up, down = requests.uplink_gain.T.tolist(), requests.downlink_gain.T.tolist()
    rows = [
        RequestFields(
            prompt_tokens=prompt,
            output_tokens=output,
            deadline_s=deadline,
            uplink_gain=_nulls(up[index]),
            downlink_gain=_nulls(down[index]),
            waiting_s=waiting,
            accuracy=accuracy,
            models=None if (names := requests.accept_sets[accepts]) is None else list(names),
        )
        for index, (prompt, output, deadline, waiting, accuracy, accepts) in enumerate(
            zip(
                requests.prompt_tokens.tolist(),
                requests.output_tokens.tolist(),
                requests.deadline_s.tolist(),
                requests.waiting_s.tolist(),
                requests.accuracy.tolist(),
                requests.accepts.tolist(),
                strict=True,
            )
        )
    ]
    head = msgspec.json.format(msgspec.json.encode(BatchingHeader(**_header_fields(instance))), indent=1)
    lines = b",\n".join(b"  " + msgspec.json.encode(row) for row in rows)
    return head[:-2] + b',\n "requests": [\n' + lines + b"\n ]\n}\n"


def _nulls(gains: list[float]) -> list[float | None]:
    return [None if gain != gain else gain for gain in gains]


def encode_arrays(instance: BatchingInstance) -> bytes:
    """The compact array form: a zip of ``header.json`` and one array a column (numpy's ``.npz``)."""
    buffer = io.BytesIO()
    columns: dict[str, Any] = dict(instance.requests.columns())
    np.savez_compressed(buffer, header=np.frombuffer(header(instance), dtype=np.uint8), **columns)
    return buffer.getvalue()


def _decode_arrays(data: bytes, where: str) -> BatchingInstance:
    arrays = files.read_arrays(data, where)
    expected = [name for name in Requests.__dataclass_fields__ if name != "accept_sets"]
    missing = [name for name in ["header", *expected] if name not in arrays]
    if missing:
        raise InstanceError(f"the array {missing[0]!r} is missing; write the file with `edgeopt.write`")
    unknown = sorted(set(arrays) - {"header", *expected})
    if unknown:
        raise InstanceError(f"the array {unknown[0]!r} is unknown; an instance has {', '.join(expected)}")
    content = files.decode_json(arrays.pop("header").tobytes(), ArrayHeader, where)
    sets = tuple(None if names is None else tuple(names) for names in content.accept_sets)
    return _instance(content, Requests(**{name: arrays[name] for name in expected}, accept_sets=sets))
