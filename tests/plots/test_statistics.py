"""Means with their intervals."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.plots.statistics import Mean, mean_of

VALUES = st.lists(st.integers(0, 1000).map(float), min_size=2, max_size=30)


def test_students_interval() -> None:
    found = mean_of([1.0, 2.0, 3.0, 4.0])
    assert found.mean == 2.5
    # t(3, 0.975) = 3.18245, standard error = 1.29099 / 2
    assert found.low == pytest.approx(2.5 - 3.18245 * 1.290994 / 2, rel=1e-5)
    assert found.high == pytest.approx(2.5 + 3.18245 * 1.290994 / 2, rel=1e-5)


def test_the_interval_ends_where_the_quantity_does() -> None:
    found = mean_of([0.5, 1.0], least=0, most=1)
    assert found == Mean(0.75, 0.0, 1.0)
    assert mean_of([0.5, 1.0], least=0).high == mean_of([0.5, 1.0]).high


def test_no_value_has_no_mean() -> None:
    found = mean_of([])
    assert math.isnan(found.mean)
    assert found[1:] == (None, None)


def test_one_seed_leaves_the_interval_open() -> None:
    assert mean_of([7.0]) == Mean(7.0, None, None)


@given(VALUES)
def test_the_interval_holds_the_mean_and_shrinks_with_repeats(values: list[float]) -> None:
    once, often = mean_of(values), mean_of(values * 4)
    assert once.low is not None
    assert once.high is not None
    assert often.low is not None
    assert once.low <= once.mean <= once.high
    assert often.mean == pytest.approx(once.mean)
    assert once.mean - once.low == 0 or often.mean - often.low < once.mean - once.low
