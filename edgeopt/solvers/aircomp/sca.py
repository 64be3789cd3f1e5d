"""The published long-term stage: stochastic successive convex approximation of the shares.

In step ``t`` one channel draw is sampled and its short term solved at the shares ``m_t``; the slope of its ``alpha``
by the envelope theorem, ``mu_n alpha e_n s / (P_n - e_n m_n s)`` with the normalised multipliers ``mu_n``, goes into
``d_t = (1 - rho_t) d_(t-1) + rho_t g_t``. A strongly convex surrogate with the slope ``d_t`` at ``m_t`` is minimised
over the simplex, and ``m_(t+1) = m_t + gamma_t (m* - m_t)``. The steps ``rho_t = (1 + (t-1)/10)^-0.6`` and
``gamma_t = (1 + (t-1)/10)^-0.9`` keep the published rules: both go to 0, their sums diverge, those of their squares do
not, and ``gamma/rho`` goes to 0.

Two surrogates:

- ``proximal``, the published one: ``<d_t, m - m_t> + tau/2 ||m - m_t||^2``, whose minimum is a projection. One
  curvature ``tau`` is for all devices, and the tightest one sets it.
- ``reciprocal``: the error falls with the power left as ``1/u_n``, so that is kept,
  ``sum_n d_n u_n(m_t)^2 / (e_n s) / u_n(m)`` with ``u_n(m) = P_n - e_n m_n s``. It has no parameter, each device has
  its own curvature ``2 d_n e_n s / u_n``, and no step comes near a share that would leave no power.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from edgeopt.errors import AssumptionError, InstanceError
from edgeopt.instances.aircomp import AirCompInstance
from edgeopt.instances.aircomp.instance import FloatArray
from edgeopt.result import Answer
from edgeopt.solvers.aircomp.design import STARTS, answer, designed, proof_of, require_invertible
from edgeopt.solvers.aircomp.joint import Relaxation, first_shares, most_shares
from edgeopt.solvers.aircomp.relaxed import powers_left
from edgeopt.solvers.base import Control

RHO, GAMMA, DELAY = 0.6, 0.9, 10
"""Exponents of the steps, and how many are taken before they shorten."""
STEPS = 300
TOLERANCE = 1e-4
"""Of the short term within a step; the steps themselves are noisier."""
LEAST_PART = 1e-3
"""Of the largest slope and of the highest price of computing that every device counts with, for strong convexity."""

MOST_LEVEL = 40.0
"""Logarithm of a root of slopes over the largest one that the bisection looks at, both ways."""

Surrogate = Literal["reciprocal", "proximal"]
SURROGATES: tuple[Surrogate, ...] = get_args(Surrogate)


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The way of the shares.

    Attributes
    ----------
    shares : (T + 1, N) float64
        Before each step, and at the end.
    sampled : (T,) float64
        Relaxed squared error of the sampled draw in each step.
    stopped : bool
    """

    shares: FloatArray
    sampled: FloatArray
    stopped: bool


def sca(
    instance: AirCompInstance,
    control: Control,
    *,
    steps: int = STEPS,
    surrogate: str = "reciprocal",
    curvature: float | None = None,
    starts: int = STARTS,
) -> Answer:
    """Shares by the published stochastic method, then transceivers for every draw; the bound is on all shares.

    Parameters
    ----------
    instance : AirCompInstance
        With open shares; draws are sampled from its own.
    control : Control
    steps : int
    surrogate : {"reciprocal", "proximal"}
        Ours, or the published one; see the module.
    curvature : float, optional
        ``tau`` of the proximal surrogate; when not given, that of ``alpha`` in the share of the tightest device at the
        start.
    starts : int
        Most zero-forcing descents a draw.

    Raises
    ------
    AssumptionError
        If shares are given, or a channel cannot be inverted.
    InstanceError
        If an option is out of range.
    """
    require_open(instance, "sca")
    linear = instance.design == "linear"
    if not linear:
        require_invertible(instance, "sca")
    way = trace(instance, control, steps=steps, surrogate=surrogate, curvature=curvature)
    shares = way.shares[-1]
    plan, relaxations, stopped = designed(instance, shares, control, solver="sca", linear=linear, starts=starts)
    return answer(
        instance, plan, proof_of(instance, shares, relaxations), control=control, stopped=way.stopped or stopped,
        effort={"steps": len(way.sampled)},
    )  # fmt: skip


