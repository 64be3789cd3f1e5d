"""Sums of shares at the border of the band, against fractions added one by one."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.instances.slide.band import exact_sum, fits_band, longest_fitting_prefix


@st.composite
def about_one(draw: st.DrawFn) -> list[float]:
    """Parts of the band that are equal but for some units in the last place, and one or two more or fewer of them."""
    parts = draw(st.integers(1, 12))
    count = max(0, parts + draw(st.integers(-2, 2)))
    steps = draw(st.lists(st.integers(-2, 2), min_size=count, max_size=count))
    return [1 / parts + step * math.ulp(1 / parts) for step in steps]


@given(about_one())
def test_floats_stand_for_their_exact_values(shares: list[float]) -> None:
    exact = [Fraction(share) for share in shares]
    fits = [sum(exact[:count]) <= 1 for count in range(1, len(shares) + 1)]
    assert fits_band(np.array(shares)) == fits_band(exact) == all(fits)
    assert longest_fitting_prefix(np.array(shares)) == sum(fits)


@given(st.lists(st.fractions(0, 1, max_denominator=30), max_size=9), st.sampled_from([0, 1, -1]))
def test_fractions_are_added_exactly(shares: list[Fraction], off: int) -> None:
    """Also where the sum is off the band by less than what decides nearly always."""
    total = sum(shares, Fraction(0))
    assert exact_sum(shares) == total
    assert fits_band(shares) == (total <= 1)
    if shares and total:
        filling = [share / total for share in shares] + [Fraction(off, 2**300)]
        assert fits_band(filling) == (off <= 0)


@pytest.mark.parametrize(
    ("shares", "count"), [([], 0), ([2.0], 0), ([0.1] * 12, 9), ([1 / 3] * 4, 3), ([1 / 9] * 10, 9), ([0.0] * 5, 5)]
)
def test_prefixes_by_hand(shares: list[float], count: int) -> None:
    """As floats a tenth is more than 1/10, a third and a ninth are less, and yet nine ninths add up to more than 1."""
    assert longest_fitting_prefix(np.array(shares)) == count
