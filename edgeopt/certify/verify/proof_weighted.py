"""Proof of a bound on the total weight of users whose least shares fit into the band together: a 0/1 knapsack.

Each share is at least the rate that the evidence shows (`slide`), over the rate of the whole band, rounded down to
a size in units of ``1 / ONE``. The proof names the bound `most` and a price ``p / q`` of the band: with the gains
``g_k = q w_k - p size_k`` every set that fits is worth at most ``(p ONE + sum_k max(0, g_k)) / q``. One that is worth
more than `most` and contains a user with a negative gain, or lacks one with a positive gain, loses that much of it;
so where that is too much the user is out, or in. What is left is searched: of two sets of the users up to one only the
better counts, and none that can no longer come above `most`.
"""

from __future__ import annotations

from typing import Any

from .proof_exchange import served
from .reading import Refuted, Replay, Unreadable, fields, items, whole, wholes
from .slide import ONE, USER, least_rates, least_shares, ratio, read_models, read_users

MOST_SETS = 2 * 10**6
"""Sets that are kept in all."""


def replay(program: Any, solution: Any, proof: Any) -> Replay:
    """Check the solution, and prove the bound anew."""
    variant, model_content, user_content = fields(program, "program", "variant", "models", "users")
    if variant != "weighted":
        raise Unreadable("program.variant must be weighted")
    models = read_models(model_content)
    rows = [
        fields(user, f"program.users[{k}]", *USER, "weight")
        for k, user in enumerate(items(user_content, "program.users"))
    ]
    users = read_users([dict(zip(USER, row, strict=False)) for row in rows], models)
    weight = wholes([row[-1] for row in rows], "the weights in program.users", least=0)
    value = None if solution is None else sum(weight[k] for k in served(users, models, solution))
    _, bits, evidence, price, most = fields(proof, "proof", "kind", "bits", "users", "price", "most")
    shares = least_shares(users, least_rates(users, models, bits, evidence))
    known = [(w, size) for w, size in zip(weight, shares, strict=True) if size is not None and size <= ONE and w]
    top = ratio(price, "proof.price")
    if whole(most, "proof.most") < 0:
        raise Unreadable("proof.most must not be negative")
    searched = heaviest(known, top.numerator, top.denominator, most)
    lines = [
        f"program   {len(users)} users, {len(models)} models, weight {sum(weight)} in all, max",
        "solution  none given" if value is None else f"solution  feasible, users of weight {value} served",
        f"proof     weighted: users of more than {most} exceed the band; {searched} of them are not decided by a price",
    ]
    return Replay("max", value, most, lines)


def heaviest(known: list[tuple[int, int]], p: int, q: int, most: int) -> int:
    """Refuted if users, each a weight and a size, that are worth more than `most` may fit; else how many were searched.

    At the price ``p / q`` a unit of the band.
    """
    gains = [q * w - p * size for w, size in known]
    spare = p * ONE + sum(gain for gain in gains if gain > 0) - q * (most + 1)
    if spare < 0:
        return 0
    room, worth = ONE, 0
    core = []
    for gain, (w, size) in sorted(zip(gains, known, strict=True), key=lambda item: -item[0]):
        if gain > spare:
            room, worth = room - size, worth + w
        elif -gain <= spare:
            core.append((w, size, abs(gain)))
    if room < 0:
        return 0
    # What a set loses of the bound: gains that it lacks, negative ones that it contains, and the band it leaves idle.
    core.sort(key=lambda item: -item[2])
    sets = [(room, worth, 0)]
    kept = 0
    for w, size, gain in core:
        wanted = q * w > p * size
        with_ = [(left - size, own + w, lost + (0 if wanted else gain)) for left, own, lost in sets if left >= size]
        without = [(left, own, lost + (gain if wanted else 0)) for left, own, lost in sets]
        best, sets = -1, []
        for left, own, lost in sorted(with_ + without, key=lambda item: (-item[0], -item[1])):
            if own > best and lost <= spare:
                sets.append((left, own, lost))
                best = own
        kept += len(sets)
        if kept > MOST_SETS:
            raise Unreadable(f"proof: more than {MOST_SETS} sets are to be searched")
    if any(own > most for _, own, _ in sets):
        raise Refuted(f"proof.most is {most}, but users of more weight may fit into the band")
    return len(core)
