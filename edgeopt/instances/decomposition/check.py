"""The executable specification: exact violations from the raw fields, in fractions of a second.

This is the second, independent path: it takes a schedule's modes, nodes and starts, works out every time and
correctness from what the file says, and shares no code with `compiled`, the models or the solvers, so that a mistake
there shows here. Compiling rounds against us, so what is feasible in the compiled integers is feasible here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Context, Decimal
from fractions import Fraction
from typing import NamedTuple

from edgeopt.instances.base import Violation
from edgeopt.instances.decomposition.instance import DecompositionInstance, Link, Mode, Node, Step, Task
from edgeopt.instances.decomposition.schedule import NONE, Schedule

_DIGITS = 50


def _decimal(value: float) -> Fraction:
    """The decimal that a field of the file says."""
    return Fraction(str(value)) if isinstance(value, int) else Fraction(repr(float(value)))


class _Interval(NamedTuple):
    start: Fraction
    end: Fraction
    what: str


class _Reading(NamedTuple):
    """A task as the schedule has it."""

    task: Task
    mode: Mode
    node: list[Node]
    start: list[Fraction]
    transfer: list[Fraction | None]


def violations(instance: DecompositionInstance, solution: Schedule) -> list[Violation]:
    """Every constraint that a schedule breaks, in exact arithmetic on the fields of the instance."""
    found: list[Violation] = []
    busy: dict[tuple[str, str], list[_Interval]] = {}
    right = Fraction(0)
    readings = _read(instance, solution)
    if isinstance(readings, Violation):
        return [readings]
    for reading in readings:
        found += _task(instance, reading, busy)
        right += correctness(instance, reading.mode, reading.node)[1]
    slots = {("node", node.name): node.slots for node in instance.nodes}
    for key, intervals in busy.items():
        found += _capacity(key, intervals, slots.get(key, 1))
    wanted = _decimal(instance.correctness_floor) * len(instance.tasks)
    if right < wanted:
        text = f"a mean of {float(wanted / len(instance.tasks)):g}"
        found.append(Violation("correctness floor", "solution", text, f"{float(right / len(instance.tasks)):g}"))
    return found


def _read(instance: DecompositionInstance, solution: Schedule) -> list[_Reading] | Violation:
    """The schedule in words of the instance, or what makes it none."""
    tick = _decimal(instance.tick_s)
    if len(solution.mode) != len(instance.tasks):
        return Violation("one mode a task", "solution", f"{len(solution.mode)} modes", f"{len(instance.tasks)} tasks")
    modes = []
    for task, own in zip(instance.tasks, solution.mode.tolist(), strict=True):
        if not 0 <= own < len(task.modes):
            return Violation("known mode", f"task {task.id}", f"mode {own}", f"{len(task.modes)} modes")
        modes.append(task.modes[own])
    nodes, starts, moves = (iter(column.tolist()) for column in (solution.node, solution.start, solution.transfer))
    counts = {
        "node": (len(solution.node), sum(len(mode.steps) for mode in modes)),
        "start": (len(solution.start), sum(len(mode.steps) for mode in modes)),
        "transfer": (len(solution.transfer), sum(len(list(_edges(mode))) for mode in modes)),
    }
    for name, (given, wanted) in counts.items():
        if given != wanted:
            return Violation(f"one {name} each", "solution", f"{given} entries", f"{wanted} in these modes")
    readings = []
    for task, mode in zip(instance.tasks, modes, strict=True):
        where = f"task {task.id}"
        own_nodes = [next(nodes) for _ in mode.steps]
        for step, at in zip(mode.steps, own_nodes, strict=True):
            if not 0 <= at < len(instance.nodes):
                return Violation("known node", f"{where}, step {step.id}", f"node {at}", f"{len(instance.nodes)} nodes")
        own = [instance.nodes[at] for at in own_nodes]
        begin = [next(starts) * tick for _ in mode.steps]
        transfer = [None if at == NONE else at * tick for at in (next(moves) for _ in _edges(mode))]
        readings.append(_Reading(task, mode, own, begin, transfer))
    return readings


def _edges(mode: Mode) -> Iterator[tuple[int | None, int | None]]:
    """The transfers of a mode: from the device or the steps before, step by step; then back to the device."""
    place = {step.id: index for index, step in enumerate(mode.steps)}
    needed = {name for step in mode.steps for name in step.after}
    for index, step in enumerate(mode.steps):
        for before in step.after:
            yield place[before], index
        if not step.after:
            yield None, index
        if step.id not in needed:
            yield index, None


def execution_s(step: Step, node: Node, shared: bool) -> Fraction:
    """Execution time on a node (s); `shared` where it holds the context."""
    if step.time_s is not None and node.name in step.time_s:
        return _decimal(step.time_s[node.name])
    read = step.input_tokens - (step.context.tokens if shared and step.context else 0)
    work = 2 * _decimal(node.parameters) * read / _decimal(node.flop_per_s)
    return work + step.output_tokens * 2 * _decimal(node.parameters) / _decimal(node.bandwidth_byte_per_s)


def transfer_s(link: Link, size: int) -> Fraction:
    """Time of a payload on a link (s)."""
    frames = -(-size // link.frame_bytes)
    return frames * _decimal(link.overhead_s) + Fraction(8 * size) / _decimal(link.rate_bit_per_s)


def step_correctness(step: Step, node: Node, shared: bool) -> tuple[Fraction, Fraction]:
    """Enclosure of the probability that a step is right on a node."""
    if step.correctness is not None and node.name in step.correctness:
        exact = _decimal(step.correctness[node.name])
        return exact, exact
    logit = _decimal(node.capability) - _decimal(step.difficulty)
    if shared and step.context:
        logit += _decimal(step.context.logit)
    if not logit:
        return Fraction(1, 2), Fraction(1, 2)
    context = Context(prec=_DIGITS)
    ratio = context.divide(Decimal(-logit.numerator), Decimal(logit.denominator))
    power = Fraction(context.exp(ratio))
    room = Fraction(1, 10 ** (_DIGITS - 6))  # more than the division and the exponential lose together
    return 1 / (1 + power * (1 + room)), 1 / (1 + power * (1 - room))


def correctness(instance: DecompositionInstance, mode: Mode, nodes: Sequence[Node]) -> tuple[Fraction, Fraction]:
    """Enclosure of a task's correctness with its steps on these nodes."""
    place = {step.id: index for index, step in enumerate(mode.steps)}
    low, high = Fraction(1), Fraction(1)
    if instance.aggregation == "mean":
        low = high = Fraction(0)
    total = sum((_decimal(step.weight) for step in mode.steps), Fraction(0))
    for step, node in zip(mode.steps, nodes, strict=True):
        shared = step.context is not None and nodes[place[step.context.step]] is node
        least, most = step_correctness(step, node, shared)
        if instance.aggregation == "mean":
            share = _decimal(step.weight) / total
            low, high = low + share * least, high + share * most
        else:
            low, high = low * least, high * most
    return low, high


