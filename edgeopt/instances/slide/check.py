"""The executable specification: exact violations from the raw fields, one user at a time.

This is the second, independent path: `fractions.Fraction` on the decimals that the file says, the recursion as the
paper writes it, and an enclosure of logarithms of its own. It shares no code with `compiled`, the models or the
solvers, so that a mistake there shows here. Compiling rounds against us, so what is feasible in the compiled numbers
is feasible here.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from math import isfinite

from edgeopt.errors import AssumptionError, EdgeoptError
from edgeopt.instances.base import Violation
from edgeopt.instances.slide.allocation import Allocation
from edgeopt.instances.slide.instance import SlideInstance
from edgeopt.instances.slide.multicast import broadcast_shares, worst_channels
from edgeopt.instances.slide.time_varying import DIGITS, Download, edf_violations

_CHECKED = ("plain", "weighted", "multicast", "multicast-many", "time-varying", "concave")


def _decimal(value: float) -> Fraction:
    """The decimal that a field of the file says."""
    return Fraction(repr(float(value)))


def _log2(argument: Fraction, digits: int) -> tuple[Fraction, Fraction]:
    """Enclose ``log2(argument)``, for an argument above 1."""
    if argument.denominator == 1 and argument.numerator & (argument.numerator - 1) == 0:
        power = Fraction(argument.numerator.bit_length() - 1)
        return power, power
    low, high = Context(prec=digits, rounding=ROUND_FLOOR), Context(prec=digits, rounding=ROUND_CEILING)
    top, bottom = Decimal(argument.numerator), Decimal(argument.denominator)
    # ln is correctly rounded (half even) in decimal: one unit in the last place encloses it
    exact = Context(prec=digits)
    two = exact.ln(Decimal(2))
    least = low.divide(exact.next_minus(exact.ln(low.divide(top, bottom))), exact.next_plus(two))
    most = high.divide(exact.next_plus(exact.ln(high.divide(top, bottom))), exact.next_minus(two))
    return Fraction(least), Fraction(most)


def _received_power(instance: SlideInstance, user: int) -> Fraction | None:
    """``P_k h_k`` (W) where the channel is given by power and gain, else None."""
    users = instance.users
    if users.spectral_efficiency[user] == users.spectral_efficiency[user]:
        return None
    return _decimal(users.power_w[user]) * _decimal(users.gain[user])


def _rate(
    instance: SlideInstance, user: int, digits: int, power_within: Fraction | None = None
) -> tuple[Fraction, Fraction]:
    """Enclose ``B R_k`` (bit/s); both ends are equal where no logarithm is irrational.

    With all the power within a part of the band, its density is that much higher.
    """
    band = _decimal(instance.bandwidth_hz)
    power = _received_power(instance, user)
    if power is None:
        known = band * _decimal(instance.users.spectral_efficiency[user])
        return known, known
    assert instance.noise_w_per_hz is not None  # the instance was validated
    snr = power / (_decimal(instance.noise_w_per_hz) * band * (power_within or 1))
    slow, fast = _log2(1 + snr, digits)
    return band * max(slow, Fraction(0)), band * fast


def violations(instance: SlideInstance, solution: Allocation) -> list[Violation]:
    """Every constraint that a solution breaks.

    Returns
    -------
    list of Violation
        Empty iff the solution is feasible, in exact arithmetic.

    Raises
    ------
    AssumptionError
        If the instance is of a variant with other constraints than these.
    """
    if instance.variant not in _CHECKED:
        raise AssumptionError(f"the check knows the variants {', '.join(_CHECKED)}, not {instance.variant}")
    served = [int(user) for user in solution.user]
    chosen = [int(model) for model in solution.model]
    group = chosen if solution.broadcast is None else [int(index) for index in solution.broadcast]
    if len(chosen) != len(served) or len(solution.share) != len(served) or len(group) != len(served):
        text = f"{len(chosen)} models, {len(solution.share)} shares"
        return [Violation("one entry a user", "solution", text, f"{len(served)} users")]
    unknown = [
        Violation(f"known {what}", "solution", f"{what} {index}", f"{count} {what}s")
        for what, indices, count in (
            ("user", served, len(instance.users)),
            ("model", chosen, len(instance.models)),
        )
        for index in indices
        if not 0 <= index < count
    ]
    if unknown:
        return unknown
    layers = sum(len(instance.models[model]) for model in chosen)
    if solution.speed is not None and len(solution.speed) != layers:
        return [Violation("one speed a layer", "solution", f"{len(solution.speed)} speeds", f"{layers} layers")]
    for share in solution.share:
        if not isinstance(share, Fraction) and not isfinite(share):
            return [Violation("finite shares", "solution", f"share {share}", "a number")]
    for speed in () if solution.speed is None else solution.speed:
        if not isinstance(speed, Fraction) and not isfinite(speed):
            return [Violation("finite speeds", "solution", f"speed {speed}", "a number")]
    found: list[Violation] = []
    shares = [_number(share) for share in solution.share]
    shared = instance.variant in ("multicast", "multicast-many")
    broadcast = worst_channels(instance, served, group, _received_power) if shared else {}
    if solution.broadcast is not None and not shared:
        found.append(Violation("no broadcasts", "solution", "users share broadcasts", f"variant {instance.variant}"))
    downloads: list[Download] = []
    seen: set[int] = set()
    begin = 0
    for place, (user, model) in enumerate(zip(served, chosen, strict=True)):
        if user in seen:
            found.append(Violation("served at most once", _name(instance, user), "again", "once"))
        seen.add(user)
        end = begin + len(instance.models[model])
        speeds = [Fraction(1)] * (end - begin)
        if solution.speed is not None:
            speeds = [_number(z) for z in solution.speed[begin:end]]
        begin = end
        wrong, times = _own_violations(instance, user, model, shares[place], speeds)
        found += wrong
        if times is None:
            continue
        if instance.variant == "time-varying":
            downloads.append(_download(instance, user, model, shares[place], times))
        else:
            channels = broadcast.get(group[place], [user])
            found += _late(instance, user, model, shares[place], times, channels)
    if instance.variant == "time-varying":
        return found + edf_violations(downloads, lambda user, digits: _rate(instance, user, digits))
    if shared:
        shares, wrong = broadcast_shares(instance, group, chosen, shares, one_a_model=instance.variant == "multicast")
        found += wrong
    total = sum(shares, Fraction(0))
    if total > 1:
        found.append(Violation("band: sum y <= 1", "solution", _shown(total, "of the band"), "the band"))
    return found


def _number(value: object) -> Fraction:
    """The exact value of a share or speed."""
    return value if isinstance(value, Fraction) else Fraction(float(value))  # type: ignore[arg-type]


def _name(instance: SlideInstance, user: int) -> str:
    return f"user {instance.users.id[user]}"


def _shown(value: Fraction, unit: str) -> str:
    return f"{float(value):.17g} {unit}"


def _own_violations(
    instance: SlideInstance, user: int, model: int, share: Fraction, speeds: list[Fraction]
) -> tuple[list[Violation], list[Fraction] | None]:
    """What a user breaks besides the deadline, and the time of each layer (s); None without usable share and speeds."""
    users, table = instance.users, instance.models[model]
    where = f"{_name(instance, user)}, model {table.name}"
    found = []
    names = users.accept_sets[int(users.accepts[user])]
    if names is not None and table.name not in names:
        found.append(Violation("accepted model", where, table.name, f"one of {', '.join(names[:20])}"))
    required, offered = float(users.min_accuracy[user]), float(table.accuracy)
    if _decimal(required) > _decimal(offered):
        found.append(Violation("accuracy", where, repr(required), repr(offered)))
    if not 0 < share <= 1:
        found.append(Violation("share 0 < y <= 1", where, _shown(share, "of the band"), "the band"))
        return found, None
    for layer, z in enumerate(speeds):
        if not 0 < z <= 1:
            found.append(Violation("speed 0 < z <= 1", f"{where}, layer {layer}", _shown(z, "of f"), "f"))
            return found, None
    frequency = _decimal(users.frequency_hz[user])
    cycles = [
        int(users.batch[user]) * int(work) * _decimal(users.cycles_per_flop[user]) for work in table.flop_per_sample
    ]
    times = [
        _decimal(cost) + cycle / (z * frequency)
        for cost, cycle, z in zip(table.overhead_s, cycles, speeds, strict=True)
    ]
    if users.energy_j[user] != float("inf"):
        budget = _decimal(users.energy_j[user])
        per_cycle = _decimal(users.energy_coefficient[user]) * frequency**2
        used = sum((per_cycle * cycle * z * z for cycle, z in zip(cycles, speeds, strict=True)), Fraction(0))
        if used > budget:
            found.append(Violation("energy", where, _shown(used, "J"), _shown(budget, "J")))
    return found, times


def _download(instance: SlideInstance, user: int, model: int, share: Fraction, times: list[Fraction]) -> Download:
    table, deadline = instance.models[model], _decimal(instance.users.deadline_s[user])
    where = f"{_name(instance, user)}, model {table.name}"
    return Download.of(user, where, table.bits.tolist(), times, deadline, share)


def _late(
    instance: SlideInstance,
    user: int,
    model: int,
    share: Fraction,
    times: list[Fraction],
    channels: Sequence[int],
) -> list[Violation]:
    """The deadline, with the model sent at the spectral efficiency of each of these users."""
    table, deadline = instance.models[model], _decimal(instance.users.deadline_s[user])
    for channel in channels:
        late = _lateness(instance, channel, table.bits.tolist(), times, share, deadline)
        if late is not None:
            where = f"{_name(instance, user)}, model {table.name}"
            return [Violation("deadline t_L <= T", where, _shown(late, "s"), _shown(deadline, "s"))]
    return []


def _lateness(
    instance: SlideInstance, channel: int, bits: list[int], times: list[Fraction], share: Fraction, deadline: Fraction
) -> Fraction | None:
    """``t_L`` (s) where it is after the deadline, else None.

    A rate that is a logarithm is enclosed; digits are added until both ends say the same.
    """
    power_within = share if instance.variant == "concave" else None
    for digits in DIGITS:
        slow, fast = _rate(instance, channel, digits, power_within)
        soonest = _finish(bits, times, share * fast)
        if soonest > deadline:
            return soonest
        if slow > 0 and _finish(bits, times, share * slow) <= deadline:
            return None
    raise EdgeoptError(f"cannot decide the deadline of {_name(instance, channel)} with {DIGITS[-1]} digits")


def _finish(bits: list[int], times: list[Fraction], rate: Fraction) -> Fraction:
    """``t_l = max(sum_{m <= l} S_m / (y B R), t_{l-1}) + T_l``."""
    sent, finish = 0, Fraction(0)
    for size, time in zip(bits, times, strict=True):
        sent += size
        finish = max(sent / rate, finish) + time
    return finish
