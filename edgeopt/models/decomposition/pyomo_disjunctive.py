"""The decomposition problem as a disjunctive mixed-integer program, for small instances: the independent model.

A binary stands for a whole way to do a task, a mode with a node for each step, so every duration, channel and
correctness is a number that follows from it. Operations that may meet on a resource have a binary for their order.
"""

from __future__ import annotations

from itertools import combinations, product
from typing import Any, NamedTuple

import numpy as np

from edgeopt.errors import AssumptionError
from edgeopt.instances.decomposition.compiled import DEVICE, UNREACHABLE
from edgeopt.instances.decomposition.instance import DecompositionInstance
from edgeopt.instances.decomposition.logistic import UNITS
from edgeopt.instances.decomposition.schedule import NONE, Schedule, correctness, placed
from edgeopt.models.base import Cut, FloatArray, Model

MOST_WAYS = 5000
"""Ways to do all tasks together, counted."""
MOST_TIME = 400_000
"""Largest time (ticks): times a binary's tolerance of 1e-6 it is less than half a tick."""
DIGIT = 1000
"""Millionths are written to this base: one of them beside a million is less than a tolerance of 1e-6."""


class Way(NamedTuple):
    """A mode with a node for each step, and what follows."""

    mode: int
    nodes: tuple[int, ...]
    right: int
    ticks: tuple[int, ...]
    """Of the steps, then of the edges."""
    resource: tuple[int, ...]
    """Of the steps, then of the edges; negative for none."""


class Operation(NamedTuple):
    """A step or an edge of a mode, as a variable of its start."""

    task: int
    mode: int
    place: int
    """Within the ticks of the mode's ways."""


