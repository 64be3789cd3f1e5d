"""Solutions: exact check, rounding, and small MIPs at the thresholds that the relaxation likes."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice, product

import numpy as np

from edgeopt.instances.program import IntArray, Program
from edgeopt.solvers.base import Control
from edgeopt.solvers.pricebranch.relaxation import Relaxation, Relaxed
from edgeopt.solvers.pricebranch.space import Box, FloatArray, Space

CORE = 300
"""Most choices that a MIP decides when the whole is too large."""
LEVELS, COMBINATIONS = 5, 60
"""Thresholds a bin, and combinations of them, that are looked at."""
SLICE_S = 2.0
"""Longest single MIP (s)."""
SHARE = 0.1
"""Most of the elapsed time that MIPs may take, beyond two slices."""
FIRST_MIPS, PROGRAMS_A_MIP, MIP_NODES = 4, 100, 500
"""Without a time limit: MIPs at first, linear programs for each further one, and nodes of a MIP, so that the answer
does not depend on the clock."""


def feasible(program: Program, chosen: IntArray) -> bool:
    """Whether a set of choices is feasible, in exact integers."""
    groups = np.bincount(program.group[chosen], minlength=program.groups)
    if (groups > 1).any() or (program.exactly_one and (groups != 1).any()):
        return False
    load = np.zeros_like(program.capacity)
    np.add.at(load, program.bin[chosen], program.weight[chosen])
    if (load > program.capacity).any():
        return False
    if program.budget is None:
        return True
    least = np.full(program.bins, np.iinfo(np.int64).max)
    np.minimum.at(least, program.bin[chosen], program.budget[chosen])
    return bool((load[:, -1] <= least).all())


class Primal:
    """The incumbent, and the ways to a better one. Values here are of the maximised form."""

    def __init__(self, space: Space, control: Control) -> None:
        self.space, self.control = space, control
        self.chosen: IntArray | None = None
        self.value: int | None = None
        self.floor = self._floor()
        self.tried: set[bytes] = set()
        self.seconds = 0.0
        self.mips = 0

    def _floor(self) -> float:
        """No solution has a value below this."""
        program = self.space.program
        least = np.zeros(program.groups)
        if program.exactly_one:
            least[:] = np.inf
        np.minimum.at(least, self.space.group, self.space.profit)
        return float(least[np.isfinite(least)].sum())

    def offer(self, chosen: IntArray) -> bool:
        """Take a set of choices (the program's numbers) if it is feasible and better."""
        program = self.space.program
        value = self.space.sign * int(program.profit[chosen].sum())
        if (self.value is not None and value <= self.value) or not feasible(program, chosen):
            return False
        self.chosen, self.value = np.sort(chosen), value
        return True

    def try_rounded(self, relaxed: Relaxed) -> bool:
        """Offer the choices that a relaxation takes (nearly) whole."""
        return self.offer(self.space.choice[np.flatnonzero(relaxed.amount > 1.0 - 1e-6)])

    def improve(
        self, box: Box, share: FloatArray | None, relaxed: Relaxed | None, bound: float, relaxation: Relaxation
    ) -> None:
        """Solve MIPs at promising thresholds of a box, as far as the time for that goes."""
        if relaxed is not None:
            candidates = [(relaxed.value, box, relaxed)]
        else:
            candidates = self._candidates(box, share, relaxation)
        for value, fixed, found in candidates:
            if self.control.stop() or not self._promising(min(value, bound)):
                break
            self._mip(fixed, found, relaxation)

    def _promising(self, bound: float) -> bool:
        return self.value is None or bound >= self.value + 1.0 - 1e-6

    def _candidates(
        self, box: Box, share: FloatArray | None, relaxation: Relaxation
    ) -> list[tuple[float, Box, Relaxed]]:
        """Combinations of thresholds with much weight, by the value of their linear program."""
        space = self.space
        liked = []
        for bin in range(space.bins):
            low, high = int(box.low[bin]), int(box.high[bin])
            weight = np.ones(high - low + 1) if share is None else share[space.levels[bin] + low :][: high - low + 1]
            order = np.argsort(-weight, kind="stable")[:LEVELS]
            liked.append([low + int(level) for level in order if weight[level] > 0.01 * weight.max()])
        found = []
        for levels in islice(_by_rank(liked), COMBINATIONS):
            if self.control.stop():
                break
            at = np.array(levels, dtype=np.int64)
            if at.tobytes() in self.tried:
                continue
            self.tried.add(at.tobytes())
            fixed = replace(box, low=at, high=at)
            relaxation.restrict(fixed)
            relaxed = relaxation.solve()
            if relaxed is None:
                continue
            self.try_rounded(relaxed)
            found.append((relaxed.value, fixed, relaxed))
        return sorted(found, key=lambda item: -item[0])

    def _mip(self, box: Box, relaxed: Relaxed, relaxation: Relaxation) -> None:
        """A MIP over the choices that the linear program leaves in doubt."""
        left = self.control.remaining()
        if left is None:
            enough = self.mips >= FIRST_MIPS + relaxation.solves // PROGRAMS_A_MIP
        else:
            enough = self.seconds > 2 * SLICE_S + SHARE * self.control.seconds()
        if enough:
            return
        goal = -math.inf if self.value is None else self.value + 1.0
        # What moving a choice from its bound costs more than, nothing better than the incumbent can pay.
        slack = relaxed.value - goal
        loss = np.abs(relaxed.loss)
        open_ = loss <= slack + 1e-6
        usable = relaxation.usable(box)
        if int((open_ & usable).sum()) > CORE:
            open_ = loss <= np.partition(loss[usable], CORE)[CORE]
        open_ |= (relaxed.amount > 1e-7) & (relaxed.amount < 1.0 - 1e-7)
        taken = ~open_ & (relaxed.amount > 0.5)
        begun = self.control.seconds()
        limit = {"mip_max_nodes": MIP_NODES} if left is None else {"time_limit": max(0.05, min(SLICE_S, left))}
        target = math.floor(relaxed.value + 1e-6)
        positions = relaxation.integer(box, open_, taken, target, limit, self.control.seed)
        self.seconds += self.control.seconds() - begun
        self.mips += 1
        if positions is not None:
            self.offer(self.space.choice[positions])


def _by_rank(liked: list[list[int]]) -> list[tuple[int, ...]]:
    """All combinations, those of the most liked thresholds first."""
    if math.prod(len(levels) for levels in liked) > 10**5:
        liked = [levels[:2] if len(liked) < 12 else levels[:1] for levels in liked]
    ranked = product(*(list(enumerate(levels)) for levels in liked))
    ordered = sorted(ranked, key=lambda item: sum(rank for rank, _ in item))
    return [tuple(level for _, level in item) for item in ordered]
