"""`ot`: exact single-node batching by dual bounds over all deadline thresholds and class-count search.

The method in one paragraph: any prices of the four capacities bound every deadline threshold in one scan.
Price the most promising threshold by a linear program, scan, search that threshold exactly for a batch as
large as its bound allows, and repeat until no bound exceeds the incumbent. A handful of price vectors usually
suffices, and they are the proof
(`edgeopt.certify.batching`). Under the roofline latency the longest length class of the batch sets a fixed part of
its time: that class is enumerated, longest first, and inside it everything is additive again, with one capacity more.
The number crunching is compiled (`ot_kernel`, `ot_many`, `ot_items`); this file
dispatches, keeps the run stoppable, and calls in CP-SAT (`ot_cpsat`) when a search explodes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np

from edgeopt.errors import AssumptionError
from edgeopt.instances.batching.node import IntArray, NodeBatch, NodeProblem

NONE = np.empty(0, np.int64)
"""No classes, for kernels to which only FLOPs count."""

LARGEST = 2**61
"""Largest capacity or budget that the compiled kernels accept; beyond it sums could leave int64."""
SEARCH_LIMIT = 100_000
"""Nodes that the search of one threshold may visit before CP-SAT takes over."""
SAMPLE_FROM = 4_000
"""Requests from which on prices come from a sample of them first."""
SAMPLE = 256, 8_192
"""Fewest and most requests in the sample."""
SAMPLE_PART = 48
"""Requests for each one in the sample, between the two."""
SAMPLE_PER_CLASS = 128
"""Sampled requests for each length class, if that is not every other request."""
MOST_VECTORS = 64
"""Price vectors that are kept for the proof."""

# Slots of the kernels' state array, and how a kernel call ends (see `ot_state`).
_INCUMBENT, _BEST_END, _VECTORS, _LPS, _PIVOTS, _SEARCHES, _NODES, _HARD, _SORTED = range(9)
_FIRST, _BEHIND, _CHOSEN = 11, 12, 15
_DONE, _PAUSED, _STUCK, _UNFIT = range(4)
_NO_LIMIT = 2**62

_kernels: dict[tuple[str, int], tuple[Callable[..., int], IntArray]] = {}


def solve_node(
    node: NodeProblem,
    *,
    lower_bound: int = 0,
    node_limit: int | None = None,
    stop: Callable[[], bool] | None = None,
) -> NodeBatch:
    """Find a largest feasible batch of one node.

    Exact under both downlink rules. Deterministic: the same problem gives the same batch.

    Parameters
    ----------
    node : NodeProblem
        Requests and capacities of the node.
    lower_bound : int, default 0
        Size that is already known to be reachable. Only larger batches are looked for: if there is none,
        the returned batch is empty and ``bound == lower_bound``.
    node_limit : int, optional
        Search nodes after which to give up with ``complete=False``. The kernel looks at it between searches and
        chunks of work, so that a run may visit more.
    stop : callable, optional
        Polled between chunks of work (some 50 ms); when it returns true, the best batch so far is
        returned with ``complete=False`` and a valid bound.

    Returns
    -------
    NodeBatch
        With ``complete=True``, ``bound == max(lower_bound, len(batch))`` is the optimum or `lower_bound`.

    Raises
    ------
    AssumptionError
        If capacities and demands are both so large that exact sums leave 64 bits.
    """
    size = len(node.request)
    if size == 0:
        return NodeBatch(np.empty(0, np.int64), lower_bound, True, _effort(None), None)
    if node.class_fixed is not None and len(np.unique(node.class_fixed)) > 1:
        return _solve_by_longest(node, lower_bound, node_limit, stop)
    if node.uplink_capacity > LARGEST or node.downlink_capacity > LARGEST or node.memory_capacity > LARGEST:
        return _solve_tamed(node, lower_bound, node_limit, stop)
    run = _Run(node, lower_bound)
    verdict = run.go(node_limit, stop)
    if verdict == _UNFIT:
        return _solve_tamed(node, lower_bound, node_limit, stop)
    return run.result(verdict == _DONE)


def _solve_by_longest(
    node: NodeProblem, lower_bound: int, node_limit: int | None, stop: Callable[[], bool] | None
) -> NodeBatch:
    """Roofline latency: the best batch over all classes that may be its longest.

    A batch whose longest class is shorter fits with the fixed part of its own class, so the subproblems cover every
    batch, and none of them has one that does not fit.
    """
    best, bound, complete = NodeBatch(np.empty(0, np.int64), lower_bound, True, _effort(None)), lower_bound, True
    effort = dict(best.effort)
    for longest in reversed(np.unique(node.length_class).tolist()):
        known = max(lower_bound, len(best.batch))
        part = node.up_to(longest)
        if part.size <= known:
            continue
        left = None if node_limit is None else max(0, node_limit - effort["nodes"])
        found = solve_node(part, lower_bound=known, node_limit=left, stop=stop)
        for name, count in found.effort.items():
            effort[name] += count
        if len(found.batch) > known:
            best = found._replace(batch=np.searchsorted(node.request, part.request[found.batch]))
        assert found.bound is not None
        bound, complete = max(bound, found.bound), complete and found.complete
    return NodeBatch(best.batch, bound, complete, effort)


def _effort(state: IntArray | None, cpsat: int = 0) -> dict[str, int]:
    programs, pivots, searches, nodes = (0, 0, 0, 0) if state is None else state[_LPS : _NODES + 1].tolist()
    return {"linear_programs": programs, "pivots": pivots, "searches": searches, "nodes": nodes, "cpsat": cpsat}


class _Run:
    """One run of a kernel on one problem: its arrays, which outlive a pause, and what CP-SAT found."""

    __slots__ = (
        "axes", "batch", "best", "bound", "cpsat", "fixed", "found", "ints", "kernel", "kinds", "limits", "node",
        "prices", "sampled", "state", "stream",
    )  # fmt: skip

    def __init__(self, node: NodeProblem, lower_bound: int) -> None:
        size, classes = len(node.request), len(node.class_tokens)
        self.node = node
        self.state = np.zeros(16, np.int64)
        self.state[_INCUMBENT] = lower_bound
        self.kinds = np.empty(size, np.int32)
        self.ints = np.empty(5 * size + classes + 1, np.int64)
        self.bound = np.empty(size)
        self.best = np.empty(classes, np.int64)
        self.limits = np.zeros(2 * classes, np.int64)  # the windows of uplinks, class by class, that need a close look
        self.limits[classes:] = _NO_LIMIT
        self.stream = NONE if node.class_stream is None else node.class_stream
        self.fixed = 0 if node.class_fixed is None else int(node.class_fixed[0])  # the same for all, see `up_to`
        self.axes = (0,) * (4 if node.class_stream is None else 5)
        self.prices = np.empty((MOST_VECTORS, len(self.axes)))
        self.batch = np.empty(size, np.int64)
        self.sampled = 0
        # Uplinks of all requests must add up within 64 bits to look at a window of them.
        if node.downlink is None and size >= SAMPLE_FROM and node.uplink_capacity <= LARGEST // size:
            fewest, most = SAMPLE
            per_class = min(SAMPLE_PER_CLASS * classes, 2 * size // SAMPLE_PART)
            sampled = max(fewest, min(most, size // SAMPLE_PART), per_class)
            self.sampled = sampled if sampled <= size // 2 else 0
        self.kernel = ("ot_many", "solve_many") if self.sampled else ("ot_kernel", "solve_classes")
        if node.downlink is not None:
            self.kernel = "ot_items", "solve_items"
        self.found: IntArray | None = None
        self.cpsat = 0

    def call(self, search_limit: int) -> int:
        """Let the kernel work until it is done, pauses, or needs help."""
        node = self.node
        module, name = self.kernel
        kernel, parts = _kernels.get((name, len(self.axes))) or _load(module, name, self.axes)
        try:
            if node.downlink is not None:
                return kernel(
                    parts, node.length_class, node.uplink, node.downlink, node.budget,
                    node.class_memory, node.class_compute, self.stream,
                    node.uplink_capacity, node.downlink_capacity, node.memory_capacity, self.fixed, search_limit,
                    self.state, self.kinds, self.ints, self.bound, self.prices, self.batch, self.axes,
                )  # fmt: skip
            if not self.sampled:
                return kernel(
                    parts, node.length_class, node.uplink, node.budget,
                    node.class_tokens, node.class_memory, node.class_compute, self.stream,
                    node.uplink_capacity, node.downlink_capacity, node.memory_capacity, self.fixed, search_limit,
                    self.state, self.kinds, self.ints, self.bound, self.best, self.prices, self.batch, self.axes,
                )  # fmt: skip
            return kernel(
                parts, node.length_class, node.uplink, node.budget,
                node.class_tokens, node.class_memory, node.class_compute, self.stream,
                node.uplink_capacity, node.downlink_capacity, node.memory_capacity, self.fixed, search_limit,
                self.sampled, self.state, self.kinds, self.ints, self.bound, self.best, self.limits, self.prices,
                self.batch, self.axes,
            )  # fmt: skip
        except TypeError:
            plain = _plain(node)
            if plain is node:
                raise
            self.node = plain
            self.stream = NONE if plain.class_stream is None else plain.class_stream
            return self.call(search_limit)

    def go(self, node_limit: int | None, stop: Callable[[], bool] | None) -> int:
        """Run to the end, or until the limit or `stop`; hard thresholds go to CP-SAT."""
        while True:
            left = SEARCH_LIMIT if node_limit is None else node_limit - int(self.state[_NODES])
            if left <= 0:
                return _PAUSED
            verdict = self.call(min(left, SEARCH_LIMIT))
            if verdict in (_DONE, _UNFIT):
                return verdict
            if stop is not None and stop():
                return _PAUSED
            if verdict == _STUCK and left >= SEARCH_LIMIT and not self.ask_cpsat(stop):
                return _PAUSED

    def ask_cpsat(self, stop: Callable[[], bool] | None) -> bool:
        """Settle the threshold at which the kernel got stuck; False if CP-SAT could not."""
        from edgeopt.solvers.batching.ot_cpsat import solve_threshold

        state, size = self.state, len(self.node.request)
        hard = int(state[_HARD])
        threshold = int(self.ints[size + hard])
        prices = self.prices[state[_VECTORS] - 1]
        answer = solve_threshold(self.node, threshold, prices, int(state[_INCUMBENT]), int(self.bound[hard]), stop)
        self.cpsat += 1
        if answer.batch is not None:
            self.found = answer.batch
            state[_INCUMBENT] = len(answer.batch)
        self.bound[hard] = answer.bound
        return answer.complete

    def result(self, complete: bool) -> NodeBatch:
        """What the run found and proved."""
        state = self.state
        incumbent = int(state[_INCUMBENT])
        if self.found is not None and len(self.found) == incumbent:
            batch = self.found
        elif not state[_BEST_END]:
            batch = self.batch[:0]
        elif self.node.downlink is None:
            batch = self.batch[: state[_CHOSEN]]
        else:
            batch = np.flatnonzero(self.batch)
        bound = incumbent
        if not complete and not state[_SORTED]:  # the kernel never ran, `self.bound` holds anything
            bound = max(incumbent, len(self.node.request))
        elif not complete:
            bounds = self.bound[state[_FIRST] : state[_BEHIND] or None]
            postponed = -2.0 - bounds  # how the kernel marks bounds that it means to come back to
            bound = max(incumbent, int(np.maximum(bounds, postponed).max()))
        proof = self.prices[: state[_VECTORS]] if self.node.class_stream is None else None
        return NodeBatch(batch, bound, complete, _effort(state, self.cpsat), proof)


def _plain(node: NodeProblem) -> NodeProblem:
    """The same node with contiguous int64 arrays (the node itself if it has them)."""
    arrays = [
        node.request, node.length_class, node.uplink, node.budget, node.downlink,
        node.class_tokens, node.class_memory, node.class_compute, node.class_stream, node.class_fixed,
    ]  # fmt: skip
    plain = [None if a is None else np.ascontiguousarray(a, dtype=np.int64) for a in arrays]
    if all(a is b for a, b in zip(arrays, plain, strict=True)):
        return node
    capacities = node.uplink_capacity, node.downlink_capacity, node.memory_capacity
    return NodeProblem(node.name, *plain[:8], *(int(c) for c in capacities), *plain[8:])  # type: ignore[arg-type]


def _solve_tamed(
    node: NodeProblem, lower_bound: int, node_limit: int | None, stop: Callable[[], bool] | None
) -> NodeBatch:
    """Solve without requests that fit on no batch, and with capacities and budgets cut to the total demand."""
    kind = node.length_class
    downlink = node.class_tokens[kind] if node.downlink is None else node.downlink
    fits = (node.uplink <= node.uplink_capacity) & (downlink <= node.downlink_capacity)
    fits &= (node.class_memory[kind] <= node.memory_capacity) & (node.class_compute[kind] <= node.budget)
    stream = np.zeros_like(kind)
    fixed = 0
    if node.class_stream is not None and node.class_fixed is not None:
        stream, fixed = node.class_stream[kind], int(node.class_fixed[0])
        fits &= stream + fixed <= node.budget
    keep = np.flatnonzero(fits)
    part = node.restricted(keep)
    demands = part.uplink, downlink[keep], node.class_memory[kind[keep]], node.class_compute[kind[keep]]
    totals = [sum(demand.tolist()) for demand in demands]
    tamed = replace(
        part,
        budget=np.minimum(part.budget, min(max(totals[3], fixed + sum(stream[keep].tolist())), 2**62)),
        uplink_capacity=min(node.uplink_capacity, totals[0]),
        downlink_capacity=min(node.downlink_capacity, totals[1]),
        memory_capacity=min(node.memory_capacity, totals[2]),
    )
    capacities = tamed.uplink_capacity, tamed.downlink_capacity, tamed.memory_capacity
    largest = max(*capacities, int(tamed.budget.max(initial=0)))
    if largest > LARGEST or any(demand.min(initial=0) < 0 for demand in demands):
        raise AssumptionError(
            f"node {node.name!r}: demands must be non-negative, and demands and capacities of {largest} integer "
            "units are beyond exact 64-bit sums; state them in larger units"
        )
    found = solve_node(tamed, lower_bound=lower_bound, node_limit=node_limit, stop=stop)
    return found._replace(batch=keep[found.batch])


def _load(module: str, name: str, axes: tuple[int, ...]) -> tuple[Callable[..., int], IntArray]:
    """A kernel and where its parts lie, compiled or from numba's cache on disk (numba comes with it).

    It is compiled anew for each number of capacities: loops over a number known beforehand are a third faster.
    """
    from numba import typeof

    home: Any = import_module(f"edgeopt.solvers.batching.{module}")
    kernel: Any = getattr(home, name)
    kernel.dispatcher.disable_compile(False)
    parts = kernel.prepare((*home.SIGNATURE, typeof(axes)), home.PARTS, len(axes))
    kernel.dispatcher.disable_compile()  # other array layouts raise TypeError instead of compiling a second kernel
    loaded = kernel.dispatcher, np.array(parts, np.int64)
    _kernels[name, len(axes)] = loaded
    return loaded
