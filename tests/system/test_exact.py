"""Exact decimals, enclosures of log2 and exact roundings, against high-precision decimals."""

import math
from decimal import Context, Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edgeopt.system import exact
from edgeopt.system.exact import as_fraction, ceil_div_log2, floor_mul_log2, log2_enclosure

positive = st.one_of(
    st.fractions(min_value=Fraction(1, 10**6), max_value=10**6),
    st.floats(min_value=1e-30, max_value=1e30).map(as_fraction),
    st.integers(1, 10**40).map(lambda n: Fraction(10**40 + n, 10**40)),
)
factor = st.fractions(min_value=0, max_value=10**9, max_denominator=10**6)


def decimal_log2(q: Fraction, digits: int = 90) -> Fraction:
    """log2 by the decimal module, good to about `digits` decimals: an independent path."""
    with localcontext() as context:
        context.prec = digits + 60
        value = (Decimal(q.numerator) / Decimal(q.denominator)).ln() / Decimal(2).ln()
    return Fraction(value)


SLACK = Fraction(1, 10**80)
LN2 = Fraction(Context(prec=120).ln(Decimal(2)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1, Fraction(1, 10)),
        (1e30, Fraction(10**30)),
        (3.981071705534969e-21, Fraction(3981071705534969, 10**36)),
        (-2.5, Fraction(-5, 2)),
        (7, Fraction(7)),
        (Fraction(2, 3), Fraction(2, 3)),
        (np.float64(0.3), Fraction(3, 10)),
        (np.int64(12), Fraction(12)),
    ],
)
def test_as_fraction_reads_the_decimal(value: float, expected: Fraction) -> None:
    assert as_fraction(value) == expected


