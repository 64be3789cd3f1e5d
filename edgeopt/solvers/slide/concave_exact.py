"""The least share of one user with a concave rate in exact rationals, for the few where floats cannot tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from edgeopt.instances.slide import SlideInstance
from edgeopt.instances.slide.concave import efficiency_enclosure, whole_band_snr
from edgeopt.instances.slide.pair import Pair
from edgeopt.solvers.slide.admission import ExactUser, exact_user
from edgeopt.solvers.slide.exact_share import ExactShare, exact_share, simplest
from edgeopt.solvers.slide.least_share import LeastShares
from edgeopt.system.exact import as_fraction

CLOSE_BITS = 160
GRID_BITS = 256
FIRST_BITS = 128


def exact_concave_user(
    instance: SlideInstance, shares: LeastShares, user: int, of: Callable[[Pair], ExactShare] = exact_share
) -> ExactUser:
    """Enclose the least share of a user over all its models.

    Parameters
    ----------
    instance : SlideInstance
    shares : LeastShares
        From `concave_shares`.
    user : int
    of : callable
        Encloses the least share of a pair where rates are linear.
    """
    linear = exact_user(shares, user, of)
    unit = Fraction(float(shares.compiled.rate[user])) / as_fraction(instance.bandwidth_hz)
    snr = whole_band_snr(instance, user)
    low = None if linear.low is None else enclose_share(snr, linear.low * unit)
    high = low if linear.high == linear.low else None if linear.high is None else enclose_share(snr, linear.high * unit)
    return replace(
        linear,
        low=None if low is None else low[0],
        high=None if high is None else high[1],
        model=-1 if high is None else linear.model,
        speed=None if high is None else linear.speed,
    )


def enclose_share(snr: Fraction, wanted: Fraction) -> tuple[Fraction, Fraction] | None:
    """Enclose the ``y <= 1`` with ``y log2(1 + snr / y) = wanted`` to a relative 2^-160; None if 1 is not enough.

    Both ends are the same where it is a simple rational. Regula falsi with both ends moving; every
    comparison is between rationals that enclose the rate.

    Parameters
    ----------
    snr : Fraction
        Of the whole band, > 0.
    wanted : Fraction
        Rate in bit/s per Hz of the whole band, >= 0.
    """
    if wanted == 0:
        return Fraction(0), Fraction(0)
    low, high = Fraction(1, 2), Fraction(1)
    below, above = _excess(snr, low, wanted), _excess(snr, high, wanted)
    if above < 0:
        return None
    while below > 0:
        high, above = low, below
        low /= 2
        below = _excess(snr, low, wanted)
    while high - low > high / 2**CLOSE_BITS and below and above:
        share = _rounded(low + (high - low) * (below / (below - above)))
        if not low < share < high:
            share = (low + high) / 2
        found = _excess(snr, share, wanted)
        # halving the value at an end that stays makes the other one move (Illinois)
        if found > 0:
            high, above, below = share, found, below / 2
        else:
            low, below, above = share, found, above / 2
    if not below or not above:
        return (high, high) if not above else (low, low)
    simple = simplest(low, high)
    return (simple, simple) if not _excess(snr, simple, wanted) else (low, high)


def _excess(snr: Fraction, share: Fraction, wanted: Fraction) -> Fraction:
    """About the rate minus `wanted`, with the right sign; 0 iff they are equal.

    A logarithm of a rational is whole, and then known exactly, or irrational, so the enclosures come to tell.
    """
    bits = FIRST_BITS
    while True:
        least, most = efficiency_enclosure(snr, share, bits)
        if least > wanted or least == most:
            return least - wanted
        if most < wanted:
            return most - wanted
        bits *= 2


def _rounded(share: Fraction) -> Fraction:
    """A share to some `GRID_BITS` significant bits."""
    shift = GRID_BITS + share.denominator.bit_length() - share.numerator.bit_length()
    return Fraction((share.numerator << shift) // share.denominator, 1 << shift)
