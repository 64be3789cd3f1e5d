"""The multicast variant as a Pyomo MILP."""

from __future__ import annotations

import pyomo.environ as pyo

from edgeopt.models.base import Model
from edgeopt.models.slide.multicast import MulticastFormulation
from edgeopt.models.slide.pyomo_rows import linear
from edgeopt.models.slide.serve import float_below


class PyomoMulticast(MulticastFormulation):
    """Binaries ``x_ki`` and shares ``y_i`` from 0 to 1."""

    def build(self) -> Model:
        """The Pyomo model: objective, one model a user, band, needs two by two."""
        model = pyo.ConcreteModel(name="slide, multicast")
        model.x = pyo.Var(range(len(self.pairs)), domain=pyo.Binary)
        model.y = pyo.Var(self.broadcasts, bounds=(0, 1))
        x, y = list(model.x.values()), model.y
        model.served = pyo.Objective(expr=linear([1] * len(x), x), sense=pyo.maximize)
        model.one_model = pyo.ConstraintList()
        for places in self.by_user():
            model.one_model.add((None, linear([1] * len(places), [x[place] for place in places]), 1))
        model.band = pyo.ConstraintList()
        if self.broadcasts:
            model.band.add((None, linear([1] * len(self.broadcasts), list(y.values())), 1))
        model.need = pyo.ConstraintList()
        for need in self.needs():
            own, share = y[self.broadcast[need.first]], float_below(need.share)
            if need.first == need.second:
                model.need.add((None, linear([share, -1], [x[need.first], own]), 0))
            elif need.share > 1:
                model.need.add((None, linear([1, 1], [x[need.first], x[need.second]]), 1))
            else:
                model.need.add((None, linear([share, share, -1], [x[need.first], x[need.second], own]), share))
        return Model(model, [*x, *y.values()])
