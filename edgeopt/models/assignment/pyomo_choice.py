"""The assignment problem as a Pyomo MILP: one binary a choice."""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo
from pyomo.core.expr.numeric_expr import LinearExpression

from edgeopt.instances.assignment import AssignmentInstance
from edgeopt.models.assignment import rows
from edgeopt.models.assignment.formulation import AssignmentFormulation
from edgeopt.models.base import Model


class PyomoChoice(AssignmentFormulation):
    """Binaries ``x_k``."""

    def build(self) -> Model:
        """The Pyomo model: objective, groups, capacities."""
        instance = self.instance
        model = pyo.ConcreteModel(name="assignment")
        model.x = pyo.Var(range(instance.choices), domain=pyo.Binary)
        x = list(model.x.values())
        objective(model, instance, x)
        groups(model, instance, x)
        capacities(model, instance, x)
        if self.hopeless:
            model.nothing = pyo.Var(domain=pyo.Binary, bounds=(0, 0))
            model.group_without_choice = pyo.Constraint(expr=model.nothing == 1)
            return Model(model, [*x, model.nothing])
        return Model(model, x)


def linear(coefficients: list[Any], variables: list[Any]) -> LinearExpression:
    """``sum(coefficient * variable)``, built without Pyomo's operators (some ten times faster)."""
    return LinearExpression(constant=0, linear_coefs=coefficients, linear_vars=variables)


def objective(model: Any, instance: AssignmentInstance, x: list[Any]) -> None:
    """``sum_k p_k x_k``."""
    sense = pyo.maximize if instance.sense == "max" else pyo.minimize
    model.total = pyo.Objective(expr=linear(instance.profit.tolist(), x), sense=sense)


def groups(model: Any, instance: AssignmentInstance, x: list[Any]) -> None:
    """``sum_{k in g} x_k <= 1``, or ``= 1`` where every group takes a choice."""
    model.groups = pyo.ConstraintList()
    least = 1 if instance.pick == "exactly-one" else None
    for members in instance.by_group:
        if len(members) > 1 or (least and len(members)):
            model.groups.add((least, linear([1] * len(members), [x[k] for k in members.tolist()]), 1))


def capacities(model: Any, instance: AssignmentInstance, x: list[Any]) -> None:
    """``sum_{k in j} w_kd x_k <= c_jd``."""
    model.capacities = pyo.ConstraintList()
    for row in rows.binding(instance):
        model.capacities.add((None, linear(row.weight.tolist(), [x[k] for k in row.choices.tolist()]), row.capacity))
