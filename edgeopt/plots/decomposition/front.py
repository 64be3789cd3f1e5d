"""The Pareto front of latency and correctness, with the baselines beside it."""

from __future__ import annotations

from typing import Any

from edgeopt.instances.base import generate
from edgeopt.instances.decomposition import DecompositionInstance, Schedule
from edgeopt.instances.decomposition.logistic import UNITS
from edgeopt.plots.base import Figure, Setting
from edgeopt.solvers.base import solve
from edgeopt.solvers.decomposition.pareto import ParetoPoint, pareto_front, totals

TASKS, POINTS = 20, 9
BESIDE = ("decomposition-aware", "best-single-node", "nearest-edge", "local-only")


def front(setting: Setting) -> Figure:
    """The front that `local-search` finds for twenty tasks at seed 1, and where others are."""
    options = {"tasks": TASKS, **setting.options}
    instance: DecompositionInstance = generate("decomposition", seed=1, **options)
    points = pareto_front(instance, "local-search", points=POINTS, bound=False)
    others = {}
    for name in BESIDE:
        solution: Schedule | None = solve(instance, name).solution
        if solution is None:
            continue
        late, right = totals(instance, solution)
        tasks = len(instance.tasks)
        others[name] = float(late * instance.compiled.tick_s / tasks), right / UNITS / tasks
    rows: list[tuple[Any, ...]] = [("front", point.floor, point.latency_s, point.correctness) for point in points]
    rows += [(name, None, *place) for name, place in others.items()]
    return Figure(
        name="front",
        columns=("series", "floor", "latency_s", "correctness"),
        rows=rows,
        draw=lambda axes: draw(axes, points, others),
        findings=(
            f"{len(points)} points, from {points[0].latency_s:.1f} s at a correctness of {points[0].correctness:.3f} "
            f"to {points[-1].latency_s:.1f} s at {points[-1].correctness:.3f}",
        ),
    )


def draw(axes: Any, points: list[ParetoPoint], others: dict[str, tuple[float, float]]) -> None:
    """The front as a line, the others as marks."""
    axes.plot([p.latency_s for p in points], [p.correctness for p in points], "o-", label="front (local-search)")
    for index, (name, (latency, right)) in enumerate(others.items()):
        axes.plot(latency, right, "sDv^"[index % 4], label=name)
    axes.set(xlabel="mean latency (s)", ylabel="mean correctness")
    axes.legend()
