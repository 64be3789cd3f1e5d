"""Policies on the same episodes: latency, drops, fairness, the gap to what hindsight allows, and paired differences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from edgeopt.certify.offloading_proof import proved_bound
from edgeopt.errors import BackendError, InstanceError
from edgeopt.instances.offloading import OffloadingInstance, Plan
from edgeopt.instances.offloading.instance import FloatArray, IntArray
from edgeopt.instances.offloading.plan import value
from edgeopt.solvers.offloading.closed_loop import Policy, Record, simulate
from edgeopt.solvers.offloading.episodes import Episodes

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
        Mean cost over the mean of the proved bounds; None where these are 0.
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


def bounds(instances: Sequence[OffloadingInstance], *, steps: int = 300) -> IntArray:
    """A proved bound on the cost of each instance (ticks): no plan, and so no policy, is below it.

    Prices that a search in floats finds are rounded to the digits of a certificate, and the verifier computes in whole
    numbers what they prove.
    """
    return np.array([proved_bound(instance, steps=steps) for instance in instances], dtype=np.int64)


def audit(instances: Sequence[OffloadingInstance], label: str, record: Record, lower: IntArray) -> None:
    """Hold every episode of a policy against its proved bound, with costs computed anew in exact numbers.

    Parameters
    ----------
    instances : sequence of OffloadingInstance
    label : str
        What the policy is called.
    record : Record
        Of the simulation.
    lower : (E,) int64
        `bounds` of the instances.

    Raises
    ------
    BackendError
        If an episode costs less than is proved to be possible, or where servers are first come, first served, anything
        else than the simulation says.
    """
    for e, (instance, least) in enumerate(zip(instances, lower.tolist(), strict=True)):
        exact = value(instance, Plan(record.place[e, : len(instance)].copy()))
        if instance.discipline == "fifo" and record.total[e] != exact:
            raise BackendError(
                f"policy {label} on {instance.name}: simulated to cost {record.total[e]:g} ticks, exactly {exact}; "
                "the simulator is wrong"
            )
        if exact < least:
            raise BackendError(
                f"policy {label} on {instance.name} costs {exact} ticks, less than the {least} that are proved to be "
                "needed; the bound or the simulator is wrong"
            )


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
    lower: IntArray | None = None,
) -> list[Row]:
    """Run policies on the same episodes, and hold each against the bounds of all.

    Parameters
    ----------
    instances : sequence of OffloadingInstance
        Episodes with as many devices and servers each.
    policies : mapping of str to Policy
        By label; differences are to the first.
    seed : int
    lower : (E,) int64, optional
        `bounds` of the instances; computed here when they are not given.

    Raises
    ------
    InstanceError
        If there are no policies, or the instances do not fit together.
    BackendError
        If a policy is below a bound; see `audit`.
    """
    if not policies:
        raise InstanceError("compare: there must be at least one policy")
    episodes = Episodes.of(instances)
    lower = bounds(instances) if lower is None else lower
    tasks, slot = episodes.tasks, episodes.slot
    least = float((lower / slot).sum())
    first: FloatArray | None = None
    rows = []
    for label, policy in policies.items():
        record = simulate(episodes, policy, seed=seed)
        audit(instances, label, record, lower)
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
                ratio=float((record.total / slot).sum()) / least if least else None,
                difference=interval(mean - first),
                microseconds=1e6 * record.seconds_deciding / float(tasks.sum()),
            )
        )
    return rows
