"""Proof of how many users time-varying shares can serve: what is due by some times exceeds the time until then.

Layer ``l`` of a user is due at ``D - sum_{m >= l} (V_m + w_m)``, and the first ``l`` layers take the whole band for
``A_l / rho``. By any time ``t`` the band has been there for ``t``, so what the users served need by then is at most
``t``. For the times that the proof names that is a program with one choice a user and model, one bin and a resource for
each time, in units of ``t 2**-UNIT``, rounded down; its proof is a tree (``proof_tree``).
"""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from itertools import accumulate
from typing import Any

from .program import Program
from .proof_tree import bound_of, read_tables
from .reading import Refuted, Replay, Unreadable, fields, items
from .slide import TICKS_PER_S, Model, User, compute_times, ratio, read_program, read_solution

UNIT = 64
Steps = list[tuple[Fraction, Fraction]]
"""Due times (ticks), rising, and the band-ticks that are needed until each."""


def replay(program: Any, solution: Any, proof: Any) -> Replay:
    """Check the solution, and prove a bound anew."""
    users, models = read_program(program, "time-varying")
    if any(user.energy is not None for user in users):
        raise Unreadable("program.users: the variant time-varying has no energy limits")
    value = None if solution is None else served(users, models, solution)
    _, times, *_ = fields(proof, "proof", "kind", "times", "bits", "prices", "multipliers", "vertices")
    points = [ratio(time, "proof.times") for time in items(times, "proof.times")]
    if not points or not all(points):
        raise Unreadable("proof.times must name times after the start")
    relaxed = relaxation(users, models, points)
    tables = read_tables(relaxed, {key: content for key, content in proof.items() if key != "times"})
    top = bound_of(tables, items(proof["vertices"], "proof.vertices"))
    if top is None:
        raise Refuted("proof: it excludes that nobody is served")
    bound = top >> tables.bits
    lines = [
        f"program   {len(users)} users, {len(models)} models, max",
        "solution  none given" if value is None else f"solution  feasible, {value} users served",
        f"proof     edf: no more than {bound} users, by a tree of {len(proof['vertices'])} vertices over "
        f"{len(points)} due times",
    ]
    return Replay("max", value, bound, lines)


def relaxation(users: list[User], models: list[Model], points: list[Fraction]) -> Program:
    """A choice for each user and model that it can be served with alone: what it needs by these times."""
    group: list[int] = []
    weight: list[list[int]] = [[] for _ in points]
    for k, user in enumerate(users):
        for i in user.models:
            model = models[i]
            times = [cost + work * user.flop_ticks for cost, work in zip(model.overhead, model.work, strict=True)]
            steps = demand(user, model, times)
            if steps is None:
                continue
            group.append(k)
            dues, needs = [due for due, _ in steps], [Fraction(0), *(need for _, need in steps)]
            for column, point in zip(weight, points, strict=True):
                column.append(int(needs[bisect_right(dues, point)] * (1 << UNIT) / point))
    members = list(range(len(group)))
    mates: dict[int, list[int]] = {}
    for k in members:
        mates.setdefault(group[k], []).append(k)
    capacity = [[1 << UNIT] * len(points)]
    profit, place = [1] * len(group), [0] * len(group)
    return Program(1, False, len(users), group, place, profit, weight, capacity, None, [members], mates)


def demand(user: User, model: Model, times: list[Fraction]) -> Steps | None:
    """What a user needs by when, both rising, if layers take so long; None if it cannot be served even alone."""
    steps = []
    left = list(accumulate(times[::-1]))[::-1]
    for sent, later in zip(model.bits, left, strict=True):
        due = user.deadline - later
        if due < 0 or (sent and not user.rate):
            return None
        need = sent * TICKS_PER_S / user.rate if sent else Fraction(0)
        if need > due:
            return None
        steps.append((due, need))
    return steps


def served(users: list[User], models: list[Model], content: Any) -> int:
    """How many users a solution serves; refuted if it is none.

    Earliest due is sent first; the share of a user is at least what it has on average until its last bits are due.
    """
    entries = read_solution(users, models, content)
    events = []
    for n, entry in enumerate(entries):
        user, model = users[entry.user], models[entry.model]
        steps = demand(user, model, compute_times(user, model, entry))
        if steps is None:
            raise Refuted(f"{entry.where}: it cannot be served even alone")
        events += [(due, need, n) for due, need in steps]
        last = steps[-1][1]
        if entry.share * min(due for due, need in steps if need == last) < last:
            raise Refuted(f"{entry.where}: the share is below the average that the download needs")
    events.sort()
    now = [Fraction(0)] * len(entries)
    total = Fraction(0)
    for at, (due, need, n) in enumerate(events):
        if need > now[n]:
            total, now[n] = total + need - now[n], need
        if total > due and (at + 1 == len(events) or events[at + 1][0] > due):
            raise Refuted(f"solution: more is due by {float(due):.6g} ticks than the band can send")
    return len(entries)
