"""The least share of the band for every user and every model it may take, enclosed by floats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeopt.instances.slide.compiled import CompiledSlide
from edgeopt.instances.slide.instance import FloatArray, IntArray
from edgeopt.solvers.base import Control
from edgeopt.solvers.slide import hull_kernel

NO_PAIR = -1
CHUNK = 1 << 14
"""Users between two looks at the control."""
_kernels: Any = hull_kernel


@dataclass(frozen=True, slots=True, eq=False)
class LeastShares:
    """Enclosures ``low <= y <= high`` of the least share of each pair of a user and a model, with what proves them.

    The true least share lies between, rounding errors included. An infinite `low` says that no share is enough; an
    infinite `high` that floats found no proof that one is: the pair is infeasible, or surely no better than another
    one of its user, or too close to the border.

    Attributes
    ----------
    compiled : CompiledSlide
    low, high : (P,) float64
    prefix : (P,) int64
        Layer whose prefix at full speed proves `low`, as a row of the tables, where `tangent` is NaN.
    tangent, factor : (P,) float64
        Elsewhere the slopes of the hull at ``1 / y = tangent``, times `factor`, prove it; see `slopes`.
    inside : (P,) float64
        Where the speeds for `high` are those of the hull at ``1 / y = inside``; NaN for full speed.
    user_low, user_high : (K,) float64
        Least over the pairs of the user, infinite for none.
    user_pair : (K,) int64
        The pair that has `user_high`; `NO_PAIR` where it is infinite.
    hulls : int
        Hulls computed.
    given : mapping of int to (L,) float64
        By pair: speeds that take the place of those, where exact numbers have given its user a better `user_high`.
    """

    compiled: CompiledSlide
    low: FloatArray
    high: FloatArray
    prefix: IntArray
    tangent: FloatArray
    factor: FloatArray
    inside: FloatArray
    user_low: FloatArray
    user_high: FloatArray
    user_pair: IntArray
    hulls: int
    given: Mapping[int, FloatArray] = field(default_factory=dict)

    def slopes(self, pairs: IntArray) -> FloatArray:
        """The slopes that prove `low` of pairs whose `tangent` is no NaN: one a layer, one pair after another."""
        compiled = self.compiled
        first, out = self._layered(pairs)
        columns = (owner(compiled, pairs), compiled.pair_model[pairs], self.tangent[pairs], self.factor[pairs], first)
        _kernels.slopes_of(*_inputs(compiled), *map(_read_only, columns), out)
        return out

    def speeds(self, pairs: IntArray) -> FloatArray | None:
        """Speeds of all layers of these pairs, one pair after another; None where all run at full speed."""
        compiled = self.compiled
        inside = self.inside[pairs]
        if np.isnan(inside).all() and not self.given:
            return None
        first, out = self._layered(pairs)
        columns = (owner(compiled, pairs), compiled.pair_model[pairs], inside, first)
        _kernels.speeds_of(*_inputs(compiled), *map(_read_only, columns), out)
        for pair, speeds in self.given.items():
            for place in np.flatnonzero(pairs == pair).tolist():
                out[first[place] : first[place] + len(speeds)] = speeds
        return out

    def _layered(self, pairs: IntArray) -> tuple[IntArray, FloatArray]:
        """Where the layers of each of these pairs begin, one pair after another, and an array for them all."""
        count = np.diff(self.compiled.start)[self.compiled.pair_model[pairs]]
        return np.cumsum(count) - count, np.empty(int(count.sum()))


def least_shares(compiled: CompiledSlide, control: Control | None = None) -> LeastShares:
    """Enclose the least share of every pair, in one pass over the layers and a few hulls where energy binds.

    Parameters
    ----------
    compiled : CompiledSlide
    control : Control, optional
        Where it says stop, the users that are left keep the enclosure from 0 to infinity.
    """
    pairs = len(compiled.pair_model)
    low, high, factor = np.zeros(pairs), np.full(pairs, np.inf), np.ones(pairs)
    tangent, inside = np.full(pairs, np.nan), np.full(pairs, np.nan)
    prefix = compiled.start[compiled.pair_model]
    inputs = [*_inputs(compiled), _read_only(compiled.pair_start), _read_only(compiled.pair_model)]
    hulls = 0
    for first in range(0, compiled.users, CHUNK):
        if control is not None and control.stop():
            break
        last = min(first + CHUNK, compiled.users)
        hulls += int(_kernels.least_shares(*inputs, first, last, low, high, prefix, tangent, factor, inside))
    user_low, _ = _least(compiled, low)
    user_high, user_pair = _least(compiled, high)
    return LeastShares(compiled, low, high, prefix, tangent, factor, inside, user_low, user_high, user_pair, hulls)


def owner(compiled: CompiledSlide, pairs: IntArray) -> IntArray:
    """The users of pairs."""
    user: IntArray = np.searchsorted(compiled.pair_start, pairs, side="right").astype(np.int64) - 1
    return user


def _inputs(compiled: CompiledSlide) -> list[NDArray[Any]]:
    """What every kernel reads first."""
    names = ("start", "bits", "work_left", "overhead_left", "deadline", "rate", "flop_ticks", "energy")
    return [_read_only(getattr(compiled, name)) for name in names]


def _read_only(column: NDArray[Any]) -> NDArray[Any]:
    """A view that cannot be written to: kernels are compiled once, for such."""
    view = column.view()
    view.flags.writeable = False
    return view


def _least(compiled: CompiledSlide, value: FloatArray) -> tuple[FloatArray, IntArray]:
    """Least value over the pairs of each user, and the first pair that has it; infinite and `NO_PAIR` for none."""
    start = compiled.pair_start
    if len(value) == compiled.users and (np.diff(start) == 1).all():
        return value, np.where(value < np.inf, np.arange(len(value), dtype=np.int64), NO_PAIR)
    least, pair = np.full(compiled.users, np.inf), np.full(compiled.users, NO_PAIR, dtype=np.int64)
    some = np.flatnonzero(np.diff(start))
    if len(some):
        least[some] = np.minimum.reduceat(value, start[some])
        place = np.where(value == np.repeat(least, np.diff(start)), np.arange(len(value)), len(value))
        first = np.minimum.reduceat(place, start[some])
        pair[some] = np.where(least[some] < np.inf, first, NO_PAIR)
    return least, pair
