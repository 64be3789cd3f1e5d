"""What an allocation breaks in the compiled numbers; done after every solve, so it is quick.

Floats with a proved error bound accept what surely holds; what they cannot tell is decided in exact rationals.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from edgeopt.errors import AssumptionError
from edgeopt.instances.base import Violation
from edgeopt.instances.slide.allocation import Allocation
from edgeopt.instances.slide.band import fits_band
from edgeopt.instances.slide.broadcast import broadcast_rates, one_each
from edgeopt.instances.slide.compiled import CompiledSlide
from edgeopt.instances.slide.concave import allows, linear_rates
from edgeopt.instances.slide.edf import demand, overloaded
from edgeopt.instances.slide.instance import MULTICAST, FloatArray, SlideInstance
from edgeopt.instances.slide.pair import TICKS_PER_S

_CHECKED = ("plain", "weighted", "multicast", "multicast-many", "time-varying", "concave")
_ROUNDING = 2.0**-52
"""Twice what an operation on doubles can lose."""


def compiled_violations(instance: SlideInstance, solution: Allocation) -> list[Violation]:
    """What a solution breaks.

    Raises
    ------
    AssumptionError
        If the instance is of a variant with other constraints than these.
    """
    if instance.variant not in _CHECKED:
        raise AssumptionError(f"the compiled check knows the variants {', '.join(_CHECKED)}, not {instance.variant}")
    compiled = instance.compiled
    user, model = solution.user, solution.model
    wrong = _malformed(instance, solution)
    if wrong:
        return wrong
    found = []
    distinct = len(np.unique(user))
    if distinct < len(user):
        found.append(Violation("served at most once", "solution", f"{len(user)} entries", f"{distinct} users"))
    for place in np.flatnonzero(~_eligible(compiled, user, model)).tolist():
        where = f"user {instance.users.id[user[place]]}"
        found.append(Violation("accepted model", where, instance.models.name[model[place]], "the models it may take"))
    if instance.variant == "time-varying":
        return found + _edf_violations(instance, solution)
    rate, shares = compiled.rate[user], solution.share
    if instance.variant == "concave":
        rate = linear_rates(instance, solution)
    if instance.variant in MULTICAST:
        rate = broadcast_rates(compiled, solution)
        first = one_each(solution)
        exact = [solution.exact_share(place) for place in range(len(user))]
        for place, own in enumerate(solution.groups.tolist()):
            where = f"model {instance.models.name[int(model[place])]}"
            if exact[place] != exact[first[own]]:
                found.append(Violation("one share a broadcast", where, "different shares", "one share for all users"))
            if model[place] != model[first[own]]:
                found.append(Violation("one model a broadcast", where, "another model as well", "one model"))
        if instance.variant == "multicast" and len(first) > len(np.unique(model)):
            text = f"{len(first)} broadcasts, {len(np.unique(model))} models"
            found.append(Violation("one broadcast a model", "solution", text, "one broadcast a model"))
        shares = tuple(exact[place] for place in first)
    elif solution.broadcast is not None:
        found.append(Violation("no broadcasts", "solution", "users share broadcasts", f"variant {instance.variant}"))
    if not fits_band(shares):
        found.append(Violation("band: sum y <= 1", "solution", "the shares", "the band"))
    for place in np.flatnonzero(~_surely_feasible(instance, solution, rate)).tolist():
        where = f"user {instance.users.id[user[place]]}, model {instance.models.name[model[place]]}"
        share, speed = solution.exact_share(place), solution.exact_speeds(instance, place)
        if not 0 < share <= 1 or any(not 0 < z <= 1 for z in speed or ()):
            found.append(Violation("shares and speeds in (0, 1]", where, "one outside", "(0, 1]"))
        else:
            pair = compiled.pair(int(user[place]), int(model[place]))
            if instance.variant == "concave":
                good = allows(instance, int(user[place]), pair, share, speed)
            else:
                good = replace(pair, rate=Fraction(float(rate[place]))).allows(share, speed)
            if not good:
                given = f"share {float(share):.17g}"
                found.append(Violation("deadline and energy", where, given, "the share it needs"))
    return found


def _edf_violations(instance: SlideInstance, solution: Allocation) -> list[Violation]:
    """Shares and speeds outside (0, 1] or below the average needed, and due times that cannot all be met."""
    found, demands = [], []
    for place, (user, model) in enumerate(zip(solution.user.tolist(), solution.model.tolist(), strict=True)):
        where = f"user {instance.users.id[user]}, model {instance.models.name[model]}"
        share, speed = solution.exact_share(place), solution.exact_speeds(instance, place)
        if not 0 < share <= 1 or any(not 0 < z <= 1 for z in speed or ()):
            found.append(Violation("shares and speeds in (0, 1]", where, "one outside", "(0, 1]"))
            continue
        steps = demand(instance.compiled.pair(user, model), speed)
        if steps is None:
            found.append(Violation("deadline", where, "the whole band", "what it needs alone"))
            continue
        demands.append(steps)
        if share * steps[-1].due < steps[-1].need:
            text = f"share {float(share):.17g}"
            found.append(Violation("share: average until the last bits are due", where, text, "what it needs"))
    late = overloaded(demands)
    if late is not None:
        at = f"{float(late / TICKS_PER_S):.17g} s"
        found.append(Violation("time: EDF", at, "the band-seconds due", "the time until then"))
    return found


def _malformed(instance: SlideInstance, solution: Allocation) -> list[Violation]:
    user, model = solution.user, solution.model
    listening = len(user) if solution.broadcast is None else len(solution.broadcast)
    if len(model) != len(user) or len(solution.share) != len(user) or listening != len(user):
        text = f"{len(model)} models, {len(solution.share)} shares"
        return [Violation("one entry a user", "solution", text, f"{len(user)} users")]
    for what, column, count in (("user", user, len(instance.users)), ("model", model, len(instance.models))):
        strange = column[(column < 0) | (column >= count)]
        if len(strange):
            return [Violation(f"known {what}", "solution", f"{what} {strange[0]}", f"{count} {what}s")]
    for what, numbers in (("share", solution.share), ("speed", solution.speed)):
        if isinstance(numbers, np.ndarray) and not np.isfinite(numbers).all():
            found = numbers[~np.isfinite(numbers)][0]
            return [Violation(f"finite {what}s", "solution", f"{what} {found}", "a number")]
    layers = int(instance.models.layers[model].sum())
    if solution.speed is not None and len(solution.speed) != layers:
        return [Violation("one speed a layer", "solution", f"{len(solution.speed)} speeds", f"{layers} layers")]
    return []


def _eligible(compiled: CompiledSlide, user: NDArray[np.int64], model: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each model is among those of its user: the pairs are sorted by user and model."""
    pairs, models = len(compiled.pair_model), len(compiled.start) - 1
    key = np.repeat(np.arange(compiled.users), np.diff(compiled.pair_start)) * models + compiled.pair_model
    wanted = user * models + model
    place = np.searchsorted(key, wanted)
    return np.asarray((place < pairs) & (key[np.minimum(place, pairs - 1)] == wanted if pairs else False))


