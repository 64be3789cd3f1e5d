"""The least share of one pair in exact rationals, for the few users where floats cannot tell.

Without a binding energy limit it is rational and found exactly. With one it is irrational in general: it is enclosed
to a relative 2^-160, and found exactly where it is a simple rational after all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import isqrt

from edgeopt.instances.slide.pair import TICKS_PER_S, Pair
from edgeopt.solvers.slide.proof import Evidence, slope_bound

GRID_BITS = 256
"""Speeds and shares are rounded to multiples of 2^-256, so that sums stay small."""
CLOSE_BITS = 160
NARROW_BITS = 60
"""Simple fractions are looked for within a relative 2^-60 at most."""
MOST_STEPS = 100


@dataclass(frozen=True, slots=True)
class ExactShare:
    """An enclosure of the least share of a pair, with proofs from both sides.

    Attributes
    ----------
    low : Fraction or None
        No smaller share is feasible; None: none is.
    evidence : Evidence
        What proves it.
    high : Fraction or None
        A feasible share, equal to `low` where the least share is known exactly; None where none is known.
    speed : tuple of Fraction or None
        Speeds that are feasible with it; None for full speed.
    """

    low: Fraction | None
    evidence: Evidence
    high: Fraction | None
    speed: tuple[Fraction, ...] | None = None


def exact_share(pair: Pair) -> ExactShare:
    """Enclose the least share of a pair."""
    share, tight = Fraction(0), 0
    for layer, (bits, room) in enumerate(zip(pair.bits, pair.room(), strict=True)):
        if room < 0 or (room == 0 and bits):
            return ExactShare(None, Evidence("late", layer), None)
        if bits and (least := Fraction(bits * TICKS_PER_S) / (pair.rate * room)) > share:
            share, tight = least, layer
    evidence = Evidence("prefix", tight)
    if share > 1:
        return ExactShare(share, evidence, None)
    if pair.energy is None or pair.energy_used() <= pair.energy:
        return ExactShare(share, evidence, share)
    slopes = least_energy_slopes(pair, share)
    if pair.energy_used(slopes) <= pair.energy:
        return ExactShare(share, evidence, share, _speeds(slopes))
    return _with_energy(pair, share, evidence)


def least_energy_slopes(pair: Pair, share: Fraction) -> list[Fraction]:
    """Slopes of the greatest convex minorant at a feasible share, exactly: the speeds of least energy, nowhere falling.

    They are 0 for the layers before the first work, which have no speed.
    """
    arrival = pair.download_ticks(share)
    points = [(Fraction(0), Fraction(0), len(pair))]
    work, later = 0, 0
    for layer in reversed(range(len(pair))):
        work += pair.work[layer]
        later += pair.overhead[layer]
        u, b = work * pair.flop_ticks, pair.deadline - later - arrival[layer]
        if u == points[-1][0] and b >= points[-1][1]:
            continue  # without work of its own it must not be later than the layers after it
        while len(points) > 1 and _slope(points[-2], points[-1]) >= (b - points[-2][1]) / (u - points[-2][0]):
            points.pop()
        points.append((u, b, layer))
    slopes = [Fraction(0)] * len(pair)
    for before, after in pairwise(points):
        slopes[after[2] : before[2]] = [1 / _slope(before, after)] * (before[2] - after[2])
    return slopes


def _speeds(slopes: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """Slopes as speeds in (0, 1]."""
    return tuple(slope or Fraction(1) for slope in slopes)


Point = tuple[Fraction, Fraction, int]


def _slope(one: Point, other: Point) -> Fraction:
    return (other[1] - one[1]) / (other[0] - one[0])


def _with_energy(pair: Pair, share: Fraction, evidence: Evidence) -> ExactShare:
    """Newton's steps from a share that needs too much energy, upwards."""
    budget = pair.energy
    assert budget is not None
    if not budget:  # at a speed of all work in all time, the bound on the energy is above 0 whatever the share
        slopes = [pair.energy_used() / pair.deadline] * len(pair)
        return ExactShare(None, Evidence("slopes", slopes=tuple(slopes)), None)
    for _ in range(MOST_STEPS):
        slopes = _grid(least_energy_slopes(pair, share))
        scale = _root(budget / pair.energy_used(slopes))  # to spend the budget where the bound meets it
        scaled = tuple(_grid([slope * scale for slope in slopes]))
        bound = slope_bound(pair, scaled)
        if bound is None or bound > 1:
            return ExactShare(bound, Evidence("slopes", slopes=scaled), None)
        step = bound - share
        if step > 0:
            share, evidence = _round_down(bound), Evidence("slopes", slopes=scaled)
        if step <= share / 2**CLOSE_BITS:
            break
    least = evidence.bound(pair)
    assert least is not None
    if evidence.slopes is not None:
        width = Fraction(1, 2**CLOSE_BITS)  # the exact slopes may be the simple fractions next to those found
        found = [Fraction(slope) for slope in evidence.slopes]
        guess = tuple(simplest(z * (1 - width), z * (1 + width)) if z else z for z in found)
        bound = slope_bound(pair, guess)
        if bound is not None:
            speeds = _speeds(least_energy_slopes(pair, bound))
            if pair.energy_used(speeds) <= budget:
                return ExactShare(bound, Evidence("slopes", slopes=guess), bound, speeds)
    # at worst each step halves what is left: where the energy does not rise from the least share on
    gap = min(256 * max(step, share / 2**CLOSE_BITS), share / 2**NARROW_BITS)
    simple = simplest(share, share + gap)
    slopes = least_energy_slopes(pair, simple)
    if pair.energy_used(slopes) <= budget:
        return ExactShare(least, evidence, simple, _speeds(slopes))
    for bits in range(CLOSE_BITS - 8, 0, -8):
        trial = _round_down(share * (1 + Fraction(1, 2**bits)))
        rounded = _grid(least_energy_slopes(pair, trial))
        if pair.energy_used(rounded) <= budget:
            return ExactShare(least, evidence, trial, _speeds(rounded))
    return ExactShare(least, evidence, None)


def _grid(speeds: Sequence[Fraction]) -> list[Fraction]:
    """Speeds rounded up to the grid: never slower, still nowhere falling, and at most 1 where they were."""
    return [Fraction(-((-z.numerator << GRID_BITS) // z.denominator), 1 << GRID_BITS) for z in speeds]


def _round_down(share: Fraction) -> Fraction:
    """A share with `GRID_BITS` significant bits, not above."""
    shift = GRID_BITS + share.denominator.bit_length() - share.numerator.bit_length()
    return Fraction((share.numerator << shift) // share.denominator, 1 << shift)


def _root(square: Fraction) -> Fraction:
    """The square root, rounded down to a multiple of 2^-256."""
    return Fraction(isqrt((square.numerator << 2 * GRID_BITS) // square.denominator), 1 << GRID_BITS)


def simplest(low: Fraction, high: Fraction) -> Fraction:
    """The fraction of least denominator from `low` to `high`, ``0 < low <= high`` (Stern and Brocot)."""
    whole = low.numerator // low.denominator
    if low == whole:
        return Fraction(whole)
    if whole < high.numerator // high.denominator:
        return Fraction(whole + 1)
    return whole + 1 / simplest(1 / (high - whole), 1 / (low - whole))
