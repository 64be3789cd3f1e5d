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
from edgeopt.models.aircomp.cones import error_rows, solved
from edgeopt.models.aircomp.coordinates import congruence, cvxpy, parts, semidefinite, trace


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
    cp = cvxpy()
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
    total, first = 0, None
    for draw in channels / size:
        vector = cp.Variable(draw.shape[1] ** 2)
        unit = float((np.abs(draw) ** 2).sum(axis=(1, 2)).mean()) ** -1 * draw.shape[1]
        seen = [parts(cp, (congruence(channel) * unit) @ vector, draw.shape[2]) for channel in draw]
        rows.append(semidefinite(cp, *parts(cp, vector, draw.shape[1])))
        own = trace(vector, draw.shape[1])
        if zero_forcing:
            alpha, more = _alpha(cp, own, seen, left)
            total, rows = total + unit * alpha, rows + more
        else:
            error, more = _error(cp, own, seen, left, instance.noise_w / size**2 * unit)
            total, rows = total + error, rows + more
        first = vector if first is None else first
    problem = cp.Problem(cp.Minimize(total / instance.draws), rows)
    value, status = solved(problem, first, engine, time_limit)
    factor = instance.noise_w / size**2 if zero_forcing else 1.0
    chosen = np.maximum(np.asarray(shares.value, dtype=np.float64), 0.0)
    return JointOptimum(chosen / chosen.sum(), value * factor, status)


def _alpha(cp: Any, size: Any, seen: list[Any], left: Any) -> tuple[Any, list[Any]]:
    """``alpha`` of a draw: ``h_n u_n alpha >= 1`` and ``h_n <= 1 / tr(X_n^-1)`` by ``[[X, h I], [h I, W]]``."""
    alpha, rows = cp.Variable(), [size == 1]
    antennas = seen[0][0].shape[0]
    eye, zero = np.eye(antennas), np.zeros((antennas, antennas))
    for n, (real, imag) in enumerate(seen):
        height, inverse = cp.Variable(), cp.Variable(antennas**2)
        own_real, own_imag = parts(cp, inverse, antennas)
        diagonal = height * eye
        rows += [
            semidefinite(
                cp, cp.bmat([[real, diagonal], [diagonal, own_real]]), cp.bmat([[imag, zero], [zero, own_imag]])
            ),
            trace(inverse, antennas) <= height,
            cp.geo_mean(cp.hstack([height, left[n], alpha])) >= 1,
        ]
    return alpha, rows


def _error(cp: Any, size: Any, seen: list[Any], left: Any, noise: float) -> tuple[Any, list[Any]]:
    """Squared error of a draw, as in `edgeopt.models.aircomp.cones`, with the power left as the limit."""
    total: Any = noise * size
    rows: list[Any] = []
    for n, own in enumerate(seen):
        error, sent, more = error_rows(cp, own, own[0].shape[0])
        rows += [*more, sent <= left[n]]
        total = total + cp.sum_squares(error)
    return total, rows
