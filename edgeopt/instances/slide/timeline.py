"""When each layer arrives and is computed: the recursion as the paper writes it, and unrolled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate

from edgeopt.errors import InstanceError
from edgeopt.instances.slide.allocation import Allocation
from edgeopt.instances.slide.broadcast import broadcast_rates
from edgeopt.instances.slide.concave import plain_share
from edgeopt.instances.slide.edf import demand, download_times
from edgeopt.instances.slide.instance import MULTICAST, SlideInstance
from edgeopt.instances.slide.pair import TICKS_PER_S


def finish_times(arrival: Sequence[Fraction], compute: Sequence[Fraction]) -> list[Fraction]:
    """``t_l = max(arrival_l, t_{l-1}) + T_l``, ``t_0 = 0``: the recursion of the paper.

    Parameters
    ----------
    arrival : (L,) sequence
        ``sum_{m <= l} S_m / (y B R)``: when each layer has arrived.
    compute : (L,) sequence
        ``T_l``: how long each layer takes, in the same unit.
    """
    finished, found = Fraction(0), []
    for arrived, time in zip(arrival, compute, strict=True):
        finished = max(arrived, finished) + time
        found.append(finished)
    return found


def unrolled_finish(arrival: Sequence[Fraction], compute: Sequence[Fraction]) -> Fraction:
    """``t_L = max_l (arrival_l + sum_{m >= l} T_m)``: the recursion in max-plus form (ours)."""
    left = list(accumulate(reversed(compute)))[::-1]
    return max(arrived + rest for arrived, rest in zip(arrival, left, strict=True))


@dataclass(frozen=True, slots=True)
class Timeline:
    """The task of one served user; times are exact, in seconds from its start.

    Attributes
    ----------
    user, model : str
    download, compute : (L,) tuple of (Fraction, Fraction)
        Begin and end of the download and of the computation of each layer.
    deadline : Fraction
    """

    user: str
    model: str
    download: tuple[tuple[Fraction, Fraction], ...]
    compute: tuple[tuple[Fraction, Fraction], ...]
    deadline: Fraction

    @property
    def latency(self) -> Fraction:
        """When the last layer is computed (s)."""
        return self.compute[-1][1]

    @property
    def stall(self) -> Fraction:
        """Time (s) for which the device waits for layers to arrive."""
        return self.latency - sum((end - begin for begin, end in self.compute), Fraction(0))


def timeline(instance: SlideInstance, solution: Allocation, user: str | int) -> Timeline:
    """What a solution means for one of the users it serves, in the compiled numbers.

    Raises
    ------
    InstanceError
        If the solution does not serve the user.
    """
    index = instance.users.id.index(user) if isinstance(user, str) and user in instance.users.id else user
    places = [place for place, served in enumerate(solution.user.tolist()) if served == index]
    if not places:
        raise InstanceError(f"timeline: the solution does not serve the user {user!r}")
    place = places[0]
    model = int(solution.model[place])
    pair = instance.compiled.pair(int(solution.user[place]), model)
    share = solution.exact_share(place)
    if instance.variant == "concave":
        share = plain_share(instance, int(solution.user[place]), share)
    if instance.variant in MULTICAST:
        pair = replace(pair, rate=Fraction(float(broadcast_rates(instance.compiled, solution)[place])))
    arrival = pair.download_ticks(share)
    download = list(zip([Fraction(0), *arrival], arrival, strict=False))
    if instance.variant == "time-varying":
        download = _earliest_due_first(instance, solution)[place]
        arrival = [end for _, end in download]
    times = pair.compute_ticks(solution.exact_speeds(instance, place))
    finish = finish_times(arrival, times)

    def seconds(begin: Fraction, end: Fraction) -> tuple[Fraction, Fraction]:
        return begin / TICKS_PER_S, end / TICKS_PER_S

    return Timeline(
        user=instance.users.id[int(solution.user[place])],
        model=instance.models.name[model],
        download=tuple(seconds(*ends) for ends in download),
        compute=tuple(seconds(end - time, end) for end, time in zip(finish, times, strict=True)),
        deadline=Fraction(pair.deadline, TICKS_PER_S),
    )


def _earliest_due_first(instance: SlideInstance, solution: Allocation) -> list[list[tuple[Fraction, Fraction]]]:
    """Begin and end (ticks) of the download of each layer of each served user, with time-varying shares.

    Raises
    ------
    InstanceError
        If a user cannot be served even alone.
    """
    pairs, demands = [], []
    for place, (user, model) in enumerate(zip(solution.user.tolist(), solution.model.tolist(), strict=True)):
        pairs.append(instance.compiled.pair(user, model))
        steps = demand(pairs[-1], solution.exact_speeds(instance, place))
        if steps is None:
            raise InstanceError(f"timeline: the user {instance.users.id[user]!r} cannot be served even alone")
        demands.append(steps)
    return download_times(pairs, demands)
