"""`ot-paper`: Algorithm 2 of the OT-GAH paper, one node with limited band, as published where that is right.

For ``z = I, I-1, ..., 1`` and ``d = z, ..., I`` (requests sorted by falling deadline budget) a tree over the
length classes is searched depth first, largest index first, for a batch of ``z`` requests whose tightest
deadline is the ``d``-th: a node at depth ``k`` takes the ``v_k`` requests of class ``k`` with the smallest
uplink shares. The first batch that meets (15b)-(15e) is returned.

Errata of Algorithm 2, and the reading taken here (``variant="corrected"``):

1. Lines 13, 21 and 25 compare ``sum v`` with ``d``. A leaf is where the batch has ``z`` requests, as in the
   text and (15a). With ``d`` only batches that hold *all* of the first ``d`` requests are ever looked at
   (``variant="literal-sum-d"``).
2. Line 5 takes ``F_d`` as the first ``d - 1`` requests, so the ``d``-th could never be chosen
   (``variant="literal-no-dth"``). It is forced into the batch, as line 6 and Algorithm 1 suggest, and the
   tree chooses the ``z - 1`` others. Taking all ``z`` from the first ``d`` unforced is exact too
   (``variant="no-forcing"``).
3. (15e) has ``tau_i`` on its right; the batch must meet its *tightest* deadline, ``tau_min`` of (14c), which
   is ``D_d``. (15b) and (15c) lack the sum over the batch. The ``k3 z`` that (14c) moves to the right stays
   in ``a_n`` on the left, which is the same.
4. Line 3 sorts inside the loop over ``z``; once is enough.
5. The pruning test sums ``|F_k|`` from ``k = N(v)``, a class that is already decided. That is safe but
   loose, as a branch may be kept that cannot reach ``z`` any more. The sum over the undecided classes, from
   ``N(v) + 1``, is as safe and prunes every branch without a leaf of ``z`` requests, so it is the one used.
   The published sum, with line 22 (a dead leaf ends its lower siblings too), is
   ``variant="published-pruning"``.
6. Lines 12 and 18-20 visit "unvisited nodes" of a tree that is never stored; here each parent keeps the next
   index to try.

A class's cheapest-uplink prefix is the best choice of its size only when all requests of a class have the
same downlink demand. That is the paper's worst-channel rule (15c); with per-user downlink shares the search
is not exact, by any factor, and refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from edgeopt.errors import AssumptionError, UnknownNameError
from edgeopt.instances.batching.node import IntArray, NodeBatch, NodeProblem

MOST = 2**62
"""Beyond this the compiled search could leave 64 bits, and Python integers are used instead."""
POLL = 1024
"""Nodes between two looks at `stop` in the Python search."""
CHUNK_WORK = 8_000_000
"""The same for the compiled search, some 50 ms: visited nodes, plus requests scanned to open trees."""


class Variant(NamedTuple):
    """A reading of Algorithm 2.

    Attributes
    ----------
    forced : bool
        The ``d``-th request is in the batch; otherwise it is only as good as the others, if it is among them.
    first_d : bool
        The tree chooses among the first ``d`` requests, not the first ``d - 1``.
    leaf_at_d : bool
        A leaf is where the batch has ``d`` requests, not ``z``.
    published_pruning : bool
        The pruning sum starts at the class of the node itself.
    exact : bool
        Whether a complete search is optimal.
    """

    forced: bool = True
    first_d: bool = False
    leaf_at_d: bool = False
    published_pruning: bool = False
    exact: bool = True


VARIANTS = {
    "corrected": Variant(),
    "published-pruning": Variant(published_pruning=True),
    "no-forcing": Variant(forced=False, first_d=True),
    "literal-sum-d": Variant(leaf_at_d=True, exact=False),
    "literal-no-dth": Variant(forced=False, exact=False),
}
"""Readings by name; the two literal ones are wrong and kept to show it."""

NO_PRUNING, PRUNING, PUBLISHED_PRUNING = range(3)


class Found(NamedTuple):
    """Where a search ended.

    Attributes
    ----------
    batch : (m,) int64 or None
        Positions in the node problem, None where nothing was found.
    z : int
        The batch size under search at the end, 0 when every size was refuted.
    nodes, trees : int
        Visited nodes, and trees (pairs of ``z`` and ``d``) that they belong to.
    """

    batch: IntArray | None
    z: int
    nodes: int
    trees: int


def solve_node(
    node: NodeProblem,
    *,
    stop: Callable[[], bool] | None = None,
    prune: bool = True,
    compiled: bool = True,
    node_limit: int | None = None,
    variant: str = "corrected",
) -> NodeBatch:
    """Find a largest feasible batch of one node by Algorithm 2.

    Parameters
    ----------
    node : NodeProblem
        Requests and capacities of the node, under the worst-channel rule.
    stop : callable, optional
        Polled now and then; when it returns true the search ends with ``complete=False``.
    prune : bool, default True
        Whether branches that cannot reach ``z`` requests are cut (the paper's online tree-pruning).
    compiled : bool, default True
        Compiled search; False runs the readable Python one, which visits the very same nodes.
    node_limit : int, optional
        Most nodes to visit before giving up with ``complete=False``.
    variant : str, default "corrected"
        One of `VARIANTS`.

    Returns
    -------
    NodeBatch
        With ``effort["nodes"]`` visited tree nodes (roots included) in ``effort["feasibility_problems"]``
        trees. Stopped amid the trees of ``z``, the batch is empty and the bound ``z``: all larger sizes are
        refuted. The literal variants prove nothing and have no bound.

    Raises
    ------
    AssumptionError
        With per-user downlink shares, where the search is not exact.
    UnknownNameError
        If there is no such variant.
    """
    if variant not in VARIANTS:
        raise UnknownNameError(f"no variant {variant!r} of ot-paper; there are: {', '.join(VARIANTS)}")
    if node.downlink is not None:
        raise AssumptionError(
            f"node {node.name!r} has per-user downlink shares; ot-paper assumes the worst-channel rule (15c), "
            "without which the cheapest-uplink prefixes of a class are not optimal; use ot, which is exact for both"
        )
    if node.class_stream is not None:
        raise AssumptionError(f"node {node.name!r}: ot-paper knows the paper's latency only, not the roofline; use ot")
    rules = VARIANTS[variant]
    search = search_compiled if compiled and _within_64_bits(node) else search_python
    found = search(node, rules, prune, stop, node_limit)
    batch = np.empty(0, dtype=np.int64) if found.batch is None else found.batch
    complete = found.batch is not None or found.z == 0
    bound = (len(batch) if complete else found.z) if rules.exact else None
    return NodeBatch(batch, bound, complete, {"nodes": found.nodes, "feasibility_problems": found.trees})


class Sorted(NamedTuple):
    """The requests by falling deadline budget (line 2), ties as in the node problem.

    Attributes
    ----------
    position : (I,) int64
        Position of each in the node problem.
    kind, uplink, budget : (I,) int64
        Class, uplink share and deadline budget of each.
    cheapest : (I,) int64
        Deadline ranks by class, and inside a class by rising uplink share.
    """

    position: IntArray
    kind: IntArray
    uplink: IntArray
    budget: IntArray
    cheapest: IntArray


def sort_requests(node: NodeProblem) -> Sorted:
    """Sort once by deadline, and by class and uplink."""
    position = np.argsort(-node.budget, kind="stable").astype(np.int64)
    kind, uplink, budget = node.length_class[position], node.uplink[position], node.budget[position]
    return Sorted(position, kind, uplink, budget, np.lexsort((uplink, kind)).astype(np.int64))


class _Stopped(Exception):
    """The node limit is reached, or `stop` said so."""


class _Tree:
    """The tree of one ``(z, d)``: what may be chosen, and when a node is a leaf (lines 5, 6 and 10-33)."""

    def __init__(
        self, node: NodeProblem, by: Sorted, rules: Variant, pruning: int, z: int, d: int, visit: Callable[[], None]
    ) -> None:
        window = d if rules.first_d else d - 1
        self.node = node
        self.pruning = pruning
        self.visit = visit
        self.forced = by.position[d - 1 : d].tolist() if rules.forced else []
        self.target = (d if rules.leaf_at_d else z) - len(self.forced)
        self.tau_min = int(by.budget[d - 1])
        ranks = by.cheapest[by.cheapest < window]
        self.members = [by.position[ranks[by.kind[ranks] == k]].tolist() for k in range(len(node.class_tokens))]
        # left[k]: how many requests the classes k, k+1, ... offer
        self.left = [sum(map(len, self.members[k:])) for k in range(len(self.members) + 1)]

    def search(self, path: tuple[int, ...] = ()) -> list[int] | None:
        """DFS(v, d) from the node that `path` leads to: a feasible batch of its subtree, or None."""
        self.visit()
        taken, depth = sum(path), len(path)
        if taken == self.target:
            batch = self.forced + [i for k, count in enumerate(path) for i in self.members[k][:count]]
            return batch if meets(self.node, batch, self.tau_min) else None
        if depth == len(self.members):
            return None
        most = min(self.target - taken, len(self.members[depth]))
        for count in range(most, -1, -1):
            missing = self.target - taken - count
            if self.pruning == PRUNING and missing > self.left[depth + 1]:
                return None
            if self.pruning == PUBLISHED_PRUNING and missing > self.left[depth]:
                return None
            batch_or_none = self.search((*path, count))
            if batch_or_none is not None:
                return batch_or_none
            if self.pruning == PUBLISHED_PRUNING and missing and depth + 1 == len(self.members):
                return None  # line 22
        return None


def meets(node: NodeProblem, batch: Sequence[int], tau_min: int) -> bool:
    """Constraints (15b)-(15e) of a batch whose deadline budget is `tau_min`, in Python integers."""
    kinds = node.length_class[list(batch)].tolist()
    tokens, memory, compute = node.class_tokens.tolist(), node.class_memory.tolist(), node.class_compute.tolist()
    downlink = [tokens[k] for k in kinds] if node.downlink is None else node.downlink[list(batch)].tolist()
    return bool(
        sum(node.uplink[list(batch)].tolist()) <= node.uplink_capacity
        and sum(downlink) <= node.downlink_capacity
        and sum(memory[k] for k in kinds) <= node.memory_capacity
        and sum(compute[k] for k in kinds) <= tau_min
    )


def search_python(
    node: NodeProblem,
    rules: Variant,
    prune: bool = True,
    stop: Callable[[], bool] | None = None,
    node_limit: int | None = None,
) -> Found:
    """Lines 1-9, following the pseudo-code; runs under any downlink rule, exact or not."""
    by = sort_requests(node)
    size = node.size
    nodes = trees = 0

    def visit() -> None:
        nonlocal nodes
        if nodes == node_limit or (stop is not None and nodes % POLL == 0 and stop()):
            raise _Stopped
        nodes += 1

    for z in range(size, 0, -1):
        for d in range(z, size + 1):
            trees += 1
            tree = _Tree(node, by, rules, _pruning(rules, prune), z, d, visit)
            try:
                batch = tree.search()
            except _Stopped:
                return Found(None, z, nodes, trees)
            if batch is not None:
                return Found(np.array(sorted(batch), dtype=np.int64), z, nodes, trees)
    return Found(None, 0, nodes, trees)


def search_compiled(
    node: NodeProblem,
    rules: Variant,
    prune: bool = True,
    stop: Callable[[], bool] | None = None,
    node_limit: int | None = None,
    chunk: int = CHUNK_WORK,
) -> Found:
    """The same search, compiled, in chunks of work between which `stop` is polled."""
    from edgeopt.solvers.batching import ot_paper_kernel as kernel

    by = sort_requests(node)
    size, classes = node.size, len(node.class_tokens)
    state = np.zeros(kernel.STATE_SLOTS, dtype=np.int64)
    state[kernel.Z] = state[kernel.D] = size
    state[kernel.DEPTH] = kernel.NO_TREE
    count, taken, left = (np.zeros(classes + 1, dtype=np.int64) for _ in range(3))
    prefix = np.zeros(size + classes, dtype=np.int64)
    limit = MOST if node_limit is None else node_limit
    search_trees: Callable[..., int] = kernel.search_trees
    verdict = kernel.PAUSED
    while verdict == kernel.PAUSED and not (stop is not None and stop()):
        verdict = search_trees(
            by.kind, by.uplink, by.budget, by.cheapest,
            node.class_tokens, node.class_memory, node.class_compute,
            min(node.uplink_capacity, MOST), min(node.downlink_capacity, MOST), min(node.memory_capacity, MOST),
            rules.forced, rules.first_d, rules.leaf_at_d, _pruning(rules, prune), limit, chunk,
            state, count, taken, left, prefix,
        )  # fmt: skip
    z, d, nodes, trees, depth, _ = state.tolist()
    if verdict != kernel.FOUND:
        return Found(None, z, nodes, trees)
    ranks = by.cheapest[by.cheapest < (d if rules.first_d else d - 1)]
    chosen = [ranks[by.kind[ranks] == k][: count[k]] for k in range(depth)]
    if rules.forced:
        chosen.append(np.array([d - 1], dtype=np.int64))
    return Found(np.sort(by.position[np.concatenate(chosen)]), z, nodes, trees)


def _pruning(rules: Variant, prune: bool) -> int:
    if not prune:
        return NO_PRUNING
    return PUBLISHED_PRUNING if rules.published_pruning else PRUNING


def _within_64_bits(node: NodeProblem) -> bool:
    """Whether no sum of demands can leave the integers of the compiled search."""
    demands = (node.uplink, node.class_tokens, node.class_memory, node.class_compute)
    return node.size * max(int(demand.max(initial=0)) for demand in demands) <= MOST
