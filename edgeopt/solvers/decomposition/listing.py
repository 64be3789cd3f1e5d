"""List scheduling: the paper's decomposition-aware scheduler, and upward ranks over modes and placement rules."""

from __future__ import annotations

import math

from edgeopt.instances.decomposition.compiled import CompiledDecomposition
from edgeopt.instances.decomposition.compiled_check import compiled_violations
from edgeopt.instances.decomposition.instance import DecompositionInstance
from edgeopt.instances.decomposition.schedule import Schedule, value
from edgeopt.result import Answer
from edgeopt.solvers.base import Control
from edgeopt.solvers.decomposition.decoder import Decoder
from edgeopt.solvers.decomposition.prices import PriceProof, critical_path

PRICES = 24
"""Prices of correctness that are tried for a floor."""


def decomposition_aware(instance: DecompositionInstance, control: Control) -> Answer:
    """The paper's scheduler: tasks in the order of their arrival, each with the channel and the queues as they are.

    For every step, by falling upward rank, the node with the best ``J = w_a correctness - w_d total time`` is taken,
    where the time holds transfers, queues and execution; the task keeps the mode with the best reward.
    """
    found = best_schedule(instance, thorough=False)
    return _answer(instance, found)


def list_scheduling(instance: DecompositionInstance, control: Control) -> Answer:
    """List scheduling by upward rank over mode choices.

    In each mode the steps are placed by the score, by the earliest finish (HEFT), and all on one node; what gains most
    is kept. The bound is that of the critical paths: every task as if it were alone.
    """
    found = best_schedule(instance, thorough=True)
    proof = critical_path(instance.compiled)
    return _answer(instance, found, proof)


def _answer(instance: DecompositionInstance, found: Schedule | None, proof: PriceProof | None = None) -> Answer:
    bound = None if proof is None else proof.bound
    if found is None:
        return Answer(None, bound=bound, proof=proof, message="no schedule found that keeps every limit")
    return Answer(found, claimed_value=value(instance, found), bound=bound, proof=proof)


def best_schedule(instance: DecompositionInstance, *, thorough: bool) -> Schedule | None:
    """The schedule of the tasks by arrival; None where it breaks a deadline, or no price reaches the floor."""
    compiled = instance.compiled
    if compiled.kind != "latency" or not compiled.floor_units:
        decoder = Decoder(compiled)
        decoder.run(decoder.by_arrival(), thorough=thorough)
        return feasible(instance, decoder.schedule())
    return cheapest_price(instance, thorough=thorough)[0]


def feasible(instance: DecompositionInstance, found: Schedule) -> Schedule | None:
    """The schedule, if it breaks nothing."""
    return None if compiled_violations(instance, found) else found


def cheapest_price(instance: DecompositionInstance, *, thorough: bool) -> tuple[Schedule | None, float]:
    """The least latency over a grid of prices of correctness whose schedules reach the floor, and its price."""
    compiled = instance.compiled
    best: tuple[int, Schedule, float] | None = None
    for step in range(PRICES + 1):
        price = _scale(compiled) * (0.0 if not step else 2.0 ** (step - PRICES // 2))
        decoder = Decoder(compiled, price)
        decoder.run(decoder.by_arrival(), thorough=thorough)
        found = feasible(instance, decoder.schedule())
        if found is not None:
            own = value(instance, found)
            if best is None or own < best[0]:
                best = own, found, price
    return (None, math.inf) if best is None else (best[1], best[2])


def _scale(compiled: CompiledDecomposition) -> float:
    """Ticks that a millionth of correctness may be worth: a mean execution time for all of it."""
    ticks = compiled.arrays.option_ticks[:, 0]
    return (float(ticks.mean()) + 1.0) * 1e-6 if len(ticks) else 1e-6
