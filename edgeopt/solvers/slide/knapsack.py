"""0/1 knapsack with whole values and exact sizes: a bound that fixes most items, a table over the value for the rest.

Sizes are 64-bit integers, or any exact numbers (long integers, fractions) in an array of objects: the same steps,
exact either way.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeopt.instances.slide.instance import FloatArray, IntArray
from edgeopt.solvers.base import Control

Exact = int | Fraction
MOST_CELLS = 2**31
"""Entries of a table over 64-bit sizes that are computed: some seconds, and one bit of memory each."""
MOST_OBJECT_CELLS = 2**24
"""The same for other exact numbers."""
MOST_WORTH = 2**25
"""Longest table."""
MOST_STATES = 2**24
"""Undominated sets that are kept, after all items together, where the table would be too long."""
LEAST_PART = 2.0**-900
"""Smaller sizes count as this in the order of the items, so that quotients stay finite."""
ULP = 2.0**-52


@dataclass(frozen=True, slots=True, eq=False)
class Knapsack:
    """``max sum worth_j x_j, sum size_j x_j <= capacity``, ``x`` binary.

    Attributes
    ----------
    worth : (n,) int64
        >= 0.
    size : (n,) int64, or objects that are int or Fraction
        >= 0.
    capacity : int or Fraction
        > 0. For 64-bit sizes at most 2^61, so that sums of two that fit do not wrap around.
    """

    worth: IntArray
    size: NDArray[Any]
    capacity: Exact


@dataclass(frozen=True, slots=True, eq=False)
class Packing:
    """The best set of a knapsack.

    Attributes
    ----------
    chosen : (m,) int64 or None
        Items of a set worth more than was asked for, ascending; None if none was found.
    worth : int
        Of `chosen`, or what was asked for.
    bound : int
        No set is worth more; equal to `worth` unless it was stopped or there are too many sets to keep.
    cells : int
        Entries that the table has or would have.
    open : (n,) bool
        Items that a set worth more than was asked for may contain.
    """

    chosen: IntArray | None
    worth: int
    bound: int
    cells: int
    open: NDArray[np.bool_]


def pack(knapsack: Knapsack, control: Control, at_least: int = 0, *, most_cells: int | None = None) -> Packing:
    """The best set that is worth more than `at_least`, or the proof that there is none.

    Parameters
    ----------
    knapsack : Knapsack
    control : Control
    at_least : int
        Worth that is at hand already.
    most_cells : int, optional
        Where a table would have more entries, the undominated sets are kept instead; 0 for the greedy set and the bound
        alone. `MOST_CELLS` or `MOST_OBJECT_CELLS` when not given.
    """
    worth, size = knapsack.worth, knapsack.size
    usable = np.flatnonzero((worth > 0) & np.asarray(size <= knapsack.capacity, dtype=bool))
    part = _parts(size[usable], knapsack.capacity)
    ratio = worth[usable] / np.maximum(part, LEAST_PART)
    order = np.argsort(-ratio, kind="stable")
    taken, broken = _greedy(knapsack, usable[order])
    greedy = int(worth[taken].sum())
    best, chosen = (greedy, np.sort(taken)) if greedy > at_least else (at_least, None)
    price = 0.0 if broken is None else float(ratio[order[broken]])
    never = _relaxed(worth[usable], part, price, at_least).outside
    open_items = np.zeros(len(worth), dtype=bool)
    open_items[usable[~never]] = True
    relaxed = _relaxed(worth[usable], part, price, best)
    bound, inside = relaxed.bound, relaxed.inside
    if best >= bound:
        return Packing(chosen, best, best, 0, open_items)
    base = usable[inside]
    base_worth = int(worth[base].sum())
    undecided = np.flatnonzero(~inside & ~relaxed.outside)
    core = usable[undecided]
    room, most = knapsack.capacity - _total(size[base]), min(bound - base_worth, int(worth[core].sum()))
    if room < 0 or base_worth + most <= best:
        return Packing(chosen, best, best, 0, open_items)
    undecided, core = undecided[worth[core] <= most], core[worth[core] <= most]
    step = max(1, int(np.gcd.reduce(worth[core])))
    inner, most = Knapsack(worth[core] // step, size[core], room), most // step
    cells = len(core) * (most + 1)
    if most_cells is None:
        most_cells = MOST_CELLS if size.dtype == np.int64 else MOST_OBJECT_CELLS
    if cells <= most_cells and most <= MOST_WORTH:
        found = _table(inner, most, control)
    else:
        # what is decided last matters least
        order = np.argsort(-relaxed.loss[undecided], kind="stable")
        core, sorted_ = core[order], undecided[order]
        inner = Knapsack(inner.worth[order], inner.size[order], room)
        loss = np.where(relaxed.gain[sorted_] > 0, -1.0, 1.0) * relaxed.loss[sorted_]
        found = None if most_cells == 0 else _undominated(inner, loss, relaxed.spare, control)
    if found is None:
        return Packing(chosen, best, bound, cells, open_items)
    places = np.sort(np.concatenate([base, core[found]])).astype(np.int64)
    total = int(worth[places].sum())
    if total > best:
        best, chosen = total, places
    return Packing(chosen, best, best, cells, open_items)


def _parts(size: NDArray[Any], capacity: Exact) -> FloatArray:
    """Sizes in capacities, to a relative 2^-51."""
    if size.dtype == np.int64:
        return np.asarray(size / float(capacity))
    return np.array([float(Fraction(value) / capacity) for value in size.tolist()], dtype=np.float64)


def _total(size: NDArray[Any]) -> Exact:
    """Exact sum."""
    total: Exact = sum(size.tolist())
    return total


def _greedy(knapsack: Knapsack, order: IntArray) -> tuple[IntArray, int | None]:
    """Items taken in order where they fit, and the place in `order` of the first that did not."""
    left, taken, broken = knapsack.capacity, [], None
    for place, (item, size) in enumerate(zip(order.tolist(), knapsack.size[order].tolist(), strict=True)):
        if size <= left:
            left -= size
            taken.append(item)
        elif broken is None:
            broken = place
    return np.array(taken, dtype=np.int64), broken


@dataclass(frozen=True, slots=True, eq=False)
class _Relaxed:
    """A Lagrangian bound, and the items that every set better than some worth contains (`inside`) or lacks (`outside`).

    A set that lacks an item of positive `gain`, or contains one of negative, is below the bound by its `loss`; all
    losses of a set better than that worth are together at most `spare`.
    """

    bound: int
    inside: NDArray[np.bool_]
    outside: NDArray[np.bool_]
    gain: FloatArray
    loss: FloatArray
    spare: float


def _relaxed(worth: IntArray, part: FloatArray, price: float, best: int) -> _Relaxed:
    """Lagrangian bound at a price of the capacity, and what it says of the items of sets better than `best`.

    ``U = price + sum_j max(0, worth_j - price part_j)`` bounds every set, at whatever price; a set that lacks an item
    with a positive term, or contains one with a negative term, loses its absolute value from that. `slack` covers the
    roundings: of a term ``2^-50`` of its two parts, of the sum ``n 2^-52`` of what is added.
    """
    cost = price * part
    gain = worth - cost
    doubt = 4 * ULP * (worth + cost)
    total = float(np.maximum(gain, 0.0).sum()) + price
    slack = float(doubt.sum()) + (len(worth) + 8) * ULP * total
    bound = min(int(np.floor(total + slack)), int(worth.sum()))
    loss = np.maximum(np.abs(gain) - doubt, 0.0) * (1 - (len(worth) + 8) * ULP)
    spare = ((total + slack) - (best + 1) * (1 - 4 * ULP)) * (1 + 4 * ULP)
    fixed = loss > spare
    return _Relaxed(bound, fixed & (gain > doubt), fixed & (gain < -doubt), gain, loss, spare)


def _table(knapsack: Knapsack, most: int, control: Control) -> IntArray | None:
    """The best set worth at most `most`, where no set is worth more: ``least[v]`` is the least size of a set worth `v`.

    None if the control stopped it. After an item, one bit for each `v` says whether ``least[v]`` contains it.
    """
    worth, size, beyond = knapsack.worth.tolist(), knapsack.size.tolist(), knapsack.capacity + 1
    least = np.full(most + 1, beyond, dtype=knapsack.size.dtype)
    least[0] = 0
    contains = []
    reach = 0
    for value, need in zip(worth, size, strict=True):
        if control.stop():
            return None
        reach = min(most, reach + value)
        trial = least[: reach + 1 - value] + need
        better = np.asarray(trial < least[value : reach + 1], dtype=bool)
        np.copyto(least[value : reach + 1], trial, where=better)
        contains.append(np.packbits(better))
    at = int(np.flatnonzero(np.asarray(least <= knapsack.capacity, dtype=bool))[-1])
    chosen = []
    for item in reversed(range(len(worth))):
        place = at - worth[item]
        if place >= 0 and place >> 3 < len(contains[item]) and contains[item][place >> 3] >> (7 - (place & 7)) & 1:
            chosen.append(item)
            at = place
    return np.array(chosen[::-1], dtype=np.int64)


def _undominated(knapsack: Knapsack, loss: FloatArray, spare: float, control: Control) -> IntArray | None:
    """The best set, from all sets that none of less or equal size is worth as much as (Nemhauser and Ullmann 1969).

    It is the table over the value without the entries that are of no use: those dominated, and those that lose more
    than `spare` of a bound, `loss` with an item where that is positive and ``-loss`` without it where it is negative.
    None if the control stopped it, or there are more than `MOST_STATES` of them.
    """
    size, worth = np.zeros(1, dtype=knapsack.size.dtype), np.zeros(1, dtype=np.int64)
    lost = np.zeros(1)
    origins: list[IntArray] = []
    kept = 0
    for value, need, own in zip(knapsack.worth.tolist(), knapsack.size.tolist(), loss.tolist(), strict=True):
        if control.stop() or kept > MOST_STATES:
            return None
        fits = np.asarray(size + need <= knapsack.capacity, dtype=bool)
        sizes, worths = np.concatenate([size, (size + need)[fits]]), np.concatenate([worth, (worth + value)[fits]])
        losses = np.concatenate([lost + max(0.0, -own), (lost + max(0.0, own))[fits]])
        order = np.argsort(-worths, kind="stable")
        order = order[np.argsort(sizes[order], kind="stable")]
        order = order[losses[order] <= spare]
        if not len(order):
            return np.zeros(0, dtype=np.int64)  # no set is better than what is known
        before = np.maximum.accumulate(worths[order])
        order = order[np.concatenate([[True], worths[order][1:] > before[:-1]])]
        size, worth, lost = sizes[order], worths[order], losses[order]
        origins.append(order)
        kept += len(order)
    chosen, at = [], len(worth) - 1
    for item in reversed(range(len(origins))):
        old = len(origins[item - 1]) if item else 1
        at = int(origins[item][at])
        if at >= old:  # of the sets that fit with the item, which are the first of the old ones: sizes rise
            chosen.append(item)
            at -= old
    return np.array(chosen[::-1], dtype=np.int64)
