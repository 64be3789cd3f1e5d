"""What a certificate of an offloading instance needs: its horizon in ticks, plans, and proofs by prices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgeopt.certify.parts import Parts
from edgeopt.certify.verify.proof_machine_time import replay
from edgeopt.instances.offloading import OffloadingInstance, Plan
from edgeopt.instances.offloading.plan import value
from edgeopt.result import Result
from edgeopt.solvers.base import Control
from edgeopt.solvers.offloading.hindsight import first_plan
from edgeopt.solvers.offloading.proof import PriceProof, pool_speeds, prices

BITS = 16
"""Binary digits after the point of prices."""


def stated(instance: OffloadingInstance) -> dict[str, Any]:
    """The compiled horizon."""
    compiled = instance.compiled
    columns = (compiled.device, compiled.arrival, compiled.due, compiled.local, compiled.upload, compiled.work)
    names = ("device", "arrival", "due", "local", "upload", "work")
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return {
        "discipline": compiled.discipline,
        "devices": compiled.devices,
        "servers": compiled.servers,
        "penalty": compiled.penalty,
        "tasks": [dict(zip(names, row, strict=True)) for row in rows],
    }


def chosen(instance: OffloadingInstance, plan: Plan) -> list[int]:
    """A plan: the place of each task."""
    found: list[int] = plan.place.tolist()
    return found


def proof(
    instance: OffloadingInstance, content: dict[str, Any], solution: Any, results: Sequence[Result], control: Control
) -> dict[str, Any]:
    """The proof by prices that gives the best bound, of those that results carry; else one made here."""
    given = [result.proof for result in results if isinstance(result.proof, PriceProof)]
    if not given:
        plan = first_plan(instance) if solution is None else Plan(np.array(solution, dtype=np.int64))
        given = [prices(instance.compiled, value(instance, plan), control)]
    speeds = pool_speeds(instance.compiled)
    found = [_encoded(one, speeds) for one in given]
    return max(found, key=lambda encoded: replay(content, None, encoded).bound or 0)


def proved_bound(instance: OffloadingInstance, *, steps: int = 400) -> int:
    """What every plan of an instance costs at least (ticks), proved as in a certificate.

    Parameters
    ----------
    instance : OffloadingInstance
    steps : int
        Most subgradient steps of the search for prices; fewer give a weaker bound.
    """
    made = prices(instance.compiled, value(instance, first_plan(instance)), Control(), steps=steps)
    return replay(stated(instance), None, _encoded(made, pool_speeds(instance.compiled))).bound or 0


def _encoded(made: PriceProof, speeds: list[int]) -> dict[str, Any]:
    def whole(columns: Any) -> list[list[int]]:
        return [_trimmed(np.rint(np.maximum(column, 0.0) * 2**BITS).astype(np.int64).tolist()) for column in columns]

    return {
        "kind": "machine_time",
        "bits": BITS,
        "width": made.width,
        "servers": whole(made.servers),
        "own": whole(made.own),
        "radio": whole(made.radio),
        "speeds": speeds,
    }


def _trimmed(prices: list[int]) -> list[int]:
    """Without the zeros at the end."""
    last = max((index for index, price in enumerate(prices) if price), default=-1)
    return prices[: last + 1]


def solution(instance: OffloadingInstance, entries: Sequence[int]) -> Plan:
    """The plan behind the entries of `chosen`."""
    return Plan(np.array(entries, dtype=np.int64))


PARTS = Parts(stated, chosen, proof, solution)
