"""Proof by prices: who pays for the resources that it uses, tick by tick, needs nobody to hold back for it.

Let a tick of resource ``r`` cost ``prices[r][s] >= 0`` in slot ``s``, the ticks ``begin + s slot`` to ``begin + (s + 1)
slot``, and nothing outside the slots. All tasks together use at most ``slots[r] slot`` ticks of a slot, so

    value <= sum_i max (gain_i - price of what i uses) + sum_rs prices[r][s] slots[r] slot

where each task is alone in the world. With a price ``floor`` of the correctness, ``floor (correctness - its part of the
floor)`` may be added on the right. Whatever the prices are, this holds; prices are in units of ``2^-bits``.

The best of a task alone is bounded from above in each of its modes, by the path and by one of the others:

1. *Path*: a step on an option ends no earlier than the best way through the steps before it says, each taken for
   itself; the correctness is at most the best of every step.
2. *Dynamic program*, where ``cells`` is not 0: time is cut into cells of ``cell`` ticks from the release on, and one
   last cell that has no end. What begins in a cell pays at least the least price of beginning anywhere in it (nothing
   in the last one), and ends no earlier than if it began at the cell's begin. Of the edges those in ``dropped`` are
   forgotten, so that each step feeds one other: then what feeds a step is independent, given its node and time.
   ``ln correctness`` is a sum over the steps. Between two of the ``levels`` (in ``2^-20``) the correctness is at most
   on the chord of the exponential, which is linear in the sum, and one dynamic program for each pair of neighbouring
   levels bounds the schedules whose sum lies between them.
3. *Placements*, in the modes that have at most ``places`` of them, in the place of 2. With a node for each step, times
   and correctness are known. It ends no earlier than the paths say, and what runs on one node after a time, and is
   followed by at least so much, takes its share of the slots. If it ends in a cell, each step and transfer begins
   between its earliest start and the latest from which that cell is reached, and pays the least price there. Only
   placements that could pass the task's claim are looked at; the larger of claim and what is found counts.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Context, Decimal
from functools import lru_cache
from itertools import accumulate, pairwise
from math import prod
from operator import add
from typing import Any, NamedTuple

from .placement import MOST, NO_LINK, UNITS, Mode, Option, Program, Task, correctness, read_program, value_of
from .reading import Refuted, Replay, between, fields, items, whole, wholes

LOG_BITS = 20
LEAST_LOG = -(64 << LOG_BITS)
"""What stands for the logarithm of 0: more than that of anything smaller than ``e^-64``."""
MOST_BITS = 64
MOST_CELLS = 1 << 16
FAR = 1 << 400
"""Infinity: more than twice all that can come of numbers up to ``MOST = 2^62`` in a file of at most 2^30 bytes.

