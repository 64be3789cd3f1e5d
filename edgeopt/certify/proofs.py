"""Proof trees as numbers a certificate can hold: floats become integers over a power of two, then are replayed.

Whatever the floats are, the replayed bound is a theorem about the program (Neumaier, Shcherbina 2004, doi
10.1007/s10107-003-0433-3: duals are clipped to their sign, and what they leave over is completed by the bounds of the
variables). Rounding can only make it weaker, so digits are added until it does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import chain
from operator import or_
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeopt.certify.verify.proof_tree import bound_of, read_proof
from edgeopt.certify.verify.reading import Refuted
from edgeopt.instances.program import Program
from edgeopt.proof import (
    Bins,
    Chains,
    ChoiceSplit,
    CountSplit,
    Fixings,
    FloatArray,
    Infeasible,
    Knapsacks,
    Leaf,
    ThresholdSplit,
    Tree,
)

BITS = (64, 96, 160)
"""Binary digits after the point that are tried; the fewest that give the best bound are kept."""
LARGEST = 2.0**512
"""A price above this says nothing and is dropped."""


def program_content(program: Program) -> dict[str, Any]:
    """A program as a certificate holds it."""
    return {
        "sense": program.sense,
        "exactly_one": program.exactly_one,
        "groups": program.groups,
        "group": program.group.tolist(),
        "bin": program.bin.tolist(),
        "profit": program.profit.tolist(),
        "weight": program.weight.T.tolist(),
        "capacity": program.capacity.tolist(),
        "budget": None if program.budget is None else program.budget.tolist(),
    }


def replayed(program: Program, tree: Tree, value: int | None = None) -> tuple[dict[str, Any], int | None]:
    """The proof as a certificate holds it, and the bound that its replay gives.

    Parameters
    ----------
    program : Program
    tree : Tree
    value : int, optional
        Value of a known solution: no bound is better, so digits are not tried beyond it.

    Returns
    -------
    content : dict
        With the fewest binary digits that do not weaken the bound.
    bound : int or None
        No solution is better; None if the proof shows that there is none.

    Raises
    ------
    Refuted
        If the tree is not one of this program, e.g. splits on a choice twice.
    """
    stated = program_content(program)
    sign = 1 if program.sense == "max" else -1
    best: tuple[float, int, dict[str, Any], int | None] | None = None
    refused: Refuted | None = None
    # Few digits are enough, unless the most give a better bound; only then what lies between is tried.
    for bits in (BITS[0], BITS[-1], *BITS[1:-1]):
        content = encoded(program, tree, bits)
        try:
            bound = replay(stated, content)
        except Refuted as error:  # at the extreme, a leaf needs more digits to show that it is infeasible
            refused = error
            continue
        rank = -math.inf if bound is None else sign * bound
        if best is None or (rank, bits) < best[:2]:
            best = rank, bits, content, bound
        if bound == value or (bits != BITS[0] and best[1] == BITS[0]):
            break
    if best is None:
        raise refused or Refuted("there is no proof")
    return best[2], best[3]


def replay(stated: dict[str, Any], content: dict[str, Any]) -> int | None:
    """The bound of an encoded proof, by the verifier."""
    proof = read_proof(stated, content)
    top = bound_of(proof, content["vertices"])
    return None if top is None else proof.program.sign * (top >> proof.bits)


def encoded(program: Program, tree: Tree, bits: int) -> dict[str, Any]:
    """A tree as a certificate holds it, with `bits` binary digits after the point, less those that are 0 throughout."""
    tables = _Tables(program, bits)
    vertices: list[dict[str, Any]] = []
    # Where the index of a vertex goes, the vertex, and the bins it is about; without recursion, trees are deep.
    waiting: list[tuple[Any, Any, Tree, Sequence[int]]] = [([None], 0, tree, range(program.bins))]
    while waiting:
        holder, key, vertex, bins = waiting.pop()
        holder[key] = len(vertices)
        record, children = tables.vertex(vertex, bins)
        vertices.append(record)
        waiting += reversed(children)
    spare = min(table.zeros(bits) for table in (tables.prices, *tables.multipliers))
    return {
        "kind": "tree", "bits": bits - spare, "prices": tables.prices.shifted(spare),
        "multipliers": [table.shifted(spare) for table in tables.multipliers], "vertices": vertices,
    }  # fmt: skip


class _Table:
    """Rows of integers, each kept once."""

    def __init__(self) -> None:
        self.rows: list[list[int]] = []
        self.place: dict[bytes, int] = {}

    def index(self, values: FloatArray, bits: int) -> int:
        key = values.tobytes()
        if key not in self.place:
            self.place[key] = len(self.rows)
            self.rows.append([int(math.ldexp(value, bits)) for value in values.tolist()])
        return self.place[key]

    def zeros(self, most: int) -> int:
        """Binary digits that are 0 at the end of every number, at most so many."""
        every = reduce(or_, chain.from_iterable(self.rows), 1 << most)
        return (every & -every).bit_length() - 1

    def shifted(self, digits: int) -> list[list[int]]:
        """The rows without their last digits."""
        return [[value >> digits for value in row] for row in self.rows]


class _Tables:
    """The tables of a proof while it is encoded."""

    def __init__(self, program: Program, bits: int) -> None:
        self.program, self.bits = program, bits
        self.prices = _Table()
        self.multipliers = [_Table() for _ in range(program.bins)]

    def vertex(
        self, vertex: Tree, bins: Sequence[int]
    ) -> tuple[dict[str, Any], list[tuple[Any, Any, Tree, Sequence[int]]]]:
        """The record of a vertex, and its children with the place where their index belongs."""
        record: dict[str, Any]
        match vertex:
            case Leaf() | Infeasible():
                rows = [self.vectors(b, found) for b, found in zip(bins, vertex.multipliers, strict=True)]
                kind = "leaf" if isinstance(vertex, Leaf) else "infeasible"
                return {"kind": kind, "prices": self.priced(vertex.prices), "multipliers": rows}, []
            case ChoiceSplit():
                record = {"kind": "choice", "choice": int(vertex.choice), "without": None, "with": None}
                return record, [(record, "without", vertex.without, bins), (record, "with", vertex.with_, bins)]
            case ThresholdSplit():
                record = {"kind": "threshold", "bin": int(vertex.bin), "threshold": int(vertex.threshold)}
                record |= {"late": None, "early": None}
                return record, [(record, "late", vertex.late, bins), (record, "early", vertex.early, bins)]
            case CountSplit():
                record = {"kind": "count", "bin": int(vertex.bin), "choices": sorted(map(int, vertex.choices))}
                record |= {"most": int(vertex.most), "few": None, "many": None}
                return record, [(record, "few", vertex.few, bins), (record, "many", vertex.many, bins)]
            case Bins():
                parts: list[int | None] = [None] * len(bins)
                record = {"kind": "bins", "prices": self.priced(vertex.prices), "parts": parts}
                return record, [
                    (parts, place, part, (b,)) for place, (b, part) in enumerate(zip(bins, vertex.parts, strict=True))
                ]
            case Chains():
                record = {"kind": "chains", "chains": [list(chain) for chain in vertex.chains], "then": None}
                return record, [(record, "then", vertex.then, bins)]
            case Knapsacks():
                return {"kind": "knapsacks", "prices": self.priced(vertex.prices)}, []
            case Fixings():
                record = {"kind": "fixings", "prices": self.priced(vertex.prices)}
                record |= {"out": [*map(int, vertex.excluded)], "in": [*map(int, vertex.demanded)], "then": None}
                return record, [(record, "then", vertex.then, bins)]

    def priced(self, prices: FloatArray) -> int | None:
        """Index of prices with the right sign; None where all are 0."""
        usable = _usable(prices)
        if not self.program.exactly_one:
            usable = np.maximum(usable, 0.0) if self.program.sense == "max" else np.minimum(usable, 0.0)
        return self.prices.index(usable, self.bits) if usable.any() else None

    def vectors(self, b: int, rows: FloatArray) -> list[int]:
        """Indices of the multipliers of a bin, clipped at 0; 0 itself goes without saying."""
        least = self.program.weight.shape[1]
        usable = np.maximum(np.atleast_2d(_usable(rows)), 0.0)
        # Columns of count rows that are 0 to the end go without saying, too.
        ends = [max(least, int(np.flatnonzero(row)[-1]) + 1) if row.any() else 0 for row in usable]
        return sorted({self.multipliers[b].index(row[:n], self.bits) for row, n in zip(usable, ends, strict=True) if n})


def _usable(values: NDArray[Any]) -> FloatArray:
    """The values, with 0 for those that say nothing."""
    found = np.array(values, dtype=np.float64)
    found[~(np.abs(found) < LARGEST)] = 0.0
    return found + 0.0


def lp_leaf(program: Program, group_duals: Iterable[float], capacity_duals: FloatArray) -> Leaf:
    """The safe bound of linear-programming duals as a leaf (Neumaier-Shcherbina 2004).

    Parameters
    ----------
    program : Program
    group_duals : (G,) floats
        Duals of the rows "one choice a group", as a solver of the relaxation reports them for the program's
        sense: the change of the optimum with the right side.
    capacity_duals : (B, D) float64
        Duals of the capacity rows, in the same convention (not negative for max, not positive for min).

    Returns
    -------
    Leaf
        Any floats give a valid bound once `replayed`; good duals give the optimum of the relaxation.
    """
    sign = 1.0 if program.sense == "max" else -1.0
    multipliers = np.maximum(sign * np.asarray(capacity_duals, dtype=np.float64), 0.0)
    return Leaf(np.array(list(group_duals), dtype=np.float64), tuple(row[None, :] for row in multipliers))
