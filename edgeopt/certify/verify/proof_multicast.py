"""Proof of how many users broadcasts in one band can serve: users of a broadcast share it, at the worst rate of them.

Each user needs at least the rate ``r`` (bit/s) that the evidence shows for a model (`slide`). A broadcast of the model
to some users takes at least the share ``max r / min R`` of the band, with their rates ``R`` in the whole band. So users
with ``r`` up to one value and ``R`` down to another are served for their quotient. Without prices the least band
for each number of users of a model is added up over all models; a user who may take several counts in each. A proof
may have prices instead: a set of broadcasts that serves users, and pays for each the price ``pi_k >= 0`` (at most 1)
and for the band ``lambda`` a unit, serves no more than ``sum pi + lambda`` and what broadcasts gain at these prices.

One broadcast a model in the variant ``multicast``; with several of a model (``multicast-many``) those that are worth
it rise in both ``r`` and ``R``, and each adds the users with ``r`` above the one before.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from .reading import Refuted, Replay, Unreadable, fields, whole, wholes
from .slide import ONE, Model, User, fit, least_rates, meet, read_program, read_solution

MOST_WORK = 2 * 10**7
Need = tuple[int, Fraction, int]
"""The rate (bit/s) that a user needs in units of ``1 / ONE``, rounded down; its rate in the whole band; the user."""


def replay(program: Any, solution: Any, proof: Any) -> Replay:
    """Check the solution, and prove a bound anew."""
    variant = program.get("variant") if type(program) is dict else None
    if variant not in ("multicast", "multicast-many"):
        raise Unreadable("program.variant must be multicast or multicast-many")
    many = variant == "multicast-many"
    users, models = read_program(program, variant)
    value = None if solution is None else served(users, models, solution, many)
    _, bits, evidence, prices, band = fields(proof, "proof", "kind", "bits", "users", "prices", "band")
    needed = least_rates(users, models, bits, evidence)
    groups: dict[int, list[Need]] = {}
    free = 0
    able = 0
    for k, (user, own) in enumerate(zip(users, needed, strict=True)):
        own = [(i, rate) for i, rate in own if not rate or user.rate]
        able += bool(own)
        if any(not rate for _, rate in own):
            free += 1
            continue
        for i, rate in own:
            groups.setdefault(i, []).append(((rate.numerator * ONE) // rate.denominator, user.rate, k))
    for group in groups.values():
        group.sort()
    work = sum(len(group) ** (4 if many and prices is None else 3 if many else 2) for group in groups.values())
    if work > MOST_WORK * (24 if many else 1):
        raise Unreadable("proof: so many users are more work than this program does")
    if prices is None:
        if band is not None:
            raise Unreadable("proof.band must be null where there are no prices")
        bound = free + most_users([cheapest(group, many) for group in groups.values()])
        how = "the least band for each number of users of each model"
    else:
        price = wholes(prices, "proof.prices", len(users), least=0)
        if whole(band, "proof.band") < 0:
            raise Unreadable("proof.band must not be negative")
        one = 1 << bits
        gain = [max(0, one - p) for p in price]
        total = sum(price) + band + sum(best_gain(group, gain, band, many) for group in groups.values())
        bound = free + total // one
        how = "what broadcasts gain at prices of the users and the band"
    bound = min(bound, able)
    lines = [
        f"program   {len(users)} users, {len(models)} models, max",
        "solution  none given" if value is None else f"solution  feasible, {value} users served",
        f"proof     multicast: no more than {bound} users, by {how}",
    ]
    return Replay("max", value, bound, lines)


def served(users: Sequence[User], models: Sequence[Model], content: Any, many: bool) -> int:
    """How many users a solution serves; refuted if it is none."""
    entries = read_solution(users, models, content, *(["broadcast"] if many else []))
    first = {entry.broadcast: entry for entry in entries}
    worst: dict[int, Fraction] = {}
    for entry in entries:
        if (entry.model, entry.share) != (first[entry.broadcast].model, first[entry.broadcast].share):
            raise Refuted(f"{entry.where}: its broadcast has another model or share as well")
        rate = users[entry.user].rate
        worst[entry.broadcast] = min(rate, worst.get(entry.broadcast, rate))
    for entry in entries:
        meet(users[entry.user], models[entry.model], worst[entry.broadcast] * entry.share, entry)
    fit([entry.share for entry in first.values()])
    return len(entries)


def cost(need: int, rate: Fraction) -> int:
    """The share for a rate in units of ``1 / ONE``, rounded down."""
    return need * rate.denominator // rate.numerator


def cheapest(group: list[Need], many: bool) -> list[int]:
    """The least share for ``0, 1, ...`` of these users, sorted by need, while it is no more than the band."""
    least: list[int | None] = [0] + [None] * len(group)
    if many:
        reached: list[list[int | None]] = [[0] + [None] * len(group)]
        for end in range(1, len(group) + 1):
            row: list[int | None] = [None] * (len(group) + 1)
            for begin in range(end):
                rates = sorted((rate for _, rate, _ in group[begin:end]), reverse=True)
                for count, rate in enumerate(rates, start=1):
                    own = cost(group[end - 1][0], rate)
                    if own > ONE:
                        break
                    for before, spent in enumerate(reached[begin]):
                        if spent is not None and spent + own <= ONE:
                            row[before + count] = _less(row[before + count], spent + own)
            reached.append(row)
        for row in reached:
            least = [_less(old, new) for old, new in zip(least, row, strict=True)]
    else:
        needs: list[int] = []
        for need, rate, _ in sorted(group, key=lambda user: -user[1]):
            insort(needs, need)
            for count, largest in enumerate(needs, start=1):
                own = cost(largest, rate)
                if own > ONE:
                    break
                least[count] = _less(least[count], own)
    # to serve fewer never takes more
    known = ONE + 1
    for count in reversed(range(len(least))):
        known = min(known, ONE + 1 if least[count] is None else least[count] or 0)
        least[count] = known
    return [share for share in least if share is not None and share <= ONE]


def _less(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)


def most_users(costs: list[list[int]]) -> int:
    """The most users of all models whose broadcasts fit into the band."""
    band = [0]
    for own in costs:
        total = [ONE + 1] * (len(band) + len(own) - 1)
        for before, spent in enumerate(band):
            for count, share in enumerate(own):
                total[before + count] = min(total[before + count], spent + share)
        band = [share for share in total if share <= ONE]
    return len(band) - 1


def best_gain(group: list[Need], gain: Sequence[int], band: int, many: bool) -> int:
    """The most that broadcasts of a model to these users, sorted by need, gain at a price of the whole band."""
    best = [0] * (len(group) + 1)
    for end in range(1, len(group) + 1):
        for begin in range(end) if many else [0]:
            total = 0
            for _, rate, k in sorted(group[begin:end], key=lambda user: -user[1]):
                total += gain[k]
                paid = band * cost(group[end - 1][0], rate) // ONE
                best[end] = max(best[end], best[begin] + total - paid)
        best[end] = max(best[end], best[end - 1])
    return best[-1]
