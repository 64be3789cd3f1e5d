"""A solution of the decomposition problem: a mode for each task, a node and a start for each step, its transfers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.decomposition.compiled import DEVICE, LOCAL, CompiledDecomposition, IntArray
from edgeopt.instances.decomposition.instance import DecompositionInstance
from edgeopt.instances.decomposition.logistic import UNITS

NONE = -1
"""Start of a transfer that is not needed: both ends are on one node."""


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """Who runs what where and when.

    Parameters
    ----------
    mode : (N,) int64
        Mode of each task, counted within the task.
    node : (S,) int64
        Node of each step of the chosen modes, task by task, in the order of the file.
    start : (S,) int64
        Its start (ticks).
    transfer : (E,) int64
        Start of each transfer of the chosen modes (ticks), or `NONE`. The transfers of a mode: step by step those from
        the steps before it (or from the device), then the one back to the device of a step that nothing comes after.

    Raises
    ------
    InstanceError
        If a column is no 1-D int64 array.
    """

    mode: IntArray
    node: IntArray
    start: IntArray
    transfer: IntArray

    def __post_init__(self) -> None:
        for name in ("mode", "node", "start", "transfer"):
            column = getattr(self, name)
            if not isinstance(column, np.ndarray) or column.ndim != 1 or column.dtype != np.int64:
                raise InstanceError(f"{name} = {column!r}: must be a 1-D int64 array")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schedule) and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in self.__slots__
        )

    __hash__ = None  # type: ignore[assignment]


class Placed(NamedTuple):
    """A task in a schedule, with its steps and edges as the compiled form counts them."""

    task: int
    mode: int
    """Of the compiled form."""
    first_step: int
    first_edge: int
    node: list[int]
    start: list[int]
    ticks: list[int]
    right: list[int]
    """Correctness of each step (millionths)."""
    transfer: list[int]
    transfer_ticks: list[int]
    end: int
    """When the last result is at the device (ticks)."""

    def end_of(self, step: int) -> int:
        """End of a step, as the compiled form counts it (ticks)."""
        return self.start[step - self.first_step] + self.ticks[step - self.first_step]


def placed(compiled: CompiledDecomposition, solution: Schedule) -> Iterator[Placed]:
    """The tasks of a schedule whose shape and places are those of the instance (see `malformed`)."""
    a = compiled.lists()
    node, start, transfer = solution.node.tolist(), solution.start.tolist(), solution.transfer.tolist()
    step_at = edge_at = 0
    for task, own in enumerate(solution.mode.tolist()):
        mode = a.mode_start[task] + own
        first, last = a.step_start[mode], a.step_start[mode + 1]
        first_edge, last_edge = a.edge_start[mode], a.edge_start[mode + 1]
        nodes = node[step_at : step_at + last - first]
        starts = start[step_at : step_at + last - first]
        moves = transfer[edge_at : edge_at + last_edge - first_edge]
        step_at += last - first
        edge_at += last_edge - first_edge
        ticks, right = [], []
        for step, at in enumerate(nodes, first):
            option = option_of(compiled, step, at)
            shared = a.context[step] >= 0 and nodes[a.edge_from[a.context[step]] - first] == at
            ticks.append(a.option_ticks[option][shared])
            right.append(a.option_right[option][shared])
        durations = []
        end = a.release[task]
        for edge, begin in enumerate(moves, first_edge):
            source, target = ends(compiled, task, edge, nodes, first)
            durations.append(compiled.transfer_ticks(edge, source, target))
            if a.edge_to[edge] == DEVICE:
                step = a.edge_from[edge] - first
                done = starts[step] + ticks[step]
                end = max(end, done if source == target else begin + durations[-1])
        yield Placed(task, mode, first, first_edge, nodes, starts, ticks, right, moves, durations, end)


def ends(compiled: CompiledDecomposition, task: int, edge: int, nodes: list[int], first: int) -> tuple[int, int]:
    """Nodes at the ends of an edge; `nodes` are those of the mode's steps."""
    a = compiled.lists()
    source, target = a.edge_from[edge], a.edge_to[edge]
    device = a.device[task]
    return (
        device if source == DEVICE else nodes[source - first],
        device if target == DEVICE else nodes[target - first],
    )


def option_of(compiled: CompiledDecomposition, step: int, node: int) -> int:
    """The option of a step that is this node, or -1."""
    a = compiled.lists()
    for option in range(a.option_start[step], a.option_start[step + 1]):
        if a.option_node[option] == node:
            return option
    return -1


def correctness(compiled: CompiledDecomposition, found: Placed) -> int:
    """Correctness of a task (millionths, rounded down)."""
    if compiled.aggregation == "mean":
        weight = compiled.lists().weight[found.first_step : found.first_step + len(found.right)]
        return sum(w * right for w, right in zip(weight, found.right, strict=True)) // sum(weight)
    total = UNITS
    for right in found.right:
        total = total * right // UNITS
    return total


