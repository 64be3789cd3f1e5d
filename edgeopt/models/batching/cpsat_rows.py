"""The parts that every CP-SAT formulation of the batching problem shares."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from ortools.sat.python import cp_model

from edgeopt.instances.batching import NodeProblem
from edgeopt.models.batching import rows
from edgeopt.models.batching.formulation import BatchingFormulation

weighted_sum = cp_model.LinearExpr.weighted_sum


def choices(model: Any, formulation: BatchingFormulation) -> list[Any]:
    """Literals ``x_ij`` and the objective (12): as many requests as possible."""
    x = [model.new_bool_var("") for _ in range(formulation.first[-1])]
    model.maximize(cp_model.LinearExpr.sum(x))
    return x


def capacities(model: Any, formulation: BatchingFormulation, x: list[Any]) -> None:
    """(12a)-(12c) on every node, where they can bind."""
    for node, begin in zip(formulation.nodes, formulation.first, strict=False):
        for demand, capacity in rows.binding(node):
            model.add(weighted_sum(x[begin : begin + node.size], demand.tolist()) <= capacity)


def longest(model: Any, node: NodeProblem, x: list[Any]) -> tuple[list[Any], list[Any], list[int]]:
    """Roofline latency: literals ``v_k`` (the longest request is of the ``k``-th class or above), and what waits.

    Returns
    -------
    v, terms, coefficients
        The literals, and the variables and coefficients whose weighted sum is ``sum m_i x_i + F(longest)``; all empty
        where only FLOPs count.
    """
    found = rows.roofline(node)
    if found is None:
        return [], [], []
    v = [model.new_bool_var("") for _ in found.level]
    for own, rank in zip(x, found.rank.tolist(), strict=True):
        model.add_implication(own, v[rank])
    for below, above in pairwise(v):
        model.add_implication(above, below)
    return v, [*x, *v], found.stream.tolist() + rows.steps(found).tolist()


def at_most_once(model: Any, formulation: BatchingFormulation, x: list[Any]) -> None:
    """A request runs on at most one node."""
    for group in rows.shared(formulation.nodes):
        model.add_at_most_one([x[k] for k in group.tolist()])
