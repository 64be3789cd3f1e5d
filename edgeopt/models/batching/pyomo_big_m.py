"""P1 with a big M for each request's deadline, as a Pyomo MILP: the textbook form, for comparison."""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo

from edgeopt.instances.batching import NodeProblem
from edgeopt.models.base import IntArray, Model
from edgeopt.models.batching import pyomo_rows, rows
from edgeopt.models.batching.formulation import BatchingFormulation


class PyomoBigM(BatchingFormulation):
    """Binaries ``x_ij``, and per node the budget in force, continuous, in units of `unit`."""

    def build(self) -> Model:
        """The Pyomo model: (12), (12a)-(12d), a request on at most one node."""
        model = pyo.ConcreteModel("batching, big-M form")
        x = pyomo_rows.choices(model, self)
        pyomo_rows.capacities(model, self, x)
        pyomo_rows.at_most_once(model, self, x)
        hosts = [j for j, node in enumerate(self.nodes) if node.size]
        model.budget = pyo.Var(hosts, domain=pyo.NonNegativeReals)
        model.compute = pyo.ConstraintList()
        model.deadline = pyo.ConstraintList()
        v = pyomo_rows.fixed_parts(model, self)
        own_variables: list[Any] = []
        for j in hosts:
            own = x[self.first[j] : self.first[j + 1]]
            compute(model, self.nodes[j], own, model.budget[j])
            deadline(model, self.nodes[j], own, model.budget[j])
            if v[j]:
                coefficients, waits = pyomo_rows.longest(model, self.nodes[j], own, v[j])
                row = pyomo_rows.linear([*coefficients, -unit(self.nodes[j])], [*waits, model.budget[j]])
                model.waiting.add((None, row, 0))
            own_variables += [model.budget[j], *v[j]]
        return Model(model, [*x, *own_variables])

    def auxiliary(self, node: NodeProblem, batch: IntArray) -> list[float]:
        """The least budget in the batch."""
        if not node.size:
            return []
        budget = rows.budgets(node)
        return [float(budget[batch].min(initial=budget.max())) / unit(node)]


def unit(node: NodeProblem) -> int:
    """A power of two (MFLOP) above half of the largest budget; dividing by it loses nothing."""
    return 1 << max(0, int(rows.budgets(node).max()).bit_length() - 1)


def compute(model: Any, node: NodeProblem, x: list[Any], budget: Any) -> None:
    """(12d): the work of the batch is at most the budget in force."""
    model.compute.add((None, pyomo_rows.linear([*rows.work(node).tolist(), -unit(node)], [*x, budget]), 0))


def deadline(model: Any, node: NodeProblem, x: list[Any], budget: Any) -> None:
    """(12d): ``budget <= D_i + (max D - D_i)(1 - x_i)`` for each request ``i``."""
    budgets = rows.budgets(node)
    most = int(budgets.max())
    budget.setub(most / unit(node))
    for own, slack in zip(x, (most - budgets).tolist(), strict=True):
        if slack:
            model.deadline.add((None, pyomo_rows.linear([unit(node), slack], [budget, own]), most))
