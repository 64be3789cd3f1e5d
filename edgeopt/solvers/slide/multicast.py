"""`multicast`: users of a model share broadcasts of it; optimal where each user may take one model (ours)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from edgeopt.errors import AssumptionError
from edgeopt.instances.slide import Allocation, SlideInstance
from edgeopt.instances.slide.allocation import EMPTY
from edgeopt.instances.slide.band import fits_band
from edgeopt.instances.slide.instance import MULTICAST, IntArray
from edgeopt.models.slide.serve import float_above
from edgeopt.result import Answer, Termination
from edgeopt.solvers.base import Control
from edgeopt.solvers.slide.admission import POLL, ExactUser, exact_user
from edgeopt.solvers.slide.broadcast import Broadcast, Column, LeastBand, cheapest, cheapest_several, least_band
from edgeopt.solvers.slide.least_share import NO_PAIR, LeastShares, least_shares
from edgeopt.solvers.slide.proof import Evidence, ExchangeProof

ROUNDING = 2.0**-52
"""Twice what an operation on doubles can lose."""


def multicast(instance: SlideInstance, control: Control, *, provision: Literal["sole", "least"] = "sole") -> Answer:
    """Serve as many users as possible with at most one broadcast a model, or several in the variant multicast-many.

    Parameters
    ----------
    provision : {"sole", "least"}
        With ``sole`` every user may take one model, and the answer is optimal. With ``least`` users that may take
        several get the one of least share, and there is no bound: choosing is NP-hard (maximum coverage).

    Raises
    ------
    AssumptionError
        If the variant is none of multicast, or a user may take several models and `provision` is ``sole``.
    """
    require_multicast(instance, control.solver)
    several = np.flatnonzero(np.diff(instance.compiled.pair_start) > 1)
    if len(several) and provision == "sole":
        user = int(several[0])
        raise AssumptionError(
            f"users[{user}] may take {len(instance.compiled.models_of(user))} models: multicast is exact only for one "
            "model a user, since choosing is NP-hard; name one in users[].models, or take multicast-greedy"
        )
    shares = least_shares(instance.compiled, control)
    search = _Search(instance, shares, control)
    found, most = search.run(exact=provision == "sole")
    control.report(len(found), most)
    return Answer(
        solution=found,
        claimed_value=len(found),
        bound=most if provision == "sole" else None,
        termination=control.stopped_by() if search.stopped else Termination.COMPLETE,
        effort={"pairs": len(shares.low), "exact_users": len(search.exact)},
        proof=ExchangeProof(most, shares, search.evidence()),
        guarantee=None if provision == "sole" else "0",
    )


def require_multicast(instance: SlideInstance, solver: str) -> None:
    """Refuse other variants.

    Raises
    ------
    AssumptionError
        If the variant is neither ``multicast`` nor ``multicast-many``.
    """
    if instance.variant not in MULTICAST:
        raise AssumptionError(
            f"{solver} solves the variants 'multicast' and 'multicast-many', {instance.name} is {instance.variant!r}"
        )


@dataclass(frozen=True, slots=True)
class _Plan:
    """A knapsack with what is needed to name the users of its solutions: by model, its users."""

    models: list[int]
    users: list[IntArray]
    broadcasts: list[Broadcast]
    band: LeastBand
    complete: bool

    def chosen(self, count: int) -> list[tuple[int, list[int]]]:
        """Model and users of each broadcast of the cheapest way to serve so many."""
        return [
            (self.models[place], sorted(self.users[place][group].tolist()))
            for place, wanted in enumerate(self.band.counts(count))
            for group in self.broadcasts[place].groups(wanted)
        ]


class _Search:
    """Doubles first, with proved errors; exact fractions where they cannot tell."""

    def __init__(self, instance: SlideInstance, shares: LeastShares, control: Control) -> None:
        self.instance, self.shares, self.control = instance, shares, control
        self.rate = instance.compiled.rate
        self.many = instance.variant == "multicast-many"
        self.stopped = control.stop()
        self.exact: dict[int, ExactUser] = {}

    def evidence(self) -> dict[int, Evidence]:
        """What bounds the least shares of those known in exact numbers from below, by pair."""
        return {pair: line for found in self.exact.values() for pair, line in found.evidence.items()}

    def run(self, *, exact: bool) -> tuple[Allocation, int]:
        """The best allocation found, and how many users could be served at most."""
        shares, compiled = self.shares, self.instance.compiled
        first = compiled.pair_start[:-1]
        has = np.diff(compiled.pair_start) > 0
        pair = np.where(shares.user_pair == NO_PAIR, first, shares.user_pair)
        model = np.full(compiled.users, -1, dtype=np.int64)
        model[has] = compiled.pair_model[pair[has]]
        # one rounding a broadcast, of which there is one a model or at most one a user, and a few for each cost
        slack = (len(compiled.start) + self.many * compiled.users + 16) * ROUNDING
        low = self._plan(np.flatnonzero(has & (shares.user_low <= 1)), model, shares.user_low, 1 + slack)
        high = self._plan(np.flatnonzero(has & (shares.user_high <= 1)), model, shares.user_high, 1 + slack)
        most = len(low.band.band) - 1 if low.complete else int(np.count_nonzero(has & (shares.user_low <= 1)))
        surely = int(np.count_nonzero(high.band.band <= 1 - slack)) - 1
        for count in (len(high.band.band) - 1, surely):  # the first may be so near to 1 that doubles cannot tell
            best = self._allocation(high.chosen(count), None)
            if len(best):
                break
        if len(best) == most or not exact or self.stopped:
            return best, most
        return self._exactly(model, best, most)

    def _plan(self, users: IntArray | Any, model: IntArray, share: Column, limit: Any) -> _Plan:
        """The knapsack over these users, each at the least share it needs alone."""
        rate = self.rate if share.dtype == np.float64 else self._exact_rate()
        models: list[int] = []
        groups: list[IntArray] = []
        broadcasts: list[Broadcast] = []
        order = users[np.argsort(model[users], kind="stable")]
        names, begin = np.unique(model[order], return_index=True)
        for own, group in zip(names.tolist(), np.split(order, begin[1:]), strict=False):
            if self._stop():
                break
            models.append(own)
            groups.append(group)
            need = share[group] * rate[group]
            if self.many:
                broadcasts.append(cheapest_several(need, rate[group], limit, self._stop))
            else:
                broadcasts.append(cheapest(need, rate[group], limit))
        band = least_band(broadcasts, limit, self._stop)
        complete = len(band.picks) == len(names) and all(broadcast.complete for broadcast in broadcasts)
        return _Plan(models, groups, broadcasts, band, complete)

    def _stop(self) -> bool:
        self.stopped = self.stopped or self.control.stop()
        return self.stopped

    def _exact_rate(self) -> Column:
        return np.array([Fraction(value) for value in self.rate.tolist()], dtype=object)

    def _exactly(self, model: IntArray, best: Allocation, most: int) -> tuple[Allocation, int]:
        """The same in fractions, for all users that may be served at all."""
        found: dict[int, ExactUser] = {}
        for step, user in enumerate(np.flatnonzero(self.shares.user_low <= 1).tolist()):
            if step % POLL == 0 and self._stop():
                return best, most
            found[user] = exact_user(self.shares, user)
        self.exact = found
        low, high = self._exact_plan(found, model, "low"), self._exact_plan(found, model, "high")
        if low.complete:
            most = min(most, len(low.band.band) - 1)
        count = len(high.band.band) - 1
        if count > len(best):
            best = self._allocation(high.chosen(count), found)
        return best, most

    def _exact_plan(self, found: dict[int, ExactUser], model: IntArray, end: Literal["low", "high"]) -> _Plan:
        share = np.full(len(model), np.inf, dtype=object)
        for user, own in found.items():
            value = getattr(own, end)
            if value is not None and value <= 1:
                share[user] = value
        users = np.array([user for user in found if share[user] <= 1], dtype=np.int64)
        return self._plan(users, model, share, Fraction(1))

    def _allocation(self, groups: list[tuple[int, list[int]]], exact: dict[int, ExactUser] | None) -> Allocation:
        """Broadcasts of models to users; nobody where they do not fit, in exact arithmetic."""
        shares = []
        for _, users in groups:
            rates = [Fraction(float(self.rate[user])) for user in users]
            needs = [self._least(user, exact) * rate for user, rate in zip(users, rates, strict=True)]
            shares.append(max(needs) / min(rates))
        if not fits_band(shares):
            return EMPTY
        listens = {user: place for place, (_, users) in enumerate(groups) for user in users}
        user = np.array(sorted(listens), dtype=np.int64)
        group = np.array([listens[own] for own in user.tolist()], dtype=np.int64)
        chosen = np.array([model for model, _ in groups], dtype=np.int64)[group] if len(user) else user
        speeds = self._speeds(user, chosen, exact)
        return Allocation(user, chosen, numbers(shares, group.tolist()), speeds, group if self.many else None)

    def _least(self, user: int, exact: dict[int, ExactUser] | None) -> Fraction:
        if exact is None:
            return Fraction(float(self.shares.user_high[user]))
        high = exact[user].high
        assert high is not None
        return high

    def _speeds(self, user: IntArray, model: IntArray, exact: dict[int, ExactUser] | None) -> Any:
        """Speeds at the least shares; a broadcast is at least as fast."""
        if exact is None:
            return self.shares.speeds(self.shares.user_pair[user]) if len(user) else None
        if all(exact[own].speed is None for own in user.tolist()):
            return None
        layers = self.instance.models.layers
        speeds: list[Fraction] = []
        for own, chosen in zip(user.tolist(), model.tolist(), strict=True):
            speeds += exact[own].speed or [Fraction(1)] * int(layers[chosen])
        return tuple(speeds)


def numbers(shares: Sequence[Fraction], group: Sequence[int]) -> Any:
    """The share of each user's broadcast: doubles rounded up where all of them still fit so, else fractions."""
    rounded = [float_above(value) for value in shares]
    if fits_band([Fraction(value) for value in rounded]) and all(value <= 1 for value in rounded):
        return np.array([rounded[own] for own in group], dtype=np.float64)
    return tuple(shares[own] for own in group)
