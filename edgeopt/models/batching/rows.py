"""The rows of P1 for one node, as integers, whatever the modelling language."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from edgeopt.instances.batching.node import IntArray, NodeProblem


class Row(NamedTuple):
    """``sum(demand[i] x_i) <= capacity`` over the requests of a node."""

    demand: IntArray
    capacity: int


def uplink(node: NodeProblem) -> Row:
    """(12a): the minimum uplink shares fit in the band."""
    return Row(node.uplink, node.uplink_capacity)


def downlink(node: NodeProblem) -> Row:
    """(12b): the minimum downlink shares, or the tokens at the worst channel, fit in the band."""
    demand = node.class_tokens[node.length_class] if node.downlink is None else node.downlink
    return Row(demand, node.downlink_capacity)


def memory(node: NodeProblem) -> Row:
    """(12c): the cached tokens fit beside the weights."""
    return Row(node.class_memory[node.length_class], node.memory_capacity)


def capacities(node: NodeProblem) -> list[Row]:
    """(12a)-(12c)."""
    return [uplink(node), downlink(node), memory(node)]


def binding(node: NodeProblem) -> list[Row]:
    """(12a)-(12c) without the rows that even all requests together respect."""
    return [row for row in capacities(node) if int(row.demand.sum()) > row.capacity]


def work(node: NodeProblem) -> IntArray:
    """(I,) work ``a_i`` of each request (MFLOP)."""
    return node.class_compute[node.length_class]


def budgets(node: NodeProblem) -> IntArray:
    """(I,) deadline budgets ``D_i`` of (12d), cut to the time of all requests, beyond which they say nothing."""
    longest = roofline(node)
    most = work(node).sum()
    if longest is not None:
        most = max(most, longest.stream.sum() + longest.level.max(initial=0))
    cut: IntArray = np.minimum(node.budget, most)
    return cut


class Roofline(NamedTuple):
    """The second half of (12d) under the roofline latency: a batch waits for its memory.

    Attributes
    ----------
    stream : (I,) int64
        What each request adds (MFLOP that the node computes meanwhile).
    level : (L,) int64
        Fixed parts ``F_1 <= F_2 <= ...`` of the length classes.
    rank : (I,) int64
        0-based: the batch waits at least ``level[rank[i]]`` for request ``i``.
    """

    stream: IntArray
    level: IntArray
    rank: IntArray


def roofline(node: NodeProblem) -> Roofline | None:
    """The rows of the roofline latency; None where only FLOPs count."""
    if node.class_stream is None or node.class_fixed is None:
        return None
    level, rank = np.unique(node.class_fixed[node.length_class], return_inverse=True)
    return Roofline(node.class_stream[node.length_class], level, rank.astype(np.int64).reshape(-1))


def steps(longest: Roofline) -> IntArray:
    """``F_1, F_2 - F_1, ...``: what the fixed part grows by from one length class to the next."""
    return np.diff(longest.level, prepend=0)


class Thresholds(NamedTuple):
    """The distinct budgets of a node, largest first, and which of them each request has.

    Attributes
    ----------
    level : (K,) int64
        ``T_1 > T_2 > ... > T_K`` (MFLOP).
    rank : (I,) int64
        0-based: ``level[rank[i]]`` is the budget of request ``i``.
    """

    level: IntArray
    rank: IntArray


def thresholds(node: NodeProblem) -> Thresholds:
    """The thresholds of (12d): a batch runs within the least budget among its requests."""
    level, rank = np.unique(-budgets(node), return_inverse=True)
    return Thresholds(-level, rank.astype(np.int64).reshape(-1))


def shared(nodes: tuple[NodeProblem, ...]) -> list[IntArray]:
    """Positions of the variables ``x_ij`` of each request that several nodes may serve.

    The variables of the nodes follow one another; at most one of each group may be 1.
    """
    request = np.concatenate([node.request for node in nodes])
    order = np.argsort(request, kind="stable")
    ends = np.nonzero(np.diff(request[order]))[0] + 1
    return [group for group in np.split(order, ends) if len(group) > 1]
