"""Shares and transceivers together: the convex relaxation over the shares, then designs for every draw.

For fixed shares the draws come apart, and each relaxation (`edgeopt.solvers.aircomp.relaxed`) gives its value and the
slopes in the powers, which by the envelope theorem are the slopes of the mean error in the shares. That mean is convex
(docs/aircomp.md), so descent on the shares with these gradients finds the best assignment of the relaxed problem, and
the multipliers at its end bound every other assignment from below.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from edgeopt.instances.aircomp import AirCompInstance
from edgeopt.instances.aircomp.instance import FloatArray
from edgeopt.result import Answer
from edgeopt.solvers.aircomp import zero_forcing
from edgeopt.solvers.aircomp.design import STARTS, answer, designed, proof_of, require_invertible
from edgeopt.solvers.aircomp.proof import Cut, SemidefiniteProof
from edgeopt.solvers.aircomp.relaxed import Relaxed, inequality_of, powers_left, relax
from edgeopt.solvers.base import Control

LEAST_LEFT = 1e-6
"""Part of a device's budget that is left for sending at least."""
ROUNDING = 1e-9
LEAST_CURVATURE = 1e-3
"""Part of the largest second derivative that the descent sees in every share."""
STEPS, RESTARTS, MIXTURES = 60, 2, 40
EVALUATIONS = 70
"""Most of the descent, which does not end where slopes jump."""
RADIUS = 0.1
"""Of the first step along the cuts, as part of the room that a device's power leaves."""
LEAST_PART = 1e-7
"""Of a cut in a mixture that is kept."""
GAP = 1e-4
"""Relative gap between the relaxed value and its bound at which the shares are good enough."""


class Shared(NamedTuple):
    """The best shares of the relaxation.

    Attributes
    ----------
    shares : (N,) float64
    relaxations : list of Relaxed or None
        One a draw at these shares.
    proof : SemidefiniteProof or None
        Bounds every assignment.
    value : float
        Mean of the relaxation at these shares.
    evaluations : int
        How often all draws were relaxed.
    stopped : bool
    """

    shares: FloatArray
    relaxations: list[Relaxed | None]
    proof: SemidefiniteProof | None
    value: float
    evaluations: int
    stopped: bool


def joint(instance: AirCompInstance, control: Control, *, starts: int = STARTS) -> Answer:
    """The best answer that we have: shares where they are open, and the transceivers of the instance's class.

    Parameters
    ----------
    instance : AirCompInstance
    control : Control
    starts : int
        Most zero-forcing descents a draw.

    Raises
    ------
    AssumptionError
        If the instance allows zero forcing only, and a channel cannot be inverted.
    """
    linear = instance.design == "linear"
    if not linear:
        require_invertible(instance, "joint")
    if instance.shares is not None:
        plan, relaxations, stopped = designed(
            instance, instance.shares, control, solver="joint", linear=linear, starts=starts
        )
        proof = proof_of(instance, instance.shares, relaxations)
        return answer(instance, plan, proof, control=control, stopped=stopped)
    found = best_shares(instance, control)
    plan, _, stopped = designed(
        instance, found.shares, control, solver="joint", linear=linear, starts=starts, warm=found.relaxations
    )
    return answer(
        instance, plan, found.proof, control=control, stopped=stopped or found.stopped,
        effort={"assignments": found.evaluations},
    )  # fmt: skip


def first_shares(instance: AirCompInstance) -> FloatArray:
    """Equal shares as far as budgets and memory allow, and room below every limit."""
    limits = most_shares(instance)
    level, low, high = 1.0, 0.0, 1.0
    for _ in range(200):
        level = (low + high) / 2
        low, high = (level, high) if np.minimum(limits * 0.98, level).sum() < 1 else (low, level)
    found = np.minimum(limits * 0.98, high)
    if found.sum() < 1:
        found = limits
    result: FloatArray = found / found.sum()
    return result


