"""What people do without simultaneous downloading and inference, or without optimising one of its parts.

Each allocation is feasible in the problem itself, so `slide` serves at least as many; none of them has a bound.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Literal

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.slide import Allocation, SlideInstance
from edgeopt.instances.slide.compiled import CompiledSlide
from edgeopt.instances.slide.instance import IntArray
from edgeopt.result import Answer, Termination
from edgeopt.solvers.base import Control
from edgeopt.solvers.slide.admission import (
    Admission,
    ExactUser,
    admit,
    allocate,
    allocate_exactly,
    exact_user,
    narrow,
    wide,
)
from edgeopt.solvers.slide.least_share import LeastShares, least_shares, owner
from edgeopt.solvers.slide.slide import require_plain

POINT_BITS = 62
"""Binary places of the running sum of `random_admission`, rounded up."""


def dai(instance: SlideInstance, control: Control) -> Answer:
    """Download, then infer: computing begins when the last layer is there; shares and admission are optimal for that.

    ``sum_l S_l / (y B R) + sum_l T_l <= T``: the least shares of tables whose layers all arrive with the last one.

    Raises
    ------
    AssumptionError
        If the variant is not ``plain``.
    """
    require_plain(instance, control.solver)
    compiled = instance.compiled
    whole = np.repeat(compiled.bits[compiled.start[1:] - 1], np.diff(compiled.start))
    return _admitted(admit(least_shares(replace(compiled, bits=whole)), control), control)


def full_speed(instance: SlideInstance, control: Control) -> Answer:
    """No slowing: a model whose energy at full speed exceeds the budget is not provisioned; otherwise as `slide`.

    Raises
    ------
    AssumptionError
        If the variant is not ``plain``.
    """
    require_plain(instance, control.solver)
    return _admitted(admit(least_shares(_affordable(instance.compiled)), control), control)


def equal_split(instance: SlideInstance, control: Control, *, among: Literal["all", "served"] = "all") -> Answer:
    """Everyone gets the same share, with the speeds that its least share asks for.

    Parameters
    ----------
    among : {"all", "served"}
        Whether the band is split among all users, or among as many as can be served so.

    Raises
    ------
    AssumptionError
        If the variant is not ``plain``.
    InstanceError
        If `among` is something else.
    """
    require_plain(instance, control.solver)
    if among not in ("all", "served"):
        raise InstanceError(f"equal-split: among = {among!r}: must be 'all' or 'served'")
    shares = least_shares(instance.compiled)
    parts = max(1, instance.compiled.users)
    found = _content_with(shares, parts)
    if among == "served":
        low = np.sort(shares.user_low)
        parts = int(np.count_nonzero(low * np.arange(1, len(low) + 1) <= 1 + 1e-9))
        while parts and len(found := _content_with(shares, parts)) < parts:
            parts -= 1
        found = dict(list(found.items())[:parts])
    return Answer(_equal(shares, found, max(1, parts)), claimed_value=len(found))


def random_admission(instance: SlideInstance, control: Control) -> Answer:
    """Users in random order, each served at its least share, rounded up to a double, if that still fits.

    Raises
    ------
    AssumptionError
        If the variant is not ``plain``.
    """
    require_plain(instance, control.solver)
    shares = least_shares(instance.compiled)
    shares, _ = narrow(shares, wide(shares))
    order = np.random.default_rng(control.seed).permutation(instance.compiled.users)
    order = order[shares.user_high[order] <= 1.0]
    need = np.ceil(shares.user_high[order] * 2.0**POINT_BITS).astype(np.int64).tolist()
    left, served = 1 << POINT_BITS, []
    for user, units in zip(order.tolist(), need, strict=True):
        if units <= left:
            left -= units
            served.append(user)
    allocation = allocate(shares, np.array(served, dtype=np.int64))
    return Answer(allocation, claimed_value=len(served))


def _admitted(found: Admission, control: Control) -> Answer:
    return Answer(
        found.allocation,
        claimed_value=len(found.allocation),
        termination=control.stopped_by() if found.stopped else Termination.COMPLETE,
    )


def _affordable(compiled: CompiledSlide) -> CompiledSlide:
    """Only the pairs within the budget at full speed, decided exactly, and no budgets."""
    user = owner(compiled, np.arange(len(compiled.pair_model), dtype=np.int64))
    work = compiled.work_left[compiled.start[:-1]][compiled.pair_model]
    need, budget = work * compiled.flop_ticks[user], compiled.energy[user]
    good = need <= budget
    with np.errstate(invalid="ignore"):
        doubtful = np.abs(need - budget) <= 2.0**-50 * budget
    for pair in np.flatnonzero(doubtful & np.isfinite(budget)).tolist():
        exact = int(work[pair]) * Fraction(float(compiled.flop_ticks[user[pair]]))
        good[pair] = exact <= Fraction(float(budget[pair]))
    count = np.bincount(user[good], minlength=compiled.users)
    return replace(
        compiled,
        energy=np.full(compiled.users, np.inf),
        pair_start=np.concatenate([[0], np.cumsum(count)]).astype(np.int64),
        pair_model=compiled.pair_model[good],
    )


def _content_with(shares: LeastShares, parts: int) -> dict[int, ExactUser | None]:
    """Users for whom ``1 / parts`` of the band is enough, exactly; with exact numbers where floats cannot tell."""
    part = _below(parts)
    found: dict[int, ExactUser | None] = {}
    for user in np.flatnonzero(shares.user_low <= np.nextafter(part, 2.0)).tolist():
        if shares.user_high[user] <= part:
            found[user] = None
            continue
        exact = exact_user(shares, user)
        if exact.high is not None and exact.high <= Fraction(1, parts):
            found[user] = exact
    return found


def _below(parts: int) -> float:
    """The largest double that is at most ``1 / parts``."""
    part = 1.0 / parts
    return part if Fraction(part) * parts <= 1 else math.nextafter(part, 0.0)


def _equal(shares: LeastShares, served: dict[int, ExactUser | None], parts: int) -> Allocation:
    """Everyone served at ``1 / parts``."""
    users: IntArray = np.array(sorted(served), dtype=np.int64)
    if all(exact is None for exact in served.values()):
        given = allocate(shares, users)
        return replace(given, share=np.full(len(users), _below(parts)))
    exact = {}
    for user in users.tolist():
        own = served[user]
        exact[user] = exact_user(shares, user) if own is None else own
    return replace(allocate_exactly(shares, exact), share=(Fraction(1, parts),) * len(users))
