"""The slide problem with given least shares as a Pyomo MILP."""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo
from pyomo.core.expr.numeric_expr import LinearExpression

from edgeopt.models.base import Model
from edgeopt.models.slide.formulation import LeastShareFormulation


class PyomoShare(LeastShareFormulation):
    """Binaries ``x_ki``."""

    def build(self) -> Model:
        """The Pyomo model: objective, one model a user, band."""
        model = pyo.ConcreteModel(name="slide")
        model.x = pyo.Var(range(len(self.pairs)), domain=pyo.Binary)
        x = list(model.x.values())
        model.served = pyo.Objective(expr=_linear(self.worth, x), sense=pyo.maximize)
        model.one_model = pyo.ConstraintList()
        for places in self.by_user():
            model.one_model.add((None, _linear([1] * len(places), [x[place] for place in places]), 1))
        if x:
            model.band = pyo.Constraint(expr=(None, _linear(self.demand, x), self.band))
        return Model(model, x)


def _linear(coefficients: list[int], variables: list[Any]) -> LinearExpression:
    """``sum(coefficient * variable)``."""
    return LinearExpression(constant=0, linear_coefs=coefficients, linear_vars=variables)