def malformed(compiled: CompiledDecomposition, solution: Schedule) -> tuple[str, str, str, str] | None:
    """What makes a schedule none of this instance: constraint, where, what it has, what it may have; or None."""
    a = compiled.lists()
    modes = np.diff(compiled.arrays.mode_start)
    if len(solution.mode) != len(modes):
        return "one mode a task", "solution", f"{len(solution.mode)} modes", f"{len(modes)} tasks"
    wrong = np.flatnonzero((solution.mode < 0) | (solution.mode >= modes))
    if len(wrong):
        i = int(wrong[0])
        return "known mode", f"task {i}", f"mode {solution.mode[i]}", f"its {modes[i]} modes"
    chosen = compiled.arrays.mode_start[:-1] + solution.mode
    steps = int((compiled.arrays.step_start[chosen + 1] - compiled.arrays.step_start[chosen]).sum())
    edges = int((compiled.arrays.edge_start[chosen + 1] - compiled.arrays.edge_start[chosen]).sum())
    for name, count in (("node", steps), ("start", steps), ("transfer", edges)):
        if len(getattr(solution, name)) != count:
            return f"one {name} each", "solution", f"{len(getattr(solution, name))} entries", f"{count} in these modes"
    node, step_at = solution.node.tolist(), 0
    for task, mode in enumerate(chosen.tolist()):
        first = a.step_start[mode]
        own = node[step_at : step_at + a.step_start[mode + 1] - first]
        step_at += len(own)
        for step, at in enumerate(own, first):
            if option_of(compiled, step, at) < 0:
                return "allowed node", f"task {task}, step {step - first}", f"node {at}", "the nodes it may run on"
        for edge in range(a.edge_start[mode], a.edge_start[mode + 1]):
            source, target = ends(compiled, task, edge, own, first)
            if a.channel[source][target] < LOCAL:
                return "link", f"task {task}, edge {edge}", f"nodes {source} and {target}", "nodes with a link"
    return None


def value(instance: DecompositionInstance, solution: Schedule) -> int:
    """Value of a schedule in whole units (`CompiledDecomposition.reward_unit`)."""
    compiled = instance.compiled
    if malformed(compiled, solution) is not None:
        return 0
    return sum(worth(compiled, found) for found in placed(compiled, solution))


def worth(compiled: CompiledDecomposition, found: Placed) -> int:
    """What a task adds to the value."""
    a = compiled.lists()
    latency = found.end - a.origin[found.task]
    if compiled.kind == "latency":
        return latency
    if compiled.kind == "on-time":
        return int(found.end <= a.due[found.task])
    return compiled.right_factor * correctness(compiled, found) - compiled.tick_factor * latency


def encode_solution(instance: DecompositionInstance, solution: Schedule) -> dict[str, Any]:
    """Plain data: a task, with its steps and transfers by name; times in ticks."""
    compiled, tasks = instance.compiled, []
    a = compiled.lists()
    for found in placed(compiled, solution):
        task = instance.tasks[found.task]
        mode = task.modes[found.mode - a.mode_start[found.task]]
        steps = [
            {"step": step.id, "node": instance.nodes[node].name, "start": start, "end": start + ticks}
            for step, node, start, ticks in zip(mode.steps, found.node, found.start, found.ticks, strict=True)
        ]
        moves = []
        for edge, (start, ticks) in enumerate(zip(found.transfer, found.transfer_ticks, strict=True), found.first_edge):
            if start != NONE:
                source, target = a.edge_from[edge], a.edge_to[edge]
                moves.append(
                    {
                        "from": None if source == DEVICE else mode.steps[source - found.first_step].id,
                        "to": None if target == DEVICE else mode.steps[target - found.first_step].id,
                        "start": start,
                        "end": start + ticks,
                    }
                )
        tasks.append({"task": task.id, "mode": mode.name, "steps": steps, "transfers": moves})
    return {"tick_s": instance.tick_s, "tasks": tasks}


