"""What a certificate of a decomposition instance needs: its compiled tasks and links, schedules, and price proofs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgeopt.certify.parts import Parts
from edgeopt.certify.verify.proof_prices import replay
from edgeopt.instances.decomposition import DecompositionInstance, Schedule
from edgeopt.instances.decomposition.compiled import DEVICE, NEVER, CompiledDecomposition
from edgeopt.instances.decomposition.schedule import NONE, placed
from edgeopt.result import Result
from edgeopt.solvers.base import Control
from edgeopt.solvers.decomposition.priced import bound_of
from edgeopt.solvers.decomposition.prices import PriceProof, Pricing, critical_path


def stated(instance: DecompositionInstance) -> dict[str, Any]:
    """The compiled numbers."""
    compiled = instance.compiled
    a = compiled.lists()
    tasks = []
    for task in range(compiled.tasks):
        modes = [_mode(compiled, mode) for mode in range(a.mode_start[task], a.mode_start[task + 1])]
        due = a.due[task]
        tasks.append(
            {
                "release": a.release[task],
                "origin": a.origin[task],
                "due": None if due >= NEVER else due,
                "device": a.device[task],
                "modes": modes,
            }
        )
    return {
        "objective": compiled.kind,
        "aggregation": compiled.aggregation,
        "right_factor": compiled.right_factor,
        "tick_factor": compiled.tick_factor,
        "floor": compiled.floor_units,
        "slots": a.slots,
        "channel": [[-1 if at == -2 else at for at in row] for row in a.channel],
        "frame": a.frame,
        "overhead": a.overhead,
        "byte": a.byte,
        "tasks": tasks,
    }


def _mode(compiled: CompiledDecomposition, mode: int) -> dict[str, Any]:
    a = compiled.lists()
    first, first_edge = a.step_start[mode], a.edge_start[mode]
    steps = []
    for step in range(first, a.step_start[mode + 1]):
        options = []
        for option in range(a.option_start[step], a.option_start[step + 1]):
            (ticks, right), (shared, better) = zip(a.option_ticks[option], a.option_right[option], strict=True)
            options.append([a.option_node[option], ticks, right, shared, better])
        context = a.context[step]
        steps.append(
            {"options": options, "weight": a.weight[step], "context": None if context < 0 else context - first_edge}
        )
    edges = [
        [None if end == DEVICE else end - first for end in (a.edge_from[edge], a.edge_to[edge])] + [a.edge_bytes[edge]]
        for edge in range(first_edge, a.edge_start[mode + 1])
    ]
    return {"steps": steps, "edges": edges}


def chosen(instance: DecompositionInstance, schedule: Schedule) -> list[dict[str, Any]]:
    """A schedule: an entry a task, with nodes and starts of its steps, and starts of its transfers or null."""
    a = instance.compiled.lists()
    return [
        {
            "mode": found.mode - a.mode_start[found.task],
            "node": found.node,
            "start": found.start,
            "transfer": [None if begin == NONE else begin for begin in found.transfer],
        }
        for found in placed(instance.compiled, schedule)
    ]


def solution(instance: DecompositionInstance, entries: Sequence[dict[str, Any]]) -> Schedule:
    """The schedule behind the entries of `chosen`."""
    columns = (
        [entry["mode"] for entry in entries],
        [node for entry in entries for node in entry["node"]],
        [start for entry in entries for start in entry["start"]],
        [NONE if begin is None else begin for entry in entries for begin in entry["transfer"]],
    )
    return Schedule(*(np.array(column, dtype=np.int64) for column in columns))


def proof(
    instance: DecompositionInstance, content: dict[str, Any], found: Any, results: Sequence[Result], control: Control
) -> dict[str, Any]:
    """The price proof that gives the best bound, of those that results carry; else one made here."""
    given = [result.proof for result in results if isinstance(result.proof, PriceProof)]
    if not any(candidate.cells for candidate in given):
        schedules = [result.solution for result in results if isinstance(result.solution, Schedule)]
        given.append(bound_of(instance, schedules[0] if schedules else None, control))
    given.append(critical_path(instance.compiled))
    sign = -1 if instance.sense == "min" else 1
    best: tuple[float, dict[str, Any]] | None = None
    for candidate in sorted(given, key=lambda own: -np.inf if own.bound is None else sign * own.bound):
        encoded_proof = encoded(instance, candidate)
        bound = replay(content, None, encoded_proof).bound
        rank = -np.inf if bound is None else sign * bound
        if best is None or rank < best[0]:
            best = rank, encoded_proof
        if bound == candidate.bound:
            break
    assert best is not None
    return best[1]


def encoded(instance: DecompositionInstance, given: PriceProof) -> dict[str, Any]:
    """A proof as a certificate holds it."""
    compiled = instance.compiled
    a = compiled.lists()
    prices = np.zeros((len(a.slots), 0), dtype=np.int64) if given.prices is None else given.prices
    dropped = []
    if given.cells:
        kept = Pricing(compiled, given.floor, given.bits).kept
        for task in range(compiled.tasks):
            for mode in range(a.mode_start[task], a.mode_start[task + 1]):
                first = a.edge_start[mode]
                own = np.flatnonzero(~kept[first : a.edge_start[mode + 1]]).tolist()
                if own:
                    dropped.append([task, mode - a.mode_start[task], own])
    return {
        "kind": "prices",
        "bits": given.bits,
        "begin": given.begin,
        "slot": given.slot,
        "prices": [_trimmed(row) for row in prices.tolist()],
        "floor": given.floor,
        "cell": given.cell,
        "cells": given.cells,
        "levels": list(given.levels),
        "dropped": dropped,
        "places": given.places,
        "claims": list(given.claims),
    }


def _trimmed(row: list[int]) -> list[int]:
    while row and not row[-1]:
        row.pop()
    return row


PARTS = Parts(stated, chosen, proof, solution)
