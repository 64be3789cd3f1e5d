"""What a problem gives to its certificates: compiled content, solutions and proofs as JSON, and the way back.

Each problem with proofs has a module ``edgeopt.certify.<problem>_proof`` with a `Parts` named ``PARTS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from edgeopt.certify.proofs import program_content, replayed
from edgeopt.certify.verify.program import read_program, value_of
from edgeopt.certify.verify.reading import Refuted
from edgeopt.errors import InstanceError
from edgeopt.instances.base import Instance, problem
from edgeopt.instances.program import IntArray, Program
from edgeopt.proof import Tree
from edgeopt.result import Result
from edgeopt.solvers.base import Control


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a problem's certificates.

    Attributes
    ----------
    stated : callable
        Instance to the compiled coefficients that the proof speaks of, as JSON data.
    chosen : callable
        Instance and a feasible solution to the solution as JSON data.
    proof : callable
        Instance, stated coefficients, chosen solution (or None), results and a `Control` to the strongest proof that
        replays, as JSON data with the field ``kind``, which names a file of the verifier.
    solution : callable
        Instance and chosen solution to the solution, the inverse of `chosen`.
    """

    stated: Callable[[Any], dict[str, Any]]
    chosen: Callable[[Any, Any], Any]
    proof: Callable[[Any, dict[str, Any], Any, Sequence[Result], Control], dict[str, Any]]
    solution: Callable[[Any, Any], Any]


def has_parts(instance: Instance) -> bool:
    """Whether the instance's problem has certificates."""
    return find_spec(f"edgeopt.certify.{instance.problem}_proof") is not None


def parts(instance: Instance) -> Parts:
    """The parts of the instance's problem.

    Raises
    ------
    InstanceError
        If the problem has no certificates.
    """
    if not has_parts(instance):
        raise InstanceError(f"{instance.problem} has no certificates")
    found: Parts = import_module(f"edgeopt.certify.{instance.problem}_proof").PARTS
    return found


def tree_parts(
    choices: Callable[[Any, Any], IntArray],
    trees: Callable[[Any, Program, Sequence[Result], Control], Iterable[Tree]],
    solution: Callable[[Any, Program, Sequence[int]], Any],
) -> Parts:
    """The parts of a problem with a common form (`Problem.program`), whose proofs are trees."""

    def program_of(instance: Instance) -> Program:
        compile_program = problem(instance.problem).program
        assert compile_program is not None
        return compile_program(instance)

    def proof(
        instance: Any, stated: dict[str, Any], chosen: list[int] | None, results: Sequence[Result], control: Control
    ) -> dict[str, Any]:
        program = program_of(instance)
        return best_tree(program, stated, chosen, trees(instance, program, results, control))

    return Parts(
        stated=lambda instance: program_content(program_of(instance)),
        chosen=lambda instance, found: np.sort(choices(instance, found)).tolist(),
        proof=proof,
        solution=lambda instance, chosen: solution(instance, program_of(instance), chosen),
    )


def best_tree(
    program: Program, stated: dict[str, Any], chosen: list[int] | None, trees: Iterable[Tree]
) -> dict[str, Any]:
    """The proof with the best replayed bound; one that the verifier refuses is left out, unless all are.

    Raises
    ------
    Refuted
        If no proof replays, or the solution is not one of the program.
    """
    value = None if chosen is None else value_of(read_program(stated), chosen)
    best: tuple[float, dict[str, Any]] | None = None
    sign = 1 if program.sense == "max" else -1
    refused: Refuted | None = None
    for tree in trees:
        try:
            proof, bound = replayed(program, tree, value)
        except Refuted as error:
            refused = error
            continue
        rank = -np.inf if bound is None else sign * bound
        if best is None or rank < best[0]:
            best = (rank, proof)
        if value is not None and bound == value:
            break
    if best is None:
        raise refused or Refuted("there is no proof")
    return best[1]