class PyomoDisjunctive:
    """Ways, starts, orders.

    Variables, in their order: a binary a way; the start of each operation; the end of each task; a binary for each
    pair of operations that may meet on a lane of a resource; where nodes have several slots, a binary for each lane of
    an operation; then a binary for each task that may be on time, or the carry of the floor's lower digits. The end of
    a task is held from one side, so that the objective is the value at an optimum, and may be less elsewhere.

    Parameters
    ----------
    instance : DecompositionInstance

    Raises
    ------
    AssumptionError
        If there are more than `MOST_WAYS` ways, or times beyond `MOST_TIME` ticks.
    """

    understates = True

    def __init__(self, instance: DecompositionInstance) -> None:
        self.instance, self.compiled = instance, instance.compiled
        self.a = self.compiled.lists()
        self.ways: list[list[Way]] = []
        for task in range(self.compiled.tasks):
            count = sum(len(self.ways[i]) for i in range(len(self.ways)))
            self.ways.append(self._ways(task, MOST_WAYS - count))
        self.operations: list[Operation] = [
            Operation(task, mode, place)
            for task in range(self.compiled.tasks)
            for mode in range(self.a.mode_start[task], self.a.mode_start[task + 1])
            for place in range(self._steps(mode) + self._edges(mode))
        ]
        self.position = {operation: index for index, operation in enumerate(self.operations)}
        self.last = max(self.a.release, default=0) + sum(
            max((sum(way.ticks) for way in ways), default=0) for ways in self.ways
        )
        if self.last > MOST_TIME:
            raise AssumptionError(
                f"{instance.name}: times up to {self.last} ticks, the disjunctive form takes {MOST_TIME}; "
                "take a larger tick_s"
            )
        self.lanes, self.meetings = self._meetings()

    def _steps(self, mode: int) -> int:
        return self.a.step_start[mode + 1] - self.a.step_start[mode]

    def _edges(self, mode: int) -> int:
        return self.a.edge_start[mode + 1] - self.a.edge_start[mode]

    def _ways(self, task: int, room: int) -> list[Way]:
        a, found = self.a, []
        for mode in range(a.mode_start[task], a.mode_start[task + 1]):
            steps = range(a.step_start[mode], a.step_start[mode + 1])
            for options in product(*(range(a.option_start[step], a.option_start[step + 1]) for step in steps)):
                way = self._way(task, mode, options)
                if way is not None:
                    found.append(way)
                if len(found) > room:
                    raise AssumptionError(f"{self.instance.name}: the disjunctive form takes at most {MOST_WAYS} ways")
        return found

    def _way(self, task: int, mode: int, options: tuple[int, ...]) -> Way | None:
        a, compiled = self.a, self.compiled
        first = a.step_start[mode]
        nodes = tuple(a.option_node[option] for option in options)

        def node(step: int) -> int:
            return a.device[task] if step == DEVICE else nodes[step - first]

        ticks, resource, rights = [], [], []
        for place, option in enumerate(options):
            context = a.context[first + place]
            shared = context >= 0 and node(a.edge_from[context]) == nodes[place]
            ticks.append(a.option_ticks[option][shared])
            rights.append(a.option_right[option][shared])
            resource.append(nodes[place])
        for edge in range(a.edge_start[mode], a.edge_start[mode + 1]):
            source, target = node(a.edge_from[edge]), node(a.edge_to[edge])
            if a.channel[source][target] == UNREACHABLE:
                return None
            ticks.append(compiled.transfer_ticks(edge, source, target))
            resource.append(a.channel[source][target])
        right = UNITS
        if compiled.aggregation == "mean":
            weight = a.weight[first : first + len(nodes)]
            right = sum(w * r for w, r in zip(weight, rights, strict=True)) // sum(weight)
        else:
            for own in rights:
                right = right * own // UNITS
        return Way(mode, nodes, right, tuple(ticks), tuple(resource))

    def _users(self) -> list[dict[int, list[tuple[int, int]]]]:
        """For each resource the operations that may use it, each with the ways (task, index) in which it does."""
        users: list[dict[int, list[tuple[int, int]]]] = [{} for _ in self.a.slots]
        for task, ways in enumerate(self.ways):
            for index, way in enumerate(ways):
                for place, (resource, ticks) in enumerate(zip(way.resource, way.ticks, strict=True)):
                    if resource >= 0 and ticks:
                        operation = self.position[Operation(task, way.mode, place)]
                        users[resource].setdefault(operation, []).append((task, index))
        return users

    def _meetings(self) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int, int]]]:
        """Lanes (operation, resource, lane) where there are several; what may meet: (resource, lane, one, other)."""
        self.users = self._users()
        lanes, meetings = [], []
        for resource, (users, slots) in enumerate(zip(self.users, self.a.slots, strict=True)):
            if slots >= len(users):
                continue
            if slots > 1:
                lanes += [(operation, resource, lane) for operation in users for lane in range(slots)]
            for one, other in combinations(users, 2):
                modes = self.operations[one], self.operations[other]
                if modes[0].task == modes[1].task and modes[0].mode != modes[1].mode:
                    continue
                meetings += [(resource, lane, one, other) for lane in range(slots)]
        return lanes, meetings

    def build(self) -> Model:
        """The Pyomo model: ways, precedence, capacity, limits, objective."""
        import pyomo.environ as pyo

        a, compiled = self.a, self.compiled
        model = pyo.ConcreteModel()
        names = [(task, index) for task, ways in enumerate(self.ways) for index in range(len(ways))]
        model.w = pyo.Var(range(len(names)), domain=pyo.Binary)
        number = {name: index for index, name in enumerate(names)}
        model.s = pyo.Var(range(len(self.operations)), domain=pyo.Integers)
        model.e = pyo.Var(range(compiled.tasks), domain=pyo.Integers)
        model.b = pyo.Var(range(len(self.meetings)), domain=pyo.Binary)
        model.l = pyo.Var(range(len(self.lanes)), domain=pyo.Binary)
        for index, operation in enumerate(self.operations):
            model.s[index].setlb(a.release[operation.task])
            model.s[index].setub(self.last)
        for task in range(compiled.tasks):
            model.e[task].setlb(a.release[task])
            model.e[task].setub(self.last if compiled.kind == "on-time" else min(self.last, a.due[task]))
        model.rows = pyo.ConstraintList()
        for task, ways in enumerate(self.ways):
            if ways and a.release[task] <= model.e[task].ub:
                model.rows.add(sum(model.w[number[task, index]] for index in range(len(ways))) == 1)
            else:  # no way, or no time
                model.rows.add(model.s[self.position[Operation(task, a.mode_start[task], 0)]] >= self.last + 1)
                model.e[task].setub(max(a.release[task], self.last))
        length = self._lengths(model, number)
        self._precedence(model, length)
        self._capacity(model, number, length)
        self._objective(model, number, pyo)
        variables = [*model.w.values(), *model.s.values(), *model.e.values(), *model.b.values(), *model.l.values()]
        if compiled.kind == "on-time":
            variables += list(model.o.values())
        elif compiled.floor_units:
            variables.append(model.c)
        return Model(model, variables)

    def _lengths(self, model: Any, number: dict[tuple[int, int], int]) -> list[Any]:
        """Duration of each operation: that of the way that is taken, 0 in a mode that is not."""
        length: list[Any] = [0] * len(self.operations)
        for task, ways in enumerate(self.ways):
            for index, way in enumerate(ways):
                for place, ticks in enumerate(way.ticks):
                    if ticks:
                        length[self.position[Operation(task, way.mode, place)]] += ticks * model.w[number[task, index]]
        return length

    def _precedence(self, model: Any, length: list[Any]) -> None:
        """An edge begins after its step, a step after its edges; the task ends after the edges to the device."""
        a = self.a
        for operation, begin in ((own, index) for index, own in enumerate(self.operations)):
            mode, steps = operation.mode, self._steps(operation.mode)
            if operation.place < steps:
                continue
            edge = a.edge_start[mode] + operation.place - steps
            source, target = a.edge_from[edge], a.edge_to[edge]
            if source != DEVICE:
                before = self.position[operation._replace(place=source - a.step_start[mode])]
                model.rows.add(model.s[begin] >= model.s[before] + length[before])
            done = model.s[begin] + length[begin]
            if target == DEVICE:
                model.rows.add(model.e[operation.task] >= done)
            else:
                model.rows.add(model.s[self.position[operation._replace(place=target - a.step_start[mode])]] >= done)

    def _capacity(self, model: Any, number: dict[tuple[int, int], int], length: list[Any]) -> None:
        """Two operations on one lane are one after the other; an operation on a resource takes one of its lanes."""
        lane_of = {key: index for index, key in enumerate(self.lanes)}
        using = [
            {operation: sum(model.w[number[way]] for way in ways) for operation, ways in users.items()}
            for users in self.users
        ]

        def present(resource: int, lane: int, operation: int) -> Any:
            key = (operation, resource, lane)
            return model.l[lane_of[key]] if key in lane_of else using[resource][operation]

        for resource, users in enumerate(self.users):
            if 1 < self.a.slots[resource] < len(users):
                for operation in users:
                    lanes = [lane_of[operation, resource, lane] for lane in range(self.a.slots[resource])]
                    model.rows.add(sum(model.l[lane] for lane in lanes) == using[resource][operation])
        for index, (resource, lane, one, other) in enumerate(self.meetings):
            apart = 2 - present(resource, lane, one) - present(resource, lane, other)
            first = model.s[one] + length[one] - self.last * (apart + 1 - model.b[index])
            model.rows.add(model.s[other] >= first)
            second = model.s[other] + length[other] - self.last * (apart + model.b[index])
            model.rows.add(model.s[one] >= second)

    def _objective(self, model: Any, number: dict[tuple[int, int], int], pyo: Any) -> None:
        compiled, a = self.compiled, self.a
        late = sum(model.e[task] - a.origin[task] for task in range(compiled.tasks))
        if compiled.kind == "on-time":
            model.o = pyo.Var(range(compiled.tasks), domain=pyo.Binary)
            for task in range(compiled.tasks):
                if a.due[task] < a.release[task]:
                    model.o[task].fix(0)
                    model.o[task].setub(0)
                    model.o[task].unfix()
                elif a.due[task] < self.last:
                    model.rows.add(model.e[task] <= a.due[task] + self.last * (1 - model.o[task]))
            model.value = pyo.Objective(expr=sum(model.o[task] for task in range(compiled.tasks)), sense=pyo.maximize)
        elif compiled.kind == "latency":
            if compiled.floor_units:
                self._floor(model, number, pyo)
            model.value = pyo.Objective(expr=late, sense=pyo.minimize)
        else:
            right = sum(
                way.right * model.w[number[task, index]]
                for task, ways in enumerate(self.ways)
                for index, way in enumerate(ways)
                if way.right
            )
            model.value = pyo.Objective(
                expr=compiled.right_factor * right - compiled.tick_factor * late, sense=pyo.maximize
            )

    def _floor(self, model: Any, number: dict[tuple[int, int], int], pyo: Any) -> None:
        """The correctness reaches the floor, digit by digit: the lower ones hand a whole carry to the upper ones.

        Both rows give the floor: a thousand times the one and the other. Where it is reached, so are they, with the
        largest carry that the lower ones allow: what it leaves is less than a thousand.
        """
        high, low = divmod(self.compiled.floor_units, DIGIT)
        upper: Any = 0
        lower: Any = 0
        for task, ways in enumerate(self.ways):
            for index, way in enumerate(ways):
                most, least = divmod(way.right, DIGIT)
                if most:
                    upper += most * model.w[number[task, index]]
                if least:
                    lower += least * model.w[number[task, index]]
        model.c = pyo.Var(domain=pyo.Integers, bounds=(-1, self.compiled.tasks))
        model.rows.add(upper + model.c >= high)
        model.rows.add(lower - DIGIT * model.c >= low)

    def _taken(self, values: FloatArray) -> list[Way]:
        found, begin = [], 0
        for ways in self.ways:
            own = values[begin : begin + len(ways)]
            begin += len(ways)
            found.append(ways[int(np.argmax(own))])
        return found

    def extract(self, values: FloatArray) -> Schedule:
        """The schedule that values of the variables describe."""
        a, first = self.a, sum(map(len, self.ways))
        starts = np.rint(values[first : first + len(self.operations)]).astype(np.int64).tolist()
        mode: list[int] = []
        node: list[int] = []
        start: list[int] = []
        transfer: list[int] = []
        for task, way in enumerate(self._taken(values)):
            steps = len(way.nodes)
            begin = [starts[self.position[Operation(task, way.mode, place)]] for place in range(len(way.ticks))]
            mode.append(way.mode - a.mode_start[task])
            node += way.nodes
            start += begin[:steps]
            for edge, own in enumerate(begin[steps:], a.edge_start[way.mode]):
                ends = [
                    a.device[task] if step == DEVICE else way.nodes[step - a.step_start[way.mode]]
                    for step in (a.edge_from[edge], a.edge_to[edge])
                ]
                transfer.append(NONE if ends[0] == ends[1] else own)
        return Schedule(*(np.array(column, dtype=np.int64) for column in (mode, node, start, transfer)))

    def start(self, solution: Schedule) -> FloatArray:
        """Values of the variables that describe a schedule."""
        a, compiled = self.a, self.compiled
        w: list[float] = []
        s = [float(a.release[operation.task]) for operation in self.operations]
        e, ticks = [], [0] * len(self.operations)
        lower = 0
        for task, own in enumerate(placed(compiled, solution)):
            nodes = tuple(own.node)
            lower += correctness(compiled, own) % DIGIT
            w += [float(way.mode == own.mode and way.nodes == nodes) for way in self.ways[task]]
            e.append(float(own.end))
            steps = len(nodes)
            for place, (begin, length) in enumerate(
                zip([*own.start, *own.transfer], [*own.ticks, *own.transfer_ticks], strict=True)
            ):
                index = self.position[Operation(task, own.mode, place)]
                ticks[index] = length
                if begin == NONE and place >= steps:
                    source = a.edge_from[a.edge_start[own.mode] + place - steps]
                    begin = a.release[task] if source == DEVICE else own.end_of(source)
                s[index] = float(begin)
        lanes = self._lanes_of(solution, s, ticks)
        b = [float(s[one] + ticks[one] <= s[other]) for _, _, one, other in self.meetings]
        last: list[float] = []
        if compiled.kind == "on-time":
            last = [float(end <= due) for end, due in zip(e, a.due, strict=True)]
        elif compiled.floor_units:
            last = [float((lower - compiled.floor_units % DIGIT) // DIGIT)]
        return np.array([*w, *s, *e, *b, *lanes, *last], dtype=np.float64)

    def _lanes_of(self, solution: Schedule, s: list[float], ticks: list[int]) -> list[float]:
        """A lane for each operation on a node with several slots, first fit by start."""
        a, found = self.a, dict.fromkeys(self.lanes, 0.0)
        resource_of: dict[int, int] = {}
        for task, own in enumerate(placed(self.compiled, solution)):
            for place, node in enumerate(own.node):
                if own.ticks[place]:
                    resource_of[self.position[Operation(task, own.mode, place)]] = node
        for resource in {resource for _, resource, _ in self.lanes}:
            free = [0.0] * a.slots[resource]
            for operation in sorted((o for o, r in resource_of.items() if r == resource), key=lambda o: s[o]):
                lane = next(index for index, until in enumerate(free) if until <= s[operation])
                free[lane] = s[operation] + ticks[operation]
                found[operation, resource, lane] = 1.0
        return list(found.values())

    def cuts(self, values: FloatArray) -> list[Cut]:
        """None: starts are whole numbers, and `MOST_TIME` keeps what a binary's tolerance can do below half of one."""
        return []
