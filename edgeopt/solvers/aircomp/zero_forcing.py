"""Zero forcing by factors: the smallest worst device over ``Ghat = F F^H``, relaxed or with a receiver's own rank.

With channels scaled by ``sqrt(u_n L / L0)`` a zero-forcing receiver ``G`` with ``tr(G G^H) = 1`` needs
``alpha = max_n f_n``, ``f_n = tr[(H_n^H G G^H H_n)^-1]``. Each ``f_n`` is convex in ``Ghat = G G^H``, so the problem is
convex but for the rank of ``Ghat``, which is at most ``L``. (With fewer streams than antennas `hull` says what stands
for ``f_n``, and for the traces of ``Y_n`` below.) Here ``Ghat`` is ``F F^H`` with ``r`` columns: with
``r = L`` that is a descent on the exact problem, and with ``r^2`` more than the ``N Nt^2 + 1`` equations that
``Ghat`` enters it is the relaxation (Barvinok 1995, Pataki 1998: some optimum has no larger rank; Burer and Monteiro
2005: then local minima are global).

The maximum is smoothed by the exponential method of multipliers: minimise ``log tr(F F^H) + 1/beta log sum_n w_n
exp(beta log f_n)`` by L-BFGS, then multiply ``w_n`` by ``exp(beta log f_n)`` and normalise. The weights converge to the
multipliers, which make a lower bound: for any weights and any matrices ``Y_n``

    max_n f_n >= sum_n w_n f_n >= (sum_n w_n tr Y_n)^2 / lambda_max(sum_n w_n H_n Y_n Y_n^H H_n^H),

as ``tr(X^-1) >= 2 tr(Y) - tr(Y^H X Y)``, with equality at ``Y = X^-1``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgeopt.instances.aircomp.instance import ComplexArray, FloatArray
from edgeopt.solvers.aircomp.hull import least_trace, lumped

TOLERANCE = 1e-6
"""Relative gap between value and bound at which the relaxation ends."""
ROUNDS, STEPS = 40, 80
"""Most updates of the weights, and most L-BFGS steps between two."""
SHARPNESS, GROWTH, SHARPEST = 6.0, 1.7, 400.0
MOST_KICKS, KICK, KICKED_SHARPNESS = 4, 0.1, 20.0
KICKED_GAP = 1e-5
"""Smaller gaps between value and bound are left: there it is rounding, and no lost column."""
LEAST_WEIGHT = 1e-14
HUGE = 1e200
LEAST_SIZE = 1e-100


@dataclass(frozen=True, slots=True, eq=False)
class WorstDevice:
    """Where the method ended.

    Attributes
    ----------
    factor : (Nr, r) complex128
        ``F`` with ``tr(F F^H) = 1``.
    values : (N,) float64
        ``f_n``; the largest is ``alpha``.
    bound : float
        No ``Ghat`` of any rank has a smaller largest ``f_n``; 0 where it was not asked for.
    weights : (N,) float64
        Multipliers of the devices, which sum to 1.
    inverses : (N, Nt, Nt) complex128
        The ``Y_n`` behind the bound.
    evaluations : int
    """

    factor: ComplexArray
    values: FloatArray
    bound: float
    weights: FloatArray
    inverses: ComplexArray
    evaluations: int

    @property
    def alpha(self) -> float:
        """The largest of the values."""
        return float(self.values.max())


def relaxation_rank(devices: int, antennas: int, dimension: int) -> int:
    """Columns of a factor with which the relaxation has no local minima."""
    return min(dimension, math.isqrt(devices * antennas**2 + 1) + 1)


def basis(channels: ComplexArray) -> ComplexArray:
    """An orthonormal basis (Nr, d) of what the server can receive of the devices; nothing else is of use to it."""
    devices, server, antennas = channels.shape
    if devices * antennas >= server:
        return np.eye(server, dtype=np.complex128)
    norms = np.linalg.norm(channels, axis=(1, 2), keepdims=True)
    stacked = (channels / np.where(norms == 0, 1.0, norms)).transpose(1, 0, 2).reshape(server, -1)
    return np.ascontiguousarray(np.linalg.qr(stacked)[0])


def start_factor(channels: ComplexArray, rank: int, rng: np.random.Generator) -> ComplexArray:
    """Random combinations of what the devices' antennas are received as, each device as loud as the others."""
    devices, server, antennas = channels.shape
    norms = np.linalg.norm(channels, axis=(1, 2), keepdims=True)
    columns = (channels / np.where(norms == 0, 1.0, norms)).transpose(1, 0, 2).reshape(server, devices * antennas)
    shape = devices * antennas, rank
    return columns @ (rng.standard_normal(shape) + 1j * rng.standard_normal(shape))


