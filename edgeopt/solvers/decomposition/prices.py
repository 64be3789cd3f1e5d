"""Bounds by prices on resources over time: the Lagrangian dual of the capacities, and its special cases.

For any prices ``pi >= 0`` of a tick of a resource in a slot, the value is at most what all tasks gain alone at these
prices plus what all capacity costs (`edgeopt.certify.verify.proof_prices` says it precisely, and checks it). The same
number is the linear relaxation over all columns, one a way to do a task (Dantzig, Wolfe 1960; Geoffrion 1974).

- `critical_path`: no prices, every task as if it were alone.
- `load_bound`: one price a resource, the same at all times.
- `best_prices`: a price a slot, by a deflected subgradient with Polyak's step towards the incumbent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgeopt.errors import AssumptionError
from edgeopt.instances.decomposition.compiled import DEVICE, FINE_BITS, CompiledDecomposition, IntArray
from edgeopt.instances.decomposition.logistic import UNITS
from edgeopt.solvers.base import Control
from edgeopt.solvers.decomposition.levels import LEAST_LOG, LOG_BITS, levels_of, logarithms
from edgeopt.solvers.decomposition.list_kernel import LATENCY, ON_TIME, REWARD
from edgeopt.solvers.decomposition.place_kernel import enumerate_places
from edgeopt.solvers.decomposition.price_kernel import FAR, path_bounds, priced_bounds

FloatArray = NDArray[np.float64]
BITS = 12
"""Prices are in units of ``2^-BITS``."""
CHORD = 1500.0
"""How far a chord may be above the exponential (millionths)."""
CELLS, SLOTS = 400, 160
"""Cells of a task's time, and slots of prices, at most."""
MOST_PLACES, MOST_IN_ALL = 20_000, 2_000_000
"""Placements of a mode, and of all modes together, that are looked at one by one."""
MOST_GAIN = 2**58
"""Gains of a task, in units of ``2^-BITS``, stay below."""
STEEP = 16
"""A chord's slope times the logarithm where it begins is less than so many million times the worth of a millionth:
levels differ by a millionth down to ``e^-13.8``, even where the logarithms differ by ``2^-20`` only."""
KINDS = {"reward": REWARD, "latency": LATENCY, "on-time": ON_TIME}


@dataclass(frozen=True, eq=False)
class PriceProof:
    """Prices, and the bound that they give.

    Attributes
    ----------
    bound : int or None
        No schedule is better; None where it shows that some task cannot keep its limit.
    bits : int
        Prices are in units of ``2^-bits``.
    begin, slot : int
        Begin and length of the slots (ticks).
    prices : (R, T) int64
    floor : int
        Price of a millionth of correctness, in the objective ``latency``.
    cell, cells : int
        Length of a cell and number of cells a task; 0 cells for paths only.
    levels : (Q,) int64
        Logarithms of the correctness between which chords run.
    places : int
        Modes with at most so many placements are bounded placement by placement.
    claims : tuple of int
        Bound of each task in units of ``2^-bits``, which no placement may pass.
    """

    bound: int | None
    bits: int = BITS
    begin: int = 0
    slot: int = 1
    prices: IntArray | None = None
    floor: int = 0
    cell: int = 1
    cells: int = 0
    levels: tuple[int, ...] = ()
    places: int = 0
    claims: tuple[int, ...] = ()


class At(NamedTuple):
    """The bound at some prices."""

    total: int | None
    """In units of ``2^-bits``, the price of the floor not taken off; None where a task has no way."""
    usage: IntArray
    """Ticks that the best of the tasks take of each slot (R, T)."""
    mode: IntArray
    places: IntArray
    claims: IntArray


