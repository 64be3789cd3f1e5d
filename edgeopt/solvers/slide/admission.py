"""Admission: as many users as possible whose least shares fit into the band, decided exactly.

Serving the users of the smallest least shares is optimal, by exchange. Floats enclose the shares and nearly always
tell. Where they leave open how many fit, the users whose enclosure is wide are computed in exact numbers and enclosed
by floats again, a few of them at a time; only where that does not tell either, exact rationals take the place of all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray

from edgeopt.instances.slide.allocation import Allocation
from edgeopt.instances.slide.band import POINT_BITS, exact_sum, fits_band, longest_fitting_prefix
from edgeopt.instances.slide.instance import FloatArray
from edgeopt.instances.slide.pair import Pair
from edgeopt.models.slide.serve import float_above, float_below
from edgeopt.solvers.base import Control
from edgeopt.solvers.slide.exact_share import ExactShare, exact_share, least_energy_slopes
from edgeopt.solvers.slide.least_share import LeastShares
from edgeopt.solvers.slide.proof import Evidence

Exactly = Callable[[Pair], ExactShare]
"""Encloses the least share of a pair in exact numbers."""
POLL = 64
"""Users in exact numbers between two looks at what they tell."""
WIDE = 1e-9
"""Relative width of an enclosure that floats do better than, but for the odd user."""
SPARE_BITS = (48, 40, 32)
"""Shares are raised by so small parts until speeds in floats are feasible."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Who is served, and how many could be at most.

    Attributes
    ----------
    allocation : Allocation
    most : int
        Nobody can serve more users.
    refined : dict of int to Evidence
        By pair: evidence from exact numbers, where `most` rests on it.
    exact_pairs : int
        Pairs computed in exact numbers.
    stopped : bool
        Whether the control stopped it before exact numbers had decided.
    """

    allocation: Allocation
    most: int
    refined: dict[int, Evidence] = field(default_factory=dict)
    exact_pairs: int = 0
    stopped: bool = False


def admit(shares: LeastShares, control: Control) -> Admission:
    """Serve as many users as possible, each at its least share."""
    known = cache(exact_share)
    order, count, most = _between(shares)
    refined: dict[int, Evidence] = {}
    if count < most:
        shares, refined = _narrowed(shares, most, known, control)
        order, count, most = _between(shares)
    if count < most:
        exact = _exact_users(shares, most, known, control)
        if exact is not None:
            return _exactly(shares, exact)
    return Admission(allocate(shares, order[:count]), most, refined, len(refined), stopped=count < most)


def _between(shares: LeastShares) -> tuple[NDArray[np.intp], int, int]:
    """Users by the upper ends of their least shares, how many of them surely fit, and how many fit at most."""
    order = np.argsort(shares.user_high, kind="stable")
    return order, longest_fitting_prefix(shares.user_high[order]), longest_fitting_prefix(np.sort(shares.user_low))


def _narrowed(
    shares: LeastShares, most: int, known: Exactly, control: Control
) -> tuple[LeastShares, dict[int, Evidence]]:
    """Enclose users that floats enclose widely anew, the widest first, while it is not decided how many fit.

    Returns the shares and the evidence of the pairs.
    """
    evidence: dict[int, Evidence] = {}
    users = wide(shares, _limit(shares.user_high, most))
    for first in range(0, len(users), POLL):
        if control.stop():
            break
        shares, found = narrow(shares, users[first : first + POLL], known)
        evidence |= found
        _, count, most = _between(shares)
        if count == most:
            break
    return shares, evidence


def wide(shares: LeastShares, limit: float = 1.0) -> NDArray[np.intp]:
    """Users that floats enclose widely, the widest first; of those that may need no more than a limit."""
    low, high = shares.user_low, shares.user_high
    users = np.flatnonzero((low <= limit) & (high > low * (1 + WIDE)))
    return users[np.argsort(low[users] - high[users], kind="stable")]


def narrow(
    shares: LeastShares, users: NDArray[np.intp], known: Exactly = exact_share
) -> tuple[LeastShares, dict[int, Evidence]]:
    """Enclose users by exact numbers, and these by floats. Returns the shares and the evidence of the pairs."""
    low, high, pair = shares.user_low.copy(), shares.user_high.copy(), shares.user_pair.copy()
    evidence: dict[int, Evidence] = {}
    given = dict(shares.given)
    for user in users.tolist():
        found = exact_user(shares, user, known)
        evidence |= found.evidence
        low[user] = np.inf if found.low is None else float_below(found.low)
        ends = _float_ends(shares, user, found)
        if ends is not None:
            high[user], pair[user], given[ends[1]] = ends
    return replace(shares, user_low=low, user_high=high, user_pair=pair, given=given), evidence


def _float_ends(shares: LeastShares, user: int, found: ExactUser) -> tuple[float, int, FloatArray] | None:
    """A share in floats a bit above the least one, its pair, and speeds in floats: feasible, exactly."""
    if found.high is None:
        return None
    compiled = shares.compiled
    begin = int(compiled.pair_start[user])
    place = begin + compiled.models_of(user).tolist().index(found.model)
    pair = compiled.pair(user, found.model)
    for bits in SPARE_BITS:
        share = min(1.0, float_above(found.high * (1 + Fraction(1, 2**bits))))
        slopes = least_energy_slopes(pair, Fraction(share))
        speeds = [min(1.0, float_above(slope)) if slope else 1.0 for slope in slopes]
        if pair.allows(Fraction(share), [Fraction(speed) for speed in speeds]):
            return share, place, np.array(speeds)
    return None


def _exactly(shares: LeastShares, exact: dict[int, ExactUser]) -> Admission:
    """The same by exact enclosures of all users who may be served."""
    ranked = sorted(exact, key=lambda user: (exact[user].high is None, exact[user].high, user))
    feasible = [exact[user].high for user in ranked]
    served = ranked[: _longest([high for high in feasible if high is not None])]
    most = _longest(sorted(found.low for found in exact.values() if found.low is not None))
    refined = {pair: evidence for found in exact.values() for pair, evidence in found.evidence.items()}
    places = np.array(served, dtype=np.int64)
    if fits_band(shares.user_high[places]):
        allocation = allocate(shares, places)
    else:
        allocation = allocate_exactly(shares, {user: exact[user] for user in sorted(served)})
    return Admission(allocation, most, refined, len(refined))


def _limit(high: FloatArray, most: int) -> float:
    """A share that the ``most + 1`` smallest ones do not exceed."""
    return min(1.0, float(np.partition(high, most)[most])) if most < len(high) else 1.0


def _longest(rising: Sequence[Fraction]) -> int:
    """Largest ``n`` such that the first ``n`` of rising shares fit into the band, exactly."""
    one, low = 1 << POINT_BITS, 0
    for count, share in enumerate(rising):
        low += (share.numerator << POINT_BITS) // share.denominator
        if low > one or (low + count + 1 > one and exact_sum(rising[: count + 1]) > 1):
            return count
    return len(rising)


def allocate(shares: LeastShares, users: NDArray[np.int64] | NDArray[np.intp]) -> Allocation:
    """The allocation of these users at the upper ends of their enclosures, all finite."""
    user = np.sort(users).astype(np.int64)
    pair = shares.user_pair[user]
    return Allocation(user, shares.compiled.pair_model[pair], shares.user_high[user], shares.speeds(pair))


@dataclass(frozen=True, slots=True)
class ExactUser:
    """Enclosure of a user's least share over its models, as in `ExactShare`; `evidence` is by pair."""

    low: Fraction | None
    high: Fraction | None
    model: int
    speed: tuple[Fraction, ...] | None
    evidence: dict[int, Evidence]


