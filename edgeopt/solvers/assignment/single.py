"""The exact single-bin solver as a solver of instances with one bin."""

from __future__ import annotations

from edgeopt.errors import AssumptionError
from edgeopt.instances.assignment import Assignment, AssignmentInstance
from edgeopt.result import Answer, Termination
from edgeopt.solvers.assignment import mdkp
from edgeopt.solvers.assignment.bin_problem import only_bin
from edgeopt.solvers.base import Control


def mdkp_exact(instance: AssignmentInstance, control: Control) -> Answer:
    """Solve an instance with one bin exactly, whatever its sense and number of picks a group.

    Raises
    ------
    AssumptionError
        If there are several bins.
    """
    if instance.bins != 1:
        raise AssumptionError(
            f"mdkp-exact solves one bin, the instance {instance.name} has {instance.bins}; "
            f"use next-bin with single='mdkp-exact', or highs"
        )
    problem, order = only_bin(instance)
    if problem.exactly_one and len(problem.first) - 1 < instance.groups:
        return Answer(solution=None, termination=Termination.INFEASIBLE)
    found = mdkp.solve(problem, control.stop)
    sign = 1 if instance.sense == "max" else -1
    if found.chosen is None and found.complete:
        return Answer(solution=None, termination=Termination.INFEASIBLE, effort=found.effort)
    taken = None if found.chosen is None else order[found.chosen]
    return Answer(
        solution=None if taken is None else Assignment.of(instance, taken),
        claimed_value=None if taken is None else int(instance.profit[taken].sum()),
        bound=None if found.bound is None else sign * found.bound,
        termination=Termination.COMPLETE if found.complete else control.stopped_by(),
        effort=found.effort,
    )
