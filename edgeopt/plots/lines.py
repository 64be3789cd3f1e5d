"""Lines over a swept quantity, each with its confidence band."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

from edgeopt.plots.statistics import LEVEL, Mean

MARKERS = "osD^vPX*"


def draw_lines(
    axes: Any, places: Sequence[float], lines: Mapping[str, Sequence[Mean]], *, xlabel: str, ylabel: str
) -> None:
    """Draw lines by label, with bands and a legend."""
    for (label, means), marker in zip(lines.items(), cycle(MARKERS), strict=False):
        (line,) = axes.plot(places, [m.mean for m in means], marker=marker, markersize=3.5, label=label)
        low = [m.mean if m.low is None else m.low for m in means]
        high = [m.mean if m.high is None else m.high for m in means]
        axes.fill_between(places, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
    axes.set(xlabel=xlabel, ylabel=f"{ylabel}\n(mean, {LEVEL:.0%} confidence band)")
    axes.set_ylim(bottom=0)
    axes.legend()
