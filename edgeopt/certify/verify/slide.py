"""What the proofs of the slide problem have in common: users and models, what a user needs at least, who is served.

Lower bounds rest on one line of evidence for each user and each of its models:

- ``null``: nothing, a rate of 0.
- ``{"prefix": l}``. Layer ``l`` must have arrived when what is left of the deadline is the time, at full speed, of
  it and all later layers: the rate (bit/s) is at least  ``A_l / (D - sum_{m >= l} (V_m + w_m))``.
- ``{"slopes": [s_1, ..., s_L]}``, not negative and not falling. Weak duality of the least energy at the download time
  ``x`` a bit, with multipliers ``2 (s_l^3 - s_{l-1}^3)`` of  ``A_l x + sum_{m >= l} (V_m + d_m) <= D``:
  for any compute times ``d`` the energy ``sum w_l^3 / d_l^2`` is at least
  ``sum 3 w_l s_l^2 - sum 2 (s_l^3 - s_{l-1}^3) (D - sum_{m >= l} V_m - A_l x)``, since ``w^3/d^2 + 2 s^3 d``
  is least at ``d = w/s``. That may not exceed ``G``, which bounds ``x`` from above, as the bound grows with ``x``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import Any

from .reading import Refuted, Unreadable, fields, items, whole, wholes

TICKS_PER_S = 10**12
PLACES = 256
"""Binary places of shares when they are added; they are rounded down in bounds, so that a bound stays one."""
ONE = 1 << PLACES
MOST_BITS = 1024
USER = "deadline", "rate", "flop_ticks", "energy", "models"


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


@dataclass(frozen=True)
class Entry:
    """One user of a solution: with which model, share and speeds, and by which broadcast, if that counts."""

    user: int
    model: int
    share: Fraction
    speeds: list[Fraction]
    broadcast: int
    where: str


def read_models(content: Any) -> list[Model]:
    """The models of a program."""
    found = []
    for i, model in enumerate(items(content, "program.models")):
        where = f"program.models[{i}]"
        bits, work, overhead = fields(model, where, "bits", "work", "overhead")
        for column in (bits, work, overhead):
            wholes(column, where, len(wholes(bits, where)), least=0)
        if not bits or sorted(bits) != bits:
            raise Unreadable(f"{where}.bits must be sums of the first layers, at least one")
        left = [list(accumulate(column[::-1]))[::-1] for column in (work, overhead)]
        found.append(Model(bits, work, overhead, *left))
    return found


def read_users(content: Any, models: list[Model]) -> list[User]:
    """The users of a program, each with the fields `USER`."""
    found = []
    for k, user in enumerate(items(content, "program.users")):
        where = f"program.users[{k}]"
        deadline, rate, flop_ticks, energy, own = fields(user, where, *USER)
        if any(i >= len(models) for i in wholes(own, f"{where}.models", least=0)) or len(set(own)) < len(own):
            raise Unreadable(f"{where}.models names one that does not exist, or one twice")
        limit = None if energy is None else ratio(energy, f"{where}.energy")
        found.append(User(whole(deadline, where), ratio(rate, f"{where}.rate"), ratio(flop_ticks, where), limit, own))
    return found


def read_program(content: Any, variant: str) -> tuple[list[User], list[Model]]:
    """The users and models of a program of a variant that has no other fields."""
    found, models, users = fields(content, "program", "variant", "models", "users")
    if found != variant:
        raise Unreadable(f"program.variant must be {variant}")
    known = read_models(models)
    return read_users(users, known), known


def ratio(content: Any, where: str) -> Fraction:
    """A fraction that is not negative, as numerator and denominator."""
    top, bottom = wholes(content, where, 2, least=0)
    if not bottom:
        raise Unreadable(f"{where} has the denominator 0")
    return Fraction(top, bottom)


def least_rates(
    users: Sequence[User], models: Sequence[Model], bits: Any, evidence: Any
) -> list[list[tuple[int, Fraction]]]:
    """For each user: the models that may be enough for it, each with a rate (bit/s) that it needs at least."""
    if not 0 <= whole(bits, "proof.bits") <= MOST_BITS:
        raise Unreadable(f"proof.bits must be from 0 to {MOST_BITS}")
    found = []
    for k, (user, rows) in enumerate(zip(users, items(evidence, "proof.users", len(users)), strict=True)):
        where = f"proof.users[{k}]"
        lines = items(rows, where, len(user.models))
        rates = [(i, _rate(user, models[i], line, bits, where)) for i, line in zip(user.models, lines, strict=True)]
        found.append([(i, rate) for i, rate in rates if rate is not None])
    return found


def _rate(user: User, model: Model, evidence: Any, bits: int, where: str) -> Fraction | None:
    """What the evidence shows of the rate (bit/s) that a user needs for a model; None if none is enough."""
    if evidence is None:
        return Fraction(0)
    kind = set(evidence) if type(evidence) is dict else set()
    if kind == {"prefix"}:
        layer = whole(evidence["prefix"], where)
        if not 0 <= layer < len(model.bits):
            raise Unreadable(f"{where}: there is no layer {layer}")
        room = user.deadline - model.overhead_left[layer] - model.work_left[layer] * user.flop_ticks
        need = model.bits[layer] * TICKS_PER_S
        if room < 0 or (need and not room):
            return None
        return need / room if need else Fraction(0)
    if kind != {"slopes"}:
        raise Unreadable(f"{where} must be null, a prefix or slopes")
    slopes = wholes(evidence["slopes"], where, len(model.bits), least=0)
    if sorted(slopes) != slopes:
        raise Refuted(f"{where}: the slopes fall")
    if user.energy is None:
        return Fraction(0)
    # The bound on the energy is `fixed + growth / rate`, in units of 2**-(3 bits) ticks.
    fixed, growth, before = Fraction(0), 0, 0
    for slope, work, left, sent in zip(slopes, model.work, model.overhead_left, model.bits, strict=True):
        step = 2 * (slope**3 - before**3)
        fixed += ((3 * work * slope * slope) << bits) * user.flop_ticks - step * (user.deadline - left)
        growth += step * sent * TICKS_PER_S
        before = slope
    room = user.energy * (1 << 3 * bits) - fixed
    if room < 0 or (growth and not room):
        return None
    return growth / room if growth else Fraction(0)


def least_shares(users: Sequence[User], rates: Sequence[Sequence[tuple[int, Fraction]]]) -> list[int | None]:
    """What each user needs of the band at least, in units of ``2**-PLACES``; None if nothing is enough."""
    found: list[int | None] = []
    for user, own in zip(users, rates, strict=True):
        least = min((rate for _, rate in own), default=None)
        if least is None or (least and not user.rate):
            found.append(None)
        else:
            share = least / user.rate if least else Fraction(0)
            found.append((share.numerator << PLACES) // share.denominator)
    return found


def read_solution(users: Sequence[User], models: Sequence[Model], content: Any, *extra: str) -> list[Entry]:
    """The entries of a solution; `extra` is the name of a field more, a whole number, that they have."""
    found: list[Entry] = []
    seen: set[int] = set()
    for n, entry in enumerate(items(content, "solution")):
        where = f"solution[{n}]"
        k, i, share, compute, *more = fields(entry, where, "user", "model", "share", "compute", *extra)
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
        found.append(Entry(k, i, y, speeds, whole(more[0], where) if more else i, where))
    return found


def meet(user: User, model: Model, rate: Fraction, entry: Entry) -> None:
    """Refuted if a served user misses its deadline or energy limit at a rate (bit/s): the recursion, layer by layer."""
    if not rate and model.bits[-1]:
        raise Refuted(f"{entry.where}: the user has no rate")
    tick = TICKS_PER_S / rate if rate else Fraction(0)
    time = Fraction(0)
    for sent, took in zip(model.bits, compute_times(user, model, entry), strict=True):
        time = max(sent * tick, time) + took
    if time > user.deadline:
        raise Refuted(f"{entry.where}: it takes longer than the deadline")


def compute_times(user: User, model: Model, entry: Entry) -> list[Fraction]:
    """What each layer takes a served user (ticks); refuted if all together take more than the energy limit."""
    full = [work * user.flop_ticks for work in model.work]
    energy = sum((time * z * z for time, z in zip(full, entry.speeds, strict=True)), Fraction(0))
    if user.energy is not None and energy > user.energy:
        raise Refuted(f"{entry.where}: it takes more than the energy limit")
    return [cost + time / z for cost, time, z in zip(model.overhead, full, entry.speeds, strict=True)]


def fit(shares: Sequence[Fraction]) -> None:
    """Refuted if shares exceed the band."""
    rounded_up = sum(-((-share.numerator << PLACES) // share.denominator) for share in shares)
    if rounded_up > ONE and sum(shares) > 1:
        raise Refuted("solution: the shares exceed the band")
