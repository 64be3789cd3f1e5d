"""The pictures of a report, as SVG text to put into a page."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

STYLE = {"font.size": 8.5, "axes.grid": True, "grid.alpha": 0.3, "legend.fontsize": 7, "svg.fonttype": "none",
         "svg.hashsalt": "edgeopt"}  # fmt: skip
MARKERS = "osD^vPX*"


def drawn(draw: Callable[[Any], None]) -> str:
    """A picture as SVG."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        canvas = Figure(figsize=(4.6, 3.1), layout="constrained")
        draw(canvas.add_subplot())
        text = io.StringIO()
        canvas.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    found = text.getvalue()
    return found[found.index("<svg") :]


def profiles(steps: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Performance profiles; nothing where there is one solver only."""
    if len(steps) < 2 or not any(steps.values()):
        return ""
    right = 1.5 * max(ratio for own in steps.values() for ratio, _ in own)

    def draw(axes: Any) -> None:
        for name, own in steps.items():
            if own:
                points = [(1.0, 0.0), *own, (right, own[-1][1])]
                axes.step([x for x, _ in points], [y for _, y in points], where="post", label=name, linewidth=1.3)
        axes.set(xscale="log", xlim=(1.0, right), ylim=(0.0, 1.02))
        axes.set(xlabel="times the least time", ylabel="share of the instances")
        axes.legend(loc="lower right")

    return drawn(draw)


def ratios(values: Mapping[str, Sequence[float]], *, gap: bool = False) -> str:
    """Share of the runs that are at least so good, or have at most this gap."""
    if not any(values.values()):
        return ""
    every = [value for own in values.values() for value in own]
    end = max([*every, 0.01]) if gap else min([*every, 0.99])

    def draw(axes: Any) -> None:
        for name, own in values.items():
            if own:
                ordered = sorted(own, reverse=not gap)
                shares = [(place + 1) / len(ordered) for place in range(len(ordered))]
                edge = 0.0 if gap else 1.0
                axes.step([edge, *ordered, end], [0.0, *shares, 1.0], where="post", label=name, linewidth=1.3)
        axes.set_ylim(0.0, 1.02)
        if not gap:
            axes.invert_xaxis()
        axes.set(xlabel="gap to the bound" if gap else "ratio to the best known value", ylabel="share of the runs")
        axes.legend(loc="lower right")

    return drawn(draw)


def scaling(points: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Seconds over size, a dot a run and a line through the medians."""
    if not any(points.values()):
        return ""

    def draw(axes: Any) -> None:
        for place, (name, own) in enumerate(points.items()):
            if not own:
                continue
            by_size: dict[float, list[float]] = defaultdict(list)
            for size, seconds in own:
                by_size[size].append(seconds)
            sizes = sorted(by_size)
            marker = MARKERS[place % len(MARKERS)]
            (line,) = axes.plot(sizes, [median(by_size[size]) for size in sizes], marker=marker, markersize=3.5,
                                linewidth=1.2, label=name)  # fmt: skip
            axes.scatter(*zip(*own, strict=True), s=4, color=line.get_color(), alpha=0.35, linewidths=0)
        axes.set(xscale="log", yscale="log", xlabel="size of the instance", ylabel="seconds")
        axes.legend()

    return drawn(draw)
