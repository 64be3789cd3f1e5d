"""Tasks that are split, placed and scheduled: the problem that a proof by prices speaks of, and what a solution is.

A task is done in one of its modes. A mode has steps and edges; an edge goes from the task's device (null) or a step to
a step or back to the device (null). Each step runs on one of its options, a node with a number of ticks and a
correctness in millionths; where the step has a context, an edge into it, and that edge's step is on the same node, it
takes the second pair of numbers. Between different nodes an edge is a transfer of ``ceil((frames overhead + bytes
byte) / 2^30)`` ticks on the resource ``channel[a][b]`` (-1: on none; -3: there is no link). No number is above 2^62.

A schedule is a solution iff nothing begins before the task's release or before what it needs has ended, no resource has
more at once than its slots, every task ends by its ``due`` (unless the objective counts who does), and the correctness
of all tasks together is at least ``floor``.

Value: ``reward``: the sum of ``right_factor correctness - tick_factor (end - origin)``, to be large; ``latency``: of
``end - origin``, to be small; ``on-time``: the number of tasks with ``end <= due``, to be large. The correctness of a
task is the product of that of its steps, rounded down after each, or the weighted mean rounded down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .reading import Refuted, Unreadable, between, fields, items, whole, wholes

UNITS = 10**6
FINE_BITS = 30
NO_LINK = -3
MOST = 2**62
"""No number of a program or of its prices is larger; what the compiled form holds is less."""


@dataclass(frozen=True)
class Option:
    """A node for a step, with ticks and correctness alone and beside its context."""

    node: int
    ticks: tuple[int, int]
    right: tuple[int, int]


@dataclass(frozen=True)
class Mode:
    """Steps with their options, weights and contexts, and edges with their bytes; by topological order."""

    options: list[list[Option]]
    weight: list[int]
    context: list[int | None]
    edges: list[tuple[int | None, int | None, int]]
    order: list[int]

    def into(self, step: int) -> list[int]:
        """Edges that end at a step."""
        return [e for e, (_, target, _) in enumerate(self.edges) if target == step]


@dataclass(frozen=True)
class Task:
    """A task; ``due`` is None for no limit."""

    release: int
    origin: int
    due: int | None
    device: int
    modes: list[Mode]


@dataclass(frozen=True)
class Program:
    """A program as read."""

    objective: str
    aggregation: str
    right_factor: int
    tick_factor: int
    floor: int
    slots: list[int]
    channel: list[list[int]]
    frame: list[list[int]]
    overhead: list[list[int]]
    byte: list[list[int]]
    tasks: list[Task]

    @property
    def sense(self) -> str:
        """Whether the value is to be large or small."""
        return "min" if self.objective == "latency" else "max"

    def transfer(self, size: int, source: int, target: int) -> int:
        """Ticks of a transfer between two nodes."""
        if source == target or not size:
            return 0
        frames = -(-size // self.frame[source][target])
        return -(-(frames * self.overhead[source][target] + size * self.byte[source][target]) >> FINE_BITS)

    def gain(self, task: Task, right: int, end: int) -> int:
        """What a task adds to the value, which of a latency is its negative."""
        if self.objective == "on-time":
            return int(task.due is None or end <= task.due)
        late = end - task.origin
        return -late if self.objective == "latency" else self.right_factor * right - self.tick_factor * late


def read_program(content: Any) -> Program:
    """The program in a certificate."""
    names = (
        "objective", "aggregation", "right_factor", "tick_factor", "floor", "slots", "channel", "frame",
        "overhead", "byte", "tasks",
    )  # fmt: skip
    objective, aggregation, right, tick, floor, slots, *tables, tasks = fields(content, "program", *names)
    if objective not in ("reward", "latency", "on-time") or aggregation not in ("product", "mean"):
        raise Unreadable("program.objective must be reward, latency or on-time, aggregation product or mean")
    for name, number in (("right_factor", right), ("tick_factor", tick), ("floor", floor)):
        between(number, f"program.{name}", 0, MOST)
    wholes(slots, "program.slots", least=1, most=MOST)
    count = len(items(tables[0], "program.channel"))
    for name, table, least in zip(("channel", "frame", "overhead", "byte"), tables, (NO_LINK, 1, 0, 0), strict=True):
        for row in items(table, f"program.{name}", count):
            wholes(row, f"a row of program.{name}", count, least=least, most=MOST)
    if count > len(slots) or any(at >= len(slots) or at in range(count) for row in tables[0] for at in row):
        raise Unreadable("program.channel names a resource that does not exist, or a node")
    if any(tables[0][node][node] != -1 for node in range(count)):
        raise Unreadable("program.channel must be -1 from a node to itself: what is there is not sent")
    found = [_task(task, f"program.tasks[{i}]", count) for i, task in enumerate(items(tasks, "program.tasks"))]
    channel, frame, overhead, byte = tables
    return Program(objective, aggregation, right, tick, floor, slots, channel, frame, overhead, byte, found)


def _task(content: Any, where: str, nodes: int) -> Task:
    release, origin, due, device, modes = fields(content, where, "release", "origin", "due", "device", "modes")
    if not 0 <= whole(origin, f"{where}.origin") <= between(release, f"{where}.release", 0, MOST):
        raise Unreadable(f"{where}.origin must be from 0 to release")
    if due is not None:
        between(due, f"{where}.due", -MOST, MOST)
    if not 0 <= whole(device, f"{where}.device") < nodes:
        raise Unreadable(f"{where}.device is no node")
    found = [_mode(mode, f"{where}.modes[{m}]", nodes) for m, mode in enumerate(items(modes, f"{where}.modes"))]
    if not found:
        raise Unreadable(f"{where} has no mode")
    return Task(release, origin, due, device, found)


def _mode(content: Any, where: str, nodes: int) -> Mode:
    steps, edges = fields(content, where, "steps", "edges")
    options, weights, contexts = [], [], []
    for k, step in enumerate(items(steps, f"{where}.steps")):
        at = f"{where}.steps[{k}]"
        rows, weight, context = fields(step, at, "options", "weight", "context")
        own = []
        for row in items(rows, f"{at}.options"):
            node, *numbers = wholes(row, f"{at}.options", 5, least=0, most=MOST)
            if node >= nodes or max(numbers[1], numbers[3]) > UNITS:
                raise Unreadable(f"{at}.options names no node, or a correctness above a million")
            own.append(Option(node, (numbers[0], numbers[2]), (numbers[1], numbers[3])))
        if not own:
            raise Unreadable(f"{at} must have an option")
        between(weight, f"{at}.weight", 1, MOST)
        options.append(own)
        weights.append(weight)
        contexts.append(context)
    read: list[tuple[int | None, int | None, int]] = []
    for e, edge in enumerate(items(edges, f"{where}.edges")):
        source, target, size = items(edge, f"{where}.edges[{e}]", 3)
        for end in (source, target):
            if end is not None and not 0 <= whole(end, f"{where}.edges[{e}]") < len(options):
                raise Unreadable(f"{where}.edges[{e}] names no step")
        if source is None and target is None:
            raise Unreadable(f"{where}.edges[{e}] must have a step at one end")
        between(size, f"{where}.edges[{e}]: bytes", 0, MOST)
        read.append((source, target, size))
    for k, context in enumerate(contexts):
        if context is not None:
            whole(context, f"{where}.steps[{k}].context")
            if not 0 <= context < len(read) or read[context][1] != k or read[context][0] is None:
                raise Unreadable(f"{where}.steps[{k}].context is no edge from a step into it")
    return Mode(options, weights, contexts, read, _order(len(options), read, where))


def _order(count: int, edges: list[tuple[int | None, int | None, int]], where: str) -> list[int]:
    """The steps, each after those it needs; every step is needed by one, or goes back to the device."""
    before = [{s for s, target, _ in edges if target == k and s is not None} for k in range(count)]
    if not count or any(all(source != k for source, _, _ in edges) for k in range(count)):
        raise Unreadable(f"{where} has a step that nothing follows, or none")
    order: list[int] = []
    done: set[int] = set()
    while len(order) < count:
        free = [k for k in range(count) if k not in done and before[k] <= done]
        if not free:
            raise Unreadable(f"{where}: its steps wait for each other in a circle")
        order += free
        done.update(free)
    return order


def value_of(program: Program, solution: Any) -> int:
    """Value of a schedule; refuted if it is no solution."""
    busy: list[list[tuple[int, int]]] = [[] for _ in program.slots]
    total, right = 0, 0
    entries = items(solution, "solution", len(program.tasks))
    for i, (task, entry) in enumerate(zip(program.tasks, entries, strict=True)):
        own_right, end = _check(program, task, entry, f"solution[{i}]", busy)
        right += own_right
        if program.objective != "on-time" and task.due is not None and end > task.due:
            raise Refuted(f"solution[{i}] ends at {end}, after {task.due}")
        total += program.gain(task, own_right, end)
    for resource, intervals in enumerate(busy):
        level = 0
        for time, change in sorted([(b, 1) for b, _ in intervals] + [(e, -1) for _, e in intervals]):
            level += change
            if level > program.slots[resource]:
                raise Refuted(f"solution: resource {resource} has {level} at once at {time}")
    if right < program.floor:
        raise Refuted(f"solution: the correctness is {right}, less than {program.floor}")
    return -total if program.sense == "min" else total


def _check(program: Program, task: Task, entry: Any, where: str, busy: list[list[tuple[int, int]]]) -> tuple[int, int]:
    """Correctness and end of a task in a schedule; what it occupies is added to `busy`."""
    mode_index, node, start, transfer = fields(entry, where, "mode", "node", "start", "transfer")
    if not 0 <= whole(mode_index, f"{where}.mode") < len(task.modes):
        raise Refuted(f"{where}: there is no mode {mode_index}")
    mode = task.modes[mode_index]
    wholes(node, f"{where}.node", len(mode.options))
    wholes(start, f"{where}.start", len(mode.options))
    ends, rights = [], []
    for k, (at, begin) in enumerate(zip(node, start, strict=True)):
        option = next((own for own in mode.options[k] if own.node == at), None)
        if option is None:
            raise Refuted(f"{where}: step {k} may not run on node {at}")
        context = mode.context[k]
        beside = None if context is None else mode.edges[context][0]
        shared = beside is not None and node[beside] == at
        if begin < task.release:
            raise Refuted(f"{where}: step {k} begins before the release")
        ends.append(begin + option.ticks[shared])
        rights.append(option.right[shared])
        if option.ticks[shared]:
            busy[at].append((begin, ends[k]))
    done = task.release
    for e, (edge, begin) in enumerate(zip(mode.edges, items(transfer, where, len(mode.edges)), strict=True)):
        source, target, size = edge
        one = task.device if source is None else node[source]
        other = task.device if target is None else node[target]
        arrived = ready = task.release if source is None else ends[source]
        if (begin is None) != (one == other):
            raise Refuted(f"{where}: edge {e} must be a transfer iff its ends are on different nodes")
        if begin is not None:
            if program.channel[one][other] == NO_LINK or whole(begin, where) < ready:
                raise Refuted(f"{where}: edge {e} has no link, or begins before what it carries is there")
            arrived = begin + program.transfer(size, one, other)
            if program.channel[one][other] >= 0 and arrived > begin:
                busy[program.channel[one][other]].append((begin, arrived))
        if target is None:
            done = max(done, arrived)
        elif start[target] < arrived:
            raise Refuted(f"{where}: step {target} begins before what it needs is there")
    return correctness(program, mode, rights), done


def correctness(program: Program, mode: Mode, rights: list[int]) -> int:
    """Correctness of a task from that of its steps."""
    if program.aggregation == "mean":
        return sum(w * right for w, right in zip(mode.weight, rights, strict=True)) // sum(mode.weight)
    total = UNITS
    for right in rights:
        total = total * right // UNITS
    return total
