"""Batching instances from a seed: the paper's setting (section V-A), stress regimes and corners.

Draws come from numpy's PCG64, whose stream is the same on every machine; every field is rounded to six
significant digits, so that the last bit of a machine's logarithm does not reach the file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.batching.instance import (
    MOST_TOKENS,
    BatchingInstance,
    DownlinkRule,
    FloatArray,
    Latency,
    Node,
    Requests,
    accept_columns,
)
from edgeopt.instances.batching.node import IntArray
from edgeopt.instances.batching.roofline import cache_bytes, weight_bytes
from edgeopt.system import catalogue
from edgeopt.system.hardware import lookup as hardware
from edgeopt.system.path_loss import free_space_gain, manhattan_gain
from edgeopt.system.quantization import Quantization, quantization
from edgeopt.system.radio import THERMAL_NOISE_DBM_PER_HZ, dbm_to_watt, spectral_efficiency
from edgeopt.system.transformer import TransformerModel

Regime = Literal["paper", "compute", "both", "all", "fixed"]
REGIMES: tuple[Regime, ...] = ("paper", "compute", "both", "all", "fixed")

SERVER_MEAN_GAIN = 1e-3
"""Mean power gain of the server's Rayleigh channel (section V-A, read as E[h^2])."""
UAV_HEIGHT_M, UAV_CARRIER_HZ = 100.0, 2.4e9
AREA_M = 400.0
"""Users are uniform on a square of this side; its centre is below the UAV."""
VEHICLE_BLOCK_M = 50.0
"""Road-side stations are spread over blocks of this half-width around the vehicle."""
MOST_REQUESTS = 10**7


def rounded(values: FloatArray) -> FloatArray:
    """Six significant digits, so that files are short and the same on every machine."""
    return np.array([float(f"{value:.5e}") for value in values.ravel().tolist()]).reshape(values.shape)


