"""The epoch simulator: the protocol of section III, with any policy.

Time is cut into epochs of ``T_C``: compute slots follow one another without a gap, uplink and downlink slots overlap
with them. Requests wait for the next epoch to begin; then the policy picks the batches among all that wait, channels
being drawn anew. A batch taken in an epoch that begins at ``t`` is uploaded by ``t + T_U``, computed for as long as it
takes, at most ``T_C``, and its outputs arrive ``T_D`` later, as (10) counts. Who was not taken waits on, or leaves when
the next epoch could not make the deadline any more, not even alone on the fastest node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edgeopt.errors import BackendError, InstanceError
from edgeopt.instances.batching import BatchingInstance, Requests, Schedule
from edgeopt.instances.batching.instance import FloatArray
from edgeopt.instances.batching.node import IntArray
from edgeopt.instances.batching.roofline import batch_latency_s
from edgeopt.simulation import slots as adapting
from edgeopt.simulation.channels import Channels
from edgeopt.simulation.outcome import Epoch, Outcome, State
from edgeopt.simulation.policies import NO_BATCHING, STATIC, Scheduler, in_time, scheduler, without_batching
from edgeopt.simulation.scenario import BITS_PER_TOKEN, NOISE_W_PER_HZ, Scenario, Slots
from edgeopt.simulation.traffic import TIME_DIGITS

Observer = Callable[[Epoch, BatchingInstance, Schedule], None]

DOUBT = 1e-9
"""Relative error granted to floats when they say that a request cannot make its deadline; solvers decide exactly."""


def simulate(
    scenario: Scenario,
    policy: str = "gah",
    *,
    options: Mapping[str, Any] | None = None,
    observe: Observer | None = None,
) -> Outcome:
    """Run a policy on a scenario until every request has ended.

    Parameters
    ----------
    scenario : Scenario
    policy : str
        ``static``, ``no-batching``, or a solver of the batching problem.
    options : mapping, optional
        Options of the solver, such as ``order`` of ``gah``.
    observe : callable, optional
        Called after every epoch with batches, with the epoch, its instance and the schedule.

    Returns
    -------
    Outcome
        The same for the same arguments, on every machine.

    Raises
    ------
    UnknownNameError
        If there is no such policy.
    AssumptionError, BackendError, InstanceError
        As the solver raises them, or if it has no feasible schedule.
    """
    if policy in (NO_BATCHING, STATIC) and options:
        raise InstanceError(f"policy {policy} has no option {next(iter(options))!r}; it has none")
    if policy == NO_BATCHING:
        return without_batching(scenario)
    run = _Run(scenario, scheduler(scenario, policy, options or {}), observe)
    run.go()
    return Outcome(policy, scenario, run.state, run.node, run.epoch, run.latency_s, run.epochs)


class _Run:
    """The state of a simulation between two epochs."""

    def __init__(self, scenario: Scenario, pick: Scheduler, observe: Observer | None) -> None:
        count = len(scenario.traffic)
        self.scenario, self.pick, self.observe = scenario, pick, observe
        self.channels = Channels(scenario.seed, scenario.nodes)
        self.state = np.full(count, State.PENDING, dtype=np.int8)
        self.node = np.full(count, -1, dtype=np.int64)
        self.epoch = np.full(count, -1, dtype=np.int64)
        self.latency_s = np.full(count, np.nan)
        self.epochs: list[Epoch] = []
        self.slots = scenario.slots
        self.alone_s = scenario.alone_s()
        # Cohorts: requests that arrived in one epoch, as (first, one past the last).
        self.cohorts: list[tuple[int, int]] = []
        self.waiting: IntArray = np.zeros(0, dtype=np.int64)
        self.cohort_of = np.zeros(count, dtype=np.int64)
        self.since = scenario.traffic.arrival_s.copy()  # when the clock of each starts

    def go(self) -> None:
        """Epoch after epoch, until no request is left."""
        arrival = self.scenario.traffic.arrival_s
        begin, seen = 0.0, 0
        while seen < len(arrival) or len(self.waiting):
            begin = round(begin + self.slots.compute_s, TIME_DIGITS)
            if not len(self.waiting) and arrival[seen] >= begin:
                self.cohorts.append((seen, seen))  # an epoch without anybody
                continue
            until = int(np.searchsorted(arrival, begin, side="left"))
            self._admit(seen, until, begin)
            seen = until
            if len(self.waiting):
                self._epoch(begin)
                begin = self._adapt(begin)

    def _admit(self, first: int, last: int, begin: float) -> None:
        """Take in what arrived during the last epoch; what no node could ever serve is refused at once."""
        cohort = len(self.cohorts)
        self.cohorts.append((first, last))
        new = np.arange(first, last)
        self.cohort_of[new] = cohort
        if self.scenario.waiting == "zero":
            self.since[new] = begin
        longest = self.scenario.slots.compute_s * (adapting.LONGEST if self.scenario.adapt_every else 1.0)
        hopeless = self._late_at(new, np.zeros(len(new))) | (self.alone_s[new] > longest * (1 + DOUBT))
        self.state[new[hopeless]] = State.REFUSED
        self.waiting = np.concatenate([self.waiting, new[~hopeless]])
        self._leave(begin)

    def _leave(self, begin: float) -> None:
        """Send away who could not make the deadline in an epoch that begins then."""
        late = self._late_at(self.waiting, self._waited(begin))
        self.state[self.waiting[late]] = State.EXPIRED
        self.waiting = self.waiting[~late]

    def _late_at(self, requests: IntArray, waited: FloatArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
        deadline = self.scenario.traffic.deadline_s[requests]
        left = deadline - waited - self.slots.uplink_s - self.slots.downlink_s
        late: np.ndarray[Any, np.dtype[np.bool_]] = left + DOUBT * deadline < self.alone_s[requests]
        return late

    def _waited(self, begin: float) -> FloatArray:
        """Time (s) that counts against the deadlines of those who wait."""
        waited: FloatArray = np.maximum(np.round(begin - self.since[self.waiting], TIME_DIGITS), 0.0)
        return waited

    def _epoch(self, begin: float) -> None:
        waited = self._waited(begin)
        instance = self._instance(begin, waited)
        schedule = self.pick(instance)
        batches: list[IntArray] = []
        busy: list[float] = []
        up: list[float] = []
        down: list[float] = []
        for j, (node, chosen) in enumerate(zip(instance.compiled.nodes, schedule.batches, strict=True)):
            place = np.searchsorted(node.request, np.sort(chosen))
            batch = node.request[place]
            taken = self.waiting[batch]
            met = in_time(node, batch)
            busy.append(_busy_s(instance, j, batch))
            if busy[-1] > self.slots.compute_s * (1 + DOUBT):
                raise BackendError(f"node {node.name} computes {busy[-1]} s in a slot of {self.slots.compute_s} s")
            self.state[taken] = np.where(met, State.COMPLETED, State.LATE)
            self.node[taken], self.epoch[taken] = j, len(self.epochs)
            self.latency_s[taken] = waited[batch] + self.slots.uplink_s + busy[-1] + self.slots.downlink_s
            tokens = node.class_tokens[node.length_class[place]] if node.downlink is None else node.downlink[place]
            up.append(int(node.uplink[place].sum()) / node.uplink_capacity)
            down.append(int(tokens.sum()) / max(1, node.downlink_capacity))
            batches.append(taken)
        epoch = Epoch(begin, self.slots, len(self.waiting), tuple(batches), tuple(busy), tuple(up), tuple(down))
        self.epochs.append(epoch)
        if self.observe is not None:
            self.observe(epoch, instance, schedule)
        self.waiting = self.waiting[self.state[self.waiting] == State.PENDING]

    def _instance(self, begin: float, waited: FloatArray) -> BatchingInstance:
        """P1 for those who wait."""
        scenario, traffic, who = self.scenario, self.scenario.traffic, self.waiting
        up, down = self._gains()
        return BatchingInstance(
            name=f"epoch-{begin:g}s",
            nodes=scenario.nodes,
            requests=Requests(
                prompt_tokens=traffic.prompt_tokens[who],
                output_tokens=traffic.output_tokens[who],
                deadline_s=traffic.deadline_s[who],
                waiting_s=waited,
                accuracy=traffic.accuracy[who],
                accepts=np.zeros(len(who), dtype=np.int64),
                accept_sets=(None,),
                uplink_gain=up,
                downlink_gain=down,
            ),
            uplink_slot_s=self.slots.uplink_s,
            compute_slot_s=self.slots.compute_s,
            downlink_slot_s=self.slots.downlink_s,
            epoch_s=self.slots.compute_s,
            noise_w_per_hz=NOISE_W_PER_HZ,
            bits_per_token=BITS_PER_TOKEN,
            padded_prompt_tokens=traffic.padded_prompt_tokens,
            downlink_rule=scenario.downlink_rule,
            source="edgeopt simulate",
            latency=scenario.latency,
        )

    def _gains(self) -> tuple[FloatArray, FloatArray]:
        """This epoch's channels of those who wait."""
        now = len(self.cohorts) - 1
        parts = []
        for cohort in np.unique(self.cohort_of[self.waiting]).tolist():
            first, last = self.cohorts[cohort]
            members = self.waiting[self.cohort_of[self.waiting] == cohort] - first
            up, down = self.channels.gains(cohort, now - cohort, last - first)
            parts.append((up[:, members], down[:, members]))
        return tuple(np.concatenate(direction, axis=1) for direction in zip(*parts, strict=True))  # type: ignore[return-value]

    def _adapt(self, begin: float) -> float:
        """Adapt the slots where it is time to; returns when the next epoch's wait begins.

        A shorter uplink slot would let compute slots overlap: the epoch then begins by so much later.
        """
        every = self.scenario.adapt_every
        if not every or len(self.epochs) % every:
            return begin
        before = self.slots
        self.slots = adapting.adapted(self.epochs[-every:], self.scenario.slots)
        return round(begin + before.compute_s - self.slots.compute_s + _delay(before, self.slots), TIME_DIGITS)


def _delay(before: Slots, after: Slots) -> float:
    """By how much (s) an epoch with a shorter uplink slot has to begin later."""
    return max(0.0, before.uplink_s - after.uplink_s)


def _busy_s(instance: BatchingInstance, node: int, batch: IntArray) -> float:
    """How long (s) a node computes a batch."""
    outputs = instance.requests.output_tokens[batch].tolist()
    return batch_latency_s(instance.nodes[node], instance.latency, instance.padded_prompt_tokens, outputs)
