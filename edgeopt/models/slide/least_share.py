"""Least shares in exact rationals, one pair at a time: what the MILP is given (ours).

A second, slow way to what `slide` computes with compiled kernels; they share no code. At a given share the
least energy is exact: with ``b_l = D - sum_{m >= l} V_m - A_l / (rho y)`` the time left for the work ``u_l`` of layer
``l`` and all later ones, the speeds of least energy are the slopes ``du / db`` of the greatest convex minorant of the
points ``(u_l, b_l)`` and the origin (speed scaling with release times and one deadline: Yao, Demers, Shenker 1995).
Whether a share is enough is so decided exactly, and the least one is enclosed by bisection.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise

from edgeopt.errors import EdgeoptError
from edgeopt.instances.slide.pair import TICKS_PER_S, Pair

FIRST_BITS = 120
"""Relative width of a first enclosure, as a power of two."""
MOST_BITS = 4000
"""Width below which an enclosure that still cannot tell is given up."""


@dataclass(frozen=True, slots=True)
class LeastShare:
    """The least share of a pair: above or equal to `low`, and `high` is enough.

    Attributes
    ----------
    low, high : Fraction
        Equal where the least share is a known rational.
    bits : int
        ``high - low <= 2^-bits high``.
    """

    low: Fraction
    high: Fraction
    bits: int


def least_share(pair: Pair) -> LeastShare | None:
    """Enclose the least share of a pair; None if the whole band is not enough."""
    full = pair.least_share()
    if full is None or full > 1:
        return None
    if full > 0 and speeds(pair, full) is not None:
        return LeastShare(full, full, MOST_BITS)
    if speeds(pair, Fraction(1)) is None:
        return None
    return refined(pair, LeastShare(full, Fraction(1), 0), FIRST_BITS)


def refined(pair: Pair, known: LeastShare, bits: int) -> LeastShare:
    """The same with ``high - low <= 2^-bits high``, or exactly where the least share is the simplest one in between."""
    if known.low == known.high or bits <= known.bits:
        return known
    low, high = known.low, known.high
    while high - low > high / 2**bits:
        middle = _between(low, high)
        if speeds(pair, middle) is None:
            low = middle
        else:
            high = middle
    simple = _simplest(low, high)
    if speeds(pair, simple) is not None and _too_small(pair, simple):
        return LeastShare(simple, simple, MOST_BITS)
    return LeastShare(low, high, bits)


def speeds(pair: Pair, share: Fraction) -> list[Fraction] | None:
    """Speeds ``z_l`` of least energy at a share; None if deadline, speed limit or energy budget cannot be met."""
    hull = _minorant(pair, share)
    if hull is None:
        return None
    steps, scale = hull
    used = Fraction(0)
    found: list[Fraction] = []
    for work, room, layers in steps:
        z = work * scale / room if work else Fraction(1)
        if z > 1:
            return None
        used += work * z * z
        found += [z] * layers
    if pair.energy is not None and used * pair.flop_ticks > pair.energy:
        return None
    return found[::-1]


def _minorant(pair: Pair, share: Fraction) -> tuple[list[tuple[int, int, int]], Fraction] | None:
    """Segments (work, time, layers) of the minorant from the last layer back, and the factor that makes speeds.

    Times are counted so that they are whole. None if a layer arrives too late whatever the speeds.
    """
    bit_ticks = TICKS_PER_S / (pair.rate * share) if pair.rate else None
    if bit_ticks is None:
        return None
    top, bottom = bit_ticks.numerator, bit_ticks.denominator
    overhead_left = list(accumulate(reversed(pair.overhead)))
    work_left = list(accumulate(reversed(pair.work)))
    # (work left, time left, layers): the origin stands for the end
    points = [(0, 0, 0)]
    for count, (bits, overhead, work) in enumerate(
        zip(reversed(pair.bits), overhead_left, work_left, strict=True), start=1
    ):
        time = bottom * (pair.deadline - overhead) - bits * top
        if time < 0 or (work and not time):
            return None
        if work == points[-1][0]:
            # no work of its own: the layer only lowers the time left for the later ones
            if work and time < points[-1][1]:
                points.pop()
            else:
                points[-1] = (work, points[-1][1], count)
                continue
        while len(points) > 1 and _above(points[-2], points[-1], (work, time)):
            points.pop()
        points.append((work, time, count))
    steps = [(b[0] - a[0], b[1] - a[1], b[2] - a[2]) for a, b in pairwise(points)]
    if points[0][2]:
        steps.insert(0, (0, 1, points[0][2]))
    return steps, pair.flop_ticks * bottom


def _above(first: tuple[int, int, int], middle: tuple[int, int, int], last: tuple[int, int]) -> bool:
    """Whether the middle point is on or above the line from the first to the last."""
    return (middle[1] - first[1]) * (last[0] - first[0]) >= (last[1] - first[1]) * (middle[0] - first[0])


def _too_small(pair: Pair, share: Fraction) -> bool:
    """Whether a share is the least one: its least energy is the whole budget."""
    found = speeds(pair, share)
    return found is not None and pair.energy is not None and pair.energy_used(found) == pair.energy


def _between(low: Fraction, high: Fraction) -> Fraction:
    """A short number well inside: near the geometric mean while the ends are far apart, near the middle afterwards."""
    if low and high > 4 * low:
        exponent = (math.floor(math.log2(high)) + math.floor(math.log2(low))) // 2
        guess = Fraction(2) ** exponent
        if low < guess < high:
            return guess
    shift = 2 + (high - low).denominator.bit_length() - (high - low).numerator.bit_length()
    return Fraction(math.floor((low + high) / 2 * 2**shift), 2**shift) if shift > 0 else (low + high) / 2


def _simplest(low: Fraction, high: Fraction) -> Fraction:
    """The fraction of least denominator in ``[low, high]``, both positive."""
    whole = math.ceil(low)
    if whole <= high:
        return Fraction(whole)
    below = whole - 1
    return below + 1 / _simplest(1 / (high - below), 1 / (low - below))


def fits(pairs: Sequence[Pair], known: list[LeastShare]) -> bool:
    """Whether the least shares of some pairs fit into the band together; `known` is refined until that is certain.

    Raises
    ------
    EdgeoptError
        If their sum is 1 to `MOST_BITS` places.
    """
    bits = FIRST_BITS
    while True:
        if sum((share.high for share in known), Fraction(0)) <= 1:
            return True
        if sum((share.low for share in known), Fraction(0)) > 1:
            return False
        bits *= 2
        if bits > MOST_BITS:
            raise EdgeoptError(f"cannot decide with {MOST_BITS} bits whether {len(known)} least shares fit the band")
        known[:] = [refined(pair, share, bits) for pair, share in zip(pairs, known, strict=True)]
