"""Bins apart: a Lagrangian bound in which a small tree of its own packs each bin exactly.

At prices ``pi`` of the groups, no solution is worth more than ``sum_g pi_g`` and the best content of every bin at the
gains ``profit_k - pi_g(k)``: the bound of column generation. The linear program of a bin takes parts of choices; where
few choices fit into a bin, that costs much of the bound, and trees over all bins at once multiply what trees of single
bins add up. Steps in the prices go against the groups that the contents take too often or not at all.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from edgeopt.instances.program import IntArray
from edgeopt.proof import Bins, ChoiceSplit, CountSplit, FloatArray, Leaf, Tree
from edgeopt.solvers.pricebranch import kernel
from edgeopt.solvers.pricebranch.bound import padded, settled
from edgeopt.solvers.pricebranch.space import Box, Space, extended, split_choice, split_count

_explore: Callable[..., tuple[int, float]] = kernel.explore

KEPT = 6
"""Price vectors that a vertex hands on."""
NEW = 30
"""Price vectors that one bound may need."""
CLOSE = 1e-4
"""A bin is packed exactly enough when its bound is so near to its best content."""
WHOLE = 1e-6
BELOW = 0.05
"""How far below the target the steps aim."""
WORTH = 0.1
"""Share of what is missing that a step has to gain; the next one is half as long where it does not."""
LEAST_STEP = 0.25
"""Share of the full step below which it is given up."""


@dataclass(slots=True, eq=False)
class _Vertex:
    """A vertex of a bin's tree: its box, with count rows as further resources, and its bound at the last prices."""

    box: Box
    weight: FloatArray
    room: FloatArray
    vectors: FloatArray
    bound: float = math.inf
    amount: FloatArray | None = None
    split: tuple[int, int, _Vertex, _Vertex] | None = None
    """Family or -1; the most of it, or the choice; the two halves."""


class _Bin:
    """One bin of a box, its tree, and the contents that were found."""

    def __init__(self, space: Space, box: Box, bin: int) -> None:
        own = slice(int(space.first[bin]), int(space.first[bin + 1]))
        levels = slice(int(space.levels[bin]), int(space.levels[bin + 1]))
        size = own.stop - own.start
        inside = [place for place, family in enumerate(space.families) if own.start <= family[0] < own.stop]
        start = inside[0] if inside else 0
        self.own, self.group, self.bin = own, space.group[own], bin
        self.space = replace(
            space, choice=space.choice[own], group=np.arange(size), profit=space.profit[own], weight=space.weight[own],
            unit=space.unit[bin : bin + 1], first=np.array([0, size]), levels=np.array([0, levels.stop - levels.start]),
            level=space.level[levels], count=space.count[levels], room=space.room[levels], place=space.place[own],
            ceiling=np.zeros(size), families=tuple(space.families[place] - own.start for place in inside),
        )  # fmt: skip
        rows = tuple(row._replace(family=row.family - start) for row in box.rows[bin])
        self.box = Box(box.low[bin : bin + 1], box.high[bin : bin + 1], box.state[own], (rows,))
        self.contents: list[IntArray] = []
        self.vertices = 0

    def pack(self, gain: FloatArray, leaves: int, stop: Callable[[], bool]) -> tuple[float, _Vertex]:
        """Bound on what the bin gains, and its tree, which has at most so many leaves."""
        root = self._vertex(self.box, np.zeros((1, self.space.weight.shape[1])))
        best = max((float(gain[content].sum()) for content in self.contents), default=-math.inf)
        self._evaluate(root, gain)
        heap = [(-root.bound, 0, root)]
        while -heap[0][0] > best + CLOSE and len(heap) < leaves and not stop():
            top = heap[0][2]
            assert top.amount is not None
            if np.abs(top.amount - np.rint(top.amount)).max(initial=0.0) < WHOLE:
                self.contents.append(np.flatnonzero(top.amount > 0.5))
                break
            heapq.heappop(heap)
            for half in self._split(top):
                self._evaluate(half, gain)
                self.vertices += 1
                heapq.heappush(heap, (-half.bound, self.vertices, half))
        return -heap[0][0], root

    def content(self, gain: FloatArray) -> IntArray:
        """The best content that is known at these gains."""
        return max(self.contents, key=lambda content: float(gain[content].sum()), default=np.zeros(0, dtype=np.int64))

    def _vertex(self, box: Box, vectors: FloatArray) -> _Vertex:
        weight, room = extended(self.space, box)
        return _Vertex(box, weight, room, padded(vectors, weight.shape[1]))

    def _evaluate(self, leaf: _Vertex, gain: FloatArray) -> None:
        box = leaf.box
        if box.low[0] > box.high[0]:
            leaf.bound = -math.inf
            return
        known = len(leaf.vectors)
        pool = np.zeros((known + NEW, leaf.weight.shape[1]))
        pool[:known] = leaf.vectors
        leaf.amount = np.zeros(len(gain))
        size, leaf.bound = _explore(
            gain, leaf.weight, box.state, self.space.count, leaf.room, int(box.low[0]), int(box.high[0]), pool, known,
            leaf.amount,
        )  # fmt: skip
        leaf.vectors = pool[max(0, size - KEPT) : size]

    def _split(self, leaf: _Vertex) -> tuple[_Vertex, _Vertex]:
        """By the most fractional number of a family, or the most fractional choice where those are whole."""
        amount = leaf.amount
        assert amount is not None
        numbers = np.array([amount[family].sum() for family in self.space.families])
        distance = np.abs(numbers - np.rint(numbers))
        if len(distance) and distance.max() > WHOLE:
            family = int(distance.argmax())
            most = math.floor(numbers[family])
            boxes, where = split_count(self.space, leaf.box, family, most), (family, most)
        else:
            position = int(np.abs(amount - np.rint(amount)).argmax())
            boxes, where = split_choice(self.space, leaf.box, position), (-1, position)
        few, many = (self._vertex(box, leaf.vectors) for box in boxes)
        leaf.split = (*where, few, many)
        return few, many

    def proof(self, root: _Vertex, gain: FloatArray, groups: int) -> tuple[Tree, float]:
        """A tree at the gains that it was made for, with the bound that it proves."""
        space = replace(self.space, profit=np.ascontiguousarray(gain))
        most = -math.inf

        def tree(vertex: _Vertex) -> Tree:
            nonlocal most
            if vertex.split is None:
                if vertex.box.low[0] > vertex.box.high[0]:
                    return Leaf(np.zeros(groups), (np.zeros((1, space.weight.shape[1])),))
                prices, value = settled(space, vertex.box, np.zeros(len(gain)), [vertex.vectors])
                most = max(most, value)
                return Leaf(np.zeros(groups), prices.leaf(space).multipliers)
            family, number, first, second = vertex.split
            if family < 0:
                return ChoiceSplit(int(space.choice[number]), tree(first), tree(second))
            return CountSplit(
                self.bin, np.sort(space.choice[space.families[family]]), number, tree(first), tree(second)
            )

        return tree(root), most


