"""Whom to serve: a 0/1 knapsack of least shares with whole worths, decided exactly (ours).

Least shares are enclosed. Rounded up to binary places they give allocations, rounded down they give a bound; where the
two differ, exact shares with more places take their place, then exact fractions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeopt.instances.slide.allocation import Allocation
from edgeopt.instances.slide.band import fits_band
from edgeopt.instances.slide.instance import IntArray
from edgeopt.solvers.base import Control
from edgeopt.solvers.slide.admission import ExactUser, allocate, allocate_exactly
from edgeopt.solvers.slide.knapsack import Exact, Knapsack, Packing, pack
from edgeopt.solvers.slide.least_share import LeastShares
from edgeopt.solvers.slide.proof import Evidence

POINT_BITS = 61
"""Binary places of the shares at first: with them two sums fit into 64 bits."""
MORE_BITS = 256
POLL = 64
"""Users in exact numbers between two looks at the clock."""


Exactly = Callable[[int], ExactUser]


@dataclass(slots=True)
class Served:
    """The users of the largest worth found so far.

    Attributes
    ----------
    users : (n,) int64
        Ascending.
    worth, bound : int
        Theirs, and what no users that fit exceed.
    exact : dict of int to ExactUser
        What is known in exact numbers, by user.
    cells : int
        Entries of all tables.
    stopped : bool
        Whether the control stopped it.
    too_long : bool
        Whether a table over 64-bit sizes would have been too long.
    """

    users: IntArray
    worth: int
    bound: int
    exact: dict[int, ExactUser] = field(default_factory=dict)
    cells: int = 0
    stopped: bool = False
    too_long: bool = False

    def evidence(self) -> dict[int, Evidence]:
        """What bounds the least shares of those known in exact numbers from below, by pair."""
        return {pair: line for found in self.exact.values() for pair, line in found.evidence.items()}


def best_served(shares: LeastShares, worth: IntArray, exactly: Exactly, control: Control) -> Served:
    """Users of the largest worth whose least shares fit into the band together, decided exactly.

    Parameters
    ----------
    shares : LeastShares
    worth : (K,) int64
        >= 0.
    exactly : callable
        Encloses the least share of a user, an index, in exact numbers.
    control : Control
    """
    best = Served(np.zeros(0, dtype=np.int64), 0, int(worth.sum()))
    users, low, high = rounded(shares, worth)
    users = _step(best, exactly, users, Sizes(worth[users], low, high, 1 << POINT_BITS), control)
    if not len(users) or not _make_exact(best, exactly, users, control):
        return best
    for bits in (MORE_BITS, 0):
        users = users[[best.exact[user].low is not None for user in users.tolist()]]
        known = [best.exact[user] for user in users.tolist()]
        # a user that nothing is known to be enough for does not fit
        ends = [(found.low or Fraction(0), Fraction(2) if found.high is None else found.high) for found in known]
        users = _step(best, exactly, users, _exact_sizes(worth[users], ends, bits), control)
        if not len(users):
            break
    return best


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """Worths of users, and enclosures of their least shares in units of the band's `capacity`."""

    worth: IntArray
    low: NDArray[Any]
    high: NDArray[Any]
    capacity: Exact


def rounded(shares: LeastShares, worth: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Users worth something that may be served, and their least shares in units of ``2^-POINT_BITS``."""
    users = np.flatnonzero((worth > 0) & (shares.user_low <= 1.0)).astype(np.int64)
    low = np.floor(np.ldexp(shares.user_low[users], POINT_BITS)).astype(np.int64)
    high = np.ceil(np.ldexp(np.minimum(shares.user_high[users], 2.0), POINT_BITS)).astype(np.int64)
    return users, low, high


def _exact_sizes(worth: IntArray, ends: list[tuple[Fraction, Fraction]], bits: int) -> Sizes:
    """Sizes with `bits` binary places, or as they are for 0."""
    low, high = np.empty(len(ends), dtype=object), np.empty(len(ends), dtype=object)
    for place, (below, above) in enumerate(ends):
        low[place] = (below.numerator << bits) // below.denominator if bits else below
        high[place] = -((-above.numerator << bits) // above.denominator) if bits else above
    return Sizes(worth, low, high, 1 << bits)


def _step(best: Served, exactly: Exactly, users: IntArray, sizes: Sizes, control: Control) -> IntArray:
    """Improve what was found with these sizes. Returns the users that something better may contain: none when done."""
    inside = pack(Knapsack(sizes.worth, sizes.high, sizes.capacity), control, best.worth)
    _improve(best, users, inside)
    outer = pack(Knapsack(sizes.worth, sizes.low, sizes.capacity), control, best.worth)
    best.cells += inside.cells + outer.cells
    best.bound = min(best.bound, outer.bound)
    best.stopped = control.stop()
    if outer.chosen is not None and not best.stopped and _fit(best, exactly, users[outer.chosen], control):
        _improve(best, users, outer)
    cut = outer.worth < outer.bound
    best.too_long = cut and best.worth < best.bound and not best.stopped and sizes.low.dtype == np.int64
    # without a table there is nothing to be learnt from more places
    return users[:0] if cut or best.worth >= best.bound or best.stopped else users[outer.open]


def _improve(best: Served, users: IntArray, found: Packing) -> None:
    if found.chosen is not None:
        best.users, best.worth = users[found.chosen], found.worth


def _fit(best: Served, exactly: Exactly, users: IntArray, control: Control) -> bool:
    """Whether the least shares of these users fit into the band, exactly."""
    if not _make_exact(best, exactly, users, control):
        return False
    high = [best.exact[user].high for user in users.tolist()]
    return None not in high and fits_band([share for share in high if share is not None])


def _make_exact(best: Served, exactly: Exactly, users: IntArray, control: Control) -> bool:
    """Enclose the least shares of these users in exact numbers; whether there was time for it."""
    for step, user in enumerate(users.tolist()):
        if step % POLL == 0 and control.stop():
            best.stopped = True
            return False
        if user not in best.exact:
            best.exact[user] = exactly(user)
    return True


def allocation_of(shares: LeastShares, found: Served) -> Allocation:
    """The allocation that serves these users, in floats where that fits into the band."""
    if fits_band(shares.user_high[found.users]):
        return allocate(shares, found.users)
    return allocate_exactly(shares, {user: found.exact[user] for user in found.users.tolist()})
