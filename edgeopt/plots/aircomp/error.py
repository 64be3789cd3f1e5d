"""Squared error over a swept quantity: the published design, ours, and the proved bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgeopt.instances.aircomp import AirCompInstance
from edgeopt.instances.base import generate
from edgeopt.plots.base import Figure, Setting
from edgeopt.plots.lines import MARKERS
from edgeopt.plots.statistics import Mean, mean_of
from edgeopt.solvers.base import solve

DEVICES = (1, 2, 4, 8)
ANTENNAS = (4, 6, 8, 12, 16, 20)
SNRS_DB = (0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0)
COLUMNS = ("design", "seeds", "error", "low", "high")
PAPER, FORCED, LINEAR = "sdr-eigen (published)", "zero forcing (ours)", "linear (ours)"
FORCED_BOUND, LINEAR_BOUND = "bound, zero forcing", "bound, all linear"
LINES = (PAPER, FORCED, FORCED_BOUND, LINEAR, LINEAR_BOUND)


def devices(setting: Setting) -> Figure:
    """Error over the number of devices."""
    return _figure(setting, "devices", "devices", DEVICES, lambda value: {"devices": int(value)})


def antennas(setting: Setting) -> Figure:
    """Error over the antennas of the server."""
    return _figure(setting, "antennas", "server_antennas", ANTENNAS, lambda value: {"server_antennas": int(value)})


def power(setting: Setting) -> Figure:
    """Error over the power sent, as SNR."""
    return _figure(setting, "power", "snr_db", SNRS_DB, lambda value: {"snr_db": float(value)})


def errors(options: Mapping[str, Any]) -> dict[str, float]:
    """Errors and bounds on one instance, by line."""
    forced: AirCompInstance = generate("aircomp", **{**options, "design": "zero-forcing"})
    free = forced.with_design("linear")
    unit, other = forced.compiled.unit, free.compiled.unit
    ours, best = solve(forced, "sdr-trace-inverse"), solve(free, "mmse")
    paper = solve(forced, "sdr-eigen")
    values = {PAPER: (paper.value, unit), FORCED: (ours.value, unit), FORCED_BOUND: (ours.bound, unit)}
    values |= {LINEAR: (best.value, other), LINEAR_BOUND: (best.bound, other)}
    return {name: float(value or 0) * scale for name, (value, scale) in values.items()}


def _figure(setting: Setting, name: str, quantity: str, places: Sequence[float], options_of: Any) -> Figure:
    rows: list[tuple[Any, ...]] = []
    lines: dict[str, list[Mean]] = {line: [] for line in LINES}
    worst: dict[str, float] = {}
    for place in places:
        found: dict[str, list[float]] = {line: [] for line in LINES}
        for seed in range(1, setting.seeds + 1):
            drawn = errors({**setting.options, **options_of(place), "seed": seed})
            for line, value in drawn.items():
                found[line].append(value)
            for line, bound in ((FORCED, FORCED_BOUND), (LINEAR, LINEAR_BOUND), (PAPER, FORCED_BOUND)):
                worst[line] = max(worst.get(line, 1.0), drawn[line] / drawn[bound])
        for line in LINES:
            mean = mean_of(found[line], least=0)
            lines[line].append(mean)
            rows.append((place, line, setting.seeds, *mean))
    findings = tuple(f"worst ratio to the proved bound, {line}: {ratio:.4g}" for line, ratio in sorted(worst.items()))
    label = {"devices": "devices", "server_antennas": "antennas of the server", "snr_db": "SNR (dB)"}[quantity]
    return Figure(name, (quantity, *COLUMNS), rows, lambda axes: _draw(axes, places, lines, label), findings)


def _draw(axes: Any, places: Sequence[float], lines: Mapping[str, Sequence[Mean]], label: str) -> None:
    for (name, means), marker in zip(lines.items(), MARKERS, strict=False):
        style = "--" if name.startswith("bound") else "-"
        axes.plot(places, [m.mean for m in means], style, marker=marker, markersize=3.5, label=name)
    axes.set(xlabel=label, ylabel="mean squared error (mean over draws)", yscale="log")
    axes.legend()