def generate(
    *,
    seed: int = 0,
    nodes: int = 3,
    requests: int | None = None,
    rate: float = 50.0,
    epoch: float = 2.0,
    deadline: tuple[float, float] = (1.5, 2.0),
    model: str | Sequence[str] = "bloom-3b",
    quantization_name: str = "w8a16",
    prompt_levels: Sequence[int] = (128, 256, 512),
    output_levels: Sequence[int] = (128, 256, 512),
    waiting: Literal["zero", "uniform"] = "zero",
    downlink_rule: DownlinkRule = "worst-channel",
    regime: Regime = "paper",
    load: float = 0.3,
    corner: str | None = None,
    latency: Latency = "flops",
    name: str | None = None,
) -> BatchingInstance:
    """Make a batching instance.

    Parameters
    ----------
    seed : int
        Seed of everything random.
    nodes : int
        Number of nodes; they cycle through edge server, UAV and vehicle.
    requests : int, optional
        Number of requests; a Poisson draw of ``rate * epoch`` when not given.
    rate : float
        Arrival rate (1/s); the paper uses 5 to 250.
    epoch : float
        Length of the epoch (s); the slots ``TU = TD`` take 0.25 s each.
    deadline : (float, float)
        Least and largest latency limit (s), uniform between.
    model : str or sequence of str
        Catalogue name; with several, node ``j`` hosts the ``j``-th (cyclic) and each request accepts a
        random non-empty subset.
    quantization_name : str
        Built-in scheme, such as ``w8a16``.
    prompt_levels, output_levels : sequence of int
        Lengths (tokens) drawn uniformly; prompts are padded to the longest level.
    waiting : {"zero", "uniform"}
        Time already waited: none, or uniform over the epoch.
    downlink_rule : {"worst-channel", "per-user"}
    regime : {"paper", "compute", "both", "all", "fixed"}
        The literal setting of V-A, in which only compute binds; or capacities rescaled so that compute,
        uplink and compute, or all four resources bind for about `load` of the requests over all nodes
        (`fixed`: for about 12 requests a node whatever their number).
    load : float
        Share of the requests that the rescaled capacities let in, over all nodes.
    corner : str, optional
        One of `CORNERS`: an adversarial change of the drawn instance.
    latency : {"flops", "roofline"}
        How long a batch takes: the paper's count of FLOPs, or a roofline with the memory bandwidth of the GPUs.
    name : str, optional

    Raises
    ------
    InstanceError
        If an option is out of range.
    """
    models = [catalogue.lookup(m) for m in ([model] if isinstance(model, str) else model)]
    _check_options(seed, nodes, requests, rate, epoch, deadline, regime, load, corner)
    _check_choices(len(models), prompt_levels, output_levels, waiting)
    rng = np.random.default_rng(seed)
    count = int(rng.poisson(rate * epoch)) if requests is None else requests
    hosts = [
        make_node(j, models[j % len(models)], quantization(quantization_name, models[j % len(models)].name), latency)
        for j in range(nodes)
    ]
    up, down = _channels(rng, hosts, count)
    accepts, accept_sets = _accepted(rng, sorted({host.model.name for host in hosts}), count)
    drawn = Requests(
        prompt_tokens=rng.choice(np.array(prompt_levels, dtype=np.int64), count),
        output_tokens=rng.choice(np.array(output_levels, dtype=np.int64), count),
        deadline_s=rounded(rng.uniform(*deadline, count)),
        waiting_s=rounded(rng.uniform(0.0, epoch, count)) if waiting == "uniform" else np.zeros(count),
        accuracy=rounded(rng.uniform(0.0, 1.0, count)),
        accepts=accepts,
        accept_sets=accept_sets,
        uplink_gain=up,
        downlink_gain=down,
    )
    instance = BatchingInstance(
        name=name or f"{regime}-{nodes}nodes-{count}-seed{seed}",
        nodes=tuple(hosts),
        requests=drawn,
        uplink_slot_s=0.25,
        compute_slot_s=epoch,
        downlink_slot_s=0.25,
        epoch_s=epoch,
        noise_w_per_hz=float(f"{float(dbm_to_watt(THERMAL_NOISE_DBM_PER_HZ)):.5e}"),
        bits_per_token=16,
        padded_prompt_tokens=max(prompt_levels),
        downlink_rule=downlink_rule,
        source=f"edgeopt generate batching, {regime} setting, seed {seed}",
        latency=latency,
    )
    instance = rescaled(instance, regime, load)
    return CORNERS[corner](instance) if corner else instance


def _require(good: bool, text: str) -> None:
    if not good:
        raise InstanceError(f"generate batching: {text}")


def _check_options(
    seed: int,
    nodes: int,
    requests: int | None,
    rate: float,
    epoch: float,
    deadline: tuple[float, float],
    regime: str,
    load: float,
    corner: str | None,
) -> None:
    _require(seed >= 0, f"seed = {seed}: must be 0 or more")
    _require(1 <= nodes <= 1000, f"nodes = {nodes}: must be from 1 to 1000")
    if requests is not None:
        _require(0 <= requests <= MOST_REQUESTS, f"requests = {requests}: must be from 0 to {MOST_REQUESTS}")
    _require(0 <= rate <= MOST_REQUESTS, f"rate = {rate} (1/s): must be from 0 to {MOST_REQUESTS}")
    _require(0 < epoch < float("inf"), f"epoch = {epoch} (s): must be > 0")
    if requests is None:
        most = f"must be at most {MOST_REQUESTS} requests"
        _require(rate * epoch <= MOST_REQUESTS, f"rate = {rate} (1/s) times epoch = {epoch} (s): {most}")
    _require(0 < deadline[0] <= deadline[1] < float("inf"), f"deadline = {deadline} (s): must be 0 < least <= largest")
    _require(regime in REGIMES, f"regime = {regime!r}: must be one of {', '.join(REGIMES)}")
    _require(0 < load <= 1, f"load = {load}: must be over 0 and at most 1")
    _require(corner is None or corner in CORNERS, f"corner = {corner!r}: must be one of {', '.join(CORNERS)}")


