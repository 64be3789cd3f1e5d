"""`brute-force`: every plan of a few tasks, the reference that models and bounds are tested against.

It moves the tasks as `edgeopt.instances.offloading.check` does, from the raw fields and event by event, so that it
shares nothing with the compiled form, the models and the simulator.
"""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np

from edgeopt.errors import AssumptionError
from edgeopt.instances.offloading import OffloadingInstance, Plan
from edgeopt.instances.offloading.check import costs, violations
from edgeopt.result import Answer, Termination
from edgeopt.solvers.base import Control

MOST_PLANS = 50_000


def brute_force(instance: OffloadingInstance, control: Control) -> Answer:
    """Solve an instance by trying every plan.

    Raises
    ------
    AssumptionError
        If there are more than `MOST_PLANS` plans.
    """
    places = [_places(instance, task) for task in range(len(instance))]
    plans = prod(len(own) for own in places)
    if plans > MOST_PLANS:
        raise AssumptionError(f"brute-force tries at most {MOST_PLANS} plans, {instance.name} has {plans}")
    best: tuple[int, Plan] | None = None
    for tried, chosen in enumerate(product(*places)):
        if best is not None and control.stop():
            return Answer(best[1], best[0], termination=control.stopped_by(), effort={"plans": tried})
        plan = Plan(np.array(chosen, dtype=np.int64))
        value = sum(cost for cost, _ in costs(instance, plan))
        if best is None or value < best[0]:
            best = value, plan
    assert best is not None
    return Answer(best[1], best[0], best[0], Termination.COMPLETE, effort={"plans": plans})


def _places(instance: OffloadingInstance, task: int) -> list[int]:
    """Where a task can go, as the check says."""
    found = []
    for place in range(len(instance.server_id) + 1):
        plan = Plan(np.full(len(instance), place, dtype=np.int64))
        if not any(broken.where == f"task {task}" for broken in violations(instance, plan)):
            found.append(place)
    return found
