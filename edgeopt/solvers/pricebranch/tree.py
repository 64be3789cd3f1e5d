"""Best-bound-first search over thresholds, then choices; every vertex keeps the prices that prove its bound."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from edgeopt.proof import ChoiceSplit, CountSplit, Leaf, ThresholdSplit, Tree
from edgeopt.solvers.base import Control
from edgeopt.solvers.pricebranch import kernel
from edgeopt.solvers.pricebranch.apart import Apart, apart
from edgeopt.solvers.pricebranch.bound import Prices, bound, no_prices, refutation, settled
from edgeopt.solvers.pricebranch.primal import Primal
from edgeopt.solvers.pricebranch.relaxation import Relaxation, Relaxed
from edgeopt.solvers.pricebranch.space import (
    Box,
    FloatArray,
    Space,
    extended,
    split_choice,
    split_count,
    split_threshold,
    whole,
)

_ascend: Callable[..., bool] = kernel.ascend

MARGIN = 1e-6
"""A vertex is closed only if its float bound is this far below the next better whole value."""
ROOT_STEPS = 1200
ROOT_SLICE = 60
STEPS = 60
CHUNK_WORK = 200_000
"""Choices times steps between two looks at the control."""
HOPE = 0.15
"""Ascent at a vertex stops when its steps aim at less than this share of what is still missing."""

LIKELY = 0.9
"""Share of what is missing at a vertex above which the choice of thresholds, not counts, is branched on."""


ROOT_APART, APART = (30, 1500), (3, 150)
"""Most steps in the prices, and leaves a bin, of the bins apart: at the root, and at a vertex that they may close."""
APART_SHARE = 0.25
"""Most of the time left that they may take."""


@dataclass(slots=True, eq=False)
class Vertex:
    """A vertex of the search tree.

    Attributes
    ----------
    box : Box or None
        None once it has been split.
    bound : float
    prices : Prices
        What proves `bound`, unless there is a `proof`.
    split : tuple or None
        ``("choice", choice, without, with)`` or ``("threshold", bin, threshold, late, early)``.
    share : (L,) float64 or None
        How much each threshold counts in the relaxation.
    relaxed : Relaxed or None
        Its linear program, where every bin has one threshold.
    """

    box: Box | None
    bound: float
    prices: Prices
    split: tuple[object, ...] | None = None
    share: FloatArray | None = None
    relaxed: Relaxed | None = None
    proof: Tree | None = None
    """What proves `bound` where prices alone do not."""


@dataclass(slots=True, eq=False)
class Search:
    """One run of the search.

    Attributes
    ----------
    hear : callable
        Told the value and the bound (of the maximised form) when they change.
    """

    space: Space
    control: Control
    primal: Primal
    relaxation: Relaxation
    hear: Callable[[], None]
    vertex_limit: int | None = None
    root: Vertex = field(init=False)
    heap: list[tuple[float, int, Vertex]] = field(init=False, default_factory=list)
    vertices: int = 1
    steps: int = 0
    closed: float = -math.inf
    """Largest bound of a vertex that was closed."""
    apart: Apart | None = None
    """What the bins apart prove of all solutions."""
    reach: float = 0.0
    """How much the bins apart have lowered the bound of the root."""

    def __post_init__(self) -> None:
        prices = no_prices(self.space)
        box = whole(self.space)
        self.root = Vertex(box, bound(self.space, box, prices), prices)

    @property
    def target(self) -> float:
        """A vertex with a bound of at most this can hold nothing better than the incumbent."""
        if self.primal.value is None:
            return self.primal.floor - 1.0 + MARGIN
        return self.primal.value + 1.0 - MARGIN

    def bound(self) -> float:
        """Bound on every solution, from the tree as it is."""
        return self._searched() if self.apart is None else min(self._searched(), self.apart.bound)

    def _searched(self) -> float:
        if self.root.split is None:
            return self.root.bound
        return max(self.closed, -self.heap[0][0] if self.heap else -math.inf)

    def run(self) -> bool:
        """Search until nothing is open or the control says stop; whether nothing is open."""
        self.start()
        self.take_apart()
        if self.bound() <= self.target:
            return True
        self.push(self.root)
        while self.heap:
            if -self.heap[0][0] <= self.target:
                self.closed = max(self.closed, -self.heap[0][0])
                return True
            if self.control.stop() or (self.vertex_limit is not None and self.vertices >= self.vertex_limit):
                return False
            vertex = heapq.heappop(self.heap)[2]
            self.branch(vertex)
            self.hear()
        return True

    def push(self, vertex: Vertex) -> None:
        """Keep a vertex open, or close it if its bound allows."""
        if vertex.bound <= self.target:
            self.closed = max(self.closed, vertex.bound)
            vertex.box = vertex.share = vertex.relaxed = None
        else:
            heapq.heappush(self.heap, (-vertex.bound, -self.vertices, vertex))

    def start(self) -> None:
        """Bound the root and look for a first solution."""
        root = self.root
        assert root.box is not None
        if root.box.fixed():
            self.solve(root)
        else:
            state = _Ascent(self.space, root)
            while not self.control.stop() and state.steps < ROOT_STEPS:
                before = state.best
                self.steps += state.go(self.space, root.box, self.target, ROOT_SLICE, 0.0, self.control.stop)
                state.keep(self.space, root)
                self.hear()
                root.share = state.share
                if root.bound <= self.target or state.gap < 2e-4 or state.best > before - 2e-4:
                    break
        self.primal.improve(root.box, root.share, root.relaxed, root.bound, self.relaxation)
        self.hear()

    def take_apart(self) -> None:
        """Bound the root by its bins apart, if what they can add, less than a choice a bin, may be enough."""
        root = self.root
        if not self.space.program.exactly_one and root.bound - self.target < self.space.bins:
            self.apart = self._apart(root, *ROOT_APART)
        if self.apart is not None:
            self.reach = root.bound - self.apart.bound
            self.hear()

    def close_apart(self, vertex: Vertex) -> None:
        """Close a vertex by its bins apart, if they do about as much for it as they did for the root."""
        if self.apart is not None and vertex.bound <= self.target + self.reach:
            found = self._apart(vertex, *APART)
            if found is not None and found.bound <= self.target:
                vertex.bound, vertex.proof = found.bound, found.tree

    def _apart(self, vertex: Vertex, rounds: int, leaves: int) -> Apart | None:
        """The bins of an open vertex apart; None where a limit forbids it."""
        if self.vertex_limit is not None:
            leaves = min(leaves, (self.vertex_limit - self.vertices) // (2 * self.space.bins))
        if vertex.bound <= self.target or leaves < 1 or self.control.stop():
            return None
        assert vertex.box is not None
        left = self.control.remaining()
        until = math.inf if left is None else self.control.seconds() + APART_SHARE * left
        found = apart(
            self.space, vertex.box, vertex.prices.groups, self.target, rounds=rounds, leaves=leaves,
            stop=lambda: self.control.stop() or self.control.seconds() > until,
        )  # fmt: skip
        self.vertices += found.vertices
        return found

    def branch(self, vertex: Vertex) -> None:
        """Split a vertex and bound its children."""
        space, box = self.space, vertex.box
        assert box is not None
        if vertex.relaxed is None and not box.fixed():
            vertex.relaxed = self.likely(vertex)
        count = self.divide_count(vertex)
        if count is not None:
            family, most = count
            halves = [Vertex(child, vertex.bound, vertex.prices) for child in split_count(space, box, family, most)]
            bin = space.bin_of(int(space.families[family][0]))
            vertex.split = ("count", bin, np.sort(space.choice[space.families[family]]), most, *halves)
        elif box.fixed():
            position = self.choose(vertex.relaxed, box)
            if position is None:
                self.primal.offer(space.choice[box.state == 1])
                for prices in filter(None, (refutation(space, box), no_prices(space, self.relaxation.usable(box)))):
                    if (value := bound(space, box, prices)) < vertex.bound:
                        vertex.prices, vertex.bound = prices, value
                self.closed = max(self.closed, vertex.bound)
                return
            halves = [Vertex(child, vertex.bound, vertex.prices) for child in split_choice(space, box, position)]
            vertex.split = ("choice", int(space.choice[position]), *halves)
        else:
            bin, level = self.divide(vertex)
            late, early = split_threshold(box, bin, level)
            halves = [Vertex(late, vertex.bound, vertex.prices), Vertex(early, vertex.bound, vertex.prices)]
            vertex.split = ("threshold", bin, int(space.level[space.levels[bin] + level]), *halves)
        vertex.box = vertex.share = vertex.relaxed = None
        for half in halves:
            self.vertices += 1
            self.evaluate(half)
            self.close_apart(half)
            self.push(half)

    def evaluate(self, vertex: Vertex) -> None:
        """Bound a new vertex, from its parent's prices on."""
        box = vertex.box
        assert box is not None
        if self.control.stop():
            return
        if box.fixed():
            self.solve(vertex)
            if vertex.bound > self.target and not (box.state != 0).any() and not any(box.rows):
                self.primal.improve(box, None, vertex.relaxed, vertex.bound, self.relaxation)
            return
        self.ascend(vertex)

    def ascend(self, vertex: Vertex) -> None:
        """Bound a vertex by ascent in the prices."""
        assert vertex.box is not None
        state = _Ascent(self.space, vertex)
        self.steps += state.go(self.space, vertex.box, self.target, STEPS, HOPE, self.control.stop)
        state.keep(self.space, vertex)

    def solve(self, vertex: Vertex) -> None:
        """Bound a vertex with one threshold a bin by its linear program."""
        assert vertex.box is not None
        self.relaxation.restrict(vertex.box)
        relaxed = self.relaxation.solve()
        if relaxed is None:
            return
        value = bound(self.space, vertex.box, relaxed.prices)
        if value < vertex.bound:
            vertex.bound, vertex.prices = value, relaxed.prices
        vertex.relaxed = relaxed
        if relaxed.feasible and vertex.bound > self.target:
            self.primal.try_rounded(relaxed)

    def likely(self, vertex: Vertex) -> Relaxed | None:
        """The linear program at the likeliest threshold of each bin, if it explains most of the vertex's bound.

        Then further thresholds are not what is in the way, and counting does more.
        """
        space, box, share = self.space, vertex.box, vertex.share
        assert box is not None
        if share is None or not space.families:
            return None
        at = box.low.copy()
        for bin in range(space.bins):
            inside = share[space.levels[bin] + box.low[bin] : space.levels[bin] + box.high[bin] + 1]
            at[bin] += int(inside.argmax())
        self.relaxation.restrict(replace(box, low=at, high=at))
        relaxed = self.relaxation.solve()
        if relaxed is None or not relaxed.feasible:
            return None
        if vertex.bound - relaxed.value > LIKELY * (vertex.bound - self.target):
            return None
        return relaxed

    def divide_count(self, vertex: Vertex) -> tuple[int, int] | None:
        """The family to count and the most in its first half: the most fractional number; None if all are whole."""
        if vertex.relaxed is None or not vertex.relaxed.feasible:
            return None
        amount = vertex.relaxed.amount
        numbers = np.array([amount[family].sum() for family in self.space.families])
        distance = np.abs(numbers - np.rint(numbers))
        if not len(distance) or distance.max() < 1e-5:
            return None
        family = int(distance.argmax())
        return family, math.floor(numbers[family])

    def choose(self, relaxed: Relaxed | None, box: Box) -> int | None:
        """The open choice to branch on: the most fractional one, if there is one; None if all are decided."""
        open_ = self.relaxation.usable(box) & (box.state == 0)
        if not open_.any():
            return None
        distance = np.zeros(len(open_)) if relaxed is None else np.abs(relaxed.amount - np.rint(relaxed.amount))
        return int(np.where(open_, distance, -1.0).argmax())

    def divide(self, vertex: Vertex) -> tuple[int, int]:
        """The bin and the threshold to branch on: where the relaxation spreads most, at the weighted mean."""
        space, box, share = self.space, vertex.box, vertex.share
        assert box is not None
        best = (-1.0, 0, 0)
        for bin in range(space.bins):
            low, high = int(box.low[bin]), int(box.high[bin])
            if low == high:
                continue
            index = np.arange(low, high + 1)
            weight = np.ones(len(index))
            if share is not None:
                weight = share[space.levels[bin] + low : space.levels[bin] + high + 1]
            total = float(weight.sum())
            weight = weight / total if total > 0 else np.full(len(index), 1.0 / len(index))
            mean = float(weight @ index)
            spread = float(weight @ np.abs(index - mean)) + 1e-4 * (high - low)
            level = min(high - 1, max(low, math.floor(mean)))
            best = max(best, (spread, bin, level))
        return best[1], best[2]

    def tree(self) -> Tree:
        """The proof: every vertex that was not split is a leaf, or has its bins apart."""
        if self.apart is not None and self.apart.bound <= self._searched():
            return self.apart.tree
        done: dict[int, Tree] = {}
        leaves: dict[int, Leaf] = {}
        stack = [self.root]
        while stack:
            vertex = stack[-1]
            if vertex.split is None:
                if vertex.proof is not None:
                    done[id(stack.pop())] = vertex.proof
                    continue
                key = id(vertex.prices)
                if key not in leaves:
                    leaves[key] = vertex.prices.leaf(self.space)
                done[id(stack.pop())] = leaves[key]
                continue
            kind, *found, first, second = vertex.split
            where: list[Any] = found
            assert isinstance(first, Vertex)
            assert isinstance(second, Vertex)
            missing = [half for half in (first, second) if id(half) not in done]
            if missing:
                stack += missing
                continue
            halves = done[id(first)], done[id(second)]
            if kind == "count":
                done[id(vertex)] = CountSplit(int(where[0]), where[1], int(where[2]), *halves)
            elif kind == "choice":
                done[id(vertex)] = ChoiceSplit(int(where[0]), *halves)
            else:
                done[id(vertex)] = ThresholdSplit(int(where[0]), int(where[1]), *halves)
            stack.pop()
        return done[id(self.root)]


