"""Why no plan costs less: prices of the machines' time, which whole numbers replay (`edgeopt.certify`)."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeopt.instances.offloading.compiled import NEVER, CompiledOffloading
from edgeopt.instances.offloading.instance import FloatArray
from edgeopt.solvers.base import Control
from edgeopt.solvers.offloading import price_kernel

MOST_STRETCHES = 4000
STEPS_AT_ONCE = 50


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
    width = max(1, -(-horizon // MOST_STRETCHES), round(float(np.median(usual)) / 4) if len(usual) else 1)
    price = np.zeros((servers + 2 * devices, -(-horizon // width)))
    use = np.zeros_like(price)
    best, left = -np.inf, steps
    columns = (
        compiled.device,
        *(np.ascontiguousarray(c, dtype=np.float64) for c in (compiled.arrival, compiled.due, compiled.local)),
        *(np.ascontiguousarray(c, dtype=np.float64) for c in (compiled.upload, compiled.work)),
    )
    best = price_kernel.improve(
        price, use, devices, servers, compiled.discipline == "ps", float(compiled.penalty), float(width), *columns,
        float(target), 1,
    )  # fmt: skip
    while left > 0 and not control.stop():
        tried = price.copy()
        found = price_kernel.improve(
            tried, use, devices, servers, compiled.discipline == "ps", float(compiled.penalty), float(width), *columns,
            float(target), min(left, steps),
        )  # fmt: skip
        left -= steps
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