def smallest_worst(
    channels: ComplexArray,
    factor: ComplexArray,
    *,
    weights: FloatArray | None = None,
    sharpness: float = SHARPNESS,
    relaxed: bool = True,
    streams: int | None = None,
    tolerance: float = TOLERANCE,
    rounds: int = ROUNDS,
    stop: Callable[[], bool] = lambda: False,
) -> WorstDevice:
    """Minimise the largest ``f_n`` over factors with as many columns as the one given.

    Parameters
    ----------
    channels : (N, Nr, Nt) complex128
        Scaled by ``sqrt(u_n L / L0)``.
    factor : (Nr, r) complex128
        Where to start.
    weights : (N,) float64, optional
        Multipliers to start from, those of a similar problem.
    sharpness : float
        ``beta`` of the first round.
    relaxed : bool
        Whether the factor stands for a matrix of any rank: then a bound is computed, and the method ends where it is
        within `tolerance` of the value. Otherwise it ends where the value does not fall any more.
    streams : int, optional
        ``L`` of the relaxation, as many as a device has antennas when not given.
    tolerance : float
    rounds : int
    stop : callable
        Polled between rounds.
    """
    count, _, antennas = channels.shape
    own_streams = streams or antennas
    work = _Work(channels, factor.shape[1], own_streams)
    point = work.packed(factor / np.linalg.norm(factor))
    own = np.full(count, 1.0 / count) if weights is None else np.maximum(weights, LEAST_WEIGHT)
    best: WorstDevice | None = None
    certified: tuple[float, FloatArray, ComplexArray] = 0.0, own, np.zeros((count, antennas, antennas), dtype=complex)
    stalled, kicks, kicked_gap = 0, 0, math.inf
    for _ in range(rounds):
        point = work.descended(point, own, sharpness)
        values, inverses = work.values(point)
        scaled = np.log(own) + sharpness * np.log(values)
        own = np.exp(scaled - scaled.max())
        own = np.maximum(own / own.sum(), LEAST_WEIGHT)
        before = math.inf if best is None else best.alpha
        if best is None or values.max() < best.alpha:
            best = WorstDevice(work.unpacked(point), values, 0.0, own, inverses, work.evaluations)
        bound_before = certified[0]
        if relaxed:
            linear = own / values
            linear /= linear.sum()
            bound = weighted_bound(channels, linear, inverses, own_streams)
            if bound > certified[0]:
                certified = bound, linear, inverses
        gained = max(before / best.alpha, certified[0] / bound_before if bound_before else 2.0) - 1
        # early rounds are not sharp enough to tell
        stalled = stalled + 1 if gained < tolerance / 10 and sharpness > SHARPEST / 10 else 0
        closed = relaxed and best.alpha <= certified[0] * (1 + tolerance)
        if closed or stop():
            break
        if stalled >= 2:
            gap = best.alpha / certified[0] - 1 if relaxed and certified[0] else math.inf
            if not relaxed or kicks == MOST_KICKS or gap < KICKED_GAP or gap > kicked_gap / 2:
                break
            kicked_gap = gap
            # a factor that has lost columns may be stationary without being optimal
            kicks, stalled, sharpness = kicks + 1, 0, KICKED_SHARPNESS
            matrix = received(channels, certified[1], certified[2])
            point = work.packed(kicked(work.unpacked(point), matrix))
            continue
        sharpness = min(sharpness * GROWTH, SHARPEST)
    assert best is not None
    bound, linear, inverses = certified if relaxed else (0.0, best.weights, best.inverses)
    return WorstDevice(best.factor, best.values, bound, linear, inverses, work.evaluations)


def kicked(factor: ComplexArray, matrix: ComplexArray) -> ComplexArray:
    """A factor of nearly the same matrix, with a little of a direction that it should have had more of.

    Parameters
    ----------
    factor : (Nr, r) complex128
        With ``tr(F F^H) = 1``; its weakest column makes room.
    matrix : (Nr, Nr) complex128
        What the slack lacks: its strongest eigenvector is the direction.
    """
    left, sizes, _ = np.linalg.svd(factor, full_matrices=False)
    found = left * sizes
    found[:, -1] += KICK * np.linalg.eigh(matrix)[1][:, -1]
    result: ComplexArray = found / np.linalg.norm(found)
    return result


