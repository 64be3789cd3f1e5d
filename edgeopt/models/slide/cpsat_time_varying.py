"""The variant of time-varying shares for CP-SAT."""

from __future__ import annotations

from ortools.sat.python import cp_model

from edgeopt.models.base import Model
from edgeopt.models.slide.time_varying import TimeVaryingFormulation

weighted_sum = cp_model.LinearExpr.weighted_sum


class CpSatTimeVarying(TimeVaryingFormulation):
    """Literals ``x_ki``.

    CP-SAT is not given the cuts: where a choice fits only because demands are rounded down (by less than one part in
    2^40), its solution fails the exact check, and says so.
    """

    def build(self) -> Model:
        """The CP-SAT model: objective, one model a user, what is due at every due time."""
        model = cp_model.CpModel()
        x = [model.new_bool_var("") for _ in self.options]
        model.maximize(cp_model.LinearExpr.sum(x))
        for places in self.by_user():
            model.add_at_most_one([x[place] for place in places])
        for row in self.rows(self.points):
            model.add(weighted_sum([x[place] for place in row.places], row.coefficients) <= row.capacity)
        return Model(model, x)
