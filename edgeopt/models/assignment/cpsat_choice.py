"""The assignment problem for CP-SAT: one literal a choice."""

from __future__ import annotations

from typing import Any

from ortools.sat.python import cp_model

from edgeopt.instances.assignment import AssignmentInstance
from edgeopt.models.assignment import rows
from edgeopt.models.assignment.formulation import AssignmentFormulation
from edgeopt.models.base import Model

weighted_sum = cp_model.LinearExpr.weighted_sum


class CpSatChoice(AssignmentFormulation):
    """Literals ``x_k``."""

    def build(self) -> Model:
        """The CP-SAT model: objective, groups, capacities."""
        instance = self.instance
        model = cp_model.CpModel()
        x = [model.new_bool_var("") for _ in range(instance.choices)]
        objective(model, instance, x)
        groups(model, instance, x)
        capacities(model, instance, x)
        if self.hopeless:
            nothing = model.new_int_var(0, 0, "")
            model.add(nothing == 1)
            return Model(model, [*x, nothing])
        return Model(model, x)


def objective(model: Any, instance: AssignmentInstance, x: list[Any]) -> None:
    """``sum_k p_k x_k``."""
    total = weighted_sum(x, instance.profit.tolist())
    if instance.sense == "max":
        model.maximize(total)
    else:
        model.minimize(total)


def groups(model: Any, instance: AssignmentInstance, x: list[Any]) -> None:
    """At most one, or exactly one, choice of each group."""
    for members in instance.by_group:
        literals = [x[k] for k in members.tolist()]
        if instance.pick == "exactly-one" and literals:
            model.add_exactly_one(literals)
        elif len(literals) > 1:
            model.add_at_most_one(literals)


def capacities(model: Any, instance: AssignmentInstance, x: list[Any]) -> None:
    """``sum_{k in j} w_kd x_k <= c_jd``."""
    for row in rows.binding(instance):
        model.add(weighted_sum([x[k] for k in row.choices.tolist()], row.weight.tolist()) <= row.capacity)