class Pricing:
    """What all bounds of an instance share.

    Parameters
    ----------
    compiled : CompiledDecomposition
    floor : int
        Price of a millionth of correctness, units of ``2^-bits``, in the objective ``latency``.
    bits : int
    """

    def __init__(self, compiled: CompiledDecomposition, floor: int = 0, bits: int = BITS) -> None:
        self.compiled, self.floor = compiled, floor
        self.kind = KINDS[compiled.kind]
        a = compiled.arrays
        product = compiled.aggregation == "product"
        modes = len(a.step_start) - 1
        single = np.diff(a.step_start) == 1
        steep = STEEP if product and not single.all() else 1
        most, late = UNITS * compiled.right_factor, max(1, compiled.tick_factor) * _longest(compiled)
        while bits and max(steep * most, late) << bits > MOST_GAIN:
            bits -= 1
        if max(most, late, steep * UNITS * floor) > MOST_GAIN:
            words = "take a larger tick_s, or weights of fewer digits"
            raise AssumptionError(f"the reward leaves 58 bits on the way to its bound: {words}")
        self.bits, self.one = bits, 1 << bits
        self.chords = steep * most << bits <= MOST_GAIN
        """Whether what the dynamic program adds up on chords stays in 64 bits."""
        self.worth = {REWARD: compiled.right_factor << bits, LATENCY: floor, ON_TIME: 0}[self.kind]
        self.factors = (self.kind, compiled.tick_factor, self.one)
        self.linear: NDArray[np.bool_] = single | (not product) | (not self.worth)
        self.right = a.option_right
        self.step_of = np.repeat(np.arange(len(a.option_start) - 1), np.diff(a.option_start))
        self.mode_of = np.repeat(np.arange(modes), np.diff(a.step_start))
        self.single_gain, self.end_gain = np.zeros(modes, dtype=np.int64), np.zeros(modes, dtype=np.int64)
        path_bounds(
            a, self.factors, self.worth * self.right[:, 0], self._mode_right(product), self.single_gain, self.end_gain
        )

    def _mode_right(self, product: bool) -> IntArray:
        """What the best correctness of each mode gains, at most."""
        a = self.compiled.arrays
        if not self.worth or not len(self.right):
            return np.zeros(len(a.step_start) - 1, dtype=np.int64)
        best = np.maximum.reduceat(self.right.max(axis=1), a.option_start[:-1])
        if product:
            logs = np.add.reduceat(logarithms(best), a.step_start[:-1])
            return self.worth * levels_of(logs)
        weight = np.add.reduceat(a.weight, a.step_start[:-1])
        total = np.add.reduceat(a.weight * best, a.step_start[:-1])
        found: IntArray = np.array(
            [-(-self.worth * t // w) for t, w in zip(total.tolist(), weight.tolist(), strict=True)], dtype=np.int64
        )
        return found

    def paths(self) -> int | None:
        """The bound by critical paths alone, in units of ``2^-bits``; None where a task has no way."""
        a = self.compiled.arrays
        if not self.compiled.tasks:
            return 0
        best = np.maximum.reduceat(self.single_gain, a.mode_start[:-1])
        return None if (best == -FAR).any() else sum(best.tolist())

    def value(self, total: int | None) -> int | None:
        """A bound in units of ``2^-bits`` as one on the value."""
        if total is None:
            return None
        bound = (total - self.floor * self.compiled.floor_units) >> self.bits
        return -bound if self.kind == LATENCY else bound

    @cached_property
    def kept(self) -> NDArray[np.bool_]:
        """Edges of the tree in which each step feeds one other: the one with the most still to do."""
        a = self.compiled.lists()
        least = [
            min(a.option_ticks[o][0] for o in range(a.option_start[s], a.option_start[s + 1]))
            for s in range(len(a.option_start) - 1)
        ]
        left = [0] * len(least)
        kept = np.ones(len(a.edge_from), dtype=np.bool_)
        for mode in range(len(a.step_start) - 1):
            out: dict[int, list[int]] = {}
            for edge in range(a.edge_start[mode], a.edge_start[mode + 1]):
                if a.edge_from[edge] != DEVICE:
                    out.setdefault(a.edge_from[edge], []).append(edge)
            for step in reversed(a.order[a.step_start[mode] : a.step_start[mode + 1]]):
                own = [(0 if a.edge_to[e] == DEVICE else left[a.edge_to[e]], -e) for e in out[step]]
                best = max(own)
                left[step] = least[step] + best[0]
                for edge in out[step]:
                    kept[edge] = edge == -best[1]
        return kept

    @cached_property
    def logs(self) -> IntArray:
        """Logarithms of the correctness of options, or what they gain in modes where gains add up (O, 2)."""
        a = self.compiled.arrays
        found = logarithms(self.right)
        linear = self.linear[self.mode_of[self.step_of]] if len(self.right) else np.zeros(0, dtype=np.bool_)
        if self.worth and len(self.right):
            weight = a.weight[self.step_of]
            total = np.add.reduceat(a.weight, a.step_start[:-1])[self.mode_of[self.step_of]]
            for option in np.flatnonzero(linear).tolist():
                w, t = int(weight[option]), int(total[option])
                found[option] = [-(-self.worth * w * int(right) // t) for right in self.right[option]]
        else:
            found[:] = 0
        return found

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """Levels of the logarithm between which chords are close enough."""
        found, log = [], 0.0
        while math.exp(log) * UNITS > CHORD:
            log -= math.sqrt(8 * CHORD / UNITS / math.exp(log))
            found.append(max(LEAST_LOG, round(log * (1 << LOG_BITS))))
        return tuple(found)

    @cached_property
    def points(self) -> tuple[IntArray, IntArray, IntArray]:
        """Levels within the range of each mode, rising; where those of a mode begin; the correctness at each."""
        a = self.compiled.arrays
        points: list[int] = []
        start = [0]
        if len(self.right):
            low = np.add.reduceat(np.minimum.reduceat(self.logs.min(axis=1), a.option_start[:-1]), a.step_start[:-1])
            high = np.add.reduceat(np.maximum.reduceat(self.logs.max(axis=1), a.option_start[:-1]), a.step_start[:-1])
            levels = sorted(set(self.levels))
            for mode, (a_log, b_log) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
                if not self.linear[mode]:
                    own = [a_log, *(p for p in levels if a_log < p < b_log), b_log]
                    points += [a_log - 1, b_log] if a_log == b_log else own
                start.append(len(points))
        else:
            start += [0] * (len(a.step_start) - 1)
        found = np.array(points, dtype=np.int64)
        return found, np.array(start, dtype=np.int64), levels_of(found)

    @cached_property
    def most_places(self) -> int:
        """Modes with at most so many placements are looked at placement by placement."""
        counts = np.sort(self._counts())
        fitting = counts[(np.cumsum(counts) <= MOST_IN_ALL) & (counts <= MOST_PLACES)]
        return int(fitting[-1]) if len(fitting) else 0

    def _counts(self) -> FloatArray:
        """How many placements each mode has."""
        a = self.compiled.arrays
        if not len(a.option_node):
            return np.zeros(0)
        own = np.log(np.diff(a.option_start).astype(np.float64))
        found: FloatArray = np.rint(np.exp(np.minimum(np.add.reduceat(own, a.step_start[:-1]), 40.0)))
        return found

    @cached_property
    def places(self) -> tuple[IntArray, IntArray, IntArray, IntArray]:
        """Placements of the modes that have few: where they begin, correctness, least end, number; best ones first."""
        a = self.compiled.arrays
        counts = self._counts()
        own = np.where(counts <= self.most_places, counts, 0).astype(np.int64)
        start = np.concatenate([np.zeros(1, np.int64), np.cumsum(own)])
        right, end, code = (np.zeros(int(start[-1]), dtype=np.int64) for _ in range(3))
        task_of = np.repeat(np.arange(self.compiled.tasks), np.diff(a.mode_start))
        enumerate_places(a, self.compiled.aggregation == "product", task_of, start, right, end, code)
        mode_of = np.repeat(np.arange(len(own)), own)
        late = end - a.origin[task_of[mode_of]]
        if self.kind == ON_TIME:
            gain = (end <= a.due[task_of[mode_of]]).astype(np.int64)
        else:
            price = self.one * (1 if self.kind == LATENCY else self.compiled.tick_factor)
            gain = self.worth * right - price * np.where(end == FAR, 0, late)
        gain = np.where(end == FAR, -(2**62), gain)
        order = np.lexsort((-gain, mode_of))
        return start, right[order], end[order], code[order]

    def at(self, prices: IntArray, begin: int, slot: int, cell: int, cells: int) -> At:
        """The bound at prices, the usage of the slots, and the modes and nodes of the best."""
        a = self.compiled.arrays
        paid = np.concatenate([np.zeros((len(prices), 1), np.int64), np.cumsum(prices * slot, axis=1)], axis=1)
        usage = np.zeros(prices.shape, dtype=np.int64)
        choice = np.zeros(self.compiled.tasks, dtype=np.int64)
        places = np.full(len(a.option_start) - 1, -1, dtype=np.int64)
        claims = np.zeros(self.compiled.tasks, dtype=np.int64)
        points, start, levels = self.points
        bounded = priced_bounds(
            a, self.factors, self.kept, self.logs, self.linear, points, start, levels, self.worth, prices, paid, begin,
            slot, cell, cells, self.single_gain, self.end_gain, *self.places, usage,
            choice, places, claims,
        )  # fmt: skip
        if not bounded:
            return At(None, usage, choice, places, claims)
        capacity = sum(price * slots for price, slots in zip(paid[:, -1].tolist(), a.slots.tolist(), strict=True))
        return At(sum(claims.tolist()) + capacity, usage, choice, places, claims)


def _longest(compiled: CompiledDecomposition) -> int:
    """A time (ticks) that no bound looks beyond: of the last release and the longest mode, several times."""
    a = compiled.arrays
    if not compiled.tasks:
        return 1
    most = np.add.reduceat(np.maximum.reduceat(a.option_ticks.max(axis=1), a.option_start[:-1]), a.step_start[:-1])
    frames = int(a.edge_bytes.max(initial=0)) // int(a.frame.min()) + 1
    fine = frames * int(a.overhead.max()) + int(a.edge_bytes.max(initial=0)) * int(a.byte.max())
    edges = int(np.diff(a.edge_start).max())
    return 4 * (int(a.release.max()) + int(most.max()) + edges * (1 + (fine >> FINE_BITS)))


def critical_path(compiled: CompiledDecomposition) -> PriceProof:
    """The bound of no prices: every task as if it were alone; the floor of the correctness does not count."""
    pricing = Pricing(compiled)
    return PriceProof(pricing.value(pricing.paths()), pricing.bits, prices=_none(compiled))


def _none(compiled: CompiledDecomposition) -> IntArray:
    return np.zeros((len(compiled.arrays.slots), 0), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Search:
    """How far `best_prices` goes.

    Attributes
    ----------
    steps : int
        Subgradient steps.
    slots, cells : int
        Slots of prices, and cells of a task's time.
    """

    steps: int = 300
    slots: int = SLOTS
    cells: int = CELLS


def load_bound(compiled: CompiledDecomposition, incumbent: int | None, latest: int, control: Control) -> PriceProof:
    """One price a resource, the same at all times until `latest` (ticks)."""
    return best_prices(compiled, incumbent, latest, control, Search(steps=60, slots=1))


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """The best of each task at some prices: its modes and the nodes of its steps, for primal heuristics."""

    mode: IntArray
    places: IntArray


def best_prices(
    compiled: CompiledDecomposition,
    incumbent: int | None,
    latest: int,
    control: Control,
    search: Search | None = None,
    columns: list[Column] | None = None,
) -> PriceProof:
    """Prices by subgradient steps, the best bound on the way.

    Parameters
    ----------
    compiled : CompiledDecomposition
    incumbent : int or None
        Value of a schedule: the step is Polyak's towards it.
    latest : int
        When prices end (ticks): the last end of a schedule.
    control : Control
        Its limits stop the search.
    search : Search, optional
    columns : list of Column, optional
        The best of each task at the prices of some steps is added.
    """
    search = search or Search()
    plain = critical_path(compiled)
    if not compiled.tasks or plain.bound is None:
        return plain
    a = compiled.arrays
    begin = int(a.release.min())
    span = max(1, latest - begin)
    slot = -(-span // search.slots)
    window = int(min(span, _window(compiled, latest)))
    cells = search.cells
    cell = max(1, -(-window // cells))
    floor, best = 0, plain
    # In the objective latency the price of the correctness is a variable too.
    pricing = Pricing(compiled, floor)
    if not pricing.chords:
        return plain
    prices = np.zeros((len(a.slots), search.slots), dtype=np.float64)
    floor_price = 0.0
    sign = -1 if compiled.kind == "latency" else 1
    top: int | None = None
    direction = np.zeros_like(prices)
    floor_direction = 0.0
    theta, idle = 1.0, 0
    capacity = np.minimum(a.slots, 2**40)[:, None].astype(np.float64) * slot
    dearest = MOST_GAIN / 16 / pricing.one / max(span, _longest(compiled))
    dearest_floor = min(dearest, MOST_GAIN / 32 / UNITS / (1 << BITS))
    for step in range(search.steps):
        if control.stop() or prices.max() > dearest or floor_price > dearest_floor:
            break  # without a schedule prices may rise forever
        if compiled.floor_units:
            pricing = Pricing(compiled, round(floor_price * (1 << BITS)))
        whole = np.floor(prices * pricing.one).astype(np.int64)
        total, usage, choice, places, claims = pricing.at(whole, begin, slot, cell, cells)
        if total is None:  # no placement of some task keeps its limit
            return PriceProof(
                None, pricing.bits, begin, slot, whole, pricing.floor, cell, cells, pricing.levels, pricing.most_places
            )
        total -= pricing.floor * compiled.floor_units
        if columns is not None and step % 10 == 9:
            columns.append(Column(choice, places))
        if top is None or total < top:
            idle = 0 if top is None or total < top - abs(top) * 1e-5 else idle + 1
            top = total
            bound = sign * (total >> pricing.bits)
            if sign * bound <= sign * (best.bound if best.bound is not None else bound):
                best = PriceProof(
                    bound, pricing.bits, begin, slot, whole, pricing.floor, cell, cells, pricing.levels,
                    pricing.most_places, tuple(claims.tolist()),
                )  # fmt: skip
                control.report(incumbent, bound)
        else:
            idle += 1
        if idle >= 12:
            theta, idle = theta / 2, 0
            if theta < 1e-3:
                break
        aim = top / pricing.one - (sign * incumbent if incumbent is not None else top / pricing.one * 0.9)
        gap = total / pricing.one - (sign * incumbent if incumbent is not None else total / pricing.one - abs(aim))
        if gap <= 0.5:
            break
        slack = usage - capacity  # the bound rises with a price by capacity less usage
        wanted = compiled.floor_units - _correctness(compiled, choice, places) if compiled.floor_units else 0
        direction = slack + 0.6 * direction
        floor_direction = wanted + 0.6 * floor_direction
        free = np.where((prices <= 0) & (direction < 0), 0.0, direction)
        length = float((free**2).sum()) + floor_direction**2
        if length == 0:
            break
        size = theta * gap / length
        prices = np.maximum(0.0, prices + size * free)
        floor_price = max(0.0, floor_price + size * floor_direction)
    return _trimmed(best)


def _correctness(compiled: CompiledDecomposition, choice: IntArray, places: IntArray) -> int:
    """Correctness of all tasks with the nodes of the steps of the chosen modes, apart from their contexts."""
    a, total = compiled.lists(), 0.0
    for task, own in enumerate(choice.tolist()):
        mode = a.mode_start[task] + own
        right = 1.0 if compiled.aggregation == "product" else 0.0
        weight = 0
        for step in range(a.step_start[mode], a.step_start[mode + 1]):
            node = int(places[step])
            found = next(
                (
                    a.option_right[o][0]
                    for o in range(a.option_start[step], a.option_start[step + 1])
                    if a.option_node[o] == node
                ),
                0,
            )
            if compiled.aggregation == "product":
                right *= found / UNITS
            else:
                right, weight = right + a.weight[step] * found / UNITS, weight + a.weight[step]
        total += right / weight if weight else right
    return round(total * UNITS)


def _window(compiled: CompiledDecomposition, latest: int) -> int:
    """How long after its release a task is followed by cells: what it may usefully take (ticks)."""
    a = compiled.arrays
    if compiled.kind == "reward" and compiled.tick_factor:
        # later than this, being right with certainty is not worth the wait
        useful = UNITS * compiled.right_factor // compiled.tick_factor
        work = int(
            np.add.reduceat(np.maximum.reduceat(a.option_ticks[:, 0], a.option_start[:-1]), a.step_start[:-1]).max()
        )
        return min(latest, useful + work)
    return latest


def _trimmed(found: PriceProof) -> PriceProof:
    """Without slots that cost nothing at the end."""
    if found.prices is None or not found.prices.size:
        return found
    used = np.flatnonzero(found.prices.any(axis=0))
    return replace(found, prices=found.prices[:, : int(used[-1]) + 1 if len(used) else 0])
