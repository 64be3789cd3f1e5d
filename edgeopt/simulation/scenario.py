"""What is simulated: traffic, nodes, slots and the rules of the clock, from a seed."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeopt.errors import InstanceError
from edgeopt.instances.batching.compiled import accurate, memory_tokens
from edgeopt.instances.batching.generate import HOSTS, make_node, rounded
from edgeopt.instances.batching.instance import DownlinkRule, FloatArray, Latency, Node
from edgeopt.instances.batching.roofline import batch_latency_s
from edgeopt.instances.batching.trace import from_trace, read_trace, unloaded_latency_s
from edgeopt.simulation.traffic import TIME_DIGITS, Traffic, poisson
from edgeopt.system import catalogue
from edgeopt.system.quantization import quantization
from edgeopt.system.radio import THERMAL_NOISE_DBM_PER_HZ, dbm_to_watt

Waiting = Literal["zero", "actual"]

NOISE_W_PER_HZ = float(f"{float(dbm_to_watt(THERMAL_NOISE_DBM_PER_HZ)):.5e}")
BITS_PER_TOKEN = 16
LEAST_SLOT_S = 1e-6
"""Shortest slot and epoch (s); times are whole nanoseconds."""


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots of an epoch (s).

    Attributes
    ----------
    uplink_s, compute_s, downlink_s : float
        ``T_U``, ``T_C``, ``T_D``. Each compute slot begins where the last one ends, so ``T_C`` is the epoch.
    """

    uplink_s: float
    compute_s: float
    downlink_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """Everything that a simulation needs but the policy.

    Attributes
    ----------
    nodes : tuple of Node
    gpus : tuple of int
        GPUs of each node, for the policy without batching.
    traffic : Traffic
    slots : Slots
        At the start; fixed unless `adapt_every`.
    waiting : {"zero", "actual"}
        Whether the time until the first epoch begins counts against a deadline. Later epochs always do.
    latency : {"flops", "roofline"}
    downlink_rule : {"worst-channel", "per-user"}
    warmup_s, end_s : float
        Requests that arrive from `warmup_s` on and before `end_s` are counted (s).
    adapt_every : int
        Epochs after which the slots are adapted to the load; 0 leaves them fixed.
    seed : int
        Of channels and of everything random in policies.
    """

    nodes: tuple[Node, ...]
    gpus: tuple[int, ...]
    traffic: Traffic
    slots: Slots
    waiting: Waiting
    latency: Latency
    downlink_rule: DownlinkRule
    warmup_s: float
    end_s: float
    adapt_every: int
    seed: int

    def __post_init__(self) -> None:
        slots = self.slots
        for name in ("uplink_s", "compute_s", "downlink_s"):
            length = getattr(slots, name)
            _require(LEAST_SLOT_S <= length < math.inf, f"slots.{name} = {length} (s): must be {LEAST_SLOT_S} or more")
        longest = max(slots.uplink_s, slots.downlink_s)
        _require(longest <= slots.compute_s, f"slots of {longest} s: must be within the epoch of {slots.compute_s} s")
        _require(self.adapt_every >= 0, f"adapt_every = {self.adapt_every} (epochs): must be 0 or more")
        _require(self.waiting in ("zero", "actual"), f"waiting = {self.waiting!r}: must be 'zero' or 'actual'")
        _require(len(self.gpus) == len(self.nodes), f"gpus = {self.gpus}: must be one number a node")

    @property
    def counted(self) -> NDArray[np.bool_]:
        """(I,) requests that arrive after the warm-up and before the end."""
        arrival = self.traffic.arrival_s
        mask: NDArray[np.bool_] = (arrival >= self.warmup_s) & (arrival < self.end_s)
        return mask

    def accurate(self, node: Node) -> NDArray[np.bool_]:
        """(I,) requests whose accuracy a node meets (12e)."""
        return accurate(self.traffic.accuracy, node)

    def alone_s(self) -> FloatArray:
        """(I,) least time (s) that computing takes, alone on the fastest node with the accuracy and the memory."""
        tokens, kind = np.unique(self.traffic.output_tokens, return_inverse=True)
        best = np.full(len(self.traffic), np.inf)
        for node in self.nodes:
            if node.compute_flops > 0:
                padded = self.traffic.padded_prompt_tokens
                times = [batch_latency_s(node, self.latency, padded, [int(n)]) for n in tokens]
                met = self.accurate(node) & (padded + self.traffic.output_tokens <= memory_tokens(node))
                best[met] = np.minimum(best, np.array(times)[kind.reshape(-1)])[met]
        return best


