"""The decomposition problem in scaled integers, which is the problem for every solver, model and checker.

- Time is counted in ticks of ``tick_s``. Execution and transfer times are rounded up, a task may begin at its arrival
  rounded up, its latency counts from its arrival rounded down, deadlines are rounded down. So what is feasible here is
  feasible in the raw fields, and takes no longer there.
- Transfers: ``ceil((frames overhead + bytes rate) / 2^30)`` ticks, with the overhead of a frame and the time of a byte
  rounded up to multiples of ``2^-30`` ticks.
- Correctness is counted in millionths. That of a step on a node is rounded down. That of a task in the aggregation
  ``product`` is multiplied step by step in the order of the file, rounded down after each: it is at most a millionth a
  step below the product. ``mean`` is rounded down once.
- The value of the objective ``reward`` is ``sum A correctness - B latency`` with whole ``A`` and ``B`` whose ratio is
  exactly that of the weights; it counts in units of `CompiledDecomposition.reward_unit`.

With ``up=False`` all of it is rounded the other way (see `edgeopt.solvers.decomposition.priced.raw_bound`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgeopt.errors import InstanceError
from edgeopt.instances.decomposition.graph import sinks, topological
from edgeopt.instances.decomposition.instance import DecompositionInstance, Link, Mode, Node, Step
from edgeopt.instances.decomposition.logistic import UNITS, logistic_units
from edgeopt.instances.decomposition.validate import allowed, reach
from edgeopt.system.exact import as_fraction

IntArray = NDArray[np.int64]
FINE_BITS = 30
"""Times of frames and bytes are multiples of ``2^-FINE_BITS`` ticks."""
NEVER = 2**50
"""A time (ticks) after everything, for tasks without a deadline."""
DEVICE = -1
"""In the place of a step at an end of an edge: the task's device."""
LOCAL, FREE = -2, -1
"""In the place of a channel: the same node, or a link that shares nothing."""
UNREACHABLE = -3
MOST_FACTOR = 2**40
"""Largest ``A`` and ``B``."""
MOST_WEIGHT = 10**9
"""Largest weight of a step, as a whole number."""


class Arrays(NamedTuple):
    """All numbers, flat, for kernels; see `CompiledDecomposition`."""

    release: IntArray
    origin: IntArray
    due: IntArray
    device: IntArray
    mode_start: IntArray
    step_start: IntArray
    edge_start: IntArray
    step_edge: IntArray
    option_start: IntArray
    option_node: IntArray
    option_ticks: IntArray
    option_right: IntArray
    weight: IntArray
    context: IntArray
    order: IntArray
    edge_from: IntArray
    edge_to: IntArray
    edge_bytes: IntArray
    slots: IntArray
    channel: IntArray
    frame: IntArray
    overhead: IntArray
    byte: IntArray
    rest: IntArray


