"""The monotone threshold form of P1 as a Pyomo MILP: O(I) non-zeros, no big M."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pyomo.environ as pyo

from edgeopt.instances.batching import NodeProblem
from edgeopt.models.base import Model
from edgeopt.models.batching import pyomo_rows, rows
from edgeopt.models.batching.formulation import ThresholdFormulation


class PyomoThreshold(ThresholdFormulation):
    """Binaries ``x_ij``, and per node ``w_r`` for ``r = 2..K``: the batch's budget is ``T_r`` or less.

    Under the roofline latency besides ``v_k``: the longest request is of the ``k``-th length class or above.
    """

    def build(self) -> Model:
        """The Pyomo model: (12), (12a)-(12d), a request on at most one node."""
        model = pyo.ConcreteModel("batching, threshold form")
        x = pyomo_rows.choices(model, self)
        pyomo_rows.capacities(model, self, x)
        pyomo_rows.at_most_once(model, self, x)
        levels = [rows.thresholds(node) for node in self.nodes]
        model.w = pyo.Var(range(sum(max(0, len(level) - 1) for level, _ in levels)), domain=pyo.Binary)
        w = list(model.w.values())
        model.compute = pyo.ConstraintList()
        model.urgent = pyo.ConstraintList()
        model.monotone = pyo.ConstraintList()
        v = pyomo_rows.fixed_parts(model, self)
        own_variables: list[Any] = []
        at = 0
        for node, begin, threshold, own_v in zip(self.nodes, self.first, levels, v, strict=False):
            own_x, own_w = x[begin : begin + node.size], w[at : at + max(0, len(threshold.level) - 1)]
            at += len(own_w)
            if node.size:
                compute(model, node, threshold, own_x, own_w)
                urgent(model, threshold, own_x, own_w)
                monotone(model, own_w)
                if own_v:
                    waiting(model, threshold, *pyomo_rows.longest(model, node, own_x, own_v), own_w)
            own_variables += own_w + own_v
        return Model(model, [*x, *own_variables])


def compute(model: Any, node: NodeProblem, threshold: rows.Thresholds, x: list[Any], w: list[Any]) -> None:
    """(12d): ``sum a_i x_i + sum_{r >= 2} (T_{r-1} - T_r) w_r <= T_1``."""
    steps = (-np.diff(threshold.level)).tolist()
    if w or int(rows.work(node).sum()) > threshold.level[0]:
        model.compute.add(
            (None, pyomo_rows.linear(rows.work(node).tolist() + steps, [*x, *w]), int(threshold.level[0]))
        )


def waiting(model: Any, threshold: rows.Thresholds, demand: list[int], variables: list[Any], w: list[Any]) -> None:
    """(12d) under the roofline: ``sum m_i x_i + sum_k (F_k - F_{k-1}) v_k + sum_r (T_{r-1} - T_r) w_r <= T_1``."""
    steps = (-np.diff(threshold.level)).tolist()
    model.waiting.add((None, pyomo_rows.linear(demand + steps, [*variables, *w]), int(threshold.level[0])))


def urgent(model: Any, threshold: rows.Thresholds, x: list[Any], w: list[Any]) -> None:
    """A request with the budget ``T_r`` lowers the threshold to it: ``x_i <= w_r``."""
    for own, rank in zip(x, threshold.rank.tolist(), strict=True):
        if rank:
            model.urgent.add((None, pyomo_rows.linear([1, -1], [own, w[rank - 1]]), 0))


def monotone(model: Any, w: list[Any]) -> None:
    """A batch at threshold ``r + 1`` or less is at ``r`` or less: ``w_{r+1} <= w_r``."""
    for above, below in pairwise(w):
        model.monotone.add((None, pyomo_rows.linear([1, -1], [below, above]), 0))
