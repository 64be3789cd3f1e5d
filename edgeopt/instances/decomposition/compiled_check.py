"""What a schedule breaks in the compiled integers; done after every solve, so it is quick."""

from __future__ import annotations

from edgeopt.instances.base import Violation
from edgeopt.instances.decomposition.compiled import DEVICE, CompiledDecomposition
from edgeopt.instances.decomposition.instance import DecompositionInstance
from edgeopt.instances.decomposition.schedule import NONE, Placed, Schedule, correctness, ends, malformed, placed

Interval = tuple[int, int]


def compiled_violations(instance: DecompositionInstance, solution: Schedule) -> list[Violation]:
    """What a schedule breaks: shape, places, precedence, capacity, deadlines, the floor of the correctness."""
    compiled = instance.compiled
    wrong = malformed(compiled, solution)
    if wrong is not None:
        return [Violation(*wrong)]
    found: list[Violation] = []
    busy: list[list[Interval]] = [[] for _ in compiled.arrays.slots]
    total = 0
    for own in placed(compiled, solution):
        found += _task(instance, compiled, own, busy)
        total += correctness(compiled, own)
    for resource, (slots, intervals) in enumerate(zip(compiled.lists().slots, busy, strict=True)):
        late = crowded(intervals, slots)
        if late is not None:
            name = _resource(instance, resource)
            found.append(Violation("capacity", f"{name}, tick {late}", f"{slots + 1} at once", f"{slots}"))
    if total < compiled.floor_units:
        found.append(
            Violation(
                "correctness floor", "solution", f"{compiled.floor_units} millionths wanted", f"{total} millionths"
            )
        )
    return found


def crowded(intervals: list[Interval], slots: int) -> int | None:
    """The first time at which more than `slots` intervals (begin, end) overlap; empty ones do not count."""
    points = sorted([(begin, 1) for begin, end in intervals if end > begin] + [(e, -1) for b, e in intervals if e > b])
    level = 0
    for time, change in points:
        level += change
        if level > slots:
            return time
    return None


def _resource(instance: DecompositionInstance, resource: int) -> str:
    names = [f"node {node.name}" for node in instance.nodes]
    names += [f"channel {channel.name}" for channel in instance.channels if channel.access == "scheduled"]
    return names[resource]


def _task(
    instance: DecompositionInstance, compiled: CompiledDecomposition, own: Placed, busy: list[list[Interval]]
) -> list[Violation]:
    a, found = compiled.lists(), []
    where = f"task {instance.tasks[own.task].id}"
    release = a.release[own.task]
    for step, (node, start, ticks) in enumerate(zip(own.node, own.start, own.ticks, strict=True)):
        if start < release:
            found.append(Violation("arrival", f"{where}, step {step}", f"{release} ticks", f"its start {start}"))
        busy[node].append((start, start + ticks))
    for edge, (begin, ticks) in enumerate(zip(own.transfer, own.transfer_ticks, strict=True), own.first_edge):
        source, target = ends(compiled, own.task, edge, own.node, own.first_step)
        before = release if a.edge_from[edge] == DEVICE else own.end_of(a.edge_from[edge])
        at = f"{where}, transfer {edge - own.first_edge}"
        done = before
        if (source == target) != (begin == NONE):
            found.append(
                Violation("a transfer between different nodes", at, f"its start {begin}", "what the nodes need")
            )
            continue
        if source != target:
            if begin < before:
                found.append(Violation("precedence", at, f"{before} ticks", f"its start {begin}"))
            done = begin + ticks
            resource = a.channel[source][target]
            if resource >= 0:
                busy[resource].append((begin, done))
        if a.edge_to[edge] != DEVICE and done > (start := own.start[a.edge_to[edge] - own.first_step]):
            found.append(Violation("precedence", at, f"{done} ticks", f"the start {start} of what needs it"))
    if compiled.kind != "on-time" and own.end > a.due[own.task]:
        found.append(Violation("deadline", where, f"{own.end} ticks", f"{a.due[own.task]} ticks"))
    return found
