"""Whether shares fit into the band, decided exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from edgeopt.instances.slide.allocation import Numbers

POINT_BITS = 256
"""Fractions are first added with so many binary places, which nearly always decides."""


def fits_band(shares: Numbers | Sequence[Fraction]) -> bool:
    """Whether ``sum y <= 1`` in exact arithmetic, floats standing for their exact value."""
    if isinstance(shares, np.ndarray):
        # each of the additions in any order loses at most 2^-53 of what all sizes add up to
        total, size = float(shares.sum()), float(np.abs(shares).sum())
        if abs(total - 1) > len(shares) * 2.0**-52 * (1 + size):
            return total < 1
        # a correctly rounded sum has the sign of the exact one
        return math.fsum([*shares.tolist(), -1.0]) <= 0
    one = 1 << POINT_BITS
    low = sum((share.numerator << POINT_BITS) // share.denominator for share in shares)
    if low > one:
        return False
    return low + len(shares) <= one or exact_sum(shares) <= 1


def exact_sum(values: Sequence[Fraction]) -> Fraction:
    """Sum of fractions, added two by two so that denominators grow late."""
    found = list(values)
    while len(found) > 1:
        odd = found[-1:] if len(found) % 2 else []
        found = [a + b for a, b in zip(found[::2], found[1::2], strict=False)] + odd
    return found[0] if found else Fraction(0)


def longest_fitting_prefix(shares: np.ndarray[tuple[int], np.dtype[np.float64]]) -> int:
    """Largest ``n`` such that the first ``n`` shares, none negative, fit into the band, exactly."""
    found = int(np.searchsorted(np.cumsum(shares), 1.0, side="right"))
    while not fits_band(shares[:found]):
        found -= 1
    while found < len(shares) and fits_band(shares[: found + 1]):
        found += 1
    return found
