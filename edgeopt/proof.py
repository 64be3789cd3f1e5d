"""Proof objects that solvers hand out; `edgeopt.certify` rounds and replays them, only the replay is believed.

A proof is a tree over a `edgeopt.instances.program.Program` (written here for ``max``; ``min`` is its mirror image).
An inner vertex splits the feasible sets in two; a leaf bounds what its sets can reach by prices:

for any ``pi >= 0`` (free where exactly one choice a group is required) and any ``y >= 0``

    sum_g pi_g + sum_b max_T min_y [ y . cap_b(T) + sum_{k in b, budget_k >= T} (profit_k - pi_g(k) - y . weight_k)^+ ]

is an upper bound, where ``T`` runs over the budgets possible for bin ``b`` in the leaf and ``cap_b(T)`` is the bin's
capacity with the last resource lowered to ``T``. A choice fixed to 1 counts without the ``^+``, one fixed to 0 not at
all. Floats here are only suggestions: after rounding to rationals the formula holds for whatever they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """Prices that bound every feasible set of a leaf.

    Attributes
    ----------
    prices : (G,) float64
        ``pi``: price of each group.
    multipliers : tuple of (M_b, D) float64
        For each bin the vectors ``y`` among which the best is taken threshold by threshold; at least one a bin.
        Below a `CountSplit` of the bin they may have a further column for each of its count rows.
    """

    prices: FloatArray
    multipliers: tuple[FloatArray, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ChoiceSplit:
    """Branch on a choice: `without` it, or `with_` it."""

    choice: int
    without: Tree
    with_: Tree


@dataclass(frozen=True, slots=True, eq=False)
class ThresholdSplit:
    """Branch on a bin's deadline threshold, the least budget of the choices in it.

    `late`: every choice in the bin has a budget of at least `threshold`, so those with less are out.
    `early`: some choice has less, so the last resource sums to at most the largest budget below `threshold`
    (nothing is lost: where the bin is empty or has no such choice, the set is in `late`).
    """

    bin: int
    threshold: int
    late: Tree
    early: Tree


@dataclass(frozen=True, slots=True, eq=False)
class CountSplit:
    """Branch on how many of some choices of a bin are chosen: at most `most` (`few`), or more (`many`).

    On the way down each such split adds a column to the multipliers of the bin's leaves, a further resource of which
    each of the choices needs 1 out of `most` (`few`), or -1 out of ``-(most + 1)`` (`many`).
    """

    bin: int
    choices: IntArray
    most: int
    few: Tree
    many: Tree


@dataclass(frozen=True, slots=True, eq=False)
class Infeasible:
    """Prices that show that a vertex has no feasible set: with all profits 0 they bound the value by less than 0."""

    prices: FloatArray
    multipliers: tuple[FloatArray, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Take the bins apart at prices of the groups; `parts` hold one tree a bin, in which groups do not count.

    Leaves below have prices 0, and the multipliers of one bin only.
    """

    prices: FloatArray
    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Chains:
    """Below `Bins`: in each chain every choice is at least as good as the next, so the first few are taken.

    `ChoiceSplit` on the choice at place ``m`` of a chain then is "at most ``m``" (`without`) or more (`with_`).
    """

    chains: tuple[tuple[int, ...], ...]
    then: Tree


@dataclass(frozen=True, slots=True, eq=False)
class Knapsacks:
    """Prices of the groups, at which each bin is packed exactly (one resource, no budgets).

    The bound is the sum of the prices and of the best contents of the bins, each an ordinary knapsack problem.
    """

    prices: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Fixings:
    """Choices that need not be looked at otherwise: `excluded` are out and `demanded` are in, in `then`.

    The bound counts what the sets that say otherwise may reach, by exact knapsacks at these prices
    (`Knapsacks`). The last choice that is left of a group may be `demanded` for nothing where one is required.
    """

    prices: FloatArray
    excluded: tuple[int, ...]
    demanded: tuple[int, ...]
    then: Tree


Tree = Leaf | ChoiceSplit | ThresholdSplit | CountSplit | Infeasible | Bins | Chains | Knapsacks | Fixings