def decode_solution(instance: DecompositionInstance, data: Any, where: str) -> Schedule:
    """The schedule that plain data describes; ends are ignored, they follow.

    Raises
    ------
    InstanceError
        If a name is none of the instance, or an entry is missing.
    """
    entries = data.get("tasks") if isinstance(data, dict) else None
    if not isinstance(entries, list) or len(entries) != len(instance.tasks):
        raise InstanceError(f"{where}: solution.tasks must list the {len(instance.tasks)} tasks in their order")
    a = instance.compiled.lists()
    node_of = {node.name: index for index, node in enumerate(instance.nodes)}
    modes: list[int] = []
    nodes: list[int] = []
    starts: list[int] = []
    transfers: list[int] = []
    for index, (task, entry) in enumerate(zip(instance.tasks, entries, strict=True)):
        at = f"{where}: solution.tasks[{index}]"
        _fields(entry, at, ("task", "mode", "steps", "transfers"))
        if entry["task"] != task.id:
            raise InstanceError(f"{at}.task = {entry['task']!r}: must be {task.id!r}, the tasks in their order")
        names = [mode.name for mode in task.modes]
        if entry["mode"] not in names:
            raise InstanceError(f"{at}.mode = {entry['mode']!r}: must be one of {', '.join(names)}")
        own = names.index(entry["mode"])
        modes.append(own)
        mode = task.modes[own]
        if not isinstance(entry["steps"], list) or len(entry["steps"]) != len(mode.steps):
            raise InstanceError(f"{at}.steps must list the {len(mode.steps)} steps of mode {mode.name}")
        for place, (step, row) in enumerate(zip(mode.steps, entry["steps"], strict=True)):
            here = f"{at}.steps[{place}]"
            _fields(row, here, ("step", "node", "start"), ("end",))
            if row["step"] != step.id:
                raise InstanceError(f"{here}.step = {row['step']!r}: must be {step.id!r}, the steps in their order")
            if row["node"] not in node_of:
                raise InstanceError(f"{here}.node = {row['node']!r}: must be a node of the instance")
            nodes.append(node_of[row["node"]])
            starts.append(_ticks(row["start"], f"{here}.start"))
        if not isinstance(entry["transfers"], list):
            raise InstanceError(f"{at}.transfers must be a list")
        moves: dict[tuple[Any, Any], int] = {}
        for place, row in enumerate(entry["transfers"]):
            here = f"{at}.transfers[{place}]"
            _fields(row, here, ("from", "to", "start"), ("end",))
            if (row["from"], row["to"]) in moves:
                raise InstanceError(f"{here}: there are two from {row['from']!r} to {row['to']!r}")
            moves[row["from"], row["to"]] = _ticks(row["start"], f"{here}.start")
        compiled_mode = a.mode_start[index] + own
        first = a.step_start[compiled_mode]
        for edge in range(a.edge_start[compiled_mode], a.edge_start[compiled_mode + 1]):
            names_of = [
                None if end == DEVICE else mode.steps[end - first].id for end in (a.edge_from[edge], a.edge_to[edge])
            ]
            transfers.append(moves.pop((names_of[0], names_of[1]), NONE))
        if moves:
            source, target = next(iter(moves))
            raise InstanceError(f"{at}.transfers: mode {mode.name} has none from {source!r} to {target!r}")
    return Schedule(*(np.array(column, dtype=np.int64) for column in (modes, nodes, starts, transfers)))


def _fields(entry: Any, where: str, needed: tuple[str, ...], more: tuple[str, ...] = ()) -> None:
    if not isinstance(entry, dict) or not set(needed) <= set(entry) <= {*needed, *more}:
        raise InstanceError(f"{where}: must have the fields {', '.join(needed)}")


def _ticks(value: Any, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**60:
        raise InstanceError(f"{where} = {str(value)[:60]}: must be a whole number of ticks, 0 or more")
    return value


class Busy(NamedTuple):
    """Someone's time on a node or channel."""

    resource: str
    task: str
    mode: str
    what: str
    start_s: float
    end_s: float


class TaskResult(NamedTuple):
    """How a task went."""

    task: str
    mode: str
    latency_s: float
    correctness: float
    reward: float


def timeline(instance: DecompositionInstance, solution: Schedule) -> list[Busy]:
    """Every execution and transfer with its start and end (s), in the order of the tasks.

    A transfer's resource is the name of its channel, or ``a-b`` of a link without one.
    """
    compiled, rows = instance.compiled, []
    a, tick = compiled.lists(), compiled.tick_s
    channels = {frozenset((link.a, link.b)): link.channel for link in instance.links}
    names = [node.name for node in instance.nodes]
    for found in placed(compiled, solution):
        task = instance.tasks[found.task]
        mode = task.modes[found.mode - a.mode_start[found.task]]
        for step, node, start, ticks in zip(mode.steps, found.node, found.start, found.ticks, strict=True):
            rows.append(
                Busy(names[node], task.id, mode.name, step.id, float(start * tick), float((start + ticks) * tick))
            )
        for edge, (start, ticks) in enumerate(zip(found.transfer, found.transfer_ticks, strict=True), found.first_edge):
            if start == NONE:
                continue
            pair = ends(compiled, found.task, edge, found.node, found.first_step)
            one, other = names[pair[0]], names[pair[1]]
            channel = channels[frozenset((one, other))] or f"{one}-{other}"
            rows.append(
                Busy(
                    channel, task.id, mode.name, f"{one} to {other}", float(start * tick), float((start + ticks) * tick)
                )
            )
    return rows


def breakdown(instance: DecompositionInstance, solution: Schedule) -> list[TaskResult]:
    """Latency, correctness and reward of each task; the rewards add up to that of the schedule."""
    compiled = instance.compiled
    a, rows = compiled.lists(), []
    weight, price = instance.accuracy_weight, instance.delay_weight_per_s
    for found in placed(compiled, solution):
        task = instance.tasks[found.task]
        latency = float((found.end - a.origin[found.task]) * compiled.tick_s)
        right = float(Fraction(correctness(compiled, found), UNITS))
        name = task.modes[found.mode - a.mode_start[found.task]].name
        rows.append(TaskResult(task.id, name, latency, right, weight * right - price * latency))
    return rows
