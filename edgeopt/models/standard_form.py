"""A Pyomo MILP as arrays, by Pyomo's own standard-form compiler, in the order of the model's variables."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeopt.models.base import FloatArray, Model

_compiling = threading.Lock()
"""Pyomo's compiler pauses the garbage collector through a global that two threads must not share."""


@dataclass(frozen=True, slots=True, eq=False)
class StandardForm:
    """Optimise ``cost . x + offset`` over ``row_lower <= A x <= row_upper`` and the columns' bounds.

    Attributes
    ----------
    maximize : bool
    cost : (n,) float64
    offset : float
    matrix : scipy.sparse.csr_array
        ``A``, (m, n).
    row_lower, row_upper : (m,) float64
        Infinite where there is no bound.
    lower, upper : (n,) float64
    integer : (n,) bool
    """

    maximize: bool
    cost: FloatArray
    offset: float
    matrix: Any
    row_lower: FloatArray
    row_upper: FloatArray
    lower: FloatArray
    upper: FloatArray
    integer: NDArray[np.bool_]

    @property
    def integral_objective(self) -> bool:
        """Whether every feasible objective is a whole number."""
        used = self.cost != 0
        whole = np.append(self.cost, self.offset) % 1 == 0
        return bool(whole.all() and self.integer[used].all())


def standard_form(built: Model) -> StandardForm:
    """Compile a Pyomo model with one linear objective and at least one variable in it."""
    from pyomo.core import maximize
    from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler
    from scipy.sparse import coo_array

    with _compiling:
        compiled = LinearStandardFormCompiler().write(built.model, mixed_form=True, set_sense=None)
    place = {id(variable): position for position, variable in enumerate(built.variables)}
    column = np.array([place[id(variable)] for variable in compiled.columns], dtype=np.int64)
    count = len(built.variables)
    entries = compiled.A.tocoo()
    matrix = coo_array((entries.data, (entries.row, column[entries.col])), shape=(len(compiled.rows), count)).tocsr()
    cost = np.zeros(count)
    cost[column] = compiled.c.toarray()[0]
    side = np.array([bound for _, bound in compiled.rows], dtype=np.int64)  # 1: <=, -1: >=, 0: ==
    bounds = [variable.bounds for variable in built.variables]
    return StandardForm(
        maximize=compiled.objectives[0].sense == maximize,
        cost=cost,
        offset=float(compiled.c_offset[0]),
        matrix=matrix,
        row_lower=np.where(side <= 0, compiled.rhs, -np.inf),
        row_upper=np.where(side >= 0, compiled.rhs, np.inf),
        lower=np.array([-np.inf if low is None else low for low, _ in bounds], dtype=np.float64),
        upper=np.array([np.inf if high is None else high for _, high in bounds], dtype=np.float64),
        integer=np.array([not variable.is_continuous() for variable in built.variables], dtype=bool),
    )