def _exact_users(shares: LeastShares, most: int, known: Exactly, control: Control) -> dict[int, ExactUser] | None:
    """Exact enclosures of all users that may be among the `most` + 1 smallest; None if there is no time for them."""
    found: dict[int, ExactUser] = {}
    for user in np.flatnonzero(shares.user_low <= _limit(shares.user_high, most)).tolist():
        if control.stop():
            return None
        found[user] = exact_user(shares, user, known)
    return found


def exact_user(shares: LeastShares, user: int, of: Exactly = exact_share) -> ExactUser:
    """Enclose the least share of a user over all its models."""
    compiled = shares.compiled
    begin, end = int(compiled.pair_start[user]), int(compiled.pair_start[user + 1])
    models = compiled.pair_model[begin:end].tolist()
    found = [of(compiled.pair(user, model)) for model in models]
    evidence = {begin + place: share.evidence for place, share in enumerate(found)}
    least = min((share.low for share in found if share.low is not None), default=None)
    feasible = [(share.high, place) for place, share in enumerate(found) if share.high is not None]
    if not feasible:
        return ExactUser(least, None, -1, None, evidence)
    high, place = min(feasible)
    return ExactUser(least, high, models[place], found[place].speed, evidence)


def allocate_exactly(shares: LeastShares, served: dict[int, ExactUser]) -> Allocation:
    """The allocation of these users, ascending, at exact shares with exact speeds, all feasible."""
    model = np.array([found.model for found in served.values()], dtype=np.int64)
    speed: list[Fraction] | None = None
    if any(found.speed is not None for found in served.values()):
        layers = np.diff(shares.compiled.start)
        speed = []
        for found in served.values():
            speed += found.speed or [Fraction(1)] * int(layers[found.model])
    return Allocation(
        np.array(list(served), dtype=np.int64),
        model,
        tuple(found.high for found in served.values() if found.high is not None),
        None if speed is None else tuple(speed),
    )