def test_as_fraction_keeps_integers_that_no_double_holds() -> None:
    assert as_fraction(2**80 + 1) == 2**80 + 1


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_as_fraction_reads_back(value: float) -> None:
    assert float(as_fraction(value)) == value


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_as_fraction_refuses_what_is_not_finite(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        as_fraction(value)


@pytest.mark.parametrize("value", [True, "0.1", None])
def test_as_fraction_refuses_other_types(value: object) -> None:
    with pytest.raises(TypeError):
        as_fraction(value)  # type: ignore[arg-type]


@given(positive, st.integers(1, 200))
def test_enclosure_holds_log2_and_is_narrow(q: Fraction, bits: int) -> None:
    low, high = log2_enclosure(q, bits)
    truth = decimal_log2(q)
    assert low - SLACK <= truth <= high + SLACK
    assert high - low <= Fraction(2, 2**bits)


@given(positive)
def test_enclosure_agrees_with_math(q: Fraction) -> None:
    assume(0.5 < q < 1e300)
    low, high = log2_enclosure(q, 80)
    assert math.isclose((low + high) / 2, math.log2(q), rel_tol=1e-12, abs_tol=1e-15)


@given(positive, st.integers(2, 64), st.integers(1, 4))
def test_refinement_stays_inside(q: Fraction, bits: int, times: int) -> None:
    low, high = log2_enclosure(q, bits)
    finer_low, finer_high = log2_enclosure(q, bits * 2**times)
    assert finer_low <= high
    assert low <= finer_high
    assert finer_high - finer_low <= high - low


@given(positive)
def test_log_of_the_inverse_is_the_opposite(q: Fraction) -> None:
    low, high = log2_enclosure(q, 70)
    assert log2_enclosure(1 / q, 70) == (-high, -low)


@given(st.integers(1, 10**9), st.integers(3, 10**9), st.integers(1, 60))
def test_series_are_rounded_outward(top: int, bottom: int, work: int) -> None:
    """Looks inside, where the guard bits of the enclosure would hide a rounding to the wrong side."""
    assume(3 * top <= bottom)
    low, high = exact._atanh_scaled(top, bottom, work)
    # atanh(z) = ln((1 + z) / (1 - z)) / 2
    truth = decimal_log2(Fraction(bottom + top, bottom - top)) * LN2 / 2 * 2**work
    assert low <= truth <= high
    assert high - low <= 4 * work + 8


@pytest.mark.parametrize("q", [Fraction(5, 4), Fraction(4, 5), Fraction(10**30), Fraction(3, 10**9)])
def test_a_vague_constant_widens_both_sides(q: Fraction, monkeypatch: pytest.MonkeyPatch) -> None:
    def vague(work: int) -> tuple[int, int]:
        low, high = exact._atanh_scaled(1, 3, work)
        return low * 9 // 10, high * 10 // 9

    sharp_low, sharp_high = log2_enclosure(q, 40)
    monkeypatch.setattr(exact, "_atanh_of_third", vague)
    low, high = log2_enclosure(q, 40)
    assert low < sharp_low
    assert high > sharp_high


@given(st.integers(-200, 200))
def test_powers_of_two_are_exact(exponent: int) -> None:
    assert log2_enclosure(Fraction(2) ** exponent, 5) == (Fraction(exponent), Fraction(exponent))


@pytest.mark.parametrize(
    "q",
    [
        Fraction(10**30),
        1 + Fraction(1, 10**15),
        1 + Fraction(1, 10**40),
        1 - Fraction(1, 10**15),
        Fraction(4, 3),
        Fraction(2, 3),
        Fraction(4, 3) + Fraction(1, 10**50),
        Fraction(2, 3) - Fraction(1, 10**50),
        Fraction(2**100 + 1),
        Fraction(2**100 - 1),
        Fraction(1, 10**300),
    ],
)
@pytest.mark.parametrize("bits", [1, 64, 128, 200])
def test_enclosure_at_the_edges(q: Fraction, bits: int) -> None:
    low, high = log2_enclosure(q, bits)
    truth = decimal_log2(q)
    assert low - SLACK <= truth <= high + SLACK
    assert low < high <= low + Fraction(2, 2**bits)


@given(factor, positive)
def test_ceiling_is_the_least_integer(num: Fraction, q: Fraction) -> None:
    assume(q > 1)
    least = ceil_div_log2(num, q)
    log = decimal_log2(q, 150)
    slack = Fraction(least + 1, 10**100)
    assert least * log >= num - slack
    assert least == 0 or (least - 1) * log < num + slack


@given(factor, positive)
def test_floor_is_the_greatest_integer(num: Fraction, q: Fraction) -> None:
    greatest = floor_mul_log2(num, q)
    product = num * decimal_log2(q, 150)
    slack = Fraction(10**10, 10**100)
    assert greatest <= product + slack
    assert greatest + 1 > product - slack


@given(factor, st.integers(1, 60))
def test_roundings_at_powers_of_two(num: Fraction, exponent: int) -> None:
    q = Fraction(2**exponent)
    assert ceil_div_log2(num, q) == math.ceil(num / exponent)
    assert floor_mul_log2(num, q) == math.floor(num * exponent)
    assert floor_mul_log2(num, 1 / q) == math.floor(-num * exponent)


@given(st.integers(1, 10**6), st.integers(3, 10**6))
def test_ceiling_decides_by_integer_powers(count: int, base: int) -> None:
    """``k log2(q) >= n`` iff ``q**k >= 2**n``: no logarithm at all in the check."""
    assume(base & (base - 1))
    bits = count % 2000
    least = ceil_div_log2(Fraction(bits), Fraction(base))
    assert base**least >= 2**bits
    assert least == 0 or base ** (least - 1) < 2**bits


@given(st.integers(1, 2000), st.integers(1, 10**6))
def test_floor_decides_by_integer_powers(times: int, base: int) -> None:
    greatest = floor_mul_log2(Fraction(times), Fraction(base))
    assert 2**greatest <= base**times < 2 ** (greatest + 1)


def test_nearly_an_integer_is_decided() -> None:
    """Arguments a hair beside a power of two, where any fixed precision below 100 bits is wrong."""
    hair = Fraction(1, 2**100)
    assert ceil_div_log2(Fraction(12), 8 + hair) == 4
    assert ceil_div_log2(Fraction(12), 8 - hair) == 5
    assert floor_mul_log2(Fraction(12), 8 + hair) == 36
    assert floor_mul_log2(Fraction(12), 8 - hair) == 35


def test_a_tiny_logarithm() -> None:
    assert ceil_div_log2(Fraction(1), 1 + Fraction(1, 10**15)) == 693147180559946  # ceil((1e15 + 1/2) ln 2)
    assert floor_mul_log2(Fraction(10**15), 1 + Fraction(1, 10**15)) == 1


@pytest.mark.parametrize("q", [Fraction(1), Fraction(1, 2), Fraction(0), Fraction(-3)])
def test_ceiling_needs_a_channel_that_carries(q: Fraction) -> None:
    with pytest.raises(ValueError, match="must be > 1"):
        ceil_div_log2(Fraction(1), q)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="must be > 0"):
        log2_enclosure(Fraction(0), 8)
    with pytest.raises(ValueError, match="bits"):
        log2_enclosure(Fraction(3), 0)
    with pytest.raises(ValueError, match="num"):
        ceil_div_log2(Fraction(-1), Fraction(3))
    with pytest.raises(ValueError, match="num"):
        floor_mul_log2(Fraction(-1), Fraction(3))
    with pytest.raises(ValueError, match="must be > 0"):
        floor_mul_log2(Fraction(1), Fraction(0))
