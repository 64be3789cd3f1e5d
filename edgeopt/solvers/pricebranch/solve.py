"""The solver as a function of a `Program`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgeopt.instances.program import IntArray, Program
from edgeopt.proof import Tree
from edgeopt.result import Termination
from edgeopt.solvers.base import Control
from edgeopt.solvers.pricebranch.knapsack_tree import KnapsackSearch
from edgeopt.solvers.pricebranch.lagrange import suits
from edgeopt.solvers.pricebranch.primal import Primal
from edgeopt.solvers.pricebranch.relaxation import Relaxation
from edgeopt.solvers.pricebranch.space import space
from edgeopt.solvers.pricebranch.tree import Search

PENALTY = 100.0
"""Cost of breaking a rule in the linear programs, as a multiple of what all groups together can gain."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What the search found.

    Attributes
    ----------
    chosen : (n,) int64 or None
        Choices of the best solution, ascending; None if there is none.
    value, bound : int or None
        Its value, and what no solution passes, both in the program's sense. No bound where the program was
        shown to be infeasible.
    termination : Termination
    tree : Tree
        Its replay proves the bound (or that there is no solution: then it proves an impossible one).
    effort : dict
    """

    chosen: IntArray | None
    value: int | None
    bound: int | None
    termination: Termination
    tree: Tree
    effort: dict[str, int]


def solve(
    program: Program, control: Control, *, start: IntArray | None = None, vertex_limit: int | None = None
) -> Outcome:
    """Solve a program to proved optimality, or as far as the control allows.

    Parameters
    ----------
    program : Program
    control : Control
        Its limit is obeyed, its listener hears values and bounds.
    start : (n,) int64, optional
        Choices to start from; ignored if they are not feasible.
    vertex_limit : int, optional
        Most vertices of the tree.
    """
    form = space(program)
    primal = Primal(form, control)
    if not program.exactly_one:
        primal.offer(np.zeros(0, dtype=np.int64))
    if start is not None:
        primal.offer(np.asarray(start, dtype=np.int64))
    span = float(form.ceiling.sum()) - min(0.0, primal.floor)
    relaxation = Relaxation(form, PENALTY * (span + 10.0))
    said: list[tuple[int | None, int | None]] = []

    def hear() -> None:
        found = _signed(form.sign, primal.value), _whole_bound(form.sign, search.bound())
        if not said or said[-1] != found:
            said.append(found)
            control.report(*found)

    kind: type[Search | KnapsackSearch] = KnapsackSearch if suits(program) else Search
    search = kind(form, control, primal, relaxation, hear, vertex_limit)
    complete = search.run()
    hear()
    # Where numbers are so large that floats cannot tell whole values apart, a bound may stay above the value.
    least = primal.floor if primal.value is None else primal.value + 1
    complete = complete and search.bound() < least
    infeasible = complete and primal.value is None
    termination = Termination.COMPLETE
    if infeasible:
        termination = Termination.INFEASIBLE
    elif not complete:
        termination = control.stopped_by() if control.stop() else Termination.NODE_LIMIT
    effort = {
        "vertices": search.vertices, "steps": search.steps, "linear_programs": relaxation.solves, "mips": primal.mips
    }  # fmt: skip
    return Outcome(
        chosen=primal.chosen,
        value=_signed(form.sign, primal.value),
        bound=None if infeasible else _whole_bound(form.sign, search.bound()),
        termination=termination,
        tree=search.tree(),
        effort=effort,
    )


def _signed(sign: int, value: int | None) -> int | None:
    return None if value is None else sign * value


def _whole_bound(sign: int, bound: float) -> int | None:
    """The bound in whole units; None where it says nothing."""
    return sign * math.floor(bound) if math.isfinite(bound) else None
