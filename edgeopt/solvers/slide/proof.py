"""Why no more users can be served: lower bounds on every least share, each with evidence that exact numbers replay.

Exchange argument: serving ``n + 1`` users takes at least the sum of the ``n + 1`` smallest least shares, and that
exceeds the band. It needs of each user a lower bound on its least share over all models that it may take, and a lower
bound is proved by one layer (`prefix_bound`) or by slopes (`slope_bound`); both are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Literal

import numpy as np

from edgeopt.instances.slide.instance import FloatArray, IntArray
from edgeopt.instances.slide.pair import TICKS_PER_S, Pair
from edgeopt.solvers.slide.least_share import LeastShares

Kind = Literal["prefix", "late", "slopes", "none"]
KINDS: tuple[Kind, ...] = ("prefix", "late", "slopes", "none")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What bounds the least share of a pair from below.

    Attributes
    ----------
    kind : {"prefix", "late", "slopes", "none"}
        A layer whose prefix proves a share necessary; one whose prefix proves that no share is enough (`prefix_bound`);
        slopes, which prove either (`slope_bound`); nothing, where nobody is left out.
    layer : int or None
        Layer ``l*`` of the model, from 0.
    slopes : tuple or None
        ``s_1`` to ``s_L``, whose exact values are meant.
    """

    kind: Kind
    layer: int | None = None
    slopes: tuple[float | Fraction, ...] | None = None

    def bound(self, pair: Pair) -> Fraction | None:
        """The share that it proves necessary, exactly; None: no share is enough."""
        if self.slopes is not None:
            return slope_bound(pair, self.slopes)
        return Fraction(0) if self.layer is None else prefix_bound(pair, self.layer)


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Evidence of all pairs at once.

    Attributes
    ----------
    kind : (P,) int64
        Index into `KINDS`.
    layer : (P,) int64
        Of ``prefix`` and ``late``, from 0; -1 elsewhere.
    slope_start : (P + 1,) int64
        The slopes of pair ``p`` are ``slope[slope_start[p]:slope_start[p + 1]]``; none for other kinds.
    slope : (S,) float64
    exact : mapping of int to Evidence
        By pair: what takes the place of its entry in the columns, with fractions for slopes.
    """

    kind: IntArray
    layer: IntArray
    slope_start: IntArray
    slope: FloatArray
    exact: Mapping[int, Evidence]


@dataclass(frozen=True, slots=True, eq=False)
class ExchangeProof:
    """No more than `most` users can be served: the ``most + 1`` smallest lower bounds exceed the band.

    Every pair of a user and a model that it may take has its evidence; a user without pairs cannot be served. Other
    variants rest on the same lower bounds and argue otherwise: with weights a knapsack of them, with broadcasts their
    cheapest ones, with concave rates the shares of the rates that they show.

    Attributes
    ----------
    most : int
        In the variant ``weighted`` a weight.
    shares : LeastShares
        Holds the evidence of every pair, and floats that the bounds it proves are not below (`LeastShares.low`).
    refined : mapping of int to Evidence
        By pair: better evidence, where floats could not tell.
    total : int, optional
        What all users together are worth; their number when not given.
    """

    most: int
    shares: LeastShares
    refined: Mapping[int, Evidence] = field(default_factory=dict)
    total: int | None = None

    @property
    def needed(self) -> bool:
        """Whether somebody is left out, so that there is anything to prove."""
        compiled = self.shares.compiled
        return self.most < (compiled.users if self.total is None else self.total)

    def evidence(self, pair: int) -> Evidence:
        """What bounds the least share of a pair, an index into ``compiled.pair_model``."""
        if not self.needed:
            return Evidence("none")
        if pair in self.refined:
            return self.refined[pair]
        shares, compiled = self.shares, self.shares.compiled
        if not np.isnan(shares.tangent[pair]):
            return Evidence("slopes", slopes=tuple(shares.slopes(np.array([pair])).tolist()))
        layer = int(shares.prefix[pair] - compiled.start[compiled.pair_model[pair]])
        return Evidence("prefix" if shares.low[pair] < np.inf else "late", layer)

    def columns(self) -> Columns:
        """The evidence of all pairs as arrays."""
        shares, compiled = self.shares, self.shares.compiled
        count = len(shares.low)
        nothing = np.zeros(count + 1, dtype=np.int64)
        if not self.needed:
            unused = np.full(count, -1, dtype=np.int64)
            return Columns(np.full(count, KINDS.index("none"), dtype=np.int64), unused, nothing, np.empty(0), {})
        sloped = ~np.isnan(shares.tangent)
        kind = np.where(shares.low < np.inf, KINDS.index("prefix"), KINDS.index("late"))
        layers = np.where(sloped, np.diff(compiled.start)[compiled.pair_model], 0)
        return Columns(
            kind=np.where(sloped, KINDS.index("slopes"), kind).astype(np.int64),
            layer=np.where(sloped, -1, shares.prefix - compiled.start[compiled.pair_model]),
            slope_start=nothing + np.concatenate([[0], np.cumsum(layers)]),
            slope=shares.slopes(np.flatnonzero(sloped)),
            exact=dict(self.refined),
        )


def prefix_bound(pair: Pair, layer: int) -> Fraction | None:
    """``y >= A_l / (rho (D - sum_{m >= l} (V_m + w_m)))``: layer `layer`, from 0, at full speed (ours).

    None where the bracket is negative, or 0 for a layer that has something to wait for: no share is enough.
    """
    room = Fraction(pair.deadline - sum(pair.overhead[layer:])) - sum(pair.work[layer:]) * pair.flop_ticks
    if room < 0 or (room == 0 and pair.bits[layer]):
        return None
    return pair.bits[layer] * TICKS_PER_S / (pair.rate * room) if pair.bits[layer] else Fraction(0)


def slope_bound(pair: Pair, slopes: Sequence[float | Fraction]) -> Fraction | None:
    """The share below which slopes prove that the energy exceeds the budget (ours); None: no share is enough.

    For ``0 = s_0 <= s_1 <= ... <= s_L`` and ``b_l = D - sum_{m >= l} V_m - A_l / (rho y)``, the time that is left for
    the work from layer ``l`` on, convexity of ``w^3 / d^2`` in the computing time ``d`` and summation by parts give

    ``energy >= 3 sum_l w_l s_l^2 - 2 sum_l (s_l^3 - s_{l-1}^3) b_l``.

    Raises
    ------
    ValueError
        If the slopes are no such sequence, or there is no energy limit.
    """
    exact = [Fraction(0), *(Fraction(slope) for slope in slopes)]
    if pair.energy is None or len(exact) != len(pair) + 1 or any(a > b for a, b in pairwise(exact)):
        raise ValueError("slopes must be one a layer, nonnegative and nowhere falling, for a pair with an energy limit")
    value, fall, later = 3 * pair.energy_used(exact[1:]), Fraction(0), sum(pair.overhead)
    for layer, bits in enumerate(pair.bits):
        step = 2 * (exact[layer + 1] ** 3 - exact[layer] ** 3)
        value -= step * (pair.deadline - later)
        fall += step * bits
        later -= pair.overhead[layer]
    spare = pair.energy - value
    if spare < 0 or (spare == 0 and fall):
        return None
    return fall * TICKS_PER_S / (pair.rate * spare) if fall else Fraction(0)
