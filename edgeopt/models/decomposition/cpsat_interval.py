"""The decomposition problem for CP-SAT: optional intervals on nodes and channels, one literal a place."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeopt.errors import AssumptionError
from edgeopt.instances.decomposition.compiled import DEVICE, UNREACHABLE
from edgeopt.instances.decomposition.instance import DecompositionInstance
from edgeopt.instances.decomposition.logistic import UNITS
from edgeopt.instances.decomposition.schedule import NONE, Schedule, placed
from edgeopt.models.base import Cut, FloatArray, Model

MOST_OBJECTIVE = 2**60


def horizon(instance: DecompositionInstance) -> int:
    """A time (ticks) by which every schedule worth having has ended: all operations one after the other."""
    compiled = instance.compiled
    a = compiled.lists()
    total = max(a.release, default=0)
    for task in range(compiled.tasks):
        longest = 0
        for mode in range(a.mode_start[task], a.mode_start[task + 1]):
            own = 0
            for step in range(a.step_start[mode], a.step_start[mode + 1]):
                own += max(max(a.option_ticks[o]) for o in range(a.option_start[step], a.option_start[step + 1]))
            for edge in range(a.edge_start[mode], a.edge_start[mode + 1]):
                own += max(compiled.transfer_ticks(edge, s, t) for s, t, _ in pairs(instance, task, edge))
            longest = max(longest, own)
        total += longest
    return total + 1


def pairs(instance: DecompositionInstance, task: int, edge: int) -> list[tuple[int, int, tuple[int, int]]]:
    """Source node, target node and their options (-1: the device) of an edge, where there is a link."""
    a = instance.compiled.lists()

    def side(step: int) -> list[tuple[int, int]]:
        if step == DEVICE:
            return [(a.device[task], -1)]
        return [(a.option_node[o], o) for o in range(a.option_start[step], a.option_start[step + 1])]

    return [
        (source, target, (one, other))
        for source, one in side(a.edge_from[edge])
        for target, other in side(a.edge_to[edge])
        if a.channel[source][target] != UNREACHABLE
    ]


class CpSatInterval:
    """Optional intervals.

    Variables, in their order: for each mode of each task the literal that it is taken; for each option the literal
    that the step runs there; the start of each step; the start of each transfer. Besides them literals for the two
    ends of each edge, which say how long a transfer takes and whether a context is shared.

    The correctness of a task is ``R_k <= R_(k-1) right / UNITS`` step by step, which integers round down as the
    compiled form does. So nothing here is approximated: the model's objective is the value at an optimum. Ends and
    correctness are held from one side, so that elsewhere it may be less.

    Parameters
    ----------
    instance : DecompositionInstance

    Raises
    ------
    AssumptionError
        If the objective can leave 60 bits.
    """

    understates = True

    def __init__(self, instance: DecompositionInstance) -> None:
        self.instance = instance
        compiled = instance.compiled
        self.horizon = horizon(instance)
        most = compiled.tasks * (compiled.right_factor * UNITS + max(1, compiled.tick_factor) * self.horizon)
        if most >= MOST_OBJECTIVE:
            raise AssumptionError(f"{instance.name}: the objective needs more than 60 bits; take a larger tick_s")

    def build(self) -> Model:
        """Modes, places, transfers, capacity, limits and the objective."""
        from ortools.sat.python import cp_model

        built = _Build(self.instance, self.horizon, cp_model)
        built.tasks()
        built.capacity()
        built.objective()
        return Model(built.model, [*built.y, *built.x, *built.s, *built.f])

    def _sizes(self) -> tuple[int, int, int, int]:
        a = self.instance.compiled.arrays
        return len(a.step_start) - 1, len(a.option_node), len(a.option_start) - 1, len(a.edge_from)

    def extract(self, values: FloatArray) -> Schedule:
        """The schedule that values of the variables describe."""
        a, found = self.instance.compiled.lists(), np.rint(values).astype(np.int64).tolist()
        modes, options, steps, _ = self._sizes()
        y, x, s = found[:modes], found[modes : modes + options], found[modes + options : modes + options + steps]
        f = found[modes + options + steps :]
        chosen, node, start, transfer = [], [], [], []
        for task in range(self.instance.compiled.tasks):
            own = range(a.mode_start[task], a.mode_start[task + 1])
            mode = next((m for m in own if y[m]), own[0])
            chosen.append(mode - own[0])
            at: dict[int, int] = {DEVICE: a.device[task]}
            for step in range(a.step_start[mode], a.step_start[mode + 1]):
                places = range(a.option_start[step], a.option_start[step + 1])
                at[step] = a.option_node[next((o for o in places if x[o]), places[0])]
                node.append(at[step])
                start.append(s[step])
            transfer += [
                NONE if at[a.edge_from[edge]] == at[a.edge_to[edge]] else f[edge]
                for edge in range(a.edge_start[mode], a.edge_start[mode + 1])
            ]
        return Schedule(*(np.array(column, dtype=np.int64) for column in (chosen, node, start, transfer)))

    def start(self, solution: Schedule) -> FloatArray:
        """Values of the variables that describe a schedule; those of modes not taken begin at the release."""
        compiled = self.instance.compiled
        a = compiled.lists()
        modes, options, steps, edges = self._sizes()
        y, x, s, f = (np.zeros(count) for count in (modes, options, steps, edges))
        for task, own in enumerate(placed(compiled, solution)):
            first, last = a.mode_start[task], a.mode_start[task + 1]
            s[a.step_start[first] : a.step_start[last]] = a.release[task]
            f[a.edge_start[first] : a.edge_start[last]] = a.release[task]
            y[own.mode] = 1
            for step, (node, begin) in enumerate(zip(own.node, own.start, strict=True), own.first_step):
                s[step] = begin
                for option in range(a.option_start[step], a.option_start[step + 1]):
                    x[option] = a.option_node[option] == node
            for edge, begin in enumerate(own.transfer, own.first_edge):
                source = a.edge_from[edge]
                f[edge] = begin if begin != NONE else a.release[task] if source == DEVICE else own.end_of(source)
        return np.concatenate([y, x, s, f])

    def cuts(self, values: FloatArray) -> list[Cut]:
        """None: CP-SAT's arithmetic is exact."""
        return []


