"""Policies as solvers of a horizon: they are told its tasks one after the other, as they arrive, and make a plan."""

from __future__ import annotations

from typing import Any

from edgeopt.errors import InstanceError
from edgeopt.instances.offloading import OffloadingInstance, Plan
from edgeopt.result import Answer, Termination
from edgeopt.solvers.base import Control
from edgeopt.solvers.offloading.closed_loop import simulate
from edgeopt.solvers.offloading.episodes import Episodes
from edgeopt.solvers.offloading.policies import policy


def _run(name: str, instance: OffloadingInstance, control: Control, **options: Any) -> Answer:
    episodes = Episodes.of([instance])
    limited = control.time_limit is not None or name not in ("local", "random", "round-robin", "greedy", "earliest")
    record = simulate(episodes, policy(name, **options), seed=control.seed, stop=control.stop if limited else None)
    stopped = limited and control.stop()
    return Answer(
        Plan(record.place[0].copy()),
        claimed_value=int(record.total[0]),
        termination=control.stopped_by() if stopped else Termination.COMPLETE,
        effort={"dropped": int(record.dropped.sum())},
    )


def local(instance: OffloadingInstance, control: Control) -> Answer:
    """Every task stays; see `edgeopt.solvers.offloading.policies`, as for all below."""
    return _run("local", instance, control)


def random(instance: OffloadingInstance, control: Control) -> Answer:
    """Any place."""
    return _run("random", instance, control)


def round_robin(instance: OffloadingInstance, control: Control) -> Answer:
    """Places in turn."""
    return _run("round-robin", instance, control)


def shortest_queue(instance: OffloadingInstance, control: Control) -> Answer:
    """The place with the fewest tasks."""
    return _run("shortest-queue", instance, control)


def greedy(instance: OffloadingInstance, control: Control) -> Answer:
    """Least one-step cost as published."""
    return _run("greedy", instance, control)


def earliest(instance: OffloadingInstance, control: Control) -> Answer:
    """Where the task ends first if nothing comes after it."""
    return _run("earliest", instance, control)


def lacs(instance: OffloadingInstance, control: Control, *, weight: float = 0.3, draws: int = 3) -> Answer:
    """Look-ahead as published."""
    return _run("lacs", instance, control, weight=weight, draws=draws)


def matching(instance: OffloadingInstance, control: Control) -> Answer:
    """Joint decision of the tasks that arrive together."""
    return _run("matching", instance, control)


def rollouts(
    instance: OffloadingInstance,
    control: Control,
    *,
    rollouts: int = 32,
    depth: int = 4,
    base: str = "earliest",
    least: int = 6,
    confidence: float = 2.5,
) -> Answer:
    """True rollouts."""
    return _run(
        "rollouts", instance, control, rollouts=rollouts, depth=depth, base=base, least=least, confidence=confidence
    )


def rolling(instance: OffloadingInstance, control: Control, *, depth: int = 0, branches: int = 2000) -> Answer:
    """CP-SAT on the tasks that are present."""
    return _run("rolling", instance, control, depth=depth, branches=branches)


def dqn(instance: OffloadingInstance, control: Control, *, weights: str = "dqn") -> Answer:
    """The DQN baseline."""
    return _run("dqn", instance, control, weights=weights)


def llm(
    instance: OffloadingInstance,
    control: Control,
    *,
    model: str = "",
    base_url: str = "",
    timeout_s: float = 60.0,
    retries: int = 2,
) -> Answer:
    """A language model behind an endpoint."""
    if not model:
        raise InstanceError(
            "solver llm needs the option model: what the endpoint calls it, and base_url if it is your own"
        )
    return _run("llm", instance, control, model=model, base_url=base_url, timeout_s=timeout_s, retries=retries)


def learned(instance: OffloadingInstance, control: Control, *, weights: str = "look-ahead") -> Answer:
    """A trained policy."""
    return _run("learned", instance, control, weights=weights)