def most_shares(instance: AirCompInstance) -> FloatArray:
    """Largest share of each device, with a little of its power left."""
    compiled = instance.compiled
    memory = np.array([float(m) for m in compiled.memory])
    below = np.where(memory < 1, memory * (1 - ROUNDING), memory)  # what is normalised may grow by rounding
    memory = below if below.sum() > 1 else memory
    whole = np.array([float(e) for e in compiled.whole])
    budget = (1 - LEAST_LEFT) * instance.devices.power_w
    with np.errstate(divide="ignore"):
        result: FloatArray = np.minimum(memory, np.where(whole > 0, budget / np.where(whole > 0, whole, 1.0), 1.0))
    return np.minimum(result, 1.0)


def best_shares(
    instance: AirCompInstance, control: Control, *, start: FloatArray | None = None, gap: float = GAP
) -> Shared:
    """Minimise the mean of the relaxation over the shares.

    Parameters
    ----------
    instance : AirCompInstance
        Given shares are not looked at.
    control : Control
    start : (N,) float64, optional
    gap : float
        Relative gap between value and bound at which the descent ends.
    """
    from scipy.optimize import minimize

    work = Relaxation(instance.with_shares(None), control, tolerance=gap / 1000)
    first = first_shares(instance) if start is None else start
    limits = most_shares(instance)
    _, slopes = work.value_and_slopes(first)
    assert work.best is not None
    unit = work.best.value
    # of a / u(m) the second derivative is twice the slope times price over u: variables of even curvature
    price = instance.devices.w_per_parameter * instance.layer_parameters
    curvature = 2 * slopes * price / powers_left(instance, first) / unit
    scale = 1 / np.sqrt(np.maximum(curvature, max(LEAST_CURVATURE * curvature.max(), 1e-12)))

    def objective(point: FloatArray) -> tuple[float, FloatArray]:
        if work.evaluations >= EVALUATIONS:
            raise Enough
        value, gradient = work.value_and_slopes(point * scale)
        return value / unit, gradient * scale / unit

    with suppress(Enough):
        for _ in range(RESTARTS if len(first) > 1 else 0):
            work.end_if_closed(gap)
            minimize(
                objective,
                work.best.shares / scale,
                jac=True,
                method="SLSQP",
                bounds=[(0.0, most) for most in limits / scale],
                constraints=[{"type": "eq", "fun": lambda point: point @ scale - 1, "jac": lambda _: scale}],
                options={"maxiter": STEPS, "ftol": gap**2},
                callback=lambda _: work.end_if_closed(gap),
            )
    with suppress(Enough):  # where slopes jump, one cut is not enough: mixtures, and new shares where they are least
        work.tolerance = zero_forcing.TOLERANCE
        room = powers_left(instance, first) / np.maximum(price, LEAST_CURVATURE * price.max() or 1.0)
        radius, misses = RADIUS, 0
        for _ in range(MIXTURES if len(first) > 1 else 0):
            work.mix()
            work.end_if_closed(gap)
            before = work.best.value
            work.value_and_slopes(work.least_near(work.best.shares, radius * room))
            misses = misses + 1 if work.best.value >= before else 0
            if not misses:
                radius *= 2
            elif misses % 2 == 0:
                radius /= 2
    best = work.best
    with suppress(Enough):  # once more, closer
        work.tolerance = gap / 1000
        work.relaxations = list(best.relaxations)
        work.value_and_slopes(best.shares)
        work.mix()
    return work.best._replace(proof=work.proof, evaluations=work.evaluations, stopped=control.stop())


class Enough(Exception):
    """The bound is met, or time is up."""