def _surely_feasible(instance: SlideInstance, solution: Allocation, rate: FloatArray) -> NDArray[np.bool_]:
    """Users, sent to at these rates, whose deadline and energy budget hold by more than all roundings together.

    Going back from the last layer, the sum of ``j`` times of at most ``D`` each lost at most ``(j + 4) 2^-52 D``.
    """
    compiled, count = instance.compiled, len(solution)
    if isinstance(solution.share, tuple) or isinstance(solution.speed, tuple):
        return np.zeros(count, dtype=bool)
    user, model, share, speed = solution.user, solution.model, solution.share, solution.speed
    layers, offset = instance.models.layers[model], solution.offsets(instance)
    deadline = compiled.deadline[user].astype(np.float64)
    flop_ticks, last = compiled.flop_ticks[user], compiled.start[model + 1] - 1
    good = (share > 0) & (share <= 1)
    used, busy = np.zeros(count), np.zeros(count)
    with np.errstate(all="ignore"):
        tick = TICKS_PER_S / (rate * share)
        for step in range(int(layers.max(initial=0))):
            here = np.flatnonzero(layers > step)
            row = last[here] - step
            full = compiled.work[row] * flop_ticks[here]
            z = np.ones(len(here)) if speed is None else speed[offset[here + 1] - 1 - step]
            busy[here] += compiled.overhead[row] + full / z
            used[here] += full * z * z
            room = deadline[here] - busy[here] - (step + 8) * _ROUNDING * deadline[here]
            good[here] &= (compiled.bits[row] * tick[here] * (1 + 8 * _ROUNDING) <= room) & (z > 0) & (z <= 1)
        good &= np.isinf(compiled.energy[user]) | (used * (1 + (layers + 8) * _ROUNDING) <= compiled.energy[user])
    return np.asarray(good)
