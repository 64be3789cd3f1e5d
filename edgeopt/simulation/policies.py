"""Who takes which requests in an epoch: a registered solver, or static batching; and batching by nobody.

Static batching and no batching are the benchmarks of section V-A; what the paper leaves open is said at each.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgeopt.errors import BackendError, UnknownNameError
from edgeopt.instances.batching import BatchingInstance, NodeProblem, Schedule
from edgeopt.instances.batching.compiled import memory_tokens
from edgeopt.instances.batching.instance import Node
from edgeopt.instances.batching.node import IntArray
from edgeopt.instances.batching.roofline import batch_latency_s
from edgeopt.result import Termination, ValueEvidence
from edgeopt.simulation.outcome import Outcome, State
from edgeopt.simulation.scenario import Scenario, Slots
from edgeopt.solvers.base import solve, solver, solvers

STATIC, NO_BATCHING = "static", "no-batching"

Scheduler = Callable[[BatchingInstance], Schedule]


def policy_names() -> list[str]:
    """Static batching, no batching, and every solver of the batching problem."""
    return [STATIC, NO_BATCHING, *solvers("batching")]


def scheduler(scenario: Scenario, policy: str, options: Mapping[str, Any]) -> Scheduler:
    """The function that picks the batches of an epoch.

    Raises
    ------
    UnknownNameError
        If there is no such policy.
    """
    if policy == STATIC:
        return StaticBatching(scenario)
    try:
        solver("batching", policy)
    except UnknownNameError:
        raise UnknownNameError(f"no policy {policy!r}; there are: {', '.join(policy_names())}") from None
    return _Solver(policy, scenario.seed, dict(options))


@dataclass(frozen=True, slots=True)
class _Solver:
    """A registered solver; every schedule that it returns has passed the exact check."""

    name: str
    seed: int
    options: dict[str, Any]

    def __call__(self, instance: BatchingInstance) -> Schedule:
        result = solve(instance, self.name, seed=self.seed, **self.options)
        if result.termination is Termination.INTERRUPTED:  # Ctrl-C ends the simulation, not one epoch
            raise KeyboardInterrupt
        if result.value_evidence is not ValueEvidence.CHECKED or not isinstance(result.solution, Schedule):
            raise BackendError(f"{self.name} on {instance.name}: no feasible schedule: {result.summary()}")
        return result.solution


class StaticBatching:
    """Batches of a size fixed beforehand, first come first served.

    The size is "established considering epoch duration, the implemented LLM, and the requisite input and output
    lengths" (section V-A): as many requests of the longest output as end within the epoch less both communication
    slots, and fit into memory. (Sized for the whole epoch instead, hardly any request would be in time in figure 8.)
    Each node takes the prompts of the last epoch in order of arrival, then those that have waited longer, if it could
    serve them alone and their bandwidth is left, until the size is reached. It does not look at what the batch as a
    whole takes, so that some outputs may come late.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.sizes: dict[Slots, list[int]] = {}

    def size(self, node: Node, slots: Slots) -> int:
        """The fixed batch size of a node."""
        traffic = self.scenario.traffic
        longest = int(traffic.output_tokens.max(initial=1))
        padded = traffic.padded_prompt_tokens
        time = slots.compute_s - slots.uplink_s - slots.downlink_s
        most = memory_tokens(node) // (padded + longest)
        if node.compute_flops <= 0 or time <= 0:
            return 0
        low, high = 0, most  # latency grows with the size: bisection
        while low < high:
            middle = (low + high + 1) // 2
            if batch_latency_s(node, self.scenario.latency, padded, [longest] * middle) <= time:
                low = middle
            else:
                high = middle - 1
        return low

    def __call__(self, instance: BatchingInstance) -> Schedule:
        slots = Slots(instance.uplink_slot_s, instance.compute_slot_s, instance.downlink_slot_s)
        if slots not in self.sizes:
            self.sizes[slots] = [self.size(node, slots) for node in instance.nodes]
        free = np.ones(len(instance.requests), dtype=bool)
        rank = np.argsort(np.argsort(instance.requests.waiting_s >= slots.compute_s, kind="stable"))
        batches = []
        for node, size in zip(instance.compiled.nodes, self.sizes[slots], strict=True):
            batch = _first_come(node, free, rank, size)
            free[batch] = False
            batches.append(batch)
        return Schedule(tuple(batches))


