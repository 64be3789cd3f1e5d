"""Hypothesis strategies: physical instances, single-node problems in integers, and schedules.

Capacities are sized from the demands that were drawn, so that constraints bind; every physical number is a
short decimal, so that roundings fall on exact boundaries often. Small by default: brute force works.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from edgeopt.instances.batching import BatchingInstance, Node, NodeProblem, Requests, Schedule
from edgeopt.instances.batching.instance import DownlinkRule, FloatArray, Latency, accept_columns
from edgeopt.instances.batching.node import FLOP_UNIT, IntArray
from edgeopt.instances.batching.roofline import cache_bytes, weight_bytes
from edgeopt.system.catalogue import lookup
from edgeopt.system.exact import as_fraction
from edgeopt.system.quantization import Quantization
from edgeopt.system.transformer import TransformerModel

RULES: tuple[DownlinkRule, ...] = ("worst-channel", "per-user")

_TINY = TransformerModel(
    name="tiny", layers=2, hidden=100, heads=4, head_dim=25, kv_heads=2, ffn=150, gated_ffn=True,
    vocabulary=1000, tied_embeddings=True,
)  # fmt: skip
_MODELS = (lookup("bloom-560m"), lookup("llama-3.2-1b"), _TINY)
_SCHEMES = (
    Quantization(name="fp16"),
    Quantization(name="w8a16", weight_factor=0.5),
    Quantization(name="lossy", weight_factor=0.25, cache_factor=0.3, time_factor=1.6, ppl_differential=0.54),
)
_SNR = (1.0, 3.0, 7.0, 0.5, 15.0, 12.34, 1000.0)
"""Signal-to-noise ratios: powers of two less one make the logarithm an integer."""
_READING = (1.0, 2.0, 0.5, 4.0, 8.0, 1e9)
"""Speeds of reading memory, in what keeps it as busy as computing; the last makes it as good as free."""
_PADDING = (8, 3, 24, 1, 100)
_UNITS = (0, 0, 0, -12, 12)


@st.composite
def batching_instances(
    draw: DrawFn,
    *,
    min_nodes: int = 1,
    max_nodes: int = 3,
    min_requests: int = 0,
    max_requests: int = 8,
    downlink_rules: Sequence[DownlinkRule] = RULES,
    latencies: Sequence[Latency] = ("flops",),
) -> BatchingInstance:
    """Physical instances of the batching problem with all their corners.

    Among them: no requests, zero capacities, ties, equal deadlines, a single output length, users that are
    uncovered or hopeless, several models, accuracies that meet the scheme's exactly, units from 1e-12 to 1e12.

    Parameters
    ----------
    min_nodes, max_nodes, min_requests, max_requests : int
    downlink_rules : sequence of {"worst-channel", "per-user"}
    latencies : sequence of {"flops", "roofline"}
    """
    # Some instances have requests that no node or only some can serve; the others are about capacities.
    rough = draw(st.sampled_from((False, False, True)))
    rule = draw(st.sampled_from(tuple(downlink_rules)))
    padded = draw(st.sampled_from(_PADDING))
    lengths = draw(st.lists(st.integers(1, 40), min_size=1, max_size=4, unique=True))
    latency = draw(st.sampled_from(tuple(latencies)))
    reading = draw(st.sampled_from(_READING)) if latency == "roofline" else None
    # Slots and deadlines scale with the unit of time, rates against it; gains with the noise.
    unit = draw(st.sampled_from(_UNITS))
    step = Fraction(10) ** unit / 4
    slot, noise = step * draw(st.integers(1, 3)), Fraction(10) ** draw(st.sampled_from((0, -9, 9)))
    hosts = draw(st.lists(_host(rough), min_size=min_nodes, max_size=max_nodes))
    # A least size drawn first makes few empty lists and still shrinks to one.
    least = draw(_size(min_requests, max_requests))
    rows = draw(st.lists(_request(rough, padded, lengths), min_size=least, max_size=max_requests))
    count = len(rows)

    def gains(field: int) -> FloatArray:
        found = np.full((len(hosts), count), np.nan)
        for place, row in enumerate(rows):
            for node in range(len(hosts)):
                if not row.uncovered >> node & 1:
                    snr = Fraction(str(_SNR[(row.channel[field] + node * row.channel[2]) % len(_SNR)]))
                    found[node, place] = float(snr * noise)
        return found

    names = sorted({host.model.name for host in hosts})
    accepts, accept_sets = accept_columns(
        [tuple(name for k, name in enumerate(names) if row.accepts >> k & 1) or None for row in rows]
    )
    requests = Requests(
        prompt_tokens=np.array([row.prompt for row in rows], dtype=np.int64),
        output_tokens=np.array([row.output for row in rows], dtype=np.int64),
        deadline_s=np.array([float(2 * slot + (row.steps + Fraction(1, 8)) * step) for row in rows]),
        waiting_s=np.array([float((row.waits + Fraction(1, 4)) * step / 2) for row in rows]),
        accuracy=np.array([row.accuracy for row in rows], dtype=np.float64),
        accepts=accepts,
        accept_sets=accept_sets,
        uplink_gain=gains(0),
        downlink_gain=gains(1),
    )
    return BatchingInstance(
        name="drawn",
        nodes=tuple(
            _reading(
                _node(f"n{index}", host, requests, padded, (slot, step, noise), rule, index), requests, padded, reading
            )
            for index, host in enumerate(hosts)
        ),
        requests=requests,
        uplink_slot_s=float(slot),
        compute_slot_s=float(step * draw(st.sampled_from((8, 8, 2, 3, 0) if rough else (8, 8, 3)))),
        downlink_slot_s=float(slot),
        epoch_s=float(8 * step),
        noise_w_per_hz=1e-9,
        bits_per_token=16,
        padded_prompt_tokens=padded,
        downlink_rule=rule,
        source="edgeopt.testing",
        latency=latency,
    )


def _reading(node: Node, requests: Requests, padded: int, share: float | None) -> Node:
    """The node with a memory that some requests and the weights keep busy as long as computing; as is without share."""
    if share is None:
        return node
    longest = int(requests.output_tokens.max(initial=1))
    read = (longest - 1) * weight_bytes(node) + len(requests) * cache_bytes(node, padded, longest) / 2 + 1
    work = max(1, len(requests)) * node.model.flops(padded, longest)
    speed = float(as_fraction(share) * read * as_fraction(node.compute_flops) / work)
    return replace(node, memory_bandwidth_byte_per_s=max(speed, 1e-200))


def _size(least: int, most: int) -> SearchStrategy[int]:
    """How many requests: more often many than few, shrinking to few."""
    return st.integers(least, most) | st.integers((least + 2 * most) // 3, most)


class _Request(NamedTuple):
    """A request before its numbers have units.

    A deadline of `steps` leaves that many steps for computing; `channel` gives the places in `_SNR` of uplink
    and downlink at the first node, and the stride to the next; bits of `uncovered` are nodes, of `accepts` models.
    """

    prompt: int
    output: int
    steps: int
    channel: tuple[int, int, int]
    waits: int = 0
    accuracy: float = 0.0
    uncovered: int = 0
    accepts: int = 0


def _request(rough: bool, padded: int, lengths: Sequence[int]) -> SearchStrategy[_Request]:
    place = st.integers(0, len(_SNR) - 1)
    parts: tuple[SearchStrategy[Any], ...] = (
        st.integers(1, padded),
        st.sampled_from(lengths),
        st.sampled_from((2, 3, 4, 5, 6, 2, 3, 1, 0, -1) if rough else (2, 3, 4, 5, 6, 2, 3)),
        st.tuples(place, place, st.integers(0, 2)),
    )
    if rough:
        parts += (
            st.sampled_from((0, 0, 0, 1)),
            st.sampled_from((0.0, 0.46, 0.47, 1.0)),
            st.sampled_from((0, 0, 0, 0, 0, *range(1, 8))),
            st.sampled_from((0, 0, 0, *range(1, 8))),
        )
    return st.tuples(*parts).map(lambda fields: _Request(*fields))


class _Host(NamedTuple):
    """A node before it has numbers: `room` is the share of the requests that its resources suffice for.

    `more` says how many average requests uplink, downlink, memory and speed take beyond that; None for none at
    all, infinity for everything.
    """

    model: TransformerModel
    scheme: Quantization
    room: Fraction
    more: tuple[float | None, ...]


def _host(rough: bool) -> SearchStrategy[_Host]:
    more: tuple[float | None, ...] = (0, 0.5, 0, -0.5, 0.25, 1, 0, math.inf)
    parts = (
        st.sampled_from(_MODELS),
        st.sampled_from(_SCHEMES),
        st.integers(4, 9).map(lambda sixteenths: Fraction(sixteenths, 16)),
        st.tuples(*[st.sampled_from(more * 4 + (None,) if rough else more)] * 4),
    )
    return st.tuples(*parts).map(lambda fields: _Host(*fields))


def _node(
    name: str,
    host: _Host,
    requests: Requests,
    padded: int,
    scale: tuple[Fraction, Fraction, Fraction],
    rule: DownlinkRule,
    index: int,
) -> Node:
    """The node `index` with the numbers that give its resources their room."""
    slot, step, noise = scale
    model, scheme = host.model, host.scheme
    count = len(requests)

    def need(demand: FloatArray, more: float | None) -> int:
        """Room for so many median demands, and for the largest one unless there is none at all."""
        finite = demand[np.isfinite(demand)]
        if not len(finite) or more is None:
            return 0
        room = max(host.room * count, Fraction(2)) + Fraction(min(more, count))
        return math.ceil(max(room * Fraction(float(np.median(finite))), Fraction(float(finite.max()))))

    efficiency = [np.log2(1 + gain[index] / float(noise)) for gain in (requests.uplink_gain, requests.downlink_gain)]
    outputs = requests.output_tokens.astype(np.float64)
    if rule == "worst-channel" and np.isfinite(efficiency[1]).any():
        efficiency[1] = np.full(count, np.nanmin(efficiency[1]))
    work = np.array([-(-model.flops(padded, int(n)) // FLOP_UNIT) for n in outputs], dtype=np.float64)
    # Bands (tokens a slot at one bit/s/Hz), memory (tokens) and work (MFLOP) are whole numbers.
    bands = [
        max(1, need(requests.prompt_tokens / efficiency[0], host.more[0])),
        max(1, need(outputs / efficiency[1], host.more[1])),
    ]
    cached, budget = need(padded + outputs, host.more[2]), need(work, host.more[3]) * FLOP_UNIT
    hertz = [Fraction(16 * tokens) / slot for tokens in bands]
    power = [float(band * Fraction(1, 10**9) / noise) for band in hertz]
    weights, cache = Fraction(str(scheme.weight_factor)), Fraction(str(scheme.cache_factor))
    memory = weights * model.weight_bytes() + cache * model.cache_bytes_per_token() * cached
    return Node(
        name=name,
        model=model,
        quantization=scheme,
        compute_flops=float(budget * Fraction(str(scheme.time_factor)) / (2 * step)),
        memory_bytes=float(memory) if cached else 0.0,
        uplink_bandwidth_hz=float(hertz[0]),
        downlink_bandwidth_hz=float(hertz[1]),
        user_power_w=power[0],
        node_power_w=power[1],
    )


@st.composite
def node_problems(
    draw: DrawFn,
    *,
    min_requests: int = 0,
    max_requests: int = 8,
    max_classes: int = 3,
    downlink_rules: Sequence[DownlinkRule] = RULES,
    latencies: Sequence[Latency] = ("flops",),
) -> NodeProblem:
    """Single-node problems in small integers, with ties, and capacities that bind.

    Parameters
    ----------
    min_requests, max_requests, max_classes : int
        Requests that cannot run alone are dropped, as the compiled form does, so there may be fewer.
    downlink_rules : sequence of {"worst-channel", "per-user"}
    latencies : sequence of {"flops", "roofline"}
    """
    count = draw(_size(min_requests, max_requests))
    classes = draw(st.integers(1, max_classes))

    def column(least: int, most: int, length: int = count) -> IntArray:
        return np.array(draw(st.lists(st.integers(least, most), min_size=length, max_size=length)), dtype=np.int64)

    tokens = np.cumsum(column(1, 4, classes))
    compute = np.cumsum(column(1, 8, classes))
    memory = tokens + draw(st.integers(1, 6))
    kind = column(0, classes - 1)
    uplink = column(1, 9)
    downlink = column(1, 9) if draw(st.sampled_from(tuple(downlink_rules))) == "per-user" else None
    tight = Fraction(draw(st.integers(3, 7)), 8)

    def capacity(demand: IntArray) -> int:
        """A share of all demand: the common tightness or a little off it, at times all or one short of the largest."""
        share = draw(st.sampled_from((tight, tight, tight + Fraction(1, 8), tight - Fraction(1, 8), Fraction(1))))
        return max(
            math.floor(int(demand.sum()) * share), int(demand.max(initial=0)) - draw(st.sampled_from((0, 0, 0, 1)))
        )

    work = compute[kind]
    later = [Fraction(quarters, 4) for quarters in column(3, 7).tolist()]
    budget = np.array([math.floor(int(work.sum()) * tight * late) for late in later], dtype=np.int64)
    stream = fixed = None
    if draw(st.sampled_from(tuple(latencies))) == "roofline":
        stream, fixed = column(0, 6, classes), np.cumsum(column(0, 6, classes))
    whole = NodeProblem(
        name="drawn",
        request=np.cumsum(1 + column(0, 1)) - 1,
        length_class=kind,
        uplink=uplink,
        budget=budget,
        downlink=downlink,
        class_tokens=tokens,
        class_memory=memory,
        class_compute=compute,
        uplink_capacity=capacity(uplink),
        downlink_capacity=capacity(tokens[kind] if downlink is None else downlink),
        memory_capacity=capacity(memory[kind]),
        class_stream=stream,
        class_fixed=fixed,
    )
    alone = np.array([whole.fits(np.array([place])) for place in range(count)], dtype=bool)
    return whole.restricted(alone)


@st.composite
def schedules(draw: DrawFn, instance: BatchingInstance, *, disjoint: bool = True) -> Schedule:
    """Schedules of an instance, feasible or not.

    Parameters
    ----------
    instance : BatchingInstance
    disjoint : bool
        Whether every request runs on at most one node, which is a constraint like the others.
    """
    count, nodes = len(instance.requests), len(instance.nodes)
    if not disjoint:
        anything = st.lists(st.integers(0, count - 1), max_size=2 * count) if count else st.just([])
        return Schedule.of(draw(st.lists(anything, min_size=nodes, max_size=nodes)))
    where = draw(st.lists(st.integers(-1, nodes - 1), min_size=count, max_size=count))
    return Schedule.of([[request for request, node in enumerate(where) if node == index] for index in range(nodes)])
