"""The single-node problem in scaled integers: what every batching algorithm and model works on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]

SHARE_UNITS = 10**9
"""Integer units in one whole band: a share is stored in 1e-9 of the node's band."""
FLOP_UNIT = 10**6
"""FLOP in one compute unit: demands and deadline budgets are stored in MFLOP."""


@dataclass(frozen=True, slots=True, eq=False)
class NodeProblem:
    """Requests that may run on one edge node, and what the node offers, in scaled integers.

    A batch S of requests is feasible on the node iff

    - ``sum(uplink[S]) <= uplink_capacity`` (12a);
    - downlink (12b): ``sum(downlink[S]) <= downlink_capacity`` with per-user shares, or, under the
      worst-channel rule (``downlink is None``), ``sum(class_tokens[length_class[S]]) <= downlink_capacity``;
    - ``sum(class_memory[length_class[S]]) <= memory_capacity`` (12c);
    - ``sum(class_compute[length_class[S]]) <= min(budget[S])`` (12d, with the compute slot folded in);
    - with the roofline latency (``class_stream`` is not None), besides:
      ``max(class_fixed[length_class[S]]) + sum(class_stream[length_class[S]]) <= min(budget[S])``.

    Every array over requests holds only requests that the node may serve (12e: accuracy, coverage and
    model accepted) *and* that fit on it alone.

    Parameters
    ----------
    request : (I,) int64
        Index of each request in the instance, ascending.
    length_class : (I,) int64
        Output-length class of each request, ``0..N-1``.
    uplink : (I,) int64
        Minimum uplink share (1) in 1e-9 of the band, rounded up.
    budget : (I,) int64
        Deadline budget ``D_ij`` in MFLOP, rounded down.
    downlink : (I,) int64 or None
        Minimum downlink share (2) in 1e-9 of the band, rounded up; None under the worst-channel rule.
    class_tokens : (N,) int64
        Output tokens ``n`` of each class, strictly ascending.
    class_memory : (N,) int64
        Cached tokens ``s' + n`` of each class.
    class_compute : (N,) int64
        Work ``a_n = k3 + k4 n + k5 n^2`` of each class in MFLOP, rounded up; strictly ascending.
    uplink_capacity, downlink_capacity, memory_capacity : int
        Capacities in the units above (downlink in tokens, ``k6``, under the worst-channel rule).
    class_stream : (N,) int64 or None
        Time that each class adds to a batch that waits for its memory, prefill and cache reads, in MFLOP that the
        node computes meanwhile, rounded up; None under the paper's latency, which counts FLOPs only.
    class_fixed : (N,) int64 or None
        Time of reading the weights once for each step of a batch whose longest output is of that class, in the
        same unit, rounded up; not descending.
    """

    name: str
    request: IntArray
    length_class: IntArray
    uplink: IntArray
    budget: IntArray
    downlink: IntArray | None
    class_tokens: IntArray
    class_memory: IntArray
    class_compute: IntArray
    uplink_capacity: int
    downlink_capacity: int
    memory_capacity: int
    class_stream: IntArray | None = None
    class_fixed: IntArray | None = None

    @property
    def size(self) -> int:
        """Number of requests ``I`` that the node may serve."""
        return len(self.request)

    def restricted(self, keep: NDArray[np.bool_] | IntArray) -> NodeProblem:
        """The same node with only the requests that a mask or positions (ascending) keep."""
        return NodeProblem(
            self.name,
            self.request[keep],
            self.length_class[keep],
            self.uplink[keep],
            self.budget[keep],
            None if self.downlink is None else self.downlink[keep],
            self.class_tokens,
            self.class_memory,
            self.class_compute,
            self.uplink_capacity,
            self.downlink_capacity,
            self.memory_capacity,
            self.class_stream,
            self.class_fixed,
        )

    def up_to(self, longest: int) -> NodeProblem:
        """The node with the requests up to a length class only, every batch at the fixed part of that class.

        A batch that fits here fits on the node, and one whose longest request is of that class fits here as well.
        """
        assert self.class_stream is not None
        assert self.class_fixed is not None
        alone = self.class_stream[self.length_class] + self.class_fixed[longest] <= self.budget
        part = self.restricted((self.length_class <= longest) & alone)
        return replace(part, class_fixed=np.full(len(self.class_fixed), self.class_fixed[longest]))

    def fits(self, batch: IntArray) -> bool:
        """Whether the requests at positions `batch` form a feasible batch (exact integers)."""
        if not len(batch):
            return True
        kind = self.length_class[batch]
        down = self.class_tokens[kind] if self.downlink is None else self.downlink[batch]
        if self.class_stream is not None and self.class_fixed is not None:
            waits = self.class_fixed[kind].max() + self.class_stream[kind].sum()
            if waits > self.budget[batch].min():
                return False
        return bool(
            self.uplink[batch].sum() <= self.uplink_capacity
            and down.sum() <= self.downlink_capacity
            and self.class_memory[kind].sum() <= self.memory_capacity
            and self.class_compute[kind].sum() <= self.budget[batch].min()
        )


class NodeBatch(NamedTuple):
    """A batch for one node, and how good a solver says it is.

    Attributes
    ----------
    batch : (z,) int64
        Positions (not request numbers) of the chosen requests in the `NodeProblem`, ascending.
    bound : int or None
        No batch is larger than this, or None when the solver has no bound.
    complete : bool
        Whether the search ran to its end.
    effort : dict
        Counts of what was done (visited nodes, linear programs, pivots, ...).
    multipliers : (K, 4) float64 or None
        Prices of (uplink, downlink, memory, compute) per integer unit whose Lagrangian bounds prove
        `bound`, or as much of it as they do; see `edgeopt.certify.batching`. None under the roofline latency.
    """

    batch: IntArray
    bound: int | None
    complete: bool
    effort: dict[str, int]
    multipliers: NDArray[np.float64] | None = None
