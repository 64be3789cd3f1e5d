"""The program at one threshold a bin, as a linear program that branching only re-bounds, and as a small MIP."""

from __future__ import annotations

import ctypes
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from edgeopt.instances.program import IntArray
from edgeopt.solvers.pricebranch.bound import Prices
from edgeopt.solvers.pricebranch.space import Box, FloatArray, Space

TOLERANCE = 1e-9
LARGEST_PROFIT = 1024.0


@dataclass(frozen=True, slots=True, eq=False)
class Relaxed:
    """A solved linear program.

    Attributes
    ----------
    value : float
    amount : (K,) float64
        The fractional choices.
    loss : (K,) float64
        Reduced profit of each choice: what moving it from its bound costs.
    prices : Prices
    feasible : bool
        Whether no stand-in was needed.
    """

    value: float
    amount: FloatArray
    loss: FloatArray
    prices: Prices
    feasible: bool


class Relaxation:
    """``max profit . x`` over groups and capacities, with an expensive stand-in for a choice that a group lacks.

    Rows: groups, the capacities of each bin, families. Columns: choices, then the stand-ins of groups, and as expensive
    ones that give way where the number of a family is bounded, so that there is always a solution.
    """

    def __init__(self, space: Space, penalty: float) -> None:
        import highspy

        self.space, self.highs = space, highspy
        self.groups, self.size = space.program.groups, len(space.choice)
        self.resources = space.weight.shape[1]
        self.matrix = _matrix(space)
        # HiGHS fails on objectives that dwarf its tolerances: large profits are scaled by a power of two.
        largest = max(float(np.abs(space.profit).max(initial=0.0)), 1.0)
        self.scale = 2.0 ** -max(0, math.ceil(math.log2(largest / LARGEST_PROFIT)))
        self.penalty = penalty
        self.exact = space.program.exactly_one
        self.bin = np.repeat(np.arange(space.bins), np.diff(space.first))
        self.upper = np.concatenate([np.ones(self.size), np.full(self.groups, float(self.exact))])
        self.give = np.full(2 * len(space.families), float(self.size))
        self.required = np.full(self.groups, self.exact)
        self.room = np.full((space.bins, self.resources), np.inf)
        self.counts = np.full((len(space.families), 2), np.inf) * (-1, 1)
        self.solver = self._load()
        self.solves = 0

    def _load(self) -> Any:
        infinity = self.highs.kHighsInf
        solver = self.highs.Highs()
        _options(solver, presolve="off", simplex_strategy=1)
        rows, columns = self.matrix.shape
        others = columns - self.size
        model = self.highs.HighsLp()
        model.num_col_, model.num_row_ = columns, rows
        model.col_cost_ = np.concatenate([-self.space.profit, np.full(others, self.penalty)]) * self.scale
        model.col_lower_, model.col_upper_ = np.zeros(columns), np.concatenate([self.upper, self.give])
        free = np.full(rows - self.groups, infinity)
        model.row_lower_ = np.concatenate([np.where(self.required, 1.0, -infinity), -free])
        model.row_upper_ = np.concatenate([np.ones(self.groups), free])
        model.a_matrix_.format_ = self.highs.MatrixFormat.kColwise
        model.a_matrix_.start_, model.a_matrix_.index_ = self.matrix.indptr, self.matrix.indices
        model.a_matrix_.value_ = self.matrix.data
        solver.passModel(model)
        return solver

    def restrict(self, box: Box) -> None:
        """Take on the thresholds (the late end of each bin's range) and states of a vertex."""
        upper, required, room = self._bounds(box)
        changed = np.flatnonzero(upper != self.upper).astype(np.int32)
        if len(changed):
            self.solver.changeColsBounds(len(changed), changed, np.zeros(len(changed)), upper[changed])
        infinity = self.highs.kHighsInf
        for group in np.flatnonzero(required != self.required).tolist():
            self.solver.changeRowBounds(group, 1.0 if required[group] else -infinity, 1.0)
        for bin, resource in zip(*np.nonzero(room != self.room), strict=True):
            row = self.groups + int(bin) * self.resources + int(resource)
            self.solver.changeRowBounds(row, -infinity, float(room[bin, resource]))
        counts = self._counts(box)
        for family in np.flatnonzero((counts != self.counts).any(axis=1)).tolist():
            row = self.groups + self.space.bins * self.resources + family
            self.solver.changeRowBounds(row, *counts[family].tolist())
        self.upper, self.required, self.room, self.counts = upper, required, room, counts
        self.box = box

    def _counts(self, box: Box) -> FloatArray:
        """Least and most chosen ones of each family."""
        counts = np.column_stack(
            [np.full(len(self.space.families), -np.inf), np.full(len(self.space.families), np.inf)]
        )
        for row in (row for rows in box.rows for row in rows):
            if row.sign > 0:
                counts[row.family, 1] = min(counts[row.family, 1], row.limit)
            else:
                counts[row.family, 0] = max(counts[row.family, 0], row.limit)
        return counts

    def usable(self, box: Box) -> NDArray[np.bool_]:
        """Choices that a solution of a vertex may take."""
        space = self.space
        late = space.levels[:-1] + box.high
        inside = np.arange(self.size) - space.first[self.bin] < space.count[late][self.bin]
        result: NDArray[np.bool_] = (box.state >= 0) & inside
        return result

    def _bounds(self, box: Box) -> tuple[FloatArray, NDArray[np.bool_], FloatArray]:
        space = self.space
        required = np.full(self.groups, self.exact)
        required[space.group[box.state == 1]] = True
        upper = np.concatenate([self.usable(box), required]).astype(np.float64)
        return upper, required, space.room[space.levels[:-1] + box.low]

    def solve(self) -> Relaxed | None:
        """Solve it as it is now; None where HiGHS fails, which it does on numbers of very different size."""
        solver = self.solver
        solver.run()
        statuses = self.highs.HighsModelStatus
        good = (statuses.kOptimal, statuses.kModelEmpty)
        if solver.getModelStatus() not in good:
            solver.clearSolver()
            solver.run()
            if solver.getModelStatus() not in good:
                return None
        self.solves += 1
        solution = solver.getSolution()
        x, dual = np.array(solution.col_value), -np.array(solution.row_dual) / self.scale
        groups = dual[: self.groups]
        capacities = dual[self.groups : self.groups + self.space.bins * self.resources]
        vectors = np.maximum(0.0, capacities).reshape(-1, self.resources)
        families = dual[self.groups + self.space.bins * self.resources :]
        with_counts = tuple(map(self._with_counts, range(self.space.bins), vectors, repeat(families)))
        return Relaxed(
            value=-float(solver.getInfo().objective_function_value) / self.scale,
            amount=x[: self.size],
            loss=-np.array(solution.col_dual)[: self.size] / self.scale,
            prices=Prices(
                groups if self.exact else np.maximum(0.0, groups),
                with_counts,
            ),
            feasible=bool(x[self.size :].max(initial=0.0) < 1e-7),
        )

    def _with_counts(self, bin: int, vector: FloatArray, families: FloatArray) -> FloatArray:
        """A price vector with the duals of the families at the tightest of their count rows."""
        extra = np.zeros(len(self.box.rows[bin]))
        for place, row in enumerate(self.box.rows[bin]):
            side = 1 if row.sign > 0 else 0
            if self.counts[row.family, side] == row.limit:
                others = [i for i, other in enumerate(self.box.rows[bin]) if other == row]
                if others[0] == place:
                    extra[place] = max(0.0, row.sign * families[row.family])
        return np.concatenate([vector, extra])[None, :]

    def integer(
        self,
        box: Box,
        open: NDArray[np.bool_],
        taken: NDArray[np.bool_],
        target: float,
        limit: Mapping[str, float],
        seed: int,
    ) -> IntArray | None:
        """Positions of a good set of choices at the thresholds of a box: a MIP over the `open` ones.

        Parameters
        ----------
        open, taken : (K,) bool
            Choices that the MIP may decide, and others that it has to take.
        target : float
            A profit that is good enough to stop.
        limit : mapping
            The option of HiGHS that limits it.
        """
        upper, required, room = self._bounds(box)
        columns = np.flatnonzero((upper[: self.size] > 0) & open & ~taken)
        fixed = np.flatnonzero(taken)
        rows = np.concatenate([np.ones(self.groups), room.ravel()])
        load = self.matrix[: len(rows), fixed].sum(axis=1) if len(fixed) else np.zeros(len(rows))
        rows = rows - load
        need = np.where(required, 1.0 - load[: self.groups], -self.highs.kHighsInf)
        part = csc_array(self.matrix[: len(rows), columns])
        kept = np.flatnonzero(np.diff(csc_array(part.T.tocsc()).indptr))
        if not len(columns):
            return fixed
        if (rows < -TOLERANCE).any():
            return None
        part = csc_array(part[kept])
        model = self.highs.HighsLp()
        model.num_col_, model.num_row_ = len(columns), len(kept)
        model.col_cost_ = -self.space.profit[columns]
        model.col_lower_, model.col_upper_ = np.zeros(len(columns)), np.ones(len(columns))
        model.row_lower_ = np.concatenate([need, np.full(len(rows) - self.groups, -self.highs.kHighsInf)])[kept]
        model.row_upper_ = rows[kept]
        model.a_matrix_.format_ = self.highs.MatrixFormat.kColwise
        model.a_matrix_.start_, model.a_matrix_.index_, model.a_matrix_.value_ = part.indptr, part.indices, part.data
        model.integrality_ = [self.highs.HighsVarType.kInteger] * len(columns)
        solver = self.highs.Highs()
        gain = float(self.space.profit[fixed].sum())
        _options(
            solver,
            **limit,
            random_seed=seed % 2**31,
            mip_rel_gap=0.0,
            mip_abs_gap=0.999,
            objective_target=-(target - gain) + 1e-6,
            mip_feasibility_tolerance=TOLERANCE,
        )
        solver.passModel(model)
        with _muted():
            solver.run()
        if solver.getInfo().primal_solution_status != self.highs.SolutionStatus.kSolutionStatusFeasible:
            return None
        chosen = columns[np.array(solver.getSolution().col_value) > 0.5]
        return np.sort(np.concatenate([fixed, chosen]))


