"""What a certificate of a slide instance needs: its compiled users and models, allocations, and proofs by variant."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from edgeopt.certify.parts import Parts
from edgeopt.certify.slide_bounds import best_proof
from edgeopt.instances.slide import Allocation, SlideInstance
from edgeopt.instances.slide.allocation import Numbers
from edgeopt.instances.slide.concave import whole_band_snr
from edgeopt.result import Result
from edgeopt.solvers.base import Control
from edgeopt.system.exact import as_fraction


def stated(instance: SlideInstance) -> dict[str, Any]:
    """The compiled numbers; rates, prices of work and energy limits as numerator and denominator.

    With a concave rate the ratio of signal to noise in the whole band stands for a user's rate, and the band is told.
    """
    compiled = instance.compiled
    ends = list(zip(compiled.start[:-1].tolist(), compiled.start[1:].tolist(), strict=True))
    bits, work, overhead = (column.tolist() for column in (compiled.bits, compiled.work, compiled.overhead))
    models = [{"bits": bits[a:b], "work": work[a:b], "overhead": overhead[a:b]} for a, b in ends]
    users = [
        {
            "deadline": deadline,
            "rate": list(rate.as_integer_ratio()),
            "flop_ticks": list(flop_ticks.as_integer_ratio()),
            "energy": None if energy == np.inf else list(energy.as_integer_ratio()),
            "models": compiled.models_of(user).tolist(),
        }
        for user, (deadline, rate, flop_ticks, energy) in enumerate(
            zip(
                compiled.deadline.tolist(), compiled.rate.tolist(), compiled.flop_ticks.tolist(),
                compiled.energy.tolist(), strict=True,
            )
        )
    ]  # fmt: skip
    if instance.variant == "weighted":
        users = [{**user, "weight": weight} for user, weight in zip(users, compiled.weight.tolist(), strict=True)]
    if instance.variant == "concave":
        for index, user in enumerate(users):
            del user["rate"]
            user["snr"] = _pair(whole_band_snr(instance, index))
        band = {"band": _pair(as_fraction(instance.bandwidth_hz))}
        return {"variant": instance.variant, **band, "models": models, "users": users}
    return {"variant": instance.variant, "models": models, "users": users}


def chosen(instance: SlideInstance, allocation: Allocation) -> list[dict[str, Any]]:
    """An allocation: one entry a served user, by index; ``compute`` is null at full speed."""
    found: list[dict[str, Any]] = []
    group = allocation.groups
    for place in np.argsort(allocation.user, kind="stable").tolist():
        speeds = allocation.exact_speeds(instance, place)
        full = speeds is None or all(z == 1 for z in speeds)
        found.append(
            {
                "user": int(allocation.user[place]),
                "model": int(allocation.model[place]),
                "share": _pair(allocation.exact_share(place)),
                "compute": None if full or speeds is None else [_pair(z) for z in speeds],
            }
            | ({"broadcast": int(group[place])} if instance.variant == "multicast-many" else {})
        )
    return found


def solution(instance: SlideInstance, entries: Sequence[dict[str, Any]]) -> Allocation:
    """The allocation behind the entries of `chosen`."""
    model = np.array([entry["model"] for entry in entries], dtype=np.int64)
    speeds: list[Fraction] = []
    for entry, layers in zip(entries, instance.models.layers[model].tolist(), strict=True):
        speeds += [Fraction(1)] * layers if entry["compute"] is None else [Fraction(*z) for z in entry["compute"]]
    return Allocation(
        np.array([entry["user"] for entry in entries], dtype=np.int64),
        model,
        _numbers([Fraction(*entry["share"]) for entry in entries]),
        None if all(entry["compute"] is None for entry in entries) else _numbers(speeds),
        np.array([entry["broadcast"] for entry in entries], dtype=np.int64)
        if any("broadcast" in entry for entry in entries)
        else None,
    )


def _pair(value: Fraction) -> list[int]:
    return [value.numerator, value.denominator]


def _numbers(values: list[Fraction]) -> Numbers:
    """Doubles where they are exact, fractions otherwise."""
    floats = np.array([float(value) for value in values], dtype=np.float64)
    exact = all(Fraction(near) == value for near, value in zip(floats.tolist(), values, strict=True))
    return floats if exact else tuple(values)


def proof(
    instance: SlideInstance, content: dict[str, Any], solution: Any, results: Sequence[Result], control: Control
) -> dict[str, Any]:
    """The proof with the least bound, from those that results carry or made here."""
    value = None
    if solution is not None:
        weight = instance.compiled.weight if instance.variant == "weighted" else np.ones(len(instance.users), dtype=int)
        value = int(sum(int(weight[entry["user"]]) for entry in solution))
    return best_proof(instance, content, value, results, control)


PARTS = Parts(stated, chosen, proof, solution)