def require_open(instance: AirCompInstance, solver: str) -> None:
    """Refuse given shares, for solvers that choose them.

    Raises
    ------
    AssumptionError
        If they are given.
    """
    if instance.shares is not None:
        raise AssumptionError(f"{solver} chooses the shares, those of {instance.name} are given (field shares)")


def trace(
    instance: AirCompInstance,
    control: Control,
    *,
    steps: int = STEPS,
    surrogate: str = "reciprocal",
    curvature: float | None = None,
) -> Trace:
    """The shares step by step; see `sca`.

    Raises
    ------
    InstanceError
        If an option is out of range.
    """
    if steps < 1:
        raise InstanceError(f"steps = {steps}: must be 1 or more")
    if surrogate not in SURROGATES:
        raise InstanceError(f"surrogate = {surrogate!r}: must be one of {', '.join(SURROGATES)}")
    if curvature is not None and surrogate != "proximal":
        raise InstanceError(f"curvature = {curvature}: is of surrogate=proximal; the other has none")
    if curvature is not None and not curvature > 0:
        raise InstanceError(f"curvature = {curvature}: must be > 0")
    rng = np.random.default_rng(control.seed)
    work = Relaxation(instance, control, tolerance=TOLERANCE)
    limits = most_shares(instance)
    shares = first_shares(instance)
    price = instance.devices.w_per_parameter * instance.layer_parameters
    mean: FloatArray = np.zeros(len(shares))
    ways, sampled = [shares], []
    tau = curvature
    for t in range(1, steps + 1):
        if control.stop():
            break
        draw = int(rng.integers(instance.draws))
        left = powers_left(instance, shares)
        found = work.relaxed(draw, left)
        work.relaxations[draw] = found
        slopes = -work.factor * found.slopes * price
        value = work.factor * found.value
        if tau is None:
            tau = 2 * float((slopes * price / left).max()) or 1.0
        rho, gamma = (1 + (t - 1) / DELAY) ** -RHO, (1 + (t - 1) / DELAY) ** -GAMMA
        mean = (1 - rho) * mean + rho * slopes
        if surrogate == "proximal":
            target = projected(shares - mean / tau, limits)
        else:
            target = least_reciprocal(shares, mean, left, price, limits)
        shares = shares + gamma * (target - shares)
        ways.append(shares)
        sampled.append(value)
        control.report(None)
    return Trace(np.array(ways), np.array(sampled), control.stop())


def projected(point: FloatArray, limits: FloatArray) -> FloatArray:
    """The shares (sum 1, from 0 to the limits) nearest to a point: ``clip(point - level)``, by bisection."""
    low, high = float((point - limits).min()) - 1.0, float(point.max())
    for _ in range(100):
        level = (low + high) / 2
        low, high = (level, high) if np.clip(point - level, 0.0, limits).sum() > 1 else (low, level)
    found = np.clip(point - high, 0.0, limits)
    result: FloatArray = found / found.sum() if found.sum() else found
    return result


def least_reciprocal(
    shares: FloatArray, slopes: FloatArray, left: FloatArray, price: FloatArray, limits: FloatArray
) -> FloatArray:
    """The shares (sum 1, from 0 to the limits) where ``sum_n d_n u_n^2 / price_n / u_n(m)`` is least.

    At the least all slopes ``d_n (u_n / u_n(m))^2`` are equal where no limit binds, so ``u_n(m)`` is ``u_n`` times the
    root of ``d_n`` over a level, which is found by bisection.

    Parameters
    ----------
    shares, slopes : (N,) float64
        ``m_t`` and ``d_t``, not negative.
    left : (N,) float64
        ``u_n(m_t)`` (W).
    price : (N,) float64
        ``e_n s`` (W), what computing a whole layer takes.
    limits : (N,) float64
    """
    if not slopes.max() > 0:
        return shares
    root = np.sqrt(np.maximum(slopes / slopes.max(), LEAST_PART))
    room = left / np.maximum(price, LEAST_PART * price.max())
    low, high = -MOST_LEVEL, MOST_LEVEL
    for _ in range(100):
        level = (low + high) / 2
        total = np.clip(shares + room * (1 - root * math.exp(-level)), 0.0, limits).sum()
        low, high = (low, level) if total > 1 else (level, high)
    found = np.clip(shares + room * (1 - root * math.exp(-low)), 0.0, limits)
    result: FloatArray = found / found.sum() if found.sum() else shares
    return result
