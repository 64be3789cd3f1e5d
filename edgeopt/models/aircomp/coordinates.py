"""Hermitian matrices in real coordinates, for cone programs in cvxpy.

An ``n x n`` Hermitian matrix has ``n^2`` real coordinates in an orthonormal basis (diagonal, then real and imaginary
parts above it, times ``sqrt(2)``). It is positive semidefinite iff the symmetric ``[[Re, -Im], [Im, Re]]`` is.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from scipy import sparse

from edgeopt.errors import BackendError
from edgeopt.instances.aircomp.instance import ComplexArray, FloatArray


def cvxpy() -> Any:
    """The library.

    Raises
    ------
    BackendError
        If it is not installed.
    """
    try:
        import cvxpy as library
    except ModuleNotFoundError as error:
        raise BackendError("this needs cvxpy: pip install 'edgeopt[convex]' (the extra convex)") from error
    return library


@lru_cache(maxsize=16)
def maps(size: int) -> tuple[Any, Any]:
    """Sparse matrices from coordinates to the real and the imaginary part, column by column (n^2, n^2)."""
    upper = np.triu_indices(size, 1)
    count, half = size * size, np.sqrt(0.5)
    rows_re, columns_re, values_re = list(range(0, count, size + 1)), list(range(size)), [1.0] * size
    rows_im: list[int] = []
    columns_im: list[int] = []
    values_im: list[float] = []
    for k, (i, j) in enumerate(zip(*(index.tolist() for index in upper), strict=True)):
        real, imag = size + k, size + len(upper[0]) + k
        rows_re += [i + j * size, j + i * size]
        columns_re += [real, real]
        values_re += [half, half]
        rows_im += [i + j * size, j + i * size]
        columns_im += [imag, imag]
        values_im += [half, -half]
    shape = count, count
    return (
        sparse.csr_matrix((values_re, (rows_re, columns_re)), shape=shape),
        sparse.csr_matrix((values_im, (rows_im, columns_im)), shape=shape),
    )


def coordinates(matrices: ComplexArray) -> FloatArray:
    """Coordinates (..., n^2) of Hermitian matrices (..., n, n)."""
    size = matrices.shape[-1]
    i, j = np.triu_indices(size, 1)
    diagonal = np.einsum("...ii->...i", matrices).real
    above = matrices[..., i, j] * np.sqrt(2.0)
    return np.concatenate([diagonal, above.real, above.imag], axis=-1)


def matrix_of(values: FloatArray) -> ComplexArray:
    """The Hermitian matrix of coordinates."""
    size = round(len(values) ** 0.5)
    real, imag = maps(size)
    flat = real @ values + 1j * (imag @ values)
    found: ComplexArray = flat.reshape(size, size, order="F")
    return found


def congruence(channel: ComplexArray) -> FloatArray:
    """The linear map ``G -> H^H G H`` in coordinates, (Nt^2, Nr^2)."""
    antennas = channel.shape[1]
    real, imag = maps(antennas)
    basis = (real + 1j * imag).toarray().T.reshape(-1, antennas, antennas).transpose(0, 2, 1)
    # <F, H^H G H> = <H F H^H, G>
    return coordinates(channel @ basis @ channel.conj().T)


def parts(library: Any, vector: Any, size: int) -> tuple[Any, Any]:
    """Real and imaginary part of the matrix of a vector of coordinates, as expressions."""
    real, imag = maps(size)
    shape = size, size
    return library.reshape(real @ vector, shape, order="F"), library.reshape(imag @ vector, shape, order="F")


def semidefinite(library: Any, real: Any, imag: Any) -> Any:
    """The constraint that a Hermitian matrix is positive semidefinite."""
    return library.bmat([[real, -imag], [imag, real]]) >> 0


def trace(vector: Any, size: int) -> Any:
    """Trace of the matrix of a vector of coordinates."""
    return sum(vector[k] for k in range(size))
