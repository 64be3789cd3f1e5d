"""Exact replay of the price vectors behind a single-node bound.

For any prices ``y >= 0`` of (uplink, downlink, memory, compute) and any deadline threshold ``T``, no batch
whose requests all have ``D_i >= T`` is larger than

    ``UB(T; y) = y . cap(T) + sum_{i: D_i >= T} max(0, 1 - y . A_i)``

(Lagrangian relaxation of (12a)-(12d)), nor larger than the number of such requests. So the largest, over
thresholds, of the least such bound, is a theorem about the node, whoever found the prices and however
they were rounded. Everything here is integer arithmetic: prices become integers over a common power of
two, in int64 where no sum can leave it, and in Python integers otherwise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeopt.instances.batching.node import IntArray, NodeProblem

_WORD_BITS = 62
"""Sums stay below ``2**62``, one bit short of what int64 holds."""
_LEAST_PRICE = 2**14
"""An integer price below this (that matters) has lost too much to rounding: use Python integers then."""
_WIDE_BITS = 160
"""Binary digits after the point of a price in Python integers."""


def node_bound(node: NodeProblem, multipliers: NDArray[np.float64] | None) -> int:
    """Prove an upper bound on the size of every batch of a node.

    Parameters
    ----------
    node : NodeProblem
        The node, in scaled integers.
    multipliers : (K, 4) float64 or None
        Prices of (uplink, downlink, memory, compute) per integer unit. Rows with a value that is not
        finite are ignored and negative values count as 0; any others give a valid bound.

    Returns
    -------
    int
        No feasible batch is larger. With no usable prices this is the number of requests.
    """
    if node.size == 0:
        return 0
    replay = _Replay(node)
    least = replay.count
    for y in np.atleast_2d(np.zeros(4) if multipliers is None else multipliers):
        if np.isfinite(y).all():
            # A price of 1 already keeps every request out that needs a unit; a higher one only loosens the bound.
            least = np.minimum(least, replay.bounds(np.clip(y, 0.0, 1.0)))
    return max(0, int(least.max()))


class _Replay:
    """A node sorted by falling deadline, ready to be bounded by one price vector after another."""

    def __init__(self, node: NodeProblem) -> None:
        order = np.argsort(-node.budget, kind="stable")
        self.node = node
        self.kind: IntArray = node.length_class[order]
        self.uplink: IntArray = node.uplink[order]
        self.downlink: IntArray | None = None if node.downlink is None else node.downlink[order]
        budget = node.budget[order]
        # A threshold is the deadline of the last request of a group of ties.
        self.last: IntArray = np.flatnonzero(np.append(budget[1:] != budget[:-1], True))
        self.threshold: IntArray = budget[self.last]
        self.count: IntArray = self.last + 1
        self.capacity = [int(node.uplink_capacity), int(node.downlink_capacity), int(node.memory_capacity)]
        self.highest = [
            int(self.uplink.max()),
            int(node.class_tokens.max() if self.downlink is None else self.downlink.max()),
            int(node.class_memory.max()),
            int(node.class_compute.max()),
        ]

    def bounds(self, y: NDArray[np.float64]) -> IntArray:
        """Floor of ``UB(T; y)`` at every threshold ``T``."""
        prices, bits, fits = self.scaled(y)
        dtype: Any = np.int64 if fits else object
        per_class = _Classes(self.node, prices, bits, self.downlink is None, dtype)
        profit = per_class.profit[self.kind] - prices[0] * self.uplink.astype(dtype)
        if self.downlink is not None:
            profit = profit - prices[1] * self.downlink.astype(dtype)
        total = np.cumsum(np.maximum(profit, 0), dtype=dtype)[self.last]
        fixed = sum(p * c for p, c in zip(prices[:3], self.capacity, strict=True))
        upper = (total + (fixed + prices[3] * self.threshold.astype(dtype))) >> bits
        # Far above the number of requests a bound says nothing; the cut lets Python integers fit again.
        floors: IntArray = np.minimum(upper, self.node.size).astype(np.int64)
        return floors

    def scaled(self, y: NDArray[np.float64]) -> tuple[list[int], int, bool]:
        """Prices as integers over ``2**bits``, and whether every sum with them fits in int64."""
        lowest, highest = int(self.threshold[-1]), int(self.threshold[0])
        reach = [*self.capacity, max(abs(lowest), abs(highest))]
        scale = float(self.node.size) + float(sum(v * (r + h) for v, r, h in zip(y, reach, self.highest, strict=True)))
        bits = _WORD_BITS - 2 - int(np.ceil(np.log2(scale + 1.0)))
        if bits > 0:
            prices = [_rounded(v, bits) for v in y]
            total = (self.node.size << bits) + sum(
                p * (abs(r) + h) for p, r, h in zip(prices, reach, self.highest, strict=True)
            )
            precise = all(p >= _LEAST_PRICE or v * abs(r) < 1e-3 for p, v, r in zip(prices, y, reach, strict=True))
            if precise and total < 1 << _WORD_BITS and max(map(abs, reach)) < 1 << _WORD_BITS:
                return prices, bits, True
        return [_rounded(v, _WIDE_BITS) for v in y], _WIDE_BITS, False


class _Classes:
    """Profit ``2**bits (1 - y . A)`` of each class before the demands that differ inside a class."""

    def __init__(self, node: NodeProblem, prices: list[int], bits: int, worst_channel: bool, dtype: Any) -> None:
        one = 1 << bits
        self.profit = np.array(
            [
                one - (prices[1] * t if worst_channel else 0) - prices[2] * m - prices[3] * a
                for t, m, a in zip(
                    node.class_tokens.tolist(),
                    node.class_memory.tolist(),
                    node.class_compute.tolist(),
                    strict=True,
                )
            ],
            dtype=dtype,
        )


def _rounded(value: float, bits: int) -> int:
    """``round(value * 2**bits)`` without leaving exact arithmetic."""
    numerator, denominator = float(value).as_integer_ratio()
    return ((numerator << (bits + 1)) + denominator) // (2 * denominator)
