"""The slide problem with given least shares for CP-SAT."""

from __future__ import annotations

from ortools.sat.python import cp_model

from edgeopt.models.base import Model
from edgeopt.models.slide.formulation import LeastShareFormulation

weighted_sum = cp_model.LinearExpr.weighted_sum


class CpSatShare(LeastShareFormulation):
    """Literals ``x_ki``.

    CP-SAT is not given the cuts, so it gets the band in twice the bits, as two words with a carry: ``demand_ki`` and
    what rounding it down lost. Where a choice fits only because of what is lost even then (less than one part in
    2^80), its solution fails the exact check, and says so.
    """

    def build(self) -> Model:
        """The CP-SAT model: objective, one model a user, band."""
        model = cp_model.CpModel()
        x = [model.new_bool_var("") for _ in self.pairs]
        model.maximize(weighted_sum(x, self.worth))
        for places in self.by_user():
            model.add_at_most_one([x[place] for place in places])
        if x:
            carry = model.new_int_var(0, len(x), "")
            model.add(weighted_sum(x, self.lost) <= carry * self.band)
            model.add(weighted_sum(x, self.demand) + carry <= self.band)
        return Model(model, x)
