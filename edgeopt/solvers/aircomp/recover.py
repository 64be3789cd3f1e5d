"""From the relaxation to a receiver: rank truncation, Gaussian randomisation, and descent on the exact objective."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.aircomp.compiled import CompiledAirComp
from edgeopt.instances.aircomp.exact import Gaussian
from edgeopt.instances.aircomp.instance import AirCompInstance, ComplexArray, FloatArray
from edgeopt.instances.aircomp.plan import Design, exact_error
from edgeopt.instances.aircomp.validate import exact_shares
from edgeopt.solvers.aircomp import linear, zero_forcing
from edgeopt.solvers.aircomp.relaxed import Scaled

Recovery = Literal["truncation", "randomisation", "descent"]
RECOVERIES: tuple[Recovery, ...] = get_args(Recovery)
SAMPLES = 100
"""Receivers drawn in randomisation."""
GOOD_ENOUGH = 1.003
"""No further descent is started where the ratio to the bound is below this."""
DESCENT_TOLERANCE = 1e-7


def worst_of(channels: ComplexArray, receive: ComplexArray) -> float:
    """``alpha`` of a receiver in scaled units: ``max_n tr[(G^H H_n H_n^H G)^-1] tr(G G^H)``; infinite if singular."""
    seen = receive.conj().T @ channels
    sizes = np.linalg.svd(seen, compute_uv=False)
    with np.errstate(divide="ignore", over="ignore"):
        worst = float((1.0 / sizes**2).sum(axis=1).max())
    return worst * float(np.linalg.norm(receive)) ** 2


def truncated(factor: ComplexArray, streams: int) -> ComplexArray:
    """The strongest directions of ``F F^H``, each with its strength."""
    left, size, _ = np.linalg.svd(factor, full_matrices=False)
    found: ComplexArray = left[:, :streams] * size[:streams]
    return found


def randomised(
    channels: ComplexArray, factor: ComplexArray, streams: int, rng: np.random.Generator, samples: int = SAMPLES
) -> ComplexArray:
    """The best of receivers whose columns are drawn from ``CN(0, F F^H)``, and of the truncated one."""
    best = truncated(factor, streams)
    least = worst_of(channels, best)
    shape = factor.shape[1], streams
    for _ in range(samples):
        drawn = factor @ (rng.standard_normal(shape) + 1j * rng.standard_normal(shape))
        worst = worst_of(channels, drawn)
        if worst < least:
            best, least = drawn, worst
    return best


def recovered(
    own: Scaled,
    factor: ComplexArray,
    streams: int,
    recovery: Recovery,
    rng: np.random.Generator,
    *,
    bound: float = 0.0,
    starts: int = 1,
    stop: Callable[[], bool] = lambda: False,
) -> ComplexArray:
    """Zero-forcing directions (Nr, L) with ``tr(G G^H) = 1``.

    Parameters
    ----------
    own : Scaled
    factor : (d, r) complex128
        Of the relaxation.
    streams : int
    recovery : {"truncation", "randomisation", "descent"}
    rng : numpy.random.Generator
    bound : float
        On ``alpha`` in scaled units: descents end where it is nearly met.
    starts : int
        Most descents: from the truncated receiver, then from randomised ones.
    stop : callable
    """
    if recovery not in RECOVERIES:
        raise InstanceError(f"recovery = {recovery!r}: must be one of {', '.join(RECOVERIES)}")
    if recovery == "truncation":
        found = truncated(factor, streams)
    elif recovery == "randomisation":
        found = randomised(own.channels, factor, streams, rng)
    else:
        found = _descended(own, factor, streams, rng, bound, starts, stop)
    found = own.basis @ found
    norm = np.linalg.norm(found)
    result: ComplexArray = found / norm if norm else found
    return result


def _descended(
    own: Scaled,
    factor: ComplexArray,
    streams: int,
    rng: np.random.Generator,
    bound: float,
    starts: int,
    stop: Callable[[], bool],
) -> ComplexArray:
    best, least = truncated(factor, streams), math.inf
    for attempt in range(max(1, starts)):
        start = best
        if attempt:
            start = randomised(own.channels, factor, streams, rng, samples=5)
        if not math.isfinite(worst_of(own.channels, start)):
            start = zero_forcing.start_factor(own.channels, streams, rng)
        found = zero_forcing.smallest_worst(own.channels, start, relaxed=False, tolerance=DESCENT_TOLERANCE, stop=stop)
        if found.alpha < least:
            best, least = found.factor, found.alpha
        if least <= bound * GOOD_ENOUGH or stop():
            break
    return best


def linear_design(
    instance: AirCompInstance,
    draw: int,
    own: Scaled,
    shares: FloatArray,
    starts: list[ComplexArray],
    zero_forcing_design: Design,
    left: FloatArray,
    stop: Callable[[], bool] = lambda: False,
) -> Design:
    """The design of least exact error that descents from these receivers find; never worse than zero forcing.

    Parameters
    ----------
    instance, draw, own
    shares : (N,) float64
    starts : list of (d, L) complex128
        Receivers in scaled units.
    zero_forcing_design : Design
        What to beat.
    left : (N,) float64
        Power left for sending (W).
    stop : callable
    """
    compiled = instance.compiled
    exact_left = compiled.transmit_power(exact_shares(shares))
    best, (least, _) = zero_forcing_design, exact_error(compiled, draw, zero_forcing_design, exact_left)
    for start in starts:
        point = linear.descend(own.channels, own.noise, start, instance.streams, relaxed=False, stop=stop)
        sent = linear.best_transmit(own.channels, point.factor)
        sent = sent * np.sqrt(left * instance.streams / instance.vector_length)[:, None, None]
        design = Design(own.basis @ point.factor / own.size, within_budget(compiled, sent, exact_left))
        error, _ = exact_error(compiled, draw, design, exact_left)
        if error is not None and (least is None or error < least):
            best, least = design, error
        if stop():
            break
    return best


def within_budget(compiled: CompiledAirComp, sent: ComplexArray, left: tuple[object, ...]) -> ComplexArray:
    """Transmitters scaled down until each keeps its budget in exact arithmetic; most are not changed."""
    found = sent.copy()
    for n, most in enumerate(left):
        shrink = 2.0**-52
        while compiled.repeats * Gaussian.of(found[n]).norm2() > most:  # type: ignore[operator]
            found[n] *= 1.0 - shrink
            shrink *= 2.0
    return found
