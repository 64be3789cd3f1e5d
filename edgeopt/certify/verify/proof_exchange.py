"""Proof by exchange for the slide problem: no more users fit into the band than the cheapest ones do.

Whoever serves ``n`` users gives each at least its least share, so the ``n`` smallest least shares fit into the band.
What is proved here is a lower bound on each user's least share, from one line of evidence for each of its models:

- ``null``: nothing, a share of 0.
- ``{"prefix": l}``. Layer ``l`` must have arrived when what is left of the deadline is the time, at full speed, of
  it and all later layers:  ``y >= A_l / (rho (D - sum_{m >= l} (V_m + w_m)))``.
- ``{"slopes": [s_1, ..., s_L]}``, not negative and not falling. Weak duality of the least energy at the download time
  ``x = 1/y``, with multipliers ``2 (s_l^3 - s_{l-1}^3)`` of  ``A_l x / rho + sum_{m >= l} (V_m + d_m) <= D``:
  for any compute times ``d`` the energy ``sum w_l^3 / d_l^2`` is at least
  ``sum 3 w_l s_l^2 - sum 2 (s_l^3 - s_{l-1}^3) (D - sum_{m >= l} V_m - A_l x / rho)``, since ``w^3/d^2 + 2 s^3 d``
  is least at ``d = w/s``. That may not exceed ``G``, which bounds ``x`` from above, as the bound grows with ``x``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import Any

from .reading import Refuted, Replay, Unreadable, fields, items, whole, wholes

TICKS_PER_S = 10**12
PLACES = 256
"""Binary places of shares when they are added; they are rounded down in bounds, so that a bound stays one."""
ONE = 1 << PLACES
MOST_BITS = 1024


@dataclass(frozen=True)
class Model:
    """A model: bits of the first layers, work and overhead of each, and of it and all later ones."""

    bits: list[int]
    work: list[int]
    overhead: list[int]
    work_left: list[int]
    overhead_left: list[int]


@dataclass(frozen=True)
class User:
    """A user: deadline (ticks of 1 ps), rate (bit/s), ticks a FLOP, energy limit (ticks at full speed), models."""

    deadline: int
    rate: Fraction
    flop_ticks: Fraction
    energy: Fraction | None
    models: list[int]


def replay(program: Any, solution: Any, proof: Any) -> Replay:
    """Check the solution, and prove a bound anew."""
    users, models = read_program(program)
    value = None if solution is None else served(users, models, items(solution, "solution"))
    _, bits, evidence = fields(proof, "proof", "kind", "bits", "users")
    if not 0 <= whole(bits, "proof.bits") <= MOST_BITS:
        raise Unreadable(f"proof.bits must be from 0 to {MOST_BITS}")
    least = []
    for k, (user, rows) in enumerate(zip(users, items(evidence, "proof.users", len(users)), strict=True)):
        where = f"proof.users[{k}]"
        shares = [
            least_share(user, models[i], row, bits, where)
            for i, row in zip(user.models, items(rows, where, len(user.models)), strict=True)
        ]
        known = [share for share in shares if share is not None]
        if known:
            least.append((min(known).numerator << PLACES) // min(known).denominator)
    bound = sum(total <= ONE for total in accumulate(sorted(least)))
    lines = [
        f"program   {len(users)} users, {len(models)} models, max",
        "solution  none given" if value is None else f"solution  feasible, {value} users served",
        f"proof     exchange: the {min(bound + 1, len(least))} cheapest of {len(least)} users "
        + ("exceed the band" if bound < len(least) else "are all there are"),
    ]
    return Replay("max", value, bound, lines)


def read_program(content: Any) -> tuple[list[User], list[Model]]:
    """The users and models in a certificate."""
    variant, models, users = fields(content, "program", "variant", "models", "users")
    if variant != "plain":
        raise Unreadable("program.variant must be plain")
    found = []
    for i, model in enumerate(items(models, "program.models")):
        where = f"program.models[{i}]"
        bits, work, overhead = fields(model, where, "bits", "work", "overhead")
        for column in (bits, work, overhead):
            wholes(column, where, len(wholes(bits, where)), least=0)
        if not bits or sorted(bits) != bits:
            raise Unreadable(f"{where}.bits must be sums of the first layers, at least one")
        left = [list(accumulate(column[::-1]))[::-1] for column in (work, overhead)]
        found.append(Model(bits, work, overhead, *left))
    people = []
    for k, user in enumerate(items(users, "program.users")):
        where = f"program.users[{k}]"
        deadline, rate, flop_ticks, energy, own = fields(
            user, where, "deadline", "rate", "flop_ticks", "energy", "models"
        )
        if any(i >= len(found) for i in wholes(own, f"{where}.models", least=0)) or len(set(own)) < len(own):
            raise Unreadable(f"{where}.models names one that does not exist, or one twice")
        limit = None if energy is None else ratio(energy, f"{where}.energy")
        people.append(User(whole(deadline, where), ratio(rate, f"{where}.rate"), ratio(flop_ticks, where), limit, own))
    return people, found


def ratio(content: Any, where: str) -> Fraction:
    """A fraction that is not negative, as numerator and denominator."""
    top, bottom = wholes(content, where, 2, least=0)
    if not bottom:
        raise Unreadable(f"{where} has the denominator 0")
    return Fraction(top, bottom)


def least_share(user: User, model: Model, evidence: Any, bits: int, where: str) -> Fraction | None:
    """What the evidence shows of the least share with a model; None if no share is enough."""
    if evidence is None:
        return Fraction(0)
    kind = set(evidence) if type(evidence) is dict else set()
    if kind == {"prefix"}:
        layer = whole(evidence["prefix"], where)
        if not 0 <= layer < len(model.bits):
            raise Unreadable(f"{where}: there is no layer {layer}")
        room = user.deadline - model.overhead_left[layer] - model.work_left[layer] * user.flop_ticks
        need = model.bits[layer] * TICKS_PER_S
        if room < 0 or (need and not user.rate * room):
            return None
        return need / (user.rate * room) if need else Fraction(0)
    if kind != {"slopes"}:
        raise Unreadable(f"{where} must be null, a prefix or slopes")
    slopes = wholes(evidence["slopes"], where, len(model.bits), least=0)
    if sorted(slopes) != slopes:
        raise Refuted(f"{where}: the slopes fall")
    if user.energy is None:
        return Fraction(0)
    # The bound on the energy is `fixed + growth / (rho y)`, in units of 2**-(3 bits) ticks.
    fixed, growth, before = Fraction(0), 0, 0
    for slope, work, left, sent in zip(slopes, model.work, model.overhead_left, model.bits, strict=True):
        step = 2 * (slope**3 - before**3)
        fixed += ((3 * work * slope * slope) << bits) * user.flop_ticks - step * (user.deadline - left)
        growth += step * sent * TICKS_PER_S
        before = slope
    room = user.energy * (1 << 3 * bits) - fixed
    if room < 0 or (growth and not room * user.rate):
        return None
    return growth / (user.rate * room) if growth else Fraction(0)


def served(users: list[User], models: list[Model], entries: list[Any]) -> int:
    """How many users a solution serves; refuted if it is none."""
    shares, seen = [], set()
    for n, entry in enumerate(entries):
        where = f"solution[{n}]"
        k, i, share, compute = fields(entry, where, "user", "model", "share", "compute")
        if not 0 <= whole(k, where) < len(users) or k in seen:
            raise Refuted(f"{where}: user {k} does not exist, or is served twice")
        seen.add(k)
        if whole(i, where) not in users[k].models:
            raise Refuted(f"{where}: user {k} does not take model {i}")
        y = ratio(share, f"{where}.share")
        speeds = [Fraction(1)] * len(models[i].bits)
        if compute is not None:
            speeds = [ratio(z, f"{where}.compute") for z in items(compute, f"{where}.compute", len(speeds))]
        if not 0 < y <= 1 or any(not 0 < z <= 1 for z in speeds):
            raise Refuted(f"{where}: a share is not in (0, 1]")
        check(users[k], models[i], y, speeds, where)
        shares.append(y)
    rounded_up = sum(-((-share.numerator << PLACES) // share.denominator) for share in shares)
    if rounded_up > ONE and sum(shares) > 1:
        raise Refuted("solution: the shares exceed the band")
    return len(entries)


def check(user: User, model: Model, share: Fraction, speeds: list[Fraction], where: str) -> None:
    """The recursion of the latency, layer by layer, and the energy of a served user."""
    if not user.rate and model.bits[-1]:
        raise Refuted(f"{where}: the user has no rate")
    tick = TICKS_PER_S / (user.rate * share) if model.bits[-1] else Fraction(0)
    time, energy = Fraction(0), Fraction(0)
    for sent, work, overhead, z in zip(model.bits, model.work, model.overhead, speeds, strict=True):
        full = work * user.flop_ticks
        time = max(sent * tick, time) + overhead + full / z
        energy += full * z * z
    if time > user.deadline:
        raise Refuted(f"{where}: it takes longer than the deadline")
    if user.energy is not None and energy > user.energy:
        raise Refuted(f"{where}: it takes more than the energy limit")
