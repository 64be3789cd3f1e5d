"""The variant ``concave``: the rate ``y B log2(1 + P h / (N0 y B))`` increases with the share, so sorting is optimal.

Least shares of linear rates give the least rates (bit/s) that users need. A rate is inverted: with ``s = snr / y`` and
``t = rate ln 2 / (B snr)`` the share solves ``log(1 + s) = t s``, so ``t (1 + s) = -W(-t e^-t)`` on the lower branch of
Lambert's function. Newton's steps from a bound above it come down to ``s``; each end is then held against the rate
itself (all ours).
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache, partial

import numpy as np

from edgeopt.errors import AssumptionError
from edgeopt.instances.slide import SlideInstance
from edgeopt.instances.slide.compiled import CompiledSlide
from edgeopt.instances.slide.concave import FLOAT_DOUBT, float_rates
from edgeopt.instances.slide.instance import FloatArray, IntArray
from edgeopt.result import Answer, Termination
from edgeopt.solvers.base import Control
from edgeopt.solvers.slide.best_served import allocation_of, best_served
from edgeopt.solvers.slide.concave_exact import exact_concave_user
from edgeopt.solvers.slide.exact_share import exact_share
from edgeopt.solvers.slide.least_share import LeastShares, least_shares
from edgeopt.solvers.slide.proof import ExchangeProof

NEWTON_STEPS = 12
WIDENINGS = (1.0, 16.0, 1024.0)
"""Ends of an enclosure are moved apart until the rate confirms them, in these steps."""
SMALL = 1e-4
"""Below it ``s`` is so small that differences of logarithms are replaced by their series."""


def slide_concave(instance: SlideInstance, control: Control) -> Answer:
    """Serve as many users as possible with rates that are concave in the share.

    Raises
    ------
    AssumptionError
        If the variant is not ``concave``.
    """
    if instance.variant != "concave":
        raise AssumptionError(f"{control.solver} solves the variant 'concave', {instance.name} is {instance.variant!r}")
    shares = concave_shares(instance, control)
    exactly = partial(exact_concave_user, instance, shares, of=cache(exact_share))
    found = best_served(shares, np.ones(len(instance.users), dtype=np.int64), exactly, control)
    control.report(found.worth, found.bound)
    undecided = found.bound > found.worth and not found.stopped
    return Answer(
        solution=allocation_of(shares, found),
        claimed_value=found.worth,
        bound=found.bound,
        termination=control.stopped_by() if found.stopped else Termination.COMPLETE,
        effort={"pairs": len(shares.low), "hulls": shares.hulls, "exact_users": len(found.exact)},
        proof=ExchangeProof(found.bound, shares, found.evidence()),
        message="exact numbers could not tell whether more fit into the band" if undecided else "",
    )


def concave_shares(instance: SlideInstance, control: Control | None = None) -> LeastShares:
    """Enclosures of the least shares of all users: `user_low` and `user_high` are those of the concave rate.

    The columns of the pairs are least shares of the linear rate `compiled.rate`, which is not below the rate of the
    whole band: they stand for the rates that pairs need.
    """
    linear = least_shares(rounded_up(instance.compiled), control)
    rate = linear.compiled.rate
    users = np.arange(len(instance.users), dtype=np.int64)
    low = _ends(instance, users, linear.user_low * rate, up=False)
    high = _ends(instance, users, linear.user_high * rate, up=True)
    return replace(linear, user_low=low, user_high=high)


def rounded_up(compiled: CompiledSlide) -> CompiledSlide:
    """The same with rates rounded up instead of down: two units of the last of their 32 bits are more than enough."""
    return replace(compiled, rate=compiled.rate + np.ldexp(1.0, np.frexp(compiled.rate)[1] - 31))


def _ends(instance: SlideInstance, users: IntArray, need: FloatArray, *, up: bool) -> FloatArray:
    """Shares (n,) that surely have these rates (`up`), or surely no more; infinite or 0 where floats cannot tell.

    Where `need` is infinite, or above what any share has, the share is infinite.
    """
    share, elasticity = inverse(instance, users, need)
    ends = np.full(len(users), np.inf if up else 0.0)
    ends[~(need < np.inf) | (share == np.inf)] = np.inf
    open_ = np.flatnonzero(np.isfinite(share) & (share > 0))
    for wider in WIDENINGS:
        shift = np.minimum(0.5, 4 * wider * FLOAT_DOUBT / elasticity[open_])
        trial = share[open_] * (1 + shift if up else 1 - shift)
        rate = float_rates(instance, users[open_], trial)
        with np.errstate(invalid="ignore"):
            if up:
                good = rate * (1 - FLOAT_DOUBT) >= need[open_] * (1 + FLOAT_DOUBT)
            else:
                good = rate * (1 + FLOAT_DOUBT) <= need[open_] * (1 - FLOAT_DOUBT)
        ends[open_[good]] = trial[good]
        open_ = open_[~good]
    return ends


def inverse(instance: SlideInstance, users: IntArray, rate: FloatArray) -> tuple[FloatArray, FloatArray]:
    """About the shares at which users have these rates, and the elasticity of the rate there (n,).

    NaN where floats cannot tell, infinite where no share has such a rate.
    """
    columns, band = instance.users, instance.bandwidth_hz
    assert instance.noise_w_per_hz is not None  # the instance was validated
    with np.errstate(all="ignore"):
        snr = columns.power_w[users] * columns.gain[users] / (instance.noise_w_per_hz * band)
        t = rate * math.log(2.0) / (band * snr)
        left = 1.0 - t
        v = np.where(t < 0.5, t - 1.0 - np.log(t), -left - np.log1p(-left))
        # -W(-e^(-v-1)) <= 1 + sqrt(2 v) + v (Chatzigeorgiou 2013), so s is not above this
        s = (left + np.sqrt(2.0 * v) + v) / t
        for _ in range(NEWTON_STEPS):
            s = s - (np.log1p(s) - t * s) / (1.0 / (1.0 + s) - t)
        elasticity = np.where(s < SMALL, s / 2 - s * s / 3, 1.0 - s / ((1.0 + s) * np.log1p(s)))
        share = snr / s
    share = np.where((t > 0) & (t < 1) & (s > 0), share, np.nan)
    return np.where(t > 1 + 8 * FLOAT_DOUBT, np.inf, share), elasticity
