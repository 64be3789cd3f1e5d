"""Matrices of Gaussian rationals: complex integers of any size times a power of two, as doubles are.

Doubles are read as the numbers that they are, so nothing here is rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.object_]
"""Python integers."""


@dataclass(frozen=True, slots=True, eq=False)
class Gaussian:
    """``(real + i imag) 2^exponent``.

    Attributes
    ----------
    real, imag : array of int
        Of one shape; the last two axes are those of matrices.
    exponent : int
    """

    real: Whole
    imag: Whole
    exponent: int

    @classmethod
    def of(cls, values: Any) -> Gaussian:
        """Exactly these doubles, real or complex."""
        given = np.asarray(values, dtype=np.complex128)
        parts = np.stack([given.real, given.imag])
        mantissa, power = np.frexp(parts)
        used = power[parts != 0]
        least = int(used.min()) if used.size else 0
        whole = (mantissa * 2.0**53).astype(np.int64).astype(object)
        # 53 binary digits of a double may end in zeros, of all of them at once
        shifted = np.left_shift(whole, np.maximum(power.astype(np.int64) - least, 0).astype(object))
        zeros = _common_zeros(shifted)
        shifted = np.right_shift(shifted, zeros)
        return cls(shifted[0], shifted[1], least - 53 + zeros)

    def __getitem__(self, place: Any) -> Gaussian:
        """Some of the matrices or rows."""
        return Gaussian(self.real[place], self.imag[place], self.exponent)

    @property
    def adjoint(self) -> Gaussian:
        """Conjugate transpose of a matrix."""
        return Gaussian(self.real.swapaxes(-1, -2), -self.imag.swapaxes(-1, -2), self.exponent)

    def __matmul__(self, other: Gaussian) -> Gaussian:
        return Gaussian(
            self.real @ other.real - self.imag @ other.imag,
            self.real @ other.imag + self.imag @ other.real,
            self.exponent + other.exponent,
        )

    def trace(self) -> Fraction:
        """Real part of the trace of a matrix."""
        return int(self.real.trace()) * power_of_two(self.exponent)

    def norm2(self) -> Fraction:
        """Sum of the squared moduli."""
        total = sum((int(a) ** 2 for part in (self.real, self.imag) for a in part.ravel().tolist()), 0)
        return total * power_of_two(2 * self.exponent)

    def distance2_from_identity(self) -> Fraction:
        """``||X - I||_F^2`` of a square matrix."""
        size = len(self.real)
        return self.norm2() - 2 * self.trace() + size


def power_of_two(exponent: int) -> Fraction:
    """``2^exponent``."""
    return Fraction(1 << exponent) if exponent >= 0 else Fraction(1, 1 << -exponent)


def trace_of_inverse(matrix: Gaussian) -> Fraction | None:
    """``tr(X^-1)`` of a Hermitian matrix; None where it is singular.

    By the characteristic polynomial (Faddeev, LeVerrier), whose coefficients are integers.
    """
    size = len(matrix.real)
    real, imag = matrix.real, matrix.imag
    eye = np.eye(size, dtype=np.int64).astype(object)
    power_real, power_imag = eye * 0, eye * 0
    coefficient, before = 1, 0
    for k in range(1, size + 1):
        power_real, power_imag = (
            real @ power_real - imag @ power_imag + coefficient * eye,
            real @ power_imag + imag @ power_real,
        )
        trace = int((real * power_real.T).sum() - (imag * power_imag.T).sum())
        before, coefficient = coefficient, -trace // k
    if coefficient == 0:
        return None
    return Fraction(-before, coefficient) * power_of_two(-matrix.exponent)


def _common_zeros(values: Whole) -> int:
    every = 0
    for value in values.ravel().tolist():
        every |= abs(value)
    return (every & -every).bit_length() - 1 if every else 0
