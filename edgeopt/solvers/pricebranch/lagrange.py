"""Lagrangian relaxation of "one choice a group" with exact knapsacks (Fisher, Jaikumar, Van Wassenhove 1986)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeopt.instances.program import IntArray, Program
from edgeopt.solvers.pricebranch import knapsack_kernel, repair_kernel
from edgeopt.solvers.pricebranch.space import FloatArray, Space, StateArray

NEVER = knapsack_kernel.NEVER
MOST_CELLS, MOST_IN_ALL = 10**6, 2 * 10**7
"""Choices times capacity up to which dynamic programming is cheap: of a bin, and of all together."""
DIGITS, WORD = 12, 40
"""Binary digits of the prices after the point, and those of the largest scaled profit."""
LEAST_GAP = 0.02
"""Steps in the prices end when they aim at less than this, in units of the profits."""

_descend: Callable[..., tuple[int, float]] = knapsack_kernel.descend
_losses: Callable[..., None] = knapsack_kernel.losses
_repaired: Callable[..., bool] = repair_kernel.repaired


def suits(program: Program) -> bool:
    """Whether every bin is a knapsack with one capacity that dynamic programming solves cheaply."""
    if program.budget is not None or program.weight.shape[1] != 1 or not len(program.bin):
        return False
    if program.exactly_one and len(np.unique(program.group)) < program.groups:
        return False
    if int(np.abs(program.profit).max()) >= 2 ** (WORD - 4):
        return False
    cells: list[int] = []
    for b in range(program.bins):
        weight = program.weight[program.bin == b, 0]
        size = min(int(program.capacity[b, 0]), sum(weight.tolist())) // (int(np.gcd.reduce(weight)) or 1)
        cells.append(len(weight) * int(size))
    return max(cells) <= MOST_CELLS and sum(cells) <= MOST_IN_ALL


@dataclass(frozen=True, slots=True, eq=False)
class Bounded:
    """Prices and what they prove.

    Attributes
    ----------
    value : int
        Scaled bound; ``-NEVER`` where what is chosen does not fit.
    prices : (G,) int64
        Scaled.
    contents : (K,) int8
        What the bins hold at the best prices.
    """

    value: int
    prices: IntArray
    contents: StateArray


class Lagrangian:
    """The relaxation of one program; positions are those of its `Space`, profits and prices are times `scale`."""

    def __init__(self, space: Space) -> None:
        program = space.program
        own = space.choice
        largest = max(1, int(np.abs(program.profit).max()))
        self.space = space
        self.free = program.exactly_one
        self.scale = 1 << min(DIGITS, WORD - largest.bit_length())
        self.unit = int(np.gcd.reduce(program.profit)) or 1
        self.profit = space.sign * program.profit[own] * self.scale
        self.bin = np.ascontiguousarray(program.bin[own])
        divisor = np.ones(program.bins, dtype=np.int64)
        weight = program.weight[own, 0]
        for b in range(program.bins):
            inside = slice(space.first[b], space.first[b + 1])
            divisor[b] = max(1, int(np.gcd.reduce(weight[inside], initial=0)))
        self.weight = weight // divisor[self.bin]
        self.capacity = program.capacity[:, 0] // divisor
        every = np.bincount(self.bin, weights=self.weight, minlength=program.bins).astype(np.int64)
        self.capacity = np.minimum(self.capacity, every)
        self.at = np.full((program.groups, program.bins), -1, dtype=np.int64)
        self.at[space.group, self.bin] = np.arange(len(own))
        most = int(np.diff(space.first).max())
        self.table = np.zeros((most + 1, int(self.capacity.max()) + 1), dtype=np.int64)
        self.own = np.zeros(most, dtype=np.int64)
        self.limit = float(2**58 // (program.groups + len(own)))

    def descend(
        self, state: StateArray, start: FloatArray, amount: FloatArray, need: int, gap: float, steps: int
    ) -> tuple[Bounded, float]:
        """Lower the bound by steps in the prices, see `knapsack_kernel.descend`; with the gap that is left."""
        prices = np.zeros(len(start), dtype=np.int64)
        x, best = np.zeros(len(state), dtype=np.int8), np.zeros(len(state), dtype=np.int8)
        value, gap = _descend(
            self.profit, self.space.group, self.weight, self.space.first, self.capacity, state, self.free, self.limit,
            start.copy(), need, gap, LEAST_GAP * self.scale, steps, self.table, self.own, x, prices, best, amount,
        )  # fmt: skip
        return Bounded(int(value), prices, best), gap

    def losses(self, state: StateArray, prices: IntArray) -> tuple[IntArray, IntArray]:
        """What forcing each choice out, and in, takes off the bound."""
        without, with_ = np.zeros(len(state), dtype=np.int64), np.zeros(len(state), dtype=np.int64)
        _losses(
            self.profit, self.space.group, self.weight, self.space.first, self.capacity, state, prices,
            self.table, self.own, without, with_,
        )  # fmt: skip
        return without, with_

    def repaired(self, contents: StateArray) -> IntArray | None:
        """A feasible set of choices (the program's numbers) near the contents of the bins; None if none was found."""
        groups, bins = self.at.shape
        place, load = np.zeros(groups, dtype=np.int64), np.zeros(bins, dtype=np.int64)
        worst = -4 * int(np.abs(self.profit).max()) - 1
        found = _repaired(
            self.profit, self.space.group, self.weight, self.bin, self.capacity, self.at, self.free, contents,
            place, load, worst,
        )  # fmt: skip
        return self.space.choice[place[place >= 0]] if found else None

    def real(self, prices: IntArray) -> FloatArray:
        """Scaled prices in the program's own sense and unit; exact, being few digits over a power of two."""
        result: NDArray[Any] = self.space.sign * prices.astype(np.float64) / self.scale
        return result

    def whole(self, value: int) -> float:
        """A scaled bound in whole units, rounded down to what sums of profits can be."""
        if value <= -NEVER:
            return -math.inf
        units = value // self.scale
        return float(units - units % self.unit)
