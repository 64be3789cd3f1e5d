"""All linear transceivers: descent on the exact squared error, and its convex relaxation with a lower bound.

In units in which every device may send ``tr(B_n B_n^H) <= 1``, the best ``B_n`` for a receiver ``A`` leaves the error

    g_n(X) = max_{l >= 0}  l tr (l I + X)^-1 - l,     X = H_n^H A A^H H_n,

which is convex in ``X``; its multiplier ``l`` solves ``sum_i x_i / (l + x_i)^2 = 1`` over the eigenvalues, or is 0. So
``sigma^2 tr Ahat + sum_n g_n(H_n^H Ahat H_n)`` is convex in ``Ahat``, smooth, and exact for ``Ahat = A A^H`` where
there are as many streams as antennas. With fewer, ``L`` eigenvalues count, of the relaxation those of
`edgeopt.solvers.aircomp.hull`.

For any ``l_n >= 0`` and any matrices ``Y_n`` whose ``D = sigma^2 I - sum_n l_n H_n Y_n Y_n^H H_n^H`` is positive
semidefinite, no linear design has less than ``sum_n l_n (2 tr Y_n - l_n tr Y_n Y_n^H - 1)``; with fewer streams than
antennas `hull` says what is taken off.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgeopt.instances.aircomp.instance import ComplexArray, FloatArray
from edgeopt.solvers.aircomp.hull import height, lumped
from edgeopt.solvers.aircomp.zero_forcing import MOST_KICKS, kicked, received

TOLERANCE = 1e-6
ROUNDS, STEPS = 10, 150
NEWTON_STEPS = 60
LEAST = 1e-60


@dataclass(frozen=True, slots=True, eq=False)
class LinearPoint:
    """Where a descent ended.

    Attributes
    ----------
    factor : (Nr, r) complex128
        ``A``, or a factor of ``Ahat``.
    error : float
        Squared error; of the relaxation, a value that is not below its bound.
    multipliers : (N,) float64
        ``l_n`` of the power budgets.
    bound : float
        No linear design has less; 0 where it was not asked for.
    inverses : (N, Nt, Nt) complex128
        The ``Y_n`` behind the bound.
    evaluations : int
    """

    factor: ComplexArray
    error: float
    multipliers: FloatArray
    bound: float
    inverses: ComplexArray
    evaluations: int


def descend(
    channels: ComplexArray,
    noise: float,
    factor: ComplexArray,
    streams: int,
    *,
    relaxed: bool,
    levels: FloatArray | None = None,
    tolerance: float = TOLERANCE,
    rounds: int = ROUNDS,
    stop: Callable[[], bool] = lambda: False,
) -> LinearPoint:
    """Minimise the squared error from a receiver, or its relaxation from a factor with more columns.

    Parameters
    ----------
    channels : (N, Nr, Nt) complex128
        Scaled by ``sqrt(u_n L / L0)``.
    noise : float
        ``sigma^2``, in the same units.
    factor : (Nr, r) complex128
        Where to start; ``r = streams`` unless `relaxed`.
    streams : int
        ``L``.
    relaxed : bool
        Whether the factor stands for a matrix of any rank; then a bound is computed.
    levels : (N,) float64, optional
        Multipliers ``l_n`` that may make a good bound where the factor is now.
    tolerance : float
        Relative gap between the relaxation and its bound, at which it ends.
    rounds : int
        Most restarts of L-BFGS.
    stop : callable
        Polled between them.
    """
    from scipy.optimize import minimize

    work = _Work(channels, noise, streams, factor.shape[1], relaxed)
    point = work.sized(work.packed(factor))
    value, _ = work.error(point)
    nothing = np.zeros((len(channels), channels.shape[2], channels.shape[2]), dtype=np.complex128)
    best: tuple[float, FloatArray, ComplexArray] = 0.0, np.zeros(len(channels)), nothing
    if levels is not None:
        best = work.bound(point, levels)
    kicks, unit = 0, value or 1.0  # L-BFGS ends by absolute differences
    least = value, point
    for _ in range(rounds):
        if relaxed and least[0] <= best[0] * (1 + tolerance):
            break
        found = minimize(
            lambda p: tuple(part / unit for part in work.error(p)),
            point,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": STEPS, "maxcor": 30, "ftol": 1e-15, "gtol": 1e-12},
        )
        before = value
        point, value = found.x, float(found.fun) * unit
        if value < least[0]:
            least = value, point
        bound = best
        if relaxed:
            bound = work.bound(point)
            best = max(best, bound, key=lambda known: known[0])
        if stop():
            break
        if before - value <= tolerance / 100 * value:
            if not relaxed or kicks == MOST_KICKS:
                break
            # a factor that has lost columns may be stationary without being optimal
            kicks += 1
            factor, size = work.unpacked(point), float(np.linalg.norm(point))
            if size:
                point = work.packed(size * kicked(factor / size, received(channels, bound[1], bound[2])))
    value, point = least
    if not relaxed:
        best = 0.0, work.multipliers(point), best[2]
    return LinearPoint(work.unpacked(point), value, best[1], best[0], best[2], work.evaluations)


def best_transmit(channels: ComplexArray, receive: ComplexArray) -> ComplexArray:
    """The best ``B_n`` within ``tr(B_n B_n^H) <= 1`` for a receiver, (N, Nt, L)."""
    streams = receive.shape[1]
    seen = receive.conj().T @ channels  # A^H H_n
    left, size, right = np.linalg.svd(seen, full_matrices=False)
    levels = multipliers(size[:, :streams] ** 2)
    filtered = size / np.maximum(size**2 + levels[:, None], LEAST)
    # a stream that is not received at all is not sent
    filtered = np.where(size > 1e-12 * size.max(axis=1, keepdims=True), filtered, 0.0)
    found: ComplexArray = np.matmul(
        right.conj().transpose(0, 2, 1) * filtered[:, None, :], left.conj().transpose(0, 2, 1)
    )
    return found


def multipliers(eigenvalues: FloatArray) -> FloatArray:
    """``l_n`` with ``sum_i x_i / (l + x_i)^2 = 1``, or 0 where the sum is less than 1 already (N,).

    Newton's steps from the left, where the function is convex and falls: they never pass the root.
    """
    x = np.maximum(eigenvalues, LEAST)
    level: FloatArray = np.maximum((np.sqrt(x) - x).max(axis=1), 0.0)
    for _ in range(NEWTON_STEPS):
        base = level[:, None] + x
        excess = (x / base**2).sum(axis=1) - 1.0
        step = excess / (2.0 * (x / base**3).sum(axis=1))
        step = np.where(excess > 0, step, 0.0)
        level = level + step
        if (step <= 1e-15 * level).all():
            break
    return level


class _Work:
    """Squared error and its gradient for one set of channels."""

    def __init__(self, channels: ComplexArray, noise: float, streams: int, columns: int, relaxed: bool) -> None:
        self.channels, self.noise, self.streams = channels, noise, streams
        self.adjoints = np.ascontiguousarray(channels.conj().transpose(0, 2, 1))
        self.shape = channels.shape[1], columns
        self.relaxed = relaxed
        self.evaluations = 0

    def packed(self, factor: ComplexArray) -> FloatArray:
        return np.concatenate([factor.real.ravel(), factor.imag.ravel()])

    def unpacked(self, point: FloatArray) -> ComplexArray:
        half = point.size // 2
        return (point[:half] + 1j * point[half:]).reshape(self.shape)

    def _decomposed(self, factor: ComplexArray) -> tuple[ComplexArray, FloatArray, ComplexArray]:
        """``H_n^H F``, the eigenvalues of each ``X``, of which the first ``L`` count, and their vectors."""
        seen = self.adjoints @ factor
        values, vectors = np.linalg.eigh(seen @ seen.conj().transpose(0, 2, 1))
        values = np.maximum(values[:, ::-1], LEAST)
        kept = values.shape[1] if self.relaxed else self.streams
        values, vectors = values[:, :kept], vectors[:, :, ::-1][:, :, :kept]
        return seen, lumped(values, self.streams) if self.relaxed else values, vectors

    def multipliers(self, point: FloatArray) -> FloatArray:
        return multipliers(self._decomposed(self.unpacked(point))[1][:, : self.streams])

    def sized(self, point: FloatArray) -> FloatArray:
        """The point times the power of two with which its error is least, nearly: starts may be in other units."""
        value, _ = self.error(point)
        for factor in (2.0, 0.5):
            while (other := self.error(factor * point)[0]) < value:
                point, value = factor * point, other
        return point

    def error(self, point: FloatArray) -> tuple[float, FloatArray]:
        self.evaluations += 1
        factor = self.unpacked(point)
        seen, x, vectors = self._decomposed(factor)
        level = multipliers(x[:, : self.streams])
        base = np.maximum(level[:, None] + x, LEAST)
        left = (level[:, None] / base[:, : self.streams]).sum(axis=1) - level
        slopes = -2.0 * level[:, None] / base**2
        moved = (vectors * slopes[:, None, :]) @ (vectors.conj().transpose(0, 2, 1) @ seen)
        gradient = np.tensordot(self.channels, moved, axes=([0, 2], [0, 1])) + 2.0 * self.noise * factor
        return self.noise * float(point @ point) + float(left.sum()), self.packed(gradient)

    def bound(self, point: FloatArray, levels: FloatArray | None = None) -> tuple[float, FloatArray, ComplexArray]:
        """A lower bound with its multipliers and matrices, which are scaled until ``D`` is positive semidefinite."""
        _, x, vectors = self._decomposed(self.unpacked(point))
        level = multipliers(x[:, : self.streams]) if levels is None else levels
        inverse = 1.0 / np.maximum(level[:, None] + x, LEAST)
        matrices = (vectors * inverse[:, None, :]) @ vectors.conj().transpose(0, 2, 1)
        used = level > 0
        matrices[~used] = 0.0
        most = float(np.linalg.eigvalsh(received(self.channels, level, matrices))[-1])
        matrices *= math.sqrt(min(1.0, self.noise / most)) if most > 0 else 1.0
        return float((height(level, matrices, self.streams) - level).sum()), level, matrices
