"""What is known at a vertex of the tree about the solutions that the vertex speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import gcd
from typing import NamedTuple

from .program import Program
from .reading import Refuted


class Count(NamedTuple):
    """``sign`` times the number of these choices that are in is at most ``limit``; ``sign`` is 1 or -1."""

    choices: frozenset[int]
    sign: int
    limit: int


@dataclass(frozen=True)
class State:
    """A family of sets of choices, and what each choice gains.

    Attributes
    ----------
    gain : sequence of int
        What each choice adds to the objective, in units of ``2**-bits``.
    bins : sequence of int
        The bins it is about: all of them, or one below a ``bins`` vertex.
    grouped : bool
        Whether "one choice a group" is still demanded; below a ``bins`` vertex it is not.
    fixed : dict
        Choices that are in (True) or out (False) of every set.
    window : dict
        For each bin that is not empty: the least and the largest that its least budget can be (without
        budgets: 0 and the capacity of the last resource).
    chains : dict or None
        Below a ``chains`` vertex: chain and place of each chained choice. Budgets no longer count there:
        what the window leaves of them has become the capacity of the last resource.
    counts : dict
        For each bin below ``count`` vertices: what is known of how many of some choices are in.
    """

    gain: Sequence[int]
    bins: Sequence[int]
    grouped: bool
    fixed: dict[int, bool]
    window: dict[int, tuple[int, int]]
    chains: dict[int, tuple[list[int], int]] | None = None
    counts: dict[int, tuple[Count, ...]] = field(default_factory=dict)


class Proof:
    """The program and the tables of numbers that vertices refer to, as integers in units of ``2**-bits``."""

    def __init__(
        self, program: Program, bits: int, prices: list[list[int]], multipliers: list[list[list[int]]]
    ) -> None:
        self.program, self.bits, self.prices, self.multipliers = program, bits, prices, multipliers
        self._cost = lru_cache(maxsize=256)(self._cost_of)

    def multiplier(self, b: int, index: object) -> tuple[list[int], list[int]]:
        """Vector ``y`` of a bin, and what it charges each choice of the bin (by falling budget)."""
        if type(index) is not int or not 0 <= index < len(self.multipliers[b]):
            raise Refuted(f"names multipliers of bin {b} that do not exist")
        return self.multipliers[b][index], self._cost(b, index)

    def _cost_of(self, b: int, index: int) -> list[int]:
        y = self.multipliers[b][index]
        cost = [0] * len(self.program.members[b])
        for price, column in zip(y, self.program.weight, strict=False):  # what is left prices counts
            if price:
                cost = [c + price * column[k] for c, k in zip(cost, self.program.members[b], strict=True)]
        return cost

    def priced(self, state: State, index: object) -> tuple[int, Sequence[int]]:
        """Relax "one choice a group" by prices: what they cost in total, and the gains that remain.

        Each group pays its price and gets it back with each choice of it, which loses nothing where there
        is exactly one choice, and nothing where there is at most one if the price is not negative.
        """
        if index is None:
            return 0, state.gain
        if type(index) is not int or not 0 <= index < len(self.prices):
            raise Refuted("names prices that do not exist")
        if not state.grouped:
            raise Refuted("sets prices of groups where groups no longer count")
        prices = self.prices[index]
        if not self.program.exactly_one and prices and min(prices) < 0:
            raise Refuted("has a negative price, which is only valid where every group must be chosen")
        group = self.program.group
        return sum(prices), [gain - prices[group[k]] for k, gain in enumerate(state.gain)]


def rounded(bound: int, gains: Sequence[int]) -> int:
    """A bound on a sum of some of these gains, rounded down to a multiple of their greatest common divisor."""
    unit = gcd(*gains)
    return bound - bound % unit if unit else min(bound, 0)