def _check_choices(models: int, prompt_levels: Sequence[int], output_levels: Sequence[int], waiting: str) -> None:
    _require(models >= 1, "model = []: must name at least one model")
    for field, levels in (("prompt_levels", prompt_levels), ("output_levels", output_levels)):
        good = len(levels) and all(1 <= level <= MOST_TOKENS for level in levels)
        _require(bool(good), f"{field} = {list(levels)} (tokens): must be one or more from 1 to {MOST_TOKENS}")
    _require(waiting in ("zero", "uniform"), f"waiting = {waiting!r}: must be 'zero' or 'uniform'")


HOSTS = (("server", 20, 20e6, 20.0, 43.0), ("uav", 1, 1e6, 10.0, 10.0), ("vehicle", 3, 2e6, 30.0, 23.0))
"""Kinds of node in section V-A: name, GPUs, band (Hz), transmit power of a user and of the node (dBm)."""
GPU = "jetson-tx2"


def make_node(index: int, model: TransformerModel, scheme: Quantization, latency: Latency = "flops") -> Node:
    """Edge server (20 GPUs), UAV (1) or vehicle (3) of section V-A, each with Jetson TX2 GPUs."""
    kind, gpus, band, user_dbm, node_dbm = HOSTS[index % 3]
    device = hardware(GPU).gang(gpus)
    return Node(
        name=kind if index < 3 else f"{kind}-{index // 3 + 1}",
        model=model,
        quantization=scheme,
        compute_flops=device.compute_flop_per_s,
        memory_bytes=float(device.memory_bytes),
        uplink_bandwidth_hz=band,
        downlink_bandwidth_hz=band,
        user_power_w=float(f"{float(dbm_to_watt(user_dbm)):.5e}"),
        node_power_w=float(f"{float(dbm_to_watt(node_dbm)):.5e}"),
        memory_bandwidth_byte_per_s=None if latency == "flops" else device.memory_bandwidth_byte_per_s,
    )


def _channels(rng: np.random.Generator, hosts: Sequence[Node], count: int) -> tuple[FloatArray, FloatArray]:
    """Power gains (J, I) of both directions: Rayleigh, free space, Manhattan grid with shadowing."""
    up, down = np.empty((len(hosts), count)), np.empty((len(hosts), count))
    place = rng.uniform(-AREA_M / 2, AREA_M / 2, (2, count))
    for j, host in enumerate(hosts):
        up[j], down[j] = channel(rng, host, place, count)
    tiny = np.finfo(np.float64).tiny
    return rounded(np.maximum(up, tiny * 1e10)), rounded(np.maximum(down, tiny * 1e10))