def _require(good: bool, text: str) -> None:
    if not good:
        raise InstanceError(f"simulate: {text}")


def scenario(
    *,
    seed: int = 0,
    rate: float = 50.0,
    epochs: int = 50,
    warmup: int = 5,
    epoch: float = 2.0,
    uplink_slot_s: float = 0.25,
    downlink_slot_s: float = 0.25,
    deadline: tuple[float, float] = (1.5, 2.0),
    accuracy: tuple[float, float] = (0.0, 1.0),
    nodes: int = 3,
    model: str | Sequence[str] = "bloom-3b",
    quantization_name: str = "w8a16",
    prompt_levels: Sequence[int] = (128, 256, 512),
    output_levels: Sequence[int] = (128, 256, 512),
    waiting: Waiting = "zero",
    latency: Latency = "flops",
    downlink_rule: DownlinkRule = "worst-channel",
    adapt_every: int = 0,
    trace: str | None = None,
    start_s: float = 0.0,
    rate_scale: float = 1.0,
    padded_prompt_tokens: int | None = None,
    levels: int = 8,
    slack: float = 3.0,
) -> Scenario:
    """Make a scenario: the setting of section V-A unless it says otherwise.

    Parameters
    ----------
    seed : int
        Seed of everything random; the same for all policies, so that they see the same requests and channels.
    rate : float
        Arrival rate of the Poisson process (1/s).
    epochs, warmup : int
        Epochs in which arrivals are counted, and those before that are not.
    epoch : float
        Length of the epoch and of the compute slot ``T_C`` (s).
    uplink_slot_s, downlink_slot_s : float
        Slots ``T_U`` and ``T_D`` (s).
    deadline : (float, float)
        Least and largest latency limit (s), uniform between.
    accuracy : (float, float)
        Least and largest required accuracy, uniform between.
    nodes : int
        Number of nodes; they cycle through edge server, UAV and vehicle.
    model : str or sequence of str
        Catalogue name of the model that every node hosts; with several, node j hosts the j-th (cyclic).
    quantization_name : str
        Built-in scheme, such as ``w8a16``.
    prompt_levels, output_levels : sequence of int
        Lengths (tokens) drawn uniformly; prompts are padded to the longest level.
    waiting : {"zero", "actual"}
        Whether the time until the next epoch begins counts: not (the paper's calibration), or as it is.
    latency : {"flops", "roofline"}
        How long a batch takes: the paper's count of FLOPs, or a roofline.
    downlink_rule : {"worst-channel", "per-user"}
        How the downlink is planned.
    adapt_every : int
        Adapt the slots to the observed load every so many epochs; 0 leaves them fixed.
    trace : str, optional
        CSV file of an LLM trace (TIMESTAMP,ContextTokens,GeneratedTokens) whose arrivals and lengths are taken
        instead of the Poisson process; rate, levels and deadlines above do not count then. Epochs beyond its end
        are left out.
    start_s : float
        Where in the trace the simulation begins (s after its first request).
    rate_scale : float
        By how much the arrivals of the trace are sped up.
    padded_prompt_tokens : int, optional
        Longest prompt of the trace that is taken (tokens); all are without.
    levels : int
        Output lengths of the trace are rounded up to so many levels.
    slack : float
        Deadlines of the trace's requests: unloaded latency times this.

    Raises
    ------
    InstanceError
        If an option is out of range, or the trace cannot be used.
    """
    _require(seed >= 0, f"seed = {seed}: must be 0 or more")
    _require(epochs >= 1, f"epochs = {epochs}: must be 1 or more")
    _require(warmup >= 0, f"warmup = {warmup} (epochs): must be 0 or more")
    _require(LEAST_SLOT_S <= epoch < math.inf, f"epoch = {epoch} (s): must be {LEAST_SLOT_S} or more")
    _require(0 < deadline[0] <= deadline[1] < math.inf, f"deadline = {deadline} (s): must be 0 < least <= largest")
    _require(0 <= accuracy[0] <= accuracy[1] <= 1, f"accuracy = {accuracy}: must be within 0 and 1, least first")
    _require(1 <= nodes <= 1000, f"nodes = {nodes}: must be from 1 to 1000")
    models = [catalogue.lookup(name) for name in ([model] if isinstance(model, str) else model)]
    _require(bool(models), "model = []: must name at least one model")
    for name, given in (("prompt_levels", prompt_levels), ("output_levels", output_levels)):
        _require(len(given) > 0 and min(given) >= 1, f"{name} = {list(given)} (tokens): must be one or more from 1 up")
    duration = round((warmup + epochs) * epoch, TIME_DIGITS)
    hosts = [models[j % len(models)] for j in range(nodes)]
    made = tuple(
        make_node(j, host, quantization(quantization_name, host.name), latency) for j, host in enumerate(hosts)
    )
    if trace is None:
        traffic = poisson(
            seed,
            rate=rate,
            duration_s=duration,
            deadline=deadline,
            accuracy=accuracy,
            prompt_levels=prompt_levels,
            output_levels=output_levels,
        )
    else:
        duration = _within_trace(trace, start_s, rate_scale, duration, epoch, warmup)
        traffic = _from_trace(
            trace,
            duration,
            accuracy,
            start_s=start_s,
            rate_scale=rate_scale,
            padded_prompt_tokens=padded_prompt_tokens,
            output_levels=levels,
            slack=slack,
            seed=seed,
            nodes=nodes,
            model=model,
            quantization_name=quantization_name,
            latency=latency,
            slots=Slots(uplink_slot_s, epoch, downlink_slot_s),
        )
    return Scenario(
        nodes=made,
        gpus=tuple(HOSTS[j % len(HOSTS)][1] for j in range(nodes)),
        traffic=traffic,
        slots=Slots(uplink_slot_s, epoch, downlink_slot_s),
        waiting=waiting,
        latency=latency,
        downlink_rule=downlink_rule,
        warmup_s=round(warmup * epoch, TIME_DIGITS),
        end_s=duration,
        adapt_every=adapt_every,
        seed=seed,
    )


