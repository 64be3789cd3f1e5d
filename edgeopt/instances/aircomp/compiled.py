"""The AirComp problem in exact numbers, as the proofs and every checked value have it.

Doubles mean what they are. Values are whole numbers: the mean squared error in units of ``10^-places``, rounded up
for a solution (against it) and down for a bound. The places follow from the instance alone, so that about ten digits
of any good design's error are counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from edgeopt.instances.aircomp.exact import Gaussian
from edgeopt.instances.aircomp.validate import compute_power, exact_shares, memory_limit, share_limit

if TYPE_CHECKING:
    from edgeopt.instances.aircomp.instance import AirCompInstance

DIGITS = 10
"""Digits that are counted of a lower bound of the error."""


@dataclass(frozen=True, slots=True, eq=False)
class CompiledAirComp:
    """Exact numbers of an instance.

    Attributes
    ----------
    places : int
        The error is counted in units of ``10^-places``.
    streams : int
        ``L``.
    repeats : Fraction
        ``L0 / L``, how often the antennas send.
    noise : Fraction
        ``sigma^2`` (W).
    power, whole : (N,) tuple of Fraction
        ``P_n`` and ``e_n s`` (W), what computing a whole layer takes.
    memory, limit : (N,) tuple of Fraction
        Largest share by memory, and by memory and budget.
    shares : (N,) tuple of Fraction or None
        Given shares, which sum to 1.
    channels : Gaussian
        ``H`` of every draw and device, (C, N, Nr, Nt).
    """

    places: int
    streams: int
    repeats: Fraction
    noise: Fraction
    power: tuple[Fraction, ...]
    whole: tuple[Fraction, ...]
    memory: tuple[Fraction, ...]
    limit: tuple[Fraction, ...]
    shares: tuple[Fraction, ...] | None
    channels: Gaussian

    @property
    def unit(self) -> float:
        """What a value counts: an error of ``10^-places``."""
        return float(10.0**-self.places)

    def transmit_power(self, shares: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
        """``u_n = P_n - e_n m_n s`` (W), what is left for sending."""
        return tuple(p - e * m for p, e, m in zip(self.power, self.whole, shares, strict=True))

    def count_up(self, error: Fraction) -> int:
        """An error as a value, rounded up."""
        return math.ceil(error * Fraction(10) ** self.places)


def compile_aircomp(instance: AirCompInstance) -> CompiledAirComp:
    """Compile an instance."""
    count = len(instance.devices)
    channels = Gaussian.of(instance.channels)
    power = tuple(Fraction(float(p)) for p in instance.devices.power_w)
    noise, repeats = Fraction(instance.noise_w), Fraction(instance.vector_length, instance.streams)
    shares = None if instance.shares is None else exact_shares(instance.shares)
    whole = tuple(compute_power(instance, n) for n in range(count))
    left = power if shares is None else tuple(p - e * m for p, e, m in zip(power, whole, shares, strict=True))
    least = Fraction(count * instance.streams)  # the error of receiving nothing at all
    for c in range(instance.draws):
        for n in range(count):
            # alpha >= (L0/L) tr[(G^H H H^H G)^-1] / u >= (L0/L) L^2 / (u ||H||^2)
            gain = channels[c, n].norm2()
            if gain:
                forced = noise * repeats * instance.streams**2 / (left[n] * gain)
                least = min(least, forced)
    return CompiledAirComp(
        places=DIGITS - _magnitude(least),
        streams=instance.streams,
        repeats=repeats,
        noise=noise,
        power=power,
        whole=whole,
        memory=tuple(memory_limit(instance, n) for n in range(count)),
        limit=tuple(share_limit(instance, n) for n in range(count)),
        shares=shares,
        channels=channels,
    )


def _magnitude(value: Fraction) -> int:
    """The ``k`` with ``10^(k-1) <= value < 10^k``, for a positive value."""
    k = len(str(value.numerator)) - len(str(value.denominator))
    while value >= _ten(k):
        k += 1
    while value < _ten(k - 1):
        k -= 1
    return k


def _ten(k: int) -> Fraction:
    return Fraction(10**k) if k >= 0 else Fraction(1, 10**-k)
