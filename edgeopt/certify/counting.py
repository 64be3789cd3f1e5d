"""Close what multipliers leave open on a bin: a tree over how many choices each chain gives.

At a least budget ``T`` whose bound is still above the target, budgets are relaxed to "all at least ``T``, the last
resource at most ``T``". Choices that differ in little form chains in which each is at least as good as the next,
so only the number taken from each chain matters (the paper's class counts). Boxes of counts are split until each
is too heavy, or bounded by the target at one of the prices. All numbers are the integers that the verifier uses.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from math import floor, gcd
from operator import neg

import numpy as np

from edgeopt.certify.proofs import BITS, encoded, program_content
from edgeopt.certify.verify.proof_tree import read_proof, root
from edgeopt.certify.verify.vertex_bins import bins
from edgeopt.certify.verify.vertex_leaf import by_threshold
from edgeopt.instances.program import Program
from edgeopt.proof import Bins, Chains, ChoiceSplit, FloatArray, Leaf, ThresholdSplit, Tree

MOST_VERTICES = 20_000
"""Vertices of a bin's tree before the search gives up on a threshold."""


def bin_tree(
    program: Program,
    b: int,
    multipliers: FloatArray,
    target: int | Fraction,
    *,
    prices: FloatArray | None = None,
    most_vertices: int = MOST_VERTICES,
) -> Tree:
    """A tree for one bin on its own (a part of `Bins`) that bounds what it adds, if it can, by `target`.

    Parameters
    ----------
    program : Program
    b : int
        The bin.
    multipliers : (M, D) float64
        Prices of the resources; any, good ones close most thresholds at once.
    target : int or Fraction
        The bound that is wanted on the bin's profit, less the prices of its groups.
    prices : (G,) float64, optional
        The prices of the groups in the `Bins` above; all 0 when not given.
    most_vertices : int
        When the tree grows beyond, thresholds that are still open stay open: the replayed bound is then larger.
    """
    paid = np.zeros(program.groups) if prices is None else prices
    return _Builder(program, b, multipliers, Fraction(target), paid, most_vertices).tree()


