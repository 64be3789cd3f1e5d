"""P1 with one budget variable a node, bounded by each chosen request, for CP-SAT.

CP-SAT needs no M for this: the bound of a request is a linear constraint *enforced* by its literal,
which the solver relaxes itself with the tightest M it knows.
"""

from __future__ import annotations

from typing import Any

from ortools.sat.python import cp_model

from edgeopt.instances.batching import NodeProblem
from edgeopt.models.base import IntArray, Model
from edgeopt.models.batching import cpsat_rows, rows
from edgeopt.models.batching.formulation import BatchingFormulation


class CpSatBigM(BatchingFormulation):
    """Literals ``x_ij``, and per node the budget in force (MFLOP), an integer."""

    def build(self) -> Model:
        """The CP-SAT model: (12), (12a)-(12d), a request on at most one node."""
        model = cp_model.CpModel()
        x = cpsat_rows.choices(model, self)
        cpsat_rows.capacities(model, self, x)
        cpsat_rows.at_most_once(model, self, x)
        budgets: list[Any] = []
        for node, begin in zip(self.nodes, self.first, strict=False):
            if node.size:
                own = x[begin : begin + node.size]
                budget = model.new_int_var(0, int(rows.budgets(node).max()), "")
                compute(model, node, own, budget)
                deadline(model, node, own, budget)
                v, waits, coefficients = cpsat_rows.longest(model, node, own)
                if v:
                    model.add(cpsat_rows.weighted_sum(waits, coefficients) <= budget)
                budgets += [budget, *v]
        return Model(model, [*x, *budgets])

    def auxiliary(self, node: NodeProblem, batch: IntArray) -> list[float]:
        """The least budget in the batch."""
        if not node.size:
            return []
        budget = rows.budgets(node)
        return [float(budget[batch].min(initial=budget.max()))]


def compute(model: Any, node: NodeProblem, x: list[Any], budget: Any) -> None:
    """(12d): the work of the batch is at most the budget in force."""
    model.add(cpsat_rows.weighted_sum(x, rows.work(node).tolist()) <= budget)


def deadline(model: Any, node: NodeProblem, x: list[Any], budget: Any) -> None:
    """(12d): a chosen request ``i`` enforces ``budget <= D_i``."""
    for own, most in zip(x, rows.budgets(node).tolist(), strict=True):
        model.add(budget <= most).only_enforce_if(own)
