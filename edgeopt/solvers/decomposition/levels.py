"""Logarithms of correctness and back, rounded up for certain, one by one and for many."""

from __future__ import annotations

from decimal import ROUND_CEILING, Context, Decimal
from functools import lru_cache

import numpy as np

from edgeopt.instances.decomposition.compiled import IntArray
from edgeopt.instances.decomposition.logistic import UNITS

LOG_BITS = 20
LEAST_LOG = -(64 << LOG_BITS)
"""What stands for the logarithm of 0: more than that of anything smaller than ``e^-64``."""
_DIGITS = Context(prec=40)
_CLEAR = 1e-4
"""A double this far from a whole number says which ones it is between."""


@lru_cache(maxsize=1 << 16)
def logarithm(right: int) -> int:
    """The natural logarithm of a correctness in millionths, rounded up to a multiple of ``2^-20``."""
    if right <= 0:
        return LEAST_LOG
    if right >= UNITS:
        return 0
    exact = _DIGITS.next_plus(_DIGITS.ln(_DIGITS.divide(Decimal(right), Decimal(UNITS))))  # the division is exact
    scaled = _DIGITS.next_plus(_DIGITS.multiply(exact, Decimal(1 << LOG_BITS)))
    return max(LEAST_LOG, int(scaled.to_integral_value(rounding=ROUND_CEILING)))


@lru_cache(maxsize=1 << 16)
def level(log: int) -> int:
    """The correctness whose logarithm is that, rounded up to whole millionths; at most a million."""
    if log >= 0:
        return UNITS
    power = _DIGITS.next_plus(_DIGITS.exp(_DIGITS.divide(Decimal(log), Decimal(1 << LOG_BITS))))
    return int(_DIGITS.next_plus(_DIGITS.multiply(power, Decimal(UNITS)))) + 1


def logarithms(right: IntArray) -> IntArray:
    """`logarithm` of many: by doubles where they are far enough from a whole number, which is nearly always."""
    with np.errstate(divide="ignore"):
        near = np.log(np.maximum(right, 0) / UNITS) * (1 << LOG_BITS)
    near = np.where(right > 0, near, float(LEAST_LOG))
    found: IntArray = np.maximum(np.ceil(near), LEAST_LOG).astype(np.int64)
    for place in np.flatnonzero(np.abs(near - np.rint(near)).ravel() <= _CLEAR).tolist():
        found.flat[place] = logarithm(int(right.flat[place]))
    return found


def levels_of(logs: IntArray) -> IntArray:
    """`level` of many."""
    near = UNITS * np.exp(np.minimum(logs, 0) / (1 << LOG_BITS))
    found: IntArray = np.where(logs >= 0, UNITS, np.floor(near) + 1).astype(np.int64)
    for place in np.flatnonzero((np.abs(near - np.rint(near)) <= _CLEAR) & (logs < 0)).tolist():
        found[place] = level(int(logs[place]))
    return found
