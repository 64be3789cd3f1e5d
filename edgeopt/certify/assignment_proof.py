"""What a certificate of an assignment instance needs: its solution as choices, and proof trees of its bound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from edgeopt.certify.lp_duals import lp_proof
from edgeopt.certify.parts import tree_parts
from edgeopt.instances.assignment import Assignment, AssignmentInstance
from edgeopt.instances.assignment.instance import IntArray
from edgeopt.instances.program import Program
from edgeopt.proof import Leaf, Tree
from edgeopt.result import Result
from edgeopt.solvers.base import Control


def choices(instance: AssignmentInstance, solution: Assignment) -> IntArray:
    """The choices of `edgeopt.instances.assignment.program` that a solution takes."""
    return solution.taken


def trees(
    instance: AssignmentInstance, program: Program, results: Sequence[Result], control: Control
) -> Iterator[Tree]:
    """Proofs of bounds on an instance; the caller takes the best.

    Trees that solvers have handed out; the safe bound of the relaxation's duals; and a leaf without prices, which
    sums up the best choice of every group.
    """
    yield from (result.proof for result in results if isinstance(result.proof, Tree))
    relaxed = lp_proof(program, control)
    if relaxed is not None:
        yield relaxed
    yield best_choices(program)


def best_choices(program: Program) -> Leaf:
    """Each group at the price of its best choice, capacities for free."""
    pick, start = (np.maximum, -np.inf) if program.sense == "max" else (np.minimum, np.inf)
    prices = np.full(program.groups, start if program.exactly_one else 0.0)
    pick.at(prices, program.group, program.profit.astype(np.float64))
    prices[~np.isfinite(prices)] = 0.0
    return Leaf(prices, tuple(np.empty((0, program.weight.shape[1])) for _ in range(program.bins)))


def solution(instance: AssignmentInstance, program: Program, chosen: Sequence[int]) -> Assignment:
    """The solution behind chosen choices, the inverse of `choices`."""
    return Assignment.of(instance, chosen)


PARTS = tree_parts(choices, trees, solution)