class Relaxation:
    """Relaxations of all draws at changing shares, each started from the last one."""

    def __init__(
        self, instance: AirCompInstance, control: Control, *, tolerance: float = zero_forcing.TOLERANCE
    ) -> None:
        self.instance, self.control, self.tolerance = instance, control, tolerance
        self.relaxations: list[Relaxed | None] = [None] * instance.draws
        self.kind = inequality_of(instance)
        self.factor = instance.noise_w if self.kind == "inverse" else 1.0
        self.best: Shared | None = None
        self.bound = 0.0
        self.cuts: list[tuple[Cut, FloatArray, float]] = []
        self.proof: SemidefiniteProof | None = None
        self.evaluations = 0

    def value_and_slopes(self, shares: FloatArray) -> tuple[float, FloatArray]:
        """Mean of the relaxation at shares, and its gradient."""
        instance = self.instance
        inside = np.clip(shares, 0.0, most_shares(instance))
        left = powers_left(instance, inside)
        self.evaluations += 1
        total, slopes = 0.0, np.zeros(len(shares))
        found: list[Relaxed | None] = []
        for draw in range(instance.draws):
            if self.control.stop() and self.best is not None:
                raise Enough
            one = self.relaxed(draw, left)
            found.append(one)
            total += one.value
            slopes += one.slopes
        self.relaxations = found
        value = self.factor * total / instance.draws
        price = instance.devices.w_per_parameter * instance.layer_parameters
        gradient = -self.factor * slopes / instance.draws * price
        self._keep(inside, value, found)
        return value, gradient

    def relaxed(self, draw: int, left: FloatArray) -> Relaxed:
        """One draw at some powers left, from where it was solved last."""
        rng = np.random.default_rng([self.control.seed, draw])
        warm = self.relaxations[draw]
        return relax(self.instance, draw, left, rng, warm=warm, tolerance=self.tolerance, stop=self.control.stop)

    def _keep(self, shares: FloatArray, value: float, found: Sequence[Relaxed | None]) -> None:
        proof = proof_of(self.instance, shares, found)
        assert proof is not None
        self._offer(proof)
        self.cuts.append((proof.cuts[0], *proof.cuts[0].line(self.instance, self.kind)))
        if abs(shares.sum() - 1) < 1e-9 and (self.best is None or value < self.best.value):
            self.best = Shared(shares / shares.sum(), list(found), None, value, 0, False)
        if self.best is not None:
            self.best = self.best._replace(proof=self.proof)

    def _offer(self, proof: SemidefiniteProof) -> None:
        bound = proof.bound(self.instance)
        if bound > self.bound:
            self.bound, self.proof = bound, proof

    def mix(self) -> None:
        """Mix the cuts for the best bound (Kelley 1960)."""
        limits = np.array([float(most) for most in self.instance.compiled.limit])
        _, parts = self._least(np.zeros(len(limits)), limits)
        kept = np.flatnonzero(parts > 0)
        if len(kept):
            self._offer(SemidefiniteProof(self.kind, tuple(self.cuts[k][0] for k in kept), parts[kept]))
            if self.best is not None:
                self.best = self.best._replace(proof=self.proof)

    def least_near(self, shares: FloatArray, radius: FloatArray) -> FloatArray:
        """The shares near others where all cuts are least."""
        limits = most_shares(self.instance)
        found, _ = self._least(np.clip(shares - radius, 0.0, limits), np.minimum(shares + radius, limits))
        target = np.clip(found, 0.0, limits)
        inside: FloatArray = target / target.sum()
        return inside

    def _least(self, low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The shares within limits where the largest cut is least, and how the cuts are mixed there."""
        from scipy.optimize import linprog

        compiled = self.instance.compiled
        power = np.array([float(p) for p in compiled.power])
        whole = np.array([float(e) for e in compiled.whole])
        count = len(power)
        slopes = np.array([slope for _, slope, _ in self.cuts])
        heights = np.array([constant for _, _, constant in self.cuts]) - slopes @ power
        # min t  with  height_k + sum_n slope_kn whole_n m_n <= t unit; cuts at shares that leave little power are steep
        unit = self.best.value if self.best is not None else float(np.abs(heights).max())
        rows = np.hstack([slopes * whole, np.full((len(slopes), 1), -unit)])
        sizes = np.maximum(np.abs(rows).max(axis=1), np.abs(heights))
        found = linprog(
            np.append(np.zeros(count), 1.0),
            A_ub=rows / sizes[:, None],
            b_ub=-heights / sizes,
            A_eq=np.append(np.ones(count), 0.0)[None, :],
            b_eq=[1.0],
            bounds=[*zip(low.tolist(), high.tolist(), strict=True), (None, None)],
            method="highs",
        )
        if found.x is None:
            raise Enough
        parts = -found.ineqlin.marginals
        return found.x[:count], np.where(parts > LEAST_PART, parts, 0.0) / sizes

    def end_if_closed(self, gap: float) -> None:
        """Leave the descent where value and bound meet."""
        met = self.best is not None and self.best.value <= self.bound * (1 + gap)
        if met or self.control.stop():
            raise Enough
