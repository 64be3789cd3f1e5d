"""The variant ``concave``: power is not split, so a share ``y`` has the rate ``y B log2(1 + P h / (N0 y B))`` (ours).

With ``snr = P h / (N0 B)`` that of the whole band, the rate is ``B y log2(1 + snr / y)``: concave and increasing in
``y``, equal to the rate ``y B R`` of the other variants at ``y = 1`` and above it below. In the compiled numbers it is
not rounded; it is enclosed between rationals until every comparison is certain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from edgeopt.instances.slide.allocation import Allocation
from edgeopt.instances.slide.instance import FloatArray, IntArray, SlideInstance
from edgeopt.instances.slide.pair import Pair
from edgeopt.system.exact import as_fraction, log2_enclosure

FIRST_BITS = 96
FLOAT_DOUBT = 1e-13
"""Relative error granted to a rate in floats, some 50 times what its operations can lose."""


def whole_band_snr(instance: SlideInstance, user: int) -> Fraction:
    """``P h / (N0 B)`` of a user, exactly; the instance must be of the variant."""
    users = instance.users
    assert instance.noise_w_per_hz is not None  # the instance was validated
    received = as_fraction(float(users.power_w[user])) * as_fraction(float(users.gain[user]))
    return received / (as_fraction(instance.noise_w_per_hz) * as_fraction(instance.bandwidth_hz))


def efficiency_enclosure(snr: Fraction, share: Fraction, bits: int) -> tuple[Fraction, Fraction]:
    """Enclose ``y log2(1 + snr / y)``, the rate in bit/s per Hz of the whole band.

    Parameters
    ----------
    snr : Fraction
        Of the whole band, > 0.
    share : Fraction
        ``y``, > 0.
    bits : int
        The logarithm is enclosed to a relative ``2^(2 - bits)``; exactly where it is a whole number.
    """
    ratio = snr / share
    small = max(0, 1 + ratio.denominator.bit_length() - ratio.numerator.bit_length())
    low, high = log2_enclosure(1 + ratio, bits + small)
    return share * low, share * high


def reaches(instance: SlideInstance, user: int, share: Fraction, rate: Fraction) -> bool:
    """Whether a share, > 0, has at least this rate (bit/s), exactly.

    It ends: a logarithm of a rational is whole, and then exact, or irrational, and then no rational rate.
    """
    snr, wanted = whole_band_snr(instance, user), rate / as_fraction(instance.bandwidth_hz)
    bits = FIRST_BITS
    while True:
        low, high = efficiency_enclosure(snr, share, bits)
        if low >= wanted:
            return True
        if high < wanted:
            return False
        bits *= 2


def plain_share(instance: SlideInstance, user: int, share: Fraction) -> Fraction:
    """The share that has the same rate where rates are linear: by a relative ``2^-90`` below it, or exact."""
    low, _ = efficiency_enclosure(whole_band_snr(instance, user), share, FIRST_BITS)
    return low * as_fraction(instance.bandwidth_hz) / Fraction(float(instance.compiled.rate[user]))


def allows(instance: SlideInstance, user: int, pair: Pair, share: Fraction, speed: Sequence[Fraction] | None) -> bool:
    """Whether a user meets deadline and energy budget at a share and speeds in (0, 1], exactly."""
    least = pair.least_share(speed)
    if least is None or (pair.energy is not None and pair.energy_used(speed) > pair.energy):
        return False
    return reaches(instance, user, share, least * pair.rate)


def float_rates(instance: SlideInstance, user: IntArray, share: FloatArray) -> FloatArray:
    """Rates (bit/s) of users with shares (n,), to a relative `FLOAT_DOUBT`; NaN where floats leave their range."""
    users, band = instance.users, instance.bandwidth_hz
    assert instance.noise_w_per_hz is not None  # the instance was validated
    with np.errstate(all="ignore"):
        ratio = users.power_w[user] * users.gain[user] / (instance.noise_w_per_hz * band) / share
        rate = band * share * (np.log1p(ratio) / math.log(2.0))
    normal = (ratio > 1e-290) & (ratio < 1e290) & (rate > 1e-290) & (rate < 1e290)
    return np.where(normal, rate, np.nan)


def linear_rates(instance: SlideInstance, solution: Allocation) -> FloatArray:
    """Rates (bit/s) that times the share are surely not above what served users have; NaN where floats cannot tell."""
    if isinstance(solution.share, tuple):
        return np.full(len(solution), np.nan)
    positive = np.where(solution.share > 0, solution.share, np.nan)
    return float_rates(instance, solution.user, positive) / positive * (1 - 2 * FLOAT_DOUBT)
