"""The parts that every Pyomo formulation of the batching problem shares."""

from __future__ import annotations

from itertools import islice, pairwise
from typing import Any

import pyomo.environ as pyo
from pyomo.core.expr.numeric_expr import LinearExpression

from edgeopt.instances.batching import NodeProblem
from edgeopt.models.batching import rows
from edgeopt.models.batching.formulation import BatchingFormulation


def linear(coefficients: list[Any], variables: list[Any]) -> LinearExpression:
    """``sum(coefficient * variable)``, built without Pyomo's operators (some ten times faster)."""
    return LinearExpression(constant=0, linear_coefs=coefficients, linear_vars=variables)


def choices(model: Any, formulation: BatchingFormulation) -> list[Any]:
    """Binaries ``x_ij`` and the objective (12): as many requests as possible."""
    model.x = pyo.Var(range(formulation.first[-1]), domain=pyo.Binary)
    x = list(model.x.values())
    model.served = pyo.Objective(expr=linear([1] * len(x), x), sense=pyo.maximize)
    return x


def capacities(model: Any, formulation: BatchingFormulation, x: list[Any]) -> None:
    """(12a)-(12c) on every node, where they can bind."""
    model.capacities = pyo.ConstraintList()
    for node, begin in zip(formulation.nodes, formulation.first, strict=False):
        own = x[begin : begin + node.size]
        for demand, capacity in rows.binding(node):
            model.capacities.add((None, linear(demand.tolist(), own), capacity))


def longest(model: Any, node: NodeProblem, x: list[Any], v: list[Any]) -> tuple[list[int], list[Any]]:
    """Roofline latency: ``v_k`` is 1 if the longest request is of the ``k``-th class or above; and what waits.

    Returns
    -------
    coefficients, variables
        Their weighted sum is ``sum m_i x_i + F(longest)``.
    """
    found = rows.roofline(node)
    assert found is not None
    for own, rank in zip(x, found.rank.tolist(), strict=True):
        model.longest.add((None, linear([1, -1], [own, v[rank]]), 0))
    for below, above in pairwise(v):
        model.longest.add((None, linear([1, -1], [above, below]), 0))
    return found.stream.tolist() + rows.steps(found).tolist(), [*x, *v]


def fixed_parts(model: Any, formulation: BatchingFormulation) -> list[list[Any]]:
    """Binaries ``v_k`` of each node under the roofline latency; none where only FLOPs count."""
    counts = [0 if (found := rows.roofline(node)) is None else len(found.level) for node in formulation.nodes]
    model.v = pyo.Var(range(sum(counts)), domain=pyo.Binary)
    model.longest = pyo.ConstraintList()
    model.waiting = pyo.ConstraintList()
    every = iter(model.v.values())
    return [list(islice(every, count)) for count in counts]


def at_most_once(model: Any, formulation: BatchingFormulation, x: list[Any]) -> None:
    """A request runs on at most one node."""
    model.at_most_once = pyo.ConstraintList()
    for group in rows.shared(formulation.nodes):
        model.at_most_once.add((None, linear([1] * len(group), [x[k] for k in group.tolist()]), 1))
