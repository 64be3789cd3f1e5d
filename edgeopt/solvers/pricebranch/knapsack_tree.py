"""Is there a solution of at least this value? Depth-first trees over exact knapsack bounds answer, goal by goal.

The goal starts at the bound of the root and falls, until a solution meets it or the bound meets the incumbent. A goal
that nothing reaches fixes more than an incumbent could (Posta, Ferland, Michelon 2012, doi
10.1007/s10589-011-9432-0), and its finished tree alone is the proof of the bound; trees before it are dropped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from edgeopt.instances.program import IntArray
from edgeopt.proof import ChoiceSplit, Fixings, Knapsacks, Tree
from edgeopt.solvers.base import Control
from edgeopt.solvers.pricebranch.lagrange import NEVER, Bounded, Lagrangian
from edgeopt.solvers.pricebranch.primal import Primal
from edgeopt.solvers.pricebranch.relaxation import Relaxation, Relaxed
from edgeopt.solvers.pricebranch.space import FloatArray, Space, StateArray, whole

ROOT_STEPS, ROOT_SLICE, STEPS = 3000, 60, 25
ROUNDS = 4
"""Most times that the bound of a vertex is improved again after choices were fixed."""
WORTH = 0.1
"""Share of the open choices that has to be fixed to do so."""
EASY, SLOW, FAST = 30, 1.5, 4.0
"""Vertices of a tree, and growth, below which the next goal is twice as far away; growth above which it is half."""
HARD = 500
"""Vertices from which a small MIP is asked for a solution."""
REPAIR = 8
"""One in so many vertices is asked for a solution nearby."""


@dataclass(slots=True, eq=False)
class Step:
    """A vertex of a finished tree, in the order of the search: after a split, its two halves follow.

    Attributes
    ----------
    prices : (G,) int64 or None
        Of a leaf or of fixings.
    excluded, demanded : (n,) int64
        Positions that are fixed.
    split : int
        Position that is split on, -1 for none; the half with it comes first.
    """

    prices: IntArray | None = None
    excluded: IntArray | None = None
    demanded: IntArray | None = None
    split: int = -1


@dataclass(slots=True, eq=False)
class KnapsackSearch:
    """One run: the interface of `tree.Search`, for programs that `lagrange.suits`."""

    space: Space
    control: Control
    primal: Primal
    relaxation: Relaxation
    hear: Callable[[], None]
    vertex_limit: int | None = None
    vertices: int = 1
    steps: int = 0
    form: Lagrangian = field(init=False)
    root: Bounded = field(init=False)
    relaxed: Relaxed | None = field(init=False)
    average: FloatArray = field(init=False)
    proof: list[Step] = field(init=False)
    upper: float = field(init=False)
    worst: int = -NEVER
    """Largest scaled bound of what the tree at hand has closed."""

    def __post_init__(self) -> None:
        self.form = Lagrangian(self.space)
        ceiling = np.full(self.space.program.groups, -np.inf if self.form.free else 0.0)
        np.maximum.at(ceiling, self.space.group, self.form.profit)
        prices = ceiling.astype(np.int64)
        self.average = np.zeros(len(self.space.choice))
        self.root = Bounded(int(prices.sum()), prices, np.zeros(len(self.space.choice), dtype=np.int8))
        self.accept([Step(prices)], self.root.value)

    def accept(self, proof: list[Step], value: int) -> None:
        """Take a finished tree as the proof."""
        self.proof, self.upper = proof, self.form.whole(value)

    def bound(self) -> float:
        """Bound on every solution."""
        return self.upper

    def goal(self, value: float) -> int:
        """The scaled value of a solution that is better than that."""
        return (int(value) + self.form.unit) * self.form.scale

    def run(self) -> bool:
        """Search until the bound is met; whether it was."""
        state = np.zeros(len(self.space.choice), dtype=np.int8)
        self.start(state)
        ahead, last = self.form.unit, 1
        while not self.done():
            if self.halted():
                return False
            goal = self.upper + self.form.unit - ahead
            floor = self.primal.floor if self.primal.value is None else self.primal.value + self.form.unit
            before = self.vertices
            self.refute(state, int(max(goal, floor)) * self.form.scale)
            size = self.vertices - before
            # Where a lower goal hardly makes the tree larger, the next one is further away.
            if size < EASY or size < SLOW * last:
                ahead *= 2
            elif size > FAST * last:
                ahead = max(self.form.unit, ahead // 2)
            last = max(size, 1)
            fractional = self.relaxed is not None and self.relaxed.feasible
            if self.vertices > HARD and fractional and not self.done() and not self.primal.mips:
                box = whole(self.space)
                self.primal.improve(box, None, self.relaxed, self.upper, self.relaxation)
            self.hear()
        return True

    def done(self) -> bool:
        """Whether nothing better than the incumbent is left."""
        return self.upper <= (self.primal.floor - 1.0 if self.primal.value is None else self.primal.value)

    def halted(self) -> bool:
        """Whether to stop now."""
        return self.control.stop() or (self.vertex_limit is not None and self.vertices >= self.vertex_limit)

    def start(self, state: StateArray) -> None:
        """Bound the root by steps from the prices of the linear program, and look for solutions."""
        self.relaxation.restrict(whole(self.space))
        relaxed = self.relaxation.solve()
        scale = self.form.scale
        prices, guess = self.root.prices.astype(np.float64), self.root.value / scale
        if relaxed is not None and relaxed.feasible:
            prices, guess = relaxed.prices.groups * scale, relaxed.value
        gap, taken = scale * max(0.5, 0.002 * abs(guess)), 0
        while taken < ROOT_STEPS and not self.control.stop():
            need = -NEVER if self.primal.value is None else self.goal(self.primal.value)
            found, left = self.form.descend(state, prices, self.average, need, gap, ROOT_SLICE)
            taken += ROOT_SLICE
            self.offer(found.contents)
            if found.value < self.root.value:
                self.root = found
                self.accept([Step(found.prices)], found.value)
                self.hear()
            if self.done() or left < 0.03 * scale:
                break
            prices, gap = self.root.prices.astype(np.float64), left
        self.steps += taken
        self.relaxed = relaxed

    def offer(self, contents: StateArray, near: bool = True) -> None:
        """Take the contents of the bins as a solution if they are one; or make one `near` them."""
        self.primal.offer(self.space.choice[np.flatnonzero(contents)])
        chosen = self.form.repaired(contents) if near else None
        if chosen is not None:
            self.primal.offer(chosen)

    def reached(self, need: int) -> bool:
        """Whether the incumbent meets a goal."""
        return self.primal.value is not None and self.primal.value * self.form.scale >= need

    def refute(self, state: StateArray, need: int) -> bool:
        """Show that no solution reaches the goal; False if one does, or where the control says stop."""
        proof: list[Step] = []
        self.worst = -NEVER
        waiting = [(state, self.root.prices)]
        while waiting:
            if self.halted():
                return False
            halves = self.visit(*waiting.pop(), need, proof)
            if self.reached(need):
                return False
            waiting += halves
            self.hear()
        self.accept(proof, self.worst)
        return True

    def visit(
        self, state: StateArray, prices: IntArray, need: int, proof: list[Step]
    ) -> list[tuple[StateArray, IntArray]]:
        """Bound a vertex, fix what does not reach the goal, and split; the halves, the one to look at first last."""
        form = self.form
        left, turn = int((state == 0).sum()), 0
        while True:
            found, _ = form.descend(
                state, prices.astype(np.float64), self.average.copy(), need, 0.3 * form.scale, STEPS
            )
            self.steps += STEPS
            prices = found.prices
            if found.value < need:
                self.worst = max(self.worst, found.value)
                proof.append(Step(prices))
                return []
            self.offer(found.contents, near=turn == 0 and self.vertices % (2 * REPAIR) == 1)
            if self.reached(need):
                return []
            without, with_ = form.losses(state, prices)
            before = left
            state = self.fix(state, found, without, with_, need, proof)
            left, turn = int((state == 0).sum()), turn + 1
            if not left:
                # One set remains, of whose value the bound is free once no group pays for nothing.
                prices = np.zeros_like(prices)
            elif before - left < WORTH * before or turn == ROUNDS:
                break
        self.vertices += 2
        position = self.choose(state, without, with_, found.value - need)
        proof.append(Step(split=position))
        return self.halves(state, position, prices)

    def fix(
        self, state: StateArray, found: Bounded, without: IntArray, with_: IntArray, need: int, proof: list[Step]
    ) -> StateArray:
        """Take out what costs too much to be in, and in what costs too much to be out."""
        slack = found.value - need
        groups = self.space.program.groups
        group, free = self.space.group, state == 0
        excluded = free & (with_ > slack)
        demanded = free & (without > slack)
        if self.form.free:
            # The last choice of a group is in; where all cost too much, the cheapest is kept for that.
            least = np.full(groups, NEVER)
            np.minimum.at(least, group[free], with_[free])
            keep = np.full(groups, -1)
            cheap = np.flatnonzero(free & (with_ == least[group]))
            keep[group[cheap]] = cheap
            left = np.bincount(group[free & ~excluded], minlength=groups)
            none = np.flatnonzero((left == 0) & (keep >= 0))
            excluded[keep[none]] = False
            left[none] = 1
            demanded |= free & ~excluded & (left == 1)[group]
        # One choice a group is demanded at most, and it is not excluded as well.
        one = np.full(groups, -1)
        demanded &= ~excluded
        places = np.flatnonzero(demanded)
        one[group[places]] = places
        demanded &= one[group] == np.arange(len(group))
        if not (excluded.any() or demanded.any()):
            return state
        paid = [int((found.value - with_[excluded & (with_ < NEVER)]).max(initial=-NEVER))]
        paid += [int((found.value - without[demanded & (without > slack)]).max(initial=-NEVER))]
        self.worst = max(self.worst, *paid)
        proof.append(Step(found.prices, np.flatnonzero(excluded), np.flatnonzero(demanded)))
        result = state.copy()
        result[excluded] = -1
        result[np.isin(group, group[demanded]) & (state == 0)] = -1
        result[demanded] = 1
        return result

    def choose(self, state: StateArray, without: IntArray, with_: IntArray, slack: int) -> int:
        """The group whose choices cost most on average, and in it the one that is best to have."""
        free = state == 0
        group, groups = self.space.group, self.space.program.groups
        cost = np.minimum(with_, slack + 1) / (slack + 1)
        total, count = (np.bincount(group[free], weights=w, minlength=groups) for w in (cost[free], None))
        score = (
            (total / np.maximum(1, count))[group] - 1e-3 * cost + 1e-6 * np.minimum(without, slack + 1) / (slack + 1)
        )
        return int(np.where(free, score, -math.inf).argmax())

    def halves(self, state: StateArray, position: int, prices: IntArray) -> list[tuple[StateArray, IntArray]]:
        """Without a choice, and with it."""
        without, with_ = state.copy(), state.copy()
        with_[(self.space.group == self.space.group[position]) & (state == 0)] = -1
        without[position], with_[position] = -1, 1
        return [(without, prices), (with_, prices)]

    def tree(self) -> Tree:
        """The proof, from its last step back."""
        number = self.space.choice
        done: list[Tree] = []
        for step in reversed(self.proof):
            if step.prices is None:
                with_, without = done.pop(), done.pop()
                done.append(ChoiceSplit(int(number[step.split]), without, with_))
            elif step.excluded is None or step.demanded is None:
                done.append(Knapsacks(self.form.real(step.prices)))
            else:
                named = tuple(number[step.excluded].tolist()), tuple(number[step.demanded].tolist())
                done.append(Fixings(self.form.real(step.prices), *named, done.pop()))
        return done[0]
