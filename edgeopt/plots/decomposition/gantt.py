"""A schedule as a Gantt chart: a lane for each node and channel, a colour for each task."""

from __future__ import annotations

from typing import Any

from edgeopt.errors import InstanceError
from edgeopt.instances.base import generate
from edgeopt.instances.decomposition import DecompositionInstance, Schedule
from edgeopt.instances.decomposition.schedule import Busy, timeline
from edgeopt.plots.base import Figure, Setting
from edgeopt.solvers.base import solve

TASKS = 8
HEIGHT = 0.8
COLUMNS = ("resource", "task", "mode", "what", "start_s", "end_s")


def gantt(setting: Setting) -> Figure:
    """What `local-search` does with eight tasks that arrive at once, at seed 1.

    Raises
    ------
    InstanceError
        If it finds no schedule that keeps every limit.
    """
    options = {"tasks": TASKS, "corner": "burst", **setting.options}
    instance: DecompositionInstance = generate("decomposition", seed=1, **options)
    solution: Schedule | None = solve(instance, "local-search", bound=False).solution
    if solution is None:
        raise InstanceError(f"schedule: none of {instance.name} was found that keeps every limit")
    return of_schedule(instance, solution)


def of_schedule(instance: DecompositionInstance, solution: Schedule) -> Figure:
    """The chart of a schedule."""
    busy = timeline(instance, solution)
    end = max((row.end_s for row in busy), default=0.0)
    split = sum(task.modes[mode].name != "whole" for task, mode in zip(instance.tasks, solution.mode, strict=True))
    return Figure(
        name="schedule",
        columns=COLUMNS,
        rows=[tuple(row) for row in busy],
        draw=lambda axes: draw(axes, instance, busy),
        findings=(
            f"{len(instance.tasks)} tasks, {split} of them decomposed, done at {end:.2f} s; "
            f"{sum(' to ' in row.what for row in busy)} transfers",
        ),
    )


def draw(axes: Any, instance: DecompositionInstance, busy: list[Busy]) -> None:
    """Bars on the lanes of the nodes in use, then of channels and wires."""
    from matplotlib import colormaps

    used = {row.resource for row in busy}
    lanes = [node.name for node in instance.nodes if node.name in used]
    lanes += sorted(used - set(lanes))
    place = {name: len(lanes) - 1 - index for index, name in enumerate(lanes)}
    palette = colormaps["tab20"]
    color = {task.id: palette(index % 20) for index, task in enumerate(instance.tasks)}
    named: set[str] = set()
    for row in busy:
        axes.barh(
            place[row.resource], row.end_s - row.start_s, left=row.start_s, height=HEIGHT, color=color[row.task],
            edgecolor="white", linewidth=0.3, label=None if row.task in named else row.task,
        )  # fmt: skip
        named.add(row.task)
    axes.set_yticks(list(place.values()), list(place))
    axes.grid(axis="y", visible=False)
    axes.set(xlabel="time (s)", xlim=(0, None))
    if len(named) <= 10:
        axes.legend(ncols=2, loc="lower right")
