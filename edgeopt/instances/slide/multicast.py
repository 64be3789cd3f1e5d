"""Multicast in the exact check: users of the same model share one broadcast, decoded at the worst efficiency of them.

All served users of a model carry the same share ``y``; user ``k`` has the first ``l`` layers after
``S_{1:l} / (y B min_j R_j)``, the minimum over all users of the broadcast, and the band counts ``y`` once (ours).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from edgeopt.instances.base import Violation
from edgeopt.instances.slide.instance import SlideInstance


def worst_channels(
    instance: SlideInstance,
    served: Sequence[int],
    chosen: Sequence[int],
    received_power: Callable[[SlideInstance, int], Fraction | None],
) -> dict[int, list[int]]:
    """By model, the users among whom the least spectral efficiency of its broadcast is found.

    At most two: the worst whose efficiency is given, and the worst with power and gain (logarithms are ordered as the
    powers received). Which of the two is worse need not be known: tasks must be done in time on both channels.
    """
    found: dict[int, list[int]] = {}
    for model in dict.fromkeys(chosen):
        group = [user for user, own in zip(served, chosen, strict=True) if own == model]
        power = {user: received_power(instance, user) for user in group}
        given = [user for user in group if power[user] is None]
        worst = []
        if given:
            worst.append(min(given, key=instance.users.spectral_efficiency.__getitem__))
        received = {user: value for user, value in power.items() if value is not None}
        if received:
            worst.append(min(received, key=received.__getitem__))
        found[model] = worst
    return found


def broadcast_shares(
    instance: SlideInstance, chosen: Sequence[int], shares: Sequence[Fraction]
) -> tuple[list[Fraction], list[Violation]]:
    """The share of each broadcast, and what is wrong where users of one carry different shares."""
    by_model: dict[int, set[Fraction]] = {}
    for model, share in zip(chosen, shares, strict=True):
        by_model.setdefault(model, set()).add(share)
    wrong = [
        Violation(
            "one broadcast a model",
            f"model {instance.models.name[model]}",
            f"{len(found)} different shares",
            "one share for all its users",
        )
        for model, found in by_model.items()
        if len(found) > 1
    ]
    return [max(found) for found in by_model.values()], wrong