def reward(instance: DecompositionInstance, solution: Schedule) -> tuple[Fraction, Fraction]:
    """Enclosure of ``sum w_a correctness - w_d latency`` of a feasible schedule, from the raw fields."""
    readings = _read(instance, solution)
    assert not isinstance(readings, Violation)
    low = high = Fraction(0)
    for reading in readings:
        end = _end(instance, reading)
        late = _decimal(instance.delay_weight_per_s) * (end - _decimal(reading.task.arrival_s))
        least, most = correctness(instance, reading.mode, reading.node)
        weight = _decimal(instance.accuracy_weight)
        low, high = low + weight * least - late, high + weight * most - late
    return low, high


def _shared(mode: Mode, nodes: Sequence[Node], index: int) -> bool:
    context = mode.steps[index].context
    return context is not None and any(
        other.id == context.step and nodes[place] is nodes[index] for place, other in enumerate(mode.steps)
    )


def _ends(reading: _Reading) -> list[Fraction]:
    return [
        start + execution_s(step, node, _shared(reading.mode, reading.node, index))
        for index, (step, node, start) in enumerate(zip(reading.mode.steps, reading.node, reading.start, strict=True))
    ]


def _links(instance: DecompositionInstance) -> dict[frozenset[str], Link]:
    return {frozenset((link.a, link.b)): link for link in instance.links}