@contextmanager
def _muted() -> Iterator[None]:
    """Keep off the standard output what the MIP solver of HiGHS prints there in spite of its options."""
    flush = ctypes.CDLL(None).fflush
    sys.stdout.flush()
    flush(None)
    with open(os.devnull, "w") as nothing:
        kept = os.dup(1)
        os.dup2(nothing.fileno(), 1)
        try:
            yield
        finally:
            flush(None)
            os.dup2(kept, 1)
            os.close(kept)


def _options(solver: Any, **options: Any) -> None:
    common = {"output_flag": False, "threads": 1, "primal_feasibility_tolerance": TOLERANCE}
    for name, value in {**common, **options}.items():
        solver.setOptionValue(name, value)


def _matrix(space: Space) -> Any:
    """Columns of the choices, of the groups' stand-ins, and of those that give way at the families."""
    groups, size, resources = space.program.groups, len(space.choice), space.weight.shape[1]
    bin = np.repeat(np.arange(space.bins), np.diff(space.first))
    rows = np.column_stack([space.group, groups + bin[:, None] * resources + np.arange(resources)])
    values = np.column_stack([np.ones(size), space.weight])
    columns = np.repeat(np.arange(size), resources + 1)
    last = groups + space.bins * resources
    members = [np.zeros(0, dtype=np.int64), *space.families]
    family = np.repeat(np.arange(len(members)) + last - 1, [len(one) for one in members])
    families = np.arange(len(space.families))
    below = size + groups + families
    above = below + len(families)
    entries = (
        np.concatenate([values.ravel(), np.ones(groups + len(family) + len(families)), -np.ones(len(families))]),
        (
            np.concatenate([rows.ravel(), np.arange(groups), family, last + families, last + families]),
            np.concatenate([columns, size + np.arange(groups), *members, below, above]),
        ),
    )
    matrix = csc_array(entries, shape=(last + len(families), size + groups + 2 * len(families)))
    matrix.eliminate_zeros()
    matrix.indptr, matrix.indices = matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32)
    return matrix
