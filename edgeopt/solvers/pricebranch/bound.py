"""What prices prove about a vertex of the tree: the formula of `edgeopt.proof`, in floats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeopt.proof import Leaf
from edgeopt.solvers.pricebranch import kernel
from edgeopt.solvers.pricebranch.space import Box, FloatArray, Space, StateArray, extended

_curve: Callable[..., None] = kernel.curve
_cover: Callable[..., int] = kernel.cover

REFUTE = 1e4
"""How far below everything that groups offer a refutation puts the bound of a box."""
MOST_NEW = 40
"""Price vectors a bin that are added to settle a bound."""


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """Prices of the groups and, bin by bin, price vectors of the capacities (in the bin's units) and count rows.

    Vectors may lack the last columns, which then are 0.
    """

    groups: FloatArray
    vectors: tuple[FloatArray, ...]

    def leaf(self, space: Space) -> Leaf:
        """As a leaf of a proof: prices per integer unit, in the program's own sense."""
        multipliers = []
        for rows, unit in zip(self.vectors, space.unit, strict=True):
            per_unit = rows.copy()
            per_unit[:, : len(unit)] /= unit
            multipliers.append(per_unit)
        return Leaf(space.sign * self.groups, tuple(multipliers))


def no_prices(space: Space, usable: NDArray[np.bool_] | None = None) -> Prices:
    """Every group at its largest profit (of the usable choices): the bound is what the groups offer.

    A group that must take a choice and has no usable one is priced so low that nothing is left.
    """
    groups = space.ceiling.copy()
    if usable is not None:
        lowest = -REFUTE * (1.0 + np.abs(groups).sum()) if space.program.exactly_one else 0.0
        groups = np.full(space.program.groups, lowest)
        np.maximum.at(groups, space.group[usable], space.profit[usable])
    return Prices(groups, (np.zeros((1, space.weight.shape[1])),) * space.bins)


def bound(space: Space, box: Box, prices: Prices) -> float:
    """The bound that prices prove on a box, by a margin over the rounding of floats; ``-inf`` if it is empty."""
    if (box.low > box.high).any():
        return -np.inf
    weight, room = extended(space, box)
    gain = space.profit - prices.groups[space.group]
    total, scale = float(prices.groups.sum()), float(np.abs(prices.groups).sum())
    for bin in range(space.bins):
        own = slice(space.first[bin], space.first[bin + 1])
        levels = slice(space.levels[bin], space.levels[bin + 1])
        upper = np.empty(levels.stop - levels.start)
        low, high = int(box.low[bin]), int(box.high[bin])
        _curve(
            gain[own], weight[own], box.state[own], space.count[levels], room[levels],
            low, high, padded(prices.vectors[bin], weight.shape[1]), upper,
        )  # fmt: skip
        top = float(upper[low : high + 1].max())
        total += top
        scale += abs(top) + float(prices.vectors[bin].max(initial=0.0))
    return total + 1e-11 * scale


def padded(vectors: FloatArray, columns: int) -> FloatArray:
    """Price vectors with zeros for the count rows that they do not know."""
    missing = columns - vectors.shape[1]
    return np.pad(vectors, ((0, 0), (0, missing))) if missing else vectors


def refutation(space: Space, box: Box) -> Prices | None:
    """Prices that show that the chosen choices of a box do not fit, decided in exact integers; None if they fit.

    Linear programs do not see an excess below their tolerance.
    """
    program = space.program
    for bin in range(space.bins):
        inside = space.choice[space.first[bin] : space.first[bin + 1]][_own(space, box, bin) == 1]
        if not len(inside):
            continue
        most = program.capacity[bin].copy()
        most[-1] = min(most[-1], int(space.level[space.levels[bin] + box.low[bin]]))
        excess = program.weight[inside].sum(axis=0) - most
        worst = int(excess.argmax())
        if excess[worst] > 0:
            prices = no_prices(space)
            vector = np.zeros((1, len(most)))
            vector[0, worst] = REFUTE * (1.0 + prices.groups.sum()) * space.unit[bin, worst] / excess[worst]
            return Prices(prices.groups, (*prices.vectors[:bin], vector, *prices.vectors[bin + 1 :]))
    return None


def _own(space: Space, box: Box, bin: int) -> StateArray:
    return box.state[space.first[bin] : space.first[bin + 1]]


def settled(space: Space, box: Box, groups: FloatArray, vectors: Sequence[FloatArray]) -> tuple[Prices, float]:
    """The best bound that the prices of the groups allow on a box, and few price vectors that prove it.

    Parameters
    ----------
    groups : (G,) float64
    vectors : sequence of (M, D) float64
        Price vectors to start from, per bin.
    """
    weight, room = extended(space, box)
    gain = space.profit - groups[space.group]
    chosen = []
    for bin in range(space.bins):
        own = slice(space.first[bin], space.first[bin + 1])
        levels = slice(space.levels[bin], space.levels[bin + 1])
        low, high, known = int(box.low[bin]), int(box.high[bin]), len(vectors[bin])
        pool = np.zeros((known + MOST_NEW, weight.shape[1]))
        pool[:known] = padded(vectors[bin], weight.shape[1])
        size = _cover(
            gain[own], weight[own], box.state[own], space.count[levels], room[levels],
            low, high, pool, known, -np.inf,
        )  # fmt: skip
        curves = np.empty((size, levels.stop - levels.start))
        for row in range(size):
            _curve(
                gain[own], weight[own], box.state[own], space.count[levels], room[levels],
                low, high, pool[row : row + 1], curves[row],
            )  # fmt: skip
        own_columns = space.weight.shape[1] + len(box.rows[bin])
        chosen.append(pool[_few(curves[:, low : high + 1])][:, :own_columns])
    prices = Prices(groups.copy(), tuple(chosen))  # an ascent goes on in its own array
    return prices, bound(space, box, prices)


def _few(curves: FloatArray) -> list[int]:
    """Rows whose least is nowhere above the largest least of all rows."""
    goal = float(curves.min(axis=0).max())
    rows: list[int] = []
    least = np.full(curves.shape[1], np.inf)
    while not rows or least.max() > goal + 1e-12 * abs(goal):
        row = int(curves[:, int(np.argmax(least))].argmin())
        if row in rows:
            break
        rows.append(row)
        least = np.minimum(least, curves[row])
    return rows