class _Builder:
    """What stays the same over the thresholds of a bin."""

    def __init__(
        self, program: Program, b: int, multipliers: FloatArray, target: Fraction, prices: FloatArray, most: int
    ) -> None:
        self.program, self.b, self.left = program, b, most
        rows = np.reshape(multipliers, (-1, program.weight.shape[1]))
        rows = np.unique(np.maximum(rows[np.isfinite(rows).all(axis=1)], 0.0), axis=0)
        self.vectors = rows[rows.any(axis=1)]
        self.nothing = np.zeros(program.groups)
        none = np.empty((0, program.weight.shape[1]))
        parts = [self.leaf(self.vectors if place == b else none) for place in range(program.bins)]
        content = encoded(program, Bins(prices, tuple(parts)), BITS[0])
        self.proof = read_proof(program_content(program), content)
        self.state = bins(self.proof, root(self.proof), content["vertices"][0])[0][b][1]
        unit = gcd(*(self.state.gain[k] for k in self.proof.program.members[b])) or 1
        wanted = floor(self.proof.program.sign * target * 2**self.proof.bits)
        self.goal = (wanted // unit + 1) * unit
        """A bound below this rounds down to the target."""

    def leaf(self, rows: FloatArray) -> Leaf:
        return Leaf(self.nothing, (rows,))

    def tree(self) -> Tree:
        """Threshold splits that set apart what the multipliers leave open."""
        found = by_threshold(self.proof, self.state, self.b, self.state.gain, range(len(self.vectors)))
        closed = self.leaf(self.vectors)
        if self.program.budget is None:
            return closed if found[0][1] < self.goal else self.case(0, self.proof.program.capacity[self.b][-1])
        # Runs of thresholds that the multipliers close, and single ones that they leave open, rising.
        runs: list[tuple[int, Tree]] = []
        for threshold, bound in reversed(found):
            if bound >= self.goal:
                runs.append((threshold, self.case(threshold, threshold)))
            elif not runs or runs[-1][1] is not closed:
                runs.append((threshold, closed))
        return self.joined(runs) if runs else closed

    def joined(self, runs: Sequence[tuple[int, Tree]]) -> Tree:
        """A balanced tree of threshold splits over the runs."""
        if len(runs) == 1:
            return runs[0][1]
        middle = len(runs) // 2
        late, early = self.joined(runs[middle:]), self.joined(runs[:middle])
        return ThresholdSplit(self.b, runs[middle][0], late, early)

    def case(self, low: int, high: int) -> Tree:
        """The tree for one threshold; a leaf that leaves it open where the search grows too large."""
        program = self.proof.program
        budget = program.budget
        late = [k for k in program.members[self.b] if budget is None or budget[k] >= low]
        capacity = [*program.capacity[self.b][:-1], min(high, program.capacity[self.b][-1])]
        chains = chains_of(program.weight, self.state.gain, late)
        search = _Search(self, chains, capacity)
        tree = search.run(self.left)
        self.left -= search.vertices
        return self.leaf(self.vectors) if tree is None else Chains(tuple(map(tuple, chains)), tree)


def chains_of(weight: Sequence[Sequence[int]], gain: Sequence[int], choices: Sequence[int]) -> list[list[int]]:
    """Choices in few chains, along which two of gain and weights get worse and the others stay the same."""
    loss = [-c for c in gain]
    others = list(weight[1:])
    ways = [_chains(choices, weight[0], loss, others)]
    if others:
        ways.append(_chains(choices, weight[0], others[0], [loss, *others[1:]]))
    return min(ways, key=len)


def _chains(
    choices: Sequence[int], first: Sequence[int], second: Sequence[int], others: Sequence[Sequence[int]]
) -> list[list[int]]:
    """The fewest chains in which `others` are equal and `first` and `second` do not fall."""
    alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for k in choices:
        alike[tuple(column[k] for column in others)].append(k)
    chains: list[list[int]] = []
    for key in sorted(alike):
        ends: list[int] = []  # of the last choices of the chains of this kind: `second`, negative, rising
        own: list[list[int]] = []
        for k in sorted(alike[key], key=lambda k: (first[k], second[k])):
            # To the chain whose end is nearest below; then the chains are as few as can be (Dilworth).
            place = bisect_left(ends, -second[k])
            if place == len(own):
                ends.append(-second[k])
                own.append([k])
            else:
                ends[place] = -second[k]
                own[place].append(k)
        chains += own
    return chains


class _Box:
    """Counts from `low` to `high` of each chain."""

    __slots__ = ("high", "low")

    def __init__(self, low: list[int], high: list[int]) -> None:
        self.low, self.high = low, high

    def at_most(self, chain: int, count: int) -> _Box:
        return _Box(self.low, [*self.high[:chain], count, *self.high[chain + 1 :]])

    def at_least(self, chain: int, count: int) -> _Box:
        return _Box([*self.low[:chain], count, *self.low[chain + 1 :]], self.high)


class _Search:
    """Split boxes of counts until each is closed, at one threshold."""

    def __init__(self, builder: _Builder, chains: list[list[int]], capacity: list[int]) -> None:
        self.builder, self.chains, self.capacity = builder, chains, capacity
        self.goal, self.vertices = builder.goal, 0
        proof, gain = builder.proof, builder.state.gain
        self.load = [
            [list(accumulate((column[k] for k in chain), initial=0)) for chain in chains]
            for column in proof.program.weight
        ]
        # For each vector (none first): what it pays for the capacities, and prefix sums of reduced gains per chain.
        # A chain's reduced gains fall, so its sums rise to a peak and fall after it.
        self.start, self.sums, self.peak = [], [], []
        for y in [[0] * len(capacity), *proof.multipliers[builder.b]]:
            reduced = [
                [gain[k] - sum(p * column[k] for p, column in zip(y, proof.program.weight, strict=True)) for k in chain]
                for chain in chains
            ]
            self.start.append(sum(p * c for p, c in zip(y, capacity, strict=True)))
            self.sums.append([list(accumulate(values, initial=0)) for values in reduced])
            self.peak.append([sum(value > 0 for value in values) for values in reduced])

    def run(self, most_vertices: int) -> Tree | None:
        """The tree over the counts; None if it would have more vertices than allowed."""
        # Records (choice, without, with) or finished leaves; a child stands after its parent.
        records: list[tuple[int, int, int] | Leaf] = []
        waiting = [(_Box([0] * len(self.chains), [len(chain) for chain in self.chains]), -1, False)]
        links: dict[tuple[int, bool], int] = {}
        while waiting:
            box, parent, side = waiting.pop()
            index = len(records)
            links[parent, side] = index
            step = self.step(box)
            if step is None or index >= most_vertices:
                self.vertices = index
                return None
            if isinstance(step, Leaf):
                records.append(step)
                continue
            chain, count = step
            records.append((self.chains[chain][count], -1, -1))
            waiting += [(box.at_least(chain, count + 1), index, True), (box.at_most(chain, count), index, False)]
        self.vertices = len(records)
        built: list[Tree] = [self.builder.leaf(self.builder.vectors)] * len(records)
        for index in range(len(records) - 1, -1, -1):
            record = records[index]
            built[index] = (
                record
                if isinstance(record, Leaf)
                else ChoiceSplit(record[0], built[links[index, False]], built[links[index, True]])
            )
        return built[0]

    def step(self, box: _Box) -> Leaf | tuple[int, int] | None:
        """A leaf that closes the box, or chain and count ``m`` to split it: at most `m`, or more.

        None where a single vector of counts is better than the target.
        """
        vectors = self.builder.vectors
        low, high = box.low, box.high
        room = [
            capacity - sum(load[i][count] for i, count in enumerate(low))
            for capacity, load in zip(self.capacity, self.load, strict=True)
        ]
        if min(room) < 0:
            return self.builder.leaf(vectors[:0])
        kept_low, kept_high = low[:], high[:]
        for row, (start, sums, peaks) in enumerate(zip(self.start, self.sums, self.peak, strict=True)):
            peak = [min(max(p, least), most) for p, least, most in zip(peaks, low, high, strict=True)]
            best = [values[p] for values, p in zip(sums, peak, strict=True)]
            spare = start + sum(best) - self.goal
            if spare < 0:
                return self.builder.leaf(vectors[row - 1 : row] if row else vectors[:0])
            # Counts so far from the peak that they lose more than what is spare are closed by this vector too.
            for i, values in enumerate(sums):
                least = best[i] - spare
                kept_low[i] = max(kept_low[i], bisect_left(values, least, low[i], peak[i]))
                kept_high[i] = min(kept_high[i], bisect_right(values, -least, peak[i], high[i] + 1, key=neg) - 1)
        for d, load in enumerate(self.load):
            for i, values in enumerate(load):
                most = bisect_right(values, values[low[i]] + room[d], low[i], high[i] + 1) - 1
                kept_high[i] = min(kept_high[i], most)
        open_chains = [i for i in range(len(low)) if low[i] < high[i]]
        if not open_chains:
            return None
        i = min(open_chains, key=lambda i: (kept_high[i] - kept_low[i], i))
        if kept_low[i] > low[i]:
            return i, min(kept_low[i], high[i]) - 1
        if kept_high[i] < high[i]:
            return i, max(kept_high[i], low[i])
        return i, (low[i] + high[i]) // 2
