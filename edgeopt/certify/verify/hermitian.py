"""Matrices of complex integers: products, the trace of an inverse, and whether a matrix is positive semidefinite.

A complex integer is a pair (real, imaginary). All by integers; the elimination is that of Bareiss, in which every
division comes out even: an entry is a minor of the matrix that the elimination began with.
"""

from __future__ import annotations

from fractions import Fraction

Complex = tuple[int, int]
Matrix = list[list[Complex]]

KEPT_BITS = 120
"""Binary digits of the largest entry that a matrix keeps before it is eliminated; what is cut off is subtracted."""


def product(left: Matrix, right: Matrix) -> Matrix:
    """The product of two matrices."""
    columns = [tuple(column) for column in zip(*right, strict=True)]
    found = []
    for row in left:
        entries = []
        for column in columns:
            real = imag = 0
            for (a, b), (c, d) in zip(row, column, strict=True):
                real += a * c - b * d
                imag += a * d + b * c
            entries.append((real, imag))
        found.append(entries)
    return found


def adjoint(matrix: Matrix) -> Matrix:
    """The conjugate transpose."""
    return [[(a, -b) for a, b in column] for column in zip(*matrix, strict=True)]


def norm2(matrix: Matrix) -> int:
    """Sum of the squared moduli."""
    return sum(a * a + b * b for row in matrix for a, b in row)


def trace(matrix: Matrix) -> int:
    """Real part of the trace."""
    return sum(matrix[i][i][0] for i in range(len(matrix)))


def trace_of_inverse(matrix: Matrix) -> Fraction | None:
    """``tr(X^-1)`` of a Hermitian matrix; None where it is singular.

    Newton's and Leverrier's way to the characteristic polynomial: with ``p_k`` the traces of the powers, the
    elementary symmetric functions are ``k e_k = sum_i (-1)^(i-1) e_(k-i) p_i``; the trace is ``e_(L-1) / e_L``.
    """
    size = len(matrix)
    sums, power = [], matrix
    for k in range(size):
        power = matrix if k == 0 else product(power, matrix)
        sums.append(trace(power))
    symmetric = [1]
    for k in range(1, size + 1):
        total = sum((-1) ** (i - 1) * symmetric[k - i] * sums[i - 1] for i in range(1, k + 1))
        symmetric.append(total // k)
    return Fraction(symmetric[-2], symmetric[-1]) if symmetric[-1] else None


def is_semidefinite(matrix: Matrix) -> bool:
    """Whether a Hermitian matrix of complex integers is positive semidefinite; True is proved, False may be caution.

    Large entries are cut to `KEPT_BITS` digits, and with them an identity is subtracted that is larger than all that
    was cut off can be: each part of an entry loses less than 1, a row of ``n`` entries less than ``2 n``.
    """
    size = len(matrix)
    for i in range(size):
        for j in range(i + 1):
            if matrix[i][j] != (matrix[j][i][0], -matrix[j][i][1]):
                return False
    largest = max((matrix[i][i][0] for i in range(size)), default=0)
    cut = max(0, largest.bit_length() - KEPT_BITS)
    lost = 2 * size if cut else 0
    # the lower triangle is enough
    rows = [[(matrix[i][j][0] >> cut, matrix[i][j][1] >> cut) for j in range(i + 1)] for i in range(size)]
    for i in range(size):
        rows[i][i] = (rows[i][i][0] - lost, 0)
    return _eliminated(rows)


def _eliminated(rows: list[list[Complex]]) -> bool:
    """LDL^H without square roots or fractions: no pivot is negative, and one of 0 has a column of 0."""
    size, before = len(rows), 1
    for k in range(size):
        pivot = rows[k][k][0]
        if pivot < 0:
            return False
        if pivot == 0:
            if any(rows[i][k] != (0, 0) for i in range(k + 1, size)):
                return False
            continue
        for i in range(k + 1, size):
            a, b = rows[i][k]
            row = rows[i]
            for j in range(k + 1, i + 1):
                c, d = rows[j][k]
                e, f = row[j]
                # pivot * entry - l_i conj(l_j), over the pivot before
                row[j] = ((pivot * e - a * c - b * d) // before, (pivot * f - b * c + a * d) // before)
        before = pivot
    return True
