"""Slots that follow the load: "slot durations adjust periodically based on long-term service observations" (III).

The paper gives no rule. This one looks at the busiest node of each of the last epochs and moves every slot towards the
length at which its resource would be used to a target; a slot that is too long keeps requests waiting or idle, one that
is too short keeps them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from edgeopt.simulation.outcome import Epoch
from edgeopt.simulation.scenario import Slots

COMMUNICATION_TARGET, COMPUTE_TARGET = 0.8, 0.95
"""Use of the bands, and of the compute slot by the longest batch, that slots are moved towards."""
LARGEST_STEP = 1.25
"""A slot changes at most by this factor at a time."""
LONGEST = 4.0
"""And is never longer than this times its length at the start, nor shorter than its inverse."""
DIGITS, LEAST = 3, 1e-3
"""Slots are whole milliseconds, at least one."""


def adapted(epochs: Sequence[Epoch], first: Slots) -> Slots:
    """The next slots after some epochs that had the same ones.

    Parameters
    ----------
    epochs : sequence of Epoch
        At least one.
    first : Slots
        At the start of the simulation.
    """
    now = epochs[-1].slots
    compute = _moved(
        now.compute_s, fmean(max(e.busy_s) for e in epochs) / now.compute_s / COMPUTE_TARGET, first.compute_s
    )
    up = _moved(now.uplink_s, fmean(max(e.uplink) for e in epochs) / COMMUNICATION_TARGET, first.uplink_s)
    down = _moved(now.downlink_s, fmean(max(e.downlink) for e in epochs) / COMMUNICATION_TARGET, first.downlink_s)
    return Slots(min(up, compute), compute, min(down, compute))


def _moved(slot: float, use: float, first: float) -> float:
    """The slot times its use over the target, within the limits; as it is when nothing was served."""
    if use <= 0:
        return slot
    wanted = slot * min(max(use, 1 / LARGEST_STEP), LARGEST_STEP)
    return max(round(min(max(wanted, first / LONGEST), first * LONGEST), DIGITS), LEAST)
