"""The variant of time-varying shares as a Pyomo MILP."""

from __future__ import annotations

import pyomo.environ as pyo

from edgeopt.models.base import Model
from edgeopt.models.slide.pyomo_rows import linear
from edgeopt.models.slide.time_varying import TimeVaryingFormulation

MOST_ROWS = 2000
"""Due times that get a row, evenly among all; what breaks another one is refuted by a cut."""


class PyomoTimeVarying(TimeVaryingFormulation):
    """Binaries ``x_ki``."""

    def build(self) -> Model:
        """The Pyomo model: objective, one model a user, what is due."""
        model = pyo.ConcreteModel(name="slide, time-varying")
        model.x = pyo.Var(range(len(self.options)), domain=pyo.Binary)
        x = list(model.x.values())
        model.served = pyo.Objective(expr=linear([1] * len(x), x), sense=pyo.maximize)
        model.one_model = pyo.ConstraintList()
        for places in self.by_user():
            model.one_model.add((None, linear([1] * len(places), [x[place] for place in places]), 1))
        model.due = pyo.ConstraintList()
        for row in self.rows(self.points[:: 1 + len(self.points) // MOST_ROWS]):
            model.due.add((None, linear(row.coefficients, [x[place] for place in row.places]), row.capacity))
        return Model(model, x)
