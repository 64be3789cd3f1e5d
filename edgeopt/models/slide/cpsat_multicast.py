"""The multicast variant for CP-SAT."""

from __future__ import annotations

from ortools.sat.python import cp_model

from edgeopt.models.base import Model
from edgeopt.models.slide.multicast import MulticastFormulation

BAND = 2**40
"""Units of the band: shares needed are rounded down to one."""


class CpSatMulticast(MulticastFormulation):
    """Literals ``x_ki`` and shares ``y_i`` from 0 to `BAND`.

    CP-SAT is not given the cuts: where a choice fits only because needs are rounded down, its solution fails the exact
    check, and says so.
    """

    def build(self) -> Model:
        """The CP-SAT model: objective, one model a user, band, needs two by two."""
        model = cp_model.CpModel()
        x = [model.new_bool_var("") for _ in self.pairs]
        y = {broadcast: model.new_int_var(0, BAND, "") for broadcast in self.broadcasts}
        model.maximize(cp_model.LinearExpr.sum(x))
        for places in self.by_user():
            model.add_at_most_one([x[place] for place in places])
        model.add(cp_model.LinearExpr.sum(list(y.values())) <= BAND)
        for need in self.needs():
            both = {x[need.first], x[need.second]}
            if need.share > 1:
                model.add_at_most_one(both)
            else:
                model.add(y[self.broadcast[need.first]] >= int(need.share * BAND)).only_enforce_if(*both)
        return Model(model, [*x, *y.values()])

    def _share_value(self, share: float) -> float:
        return float(round(share * BAND))
