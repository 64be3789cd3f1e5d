"""Estimates and truth: a schedule decided on a planner's estimates, evaluated on what the steps turned out to be."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.decomposition.compiled import DEVICE, CompiledDecomposition
from edgeopt.instances.decomposition.instance import DecompositionInstance, Mode, Step, Task
from edgeopt.instances.decomposition.schedule import NONE, Schedule, TaskResult, breakdown, ends, malformed, placed


def realised(instance: DecompositionInstance) -> DecompositionInstance:
    """The instance with what turned out to be so (`Step.actual`) in the place of the estimates."""
    tasks = [
        msgspec.structs.replace(
            task,
            modes=[msgspec.structs.replace(mode, steps=[_true(step) for step in mode.steps]) for mode in task.modes],
        )
        for task in instance.tasks
    ]
    return replace(instance, name=f"{instance.name} realised", tasks=tuple(tasks))


def _true(step: Step) -> Step:
    actual = step.actual
    if actual is None:
        return step
    given = {
        field: getattr(actual, field)
        for field in ("output_tokens", "difficulty", "correctness", "time_s")
        if getattr(actual, field) is not None
    }
    return msgspec.structs.replace(step, actual=None, **given)


def replay(instance: DecompositionInstance, solution: Schedule) -> Schedule:
    """The decisions of a schedule of another column of the instance, with every time as it now is.

    Modes, nodes, and the order of what runs on each node and channel stay; everything begins as early as these allow.

    Parameters
    ----------
    instance : DecompositionInstance
        With the same tasks, modes, steps and nodes as the one that the schedule was made for.
    solution : Schedule

    Raises
    ------
    InstanceError
        If the schedule is none of this instance.
    """
    compiled = instance.compiled
    wrong = malformed(compiled, solution)
    if wrong is not None:
        raise InstanceError(f"the schedule is none of {instance.name}: {': '.join(wrong)}")
    operations = _operations(compiled, solution)
    starts = _earliest(compiled, operations)
    step_count = len(solution.node)
    start = np.array(starts[:step_count], dtype=np.int64)
    transfer = np.where(solution.transfer == NONE, NONE, np.array(starts[step_count:], dtype=np.int64))
    return Schedule(solution.mode.copy(), solution.node.copy(), start, transfer.astype(np.int64))


class _Operation(msgspec.Struct):
    """A step or transfer: its planned start, its true length, resource, release, and what it waits for."""

    planned: int
    ticks: int
    resource: int
    release: int
    before: list[int]


def _operations(compiled: CompiledDecomposition, solution: Schedule) -> list[_Operation]:
    """Steps, then transfers, as the columns of the schedule have them."""
    a = compiled.lists()
    steps: list[_Operation] = []
    moves: list[_Operation] = []
    count = len(solution.node)
    for found in placed(compiled, solution):
        first, release = len(steps), a.release[found.task]
        for node, start, ticks in zip(found.node, found.start, found.ticks, strict=True):
            steps.append(_Operation(start, ticks, node, release, []))
        for edge, (begin, ticks) in enumerate(zip(found.transfer, found.transfer_ticks, strict=True), found.first_edge):
            source, target = ends(compiled, found.task, edge, found.node, found.first_step)
            before = [] if a.edge_from[edge] == DEVICE else [first + a.edge_from[edge] - found.first_step]
            after = None if a.edge_to[edge] == DEVICE else first + a.edge_to[edge] - found.first_step
            if begin == NONE:
                if after is not None:
                    steps[after].before += before
            elif after is not None:
                steps[after].before.append(count + len(moves))
            moves.append(_Operation(begin, ticks, a.channel[source][target], release, before))
    return steps + moves


def _earliest(compiled: CompiledDecomposition, operations: list[_Operation]) -> list[int]:
    """Starts by planned order: each after what it waits for, in a slot that those planned before it have left."""
    free = [[0] * min(slots, len(operations) + 1) for slots in compiled.lists().slots]
    end = [0] * len(operations)
    starts = [0] * len(operations)
    waits = [len(own.before) for own in operations]
    followers: list[list[int]] = [[] for _ in operations]
    for index, own in enumerate(operations):
        for other in own.before:
            followers[other].append(index)
    ready = [(own.planned, index) for index, own in enumerate(operations) if not waits[index]]
    heapq.heapify(ready)
    while ready:
        _, index = heapq.heappop(ready)
        own = operations[index]
        begin = max([own.release, *(end[other] for other in own.before)])
        if own.resource >= 0 and own.ticks:
            begin = max(begin, heapq.heappop(free[own.resource]))
            heapq.heappush(free[own.resource], begin + own.ticks)
        starts[index], end[index] = begin, begin + own.ticks
        for follower in followers[index]:
            waits[follower] -= 1
            if not waits[follower]:
                heapq.heappush(ready, (operations[follower].planned, follower))
    return starts


def evaluate(instance: DecompositionInstance, solution: Schedule) -> list[TaskResult]:
    """Latency, correctness and reward of each task as they turned out, with the decisions of a schedule."""
    truth = realised(instance)
    return breakdown(truth, replay(truth, solution))


def with_estimates(instance: DecompositionInstance, modes: Sequence[Sequence[Mode]]) -> DecompositionInstance:
    """The instance with other modes for each task, such as those of a planner."""
    if len(modes) != len(instance.tasks):
        raise InstanceError(f"{len(modes)} lists of modes for {len(instance.tasks)} tasks; give one for each")
    tasks: list[Task] = [
        msgspec.structs.replace(task, modes=list(own)) for task, own in zip(instance.tasks, modes, strict=True)
    ]
    return replace(instance, tasks=tuple(tasks))
