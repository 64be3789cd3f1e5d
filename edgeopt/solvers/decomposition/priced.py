"""`priced`: list scheduling, its Lagrangian bound, and schedules from the columns that the prices generate."""

from __future__ import annotations

import math

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.decomposition.compiled import CompiledDecomposition, compile_decomposition
from edgeopt.instances.decomposition.instance import DecompositionInstance
from edgeopt.instances.decomposition.schedule import Schedule, placed, value
from edgeopt.result import Answer, Termination
from edgeopt.solvers.base import Control
from edgeopt.solvers.decomposition.decoder import Decoder
from edgeopt.solvers.decomposition.listing import best_schedule, cheapest_price, feasible
from edgeopt.solvers.decomposition.prices import Column, PriceProof, Search, best_prices, critical_path


def priced(instance: DecompositionInstance, control: Control, *, steps: int = 300, slots: int = 160) -> Answer:
    """List scheduling with the bound by prices, and the better of its schedule and those of the columns.

    Parameters
    ----------
    instance : DecompositionInstance
    control : Control
        A start is taken where it is better.
    steps : int
        Subgradient steps at most.
    slots : int
        Slots of time that prices are set for.

    Raises
    ------
    InstanceError
        If an option is out of range.
    """
    if not 1 <= steps <= 10**6 or not 1 <= slots <= 10**5:
        raise InstanceError(f"steps = {steps}, slots = {slots}: must be from 1 to 1e6, and from 1 to 1e5")
    best = better_of(instance, best_schedule(instance, thorough=True), started(instance, control))
    columns: list[Column] = []
    proof = bound_of(instance, best, control, Search(steps, slots), columns)
    if proof.bound is None:
        return Answer(None, termination=Termination.INFEASIBLE, proof=proof)
    decoder = Decoder(instance.compiled, _price(instance))
    for column in columns:
        if control.stop():
            break
        decoder.run(decoder.by_arrival(), column.mode, column.places)
        best = better_of(instance, best, feasible(instance, decoder.schedule()))
    termination = control.stopped_by() if control.stop() else Termination.COMPLETE
    effort = {"columns": len(columns)}
    if best is None:
        return Answer(None, bound=proof.bound, termination=termination, effort=effort, proof=proof)
    return Answer(best, value(instance, best), proof.bound, termination, effort, proof)


def _price(instance: DecompositionInstance) -> float:
    if instance.objective != "latency" or not instance.correctness_floor:
        return 0.0
    found = cheapest_price(instance, thorough=True)[1]
    return found if np.isfinite(found) else 0.0


def started(instance: DecompositionInstance, control: Control) -> Schedule | None:
    """The start that the user gave, if it breaks nothing."""
    start = control.start
    return feasible(instance, start) if isinstance(start, Schedule) else None


def better_of(instance: DecompositionInstance, one: Schedule | None, other: Schedule | None) -> Schedule | None:
    """The better of two schedules."""
    if one is None or other is None:
        return one if other is None else other
    sign = -1 if instance.sense == "min" else 1
    return one if sign * value(instance, one) >= sign * value(instance, other) else other


def bound_of(
    instance: DecompositionInstance,
    known: Schedule | None,
    control: Control,
    search: Search | None = None,
    columns: list[Column] | None = None,
) -> PriceProof:
    """The bound by prices, with a schedule as the aim."""
    compiled = instance.compiled
    if known is None:
        return best_prices(compiled, None, _horizon(compiled), control, search, columns)
    latest = max((found.end for found in placed(compiled, known)), default=0)
    return best_prices(compiled, value(instance, known), latest, control, search, columns)


def _horizon(compiled: CompiledDecomposition) -> int:
    """A time by which everything can be done, without a schedule to go by (ticks)."""
    a = compiled.arrays
    if not compiled.tasks:
        return 0
    work = np.add.reduceat(np.minimum.reduceat(a.option_ticks[:, 0], a.option_start[:-1]), a.step_start[:-1])
    return int(a.release.max()) + int(work.sum() // max(1, compiled.nodes)) + int(work.max()) + 1


def raw_bound(instance: DecompositionInstance, control: Control) -> float:
    """A bound by critical paths on the raw fields, in reward, seconds or tasks.

    It is that of the instance compiled with all times rounded down, and correctness up by a millionth a step.
    Where some task cannot keep its limit, it is infinity in seconds, minus infinity in reward.
    """
    compiled = compile_decomposition(instance, up=False)
    proof = critical_path(compiled)
    sign = -1 if compiled.kind == "latency" else 1
    if proof.bound is None:
        return -sign * math.inf
    a = compiled.arrays
    lost = 0
    if compiled.kind == "reward" and compiled.tasks:
        lost = compiled.right_factor * int(np.maximum.reduceat(np.diff(a.step_start), a.mode_start[:-1]).sum())
    return float((proof.bound + sign * lost) * compiled.reward_unit)
