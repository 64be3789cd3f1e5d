"""How good shares are for channels that were not sampled: intervals for the optimum and for a given assignment.

The optimum over a sample of draws is, on the mean, not above the optimum over all channels (Mak, Morton and Wood 1999),
so the mean over independent samples bounds it from below with Student's interval; fresh draws do the same for the error
of any assignment from above. Both are statements at a level of confidence, not proofs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.aircomp import AirCompInstance
from edgeopt.instances.aircomp.instance import FloatArray
from edgeopt.solvers.aircomp.joint import Relaxation, best_shares
from edgeopt.solvers.aircomp.relaxed import powers_left
from edgeopt.solvers.base import Control

LEVEL = 0.95


class Interval(NamedTuple):
    """A mean and its confidence interval."""

    mean: float
    low: float
    high: float


def interval(values: Sequence[float], level: float = LEVEL) -> Interval:
    """Student's interval of the mean of independent values, at least two."""
    from scipy.special import stdtrit

    mean, count = float(np.mean(values)), len(values)
    half = float(stdtrit(count - 1, 0.5 + level / 2)) * float(np.std(values, ddof=1)) / math.sqrt(count)
    return Interval(mean, mean - half, mean + half)


def relaxed_errors(instance: AirCompInstance, shares: FloatArray, control: Control | None = None) -> FloatArray:
    """Relaxed squared error of shares on each draw of an instance (C,).

    Raises
    ------
    InstanceError
        If a device has no power left at its share.
    """
    work = Relaxation(instance, control or Control())
    left = powers_left(instance, shares)
    for name, power in zip(instance.devices.id, left.tolist(), strict=True):
        if not power > 0:
            raise InstanceError(
                f"shares: device {name} has {power:.4g} W left to send at its share: must be more than 0"
            )
    return np.array([work.factor * work.relaxed(draw, left).value for draw in range(instance.draws)])


def optimum_interval(samples: Sequence[AirCompInstance], control: Control | None = None) -> Interval:
    """Lower estimate of the optimum over all channels, from independent samples of draws.

    Each counts with its proved bound in floats, so that an inexact optimisation only widens the gap.
    """
    bounds = []
    for sample in samples:
        found = best_shares(sample, control or Control())
        assert found.proof is not None
        bounds.append(found.proof.bound(sample.with_shares(None)))
    return interval(bounds)
