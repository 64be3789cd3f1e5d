"""Means over seeds with the interval that they leave in doubt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LEVEL = 0.95


class Mean(NamedTuple):
    """A mean and its confidence interval; None for the ends where one value says nothing about them.

    The mean is NaN where there is no value at all.
    """

    mean: float
    low: float | None
    high: float | None


def mean_of(values: Sequence[float], *, least: float = -math.inf, most: float = math.inf) -> Mean:
    """Mean with Student's interval at `LEVEL`, for values of independent seeds.

    The interval is cut to what the quantity can be at all, from `least` to `most`.
    """
    from scipy.special import stdtrit

    count = len(values)
    mean = float(np.mean(values)) if count else math.nan
    if count < 2:
        return Mean(mean, None, None)
    half = float(stdtrit(count - 1, 0.5 + LEVEL / 2)) * float(np.std(values, ddof=1)) / math.sqrt(count)
    return Mean(mean, max(float(least), mean - half), min(float(most), mean + half))
