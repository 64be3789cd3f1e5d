"""Exact numbers: decimals as fractions, and base-2 logarithms with directed rounding.

Instances compile to integers: demand is rounded up and capacity down. Most of that is plain
rational arithmetic; the one irrational function is ``log2(1 + SNR)``. Here it is enclosed between
two rationals by integer arithmetic alone, and enclosed again more tightly until the integer that
is asked for is certain. No floating-point operation takes part, so no library's ``log2`` is trusted.
"""

import math
import operator
from fractions import Fraction
from functools import lru_cache
from typing import SupportsIndex

_FIRST_BITS = 64


def as_fraction(value: SupportsIndex | float | Fraction) -> Fraction:
    """Return the number that a file or a person wrote, as an exact fraction.

    A float stands for the shortest decimal that reads back as it, so ``0.1`` is 1/10 and not
    3602879701896397/2**55: numbers mean what the file says.

    Parameters
    ----------
    value : int, float or Fraction
        Integers and fractions are kept as they are.

    Raises
    ------
    ValueError
        If a float is infinite or not a number.
    TypeError
        If the value is a boolean or no number at all.
    """
    if isinstance(value, Fraction):
        return value
    if isinstance(value, bool):
        raise TypeError(f"{value!r} is a truth value, not a number; give an integer, a float or a Fraction")
    if isinstance(value, float):
        number = float(value)  # a NumPy double prints its type in its repr
        if not math.isfinite(number):
            raise ValueError(f"{number!r} has no exact value; give a finite number")
        return Fraction(repr(number))
    return Fraction(operator.index(value))


def log2_enclosure(q: Fraction, bits: int) -> tuple[Fraction, Fraction]:
    """Enclose ``log2(q)`` between two rationals.

    With ``q = 2**e m``, ``2/3 <= m <= 4/3`` and ``z = (m - 1)/(m + 1)``, ``log2(q)`` is
    ``e + atanh(z)/atanh(1/3)``. Both series are summed in integers once rounded down and once
    rounded up, the upper one with a bound on its tail.

    Parameters
    ----------
    q : Fraction
        Argument, > 0 (no unit).
    bits : int
        Precision wanted, >= 1: the enclosure is at most ``2 * 2**-bits`` wide.

    Returns
    -------
    (lower, upper) : tuple of Fraction
        ``lower <= log2(q) <= upper``, equal when `q` is a power of two.

    Raises
    ------
    ValueError
        If `q` is not positive or `bits` is below 1.
    """
    if q <= 0:
        raise ValueError(f"log2 of {q} does not exist; the argument must be > 0")
    if bits < 1:
        raise ValueError(f"bits = {bits} must be >= 1")
    power = _power_of_two(q)
    if power is not None:
        return Fraction(power), Fraction(power)
    low, high = _log2_scaled(q, bits)
    return Fraction(low, 1 << bits), Fraction(high, 1 << bits)


def ceil_div_log2(num: Fraction, q: Fraction) -> int:
    """Return ``ceil(num / log2(q))`` exactly; a demand over a spectral efficiency, rounded up.

    The refinement ends: the logarithm of a rational that is not a power of two is irrational, so
    ``num / log2(q)`` is no integer and some enclosure of it holds none.

    Parameters
    ----------
    num : Fraction
        Dividend, >= 0.
    q : Fraction
        Argument of the logarithm, > 1 (usually ``1 + SNR``).

    Raises
    ------
    ValueError
        If `num` is negative or `q` is not above 1.
    """
    if num < 0:
        raise ValueError(f"num = {num} must be >= 0")
    if q <= 1:
        raise ValueError(f"q = {q} must be > 1: a channel with log2(q) <= 0 carries nothing; check its gain")
    if num == 0:
        return 0
    power = _power_of_two(q)
    if power is not None:
        return math.ceil(num / power)
    top, bottom = num.numerator, num.denominator
    bits = _FIRST_BITS
    while True:
        low, high = _log2_scaled(q, bits)
        if low > 0:
            least = -((-top << bits) // (bottom * high))
            if least == -((-top << bits) // (bottom * low)):
                return least
        bits *= 2


def floor_mul_log2(num: Fraction, q: Fraction) -> int:
    """Return ``floor(num * log2(q))`` exactly; a bandwidth times a spectral efficiency, rounded down.

    Parameters
    ----------
    num : Fraction
        Factor, >= 0.
    q : Fraction
        Argument of the logarithm, > 0.

    Raises
    ------
    ValueError
        If `num` is negative or `q` is not positive.
    """
    if num < 0:
        raise ValueError(f"num = {num} must be >= 0")
    if q <= 0:
        raise ValueError(f"log2 of {q} does not exist; the argument must be > 0")
    power = _power_of_two(q)
    if num == 0 or power is not None:
        return math.floor(num * (power or 0))
    top, bottom = num.numerator, num.denominator
    bits = _FIRST_BITS
    while True:
        low, high = _log2_scaled(q, bits)
        floor = (top * low) // (bottom << bits)
        if floor == (top * high) // (bottom << bits):
            return floor
        bits *= 2


def _power_of_two(q: Fraction) -> int | None:
    """Return ``e`` when ``q == 2**e``, else None."""
    top, bottom = q.numerator, q.denominator
    if top & (top - 1) or bottom & (bottom - 1):
        return None
    return top.bit_length() - bottom.bit_length()


def _log2_scaled(q: Fraction, bits: int) -> tuple[int, int]:
    """Return integers around ``log2(q) * 2**bits``, for a `q` that is no power of two."""
    work = bits + bits.bit_length() + 16  # guard bits: each of the series' terms loses a few units
    top, bottom = q.numerator, q.denominator
    exponent = top.bit_length() - bottom.bit_length()  # leaves the mantissa between 1/2 and 2
    if exponent > 0:
        bottom <<= exponent
    else:
        top <<= -exponent
    if 3 * top > 4 * bottom:
        exponent, bottom = exponent + 1, 2 * bottom
    elif 3 * top < 2 * bottom:
        exponent, top = exponent - 1, 2 * top
    low, high = _atanh_scaled(abs(top - bottom), top + bottom, work)
    one_low, one_high = _atanh_of_third(work)
    low, high = (low << bits) // one_high, -((-high << bits) // one_low)
    if top < bottom:
        low, high = -high, -low
    shift = exponent << bits
    return shift + low, shift + high


def _atanh_scaled(top: int, bottom: int, work: int) -> tuple[int, int]:
    """Return integers around ``atanh(top / bottom) * 2**work``, for ``0 <= top / bottom <= 1/3``."""
    low = (top << work) // bottom
    high = low + 1
    low_square, high_square = (low * low) >> work, -((-high * high) >> work)
    low_sum = high_sum = 0
    divisor = 1
    while low:
        low_sum += low // divisor
        high_sum -= -high // divisor
        low = (low * low_square) >> work
        high = -((-high * high_square) >> work)
        divisor += 2
    # The omitted terms sum to at most high * (1 + z^2 + z^4 + ...) <= high * 9/8 for z <= 1/3.
    return low_sum, high_sum + 2 * high


@lru_cache(maxsize=16)
def _atanh_of_third(work: int) -> tuple[int, int]:
    """Return integers around ``ln(2) / 2 * 2**work``."""
    return _atanh_scaled(1, 3, work)
