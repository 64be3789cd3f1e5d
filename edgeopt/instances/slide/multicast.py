"""Multicast in the exact check: users share a broadcast of their model, decoded at the worst efficiency of them.

All served users of a broadcast carry the same share ``y``; user ``k`` has the first ``l`` layers after
``S_{1:l} / (y B min_j R_j)``, the minimum over all users of the broadcast, and the band counts ``y`` once (ours). In
the variant ``multicast`` there is one broadcast a model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from edgeopt.instances.base import Violation
from edgeopt.instances.slide.instance import SlideInstance


def worst_channels(
    instance: SlideInstance,
    served: Sequence[int],
    broadcast: Sequence[int],
    received_power: Callable[[SlideInstance, int], Fraction | None],
) -> dict[int, list[int]]:
    """By broadcast, the users among whom the least spectral efficiency of it is found.

    At most two: the worst whose efficiency is given, and the worst with power and gain (logarithms are ordered as the
    powers received). Which of the two is worse need not be known: tasks must be done in time on both channels.
    """
    found: dict[int, list[int]] = {}
    for index in dict.fromkeys(broadcast):
        group = [user for user, own in zip(served, broadcast, strict=True) if own == index]
        power = {user: received_power(instance, user) for user in group}
        given = [user for user in group if power[user] is None]
        worst = []
        if given:
            worst.append(min(given, key=instance.users.spectral_efficiency.__getitem__))
        received = {user: value for user, value in power.items() if value is not None}
        if received:
            worst.append(min(received, key=received.__getitem__))
        found[index] = worst
    return found


def broadcast_shares(
    instance: SlideInstance,
    broadcast: Sequence[int],
    chosen: Sequence[int],
    shares: Sequence[Fraction],
    *,
    one_a_model: bool,
) -> tuple[list[Fraction], list[Violation]]:
    """The share of each broadcast, and what is wrong where users of one carry different shares or models."""
    share: dict[int, set[Fraction]] = {}
    model: dict[int, set[int]] = {}
    for index, own, value in zip(broadcast, chosen, shares, strict=True):
        share.setdefault(index, set()).add(value)
        model.setdefault(index, set()).add(own)
    wrong = []
    for index, found in share.items():
        names = ", ".join(sorted(instance.models.name[own] for own in model[index]))
        where = f"broadcast {index} of {names}"
        if len(found) > 1:
            text = f"{len(found)} different shares"
            wrong.append(Violation("one share a broadcast", where, text, "one share for all its users"))
        if len(model[index]) > 1:
            wrong.append(Violation("one model a broadcast", where, f"{len(model[index])} models", "one model"))
    models = set(chosen)
    if one_a_model and len(share) > len(models):
        text = f"{len(share)} broadcasts of {len(models)} models"
        wrong.append(Violation("one broadcast a model", "solution", text, "one broadcast a model"))
    return [max(found) for found in share.values()], wrong
