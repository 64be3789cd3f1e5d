"""The parts that every Pyomo formulation of the batching problem shares."""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo
from pyomo.core.expr.numeric_expr import LinearExpression

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


def at_most_once(model: Any, formulation: BatchingFormulation, x: list[Any]) -> None:
    """A request runs on at most one node."""
    model.at_most_once = pyo.ConstraintList()
    for group in rows.shared(formulation.nodes):
        model.at_most_once.add((None, linear([1] * len(group), [x[k] for k in group.tolist()]), 1))
