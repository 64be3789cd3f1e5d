"""The timeline of one user: a lane for the download and one for the computation, every layer an interval."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from edgeopt.errors import InstanceError
from edgeopt.instances.base import generate
from edgeopt.instances.slide import Allocation, SlideInstance
from edgeopt.instances.slide.timeline import Timeline
from edgeopt.instances.slide.timeline import timeline as timeline_of
from edgeopt.plots.base import Figure, Setting
from edgeopt.solvers.base import solve

LANES = {"download": 1.0, "compute": 0.0}
HEIGHT = 0.7
COLUMNS = ("layer", "download_begin_s", "download_end_s", "compute_begin_s", "compute_end_s", "speed")


def timeline(setting: Setting) -> Figure:
    """The user whose layers run at the most different speeds, of those that `slide` serves at seed 1.

    Raises
    ------
    InstanceError
        If nobody is served there.
    """
    instance: SlideInstance = generate("slide", seed=1, **setting.options)
    solution: Allocation | None = solve(instance, "slide").solution
    if solution is None or not len(solution):
        raise InstanceError(f"timeline: nobody of {instance.name} can be served")
    speeds = [_speeds(instance, solution, place) for place in range(len(solution))]
    place = max(range(len(solution)), key=lambda index: len(set(speeds[index])))
    return of_user(timeline_of(instance, solution, int(solution.user[place])), speeds[place])


def _speeds(instance: SlideInstance, solution: Allocation, place: int) -> list[Fraction]:
    full = [Fraction(1)] * int(instance.models.layers[solution.model[place]])
    return solution.exact_speeds(instance, place) or full


def of_user(found: Timeline, speeds: list[Fraction]) -> Figure:
    """A user's timeline; `speeds` are the compute shares ``z`` of its layers."""
    rows: list[tuple[Any, ...]] = [
        (layer, *map(float, (*download, *compute, speed)))
        for layer, (download, compute, speed) in enumerate(zip(found.download, found.compute, speeds, strict=True))
    ]
    late = sequential_latency(found)
    return Figure(
        name="timeline",
        columns=COLUMNS,
        rows=rows,
        draw=lambda axes: draw(axes, found, speeds),
        findings=(
            f"{found.user} with {found.model}: done at {float(found.latency):.3f} s, deadline "
            f"{float(found.deadline):.3f} s; download first, then inference at the same share and speeds: {late:.3f} s",
        ),
    )


def sequential_latency(found: Timeline) -> float:
    """When the user would be done (s) if it began to compute after the last layer has arrived."""
    busy = sum((end - begin for begin, end in found.compute), Fraction(0))
    return float(found.download[-1][1] + busy)


def draw(axes: Any, found: Timeline, speeds: list[Fraction]) -> None:
    """Draw both lanes, layers coloured by their speed, the deadline, and when download-then-infer would end."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable

    palette = colormaps["viridis_r"]
    for index, (begin, end) in enumerate(found.download):
        shade = ("0.55", "0.75")[index % 2]
        axes.barh(LANES["download"], float(end - begin), left=float(begin), height=HEIGHT, color=shade)
    for (begin, end), speed in zip(found.compute, speeds, strict=True):
        axes.barh(
            LANES["compute"], float(end - begin), left=float(begin), height=HEIGHT,
            color=palette(float(speed)), edgecolor="white", linewidth=0.2,
        )  # fmt: skip
    late = sequential_latency(found)
    axes.axvline(float(found.deadline), color="C3", label=f"deadline {float(found.deadline):.3f} s")
    axes.axvline(late, color="0.4", linestyle="--", label=f"download, then infer: {late:.3f} s")
    axes.set_yticks(list(LANES.values()), list(LANES))
    axes.grid(axis="y", visible=False)
    axes.set(xlabel="time (s)", ylim=(-0.6, 2.1), xlim=(0, None))
    axes.set_title(f"{found.user} with {found.model}, {len(speeds)} layers")
    axes.legend(loc="upper left", ncols=2)
    axes.figure.colorbar(ScalarMappable(cmap=palette), ax=axes, label="speed (part of full speed)")
