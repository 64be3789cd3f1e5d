"""Proof by cases: a tree whose leaves bound a multiple-choice program (`program`) by Lagrangian prices.

The tree is a list of vertices. The first is the root and speaks of all solutions; each vertex hands to its
children, which stand after it, what it adds to the knowledge about theirs. Each is the child of exactly one. Bounds
then travel from the leaves to the root. All numbers are integers in units of ``2**-bits``.
"""

from __future__ import annotations

from typing import Any

from .program import Program, read_program, value_of
from .reading import Refuted, Replay, Unreadable, fields, items, whole, wholes
from .state import Proof, State, rounded
from .vertex_bins import bins
from .vertex_chains import chains
from .vertex_knapsack import fixings, knapsacks
from .vertex_leaf import Combine, infeasible, leaf
from .vertex_split import choice, count, threshold

KINDS = {
    "leaf": leaf, "infeasible": infeasible, "choice": choice, "threshold": threshold, "count": count, "bins": bins,
    "chains": chains, "knapsacks": knapsacks, "fixings": fixings,
}  # fmt: skip
MOST_BITS = 1024


def replay(program_content: Any, solution: Any, proof_content: Any) -> Replay:
    """Check the solution, and prove a bound anew."""
    proof = read_proof(program_content, proof_content)
    program = proof.program
    value = None if solution is None else value_of(program, wholes(solution, "solution"))
    vertices = items(proof_content["vertices"], "proof.vertices")
    top = bound_of(proof, vertices)
    bound = None if top is None else program.sign * (top >> proof.bits)
    sense = "max" if program.sign == 1 else "min"
    side = "above" if sense == "max" else "below"
    result = "there is no solution" if bound is None else f"no solution is {side} {bound}"
    counts = f"{len(program.group)} choices, {program.groups} groups, {len(program.capacity)} bins"
    lines = [
        f"program   {counts}, {len(program.weight)} resources, {sense}",
        "solution  none given" if value is None else f"solution  feasible, {len(solution)} choices, value {value}",
        f"proof     tree of {len(vertices)} vertices: {result}",
    ]
    return Replay(sense, value, bound, lines)


def read_proof(program_content: Any, content: Any) -> Proof:
    """The program and the tables of a proof."""
    return read_tables(read_program(program_content), content)


def read_tables(program: Program, content: Any) -> Proof:
    """The tables of a proof about a program."""
    _, bits, prices, multipliers, _ = fields(content, "proof", "kind", "bits", "prices", "multipliers", "vertices")
    if not 0 <= whole(bits, "proof.bits") <= MOST_BITS:
        raise Unreadable(f"proof.bits must be from 0 to {MOST_BITS}")
    for row in items(prices, "proof.prices"):
        wholes(row, "proof.prices", program.groups)
    for rows in items(multipliers, "proof.multipliers", len(program.capacity)):
        for row in items(rows, "proof.multipliers"):
            if len(wholes(row, "proof.multipliers", least=0)) < len(program.weight):
                raise Unreadable("proof.multipliers must have an entry a resource")
    # A price of a cost is what a group adds to the bound; maximising -cost, it counts the other way round.
    return Proof(program, bits, [[program.sign * price for price in row] for row in prices], multipliers)


def root(proof: Proof) -> State:
    """All solutions of the program."""
    program = proof.program
    gain = [(program.sign * profit) << proof.bits for profit in program.profit]
    highest = [capacity[-1] for capacity in program.capacity]
    if program.budget is not None:
        highest = [max((program.budget[k] for k in members), default=0) for members in program.members]
    window = {b: (0, high) for b, high in enumerate(highest)}
    return State(gain, range(len(program.capacity)), True, {}, window)


def bound_of(proof: Proof, vertices: list[Any]) -> int | None:
    """The largest value that the tree leaves possible (maximised); None if it leaves no solution."""
    waiting: dict[int, State] = {0: root(proof)}
    known: list[tuple[list[int], Combine]] = []
    for index, vertex in enumerate(vertices):
        state = waiting.pop(index, None)
        kind = vertex.get("kind") if type(vertex) is dict else None
        try:
            if state is None:
                raise Refuted("is no child of a vertex before it")
            if type(kind) is not str or kind not in KINDS:
                raise Unreadable(f"has the unknown kind {kind!r}"[:80])
            children, combine = KINDS[kind](proof, state, vertex)
            for child, child_state in children:
                if not index < whole(child, "a child") < len(vertices) or child in waiting:
                    raise Refuted(f"has the child {child}, which is not after it, not there, or another's child")
                waiting[child] = child_state
        except (Refuted, Unreadable) as error:
            raise type(error)(f"proof: vertex {index} ({kind}): {error}"[:400]) from None
        known.append(([child for child, _ in children], combine))
    if waiting:
        raise Refuted("proof: there are no vertices")
    bounds: list[int | None] = [None] * len(vertices)
    for index in range(len(vertices) - 1, -1, -1):
        child_indices, combine = known[index]
        bounds[index] = combine([bounds[child] for child in child_indices])
    top = bounds[0]
    top = None if top is None else rounded(top, root(proof).gain)
    return None if top is None or top >> proof.bits < floor(proof.program) else top


def floor(program: Program) -> int:
    """No solution is worth less (maximised): the worst choice of every group; a bound below it leaves none."""
    total = 0
    for mates in program.mates.values():
        worst = min(program.sign * program.profit[k] for k in mates)
        total += worst if program.exactly_one else min(0, worst)
    return total
