"""Duals of the linear relaxation of a program, from HiGHS: suggestions that a replay in integers makes a theorem."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from edgeopt.certify.proofs import lp_leaf
from edgeopt.instances.program import Program
from edgeopt.proof import Infeasible, Leaf
from edgeopt.solvers.base import Control


def lp_proof(program: Program, control: Control) -> Leaf | Infeasible | None:
    """A leaf with the duals of the relaxation (deadline budgets left out), or the dual ray that shows it infeasible.

    None where HiGHS finds neither.

    Rows are scaled by powers of two, so that large integers do not leave HiGHS's tolerances behind.
    """
    import highspy

    size, resources = program.weight.shape
    if not size:
        return None
    rows = program.groups + program.bins * resources
    choice = np.arange(size)
    row_of = [program.group, *(program.groups + program.bin * resources + d for d in range(resources))]
    entries = np.concatenate([np.ones(size), *program.weight.T.astype(np.float64)])
    matrix = csr_array((entries, (np.concatenate(row_of), np.tile(choice, resources + 1))), shape=(rows, size))
    limit = np.concatenate([np.ones(program.groups), program.capacity.astype(np.float64).reshape(-1)])
    largest = np.maximum(abs(matrix).max(axis=1).toarray().reshape(-1), 1.0)
    scale = np.ldexp(1.0, -np.frexp(largest)[1])
    matrix = csr_array(matrix.multiply(scale[:, None]))

    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    if (seconds := control.remaining()) is not None:
        solver.setOptionValue("time_limit", seconds)
    sign = 1.0 if program.sense == "min" else -1.0  # HiGHS minimises
    model = highspy.HighsLp()
    model.num_row_, model.num_col_ = rows, size
    model.col_cost_ = sign * program.profit.astype(np.float64)
    model.col_lower_, model.col_upper_ = np.zeros(size), np.ones(size)
    lower = np.full(rows, -highspy.kHighsInf)
    if program.exactly_one:
        lower[: program.groups] = scale[: program.groups]
    model.row_lower_, model.row_upper_ = lower, limit * scale
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_, model.a_matrix_.index_ = matrix.indptr, matrix.indices
    model.a_matrix_.value_ = matrix.data
    solver.passModel(model)
    solver.run()
    ray = solver.getModelStatus() == highspy.HighsModelStatus.kInfeasible
    if ray:
        solver.setOptionValue("presolve", "off")  # which finds it without a ray
        solver.run()
        _, exists, row_dual = solver.getDualRay()
        if not exists:
            return None
    elif solver.getModelStatus() == highspy.HighsModelStatus.kOptimal:
        row_dual = solver.getSolution().row_dual
    else:
        return None
    duals = sign * np.array(row_dual) * scale
    leaf = lp_leaf(program, duals[: program.groups].tolist(), duals[program.groups :].reshape(program.bins, resources))
    return Infeasible(leaf.prices, leaf.multipliers) if ray else leaf
