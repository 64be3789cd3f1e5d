"""Multipliers that bound every plan of an AirComp instance from below; `edgeopt.certify` rounds and replays them.

With the power left for sending ``u_n = P_n - e_n m_n s``, ``kappa = L0/L`` and any ``w >= 0``, ``Y``, ``v > 0``:

- ``inverse``, for zero forcing. Of a receiver with ``tr Ghat = 1``
  ``alpha >= sum_n w_n kappa tr(X_n^-1) / u_n`` where the weights sum to at most 1, and by the inequality of the three
  means ``tr(X^-1) / u >= (3 T - tr(Y^H X Y) - u T / v) / v`` with ``T = Re tr Y >= 0``. So with
  ``omega_n = w_n kappa / v_n`` and any ``lambda`` not below the largest eigenvalue of
  ``sum_n omega_n H_n Y_n Y_n^H H_n^H``, ``alpha >= sum_n omega_n T_n (3 - u_n / v_n) - lambda``.
- ``error``, for all linear designs. With ``omega = l`` and ``sigma^2 I - sum_n omega_n H_n Y_n Y_n^H H_n^H`` positive
  semidefinite, the squared error is at least ``sum_n l_n (2 T_n - l_n ||Y_n||_F^2 - u_n / kappa)``.

With fewer streams than antennas the ``Y_n`` are Hermitian, and `edgeopt.solvers.aircomp.hull` says what is taken off
their traces.

Both are linear in the shares, so the least over all shares is at an end of a fractional knapsack; a mixture of such
lines bounds the error, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from edgeopt.instances.aircomp.instance import AirCompInstance, ComplexArray, FloatArray
from edgeopt.solvers.aircomp.hull import height, least_trace
from edgeopt.solvers.aircomp.zero_forcing import received

if TYPE_CHECKING:
    from edgeopt.instances.aircomp.compiled import CompiledAirComp

Inequality = Literal["inverse", "error"]
LEAST = 1e-300
MARGIN = 1e-8
"""What is taken off a bound in floats, relatively, before it is claimed."""


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """Multipliers for every draw; see above.

    Attributes
    ----------
    weights : (C, N) float64
        ``w`` or ``l``; all 0 for a draw of which nothing is shown.
    matrices : (C, N, Nt, Nt) complex128
        ``Y``.
    levels : (N,) float64
        ``v`` (W); not used in ``error``.
    """

    weights: FloatArray
    matrices: ComplexArray
    levels: FloatArray

    def line(self, instance: AirCompInstance, inequality: Inequality) -> tuple[FloatArray, float]:
        """The bound is ``constant - sum_n slope_n u_n``: slopes (N,) and constant, in floats."""
        kappa, noise, streams = float(instance.compiled.repeats), instance.noise_w, instance.streams
        omega = self.weights if inequality == "error" else self.weights * kappa / self.levels
        most = np.array(
            [
                np.linalg.eigvalsh(received(h, w, y))[-1]
                for h, w, y in zip(instance.channels, omega, self.matrices, strict=True)
            ]
        )
        if inequality == "error":
            # matrices that leave the slack negative are made smaller
            scale = np.sqrt(np.minimum(1.0, noise / np.maximum(most, LEAST)))
            constant = height(self.weights, self.matrices * scale[:, None, None, None], streams).sum(axis=1)
            return self.weights.mean(axis=0) / kappa, float(constant.mean())
        traces = least_trace(self.matrices, streams)
        constant = (3 * omega * traces).sum(axis=1) - most
        return noise * (omega * traces).mean(axis=0) / self.levels, noise * float(constant.mean())


@dataclass(frozen=True, slots=True, eq=False)
class SemidefiniteProof:
    """Cuts, each of which bounds the error by a line in the shares, and how they are mixed.

    One cut is enough at given shares, and where the relaxed error is smooth at its least; at a kink it takes a mixture.

    Attributes
    ----------
    inequality : {"inverse", "error"}
    cuts : tuple of Cut
    mix : (K,) float64
        Not negative, in proportion to which the cuts count.
    """

    inequality: Inequality
    cuts: tuple[Cut, ...]
    mix: FloatArray

    def bound(self, instance: AirCompInstance) -> float:
        """The bound on the mean squared error in floats."""
        compiled = instance.compiled
        parts = self.mix / self.mix.sum()
        lines = [cut.line(instance, self.inequality) for cut in self.cuts]
        slopes = sum((part * slope for part, (slope, _) in zip(parts, lines, strict=True)), np.zeros(instance.shape[0]))
        constant = float(sum(part * own for part, (_, own) in zip(parts, lines, strict=True)))
        power = np.array([float(p) for p in compiled.power])
        whole = np.array([float(e) for e in compiled.whole])
        return constant - float(slopes @ power) + least_of_line(compiled, slopes * whole)

    def claim(self, instance: AirCompInstance) -> int | None:
        """The bound in the instance's unit, with a margin for rounding; None where it says nothing."""
        found = self.bound(instance) * (1 - MARGIN)
        if not np.isfinite(found) or found <= 0:
            return None
        return int(np.floor(found * 10.0**instance.compiled.places)) or None


def least_of_line(compiled: CompiledAirComp, prices: FloatArray) -> float:
    """Least of ``sum_n price_n m_n`` over the shares that the instance allows."""
    if compiled.shares is not None:
        return float(sum(price * float(share) for price, share in zip(prices, compiled.shares, strict=True)))
    left, total = 1.0, 0.0
    for n in np.argsort(prices, kind="stable").tolist():
        taken = min(left, float(compiled.limit[n]))
        total += taken * float(prices[n])
        left -= taken
    return total
