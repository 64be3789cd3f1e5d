"""The common form that proofs speak of: a 0/1 multiple-choice program with optional deadline budgets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Pick choices, at most (or exactly) one a group, so that every bin holds what is put into it.

    Choice ``k`` puts an item of group ``group[k]`` into bin ``bin[k]``. A set of choices is feasible iff

    - each group has at most one choice (exactly one where `exactly_one`);
    - for every bin ``b`` and resource ``d``: the ``weight[k, d]`` of its choices sum to at most ``capacity[b, d]``;
    - with `budget`: for every bin that is used, the *last* resource sums to at most the least ``budget[k]``
      of the choices in the bin. (Batching: one batch ends at one time, within the tightest deadline in it.)

    Parameters
    ----------
    sense : {"max", "min"}
        Of the sum of ``profit`` (a cost where it is minimised).
    exactly_one : bool
    groups : int
        Number of groups ``G``.
    group, bin : (K,) int64
    profit : (K,) int64
    weight : (K, D) int64
        Not negative.
    capacity : (B, D) int64
        Not negative.
    budget : (K,) int64 or None
    """

    sense: str
    exactly_one: bool
    groups: int
    group: IntArray
    bin: IntArray
    profit: IntArray
    weight: IntArray
    capacity: IntArray
    budget: IntArray | None = None

    @property
    def bins(self) -> int:
        """Number of bins ``B``."""
        return len(self.capacity)
