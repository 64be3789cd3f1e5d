"""Fewer streams than antennas: convex functions of matrices whose rank is at most the number of streams.

A device is received through ``C = A^H H_n`` (L x Nt), so ``X = C^H C`` has at most ``L`` eigenvalues that are not 0,
and what it costs is a sum ``sum_i phi(x_i)`` over them with a convex and falling ``phi``: ``1/x`` in zero forcing,
``l / (l + x)`` else. Over matrices of any rank the largest convex function below that takes the eigenvalues of ``X``
with the smallest ones lumped: the ``k`` largest as they are, the sum of the others shared out evenly to ``L - k``, with
the least ``k`` for which nothing that is lumped is above its part. (``X`` is a mixture of matrices of rank ``L`` with
the lumped eigenvalues, which majorise its own; and the bounds below are met.) With ``L = Nt`` nothing is lumped.

The bounds. Let ``C^H = U R`` with orthonormal columns ``U`` (Nt x L), and ``Y`` any Hermitian matrix. Then
``W = (U^H Y^2 U)^(1/2) >= U^H Y U`` in the order of semidefinite matrices, and ``tr(W R R^H W) = tr(Y X Y)``. The trace
of ``U^H Q U`` is that of ``Q`` but for ``Nt - L`` dimensions, so at least ``tr Q - (Nt - L) lambda_max(Q)``. Hence

- ``tr[(C C^H)^-1] >= 2 T - tr(Y X Y)`` with ``T = tr Y - (Nt - L) lambda_max(Y)``;
- ``l tr[(l I + C C^H)^-1] >= tr Q - (Nt - L) q - l tr(Y X Y)`` with ``Q = 2 l Y - l^2 Y^2`` and any ``q`` that is not
  below its eigenvalues: ``2 l t - l^2 t^2`` with ``t = lambda_max(Y)`` where ``l t <= 1``, else 1.
"""

from __future__ import annotations

import numpy as np

from edgeopt.instances.aircomp.instance import ComplexArray, FloatArray


def lumped(eigenvalues: FloatArray, streams: int) -> FloatArray:
    """The eigenvalues (..., Nt), largest first, with the smallest ones lumped; the first ``L`` of them count.

    Those that are 0 may be a little less by rounding.
    """
    count = eigenvalues.shape[-1]
    if streams == count:
        return eigenvalues
    tails = np.cumsum(eigenvalues[..., ::-1], axis=-1)[..., ::-1][..., :streams]
    levels = tails / np.arange(streams, 0, -1)
    fits = eigenvalues[..., :streams] <= levels
    fits[..., -1] = True
    kept = np.argmax(fits, axis=-1)[..., None]
    level = np.take_along_axis(levels, kept, axis=-1)
    result: FloatArray = np.where(np.arange(count) < kept, eigenvalues, level)
    return result


def least_trace(matrices: ComplexArray, streams: int) -> FloatArray:
    """``T`` of matrices (..., Nt, Nt), which are Hermitian if there are fewer streams than antennas."""
    found: FloatArray = np.trace(matrices, axis1=-2, axis2=-1).real
    hidden = matrices.shape[-1] - streams
    return found - hidden * _largest(matrices) if hidden else found


def height(levels: FloatArray, matrices: ComplexArray, streams: int) -> FloatArray:
    """``tr Q - (Nt - L) q`` of levels ``l`` (...) and matrices ``Y`` (..., Nt, Nt)."""
    traces = np.trace(matrices, axis1=-2, axis2=-1).real
    squares = (matrices.real**2 + matrices.imag**2).sum(axis=(-2, -1))
    found: FloatArray = levels * (2 * traces - levels * squares)
    hidden = matrices.shape[-1] - streams
    if hidden:
        top = np.minimum(levels * _largest(matrices), 1.0)
        found = found - hidden * top * (2 - top)
    return found


def _largest(matrices: ComplexArray) -> FloatArray:
    return np.asarray(np.linalg.eigvalsh(matrices)[..., -1], dtype=np.float64)
