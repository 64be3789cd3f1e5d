"""The batching problem in physical units: epoch, nodes, requests (section III of the OT-GAH paper)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from edgeopt.errors import InstanceError
from edgeopt.instances.batching.node import IntArray
from edgeopt.system.quantization import Quantization
from edgeopt.system.transformer import TransformerModel

if TYPE_CHECKING:
    from edgeopt.instances.batching.compiled import CompiledBatching

FloatArray = NDArray[np.float64]
DownlinkRule = Literal["worst-channel", "per-user"]
Latency = Literal["flops", "roofline"]

MOST_TOKENS = 2**24
"""Longest prompt or output accepted; longer is a mistake in the file, not a request."""


@dataclass(frozen=True, slots=True)
class Node:
    """An edge node ``j`` with the model that it hosts.

    Parameters
    ----------
    name : str
    model : TransformerModel
        The hosted model; gives k1..k5 of (3)-(8).
    quantization : Quantization
        alpha, beta and the perplexity differential of (9) and (11).
    compute_flops : float
        Computing speed ``C_j`` (FLOP/s) of the whole node.
    memory_bytes : float
        Memory ``M_j`` (B) of the whole node.
    uplink_bandwidth_hz, downlink_bandwidth_hz : float
        Bands ``B^U_j`` and ``B^D_j`` (Hz).
    user_power_w : float
        Transmit power ``p^U`` of a user towards this node (W).
    node_power_w : float
        Transmit power ``p^D_j`` of the node (W).
    memory_bandwidth_byte_per_s : float, optional
        Speed (B/s) at which the whole node reads its memory; the roofline latency needs it.
    """

    name: str
    model: TransformerModel
    quantization: Quantization
    compute_flops: float
    memory_bytes: float
    uplink_bandwidth_hz: float
    downlink_bandwidth_hz: float
    user_power_w: float
    node_power_w: float
    memory_bandwidth_byte_per_s: float | None = None

    def __post_init__(self) -> None:
        _as_floats(self)


@dataclass(frozen=True, slots=True, eq=False)
class Requests:
    """All requests ``i``, as columns.

    Parameters
    ----------
    prompt_tokens, output_tokens : (I,) int64
        Prompt length ``s_i`` and output length ``n_i`` (tokens).
    deadline_s : (I,) float64
        Latency limit ``tau_i`` from dispatch to output (s).
    waiting_s : (I,) float64
        Time ``t_w`` already waited for the epoch to start (s).
    accuracy : (I,) float64
        Required accuracy ``a_i`` in [0, 1].
    accepts : (I,) int64
        Which of `accept_sets` names the models the request accepts.
    accept_sets : tuple of (tuple of str or None)
        Sets of model names; None accepts every model.
    uplink_gain, downlink_gain : (J, I) float64
        Channel power gain ``h^2`` between request and node; NaN where the node does not cover it.
    """

    prompt_tokens: IntArray
    output_tokens: IntArray
    deadline_s: FloatArray
    waiting_s: FloatArray
    accuracy: FloatArray
    accepts: IntArray
    accept_sets: tuple[tuple[str, ...] | None, ...]
    uplink_gain: FloatArray
    downlink_gain: FloatArray

    def __len__(self) -> int:
        return len(self.prompt_tokens)

    def columns(self) -> dict[str, NDArray[np.int64] | NDArray[np.float64]]:
        """The array fields by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "accept_sets"}


