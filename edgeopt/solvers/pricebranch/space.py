"""A program as the search sees it: always maximised, choices bin by bin and by falling budget, capacities near 1."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgeopt.instances.program import IntArray, Program

FloatArray = NDArray[np.float64]
StateArray = NDArray[np.int8]

MOST_FAMILIES = 12
"""Different weights up to which a resource tells families apart, and families a bin."""
LEAST_FAMILY = 4
"""Choices a family, on average, from which it is worth counting."""


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """A `Program` in that form.

    Attributes
    ----------
    program : Program
    sign : int
        1 where the program maximises, -1 where it minimises.
    choice : (K,) int64
        The program's number of the choice at each position here.
    where : (K,) int64
        The inverse: position of each of the program's choices.
    group : (K,) int64
    profit : (K,) float64
        Maximised: the negative of a cost.
    weight : (K, D) float64
        In units of the bin.
    unit : (B, D) float64
        Integer units in one of these.
    first : (B + 1,) int64
        Bin ``b`` has the positions ``first[b]`` to ``first[b + 1]``.
    levels : (B + 1,) int64
        Bin ``b`` has the thresholds ``levels[b]`` to ``levels[b + 1]``, falling; one where there are no budgets.
    level : (L,) int64
        Threshold.
    count : (L,) int64
        Number of choices of the bin that the threshold allows: a prefix of them.
    room : (L, D) float64
        Capacity of the bin at the threshold.
    place : (K,) int64
        Threshold, counted from the bin's first, at the budget of each choice.
    ceiling : (G,) float64
        Largest profit in each group, at least 0.
    families : tuple of (n,) int64
        Sets of positions, each in one bin, whose number of chosen ones is worth branching on.
    """

    program: Program
    sign: int
    choice: IntArray
    where: IntArray
    group: IntArray
    profit: FloatArray
    weight: FloatArray
    unit: FloatArray
    first: IntArray
    levels: IntArray
    level: IntArray
    count: IntArray
    room: FloatArray
    place: IntArray
    ceiling: FloatArray
    families: tuple[IntArray, ...]

    @property
    def bins(self) -> int:
        """Number of bins ``B``."""
        return len(self.first) - 1

    def bin_of(self, position: int) -> int:
        """Bin of a position."""
        return int(np.searchsorted(self.first, position, side="right")) - 1


def space(program: Program) -> Space:
    """Bring a program into the form of the search."""
    size = len(program.bin)
    budget = np.zeros(size, dtype=np.int64) if program.budget is None else program.budget
    choice = np.lexsort((-budget, program.bin)).astype(np.int64)
    first = np.searchsorted(program.bin[choice], np.arange(program.bins + 1)).astype(np.int64)
    level, count, room, place = [], [], [], np.zeros(size, dtype=np.int64)
    unit = np.maximum(1.0, program.capacity.astype(np.float64))
    levels = [0]
    for number in range(program.bins):
        own = slice(first[number], first[number + 1])
        last = int(program.capacity[number, -1])
        if program.budget is None or own.start == own.stop:
            level.append([last])
            count.append([own.stop - own.start])
        else:
            mine = budget[choice[own]]
            end = np.flatnonzero(np.append(mine[1:] != mine[:-1], True))
            level.append(mine[end].tolist())
            count.append((end + 1).tolist())
            place[own] = np.searchsorted(end, np.arange(len(mine)))
        rooms = np.repeat(program.capacity[number][None, :].astype(np.float64), len(level[-1]), axis=0)
        rooms[:, -1] = np.minimum(level[-1], last)
        unit[number, -1] = max(1.0, float(rooms[:, -1].max()))
        room.append(rooms / unit[number])
        levels.append(levels[-1] + len(level[-1]))
    sign = 1 if program.sense == "max" else -1
    profit = sign * program.profit[choice].astype(np.float64)
    group = np.ascontiguousarray(program.group[choice])
    ceiling = np.zeros(program.groups)
    np.maximum.at(ceiling, group, profit)
    where = np.empty(size, dtype=np.int64)
    where[choice] = np.arange(size)
    return Space(
        program=program,
        sign=sign,
        choice=choice,
        where=where,
        group=group,
        profit=profit,
        weight=np.ascontiguousarray(program.weight[choice] / unit[program.bin[choice]]),
        unit=unit,
        first=first,
        levels=np.array(levels, dtype=np.int64),
        level=np.array([entry for one in level for entry in one], dtype=np.int64),
        count=np.array([entry for one in count for entry in one], dtype=np.int64),
        room=np.ascontiguousarray(np.concatenate(room)),
        place=place,
        ceiling=ceiling,
        families=_families(program, choice, first),
    )


def _families(program: Program, choice: IntArray, first: IntArray) -> tuple[IntArray, ...]:
    """Per bin: its choices of equal profit and equal weights in the resources with few different weights; and all."""
    found: list[IntArray] = []
    for start, end in pairwise(first.tolist()):
        own = choice[start:end]
        if len(own) < LEAST_FAMILY:
            continue
        columns = [program.profit[own], *program.weight[own].T]
        alike = [column for column in columns if len(np.unique(column)) <= MOST_FAMILIES]
        kind = np.unique(np.column_stack(alike), axis=0, return_inverse=True)[1].reshape(-1) if alike else own * 0
        most = int(kind.max())
        if 0 < most < min(MOST_FAMILIES, len(own) / LEAST_FAMILY):
            found += [start + np.flatnonzero(kind == value) for value in range(most + 1)]
            found.append(np.arange(start, end))
    return tuple(found)


class CountRow(NamedTuple):
    """``sign * (number of chosen ones of the family) <= sign * limit``."""

    family: int
    sign: int
    limit: int


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """A vertex of the tree: what is left to decide.

    Attributes
    ----------
    low, high : (B,) int64
        First and last possible threshold of each bin, counted from the bin's first; none where ``low > high``.
    state : (K,) int8
        1: chosen, -1: out, 0: open.
    rows : tuple of tuple of CountRow
        Per bin, bounds on the number of chosen ones of a family, in the order of branching.
    """

    low: IntArray
    high: IntArray
    state: StateArray
    rows: tuple[tuple[CountRow, ...], ...]

    def fixed(self) -> bool:
        """Whether every bin has one threshold."""
        return bool((self.low == self.high).all())


def whole(space: Space) -> Box:
    """The box of all feasible sets."""
    return Box(
        np.zeros(space.bins, dtype=np.int64), np.diff(space.levels) - 1, np.zeros(len(space.choice), dtype=np.int8),
        ((),) * space.bins,
    )  # fmt: skip


def split_threshold(box: Box, bin: int, level: int) -> tuple[Box, Box]:
    """Thresholds up to `level` of a bin (late), and those after it (early)."""
    high, low = box.high.copy(), box.low.copy()
    high[bin], low[bin] = level, level + 1
    return replace(box, high=high), replace(box, low=low)


def split_choice(space: Space, box: Box, position: int) -> tuple[Box, Box]:
    """Without a choice, and with it: the others of its group are out, its bin's threshold is within its budget."""
    without, with_ = box.state.copy(), box.state.copy()
    with_[space.group == space.group[position]] = -1
    without[position], with_[position] = -1, 1
    bin = space.bin_of(position)
    low = box.low.copy()
    low[bin] = max(low[bin], space.place[position])
    return replace(box, state=without), replace(box, low=low, state=with_)


def split_count(space: Space, box: Box, family: int, most: int) -> tuple[Box, Box]:
    """At most `most` of a family, and more."""
    bin = space.bin_of(int(space.families[family][0]))

    def grown(row: CountRow) -> Box:
        rows = list(box.rows)
        rows[bin] = (*rows[bin], row)
        return replace(box, rows=tuple(rows))

    return grown(CountRow(family, 1, most)), grown(CountRow(family, -1, most + 1))


def extended(space: Space, box: Box) -> tuple[FloatArray, FloatArray]:
    """Weights and room with the count rows of a box as further resources, row ``i`` of a bin in column ``D + i``."""
    extra = max(map(len, box.rows), default=0)
    if not extra:
        return space.weight, space.room
    resources = space.weight.shape[1]
    weight = np.zeros((len(space.choice), resources + extra))
    room = np.zeros((len(space.level), resources + extra))
    weight[:, :resources], room[:, :resources] = space.weight, space.room
    for bin, rows in enumerate(box.rows):
        for column, row in enumerate(rows, resources):
            weight[space.families[row.family], column] = row.sign
            room[space.levels[bin] : space.levels[bin + 1], column] = row.sign * row.limit
    return weight, room
