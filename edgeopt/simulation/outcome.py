"""What came of a simulation: the one state in which every request ended, the epochs, and rates with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from edgeopt.instances.batching.instance import FloatArray
from edgeopt.instances.batching.node import IntArray
from edgeopt.simulation.scenario import Scenario, Slots

LEVEL = 0.95
LEAST_BATCHES = 10
"""Batches of epochs whose means are taken to be independent."""


class State(IntEnum):
    """How a request ended."""

    PENDING = 0
    """It has not: no request is left so."""
    COMPLETED = 1
    """Its output came within its deadline."""
    EXPIRED = 2
    """It left unserved, because no later epoch could make its deadline."""
    LATE = 3
    """It was served, but not within its deadline."""
    REFUSED = 4
    """No node could have served it, not even alone and at once: accuracy, or work."""


class Epoch(NamedTuple):
    """One epoch.

    Attributes
    ----------
    start_s : float
    slots : Slots
    offered : int
        Requests that waited for it.
    batches : tuple of (z_j,) int64
        Requests (as numbered in the traffic) that each node took.
    busy_s : tuple of float
        How long each node computed (s).
    uplink, downlink : tuple of float
        Shares of the bands that were used.
    """

    start_s: float
    slots: Slots
    offered: int
    batches: tuple[IntArray, ...]
    busy_s: tuple[float, ...]
    uplink: tuple[float, ...]
    downlink: tuple[float, ...]


class Interval(NamedTuple):
    """A mean and its confidence interval; None for the ends where one run says nothing about them."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What came of a simulation.

    Attributes
    ----------
    policy : str
    scenario : Scenario
    state : (I,) int8
        A `State` each.
    node, epoch : (I,) int64
        Node and epoch that took it, or -1.
    latency_s : (I,) float64
        From arrival (under ``zero`` waiting: from the first epoch) to output (s); NaN without output.
    epochs : list of Epoch
        Empty for the policy without batching.
    """

    policy: str
    scenario: Scenario
    state: np.ndarray[Any, np.dtype[np.int8]]
    node: IntArray
    epoch: IntArray
    latency_s: FloatArray
    epochs: list[Epoch] = field(default_factory=list)

    def count(self, state: State) -> int:
        """Counted requests that ended so."""
        return int(np.count_nonzero(self.state[self.scenario.counted] == state))

    @property
    def arrivals(self) -> int:
        """Counted requests."""
        return int(np.count_nonzero(self.scenario.counted))

    @property
    def completion_rate(self) -> float:
        """Share of the counted requests that were completed; NaN without any."""
        return self.count(State.COMPLETED) / self.arrivals if self.arrivals else math.nan

    @property
    def completed_per_epoch(self) -> float:
        """Completed requests an epoch of the length at the start."""
        span = self.scenario.end_s - self.scenario.warmup_s
        return self.count(State.COMPLETED) * self.scenario.slots.compute_s / span

    def completion_interval(self) -> Interval:
        """Completion rate of this one run, with Student's interval by batch means over time.

        The counted time is cut into `LEAST_BATCHES` equal parts; a ratio of sums over parts, by its linearisation.
        """
        from scipy.special import stdtrit

        counted = self.scenario.counted
        edges = np.linspace(self.scenario.warmup_s, self.scenario.end_s, LEAST_BATCHES + 1)
        part = np.searchsorted(edges, self.scenario.traffic.arrival_s[counted], side="right") - 1
        arrived = np.bincount(part, minlength=LEAST_BATCHES).astype(float)
        done = self.state[counted] == State.COMPLETED
        completed = np.bincount(part, weights=done, minlength=LEAST_BATCHES)
        rate = self.completion_rate
        if not arrived.sum():
            return Interval(rate, None, None)
        residual = (completed - rate * arrived) / arrived.mean()
        error = float(np.std(residual, ddof=1)) / math.sqrt(LEAST_BATCHES)
        half = float(stdtrit(LEAST_BATCHES - 1, 0.5 + LEVEL / 2)) * error
        return Interval(rate, max(0.0, rate - half), min(1.0, rate + half))

    def latency_quantile(self, share: float) -> float:
        """Latency (s) that this share of the completed counted requests does not exceed; NaN without any."""
        done = self.scenario.counted & (self.state == State.COMPLETED)
        return float(np.quantile(self.latency_s[done], share)) if done.any() else math.nan

    def summary(self) -> dict[str, Any]:
        """The numbers of the run, for tables."""
        interval = self.completion_interval()
        return {
            "policy": self.policy,
            "arrivals": self.arrivals,
            **{state.name.lower(): self.count(state) for state in State if state is not State.PENDING},
            "completion_rate": interval.mean,
            "low": interval.low,
            "high": interval.high,
            "completed_per_epoch": self.completed_per_epoch,
            "latency_p50_s": self.latency_quantile(0.5),
            "latency_p95_s": self.latency_quantile(0.95),
        }
