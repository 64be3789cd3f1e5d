"""Every combination of choices: the reference that tests hold the other solvers against."""

from __future__ import annotations

from itertools import product
from math import prod

from edgeopt.errors import AssumptionError
from edgeopt.instances.assignment import Assignment, AssignmentInstance
from edgeopt.result import Answer, Termination
from edgeopt.solvers.base import Control

MOST_COMBINATIONS = 2**20


def brute_force(instance: AssignmentInstance, control: Control) -> Answer:
    """Try every combination of choices, one (or none) a group.

    Raises
    ------
    AssumptionError
        If there are more than `MOST_COMBINATIONS`.
    """
    nothing = [] if instance.pick == "exactly-one" else [-1]
    options = [nothing + group.tolist() for group in instance.by_group]
    count = prod(map(len, options))
    if count > MOST_COMBINATIONS:
        raise AssumptionError(f"brute-force assumes at most {MOST_COMBINATIONS} combinations, the instance has {count}")
    sign = 1 if instance.sense == "max" else -1
    profit = [*instance.profit.tolist(), 0]  # the last one stands for no choice
    best: tuple[int, tuple[int, ...]] | None = None
    for combination in product(*options):
        if control.stop():
            break
        value = sign * sum(profit[k] for k in combination)
        if (best is None or value > best[0]) and _fits(instance, combination):
            best = value, combination
    stopped = control.stop()
    if best is None:
        return Answer(solution=None, termination=control.stopped_by() if stopped else Termination.INFEASIBLE)
    return Answer(
        solution=Assignment.of(instance, [k for k in best[1] if k >= 0]),
        claimed_value=sign * best[0],
        bound=None if stopped else sign * best[0],
        termination=control.stopped_by() if stopped else Termination.COMPLETE,
        effort={"combinations": count},
    )


def _fits(instance: AssignmentInstance, combination: tuple[int, ...]) -> bool:
    left = instance.capacity.tolist()
    for k in combination:
        if k >= 0:
            j = int(instance.bin[k])
            left[j] = [room - w for room, w in zip(left[j], instance.weight[k].tolist(), strict=True)]
    return all(room >= 0 for row in left for room in row)
