"""`close`: the assignment problem to proved optimality, anytime, with a proof tree."""

from __future__ import annotations

from edgeopt.instances.assignment import Assignment, AssignmentInstance
from edgeopt.instances.assignment.program import program
from edgeopt.result import Answer
from edgeopt.solvers.base import Control
from edgeopt.solvers.pricebranch import solve


def close(instance: AssignmentInstance, control: Control, *, vertex_limit: int | None = None) -> Answer:
    """Price and branch on bins and groups; every bound has prices behind it that `edgeopt.certify` replays.

    With one resource and capacities that dynamic programming can go through, each bin is an exact knapsack; otherwise
    multipliers of its capacities bound it.

    Parameters
    ----------
    vertex_limit : int, optional
        Most vertices of the proof tree.
    """
    start = None if control.start is None else control.start.taken
    outcome = solve(program(instance), control, start=start, vertex_limit=vertex_limit)
    return Answer(
        solution=None if outcome.chosen is None else Assignment.of(instance, outcome.chosen),
        claimed_value=outcome.value,
        bound=outcome.bound,
        termination=outcome.termination,
        effort=outcome.effort,
        proof=outcome.tree,
    )
