"""The monotone threshold form of P1 for CP-SAT: implications and one linear row a node."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from ortools.sat.python import cp_model

from edgeopt.models.base import Model
from edgeopt.models.batching import cpsat_rows, rows
from edgeopt.models.batching.formulation import ThresholdFormulation


class CpSatThreshold(ThresholdFormulation):
    """Literals ``x_ij``, and per node ``w_r`` for ``r = 2..K``: the batch's budget is ``T_r`` or less.

    Under the roofline latency besides ``v_k``: the longest request is of the ``k``-th length class or above.
    """

    def build(self) -> Model:
        """The CP-SAT model: (12), (12a)-(12d), a request on at most one node."""
        model = cp_model.CpModel()
        x = cpsat_rows.choices(model, self)
        cpsat_rows.capacities(model, self, x)
        cpsat_rows.at_most_once(model, self, x)
        w: list[Any] = []
        for node, begin in zip(self.nodes, self.first, strict=False):
            if node.size:
                threshold = rows.thresholds(node)
                own_x = x[begin : begin + node.size]
                own_w = [model.new_bool_var("") for _ in threshold.level[1:]]
                compute(model, threshold, [*own_x, *own_w], rows.work(node).tolist())
                urgent(model, threshold, own_x, own_w)
                monotone(model, own_w)
                v, waits, coefficients = cpsat_rows.longest(model, node, own_x)
                if v:
                    compute(model, threshold, [*waits, *own_w], coefficients)
                w += own_w + v
        return Model(model, [*x, *w])


def compute(model: Any, threshold: rows.Thresholds, variables: list[Any], demand: list[int]) -> None:
    """(12d): ``sum a_i x_i + sum_{r >= 2} (T_{r-1} - T_r) w_r <= T_1``; under the roofline its second half as well."""
    steps = (-np.diff(threshold.level)).tolist()
    model.add(cpsat_rows.weighted_sum(variables, demand + steps) <= int(threshold.level[0]))


def urgent(model: Any, threshold: rows.Thresholds, x: list[Any], w: list[Any]) -> None:
    """A request with the budget ``T_r`` lowers the threshold to it: ``x_i`` implies ``w_r``."""
    for own, rank in zip(x, threshold.rank.tolist(), strict=True):
        if rank:
            model.add_implication(own, w[rank - 1])


def monotone(model: Any, w: list[Any]) -> None:
    """A batch at threshold ``r + 1`` or less is at ``r`` or less: ``w_{r+1}`` implies ``w_r``."""
    for above, below in pairwise(w):
        model.add_implication(below, above)
