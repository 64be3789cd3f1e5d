"""Logarithms to the base 2, enclosed by whole numbers alone."""

from __future__ import annotations

from fractions import Fraction


def log2(argument: Fraction, bits: int) -> tuple[Fraction, Fraction]:
    """Enclose ``log2(argument)`` for an argument of at least 1, to about ``2**-bits``; exactly for powers of two.

    After halving to ``1 <= m < 2`` each squaring gives a binary digit: whether ``m^2 >= 2``. The ends of ``m`` are
    rounded outwards; where they are on both sides of 2, ``x - 1 <= log2(x)`` below it and the other way round above it.
    """
    top, bottom = argument.numerator, argument.denominator
    whole = top.bit_length() - bottom.bit_length()
    if top < (bottom << whole if whole >= 0 else bottom) or (whole < 0 and top < bottom):
        whole -= 1
    if whole < 0:
        raise ValueError("the argument must be at least 1")
    if top == bottom << whole:
        return Fraction(whole), Fraction(whole)
    places = 2 * bits + 16
    one, two = 1 << places, 2 << places
    low = (top << places) // (bottom << whole)
    high = -((-top << places) // (bottom << whole))
    found = whole
    for step in range(bits):
        if low * low >> places >= two:
            low, high = low * low >> places + 1, -(-high * high >> places + 1)
            found = 2 * found + 1
        elif -(-high * high >> places) < two:
            low, high = low * low >> places, -(-high * high >> places)
            found = 2 * found
        else:
            low, high = low * low >> places, -(-high * high >> places)
            scale = 1 << step + 1
            return (2 * found + Fraction(low, one) - 1) / scale, (2 * found + Fraction(high, one) - 1) / scale
    return Fraction(found, 1 << bits), Fraction(found + 1, 1 << bits)