def _within_trace(path: str, start_s: float, rate_scale: float, duration_s: float, epoch: float, warmup: int) -> float:
    """The duration (s), cut to the whole epochs that the trace fills."""
    _require(0 <= start_s < math.inf, f"start_s = {start_s} (s): must be a finite number from 0 up")
    _require(1e-9 <= rate_scale <= 1e9, f"rate_scale = {rate_scale}: must be from 1e-9 to 1e9")
    last_s = float(read_trace(path).arrival_ns[-1]) / 1e9
    whole = math.floor((last_s - start_s) / rate_scale / epoch)
    if whole * epoch >= duration_s:
        return duration_s
    _require(
        whole > warmup,
        f"{path} ends {last_s:.6g} s after its first request: from {start_s:g} s on at {rate_scale:g} times its rate, "
        f"no epoch of {epoch:g} s is left after {warmup} of warm-up",
    )
    return round(whole * epoch, TIME_DIGITS)


def _from_trace(
    path: str | os.PathLike[str],
    duration_s: float,
    accuracy: tuple[float, float],
    *,
    slots: Slots,
    slack: float,
    **options: object,
) -> Traffic:
    """The requests of a window of a trace, by the rule of `edgeopt.instances.batching.trace.from_trace`.

    Every seed has the same requests, and accuracies of its own. Deadlines go by the slots of the simulation.
    """
    window = from_trace(path, window_s=duration_s, waiting="actual", slack=slack, **options)  # type: ignore[arg-type]
    requests = window.requests
    unloaded = unloaded_latency_s(replace(window, uplink_slot_s=slots.uplink_s, downlink_slot_s=slots.downlink_s))
    arrival = np.round(duration_s - requests.waiting_s, TIME_DIGITS)
    seed = options["seed"]
    assert isinstance(seed, int)
    return Traffic(
        arrival_s=np.maximum.accumulate(np.clip(arrival, 0.0, np.nextafter(duration_s, 0.0))),
        prompt_tokens=requests.prompt_tokens,
        output_tokens=requests.output_tokens,
        deadline_s=rounded(slack * unloaded),
        accuracy=np.random.default_rng([seed, 1, 3]).uniform(*accuracy, len(requests)),
        padded_prompt_tokens=window.padded_prompt_tokens,
        source=window.source,
    )
