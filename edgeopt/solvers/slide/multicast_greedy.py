"""`multicast-greedy`: broadcasts to users who may take several models, one after another by users a part of the band.

Choosing is NP-hard (maximum coverage). How many users broadcasts reach is a submodular function of the set of them;
with several broadcasts of a model (``multicast-many``) the band is the only constraint, so the greedy after all sets of
up to three broadcasts reaches ``1 - 1/e`` of the optimum (partial enumeration, Sviridenko 2004). With one broadcast a
model the greedy may put a larger one in the place of a smaller one and has no guarantee.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from edgeopt.instances.slide import Allocation, SlideInstance
from edgeopt.instances.slide.allocation import EMPTY
from edgeopt.instances.slide.band import fits_band
from edgeopt.instances.slide.compiled import CompiledSlide
from edgeopt.instances.slide.instance import FloatArray, IntArray
from edgeopt.result import Answer, Termination
from edgeopt.solvers.base import Control
from edgeopt.solvers.slide.broadcast import cheapest, cheapest_several, least_band
from edgeopt.solvers.slide.least_share import LeastShares, least_shares, owner
from edgeopt.solvers.slide.multicast import ROUNDING, numbers, require_multicast
from edgeopt.solvers.slide.proof import ExchangeProof

MOST_OPTIONS = 20_000
"""Broadcasts that are considered; rates between are left out where there would be more."""
MOST_STARTS = 50_000
"""Sets of broadcasts that the greedy is started from."""
GUARANTEE = "63/100"
"""A bit below ``1 - 1/e``."""


def multicast_greedy(instance: SlideInstance, control: Control, *, seeds: int = 1) -> Answer:
    """Serve many users by broadcasts, each user by any model it may take.

    Parameters
    ----------
    seeds : int
        The greedy starts from every set of at most so many broadcasts. With 3 at least ``1 - 1/e`` of the optimum are
        served in the variant ``multicast-many``.

    Raises
    ------
    AssumptionError
        If the variant is neither ``multicast`` nor ``multicast-many``.
    """
    require_multicast(instance, control.solver)
    shares = least_shares(split_pairs(instance.compiled), control)
    most = most_users(instance, shares, control)
    search = _Greedy(instance, shares)
    best, reached = search.run(())
    finished = reached >= most
    for start in search.starts(seeds):
        if finished or control.stop():
            break
        chosen, served = search.run(start)
        if served > reached:
            best, reached = chosen, served
            finished = reached >= most
    found = search.allocation(best)
    control.report(len(found), most)
    whole = finished or (seeds >= 3 and search.complete and search.all_started and not control.stop())
    promised = whole and instance.variant == "multicast-many" and len(found) == reached
    return Answer(
        solution=found,
        claimed_value=len(found),
        bound=most,
        termination=control.stopped_by() if control.stop() and not finished else Termination.COMPLETE,
        effort={"pairs": len(shares.low), "options": len(search.cost)},
        proof=ExchangeProof(most, shares, {}, len(instance.users)),
        guarantee=GUARANTEE if promised else "0",
    )


def split_pairs(compiled: CompiledSlide) -> CompiledSlide:
    """Every pair of a user and a model as a user of its own, so that none is passed over for another model."""
    pairs = np.arange(len(compiled.pair_model), dtype=np.int64)
    user = owner(compiled, pairs)
    return replace(
        compiled,
        deadline=compiled.deadline[user],
        rate=compiled.rate[user],
        flop_ticks=compiled.flop_ticks[user],
        energy=compiled.energy[user],
        weight=compiled.weight[user],
        pair_start=np.arange(len(pairs) + 1, dtype=np.int64),
    )


def most_users(instance: SlideInstance, shares: LeastShares, control: Control) -> int:
    """A bound: the cheapest broadcasts, with users counted in each of their models."""
    compiled, many = instance.compiled, instance.variant == "multicast-many"
    pairs = np.flatnonzero(shares.low <= 1).astype(np.int64)
    user, model = owner(compiled, pairs), compiled.pair_model[pairs]
    able = len(np.unique(user))
    limit = 1 + (len(compiled.start) + many * len(pairs) + 16) * ROUNDING
    broadcasts = []
    for own in np.unique(model).tolist():
        members = pairs[model == own]
        rate = shares.compiled.rate[members]
        need = shares.low[members] * rate
        found = cheapest_several(need, rate, limit, control.stop) if many else cheapest(need, rate, limit)
        if not found.complete:
            return able
        broadcasts.append(found)
    band = least_band(broadcasts, limit, control.stop)
    return min(able, len(band.band) - 1) if len(band.picks) == len(broadcasts) else able


@dataclass(frozen=True, slots=True, eq=False)
class Options:
    """Broadcasts that could be made.

    Attributes
    ----------
    model : (n,) int64
    cost : (n,) float64
        Share of the band, rounded up.
    reaches : (n, K) bool
        Users that each serves.
    complete : bool
        Whether none that is worth it was left out.
    """

    model: IntArray
    cost: FloatArray
    reaches: NDArray[np.bool_]
    complete: bool


def options(instance: SlideInstance, shares: LeastShares) -> Options:
    """For each model the users with needs up to one value and rates down to another."""
    compiled = instance.compiled
    pairs = np.flatnonzero(shares.high <= 1).astype(np.int64)
    user, model = owner(compiled, pairs), compiled.pair_model[pairs]
    need, rate = shares.high[pairs] * compiled.rate[user] * (1 + ROUNDING), compiled.rate[user]
    count = np.bincount(model, minlength=len(instance.models))
    # of the rates of a model every `step`-th is tried, the least one among them
    step = max(1, int(np.ceil(float((count.astype(np.float64) ** 2).sum()) / MOST_OPTIONS)))
    models: list[int] = []
    costs: list[float] = []
    reaches: list[NDArray[np.bool_]] = []
    for own in np.flatnonzero(count).tolist():
        members = np.flatnonzero(model == own)
        members = members[np.argsort(need[members], kind="stable")]
        for least in np.sort(np.unique(rate[members]))[::step].tolist():
            near = members[rate[members] >= least]
            for last, place in enumerate(near.tolist()):
                cost = need[place] / least * (1 + ROUNDING)
                if cost > 1:
                    break
                if last + 1 < len(near) and need[near[last + 1]] == need[place]:
                    continue  # the next one costs the same
                reached = np.zeros(compiled.users, dtype=bool)
                reached[user[near[: last + 1]]] = True
                models.append(own)
                costs.append(cost)
                reaches.append(reached)
    table = np.array(reaches) if reaches else np.zeros((0, compiled.users), dtype=bool)
    return Options(np.array(models, dtype=np.int64), np.array(costs), table, step == 1)


class _Greedy:
    """Greedy choices from any start."""

    def __init__(self, instance: SlideInstance, shares: LeastShares) -> None:
        self.instance, self.shares = instance, shares
        self.many = instance.variant == "multicast-many"
        found = options(instance, shares)
        self.model, self.cost, self.reaches, self.complete = found.model, found.cost, found.reaches, found.complete
        self.counts = self.reaches.astype(np.float32)
        self.all_started = True

    def starts(self, seeds: int) -> Iterator[tuple[int, ...]]:
        """All sets of one to `seeds` broadcasts that fit, those of few first."""
        left = MOST_STARTS
        for size in range(1, seeds + 1):
            for start in combinations(range(len(self.cost)), size):
                if left == 0:
                    self.all_started = False
                    return
                left -= 1
                if self.cost[list(start)].sum() <= 1 and (self.many or len({*self.model[list(start)]}) == size):
                    yield start

    def run(self, start: tuple[int, ...]) -> tuple[list[int], int]:
        """Broadcasts of the best greedy continuation, and how many users they reach."""
        chosen = list(start)
        while True:
            better = self._next(chosen)
            if better is None:
                return chosen, int(self.reaches[chosen].any(axis=0).sum()) if chosen else 0
            add, drop = better
            chosen = [own for own in chosen if own != drop] + [add]

    def _next(self, chosen: list[int]) -> tuple[int, int | None] | None:
        """The broadcast that reaches most more users a share, and the one it replaces; None if there is none."""
        if not len(self.cost):
            return None
        room = 1.0 - float(self.cost[chosen].sum())
        times = self.reaches[chosen].sum(axis=0) if chosen else np.zeros(self.reaches.shape[1], dtype=np.int64)
        gain = self.counts @ (times == 0).astype(np.float32)
        extra = self.cost.copy()
        replaced: dict[int, int] = {}
        for own in [] if self.many else chosen:
            same = np.flatnonzero(self.model == self.model[own])
            only = (times == 1) & self.reaches[own]
            gain[same] += self.counts[same] @ only.astype(np.float32) - float(only.sum())
            extra[same] -= self.cost[own]
            replaced[int(self.model[own])] = own
        good = np.flatnonzero((gain > 0.5) & (extra <= room))
        if not len(good):
            return None
        best = int(good[np.argmax(gain[good] / np.maximum(extra[good], 1e-12))])
        return best, replaced.get(int(self.model[best]))

    def allocation(self, chosen: list[int]) -> Allocation:
        """Each user by the cheapest of the broadcasts that reach it; fewer of them where floats were too bold."""
        order = sorted(chosen, key=lambda own: self.cost[own])
        while order:
            free = np.ones(self.reaches.shape[1], dtype=bool)
            groups: list[IntArray] = []
            for own in order:
                users = np.flatnonzero(self.reaches[own] & free).astype(np.int64)
                free[users] = False
                if len(users):
                    groups.append(self._pairs(users, int(self.model[own])))
            found = self._shared(groups)
            if found is not None:
                return found
            order.pop()
        return EMPTY

    def _pairs(self, users: IntArray, model: int) -> IntArray:
        """The pairs of users with a model that each may take."""
        compiled = self.instance.compiled
        place = [int(np.searchsorted(compiled.models_of(user), model)) for user in users.tolist()]
        return compiled.pair_start[users] + np.array(place, dtype=np.int64)

    def _shared(self, groups: list[IntArray]) -> Allocation | None:
        """Broadcasts to these pairs; None where they do not fit, in exact arithmetic."""
        high, rate = self.shares.high, self.shares.compiled.rate
        shares = []
        for pairs in groups:
            rates = [Fraction(value) for value in rate[pairs].tolist()]
            needs = [Fraction(y) * own for y, own in zip(high[pairs].tolist(), rates, strict=True)]
            shares.append(max(needs) / min(rates))
        if not fits_band(shares):
            return None
        pair = np.concatenate(groups)
        group = np.repeat(np.arange(len(groups), dtype=np.int64), [len(pairs) for pairs in groups])
        order = np.argsort(pair)
        pair, group = pair[order], group[order]
        compiled = self.instance.compiled
        return Allocation(
            owner(compiled, pair),
            compiled.pair_model[pair],
            numbers(shares, group.tolist()),
            self.shares.speeds(pair),
            group if self.many else None,
        )
