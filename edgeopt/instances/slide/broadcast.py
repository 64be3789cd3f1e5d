"""Broadcasts in the compiled numbers: all users of one are sent its model at the least rate of them (ours)."""

from __future__ import annotations

import numpy as np

from edgeopt.instances.slide.allocation import Allocation
from edgeopt.instances.slide.compiled import CompiledSlide
from edgeopt.instances.slide.instance import FloatArray


def broadcast_rates(compiled: CompiledSlide, solution: Allocation) -> FloatArray:
    """``min_j rho_j`` (bit/s) over the users of the same broadcast, for each served user (n,)."""
    group = solution.groups
    least = np.full(len(group), np.inf)
    np.minimum.at(least, group, compiled.rate[solution.user])
    rates: FloatArray = least[group]
    return rates


def one_each(solution: Allocation) -> list[int]:
    """The place of the first user of each broadcast."""
    _, first = np.unique(solution.groups, return_index=True)
    return [int(place) for place in first]