A transfer takes at most 2^96 ticks, so a task, whose steps are fewer than 2^30, ends before 2^127, or before 2^80 in
the last cell. Times ``tick_factor`` and in units of ``2^-64`` that is less than 2^254. Correctness is worth less than
2^147, on a chord less than 2^204; an operation pays less than 2^159, all of a task less than 2^189.
"""
_DIGITS = Context(prec=40)


def replay(program: Any, solution: Any, proof: Any) -> Replay:
    """Check the solution, and prove a bound anew."""
    read = read_program(program)
    value = None if solution is None else value_of(read, solution)
    prices = Prices(read, proof)
    total = prices.capacity() - prices.floor * read.floor
    impossible = None
    for i, task in enumerate(read.tasks):
        best = prices.best(task, i)
        total += best
        impossible = i if best <= -FAR // 2 else impossible
    bound = total >> prices.bits if impossible is None else None
    if read.sense == "min" and bound is not None:
        bound = -bound
    used = sum(any(row) for row in prices.rows)
    if impossible is not None:
        return Replay(read.sense, value, None, [f"proof     task {impossible} cannot keep its limit in any mode"])
    way = "placements and paths" if prices.cells else "critical paths"
    kind = f"{used} resources have prices over {prices.count} slots" if used else f"{way}, no prices"
    lines = [
        f"program   {len(read.tasks)} tasks, {len(read.channel)} nodes, {read.objective}",
        "solution  none given" if value is None else f"solution  feasible, value {value}",
        f"proof     {kind}",
    ]
    return Replay(read.sense, value, bound, lines)


class Prices:
    """A proof as read."""

    def __init__(self, program: Program, content: Any) -> None:
        names = (
            "kind", "bits", "begin", "slot", "prices", "floor", "cell", "cells", "levels", "dropped", "places",
            "claims",
        )  # fmt: skip
        _, bits, begin, slot, prices, floor, cell, cells, levels, dropped, places, claims = fields(
            content, "proof", *names
        )
        for name, number, least, most in (
            ("bits", bits, 0, MOST_BITS), ("begin", begin, 0, MOST), ("slot", slot, 1, MOST), ("floor", floor, 0, MOST),
            ("cell", cell, 1, MOST), ("cells", cells, 0, MOST_CELLS), ("places", places, 0, MOST),
        ):  # fmt: skip
            between(number, f"proof.{name}", least, most)
        if floor and program.objective != "latency":
            raise Refuted("proof.floor: only the objective latency has a floor")
        self.program = program
        self.bits: int = bits
        self.begin: int = begin
        self.slot: int = slot
        self.floor: int = floor
        self.cell: int = cell
        self.cells: int = cells
        self.rows: list[list[int]] = [
            wholes(row, "a row of proof.prices", least=0, most=MOST)
            for row in items(prices, "proof.prices", len(program.slots))
        ]
        self.count = max((len(row) for row in self.rows), default=0)
        self.paid: list[list[int]] = [list(accumulate((price * slot for price in row), initial=0)) for row in self.rows]
        self.levels = wholes(levels, "proof.levels", least=-MOST, most=MOST)
        self.places: int = places
        self.claims = wholes(claims, "proof.claims", len(program.tasks) if claims else None, -MOST, MOST)
        self.kept: dict[tuple[int, int], list[bool]] = {}
        for i, m, own in _triples(dropped):
            if not (0 <= i < len(program.tasks) and 0 <= m < len(program.tasks[i].modes)):
                raise Refuted(f"proof.dropped: there is no mode {m} of task {i}")
            mode = program.tasks[i].modes[m]
            self.kept[i, m] = _kept(mode, set(wholes(own, "proof.dropped")), f"proof.dropped ({i}, {m})")

    def capacity(self) -> int:
        """Price of all that there is."""
        return sum(paid[-1] * slots for paid, slots in zip(self.paid, self.program.slots, strict=True))

    def until(self, resource: int, time: int) -> int:
        """Price of a resource from the beginning to a time."""
        paid, row = self.paid[resource], self.rows[resource]
        passed = time - self.begin
        if passed <= 0:
            return 0
        place, rest = divmod(passed, self.slot)
        return paid[-1] if place >= len(row) else paid[place] + row[place] * rest

    def best(self, task: Task, i: int) -> int:
        """Bound on what a task gains, in units of ``2^-bits``."""
        found = self.claims[i] if self.claims else -FAR
        window = Window(self, task)
        for m, mode in enumerate(task.modes):
            path, end_gain = self._path(task, mode)
            if path <= found:
                continue
            if self.cells and prod(map(len, mode.options)) <= self.places:
                found = Placements(window, mode).best(found)
            elif self.cells:
                kept = self.kept.get((i, m)) or _kept(mode, set(), f"proof.dropped ({i}, {m})")
                found = max(found, min(path, Alone(window, mode, kept).best(end_gain)))
            else:
                found = path
        return found

    def worth(self) -> int:
        """What a millionth of correctness is worth."""
        if self.program.objective == "reward":
            return self.program.right_factor << self.bits
        return self.floor

    def gain(self, task: Task, end: int) -> int | None:
        """What an end is worth, without the correctness; None where it is not allowed."""
        if self.program.objective != "on-time" and task.due is not None and end > task.due:
            return None
        return self.program.gain(task, 0, end) << self.bits

    def _path(self, task: Task, mode: Mode) -> tuple[int, int]:
        """Bound by the path (1), in a mode of one step the best of its options; and what the end alone gains."""
        program, worth = self.program, self.worth()
        device = Option(task.device, (0, 0), (0, 0))
        by_step: dict[int, list[int]] = {}
        home: list[int] = []
        for k in mode.order:
            own = []
            for option in mode.options[k]:
                ready = task.release
                for e in mode.into(k):
                    source, _, size = mode.edges[e]
                    rows = (
                        [(device, task.release)]
                        if source is None
                        else zip(mode.options[source], by_step[source], strict=True)
                    )
                    ready = max(
                        ready,
                        min(
                            (end + program.transfer(size, before.node, option.node) for before, end in rows
                             if program.channel[before.node][option.node] != NO_LINK),
                            default=FAR,
                        ),
                    )  # fmt: skip
                own.append(ready + min(option.ticks[: 1 + (mode.context[k] is not None)]))
            by_step[k] = own
        best: list[int] = []
        for source, target, size in mode.edges:
            if target is None and source is not None:
                back = [
                    end + program.transfer(size, option.node, task.device)
                    if program.channel[option.node][task.device] != NO_LINK else FAR
                    for option, end in zip(mode.options[source], by_step[source], strict=True)
                ]  # fmt: skip
                home.append(min(back))
                best = back
        gain = self.gain(task, max(home))
        if gain is None or max(home) >= FAR:
            return -FAR, -FAR
        if len(mode.options) == 1:
            gains = [
                -FAR if (own_gain := self.gain(task, end)) is None or end >= FAR else own_gain + worth * option.right[0]
                for option, end in zip(mode.options[0], best, strict=True)
            ]
            return max(gains), gain
        rights = [
            max(max(option.right[: 1 + (mode.context[k] is not None)]) for option in own)
            for k, own in enumerate(mode.options)
        ]
        if program.aggregation == "mean":
            total = sum(w * right for w, right in zip(mode.weight, rights, strict=True))
            return gain + -(-worth * total // sum(mode.weight)), gain
        return gain + worth * level(sum(map(logarithm, rights))), gain


class Window:
    """The cells of a task's time, and what it costs to begin something in each."""

    def __init__(self, prices: Prices, task: Task) -> None:
        self.prices, self.task = prices, task
        self.charges: dict[tuple[int, int], list[int] | None] = {}

    def charge(self, resource: int, ticks: int) -> list[int] | None:
        """Least price of so many ticks that begin in a cell; None where nothing is charged."""
        prices = self.prices
        if resource < 0 or not ticks or not any(prices.rows[resource]):
            return None
        key = resource, ticks
        if key not in self.charges:
            begin, cell, cells, slot = self.task.release, prices.cell, prices.cells, prices.slot

            def price(start: int) -> int:
                return prices.until(resource, start + ticks) - prices.until(resource, start)

            ends = [price(begin + j * cell) for j in range(cells + 1)]
            found = list(map(min, ends, ends[1:]))
            # in between the price is linear but where the begin or the end passes from one slot to the next
            for shift in (0, ticks):
                first = max(0, -(-(begin + shift - prices.begin) // slot))
                last = min(len(prices.rows[resource]), (begin + shift + cells * cell - 1 - prices.begin) // slot)
                for s in range(first, last + 1):
                    start = prices.begin + s * slot - shift
                    j = (start - begin) // cell
                    found[j] = min(found[j], price(start))
            self.charges[key] = [*found, 0]
        return self.charges[key]


class Operation(NamedTuple):
    """A step or a transfer of a placement, with its earliest start and what follows at least."""

    resource: int
    ticks: int
    head: int
    tail: int


class Placements:
    """All placements of a mode (3), those that cannot pass a claim left out as soon as that is clear."""

    def __init__(self, window: Window, mode: Mode) -> None:
        self.window, self.prices, self.task, self.mode = window, window.prices, window.task, mode
        count = len(mode.options)
        self.most = [max(max(option.right) for option in own) for own in mode.options]
        self.after = [0] * count
        """Least time from the end of each step to that of the task."""
        for k in reversed(mode.order):
            for source, target, _ in mode.edges:
                if source == k and target is not None:
                    least = min(min(option.ticks) for option in mode.options[target])
                    self.after[k] = max(self.after[k], least + self.after[target])
        self.into = [mode.into(k) for k in range(count)]
        self.back = [[e for e, edge in enumerate(mode.edges) if edge[:2] == (k, None)] for k in range(count)]

    def best(self, found: int) -> int:
        """The most that a placement gains, or what is found already if that is more."""
        self.found = found
        count = len(self.mode.options)
        self.taken: list[Option] = [own[0] for own in self.mode.options]
        self.side, self.begin, self.ticks = [0] * count, [0] * count, [0] * count
        self._place(0, list(self.most))
        return self.found

    def _place(self, position: int, rights: list[int]) -> None:
        mode, prices, task = self.mode, self.prices, self.task
        if position == len(mode.order):
            self._priced()
            return
        k = mode.order[position]
        program = prices.program
        for option in mode.options[k]:
            ready, side, linked = task.release, 0, True
            for e in self.into[k]:
                source, _, size = mode.edges[e]
                one = task.device if source is None else self.taken[source].node
                if program.channel[one][option.node] == NO_LINK:
                    linked = False
                    break
                have = task.release if source is None else self.begin[source] + self.ticks[source]
                ready = max(ready, have + program.transfer(size, one, option.node))
                side = 1 if e == mode.context[k] and one == option.node else side
            if not linked or (self.back[k] and program.channel[option.node][task.device] == NO_LINK):
                continue
            gain = prices.gain(task, ready + option.ticks[side] + self.after[k])
            known = [*rights]
            known[k] = option.right[side]
            if gain is None or gain + self._worth(known) <= self.found:
                continue
            self.taken[k], self.side[k], self.begin[k], self.ticks[k] = option, side, ready, option.ticks[side]
            self._place(position + 1, known)

    def _worth(self, rights: list[int]) -> int:
        """What this correctness of the steps is worth, at most."""
        worth = self.prices.worth()
        if self.prices.program.aggregation == "mean":
            total = sum(w * right for w, right in zip(self.mode.weight, rights, strict=True))
            return -(-worth * total // sum(self.mode.weight))
        scale: int = UNITS ** (len(rights) - 1)
        return -(-worth * prod(rights) // scale)

    def _operations(self) -> tuple[list[Operation], list[Operation]]:
        """Steps and transfers of the placement."""
        mode, task, program = self.mode, self.task, self.prices.program
        tail = [0] * len(self.taken)
        moves = []
        for k in reversed(mode.order):
            for source, target, size in mode.edges:
                if source == k:
                    other = task.device if target is None else self.taken[target].node
                    follows = 0 if target is None else self.ticks[target] + tail[target]
                    ticks = program.transfer(size, self.taken[k].node, other)
                    tail[k] = max(tail[k], ticks + follows)
                    channel = program.channel[self.taken[k].node][other]
                    moves.append(Operation(channel, ticks, self.begin[k] + self.ticks[k], follows))
        for source, target, size in mode.edges:
            if source is None and target is not None:
                other = self.taken[target].node
                ticks = program.transfer(size, task.device, other)
                follows = self.ticks[target] + tail[target]
                moves.append(Operation(program.channel[task.device][other], ticks, task.release, follows))
        steps = [
            Operation(option.node, ticks, head, after)
            for option, ticks, head, after in zip(self.taken, self.ticks, self.begin, tail, strict=True)
        ]
        return steps, moves

    def _priced(self) -> None:
        """Hold a complete placement at prices against what is found."""
        prices, task = self.prices, self.task
        steps, moves = self._operations()
        end = max(own.head + own.ticks + own.tail for own in steps)
        for one in steps:
            for other in steps:
                if one.resource == other.resource:
                    load = sum(
                        own.ticks
                        for own in steps
                        if own.resource == one.resource and own.head >= one.head and own.tail >= other.tail
                    )
                    if load:
                        end = max(end, one.head - (-load // prices.program.slots[one.resource]) + other.tail)
        rights = [option.right[side] for option, side in zip(self.taken, self.side, strict=True)]
        worth = prices.worth() * correctness(prices.program, self.mode, rights)
        release, cell, cells = task.release, prices.cell, prices.cells
        paying = []
        for own in steps + moves:
            charge = self.window.charge(own.resource, own.ticks)
            if charge is not None:
                paying.append((own, charge, min(cells, (own.head - release) // cell)))
        lowest = [FAR] * len(paying)
        until = [first for _, _, first in paying]
        for j in range(min(cells, (end - release) // cell), cells + 1):
            gain = prices.gain(task, max(end, release + j * cell))
            if gain is None or gain + worth <= self.found:
                return
            for p, (own, charge, _) in enumerate(paying):
                last = cells if j == cells else min(cells, ((j + 1) * cell - own.ticks - own.tail) // cell)
                if until[p] <= last:
                    lowest[p] = min(lowest[p], min(charge[until[p] : last + 1]))
                    until[p] = last + 1
            self.found = max(self.found, gain + worth - sum(lowest))


class Alone:
    """The dynamic program of one task in one mode (2)."""

    def __init__(self, window: Window, mode: Mode, kept: list[bool]) -> None:
        self.window, self.prices, self.task, self.mode, self.kept = window, window.prices, window.task, mode, kept

    def best(self, end_gain: int) -> int:
        """The largest of the bounds between neighbouring levels, of those that can be larger than the others.

        `end_gain` bounds what the end alone gains: so does that and `level(b)` what is below the level ``b``.
        """
        mode, prices = self.mode, self.prices
        worth = prices.worth()
        rights = [[self._rights(k, option) for option in own] for k, own in enumerate(mode.options)]
        if not worth or prices.program.aggregation == "mean" or len(mode.options) == 1:
            total = sum(mode.weight)
            gains = [
                [tuple(-(-worth * w * right // total) for right in pair) for pair in own]
                for own, w in zip(rights, mode.weight, strict=True)
            ]
            return self._best(gains)
        logs = [[tuple(map(logarithm, pair)) for pair in own] for own in rights]
        low = sum(min(min(pair) for pair in own) for own in logs)
        high = sum(max(max(pair) for pair in own) for own in logs)
        points = [low, *sorted({p for p in prices.levels if low < p < high}), high]
        if low == high:
            points = [low - 1, high]
        found = -FAR
        for a, b in reversed(list(pairwise(points))):
            if end_gain + worth * level(b) <= found:
                continue
            slope = -(-worth * (level(b) - level(a)) // (b - a))
            gains = [[tuple(slope * log for log in pair) for pair in own] for own in logs]
            found = max(found, self._best(gains) + worth * level(a) - slope * a)
        return found

    def _rights(self, step: int, option: Option) -> tuple[int, int]:
        """Correctness apart from the context and beside it."""
        if self.mode.context[step] is None:
            return option.right[0], option.right[0]
        return option.right

    def _best(self, gains: list[list[tuple[int, ...]]]) -> int:
        """The best of the task where a step on an option gains so much apart from its context, and beside it."""
        mode, prices, task = self.mode, self.prices, self.task
        done: dict[int, list[list[int]]] = {}
        device = [Option(task.device, (0, 0), (0, 0))]
        there = [[0] * (prices.cells + 1)]
        for k in mode.order:
            done[k] = []
            for option, own in zip(mode.options[k], gains[k], strict=True):
                apart, beside = [0] * (prices.cells + 1), [0] * (prices.cells + 1)
                context = mode.context[k]
                tied = context is not None and self.kept[context]
                for e in mode.into(k):
                    if not self.kept[e]:
                        continue
                    source, _, size = mode.edges[e]
                    sources = device if source is None else mode.options[source]
                    costs = there if source is None else done[source]
                    if e == context:
                        others = [(o, c) for o, c in zip(sources, costs, strict=True) if o.node != option.node]
                        same = [(o, c) for o, c in zip(sources, costs, strict=True) if o.node == option.node]
                        apart = list(map(add, apart, self._moved(others, option.node, size)))
                        beside = list(map(add, beside, self._moved(same, option.node, size)))
                    else:
                        moved = self._moved(list(zip(sources, costs, strict=True)), option.node, size)
                        apart, beside = list(map(add, apart, moved)), list(map(add, beside, moved))
                if context is None:
                    ran = self._ran(apart, option, option.ticks[0], own[0])
                elif tied:
                    ran = list(
                        map(
                            min,
                            self._ran(apart, option, option.ticks[0], own[0]),
                            self._ran(beside, option, option.ticks[1], own[1]),
                        )
                    )
                else:
                    ran = self._ran(apart, option, min(option.ticks), max(own))
                done[k].append(ran)
        home = [0] * (prices.cells + 1)
        for e, (source, target, size) in enumerate(mode.edges):
            if target is None and source is not None and self.kept[e]:
                pairs = list(zip(mode.options[source], done[source], strict=True))
                home = list(map(add, home, self._moved(pairs, task.device, size)))
        best = -FAR
        for j, cost in enumerate(home):
            gain = prices.gain(task, task.release + j * prices.cell)
            if gain is not None:
                best = max(best, gain - cost)
        return best

    def _moved(self, sources: list[tuple[Option, list[int]]], target: int, size: int) -> list[int]:
        """Least cost of having what one of the sources made at a node, by cell; a list that does not rise."""
        program = self.prices.program
        best = [FAR] * (self.prices.cells + 1)
        for option, cost in sources:
            channel = program.channel[option.node][target]
            if channel == NO_LINK:
                continue
            own = cost
            if option.node != target:
                ticks = program.transfer(size, option.node, target)
                own = self._shifted(cost, channel, ticks)
            best = list(map(min, best, own))
        return best

    def _ran(self, ready: list[int], option: Option, ticks: int, gain: int) -> list[int]:
        """Least cost of a step having ended, by cell."""
        found = self._shifted(ready, option.node, ticks)
        return [cost - gain for cost in found]

    def _shifted(self, cost: list[int], resource: int, ticks: int) -> list[int]:
        """Least cost after something has taken so many ticks of a resource (-1: of none)."""
        cells, cell = self.prices.cells, self.prices.cell
        charge = self.window.charge(resource, ticks)
        own = list(accumulate(cost if charge is None else map(add, cost, charge), min))
        later = min(ticks // cell, cells)
        return [FAR] * later + own[: cells - later] + own[-1:]


def _kept(mode: Mode, dropped: set[int], where: str) -> list[bool]:
    """Which edges remain; every step then feeds exactly one other, or the device."""
    kept = [e not in dropped for e in range(len(mode.edges))]
    out = [source for (source, _, _), stays in zip(mode.edges, kept, strict=True) if stays and source is not None]
    if sorted(out) != list(range(len(mode.options))):
        raise Refuted(f"{where}: some step does not feed exactly one other")
    if not dropped <= set(range(len(mode.edges))) or any(mode.edges[e][0] is None for e in dropped):
        raise Refuted(f"{where}: names an edge that does not exist, or one from the device")
    return kept


def _triples(content: Any) -> list[tuple[int, int, Any]]:
    found = []
    for row in items(content, "proof.dropped"):
        i, m, own = items(row, "a row of proof.dropped", 3)
        found.append((whole(i, "proof.dropped"), whole(m, "proof.dropped"), own))
    return found


@lru_cache(maxsize=1 << 16)
def logarithm(right: int) -> int:
    """The natural logarithm of a correctness in millionths, rounded up to a multiple of ``2^-20``."""
    if right <= 0:
        return LEAST_LOG
    if right >= UNITS:
        return 0
    exact = _DIGITS.next_plus(_DIGITS.ln(_DIGITS.divide(Decimal(right), Decimal(UNITS))))  # the division is exact
    scaled = _DIGITS.next_plus(_DIGITS.multiply(exact, Decimal(1 << LOG_BITS)))
    return max(LEAST_LOG, int(scaled.to_integral_value(rounding=ROUND_CEILING)))


@lru_cache(maxsize=1 << 16)
def level(log: int) -> int:
    """The correctness whose logarithm is that, rounded up to whole millionths; at most a million."""
    if log >= 0:
        return UNITS
    power = _DIGITS.next_plus(_DIGITS.exp(_DIGITS.divide(Decimal(log), Decimal(1 << LOG_BITS))))
    return int(_DIGITS.next_plus(_DIGITS.multiply(power, Decimal(UNITS)))) + 1
