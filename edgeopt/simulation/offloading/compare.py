"""Policies on the same episodes: latency, drops, fairness, the gap to what hindsight allows, and paired differences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.offloading import OffloadingInstance, Plan
from edgeopt.instances.offloading.instance import FloatArray
from edgeopt.instances.offloading.plan import value
from edgeopt.solvers.base import Control
from edgeopt.solvers.offloading.closed_loop import Policy, Record, simulate
from edgeopt.solvers.offloading.episodes import Episodes
from edgeopt.solvers.offloading.hindsight import first_plan
from edgeopt.solvers.offloading.proof import prices

LEVEL = 0.95


class Interval(NamedTuple):
    """A mean over episodes, with the ends of Student's interval at `LEVEL`; equal to it for one episode."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """How a policy did.

    Attributes
    ----------
    policy : str
    cost : Interval
        Mean over the tasks of latency, or deadline and penalty (slots).
    latency, tail : float
        Mean latency of the tasks that are done, and its 95th percentile (slots).
    drops : float
        Fraction of the tasks.
    jain : float
        Jain's index of the servers' loads, 1 where all are equal.
    ratio : float or None
        Mean cost over the mean of the proved bounds; None where they were not asked for.
    difference : Interval
        Mean cost less that of the first policy, episode by episode.
    microseconds : float
        Time of a decision; 0 where it is a part of the compiled loop.
    """

    policy: str
    cost: Interval
    latency: float
    tail: float
    drops: float
    jain: float
    ratio: float | None
    difference: Interval
    microseconds: float


def interval(values: FloatArray) -> Interval:
    """Mean with Student's interval."""
    from scipy.special import stdtrit

    count, mean = len(values), float(np.mean(values))
    if count == 1:
        return Interval(mean, mean, mean)
    half = float(stdtrit(count - 1, 0.5 + LEVEL / 2)) * float(np.std(values, ddof=1)) / math.sqrt(count)
    return Interval(mean, mean - half, mean + half)


def bounds(instances: Sequence[OffloadingInstance], *, steps: int = 300) -> FloatArray:
    """A bound on the cost of each instance that no policy can be below (ticks), by prices.

    The numbers are those of the search, in floats; `edgeopt.certify` proves each of them exactly.
    """
    found = []
    for instance in instances:
        target = value(instance, first_plan(instance))
        found.append(max(0.0, prices(instance.compiled, target, Control(), steps=steps).bound))
    return np.array(found)


def jain(episodes: Episodes, record: Record) -> float:
    """Jain's fairness index ``(sum x)^2 / (M sum x^2)`` of the work sent to the servers, mean over the episodes."""
    found = []
    for e, count in enumerate(episodes.tasks.tolist()):
        load = np.zeros(episodes.servers)
        for i, place in enumerate(record.place[e, :count].tolist()):
            if place:
                load[place - 1] += episodes.work[e, i, place - 1]
        square = float(np.square(load).sum())
        if square:
            found.append(float(load.sum()) ** 2 / (len(load) * square))
    return float(np.mean(found)) if found else 1.0


def compare(
    instances: Sequence[OffloadingInstance],
    policies: Mapping[str, Policy],
    *,
    seed: int = 0,
    lower: FloatArray | None = None,
) -> list[Row]:
    """Run policies on the same episodes.

    Parameters
    ----------
    instances : sequence of OffloadingInstance
        Episodes with as many devices and servers each.
    policies : mapping of str to Policy
        By label; differences are to the first.
    seed : int
    lower : (E,) float64, optional
        `bounds` of the instances.

    Raises
    ------
    InstanceError
        If there are no policies, or the instances do not fit together.
    """
    if not policies:
        raise InstanceError("compare: there must be at least one policy")
    episodes = Episodes.of(instances)
    tasks, slot = episodes.tasks, episodes.slot
    first: FloatArray | None = None
    rows = []
    for label, policy in policies.items():
        record = simulate(episodes, policy, seed=seed)
        mean = record.total / tasks / slot
        first = mean if first is None else first
        done = ~record.dropped & ~np.isnan(record.cost)
        latency = (record.cost / slot[:, None])[done]
        rows.append(
            Row(
                policy=label,
                cost=interval(mean),
                latency=float(latency.mean()) if latency.size else math.nan,
                tail=float(np.percentile(latency, 95)) if latency.size else math.nan,
                drops=float(record.dropped.sum() / tasks.sum()),
                jain=jain(episodes, record),
                ratio=None if lower is None else float((record.total / slot).sum() / (lower / slot).sum()),
                difference=interval(mean - first),
                microseconds=1e6 * record.seconds_deciding / float(tasks.sum()),
            )
        )
    return rows


def best_of(instances: Sequence[OffloadingInstance], places: Sequence[Plan]) -> FloatArray:
    """Cost of given plans (ticks)."""
    return np.array([value(instance, plan) for instance, plan in zip(instances, places, strict=True)], dtype=np.float64)