class _Build:
    """The model as it grows."""

    def __init__(self, instance: DecompositionInstance, horizon: int, cp: Any) -> None:
        self.instance, self.compiled, self.horizon = instance, instance.compiled, horizon
        self.a = self.compiled.lists()
        self.model = cp.CpModel()
        self.sum = cp.LinearExpr.weighted_sum
        model = self.model
        self.y = [model.new_bool_var("") for _ in range(len(self.a.step_start) - 1)]
        self.x = [model.new_bool_var("") for _ in self.a.option_node]
        self.s: list[Any] = []
        self.f: list[Any] = []
        self.ends: list[Any] = []
        self.right: list[Any] = []
        self.intervals: list[list[Any]] = [[] for _ in self.a.slots]
        self.counts = self.compiled.kind == "latency" and self.compiled.floor_units > 0
        self.counts |= self.compiled.kind == "reward" and self.compiled.right_factor > 0

    def tasks(self) -> None:
        """Exactly one mode a task; the task ends when its last result is back."""
        a, model = self.a, self.model
        for task in range(self.compiled.tasks):
            release, due = a.release[task], a.due[task]
            modes = range(a.mode_start[task], a.mode_start[task + 1])
            model.add_exactly_one([self.y[mode] for mode in modes])
            latest = self.horizon if self.compiled.kind == "on-time" else min(self.horizon, due)
            if latest < release:
                model.add_bool_or([])  # it cannot be done
                latest = release
            self.ends.append(model.new_int_var(release, latest, ""))
            self.right.append(model.new_int_var(0, UNITS, "") if self.counts else 0)
            for mode in modes:
                self._mode(task, mode)

    def _mode(self, task: int, mode: int) -> None:
        a, model = self.a, self.model
        release, taken = a.release[task], self.y[mode]
        steps = range(a.step_start[mode], a.step_start[mode + 1])
        edges = range(a.edge_start[mode], a.edge_start[mode + 1])
        self.s += [model.new_int_var(release, self.horizon, "") for _ in steps]
        self.f += [model.new_int_var(release, self.horizon, "") for _ in edges]
        for step in steps:
            model.add(sum(self.x[o] for o in range(a.option_start[step], a.option_start[step + 1])) == taken)
        moved = {edge: self._ends(task, edge) for edge in edges}
        end = {step: self._run(step, moved) for step in steps}
        for edge in edges:
            source, target = a.edge_from[edge], a.edge_to[edge]
            if source != DEVICE:
                model.add(self.f[edge] >= end[source]).only_enforce_if(taken)
            arrived = self.f[edge] + sum(ticks * literal for literal, ticks, _ in moved[edge])
            after = self.ends[task] if target == DEVICE else self.s[target]
            model.add(after >= arrived).only_enforce_if(taken)
        if self.counts:
            self._correctness(task, mode)

    def _ends(self, task: int, edge: int) -> list[tuple[Any, int, tuple[int, int]]]:
        """A literal for each pair of places at the ends of an edge that has a link; its transfer takes the channel."""
        a, model = self.a, self.model
        found: list[tuple[Any, int, tuple[int, int]]] = []
        at_source: dict[int, list[Any]] = {}
        at_target: dict[int, list[Any]] = {}
        for source, target, (one, other) in pairs(self.instance, task, edge):
            literal = self.x[other] if one < 0 else self.x[one] if other < 0 else model.new_bool_var("")
            ticks = self.compiled.transfer_ticks(edge, source, target)
            channel = a.channel[source][target]
            if ticks and channel >= 0:
                interval = model.new_optional_fixed_size_interval_var(self.f[edge], ticks, literal, "")
                self.intervals[channel].append(interval)
            found.append((literal, ticks, (one, other)))
            at_source.setdefault(one, []).append(literal)
            at_target.setdefault(other, []).append(literal)
        step, target_step = a.edge_from[edge], a.edge_to[edge]
        for end, by_option in ((step, at_source), (target_step, at_target)):
            if end != DEVICE:
                for option in range(a.option_start[end], a.option_start[end + 1]):
                    model.add(sum(by_option.get(option, [])) == self.x[option])
        return found

    def _run(self, step: int, moved: dict[int, list[tuple[Any, int, tuple[int, int]]]]) -> Any:
        """The intervals of a step on its options, apart from its context and beside it; the end of the step."""
        a, model = self.a, self.model
        length = 0
        self.literal = getattr(self, "literal", {})
        context = a.context[step]
        for option in range(a.option_start[step], a.option_start[step + 1]):
            node = a.option_node[option]
            variants = [(self.x[option], 0)]
            if context >= 0:
                beside = [z for z, _, (one, other) in moved[context] if other == option and a.option_node[one] == node]
                if beside:
                    apart = model.new_bool_var("")
                    model.add(apart + sum(beside) == self.x[option])
                    variants = [(apart, 0), *((literal, 1) for literal in beside)]
            for literal, shared in variants:
                ticks = a.option_ticks[option][shared]
                length += ticks * literal
                if ticks:
                    interval = model.new_optional_fixed_size_interval_var(self.s[step], ticks, literal, "")
                    self.intervals[node].append(interval)
            self.literal[option] = variants
        return self.s[step] + length

    def _correctness(self, task: int, mode: int) -> None:
        """Correctness of a task in a mode, rounded down as the compiled form does."""
        a, model = self.a, self.model
        steps = range(a.step_start[mode], a.step_start[mode + 1])
        if self.compiled.aggregation == "mean":
            total = sum(
                a.weight[step] * a.option_right[option][shared] * literal
                for step in steps
                for option in range(a.option_start[step], a.option_start[step + 1])
                for literal, shared in self.literal[option]
            )
            weight = sum(a.weight[step] for step in steps)
            model.add(weight * self.right[task] <= total).only_enforce_if(self.y[mode])
            return
        before: Any = UNITS
        for step in steps:
            after = model.new_int_var(0, UNITS, "")
            for option in range(a.option_start[step], a.option_start[step + 1]):
                for literal, shared in self.literal[option]:
                    right = a.option_right[option][shared]
                    model.add(UNITS * after <= right * before).only_enforce_if(literal)
            before = after
        model.add(self.right[task] <= before).only_enforce_if(self.y[mode])

    def capacity(self) -> None:
        """Nodes and exclusive channels hold as many at once as they have slots."""
        for intervals, slots in zip(self.intervals, self.a.slots, strict=True):
            if slots == 1 and len(intervals) > 1:
                self.model.add_no_overlap(intervals)
            elif 1 < slots < len(intervals):
                self.model.add_cumulative(intervals, [1] * len(intervals), slots)

    def objective(self) -> None:
        """Reward, latency with the floor of the correctness, or tasks on time."""
        compiled, model, a = self.compiled, self.model, self.a
        if compiled.kind == "on-time":
            kept = []
            for task, end in enumerate(self.ends):
                kept.append(model.new_bool_var(""))
                if a.due[task] < a.release[task]:
                    model.add(kept[-1] == 0)
                else:
                    model.add(end <= a.due[task]).only_enforce_if(kept[-1])
            model.maximize(sum(kept) + 0 * model.new_constant(0))
            return
        origin = sum(a.origin)
        if compiled.kind == "latency":
            if compiled.floor_units:
                model.add(sum(self.right) >= compiled.floor_units)
            model.minimize(sum(self.ends) - origin + 0 * model.new_constant(0))
            return
        ends = compiled.tick_factor * (origin - sum(self.ends))
        model.maximize(compiled.right_factor * sum(self.right) + ends + 0 * model.new_constant(0))
