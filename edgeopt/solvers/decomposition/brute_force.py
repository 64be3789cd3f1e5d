"""Every mode, place and order of a few tasks: the reference that tests hold everything else against.

For given modes and places, the orders are those of serial schedule generation: operations one by one, each at its
earliest time, in every order that respects precedence. For an objective that only gains by earlier ends, one of these
schedules is optimal (Sprecher, Kolisch, Drexl 1995). Everything is in Python's integers.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np

from edgeopt.errors import AssumptionError
from edgeopt.instances.decomposition.compiled import DEVICE, UNREACHABLE, CompiledDecomposition
from edgeopt.instances.decomposition.instance import DecompositionInstance
from edgeopt.instances.decomposition.logistic import UNITS
from edgeopt.instances.decomposition.schedule import NONE, Schedule
from edgeopt.result import Answer, Termination
from edgeopt.solvers.base import Control

MOST_PLACES = 300_000
"""Choices of modes and places that are tried."""
POLL = 256


class _Operation(NamedTuple):
    """A step or transfer with given places."""

    resource: int
    ticks: int
    before: tuple[int, ...]
    """Operations that end before it begins."""
    release: int


class _Choice(NamedTuple):
    """A task in a mode with its steps on nodes."""

    mode: int
    nodes: tuple[int, ...]
    right: int
    operations: list[_Operation]
    step_operation: list[int]
    edge_operation: list[int]
    last: list[int]
    """Operations whose ends decide when the task is done."""
    least_end: int
    """When it is done if nothing else is there."""


def brute_force(instance: DecompositionInstance, control: Control) -> Answer:
    """Try everything.

    Raises
    ------
    AssumptionError
        If there are more than `MOST_PLACES` choices of modes and places.
    """
    compiled = instance.compiled
    count = 1
    for task in range(compiled.tasks):
        count *= _count(compiled, task)
        if count > MOST_PLACES:
            words = f"brute-force takes at most {MOST_PLACES} choices of places; {instance.name} has more"
            raise AssumptionError(words)
    choices = [list(_choices(compiled, task)) for task in range(compiled.tasks)]
    search = _Search(compiled, control)
    for own in choices:  # the most promising first
        own.sort(key=lambda choice: -search.most(choice))
    for taken in product(*choices):
        if search.stopped():
            break
        search.orders(taken)
    if search.stopped():
        return Answer(search.best, claimed_value=search.value, termination=control.stopped_by())
    if search.best is None:
        return Answer(None, termination=Termination.INFEASIBLE)
    return Answer(search.best, claimed_value=search.value, bound=search.value)


def _count(compiled: CompiledDecomposition, task: int) -> int:
    """How many choices a task has, those without links among them."""
    a = compiled.lists()
    return sum(
        prod(a.option_start[step + 1] - a.option_start[step] for step in range(a.step_start[m], a.step_start[m + 1]))
        for m in range(a.mode_start[task], a.mode_start[task + 1])
    )


def _choices(compiled: CompiledDecomposition, task: int) -> Iterator[_Choice]:
    a = compiled.lists()
    for mode in range(a.mode_start[task], a.mode_start[task + 1]):
        steps = range(a.step_start[mode], a.step_start[mode + 1])
        options = [range(a.option_start[step], a.option_start[step + 1]) for step in steps]
        for taken in product(*options):
            choice = _choice(compiled, task, mode, taken)
            if choice is not None:
                yield choice


def _choice(compiled: CompiledDecomposition, task: int, mode: int, options: tuple[int, ...]) -> _Choice | None:
    a = compiled.lists()
    first, release, device = a.step_start[mode], a.release[task], a.device[task]
    nodes = tuple(a.option_node[option] for option in options)
    ends: dict[int, tuple[int, ...]] = {}
    operations: list[_Operation] = []
    step_operation, edge_operation = [-1] * len(nodes), []
    order = [step - first for step in a.order[first : a.step_start[mode + 1]]]
    rights: list[int] = [0] * len(nodes)
    moved: dict[int, int] = {}
    last: list[int] = []
    for place in order:
        step, at = first + place, nodes[place]
        before: list[int] = []
        shared = False
        back = -1
        for edge in range(a.step_edge[step], a.step_edge[step + 1]):
            if a.edge_to[edge] == DEVICE:
                back = edge
                continue
            source = device if a.edge_from[edge] == DEVICE else nodes[a.edge_from[edge] - first]
            own = () if a.edge_from[edge] == DEVICE else ends[a.edge_from[edge] - first]
            shared |= edge == a.context[step] and source == at
            if a.channel[source][at] == UNREACHABLE:
                return None
            if source == at:
                before += own
            else:
                moved[edge] = len(operations)
                before.append(len(operations))
                ticks = compiled.transfer_ticks(edge, source, at)
                operations.append(_Operation(a.channel[source][at], ticks, own, release))
        ends[place] = (len(operations),)
        step_operation[place] = len(operations)
        operations.append(_Operation(at, a.option_ticks[options[place]][shared], tuple(before), release))
        rights[place] = a.option_right[options[place]][shared]
        if back >= 0:
            if a.channel[at][device] == UNREACHABLE:
                return None
            if at != device:
                moved[back] = len(operations)
                ticks = compiled.transfer_ticks(back, at, device)
                operations.append(_Operation(a.channel[at][device], ticks, ends[place], release))
            last.append(len(operations) - 1)
    edge_operation = [moved.get(edge, -1) for edge in range(a.edge_start[mode], a.edge_start[mode + 1])]
    end: list[int] = []
    for own_operation in operations:
        begin = max([own_operation.release, *(end[other] for other in own_operation.before)])
        end.append(begin + own_operation.ticks)
    right = _together(compiled, mode, rights)
    least = max(end[operation] for operation in last)
    return _Choice(mode, nodes, right, operations, step_operation, edge_operation, last, least)


def _together(compiled: CompiledDecomposition, mode: int, rights: list[int]) -> int:
    a = compiled.lists()
    if compiled.aggregation == "mean":
        weight = a.weight[a.step_start[mode] : a.step_start[mode + 1]]
        return sum(w * right for w, right in zip(weight, rights, strict=True)) // sum(weight)
    total = UNITS
    for right in rights:
        total = total * right // UNITS
    return total


class _Search:
    """The best schedule so far."""

    def __init__(self, compiled: CompiledDecomposition, control: Control) -> None:
        self.compiled, self.control, self.a = compiled, control, compiled.lists()
        self.sign = -1 if compiled.kind == "latency" else 1
        self.value: int | None = None
        self.best: Schedule | None = None
        self.count = 0
        self.halted = False

    def stopped(self) -> bool:
        """Whether to stop; looks at the clock now and then."""
        self.count += 1
        if self.count % POLL == 0 and self.control.stop():
            self.halted = True
        return self.halted

    def worth(self, task: int, right: int, end: int) -> int | None:
        """What a task adds; None where it misses a limit."""
        compiled, a = self.compiled, self.a
        if compiled.kind == "on-time":
            return int(end <= a.due[task])
        if end > a.due[task]:
            return None
        late = end - a.origin[task]
        return late if compiled.kind == "latency" else compiled.right_factor * right - compiled.tick_factor * late

    def most(self, choice: _Choice) -> int:
        """For sorting: what a choice can bring alone."""
        late = choice.least_end
        if self.compiled.kind == "reward":
            return self.compiled.right_factor * choice.right - self.compiled.tick_factor * late
        return -late

    def orders(self, taken: tuple[_Choice, ...]) -> None:
        """All orders of the operations with these modes and places."""
        if sum(choice.right for choice in taken) < self.compiled.floor_units:
            return
        self.taken = taken
        operations: list[_Operation] = []
        self.offset: list[int] = []
        for choice in taken:
            shift = len(operations)
            self.offset.append(shift)
            operations += [
                own._replace(before=tuple(other + shift for other in own.before)) for own in choice.operations
            ]
        self.operations = operations
        self.start: list[int | None] = [None] * len(operations)
        self.busy: list[list[tuple[int, int]]] = [[] for _ in self.a.slots]
        # An operation that nothing competes with is placed as soon as it can be; so is one of no time.
        self.seen: set[tuple[int, ...]] = set()
        if self._promising():
            self._next(len(operations))

    def _promising(self) -> bool:
        """Whether the operations still open, each as early as precedence and what is placed allow, could do better."""
        end: list[int] = []
        for own, begun in zip(self.operations, self.start, strict=True):
            begin = max([own.release, *(end[other] for other in own.before)]) if begun is None else begun
            end.append(begin + own.ticks)
        value = 0
        for task, (choice, shift) in enumerate(zip(self.taken, self.offset, strict=True)):
            worth = self.worth(task, choice.right, max(end[shift + operation] for operation in choice.last))
            if worth is None:
                return False
            value += worth
        return self.value is None or self.sign * value > self.sign * self.value

    def _next(self, left: int) -> None:
        if self.stopped():
            return
        if not left:
            self._take()
            return
        ready = [
            index
            for index, own in enumerate(self.operations)
            if self.start[index] is None and all(self.start[other] is not None for other in own.before)
        ]
        free = [i for i in ready if self.operations[i].resource < 0 or not self.operations[i].ticks]
        for index in free[:1] or ready:
            begin = self._earliest(index)
            own = self.operations[index]
            self.start[index] = begin
            if own.resource >= 0 and own.ticks:
                self.busy[own.resource].append((begin, begin + own.ticks))
            key = tuple(-1 if s is None else s for s in self.start)
            if key not in self.seen and self._promising():
                self.seen.add(key)
                self._next(left - 1)
            self.start[index] = None
            if own.resource >= 0 and own.ticks:
                self.busy[own.resource].pop()

    def _earliest(self, index: int) -> int:
        """Earliest start at which fewer than all slots are taken from there to its end."""
        own = self.operations[index]
        ready = own.release
        for other in own.before:
            begun = self.start[other]
            assert begun is not None
            ready = max(ready, begun + self.operations[other].ticks)
        if own.resource < 0 or not own.ticks:
            return ready
        busy, slots = self.busy[own.resource], self.a.slots[own.resource]
        for begin in sorted({ready, *(end for _, end in busy if end > ready)}):
            points = [begin, *(b for b, _ in busy if begin < b < begin + own.ticks)]
            if all(sum(b <= point < e for b, e in busy) < slots for point in points):
                return begin
        raise AssertionError("the last end is always possible")

    def _take(self) -> None:
        """A complete schedule, better than the best one."""
        value = 0
        modes: list[int] = []
        nodes: list[int] = []
        starts: list[int] = []
        transfers: list[int] = []
        for task, (choice, shift) in enumerate(zip(self.taken, self.offset, strict=True)):
            begun = [self.start[shift + operation] or 0 for operation in range(len(choice.operations))]
            end = max(begun[operation] + choice.operations[operation].ticks for operation in choice.last)
            worth = self.worth(task, choice.right, end)
            assert worth is not None
            value += worth
            modes.append(choice.mode - self.a.mode_start[task])
            nodes += choice.nodes
            starts += [begun[operation] for operation in choice.step_operation]
            transfers += [NONE if operation < 0 else begun[operation] for operation in choice.edge_operation]
        self.value = value
        self.best = Schedule(*(np.array(column, dtype=np.int64) for column in (modes, nodes, starts, transfers)))
        self.control.report(value)