def weighted_bound(channels: ComplexArray, weights: FloatArray, inverses: ComplexArray, streams: int) -> float:
    """The lower bound of the module's docstring, in floats."""
    most = np.linalg.eigvalsh(received(channels, weights, inverses))[-1]
    total = float(weights @ least_trace(inverses, streams))
    return total**2 / float(most) if most > 0 else 0.0


def received(channels: ComplexArray, weights: FloatArray, matrices: ComplexArray) -> ComplexArray:
    """``sum_n w_n H_n Y_n Y_n^H H_n^H`` (Nr, Nr)."""
    seen = np.matmul(channels, matrices) * np.sqrt(weights)[:, None, None]
    flat = seen.transpose(1, 0, 2).reshape(channels.shape[1], -1)
    found: ComplexArray = flat @ flat.conj().T
    return found


class _Work:
    """The smoothed objective and its gradient for one set of channels."""

    def __init__(self, channels: ComplexArray, columns: int, streams: int) -> None:
        self.channels = channels
        self.adjoints = np.ascontiguousarray(channels.conj().transpose(0, 2, 1))
        self.shape = channels.shape[1], columns
        self.streams = streams
        antennas = channels.shape[2]
        self.small = columns < antennas  # a design with fewer streams than antennas: invert the smaller product
        self.lumps = not self.small and streams < antennas
        self.evaluations = 0

    def packed(self, factor: ComplexArray) -> FloatArray:
        return np.concatenate([factor.real.ravel(), factor.imag.ravel()])

    def unpacked(self, point: FloatArray) -> ComplexArray:
        half = point.size // 2
        return (point[:half] + 1j * point[half:]).reshape(self.shape)

    def values(self, point: FloatArray) -> tuple[FloatArray, ComplexArray]:
        """``f_n`` and the inverses at a normalised point, by singular values, which stay positive."""
        seen = self.adjoints @ self.unpacked(point)
        left, sizes, right = np.linalg.svd(seen, full_matrices=False)
        squares = np.maximum(sizes, LEAST_SIZE) ** 2
        strengths = 1.0 / (lumped(squares, self.streams) if self.lumps else squares)
        vectors = right.conj().transpose(0, 2, 1) if self.small else left
        inverse = (vectors * strengths[:, None, :]) @ vectors.conj().transpose(0, 2, 1)
        return strengths[:, : self.streams].sum(axis=1), inverse

    def _inverse(self, seen: ComplexArray) -> tuple[FloatArray, ComplexArray] | None:
        """``f_n`` and the inverses, without the care of `values`; None where one does not exist."""
        other = seen.conj().transpose(0, 2, 1)
        try:
            if self.lumps:
                values, vectors = np.linalg.eigh(seen @ other)
                strengths = 1.0 / np.maximum(lumped(values[:, ::-1], self.streams), LEAST_SIZE)
                inverse = (vectors[:, :, ::-1] * strengths[:, None, :]) @ vectors[:, :, ::-1].conj().transpose(0, 2, 1)
                return strengths[:, : self.streams].sum(axis=1), inverse
            inverse = np.asarray(np.linalg.inv(other @ seen if self.small else seen @ other), dtype=np.complex128)
        except np.linalg.LinAlgError:
            return None
        return np.trace(inverse, axis1=1, axis2=2).real, inverse

    def descended(self, point: FloatArray, weights: FloatArray, sharpness: float) -> FloatArray:
        from scipy.optimize import minimize

        logs = np.log(weights)
        found = minimize(
            self._smooth,
            point,
            args=(logs, sharpness),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": STEPS, "maxcor": 30, "ftol": 1e-15, "gtol": 1e-9},
        )
        end: FloatArray = found.x / math.sqrt(found.x @ found.x)
        return end

    def _smooth(self, point: FloatArray, logs: FloatArray, sharpness: float) -> tuple[float, FloatArray]:
        self.evaluations += 1
        factor, size = self.unpacked(point), float(point @ point)
        seen = self.adjoints @ factor  # H_n^H F
        found = self._inverse(seen)
        if found is None:
            return HUGE, np.zeros_like(point)
        values, inverse = found
        if not (values > 0).all() or not np.isfinite(values).all():
            return HUGE, np.zeros_like(point)
        scaled = logs + sharpness * (np.log(values) + math.log(size))
        top = scaled.max()
        parts = np.exp(scaled - top)
        total = parts.sum()
        slopes = (-2.0 * parts / total / values)[:, None, None]
        square = inverse @ inverse
        moved = seen @ square if self.small else square @ seen
        gradient = np.tensordot(self.channels, slopes * moved, axes=([0, 2], [0, 1])) + (2.0 / size) * factor
        return (top + math.log(total)) / sharpness, self.packed(gradient)
