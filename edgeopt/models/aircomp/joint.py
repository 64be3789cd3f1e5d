"""Shares and relaxed transceivers of all draws together: one cone program in cvxpy, the exact joint model.

The proposition behind it (docs/aircomp.md): ``tr(X^-1) / u`` is convex in ``(X, u)`` together, and the power left
``u_n = P_n - e_n m_n s`` is affine in the shares, so that the mean over the draws of the relaxed ``alpha`` or squared
error is convex in the shares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeopt.instances.aircomp.instance import AirCompInstance, FloatArray
from edgeopt.models.aircomp.cones import _cvxpy, solved


@dataclass(frozen=True, slots=True, eq=False)
class JointOptimum:
    """What the solver found: a word, no proof.

    Attributes
    ----------
    shares : (N,) float64
    error : float
        Mean squared error of the relaxation.
    status : str
    """

    shares: FloatArray
    error: float
    status: str


def joint_optimum(
    instance: AirCompInstance, *, engine: str = "clarabel", time_limit: float | None = None
) -> JointOptimum:
    """Solve the joint relaxation of an instance as one cone program.

    Parameters
    ----------
    instance : AirCompInstance
        With as many streams as antennas; its shares are chosen even where they are given.
    engine : {"clarabel", "scs"}
    time_limit : float, optional
        Of the solver (s).

    Raises
    ------
    BackendError
        If cvxpy or the solver is not installed, or it ends without a solution.
    """
    cp = _cvxpy()
    count, _, _ = instance.shape
    compiled = instance.compiled
    shares = cp.Variable(count, nonneg=True)
    power = np.array([float(p) for p in compiled.power])
    whole = np.array([float(e) for e in compiled.whole])
    limit = np.array([float(m) for m in compiled.limit])
    # in units in which the largest channel is 1 with all of its power
    strength = np.sqrt(power * instance.streams / instance.vector_length)
    channels = instance.channels * strength[None, :, None, None]
    size = float(np.sqrt((np.abs(channels) ** 2).sum(axis=(2, 3)).max()))
    left = 1 - cp.multiply(whole / power, shares)
    rows = [cp.sum(shares) == 1, shares <= limit]
    zero_forcing = instance.design == "zero-forcing"
    build = _alpha if zero_forcing else _error
    total, matrix = 0, None
    for draw in channels / size:
        matrix, value, more = build(cp, draw, left, instance.noise_w / size**2)
        total, rows = total + value, rows + more
    problem = cp.Problem(cp.Minimize(total / instance.draws), rows)
    found = solved(cp, problem, matrix, engine, time_limit)
    unit = instance.noise_w / size**2 if zero_forcing else 1.0
    chosen = np.maximum(np.asarray(shares.value, dtype=np.float64), 0.0)
    return JointOptimum(chosen / chosen.sum(), found.value * unit, found.status)


def _alpha(cp: Any, draw: Any, left: Any, noise: float) -> tuple[Any, Any, list[Any]]:
    """``alpha`` of a draw: ``h_n u_n alpha >= 1`` and ``h_n <= 1 / tr(X_n^-1)`` by ``[[X, h I], [h I, W]]``."""
    count, server, antennas = draw.shape
    matrix = cp.Variable((server, server), hermitian=True)
    alpha, rows = cp.Variable(), [matrix >> 0, cp.real(cp.trace(matrix)) == 1]
    for n in range(count):
        product = draw[n].conj().T @ matrix @ draw[n]
        height = cp.Variable()
        inverse = cp.Variable((antennas, antennas), hermitian=True)
        diagonal = height * np.eye(antennas)
        rows += [
            cp.bmat([[product, diagonal], [diagonal, inverse]]) >> 0,
            cp.real(cp.trace(inverse)) <= height,
            cp.geo_mean(cp.hstack([height, left[n], alpha])) >= 1,
        ]
    return matrix, alpha, rows


def _error(cp: Any, draw: Any, left: Any, noise: float) -> tuple[Any, Any, list[Any]]:
    """Squared error of a draw, as in `edgeopt.models.aircomp.cones`, with the power left as the limit."""
    count, server, antennas = draw.shape
    matrix = cp.Variable((server, server), hermitian=True)
    total, rows = noise * cp.real(cp.trace(matrix)), [matrix >> 0]
    for n in range(count):
        product = draw[n].conj().T @ matrix @ draw[n]
        error = cp.Variable((antennas, antennas), complex=True)
        sent = cp.Variable((antennas, antennas), hermitian=True)
        kept = np.eye(antennas) - error
        rows += [
            cp.bmat([[product, kept], [cp.conj(kept).T, sent]]) >> 0,
            cp.real(cp.trace(sent)) <= left[n],
        ]
        total = total + cp.sum_squares(error)
    return matrix, total, rows