@dataclass(frozen=True, eq=False)
class CompiledDecomposition:
    """The compiled numbers.

    Modes, steps, options and edges of all tasks lie one behind the other; those of task ``i`` are the modes
    ``mode_start[i]`` to ``mode_start[i + 1] - 1``, and so on. Steps lie in the order of the file.

    Attributes
    ----------
    kind : {"reward", "latency", "on-time"}
    aggregation : {"product", "mean"}
    right_factor, tick_factor : int
        ``A`` and ``B`` of the objective ``reward``.
    floor_units : int
        The correctness of all tasks together must be at least this (millionths).
    reward_unit : Fraction
        What 1 of a value counts: reward, or seconds in the objective ``latency``, or tasks.
    arrays : Arrays
        - release, origin, due, device (N,): earliest start, start of the latency, latest end (ticks), node.
        - mode_start (N + 1,), step_start, edge_start (M + 1,), option_start (S + 1,).
        - step_edge (S + 1,): the edges from the steps before a step (or from the device), then the one to the device.
        - option_node (O,), option_ticks and option_right (O, 2): node, execution time and correctness of a step there;
          the second column where it shares the node with its context.
        - weight (S,): in the aggregation ``mean``. context (S,): the edge from the context, or -1.
        - order (S,): the steps of each mode by falling upward rank, which is a topological order.
        - edge_from, edge_to, edge_bytes (E,): step or `DEVICE`.
        - slots (R,): of the nodes, then 1 for each exclusive channel: the resources.
        - channel, frame, overhead, byte (V, V): the resource of the channel of a link, or `LOCAL`, `FREE`,
          `UNREACHABLE`; most bytes of a frame; times of frame and byte.
        - rest (1,): what is added to a transfer's time before its part of a tick is cut off (``2^-30`` ticks): one less
          than a tick to round up, 0 to round down.
    """

    kind: str
    aggregation: str
    right_factor: int
    tick_factor: int
    floor_units: int
    reward_unit: Fraction
    tick_s: Fraction
    arrays: Arrays

    @property
    def tasks(self) -> int:
        """Number of tasks."""
        return len(self.arrays.release)

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return len(self.arrays.channel)

    def transfer_ticks(self, edge: int, source: int, target: int) -> int:
        """Time of a transfer between nodes (ticks), which have a link or are the same."""
        a = self.arrays
        size = int(a.edge_bytes[edge])
        if source == target or not size:
            return 0
        frames = -(-size // int(a.frame[source, target]))
        fine = frames * int(a.overhead[source, target]) + size * int(a.byte[source, target])
        return (fine + int(a.rest[0])) >> FINE_BITS

    def lists(self) -> Lists:
        """The arrays as lists of Python's integers, which code that is no kernel reads faster."""
        return self._lists

    @cached_property
    def _lists(self) -> Lists:
        return Lists(*(array.tolist() for array in self.arrays))


class Lists(NamedTuple):
    """`Arrays` as nested lists."""

    release: list[int]
    origin: list[int]
    due: list[int]
    device: list[int]
    mode_start: list[int]
    step_start: list[int]
    edge_start: list[int]
    step_edge: list[int]
    option_start: list[int]
    option_node: list[int]
    option_ticks: list[list[int]]
    option_right: list[list[int]]
    weight: list[int]
    context: list[int]
    order: list[int]
    edge_from: list[int]
    edge_to: list[int]
    edge_bytes: list[int]
    slots: list[int]
    channel: list[list[int]]
    frame: list[list[int]]
    overhead: list[list[int]]
    byte: list[list[int]]
    rest: list[int]


def compile_decomposition(instance: DecompositionInstance, *, up: bool = True) -> CompiledDecomposition:
    """Compile an instance.

    Parameters
    ----------
    instance : DecompositionInstance
    up : bool
        Round times up, so that schedules are feasible; False rounds them down, so that bounds are bounds on the raw
        fields.

    Raises
    ------
    InstanceError
        If the ratio of the weights needs larger integers than `MOST_FACTOR`.
    """
    tick = as_fraction(instance.tick_s)
    order = {node.name: index for index, node in enumerate(instance.nodes)}
    reached = reach(instance)
    right, ticks, unit = _factors(instance, tick)
    columns = _Columns(instance, tick, order, reached, up)
    for task in instance.tasks:
        columns.add(task.device, task.modes)
    arrivals = [as_fraction(task.arrival_s) / tick for task in instance.tasks]
    due = [
        NEVER if task.deadline_s is None else math.floor(arrival + as_fraction(task.deadline_s) / tick) + (not up)
        for task, arrival in zip(instance.tasks, arrivals, strict=True)
    ]
    links = _links(instance, tick, order, up)
    arrays = columns.arrays()
    _check_transfers(instance, links, int(arrays["edge_bytes"].max(initial=0)))
    exclusive = sum(channel.access == "scheduled" for channel in instance.channels)
    return CompiledDecomposition(
        kind=instance.objective,
        aggregation=instance.aggregation,
        right_factor=right,
        tick_factor=ticks,
        floor_units=math.ceil(as_fraction(instance.correctness_floor) * UNITS * len(instance.tasks)),
        reward_unit={"reward": unit, "latency": tick, "on-time": Fraction(1)}[instance.objective],
        tick_s=tick,
        arrays=Arrays(
            release=_array([math.ceil(a) if up else math.floor(a) for a in arrivals]),
            origin=_array([math.floor(a) if up else math.ceil(a) for a in arrivals]),
            due=_array(due),
            device=_array([order[task.device] for task in instance.tasks]),
            **arrays,
            slots=_array([*(node.slots for node in instance.nodes), *[1] * exclusive]),
            **links,
            rest=_array([(1 << FINE_BITS) - 1 if up else 0]),
        ),
    )


def _array(values: Sequence[int] | Sequence[Sequence[int]]) -> IntArray:
    found = np.array(values, dtype=np.int64)
    found.setflags(write=False)
    return found


def _factors(instance: DecompositionInstance, tick: Fraction) -> tuple[int, int, Fraction]:
    """``A``, ``B`` and the unit that both are multiples of; 0 and 1 where the reward does not count."""
    if instance.objective != "reward":
        return 0, 1, Fraction(1)
    right = as_fraction(instance.accuracy_weight) / UNITS
    late = as_fraction(instance.delay_weight_per_s) * tick
    if not right and not late:
        return 0, 0, Fraction(1, UNITS)
    unit = Fraction(
        math.gcd(right.numerator * late.denominator, late.numerator * right.denominator),
        right.denominator * late.denominator,
    )
    factors = int(right / unit), int(late / unit)
    if max(factors) > MOST_FACTOR:
        needed = f"{Decimal(max(factors)):.1e}"  # it may have hundreds of digits
        raise InstanceError(
            f"accuracy_weight = {instance.accuracy_weight}, delay_weight_per_s = {instance.delay_weight_per_s} (1/s), "
            f"tick_s = {instance.tick_s} (s): together they need integers up to {needed}: "
            f"round them to fewer digits (at most {MOST_FACTOR})"
        )
    return *factors, unit


class _Speed:
    """What a node takes a token to read and to write (ticks), over a common denominator, and its capability."""

    def __init__(self, node: Node, tick: Fraction) -> None:
        twice = 2 * as_fraction(node.parameters) / tick
        read = twice / as_fraction(node.flop_per_s)
        write = twice / as_fraction(node.bandwidth_byte_per_s)
        self.name, self.bottom = node.name, math.lcm(read.denominator, write.denominator)
        self.read, self.write = int(read * self.bottom), int(write * self.bottom)
        self.capability = as_fraction(node.capability)


class _Columns:
    """Modes, steps, options and edges, added task by task."""

    def __init__(
        self,
        instance: DecompositionInstance,
        tick: Fraction,
        order: dict[str, int],
        reached: dict[str, set[str]],
        up: bool,
    ) -> None:
        self.instance, self.tick, self.node_order, self.reached = instance, tick, order, reached
        self.up, self.rounded = up, math.ceil if up else math.floor
        self.speeds = [_Speed(node, tick) for node in instance.nodes]
        self.mode_start, self.step_start, self.edge_start, self.option_start = [0], [0], [0], [0]
        self.step_edge = [0]
        self.option_node: list[int] = []
        self.option_ticks: list[tuple[int, int]] = []
        self.option_right: list[tuple[int, int]] = []
        self.weight: list[Fraction] = []
        self.context: list[int] = []
        self.order: list[int] = []
        self.edge_from: list[int] = []
        self.edge_to: list[int] = []
        self.edge_bytes: list[int] = []

    def add(self, device: str, modes: Sequence[Mode]) -> None:
        """Take a task in."""
        for mode in modes:
            first = self.step_start[-1]
            place = {step.id: first + index for index, step in enumerate(mode.steps)}
            last = sinks(mode.steps)
            for index, step in enumerate(mode.steps):
                context = -1
                for before in step.after:
                    if step.context is not None and step.context.step == before:
                        context = len(self.edge_from)
                    self._edge(place[before], first + index, mode.steps[place[before] - first].output_bytes)
                if not step.after:
                    self._edge(DEVICE, first + index, step.input_bytes)
                if index in last:
                    self._edge(first + index, DEVICE, step.output_bytes)
                self.step_edge.append(len(self.edge_from))
                self.context.append(context)
                self.weight.append(as_fraction(step.weight))
                self._options(step, device)
            self.order += self._ranked(mode, first)
            self.step_start.append(first + len(mode.steps))
            self.edge_start.append(len(self.edge_from))
        self.mode_start.append(len(self.step_start) - 1)

    def _edge(self, source: int, target: int, size: int) -> None:
        self.edge_from.append(source)
        self.edge_to.append(target)
        self.edge_bytes.append(size)

    def _options(self, step: Step, device: str) -> None:
        context = step.context
        hard = as_fraction(step.difficulty)
        for name in allowed(step, device, self.reached, self.node_order):
            speed = self.speeds[self.node_order[name]]
            own = self._ticks(step, speed, 0), self._right(step, speed, -hard)
            shared = own
            if context is not None:
                gain = as_fraction(context.logit)
                shared = self._ticks(step, speed, context.tokens), self._right(step, speed, gain - hard)
            self.option_node.append(self.node_order[name])
            self.option_ticks.append((own[0], shared[0]))
            self.option_right.append((own[1], shared[1]))
        self.option_start.append(len(self.option_node))

    def _ticks(self, step: Step, speed: _Speed, saved: int) -> int:
        """Execution time: compute-bound prefill, then bandwidth-bound decoding at 2 byte a number.

        ``2 P_v n_in / F_v + n_out 2 P_v / A_v``, with `saved` tokens fewer to read.
        """
        if step.time_s is not None and speed.name in step.time_s:
            return self.rounded(as_fraction(step.time_s[speed.name]) / self.tick)
        top = (step.input_tokens - saved) * speed.read + step.output_tokens * speed.write
        return -(-top // speed.bottom) if self.up else top // speed.bottom

    def _right(self, step: Step, speed: _Speed, logit: Fraction) -> int:
        """Correctness (millionths), rounded down; to what is surely not below it where times are rounded down."""
        if step.correctness is not None and speed.name in step.correctness:
            exact = as_fraction(step.correctness[speed.name]) * UNITS
            return math.floor(exact) if self.up else math.ceil(exact)
        found = logistic_units(speed.capability + logit)
        return found if self.up else found + 1

    def _ranked(self, mode: Mode, first: int) -> list[int]:
        """Steps by falling upward rank: the mean execution time on the longest way to the end (HEFT, without radio)."""
        mean = []
        for step in range(first, first + len(mode.steps)):
            own = self.option_ticks[self.option_start[step] : self.option_start[step + 1]]
            mean.append(sum(ticks for ticks, _ in own) / len(own))
        order = topological(mode.steps)
        assert order is not None
        place = {step.id: index for index, step in enumerate(mode.steps)}
        rank = [0.0] * len(order)
        for index in reversed(order):
            rank[index] += mean[index]
            for before in mode.steps[index].after:
                rank[place[before]] = max(rank[place[before]], rank[index])
        position = {index: at for at, index in enumerate(order)}
        return [first + index for index in sorted(order, key=lambda index: (-rank[index], position[index]))]

    def arrays(self) -> dict[str, IntArray]:
        """The columns by name; weights as whole numbers."""
        scale = math.lcm(*(weight.denominator for weight in self.weight)) if self.weight else 1
        weights = [int(weight * scale) for weight in self.weight]
        if max(weights, default=0) > MOST_WEIGHT:
            raise InstanceError(
                f"weight: the steps' weights need whole numbers up to {max(weights)}, at most {MOST_WEIGHT:.0e} is "
                "possible; round them to fewer digits"
            )
        return {
            "mode_start": _array(self.mode_start),
            "step_start": _array(self.step_start),
            "edge_start": _array(self.edge_start),
            "step_edge": _array(self.step_edge),
            "option_start": _array(self.option_start),
            "option_node": _array(self.option_node),
            "option_ticks": _array(self.option_ticks).reshape(-1, 2),
            "option_right": _array(self.option_right).reshape(-1, 2),
            "weight": _array(weights),
            "context": _array(self.context),
            "order": _array(self.order),
            "edge_from": _array(self.edge_from),
            "edge_to": _array(self.edge_to),
            "edge_bytes": _array(self.edge_bytes),
        }


def _links(instance: DecompositionInstance, tick: Fraction, order: dict[str, int], up: bool) -> dict[str, IntArray]:
    count = len(instance.nodes)
    rounded = math.ceil if up else math.floor
    exclusive = [channel.name for channel in instance.channels if channel.access == "scheduled"]
    channel = np.full((count, count), UNREACHABLE, dtype=np.int64)
    frame, overhead, byte = (np.full((count, count), fill, dtype=np.int64) for fill in (1, 0, 0))
    np.fill_diagonal(channel, LOCAL)

    def fine(seconds: Fraction) -> int:
        return int(rounded(seconds / tick * 2**FINE_BITS))

    for link in instance.links:
        pair = order[link.a], order[link.b]
        resource = count + exclusive.index(link.channel) if link.channel in exclusive else FREE
        for a, b in (pair, pair[::-1]):
            channel[a, b], frame[a, b] = resource, link.frame_bytes
            overhead[a, b], byte[a, b] = fine(as_fraction(link.overhead_s)), fine(byte_seconds(link))
    for table in (channel, frame, overhead, byte):
        table.setflags(write=False)
    return {"channel": channel, "frame": frame, "overhead": overhead, "byte": byte}


def _check_transfers(instance: DecompositionInstance, links: dict[str, IntArray], most: int) -> None:
    """Refuse transfers whose times leave 64 bits."""
    frames = most // int(links["frame"].min()) + 1
    if frames * int(links["overhead"].max()) + most * int(links["byte"].max()) >= 2**62:
        raise InstanceError(
            f"links: {most} bytes take more than 2^32 ticks of {instance.tick_s} s; check rates and sizes"
        )


def byte_seconds(link: Link) -> Fraction:
    """Time of a byte (s)."""
    return 8 / as_fraction(link.rate_bit_per_s)
