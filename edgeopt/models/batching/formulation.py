"""What all formulations of the batching problem share: the variables ``x_ij`` and the way back to a schedule."""

from __future__ import annotations

import numpy as np

from edgeopt.instances.batching import BatchingInstance, NodeProblem, Schedule
from edgeopt.models.base import Cut, FloatArray, IntArray
from edgeopt.models.batching import rows


class BatchingFormulation:
    """Variables ``x_ij`` (request ``i`` runs on node ``j``), node after node, then a form's own variables.

    Parameters
    ----------
    instance : BatchingInstance
        Only its compiled integers are used.
    """

    def __init__(self, instance: BatchingInstance) -> None:
        self.nodes: tuple[NodeProblem, ...] = instance.compiled.nodes
        self.first = np.concatenate(([0], np.cumsum([node.size for node in self.nodes])))
        """Position of each node's first variable ``x``, and of the first variable after all of them."""

    def auxiliary(self, node: NodeProblem, batch: IntArray) -> list[float]:
        """Values of the form's own variables of a node for the batch at positions `batch`."""
        raise NotImplementedError

    def fixed_part(self, node: NodeProblem, batch: IntArray) -> list[float]:
        """Roofline latency: ``v_k`` is 1 up to the longest length class in the batch; nothing where FLOPs count."""
        longest = rows.roofline(node)
        if longest is None:
            return []
        deepest = int(longest.rank[batch].max(initial=-1))
        return [float(k <= deepest) for k in range(len(longest.level))]

    def _batches(self, values: FloatArray) -> list[IntArray]:
        chosen = values[: self.first[-1]] > 0.5
        return [np.nonzero(chosen[begin:end])[0] for begin, end in zip(self.first, self.first[1:], strict=False)]

    def extract(self, values: FloatArray) -> Schedule:
        """The schedule that values of the variables describe."""
        return Schedule(tuple(node.request[b] for node, b in zip(self.nodes, self._batches(values), strict=True)))

    def start(self, solution: Schedule) -> FloatArray:
        """Values of all variables that describe a schedule; requests a node cannot serve are left out."""
        chosen = np.zeros(self.first[-1])
        own: list[float] = []
        for node, begin, batch in zip(self.nodes, self.first, solution.batches, strict=False):
            place = np.nonzero(np.isin(node.request, batch))[0]
            chosen[begin + place] = 1.0
            own += self.auxiliary(node, place) + self.fixed_part(node, place)
        return np.concatenate([chosen, own])

    def cuts(self, values: FloatArray) -> list[Cut]:
        """Cover cuts that refute the values; none iff the schedule is feasible in exact integers."""
        found: list[Cut] = []
        for node, begin, batch in zip(self.nodes, self.first, self._batches(values), strict=False):
            covers = [*_capacity_covers(node, batch), *_deadline_cover(node, batch), *_memory_cover(node, batch)]
            found += [Cut(begin + positions, at_most) for positions, at_most in covers]
        chosen = values[: self.first[-1]] > 0.5
        found += [Cut(group, 1) for group in rows.shared(self.nodes) if chosen[group].sum() > 1]
        return found


class ThresholdFormulation(BatchingFormulation):
    """Adds per node the binaries ``w_r`` for ``r = 2..K``: the batch's budget is ``T_r`` or less."""

    def auxiliary(self, node: NodeProblem, batch: IntArray) -> list[float]:
        """``w_r`` is 1 up to the rank of the most urgent request."""
        level, rank = rows.thresholds(node)
        deepest = int(rank[batch].max(initial=0))
        return [float(r < deepest) for r in range(len(level) - 1)]


def _largest_first(demand: IntArray, batch: IntArray, excess_over: int) -> IntArray:
    """The fewest requests of `batch` whose demand exceeds `excess_over`."""
    order = batch[np.argsort(-demand[batch], kind="stable")]
    count = int(np.searchsorted(np.cumsum(demand[order]), excess_over, side="right")) + 1
    return order[:count]


def _capacity_covers(node: NodeProblem, batch: IntArray) -> list[Cut]:
    """Extended covers of (12a)-(12c): a request at least as large as every one in the cover may replace it."""
    found = []
    for demand, capacity in rows.capacities(node):
        if demand[batch].sum() > capacity:
            cover = _largest_first(demand, batch, capacity)
            larger = np.nonzero(demand >= demand[cover].max())[0]
            found.append(Cut(np.union1d(cover, larger), len(cover) - 1))
    return found


def _deadline_cover(node: NodeProblem, batch: IntArray) -> list[Cut]:
    """Extended cover of (12d): the most urgent request with others that it cannot wait for.

    Requests as urgent and at least as large as every one in the cover extend it: any that many of
    them hold one as urgent, and as much work.
    """
    demand = rows.work(node)
    if not len(batch) or demand[batch].sum() <= node.budget[batch].min():
        return []
    urgent = batch[np.argmin(node.budget[batch])]
    others = batch[batch != urgent]
    budget = int(node.budget[urgent])
    cover = np.append(_largest_first(demand, others, budget - int(demand[urgent])), urgent)
    as_bad = np.nonzero((demand >= demand[cover].max()) & (node.budget <= budget))[0]
    return [Cut(np.union1d(cover, as_bad), len(cover) - 1)]


def _memory_cover(node: NodeProblem, batch: IntArray) -> list[Cut]:
    """Cover of (12d) under the roofline: the most urgent and the longest request with others that they cannot wait for.

    With these in a batch, the budget and the fixed part of the cover are at best those of the whole batch.
    """
    longest = rows.roofline(node)
    if longest is None or not len(batch):
        return []
    urgent = batch[np.argmin(node.budget[batch])]
    slowest = batch[np.argmax(longest.rank[batch])]
    left = int(node.budget[urgent]) - int(longest.level[longest.rank[slowest]])
    if int(longest.stream[batch].sum()) <= left:
        return []
    core = np.unique(np.array([urgent, slowest], dtype=np.int64))
    left -= int(longest.stream[core].sum())
    others = batch[~np.isin(batch, core)]
    cover = core if left < 0 else np.append(core, _largest_first(longest.stream, others, left))
    return [Cut(np.sort(cover), len(cover) - 1)]