def _first_come(node: NodeProblem, free: np.ndarray[Any, np.dtype[np.bool_]], rank: IntArray, size: int) -> IntArray:
    """The `size` free requests of least rank whose bandwidth is left."""
    taken: list[int] = []
    uplink, downlink = node.uplink_capacity, node.downlink_capacity
    down = node.class_tokens[node.length_class] if node.downlink is None else node.downlink
    open_ = np.flatnonzero(free[node.request])
    for place in open_[np.argsort(rank[node.request[open_]], kind="stable")].tolist():
        if len(taken) == size:
            break
        if node.uplink[place] <= uplink and down[place] <= downlink:
            uplink -= int(node.uplink[place])
            downlink -= int(down[place])
            taken.append(place)
    return node.request[np.array(sorted(taken), dtype=np.int64)]


def in_time(node: NodeProblem, batch: IntArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which requests of a batch (as request numbers) have their output within their deadline, in exact integers."""
    place = np.searchsorted(node.request, batch)
    kind = node.length_class[place]
    needed = int(node.class_compute[kind].sum())
    if node.class_stream is not None and node.class_fixed is not None and len(kind):
        needed = max(needed, int(node.class_fixed[kind].max() + node.class_stream[kind].sum()))
    met: np.ndarray[Any, np.dtype[np.bool_]] = node.budget[place] >= needed
    return met


def without_batching(scenario: Scenario) -> Outcome:
    """First in, first out, one request a GPU (section V-A), without epochs.

    A request goes to a random node that is accurate enough, in proportion to its GPUs, uploads for ``T_U`` and
    queues; a free GPU takes the head of the queue, at its own prompt length. It is dropped when its deadline less
    ``T_D`` has passed, in the queue or (the GPU's time is lost) under way.
    """
    traffic, slots = scenario.traffic, scenario.slots
    count = len(traffic)
    state = np.full(count, State.REFUSED, dtype=np.int8)
    where = np.full(count, -1, dtype=np.int64)
    latency = np.full(count, np.nan)
    singles = [_one_gpu(node, gpus) for node, gpus in zip(scenario.nodes, scenario.gpus, strict=True)]
    weights = np.array([scenario.accurate(node) * gpus for node, gpus in zip(singles, scenario.gpus, strict=True)])
    pick = np.random.default_rng([scenario.seed, 4]).random(count)
    free = [[0.0] * gpus for gpus in scenario.gpus]
    known: dict[tuple[int, int, int], float] = {}
    for i in range(count):
        total = weights[:, i].cumsum()
        if not total[-1]:
            continue
        j = int(np.searchsorted(total, pick[i] * total[-1], side="right"))
        key = (j, int(traffic.prompt_tokens[i]), int(traffic.output_tokens[i]))
        if key not in known:
            known[key] = _time_alone(singles[j], scenario.latency, *key[1:])
        if known[key] == np.inf:  # it fits on no such GPU
            continue
        arrival = float(traffic.arrival_s[i])
        latest = arrival + float(traffic.deadline_s[i]) - slots.downlink_s
        begin = max(arrival + slots.uplink_s, free[j][0])
        if begin >= latest:
            state[i] = State.EXPIRED
            continue
        end = begin + known[key]
        state[i] = State.COMPLETED if end <= latest else State.LATE
        heapq.heapreplace(free[j], min(end, latest))
        where[i] = j
        if end <= latest:
            latency[i] = end + slots.downlink_s - arrival
    return Outcome(NO_BATCHING, scenario, state, where, np.full(count, -1, dtype=np.int64), latency)


def _one_gpu(node: Node, gpus: int) -> Node:
    """One GPU of a node; the model is on each."""
    bandwidth = node.memory_bandwidth_byte_per_s
    return replace(
        node,
        compute_flops=node.compute_flops / gpus,
        memory_bytes=node.memory_bytes / gpus,
        memory_bandwidth_byte_per_s=None if bandwidth is None else bandwidth / gpus,
    )


def _time_alone(node: Node, latency: str, prompt: int, output: int) -> float:
    """How long (s) one request takes on one GPU; for ever where it does not fit."""
    if prompt + output > memory_tokens(node) or node.compute_flops <= 0:
        return np.inf
    return batch_latency_s(node, latency, prompt, [output])
