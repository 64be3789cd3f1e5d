"""One pair in numbers near 1, for models in floats: times in deadlines, shares in what the download alone needs."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from edgeopt.instances.slide.instance import FloatArray, SlideInstance
from edgeopt.instances.slide.pair import TICKS_PER_S, Pair
from edgeopt.models.slide.serve import float_below

Demand = Literal["nearest", "down"]


@dataclass(frozen=True, slots=True, eq=False)
class ScaledPair:
    """User ``k`` with model ``i``; ``L`` layers, times as parts of the deadline ``D``.

    With the share ``y = need / v`` the download takes ``v`` in all, and layer ``l`` has arrived at ``part_l v``.

    Attributes
    ----------
    user, model : int
    need : float
        ``A_L / (rho D)``: the share with which the download takes the whole deadline, at most 1.
    part : (L,) float64
        ``A_l / A_L``, in [0, 1].
    overhead : (L,) float64
        ``V_l / D``.
    work : (L,) float64
        ``w_l / D``: compute time at full speed.
    drain : (L,) float64 or None
        ``w_l / G``: part of the energy budget at full speed; None without a limit.
    """

    user: int
    model: int
    need: float
    part: FloatArray
    overhead: FloatArray
    work: FloatArray
    drain: FloatArray | None

    def __len__(self) -> int:
        return len(self.part)


def scaled(pair: Pair, demand: Demand = "nearest", user: int = 0, model: int = 0) -> ScaledPair:
    """A pair in floats, each the nearest one, or all demands rounded down so that nothing feasible is lost.

    `pair` must not be `hopeless`.
    """
    number = float if demand == "nearest" else float_below
    full = [work * pair.flop_ticks for work in pair.work]
    last = pair.bits[-1]
    drain = None
    if pair.energy is not None and any(pair.work):
        drain = np.array([number(time / pair.energy) for time in full])
    return ScaledPair(
        user=user,
        model=model,
        need=number(last * TICKS_PER_S / (pair.rate * pair.deadline)),
        part=np.array([number(Fraction(bits, last)) for bits in pair.bits]),
        overhead=np.array([number(Fraction(time, pair.deadline)) for time in pair.overhead]),
        work=np.array([number(time / pair.deadline) for time in full]),
        drain=drain,
    )


def hopeless(pair: Pair) -> bool:
    """Whether one term alone rules a pair out: the whole download, all computing, or the energy of one layer.

    A layer that may take the whole deadline runs at ``z >= w_l / D``.
    """
    if not pair.rate or not pair.deadline or pair.bits[-1] * TICKS_PER_S > pair.rate * pair.deadline:
        return True
    if sum(pair.compute_ticks()) > pair.deadline:
        return True
    if pair.energy is None:
        return False
    full = [work * pair.flop_ticks for work in pair.work]
    return any(time * (time / pair.deadline) ** 2 > pair.energy for time in full)


def scaled_pairs(instance: SlideInstance, demand: Demand = "nearest") -> list[ScaledPair]:
    """All pairs of an instance that are not `hopeless`, by user and model."""
    found = []
    for user in range(len(instance.users)):
        for model in instance.compiled.models_of(user).tolist():
            pair = instance.compiled.pair(user, model)
            if not hopeless(pair):
                found.append(scaled(pair, demand, user, model))
    return found
