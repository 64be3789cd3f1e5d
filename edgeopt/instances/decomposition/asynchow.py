"""AsyncHow plans as instances: everyday tasks with real steps, edges and durations (Lin et al. 2024).

A plan's steps have durations and a graph; with workers for every step and nothing to send, its least makespan is the
longest path. The plans come as JSON lines with ``steps``, ``edges`` (from ``START`` to ``END``) and
``duration_s_min_max`` as of github.com/fangru-lin/graph-llm-asynchow-plan; this package holds none of them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from edgeopt.errors import InstanceError
from edgeopt.instances.decomposition.instance import DecompositionInstance, Mode, Node, Step, Task
from edgeopt.instances.io import NOT_JSON, read_bytes

UNLIMITED = 2**31
"""Slots of the one node: more than there are steps."""


class Plan(msgspec.Struct):
    """A line of the file.

    Attributes
    ----------
    id : int
    title : str
    steps : list of str
        In words; a step's name in the edges is its place, from 1.
    edges : list of (str, str)
    duration_s_min_max : dict
        Least and largest duration of each step (s).
    optimal_makespan_s_min_max : (float, float)
        Published, for durations all least and all largest (s).
    """

    id: int
    title: str
    steps: Annotated[list[str], Meta(min_length=1)]
    edges: list[tuple[str, str]]
    duration_s_min_max: dict[str, tuple[float, float]]
    optimal_makespan_s_min_max: tuple[float, float]


def read_plans(path: str | os.PathLike[str]) -> list[Plan]:
    """The plans of a file.

    Raises
    ------
    InstanceError
        If a line is no plan; names file, line and field.
    """
    plans = []
    for number, line in enumerate(read_bytes(path).splitlines(), 1):
        if line.strip():
            try:
                plans.append(msgspec.json.decode(line, type=Plan))
            except NOT_JSON as error:
                raise InstanceError(f"{os.fspath(path)}: line {number}: {error}") from error
    return plans


def of_plans(
    plans: Sequence[Plan],
    *,
    name: str = "asynchow",
    durations: Literal["least", "largest"] = "least",
    workers: int = UNLIMITED,
    tick_s: float = 1.0,
    **fields: Any,
) -> DecompositionInstance:
    """Plans as one instance: a task each, one node with many workers, nothing to send, the latency to be small.

    With `workers` for all steps the least latency of a task is the published makespan. Other nodes, links and
    objectives come by `fields` of the instance, or by replacing parts of what is returned.

    Parameters
    ----------
    plans : sequence of Plan
    name : str
    durations : {"least", "largest"}
        Which end of the range of each duration.
    workers : int
        Slots of the node.
    tick_s : float
        Unit of the time grid (s).
    **fields
        Of `DecompositionInstance`.

    Raises
    ------
    InstanceError
        If a plan has a cycle (it is named), an edge into ``START`` or from ``END``, or a duration is missing.
    """
    node = Node("workers", "device", 0.0, 1.0, 1.0, slots=workers)
    tasks = [Task(f"plan{plan.id}", "workers", [_mode(plan, durations)], text=plan.title) for plan in plans]
    given: dict[str, Any] = {
        "objective": "latency",
        "source": "AsyncHow, github.com/fangru-lin/graph-llm-asynchow-plan",
    }
    return DecompositionInstance(name=name, nodes=(node,), tasks=tuple(tasks), tick_s=tick_s, **{**given, **fields})


def _mode(plan: Plan, durations: str) -> Mode:
    end = 0 if durations == "least" else 1
    after: dict[str, list[str]] = {str(place): [] for place in range(1, len(plan.steps) + 1)}
    for source, target in plan.edges:
        for step in (source, target):
            if step not in after and step not in ("START", "END"):
                raise InstanceError(f"plan {plan.id}: an edge names step {step!r}: there are {len(plan.steps)}")
        if target == "START" or source == "END":
            side = "before START" if target == "START" else "after END"
            raise InstanceError(f"plan {plan.id}: the edge {source} -> {target}: nothing comes {side}")
        if source != "START" and target != "END" and source not in after[target]:
            after[target].append(source)
    steps = []
    for step, before in after.items():
        if step not in plan.duration_s_min_max:
            raise InstanceError(f"plan {plan.id}: step {step} has no duration (s)")
        steps.append(
            Step(
                step,
                after=before,
                correctness={"workers": 1.0},
                time_s={"workers": plan.duration_s_min_max[step][end]},
            )
        )
    return Mode("plan", steps)
