"""Means over seeds with the interval that they leave in doubt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LEVEL = 0.95


class Mean(NamedTuple):
    """A mean and its confidence interval; None for the ends where one value says nothing about them."""

    mean: float
    low: float | None
    high: float | None


def mean_of(values: Sequence[float]) -> Mean:
    """Mean with Student's interval at `LEVEL`, for values of independent seeds, at least one."""
    from scipy.special import stdtrit

    count, mean = len(values), float(np.mean(values))
    if count == 1:
        return Mean(mean, None, None)
    half = float(stdtrit(count - 1, 0.5 + LEVEL / 2)) * float(np.std(values, ddof=1)) / math.sqrt(count)
    return Mean(mean, mean - half, mean + half)
