"""Requests over time: a Poisson process with the paper's lengths, or real traffic from an LLM trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.batching.generate import MOST_REQUESTS
from edgeopt.instances.batching.instance import FloatArray
from edgeopt.instances.batching.node import IntArray

TIME_DIGITS = 9
"""Times are whole nanoseconds."""


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """Requests by time of arrival.

    Parameters
    ----------
    arrival_s : (I,) float64
        Ascending, in whole nanoseconds (s).
    prompt_tokens, output_tokens : (I,) int64
        Lengths ``s_i`` and ``n_i`` (tokens).
    deadline_s : (I,) float64
        Latency limit ``tau_i`` from arrival to output (s).
    accuracy : (I,) float64
        Required accuracy ``a_i`` in [0, 1].
    padded_prompt_tokens : int
        Length ``s'`` that prompts are padded to (tokens).
    source : str
        Where the requests come from, in words.

    Raises
    ------
    InstanceError
        If columns differ in length, or arrivals do not ascend from 0.
    """

    arrival_s: FloatArray
    prompt_tokens: IntArray
    output_tokens: IntArray
    deadline_s: FloatArray
    accuracy: FloatArray
    padded_prompt_tokens: int
    source: str = ""

    def __post_init__(self) -> None:
        count = len(self.arrival_s)
        for name in ("prompt_tokens", "output_tokens", "deadline_s", "accuracy"):
            if len(getattr(self, name)) != count:
                raise InstanceError(f"traffic.{name} has {len(getattr(self, name))} entries: must have {count}")
        if count and (not np.isfinite(self.arrival_s).all() or self.arrival_s[0] < 0):
            raise InstanceError("traffic.arrival_s (s): must be finite and >= 0")
        if (np.diff(self.arrival_s) < 0).any():
            place = int(np.argmax(np.diff(self.arrival_s) < 0)) + 1
            raise InstanceError(f"traffic.arrival_s[{place}] = {self.arrival_s[place]} (s): arrivals must ascend")

    def __len__(self) -> int:
        return len(self.arrival_s)


def poisson(
    seed: int,
    *,
    rate: float,
    duration_s: float,
    deadline: tuple[float, float],
    accuracy: tuple[float, float],
    prompt_levels: Sequence[int],
    output_levels: Sequence[int],
) -> Traffic:
    """A Poisson process of `rate` requests a second over `duration_s` seconds; lengths and limits are uniform.

    Raises
    ------
    InstanceError
        If there would be too many requests.
    """
    if not 0 <= rate * duration_s <= MOST_REQUESTS:
        raise InstanceError(f"rate = {rate} (1/s) times {duration_s} s: must be from 0 to {MOST_REQUESTS} requests")
    # One stream a column, so that what is swept (a rate, a range of deadlines) changes nothing else.
    when, lengths, limits, wishes = (np.random.default_rng([seed, 1, part]) for part in range(4))
    count = int(when.poisson(rate * duration_s))
    arrival = np.round(np.sort(when.uniform(0.0, duration_s, count)), TIME_DIGITS).astype(np.float64)
    return Traffic(
        arrival_s=np.minimum(arrival, np.nextafter(duration_s, 0.0)),
        prompt_tokens=lengths.choice(np.array(prompt_levels, dtype=np.int64), count),
        output_tokens=lengths.choice(np.array(output_levels, dtype=np.int64), count),
        deadline_s=np.round(limits.uniform(*deadline, count), TIME_DIGITS),
        accuracy=wishes.uniform(*accuracy, count),
        padded_prompt_tokens=max(prompt_levels),
        source=f"Poisson, {rate:g} requests/s, seed {seed}",
    )
