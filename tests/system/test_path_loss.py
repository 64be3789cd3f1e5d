"""Path loss against the sources' own numbers and against its symmetries."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.system.path_loss import (
    SPEED_OF_LIGHT_M_PER_S,
    free_space_gain,
    log_distance_gain,
    manhattan_gain,
)
from edgeopt.system.radio import linear_to_db

offset = st.floats(min_value=-2000, max_value=2000)


def loss_db(gain: object) -> float:
    return float(-linear_to_db(gain))  # type: ignore[arg-type]


def test_free_space_is_the_textbook_formula() -> None:
    """32.45 + 20 lg(d/km) + 20 lg(f/MHz) dB."""
    assert loss_db(free_space_gain(100.0, 2.4e9)) == pytest.approx(32.45 - 20 + 20 * math.log10(2400), abs=0.01)
    assert loss_db(free_space_gain(1000.0, 1e6)) == pytest.approx(32.45, abs=0.01)


@given(st.floats(1.0, 1e5), st.floats(1e8, 1e11))
def test_free_space_falls_with_the_square(distance: float, frequency: float) -> None:
    near, far = free_space_gain([distance, 10 * distance], frequency)
    assert near == pytest.approx(100 * far, rel=1e-9, abs=0)
    same = log_distance_gain(distance, 2.0, free_space_gain(1.0, frequency))
    assert same == pytest.approx(near, rel=1e-9, abs=0)


def test_log_distance() -> None:
    assert log_distance_gain(100.0, 3.5, 1e-4, 10.0) == pytest.approx(1e-4 * 10**-3.5, rel=1e-12, abs=0)


def test_manhattan_in_sight_by_hand() -> None:
    # 5 GHz, 10 m and 1.5 m antennas: break point 4 * 9 * 0.5 * 5e9 / c = 300.2 m
    options = {"frequency_hz": 5e9, "base_height_m": 10.0, "mobile_height_m": 1.5}
    assert loss_db(manhattan_gain(100.0, 0.0, **options)) == pytest.approx(22.7 * 2 + 41.0)
    beyond = 40 * 3 + 9.45 - 17.3 * math.log10(9.0) - 17.3 * math.log10(0.5)
    assert loss_db(manhattan_gain(1000.0, 0.0, **options)) == pytest.approx(beyond)


def test_manhattan_around_the_corner_by_hand() -> None:
    options = {"frequency_hz": 5e9, "base_height_m": 10.0, "mobile_height_m": 1.5}

    def leg(a: float, b: float) -> float:
        slope = max(2.8 - 0.0024 * a, 1.84)
        return 22.7 * math.log10(a) + 41.0 + 20 - 12.5 * slope + 10 * slope * math.log10(b)

    expected = min(leg(100.0, 50.0), leg(50.0, 100.0))
    assert loss_db(manhattan_gain(100.0, 50.0, **options)) == pytest.approx(expected)
    assert leg(100.0, 50.0) != pytest.approx(leg(50.0, 100.0))  # or the minimum would prove nothing


@given(st.floats(2e9, 6e9), st.floats(1.2, 30.0), st.floats(1.2, 3.0))
def test_manhattan_is_continuous_at_the_break_point(frequency: float, base: float, mobile: float) -> None:
    """Holds only with the effective heights h - 1, which is how the source means them."""
    point = 4 * (base - 1) * (mobile - 1) * frequency / SPEED_OF_LIGHT_M_PER_S
    if point < 3.1:
        return
    gains = manhattan_gain(
        [point * (1 - 1e-9), point * (1 + 1e-9)],
        0.0,
        frequency,
        base_height_m=base,
        mobile_height_m=mobile,
    )
    assert loss_db(gains[0]) == pytest.approx(loss_db(gains[1]), abs=0.05)


@given(offset, offset)
def test_manhattan_is_symmetric(along: float, across: float) -> None:
    gain = manhattan_gain(along, across)
    assert 0.0 < gain < 1.0
    assert gain == pytest.approx(manhattan_gain(across, along), rel=1e-12, abs=0)
    assert gain == pytest.approx(manhattan_gain(-along, across), rel=1e-12, abs=0)


@given(st.floats(11.0, 350.0), st.floats(11.0, 350.0))
def test_a_corner_costs(along: float, across: float) -> None:
    """Before the break point, 354 m with a 10 m antenna; the source's formulas cross far beyond it."""
    turned = manhattan_gain(along, across, base_height_m=10.0)
    assert turned < manhattan_gain(along, 0.0, base_height_m=10.0)
    assert turned < manhattan_gain(across, 0.0, base_height_m=10.0)


def test_least_distance_is_three_metres() -> None:
    assert manhattan_gain(0.0, 0.0) == manhattan_gain(3.0, 0.0) > manhattan_gain(4.0, 0.0)


def test_manhattan_broadcasts() -> None:
    gains = manhattan_gain(np.linspace(0, 500, 7)[:, None], np.array([0.0, 30.0, 300.0]))
    assert gains.shape == (7, 3)
    assert gains[5, 2] == manhattan_gain(np.linspace(0, 500, 7)[5], 300.0)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: free_space_gain(0.0, 1e9), "distance_m"),
        (lambda: free_space_gain(1.0, -1e9), "frequency_hz"),
        (lambda: log_distance_gain(1.0, 0.0, 1.0), "exponent"),
        (lambda: log_distance_gain(1.0, 2.0, math.nan), "reference_gain"),
        (lambda: manhattan_gain(math.inf, 0.0), "along_m"),
        (lambda: manhattan_gain(0.0, 0.0, 28e9), "frequency_hz"),
        (lambda: manhattan_gain(0.0, 0.0, base_height_m=1.0), "base_height_m - 1"),
        (lambda: manhattan_gain(0.0, 0.0, street_width_m=0.0), "street_width_m"),
    ],
)
def test_errors_name_the_field(call: Callable[[], object], field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field} ="):
        call()
