"""Pyomo models as arrays: order of the variables, senses, sides, bounds."""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo
import pytest

from edgeopt.models.base import Model
from edgeopt.models.standard_form import standard_form


def small(sense: int) -> Model:
    model = pyo.ConcreteModel()
    model.unused = pyo.Var(domain=pyo.Binary)
    model.y = pyo.Var(domain=pyo.Reals, bounds=(-2, None))
    model.x = pyo.Var(range(2), domain=pyo.Binary)
    model.least = pyo.Constraint(expr=3 * model.x[0] + model.y >= -1)
    model.most = pyo.Constraint(expr=model.x[1] - 2 * model.y <= 7)
    model.same = pyo.Constraint(expr=model.x[0] + model.x[1] == 1)
    model.goal = pyo.Objective(expr=5 * model.x[1] - 4 * model.x[0] + 10, sense=sense)
    return Model(model, [model.x[1], model.y, model.unused, model.x[0]])


@pytest.mark.parametrize("sense", [pyo.maximize, pyo.minimize])
def test_columns_come_in_the_order_of_the_variables(sense: int) -> None:
    form = standard_form(small(sense))
    assert form.maximize == (sense == pyo.maximize)
    assert form.cost.tolist() == [5, 0, 0, -4]
    assert form.offset == 10
    assert form.matrix.toarray().tolist() == [[0, 1, 0, 3], [1, -2, 0, 0], [1, 0, 0, 1]]
    assert form.row_lower.tolist() == [-1, -np.inf, 1]
    assert form.row_upper.tolist() == [np.inf, 7, 1]
    assert form.lower.tolist() == [0, -2, 0, 0]
    assert form.upper.tolist() == [1, np.inf, 1, 1]
    assert form.integer.tolist() == [True, False, True, True]


def test_an_objective_is_integral_only_with_whole_costs_of_integer_variables() -> None:
    built = small(pyo.maximize)
    assert standard_form(built).integral_objective
    built.model.goal.expr = built.model.goal.expr + 0.5 * built.model.x[0]
    assert not standard_form(built).integral_objective
    built.model.goal.expr = built.model.x[0] + built.model.y
    assert not standard_form(built).integral_objective