class _Ascent:
    """The arrays of an ascent at one vertex (`edgeopt.solvers.pricebranch.kernel.ascend`)."""

    def __init__(self, space: Space, vertex: Vertex) -> None:
        assert vertex.box is not None
        self.pi = vertex.prices.groups.copy()
        self.weight, self.room = extended(space, vertex.box)
        self.pools = np.zeros((space.bins, kernel.POOL, self.weight.shape[1]))
        for bin, vectors in enumerate(vertex.prices.vectors):
            rows = vectors[: kernel.POOL]
            self.pools[bin, : len(rows), : rows.shape[1]] = rows
        self.best_pi, self.best_pools = self.pi.copy(), self.pools.copy()
        self.share = np.zeros(len(space.level))
        self.amount = np.zeros(len(space.choice))
        self.best = math.inf
        self.gap = max(0.5, 0.01 * abs(vertex.bound))
        self.steps = 0

    def go(self, space: Space, box: Box, target: float, steps: int, hope: float, stop: Callable[[], bool]) -> int:
        """Some steps; afterwards the next ones start from the best prices."""
        move, walk = np.zeros(len(self.pi)), np.array([math.inf, self.gap, 0.0, 0.0])
        chunk = max(1, CHUNK_WORK // max(1, len(space.profit)))
        useful, until = True, 0
        while useful and until < steps and not (until and stop()):
            until = min(steps, until + chunk)
            useful = _ascend(
                space.profit, space.group, self.weight, box.state, space.first, space.levels, space.count, self.room,
                box.low, box.high, space.program.exactly_one, self.pi, self.pools, target, hope,
                until, self.best_pi, self.best_pools, self.share, self.amount, move, walk,
            )  # fmt: skip
        self.best, self.gap = float(walk[kernel.BEST]), float(walk[kernel.GAP])
        self.pi[:] = self.best_pi
        self.steps += steps
        return steps

    def keep(self, space: Space, vertex: Vertex) -> None:
        """Hand the bound to the vertex, if it is better than what it has."""
        assert vertex.box is not None
        prices, value = settled(space, vertex.box, self.best_pi, list(self.best_pools))
        if value < vertex.bound:
            vertex.bound, vertex.prices = value, prices
        vertex.share = self.share