def channel(
    rng: np.random.Generator, host: Node, place: FloatArray, count: int, street: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Power gains (I,) of uplink and downlink to one node.

    Parameters
    ----------
    rng : numpy.random.Generator
    host : Node
        Its name says of which kind of `HOSTS` it is.
    place : (2, I) float64
        Where the users are (m), with the UAV above the origin.
    count : int
        Users ``I``.
    street : (2, I) float64, optional
        Where the road-side stations are from the vehicle (m); drawn where not given.
    """
    if host.name.startswith("server"):
        up, down = SERVER_MEAN_GAIN * rng.exponential(1.0, (2, count))
    elif host.name.startswith("uav"):
        up = down = free_space_gain(np.sqrt(UAV_HEIGHT_M**2 + place[0] ** 2 + place[1] ** 2), UAV_CARRIER_HZ)
    else:
        corner = rng.uniform(-VEHICLE_BLOCK_M, VEHICLE_BLOCK_M, (2, count)) if street is None else street
        up, down = manhattan_gain(*corner) * 10.0 ** (rng.normal(0.0, 3.0, (2, count)) / 10.0)
    return up, down


def _accepted(
    rng: np.random.Generator, hosted: list[str], count: int
) -> tuple[IntArray, tuple[tuple[str, ...] | None, ...]]:
    if len(hosted) == 1:
        return np.zeros(count, dtype=np.int64), (None,)
    wanted = rng.random((count, len(hosted))) < 0.6
    wanted[~wanted.any(axis=1)] = True
    return accept_columns([tuple(np.array(hosted)[row].tolist()) for row in wanted])


def rescaled(instance: BatchingInstance, regime: Regime, load: float) -> BatchingInstance:
    """Capacities such that about `load` of the requests fit, with the resources of `regime` scarce.

    The ``paper`` setting and an instance without requests stay as they are. Bands scale together with the
    transmit power, so the spectral efficiency stays as drawn.
    """
    requests = instance.requests
    count = len(requests)
    if regime == "paper" or not count:
        return instance
    each = 12.0 if regime == "fixed" else max(1.0, load * count / len(instance.nodes))
    loose = 50.0
    slots_s = instance.uplink_slot_s + instance.downlink_slot_s
    budget_s = min(float(np.median(requests.deadline_s)) - slots_s, instance.compute_slot_s)
    hosts = []
    for j, host in enumerate(instance.nodes):
        work = float(
            np.mean(
                [host.model.flops(instance.padded_prompt_tokens, int(n)) for n in np.unique(requests.output_tokens)]
            )
        )
        tight_compute = 0.95 if regime in ("both", "all") else 1.25
        speed = tight_compute * each * work * host.quantization.time_factor / max(budget_s, 0.1)
        efficiency = spectral_efficiency(
            host.user_power_w, requests.uplink_gain[j], instance.noise_w_per_hz, host.uplink_bandwidth_hz
        )
        need = np.sort(requests.prompt_tokens * instance.bits_per_token / instance.uplink_slot_s / efficiency)
        band = need[: int(min(count, each + 1))].sum() * (loose if regime == "compute" else 1.6)
        worst = spectral_efficiency(
            host.node_power_w, requests.downlink_gain[j].min(), instance.noise_w_per_hz, host.downlink_bandwidth_hz
        )
        tokens = each * float(requests.output_tokens.mean())
        down = tokens * (0.85 if regime == "all" else loose) * instance.bits_per_token / instance.downlink_slot_s
        speed, reading = _memory_speed(instance, host, each, speed, budget_s / tight_compute)
        cached = each * (instance.padded_prompt_tokens + float(requests.output_tokens.mean()))
        cache = host.quantization.cache_factor * host.model.cache_bytes_per_token()
        weights = host.quantization.weight_factor * host.model.weight_bytes()
        memory = weights + cache * cached * (0.92 if regime == "all" else loose)
        up_hz, down_hz, flops, bytes_ = rounded(np.array([band, down / float(worst), speed, memory])).tolist()
        hosts.append(
            replace(
                host,
                compute_flops=flops,
                memory_bytes=bytes_,
                user_power_w=float(f"{host.user_power_w * up_hz / host.uplink_bandwidth_hz:.5e}"),
                node_power_w=float(f"{host.node_power_w * down_hz / host.downlink_bandwidth_hz:.5e}"),
                memory_bandwidth_byte_per_s=reading,
                uplink_bandwidth_hz=up_hz,
                downlink_bandwidth_hz=down_hz,
            )
        )
    return replace(instance, nodes=tuple(hosts))


def _memory_speed(
    instance: BatchingInstance, host: Node, each: float, speed: float, budget_s: float
) -> tuple[float, float | None]:
    """Speeds of computing (FLOP/s) and reading (B/s) such that both are scarce under the roofline latency.

    Reading gets a quarter of the time that `each` average requests may take, beside their prefill; computing is made
    faster where prefill would leave it less.
    """
    if instance.latency != "roofline":
        return speed, host.memory_bandwidth_byte_per_s
    outputs = np.unique(instance.requests.output_tokens).tolist()
    padded = instance.padded_prompt_tokens
    prefill_s = each * host.model.prefill_flops(padded) * host.quantization.time_factor / speed
    faster = max(1.0, prefill_s / (0.75 * max(budget_s, 0.1)))
    left_s = max(budget_s, 0.1) - prefill_s / faster
    cache = each * float(np.mean([cache_bytes(host, padded, n) for n in outputs]))
    weights = (max(outputs) - 1) * float(weight_bytes(host))
    read = float(f"{max(cache + weights, 1.0) / left_s:.5e}")
    return speed * faster, read


def _each_node(instance: BatchingInstance, **scale: float) -> BatchingInstance:
    nodes = tuple(
        replace(node, **{field: getattr(node, field) * factor for field, factor in scale.items()})
        for node in instance.nodes
    )
    return replace(instance, nodes=nodes)


def _columns(instance: BatchingInstance, **columns: object) -> BatchingInstance:
    return replace(instance, requests=replace(instance.requests, **columns))  # type: ignore[arg-type]


def _no_requests(instance: BatchingInstance) -> BatchingInstance:
    columns = {name: column[..., :0].copy() for name, column in instance.requests.columns().items()}
    return _columns(instance, **columns)


def _identical(instance: BatchingInstance) -> BatchingInstance:
    columns = {
        name: np.repeat(column[..., :1], len(instance.requests), axis=-1)
        for name, column in instance.requests.columns().items()
    }
    return _columns(instance, **columns)


def _few_values(instance: BatchingInstance) -> BatchingInstance:
    """Ties everywhere: two deadlines, and per node two channels."""
    requests = instance.requests
    pick = np.arange(len(requests)) % 2 if len(requests) > 1 else np.zeros(len(requests), dtype=np.int64)
    return _columns(
        instance,
        deadline_s=requests.deadline_s[pick],
        uplink_gain=requests.uplink_gain[:, pick],
        downlink_gain=requests.downlink_gain[:, pick],
    )


def _uncovered(instance: BatchingInstance) -> BatchingInstance:
    up, down = instance.requests.uplink_gain.copy(), instance.requests.downlink_gain.copy()
    up[:, ::2], down[:, ::2] = np.nan, np.nan
    return _columns(instance, uplink_gain=up, downlink_gain=down)


def _hopeless_users(instance: BatchingInstance) -> BatchingInstance:
    deadline = instance.requests.deadline_s.copy()
    deadline[::3] = instance.uplink_slot_s / 2
    gain = instance.requests.uplink_gain.copy()
    gain[:, 1::3] = 1e-300
    return _columns(instance, deadline_s=deadline, uplink_gain=gain)


CORNERS: dict[str, Callable[[BatchingInstance], BatchingInstance]] = {
    "no-requests": _no_requests,
    "zero-compute": lambda i: _each_node(i, compute_flops=0.0),
    "zero-memory": lambda i: _each_node(i, memory_bytes=0.0),
    "narrow-band": lambda i: _each_node(i, uplink_bandwidth_hz=1e-6, user_power_w=1e-6),
    "one-class": lambda i: _columns(i, output_tokens=np.full(len(i.requests), 128, dtype=np.int64)),
    "equal-deadlines": lambda i: _columns(i, deadline_s=np.full(len(i.requests), 1.75)),
    "identical-requests": _identical,
    "ties": _few_values,
    "uncovered": _uncovered,
    "hopeless-users": _hopeless_users,
    "huge-units": lambda i: _each_node(i, compute_flops=1e9, memory_bytes=1e9, uplink_bandwidth_hz=1e9),
    "tiny-units": lambda i: _each_node(i, compute_flops=1e-9, memory_bytes=1e-9, uplink_bandwidth_hz=1e-9),
}
"""Adversarial changes of a drawn instance, by name."""
