"""The relaxation of one channel draw at given shares: its value, its bound, and the slopes in the powers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from edgeopt.instances.aircomp.instance import AirCompInstance, ComplexArray, DesignClass, FloatArray
from edgeopt.solvers.aircomp import linear, zero_forcing
from edgeopt.solvers.aircomp.hull import least_trace
from edgeopt.solvers.aircomp.proof import Inequality

LEAST_RANK = 1e-9
"""A channel whose singular values fall by more than this cannot be inverted."""
STUCK = 1.001
"""Ratio of error to bound above which the relaxation over all linear designs is tried from zero forcing, too."""


@dataclass(frozen=True, slots=True, eq=False)
class Relaxed:
    """A relaxed draw.

    Attributes
    ----------
    value, bound : float
        ``alpha`` (of zero forcing) or squared error: what the relaxation reached, and what nothing is below.
    factor : (Nr, r) complex128
        In the units of `Scaled`.
    weights : (N,) float64
    matrices : (N, Nt, Nt) complex128
        Of the proof, in physical units.
    warm : (N,) float64
        Multipliers to start a similar draw from.
    slopes : (N,) float64
        Change of the value with each device's power left (1/W), not positive.
    """

    value: float
    bound: float
    factor: ComplexArray
    weights: FloatArray
    matrices: ComplexArray
    warm: FloatArray
    slopes: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """A draw in units in which every device may send 1 and the largest channel is 1.

    Attributes
    ----------
    channels : (N, d, Nt) complex128
        In the basis of what the devices span.
    basis : (Nr, d) complex128
    size : float
        What the channels were divided by.
    noise : float
        ``sigma^2`` in these units.
    """

    channels: ComplexArray
    basis: ComplexArray
    size: float
    noise: float


def scaled(instance: AirCompInstance, draw: int, left: FloatArray) -> Scaled:
    """A draw with the powers left for sending (W, > 0) in units of its own."""
    factor = np.sqrt(left * instance.streams / instance.vector_length)
    channels = instance.channels[draw] * factor[:, None, None]
    size = float(np.sqrt((np.abs(channels) ** 2).sum(axis=(1, 2)).max())) or 1.0
    channels = channels / size
    own = zero_forcing.basis(channels)
    return Scaled(own.conj().T @ channels, own, size, instance.noise_w / size**2)


def powers_left(instance: AirCompInstance, shares: FloatArray) -> FloatArray:
    """``u_n = P_n - e_n m_n s`` (W), in floats."""
    found: FloatArray = instance.devices.power_w - instance.devices.w_per_parameter * shares * instance.layer_parameters
    return found


def inequality_of(instance: AirCompInstance) -> Inequality:
    """What bounds the designs of an instance from below."""
    return "inverse" if instance.design == "zero-forcing" else "error"


def invertible(channels: ComplexArray) -> bool:
    """Whether every channel can be inverted, to numerical precision."""
    sizes = np.linalg.svd(channels, compute_uv=False)
    return bool((sizes[:, -1] > LEAST_RANK * sizes[:, 0]).all())


def relax(
    instance: AirCompInstance,
    draw: int,
    left: FloatArray,
    rng: np.random.Generator,
    *,
    warm: Relaxed | None = None,
    tolerance: float = zero_forcing.TOLERANCE,
    kind: Inequality | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Relaxed:
    """Solve the relaxation of a draw.

    Parameters
    ----------
    instance : AirCompInstance
    draw : int
    left : (N,) float64
        Power left for sending (W), > 0.
    rng : numpy.random.Generator
        For the start, where there is none.
    warm : Relaxed, optional
        The same draw at other powers, to start from.
    tolerance : float
        Relative gap between value and bound.
    kind : {"inverse", "error"}, optional
        Which relaxation; that of the instance's designs when not given.
    stop : callable
    """
    own = scaled(instance, draw, left)
    repeats = instance.vector_length / instance.streams
    count = len(left)
    if (kind or inequality_of(instance)) == "inverse":
        rank = zero_forcing.relaxation_rank(count, instance.shape[2], own.channels.shape[1])
        found = zero_forcing.smallest_worst(
            own.channels,
            zero_forcing.start_factor(own.channels, rank, rng) if warm is None else warm.factor,
            weights=None if warm is None else warm.warm,
            sharpness=zero_forcing.SHARPNESS if warm is None else 40.0,
            streams=instance.streams,
            tolerance=tolerance,
            stop=stop,
        )
        # physical: X = X_scaled size^2 kappa / u, so that kappa tr(X^-1) / u = f / size^2
        matrices = found.inverses * (left / repeats)[:, None, None] / own.size**2
        omega = found.weights * repeats / left
        most = float(np.linalg.eigvalsh(zero_forcing.received(instance.channels[draw], omega, matrices))[-1])
        total = float(omega @ least_trace(matrices, instance.streams))
        alpha = found.alpha / own.size**2
        return Relaxed(
            value=alpha,
            bound=found.bound / own.size**2,
            factor=found.factor,
            weights=found.weights,
            matrices=matrices * (total / most if most > 0 else 1.0),
            warm=zero_forcing_weights(found),
            slopes=-found.weights * found.values / own.size**2 / left,
        )
    streams = instance.streams
    if warm is None:
        rank = zero_forcing.relaxation_rank(count, instance.shape[2], own.channels.shape[1])
        start = zero_forcing.start_factor(own.channels, rank, rng)
        start /= np.linalg.norm(start)
    else:
        start = warm.factor
    point = linear.descend(own.channels, own.noise, start, streams, relaxed=True, tolerance=tolerance, stop=stop)
    if point.error > point.bound * STUCK and invertible(own.channels) and not stop():
        point = _from_zero_forcing(own, streams, point, rng, stop)
    return Relaxed(
        value=point.error,
        bound=point.bound,
        factor=point.factor,
        weights=point.multipliers * repeats / left,
        matrices=point.inverses * (left / repeats)[:, None, None],
        warm=point.multipliers,
        slopes=-point.multipliers / left,
    )


def _from_zero_forcing(
    own: Scaled, streams: int, point: linear.LinearPoint, rng: np.random.Generator, stop: Callable[[], bool]
) -> linear.LinearPoint:
    """Where noise is next to nothing budgets act as steep penalties: start from zero forcing and its multipliers.

    At ``A = sqrt(alpha) G`` the slack of the error is 0 with ``l_n = sigma^2 alpha w_n``.
    """
    count, _, antennas = own.channels.shape
    rank = zero_forcing.relaxation_rank(count, antennas, own.channels.shape[1])
    start = zero_forcing.start_factor(own.channels, rank, rng)
    forced = zero_forcing.smallest_worst(own.channels, start, streams=streams, stop=stop)
    other = linear.descend(
        own.channels, own.noise, math.sqrt(forced.alpha) * forced.factor, streams, relaxed=True,
        levels=own.noise * forced.alpha * forced.weights, stop=stop,
    )  # fmt: skip
    reached, shown = min(point, other, key=lambda p: p.error), max(point, other, key=lambda p: p.bound)
    return replace(shown, factor=reached.factor, error=reached.error)


def zero_forcing_weights(found: zero_forcing.WorstDevice) -> FloatArray:
    """Multipliers of the logarithms, from which the method starts again."""
    logs = found.weights * found.values
    result: FloatArray = np.maximum(logs / logs.sum(), zero_forcing.LEAST_WEIGHT)
    return result


def class_name(design: DesignClass) -> str:
    """In words."""
    return "zero-forcing designs" if design == "zero-forcing" else "linear designs"
