"""Why no plan costs less: prices of the machines' time, which whole numbers replay (`edgeopt.certify`)."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeopt.instances.offloading.compiled import NEVER, CompiledOffloading
from edgeopt.instances.offloading.instance import FloatArray
from edgeopt.solvers.base import Control
from edgeopt.solvers.offloading import price_kernel

MOST_STRETCHES, MOST_OF_A_LIFE = 4000, 80
"""Prices of a machine, and those within the life of a task: finer ones are better bounds, and take longer."""
STEPS_AT_ONCE = 100
"""Subgradient steps between two looks at the clock."""


@dataclass(frozen=True, slots=True, eq=False)
class PriceProof:
    """Prices that bound every plan of a horizon from below.

    Attributes
    ----------
    width : int
        Length of a stretch of one price (ticks).
    servers, own, radio : (M, B), (K, B), (K, B) float64
        Price of a tick of each machine, in ticks; suggestions, that the proof rounds.
    bound : float
        What they prove, about; the replay computes it exactly.
    """

    width: int
    servers: FloatArray
    own: FloatArray
    radio: FloatArray
    bound: float


def prices(compiled: CompiledOffloading, target: float, control: Control, *, steps: int = 400) -> PriceProof:
    """Good prices, by subgradients.

    Parameters
    ----------
    compiled : CompiledOffloading
    target : float
        Cost of some plan.
    control : Control
        When it says stop, the best prices so far are returned.
    steps : int
        Most subgradient steps.
    """
    devices, servers = compiled.devices, compiled.servers
    horizon = int(compiled.due.max()) + 1
    usual = compiled.work[compiled.work > 0]
    life = int((compiled.due - compiled.arrival).max())
    least = round(float(np.median(usual)) / 4) if len(usual) else 1
    width = max(1, -(-horizon // MOST_STRETCHES), -(-life // MOST_OF_A_LIFE), least)
    price = np.zeros((servers + 2 * devices, -(-horizon // width)))
    use = np.zeros_like(price)
    columns = (compiled.arrival, compiled.due, compiled.local, compiled.upload, compiled.work)
    tasks = (compiled.device, *(np.ascontiguousarray(column, dtype=np.float64) for column in columns))
    best, done = -np.inf, 0
    while done == 0 or (done < steps and not control.stop()):
        at_once = 1 if control.stop() else min(STEPS_AT_ONCE, steps - done)
        tried = price.copy()
        found = price_kernel.improve(
            tried, use, devices, servers, compiled.discipline == "ps", float(compiled.penalty), float(width), tasks,
            float(target), at_once,
        )  # fmt: skip
        done += at_once
        if found > best:
            best, price = found, tried
    return PriceProof(
        width, price[:servers], price[servers : servers + devices], price[servers + devices :], float(best)
    )


def pool_speeds(compiled: CompiledOffloading) -> list[int]:
    """Speeds of servers and own processors, as whole numbers, under which tasks are about as long everywhere.

    Any positive numbers give a valid bound; these are the inverse of each machine's time for the tasks.
    """
    base = np.where(compiled.local == NEVER, compiled.work.max(axis=1, initial=1), compiled.local).astype(float)
    found = []
    for column in compiled.work.T:
        known = column != NEVER
        found.append(float(np.median(base[known] / column[known])) if known.any() else 0.0)
    for k in range(compiled.devices):
        known = (compiled.device == k) & (compiled.local != NEVER)
        found.append(1.0 if known.any() else 0.0)
    return [max(1, round(1000 * speed)) for speed in found]
