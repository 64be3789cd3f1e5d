"""The front of mean latency and mean correctness, by epsilon-constraint: least latency at a rising floor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgeopt.errors import InstanceError
from edgeopt.instances.decomposition.instance import DecompositionInstance
from edgeopt.instances.decomposition.logistic import UNITS
from edgeopt.instances.decomposition.schedule import Schedule, correctness, placed
from edgeopt.result import Result, Termination, ValueEvidence
from edgeopt.solvers.base import solve


@dataclass(frozen=True, slots=True)
class ParetoPoint:
    """A schedule that no other found one beats in both respects.

    Attributes
    ----------
    latency_ticks, correctness_units : int
        Of all tasks together: exact.
    latency_s, correctness : float
        Means over the tasks.
    floor : float
        The floor at which it was found.
    result : Result
        With schedule, bound and evidence.
    """

    latency_ticks: int
    correctness_units: int
    latency_s: float
    correctness: float
    floor: float
    result: Result


def pareto_front(
    instance: DecompositionInstance, solver: str = "cpsat", *, points: int | None = None, **settings: Any
) -> list[ParetoPoint]:
    """The front of an instance, by rising correctness.

    With an exact solver and without `points` it is complete: after each point the floor is a millionth of one task's
    correctness above it, until there is no schedule. With `points` the floors are evenly spaced up to what the best
    options have, and other solvers give a front of what they find.

    Parameters
    ----------
    instance : DecompositionInstance
        With at least one task; its objective is not looked at.
    solver : str
    points : int, optional
    **settings
        Of `edgeopt.solve`, for every point.

    Raises
    ------
    InstanceError
        If there is no task, or `points` is below 2.
    """
    tasks = len(instance.tasks)
    if not tasks:
        raise InstanceError(f"{instance.name}: a front needs at least one task")
    if points is not None and points < 2:
        raise InstanceError(f"points = {points}: must be 2 or more")
    found: list[ParetoPoint] = []
    floor_units = 0
    floors = None if points is None else [index / (points - 1) for index in range(points)]
    top = _most(instance) if floors is not None else 0.0
    while True:
        # half a unit below the floor: rounded up it is the floor, whatever the double
        floor = max(0.0, (floor_units - 0.5) / (UNITS * tasks)) if floors is None else top * floors.pop(0)
        result = solve(replace(instance, objective="latency", correctness_floor=floor), solver, **settings)
        if result.solution is not None and result.value_evidence is ValueEvidence.CHECKED:
            found.append(_point(instance, result, floor))
            floor_units = found[-1].correctness_units + 1
        if floors is None and (
            result.solution is None or result.termination is not Termination.COMPLETE or floor_units > UNITS * tasks
        ):
            break
        if floors is not None and not floors:
            break
    return nondominated(found)


def nondominated(points: Sequence[ParetoPoint]) -> list[ParetoPoint]:
    """The points that no other one beats, by rising correctness; one of several equal ones."""
    kept: list[ParetoPoint] = []
    for point in sorted(points, key=lambda p: (-p.correctness_units, p.latency_ticks)):
        if not kept or point.latency_ticks < kept[-1].latency_ticks:
            kept.append(point)
    return kept[::-1]


def totals(instance: DecompositionInstance, solution: Schedule) -> tuple[int, int]:
    """Latency (ticks) and correctness (millionths) of all tasks together."""
    compiled = instance.compiled
    origin = compiled.lists().origin
    late = right = 0
    for found in placed(compiled, solution):
        late += found.end - origin[found.task]
        right += correctness(compiled, found)
    return late, right


def _point(instance: DecompositionInstance, result: Result, floor: float) -> ParetoPoint:
    solution: Schedule | None = result.solution
    assert solution is not None
    late, right = totals(instance, solution)
    tasks = len(instance.tasks)
    seconds = float(late * instance.compiled.tick_s / tasks)
    return ParetoPoint(late, right, seconds, right / UNITS / tasks, floor, result)


def _most(instance: DecompositionInstance) -> float:
    """Mean correctness of a schedule that looks at nothing else."""
    eager = replace(instance, objective="reward", correctness_floor=0.0, delay_weight_per_s=0.0, accuracy_weight=1.0)
    solution: Schedule | None = solve(eager, "local-search", bound=False, rounds=50).solution
    return 0.0 if solution is None else totals(instance, solution)[1] / UNITS / len(instance.tasks)
