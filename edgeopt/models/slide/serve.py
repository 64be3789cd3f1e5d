"""From chosen users, shares and speeds to a solution: numbers as short as they can be without losing feasibility."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from edgeopt.errors import AssumptionError
from edgeopt.instances.slide.allocation import Allocation
from edgeopt.instances.slide.band import fits_band
from edgeopt.instances.slide.instance import SlideInstance
from edgeopt.instances.slide.pair import Pair

KNOWN_VARIANTS = ("plain", "weighted")


@dataclass(frozen=True, slots=True)
class Served:
    """A user with a model, a share that is enough at these speeds, and the speeds (None: full speed)."""

    user: int
    model: int
    share: Fraction
    speed: Sequence[Fraction] | None


def require_known(instance: SlideInstance, what: str) -> None:
    """Refuse variants with other constraints than those of the paper.

    Raises
    ------
    AssumptionError
        Naming the variants that are known.
    """
    if instance.variant not in KNOWN_VARIANTS:
        raise AssumptionError(f"{what} knows the variants {', '.join(KNOWN_VARIANTS)}, not {instance.variant}")


def weights(instance: SlideInstance) -> list[int]:
    """What serving each user is worth."""
    return instance.users.weight.tolist() if instance.variant == "weighted" else [1] * len(instance.users)


def allocation(instance: SlideInstance, served: Sequence[Served]) -> Allocation:
    """The solution that serves these, by user.

    Shares and speeds are rounded up to doubles where that keeps them feasible, else they are fractions.
    """
    chosen = sorted(served, key=lambda s: s.user)
    shares = [s.share for s in chosen]
    rounded = [Fraction(float_above(share)) for share in shares]
    if fits_band(rounded) and all(share <= 1 for share in rounded):
        shares = rounded
    speeds: list[Fraction] = []
    for place, item in enumerate(chosen):
        pair = instance.compiled.pair(item.user, item.model)
        speeds += [Fraction(1)] * len(pair) if item.speed is None else _short(pair, shares[place], item.speed)
    full = all(z == 1 for z in speeds)
    return Allocation(
        user=np.array([s.user for s in chosen], dtype=np.int64),
        model=np.array([s.model for s in chosen], dtype=np.int64),
        share=_numbers(shares),
        speed=None if full else _numbers(speeds),
    )


def float_above(value: Fraction) -> float:
    """The least double that is not below a number."""
    nearest = float(value)
    return nearest if nearest >= value else math.nextafter(nearest, math.inf)


def float_below(value: Fraction) -> float:
    """The largest double that is not above a number."""
    nearest = float(value)
    return nearest if nearest <= value else math.nextafter(nearest, -math.inf)


def _short(pair: Pair, share: Fraction, speed: Sequence[Fraction]) -> list[Fraction]:
    above = [min(Fraction(1), Fraction(float_above(z))) for z in speed]
    return above if pair.allows(share, above) else list(speed)


def _numbers(values: Sequence[Fraction]) -> np.ndarray[tuple[int], np.dtype[np.float64]] | tuple[Fraction, ...]:
    floats = np.array([float(value) for value in values])
    if all(Fraction(f) == value for f, value in zip(floats.tolist(), values, strict=True)):
        return floats
    return tuple(values)
