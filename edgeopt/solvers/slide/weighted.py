"""The variant ``weighted``: serve the users of the largest total weight, a 0/1 knapsack of least shares (ours)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache, partial

import numpy as np

from edgeopt.errors import AssumptionError, InstanceError
from edgeopt.instances.slide import SlideInstance
from edgeopt.instances.slide.band import longest_fitting_prefix
from edgeopt.instances.slide.instance import IntArray
from edgeopt.result import Answer, Termination
from edgeopt.solvers.base import Control
from edgeopt.solvers.slide import knapsack
from edgeopt.solvers.slide.admission import exact_user
from edgeopt.solvers.slide.best_served import POINT_BITS, Exactly, Served, allocation_of, best_served, rounded
from edgeopt.solvers.slide.exact_share import exact_share
from edgeopt.solvers.slide.knapsack import Knapsack, pack
from edgeopt.solvers.slide.least_share import LeastShares, least_shares
from edgeopt.solvers.slide.proof import ExchangeProof
from edgeopt.system.exact import as_fraction


def weighted_dp(instance: SlideInstance, control: Control) -> Answer:
    """Serve the largest total weight: a dynamic program over the value, ``least[v]`` the least band that reaches `v`.

    Its table is as long as the weights of the users that a Lagrangian bound leaves open. Where that is too long, the
    sets that the bound and dominance leave open are kept in its place; where there are too many of them as well, the
    best set known comes back with the bound, as at a limit of nodes.

    Raises
    ------
    AssumptionError
        If the variant is not ``weighted``.
    """
    require_weighted(instance, control.solver)
    shares = least_shares(instance.compiled, control)
    found = best_served(shares, instance.compiled.weight, exactly(shares), control)
    answer = _answer(shares, found, found.bound, control)
    if not found.too_long:
        return answer
    return replace(
        answer,
        termination=Termination.NODE_LIMIT,
        message=f"the table would have {found.cells} entries, and more than {knapsack.MOST_STATES} sets are open: not "
        "searched to the end; a MILP solver may do so, or weighted-fptas close a chosen gap",
    )


def weighted_fptas(instance: SlideInstance, control: Control, *, epsilon: float = 0.1) -> Answer:
    """Serve at least ``1 - epsilon`` of the largest total weight, in time polynomial in users and ``1 / epsilon``.

    With a weight ``W`` that is reached, no more than ``m`` users that fit together, and ``unit = epsilon W / m``, an
    optimal set for the weights ``floor(weight / unit)`` lacks at most ``unit`` a user, ``epsilon W`` in all (scaling
    of Ibarra and Kim 1975; ours is the unit).

    Parameters
    ----------
    epsilon : float
        Above 0 and below 1.

    Raises
    ------
    AssumptionError
        If the variant is not ``weighted``, or the table would be too long.
    InstanceError
        If `epsilon` is not between 0 and 1.
    """
    require_weighted(instance, control.solver)
    if not 0 < epsilon < 1:
        raise InstanceError(f"{control.solver}: epsilon = {epsilon}: must be above 0 and below 1")
    shares = least_shares(instance.compiled, control)
    weight = instance.compiled.weight
    most = longest_fitting_prefix(np.sort(shares.user_low))
    greedy, upper = _greedy(shares, weight, control)
    unit = max(Fraction(1), as_fraction(float(epsilon)) * int(weight[greedy].sum()) / max(most, 1))
    scaled = np.array([w * unit.denominator // unit.numerator for w in weight.tolist()], dtype=np.int64)
    found = best_served(shares, scaled, exactly(shares), control)
    proved = found.bound == found.worth
    if found.too_long:
        raise AssumptionError(
            f"{control.solver}: the table of {instance.name} would have {found.cells} entries at epsilon = {epsilon}; "
            "take a larger one"
        )
    bound = found.bound if unit == 1 else int(unit * (found.bound + most))
    if weight[greedy].sum() > weight[found.users].sum():
        found.users = greedy
    promise = Fraction(1) if unit == 1 else 1 - as_fraction(float(epsilon))
    return _answer(shares, found, min(bound, upper), control, str(promise) if proved else "0")


def require_weighted(instance: SlideInstance, solver: str) -> None:
    """Refuse other variants.

    Raises
    ------
    AssumptionError
        If the variant is not ``weighted``.
    """
    if instance.variant != "weighted":
        raise AssumptionError(f"{solver} solves the variant 'weighted', {instance.name} is {instance.variant!r}")


def exactly(shares: LeastShares) -> Exactly:
    """Exact enclosures of least shares, each pair once."""
    return partial(exact_user, shares, of=cache(exact_share))


def _greedy(shares: LeastShares, weight: IntArray, control: Control) -> tuple[IntArray, int]:
    """Users that fit, worth at least half of what any do where floats can tell; and a bound on the worth of any."""
    users, low, high = rounded(shares, weight)
    worth, capacity = weight[users], 1 << POINT_BITS
    found = pack(Knapsack(worth, high, capacity), control, most_cells=0)
    alone = np.where(high <= capacity, worth, 0)
    chosen = np.zeros(0, dtype=np.int64) if found.chosen is None else found.chosen
    if len(alone) and alone.max() > found.worth:
        chosen = np.array([alone.argmax()], dtype=np.int64)
    value = int(worth[chosen].sum())
    return users[chosen], pack(Knapsack(worth, low, capacity), control, value, most_cells=0).bound


def _answer(shares: LeastShares, found: Served, bound: int, control: Control, guarantee: str | None = None) -> Answer:
    weight = shares.compiled.weight
    value = int(weight[found.users].sum())
    control.report(value, bound)
    undecided = bound > found.worth and guarantee is None and not found.stopped
    return Answer(
        solution=allocation_of(shares, found),
        claimed_value=value,
        bound=bound,
        termination=control.stopped_by() if found.stopped else Termination.COMPLETE,
        effort={"pairs": len(shares.low), "cells": found.cells, "exact_users": len(found.exact)},
        proof=ExchangeProof(bound, shares, found.evidence(), int(weight.sum())),
        message="exact numbers could not tell whether more fit into the band" if undecided else "",
        guarantee=guarantee,
    )