@dataclass(frozen=True, eq=False)
class BatchingInstance:
    """One epoch of the batching problem P1, validated on construction.

    Parameters
    ----------
    name : str
    nodes : tuple of Node
    requests : Requests
    uplink_slot_s, compute_slot_s, downlink_slot_s : float
        Slots ``T_U``, ``T_C``, ``T_D`` (s).
    epoch_s : float
        Length of the epoch (s).
    noise_w_per_hz : float
        Noise power density ``N0`` (W/Hz).
    bits_per_token : int
        Size of a token on the air (bit).
    padded_prompt_tokens : int
        Length ``s'`` that every prompt is padded to (tokens).
    downlink_rule : {"worst-channel", "per-user"}
        Whether the downlink is planned for the worst channel (the paper's ``k6``) or per user (2).
    source : str
        Where the instance comes from, in words.
    latency : {"flops", "roofline"}
        How long a batch takes: the paper's count of FLOPs (8), or the longer of that and of the time that prefill
        and reading weights and cache take (`edgeopt.instances.batching.roofline`).

    Raises
    ------
    InstanceError
        Naming field, index, value and unit of the first thing that is wrong.
    """

    problem: ClassVar[str] = "batching"

    name: str
    nodes: tuple[Node, ...]
    requests: Requests
    uplink_slot_s: float
    compute_slot_s: float
    downlink_slot_s: float
    epoch_s: float
    noise_w_per_hz: float
    bits_per_token: int
    padded_prompt_tokens: int
    downlink_rule: DownlinkRule = "worst-channel"
    source: str = ""
    latency: Latency = "flops"

    def __post_init__(self) -> None:
        _as_floats(self)
        object.__setattr__(self, "requests", _typed(self.requests))
        _validate(self)
        object.__setattr__(self, "requests", _canonical(self.requests))
        for column in self.requests.columns().values():
            column.setflags(write=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content; the same for every file form of the same instance."""
        from edgeopt.instances.batching.file import header

        digest = hashlib.sha256(header(self))
        for name, column in self.requests.columns().items():
            # NaN marks "not covered"; one bit pattern for it, so that equal content hashes equal.
            clean = np.where(np.isnan(column), np.nan, column) if column.dtype.kind == "f" else column
            digest.update(name.encode() + np.ascontiguousarray(clean).astype(clean.dtype.newbyteorder("<")).tobytes())
        return digest.hexdigest()

    @cached_property
    def compiled(self) -> CompiledBatching:
        """The problem in scaled integers, which is the problem for every solver, model and checker."""
        from edgeopt.instances.batching.compiled import compile_batching

        return compile_batching(self)

    def accepted(self, node: int) -> NDArray[np.bool_]:
        """Which requests accept the model of a node and are covered by it."""
        requests = self.requests
        model = self.nodes[node].model.name
        by_set = np.array([names is None or model in names for names in requests.accept_sets], dtype=bool)
        covered = ~np.isnan(requests.uplink_gain[node])
        return np.asarray(by_set[requests.accepts] & covered)


def _as_floats(owner: Any) -> None:
    """Make whole numbers and numpy's numbers given for float fields floats, so that the digest is that of the file."""
    for field in fields(owner):
        value = getattr(owner, field.name)
        if (
            field.type in ("float", "float | None")
            and isinstance(value, (int, np.integer, np.floating))
            and not isinstance(value, bool)
        ):
            object.__setattr__(owner, field.name, float(value))


def _typed(requests: Requests) -> Requests:
    """The requests with int64 and float64 columns; whole numbers may stand for floats, as in a file."""
    typed: dict[str, Any] = {}
    for name, column in requests.columns().items():
        kind = np.float64 if name.endswith(("_s", "_gain")) or name == "accuracy" else np.int64
        given = np.asarray(column)
        if given.dtype != kind and given.dtype.kind not in "iu" and given.size:
            raise InstanceError(f"requests.{name} holds {given.dtype}: must be {np.dtype(kind)}")
        if given is not column or given.dtype != kind:
            typed[name] = given.astype(kind)
    return replace(requests, **typed) if typed else requests


def accept_columns(wanted: Sequence[tuple[str, ...] | None]) -> tuple[IntArray, tuple[tuple[str, ...] | None, ...]]:
    """Columns ``accepts`` and ``accept_sets`` of requests that accept these models each (None: any).

    The sets come out sorted, so that equal requests give equal columns and digests.
    """
    found = {None if names is None else tuple(sorted(set(names))) for names in wanted}
    sets = sorted(found, key=lambda names: (names is not None, names or ()))
    place = {names: index for index, names in enumerate(sets)}
    accepts = [place[None if names is None else tuple(sorted(set(names)))] for names in wanted]
    return np.array(accepts, dtype=np.int64), tuple(sets) or (None,)


def _canonical(requests: Requests) -> Requests:
    """The requests with only the accepted sets in use, sorted: equal content, equal columns and digest."""
    used, place = np.unique(requests.accepts, return_inverse=True)
    accepts, sets = accept_columns([requests.accept_sets[index] for index in used.tolist()])
    if sets == requests.accept_sets:
        return requests
    return replace(requests, accepts=accepts[place.reshape(-1)], accept_sets=sets)


def _fail(where: str, value: object, mend: str) -> InstanceError:
    shown = value.item() if isinstance(value, np.generic) else value
    return InstanceError(f"{where} = {shown!r}: {mend}")


def _positive(where: str, value: float, unit: str, *, zero: bool = False) -> None:
    if not (np.isfinite(value) and (value > 0 or (zero and value == 0))):
        raise _fail(where, value, f"must be a finite number {'>= 0' if zero else '> 0'} ({unit})")


def _validate(instance: BatchingInstance) -> None:
    """Check every field; the texts are part of the interface."""
    if not instance.name:
        raise _fail("name", instance.name, "must not be empty; give the instance a name")
    for field, zero in (("uplink_slot_s", False), ("compute_slot_s", True), ("downlink_slot_s", False)):
        _positive(field, getattr(instance, field), "s", zero=zero)
    _positive("epoch_s", instance.epoch_s, "s")
    _positive("noise_w_per_hz", instance.noise_w_per_hz, "W/Hz")
    for field, unit in (("bits_per_token", "bit"), ("padded_prompt_tokens", "tokens")):
        value = getattr(instance, field)
        if not 1 <= value <= MOST_TOKENS:
            raise _fail(field, value, f"must be a whole number from 1 to {MOST_TOKENS} ({unit})")
    if instance.downlink_rule not in ("worst-channel", "per-user"):
        raise _fail("downlink_rule", instance.downlink_rule, "must be 'worst-channel' or 'per-user'")
    if instance.latency not in ("flops", "roofline"):
        raise _fail("latency", instance.latency, "must be 'flops' or 'roofline'")
    if not instance.nodes:
        raise _fail("nodes", [], "must hold at least one node")
    seen: dict[str, int] = {}
    for index, node in enumerate(instance.nodes):
        where = f"nodes[{index}]"
        if not node.name:
            raise _fail(f"{where}.name", node.name, "must not be empty")
        if node.name in seen:
            raise _fail(f"{where}.name", node.name, f"is taken by nodes[{seen[node.name]}]; names must differ")
        seen[node.name] = index
        twin = next(k for k, other in enumerate(instance.nodes) if other.model.name == node.model.name)
        if instance.nodes[twin].model != node.model:
            raise _fail(
                f"{where}.model", node.model.name, f"is another model than nodes[{twin}].model of that name; rename one"
            )
        _positive(f"{where}.compute_flops", node.compute_flops, "FLOP/s", zero=True)
        _positive(f"{where}.memory_bytes", node.memory_bytes, "B", zero=True)
        _positive(f"{where}.uplink_bandwidth_hz", node.uplink_bandwidth_hz, "Hz")
        _positive(f"{where}.downlink_bandwidth_hz", node.downlink_bandwidth_hz, "Hz")
        _positive(f"{where}.user_power_w", node.user_power_w, "W")
        _positive(f"{where}.node_power_w", node.node_power_w, "W")
        if node.memory_bandwidth_byte_per_s is not None:
            _positive(f"{where}.memory_bandwidth_byte_per_s", node.memory_bandwidth_byte_per_s, "B/s")
        elif instance.latency == "roofline":
            raise _fail(
                f"{where}.memory_bandwidth_byte_per_s", None, "the roofline latency needs it (B/s); or use 'flops'"
            )
    _validate_requests(instance)


def _validate_requests(instance: BatchingInstance) -> None:
    requests = instance.requests
    if requests.prompt_tokens.ndim != 1:
        raise InstanceError(f"requests.prompt_tokens has the shape {requests.prompt_tokens.shape}: must be (I,)")
    count, nodes = len(requests), len(instance.nodes)
    for name, column in requests.columns().items():
        shape = (nodes, count) if name.endswith("_gain") else (count,)
        if column.shape != shape:
            raise InstanceError(f"requests.{name} has the shape {column.shape}: must be {shape}")

    def first(bad: NDArray[np.bool_], field: str, mend: str) -> None:
        if bad.any():
            place = tuple(int(axis[0]) for axis in np.nonzero(bad))
            node = f"[{place[0]}]" if len(place) == 2 else ""
            value = getattr(requests, field)[place]
            shown = None if isinstance(value, np.floating) and np.isnan(value) else value
            raise _fail(f"requests[{place[-1]}].{field}{node}", shown, mend)

    padded = instance.padded_prompt_tokens
    first(requests.prompt_tokens < 1, "prompt_tokens", "must be >= 1 (tokens)")
    first(
        requests.prompt_tokens > padded,
        "prompt_tokens",
        f"exceeds padded_prompt_tokens = {padded} (tokens); raise that or drop the request",
    )
    first(
        (requests.output_tokens < 1) | (requests.output_tokens > MOST_TOKENS),
        "output_tokens",
        f"must be from 1 to {MOST_TOKENS} (tokens)",
    )
    first(
        ~(np.isfinite(requests.deadline_s) & (requests.deadline_s > 0)), "deadline_s", "must be a finite number > 0 (s)"
    )
    first(
        ~(np.isfinite(requests.waiting_s) & (requests.waiting_s >= 0)), "waiting_s", "must be a finite number >= 0 (s)"
    )
    first(~((requests.accuracy >= 0) & (requests.accuracy <= 1)), "accuracy", "must be from 0 to 1 (fraction)")
    for field in ("uplink_gain", "downlink_gain"):
        gain = getattr(requests, field)
        first(
            ~np.isnan(gain) & ~(np.isfinite(gain) & (gain > 0)),
            field,
            "must be a finite power gain > 0, or null where the node does not cover the request",
        )
    first(
        np.isnan(requests.uplink_gain) != np.isnan(requests.downlink_gain),
        "downlink_gain",
        "covers another set of nodes than uplink_gain; both must be null for the same nodes",
    )
    sets = len(requests.accept_sets)
    first((requests.accepts < 0) | (requests.accepts >= sets), "accepts", f"must index accept_sets, 0 to {sets - 1}")
    hosted = {node.model.name for node in instance.nodes}
    for position, names in enumerate(requests.accept_sets):
        for name in names or ():
            if name not in hosted:
                row = np.nonzero(requests.accepts == position)[0]
                where = f"requests[{row[0]}].models" if len(row) else f"accept_sets[{position}]"
                raise _fail(where, name, f"no node hosts this model; hosted: {', '.join(sorted(hosted))}")