def _end(instance: DecompositionInstance, reading: _Reading) -> Fraction:
    """When the last result is at the device (s); one that comes back over no link counts from where it is."""
    ends, links = _ends(reading), _links(instance)
    found = _decimal(reading.task.arrival_s)
    for (source, target), begin in zip(_edges(reading.mode), reading.transfer, strict=True):
        if target is None and source is not None:
            done = ends[source]
            link = links.get(frozenset((reading.node[source].name, reading.task.device)))
            if link is not None and begin is not None:
                done = begin + transfer_s(link, reading.mode.steps[source].output_bytes)
            found = max(found, done)
    return found


def _task(
    instance: DecompositionInstance, reading: _Reading, busy: dict[tuple[str, str], list[_Interval]]
) -> list[Violation]:
    found: list[Violation] = []
    task, mode, nodes = reading.task, reading.mode, reading.node
    arrival, links = _decimal(task.arrival_s), _links(instance)
    channels = {channel.name: channel for channel in instance.channels}
    ends = _ends(reading)
    for index, (step, node) in enumerate(zip(mode.steps, nodes, strict=True)):
        where = f"task {task.id}, step {step.id}"
        if step.nodes is not None and node.name not in step.nodes:
            found.append(Violation("allowed node", where, node.name, "the nodes it may run on"))
        if step.nodes is None and node.name != task.device and frozenset((node.name, task.device)) not in links:
            found.append(Violation("allowed node", where, node.name, f"the nodes that {task.device} has a link to"))
        if reading.start[index] < arrival:
            found.append(Violation("arrival", where, _s(arrival), f"its start {_s(reading.start[index])}"))
        busy.setdefault(("node", node.name), []).append(_Interval(reading.start[index], ends[index], where))
    for (source, target), begin in zip(_edges(mode), reading.transfer, strict=True):
        one = task.device if source is None else nodes[source].name
        other = task.device if target is None else nodes[target].name
        ready = arrival if source is None else ends[source]
        size = mode.steps[target].input_bytes if source is None and target is not None else 0
        if source is not None:
            size = mode.steps[source].output_bytes
        where = f"task {task.id}, transfer from {one} to {other}"
        if one == other:
            if begin is not None:
                found.append(Violation("a transfer between different nodes", where, "a start", "none"))
            done = ready
        else:
            link = links.get(frozenset((one, other)))
            if link is None or begin is None:
                found.append(Violation("link", where, "a transfer", "a link, and a start"))
                continue
            done = begin + transfer_s(link, size)
            if begin < ready:
                found.append(Violation("precedence", where, _s(ready), f"its start {_s(begin)}"))
            if link.channel is not None and channels[link.channel].access == "scheduled":
                busy.setdefault(("channel", link.channel), []).append(_Interval(begin, done, where))
        if target is not None and reading.start[target] < done:
            text = f"the start {_s(reading.start[target])} of {mode.steps[target].id}"
            found.append(Violation("precedence", where, _s(done), text))
    if task.deadline_s is not None and instance.objective != "on-time":
        end, due = _end(instance, reading), arrival + _decimal(task.deadline_s)
        if end > due:
            found.append(Violation("deadline", f"task {task.id}", _s(end), _s(due)))
    return found


def _capacity(key: tuple[str, str], intervals: list[_Interval], slots: int) -> list[Violation]:
    """The first overlap that is too much, found by looking at everything that runs when something starts."""
    kept = sorted(interval for interval in intervals if interval.end > interval.start)
    running: list[_Interval] = []
    for interval in kept:
        running = [other for other in running if other.end > interval.start]
        running.append(interval)
        if len(running) > slots:
            where = f"{key[0]} {key[1]} at {_s(interval.start)}"
            return [Violation("capacity", where, "; ".join(other.what for other in running), f"{slots} at once")]
    return []


def _s(value: Fraction) -> str:
    return f"{float(value):.9g} s"