@dataclass(frozen=True, slots=True, eq=False)
class Apart:
    """A bound and the tree that proves it, with the number of vertices looked at."""

    bound: float
    tree: Tree
    vertices: int


def apart(
    space: Space, box: Box, prices: FloatArray, target: float, *, rounds: int, leaves: int, stop: Callable[[], bool]
) -> Apart:
    """Bound a box by its bins apart, with prices of the groups from the given ones on, until the target is met.

    For programs in which a group may stay without a choice, so that prices are not negative.

    Parameters
    ----------
    prices : (G,) float64
    target : float
        The bound that is wanted.
    rounds, leaves : int
        Most steps in the prices, and most leaves of a bin's tree; a tree that has them bounds as it is.
    stop : callable
        Whether to end with what is there.
    """
    bins = [_Bin(space, box, bin) for bin in range(space.bins)]
    pi, slope, step, best = prices, np.zeros(len(prices)), 1.0, math.inf
    best_pi, roots = prices, list[_Vertex]()
    for _ in range(rounds):
        gain = space.profit - pi[space.group]
        packed = [bin.pack(gain[bin.own], leaves, stop) for bin in bins]
        value = float(pi.sum()) + sum(bound for bound, _ in packed)
        if not value < best - WORTH * max(0.0, best - target) and roots:
            step /= 2
        if value < best or not roots:
            best, best_pi, roots = value, pi, [root for _, root in packed]
            slope = np.ones(len(pi))
            for bin in bins:
                slope[bin.group[bin.content(gain[bin.own])]] -= 1.0
            slope[(pi <= 0.0) & (slope > 0.0)] = 0.0
        norm = float(slope @ slope)
        if best <= target or step < LEAST_STEP or norm == 0.0 or stop():
            break
        pi = np.maximum(best_pi - step * (best - target + BELOW) / norm * slope, 0.0)
    gain = space.profit - best_pi[space.group]
    groups = space.program.groups
    proofs = [bin.proof(root, gain[bin.own], groups) for bin, root in zip(bins, roots, strict=True)]
    bound = float(best_pi.sum()) + sum(value for _, value in proofs)
    tree = Bins(space.sign * best_pi, tuple(tree for tree, _ in proofs))
    return Apart(bound, tree, sum(bin.vertices for bin in bins))
