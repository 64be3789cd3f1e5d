"""Assignment instances from a seed: the classes of the literature, and corners.

Draws come from numpy's PCG64, whose stream is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.assignment.instance import AssignmentInstance, IntArray, Pick, Sense

Kind = Literal["gap-a", "gap-b", "gap-c", "gap-d", "gap-e", "knapsack", "mmkp", "mmkp-correlated"]
MOST_ITEMS = 10**6


class _Drawn(NamedTuple):
    """Columns of an instance: see `AssignmentInstance`."""

    group: IntArray
    bin: IntArray
    profit: IntArray
    weight: IntArray
    capacity: IntArray
    sense: Sense
    pick: Pick


def generate(
    *,
    seed: int = 0,
    kind: Kind = "gap-a",
    items: int = 40,
    bins: int = 4,
    dimensions: int = 1,
    size: int = 5,
    tightness: float = 0.5,
    sense: Sense | None = None,
    pick: Pick | None = None,
    corner: str | None = None,
    name: str | None = None,
) -> AssignmentInstance:
    """Make an assignment instance.

    Parameters
    ----------
    seed : int
        Seed of everything random.
    kind : str
        ``gap-a`` to ``gap-d``: generalised assignment as in Chu and Beasley (Computers & Operations Research 24,
        1997), ``gap-e`` as in Laguna et al. (European J. of Operational Research 82, 1995), with costs that are
        minimised and every item assigned; ``knapsack``: multi-dimensional knapsack as in Chu and Beasley (J. of
        Heuristics 4, 1998); ``mmkp`` and ``mmkp-correlated``: multiple-choice multi-dimensional knapsack in the
        manner of Khan et al. (Studia Informatica Universalis 2, 2002).
    items : int
        Number of items or, for mmkp, of groups.
    bins : int
        Number of bins (gap only).
    dimensions : int
        Capacities of a bin; the formulas of gap hold for each on its own.
    size : int
        Choices of a group (mmkp only).
    tightness : float
        Capacity over total weight (knapsack only; the paper has 0.25, 0.5 and 0.75).
    sense, pick : str, optional
        Another sense, or another number of picks a group, than the class has.
    corner : str, optional
        One of `CORNERS`: an adversarial change of the drawn instance.
    name : str, optional

    Raises
    ------
    InstanceError
        If an option is out of range.
    """
    _check_options(kind, items, bins, dimensions, size, tightness, corner)
    rng = np.random.default_rng(seed)
    if kind.startswith("gap"):
        drawn = _gap(rng, kind, items, bins, dimensions)
    elif kind == "knapsack":
        drawn = _knapsack(rng, items, dimensions, tightness)
    else:
        drawn = _mmkp(rng, items, size, dimensions, correlated=kind == "mmkp-correlated")
    columns = drawn._asdict() | {"sense": sense or drawn.sense, "pick": pick or drawn.pick}
    sizes = f"{bins}x{items}" if kind.startswith("gap") else f"{dimensions}x{items}"
    instance = AssignmentInstance(
        name=name or f"{kind}-{sizes}-seed{seed}",
        groups=items,
        source=f"edgeopt generate assignment, {kind}, seed {seed}",
        **columns,
    )
    return CORNERS[corner](instance) if corner else instance


def _check_options(
    kind: str, items: int, bins: int, dimensions: int, size: int, tightness: float, corner: str | None
) -> None:
    def require(good: bool, text: str) -> None:
        if not good:
            raise InstanceError(f"generate assignment: {text}")

    require(kind in KINDS, f"kind = {kind!r}: must be one of {', '.join(KINDS)}")
    require(1 <= items <= MOST_ITEMS, f"items = {items}: must be from 1 to {MOST_ITEMS}")
    require(1 <= bins <= 1000, f"bins = {bins}: must be from 1 to 1000")
    require(1 <= dimensions <= 100, f"dimensions = {dimensions}: must be from 1 to 100")
    require(1 <= size <= 1000, f"size = {size}: must be from 1 to 1000")
    require(0 < tightness <= 1, f"tightness = {tightness}: must be over 0 and at most 1")
    require(corner is None or corner in CORNERS, f"corner = {corner!r}: must be one of {', '.join(CORNERS)}")


def _gap(rng: np.random.Generator, kind: str, items: int, bins: int, dimensions: int) -> _Drawn:
    """Weights ``a`` (n, m, D), costs ``c`` (n, m) and capacities ``b`` (m, D) of types A to E."""
    shape = (items, bins, dimensions)
    if kind in ("gap-a", "gap-b", "gap-c"):
        weight = rng.integers(5, 26, shape)
        cost = rng.integers(10, 51, shape[:2])
    elif kind == "gap-d":
        weight = rng.integers(1, 101, shape)
        cost = 111 - weight[:, :, 0] + rng.integers(-10, 11, shape[:2])
    else:
        weight = np.floor(1 - 10 * np.log(1 - rng.random(shape))).astype(np.int64)
        cost = np.floor(1000 / weight[:, :, 0] - 10 * rng.random(shape[:2])).astype(np.int64)
    if kind in ("gap-a", "gap-b"):
        # R: the load of the fullest bin when each item goes where it is cheapest
        load = np.zeros((bins, dimensions), dtype=np.int64)
        cheapest = cost.argmin(axis=1)
        np.add.at(load, cheapest, weight[np.arange(items), cheapest])
        mean = 0.6 * (items / bins) * 15 + 0.4 * load.max(axis=0)
        capacity = np.tile(mean if kind == "gap-a" else 0.7 * mean, (bins, 1))
    else:
        capacity = 0.8 * weight.sum(axis=0) / bins
    item, bin_ = np.divmod(np.arange(items * bins, dtype=np.int64), bins)
    return _Drawn(
        group=item,
        bin=bin_,
        profit=cost.reshape(-1),
        weight=weight.reshape(-1, dimensions),
        capacity=np.floor(capacity).astype(np.int64),
        sense="min",
        pick="exactly-one",
    )


def _knapsack(rng: np.random.Generator, items: int, dimensions: int, tightness: float) -> _Drawn:
    """Weights U{0..1000}, profits ``sum_d w_d / D + 500 U(0, 1)``, capacities `tightness` of the total weight."""
    weight = rng.integers(0, 1001, (items, dimensions))
    profit = weight.sum(axis=1) // dimensions + np.floor(500 * rng.random(items)).astype(np.int64)
    return _Drawn(
        group=np.arange(items, dtype=np.int64),
        bin=np.zeros(items, dtype=np.int64),
        profit=profit,
        weight=weight,
        capacity=np.floor(tightness * weight.sum(axis=0, keepdims=True)).astype(np.int64),
        sense="max",
        pick="at-most-one",
    )


def _mmkp(rng: np.random.Generator, groups: int, size: int, dimensions: int, *, correlated: bool) -> _Drawn:
    """Demands U{0..9}, resources ``5 n``; values U{0..25 D - 1}, or demands times prices U{0..9} plus U{0..19}."""
    count = groups * size
    weight = rng.integers(0, 10, (count, dimensions))
    if correlated:
        profit = weight @ rng.integers(0, 10, dimensions) + rng.integers(0, 20, count)
    else:
        profit = rng.integers(0, 25 * dimensions, count)
    return _Drawn(
        group=np.repeat(np.arange(groups, dtype=np.int64), size),
        bin=np.zeros(count, dtype=np.int64),
        profit=profit,
        weight=weight,
        capacity=np.full((1, dimensions), 5 * groups, dtype=np.int64),
        sense="max",
        pick="exactly-one",
    )


def _kept(instance: AssignmentInstance, keep: IntArray) -> AssignmentInstance:
    columns = {field: getattr(instance, field)[keep] for field in ("group", "bin", "profit", "weight")}
    return replace(instance, **columns)


def _ties(instance: AssignmentInstance) -> AssignmentInstance:
    return replace(instance, profit=instance.profit % 2 + 1, weight=instance.weight % 2 + 1)


def _mixed_signs(instance: AssignmentInstance) -> AssignmentInstance:
    middle = int(np.median(instance.profit)) if instance.choices else 0
    return replace(instance, profit=instance.profit - middle)


CORNERS: dict[str, Callable[[AssignmentInstance], AssignmentInstance]] = {
    "no-choices": lambda i: _kept(i, np.zeros(0, dtype=np.int64)),
    "no-groups": lambda i: replace(_kept(i, np.zeros(0, dtype=np.int64)), groups=0),
    "half-eligible": lambda i: _kept(i, np.arange(0, i.choices, 2)),
    "lone-groups": lambda i: _kept(i, np.nonzero(i.group % 3 > 0)[0]),
    "zero-capacity": lambda i: replace(i, capacity=i.capacity * 0),
    "zero-weight": lambda i: replace(i, weight=i.weight * 0),
    "zero-profit": lambda i: replace(i, profit=i.profit * 0),
    "oversized": lambda i: replace(i, weight=i.weight + i.capacity.max()),
    "identical": lambda i: replace(i, profit=i.profit * 0 + 7, weight=i.weight * 0 + 3),
    "ties": _ties,
    "mixed-signs": _mixed_signs,
    "huge-numbers": lambda i: replace(i, weight=i.weight * 10**9 + 1, capacity=i.capacity * 10**9),
}
"""Adversarial changes of a drawn instance, by name."""

KINDS: tuple[Kind, ...] = ("gap-a", "gap-b", "gap-c", "gap-d", "gap-e", "knapsack", "mmkp", "mmkp-correlated")
