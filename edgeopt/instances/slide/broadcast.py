"""Broadcasts in the compiled numbers: all users of a model are sent it at the least rate of them (ours)."""

from __future__ import annotations

import numpy as np

from edgeopt.instances.slide.allocation import Allocation
from edgeopt.instances.slide.compiled import CompiledSlide
from edgeopt.instances.slide.instance import FloatArray


def broadcast_rates(compiled: CompiledSlide, solution: Allocation) -> FloatArray:
    """``min_j rho_j`` (bit/s) over the users of the same model, for each served user (n,)."""
    least = np.full(len(compiled.start) - 1, np.inf)
    np.minimum.at(least, solution.model, compiled.rate[solution.user])
    rates: FloatArray = least[solution.model]
    return rates


def one_each(solution: Allocation) -> list[int]:
    """The place of the first user of each broadcast."""
    _, first = np.unique(solution.model, return_index=True)
    return [int(place) for place in first]
