"""Users served over the band, the deadlines and the energy budgets: `slide` against the baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from edgeopt.instances.base import generate
from edgeopt.plots.base import Figure, Setting
from edgeopt.plots.lines import draw_lines
from edgeopt.plots.statistics import Mean, mean_of
from edgeopt.solvers.base import solve

PUBLISHED_GAIN = (0.40, 0.60)
"""More users served than download-then-infer, as published."""


@dataclass(frozen=True, slots=True)
class Line:
    """A solver with its options, and what it is called in a legend."""

    label: str
    solver: str
    options: Mapping[str, Any] = field(default_factory=dict)


LINES = (
    Line("slide", "slide"),
    Line("dai (download then infer)", "dai"),
    Line("full speed", "full-speed"),
    Line("equal split among all", "equal-split", {"among": "all"}),
    Line("equal split among served", "equal-split", {"among": "served"}),
    Line("random admission", "random-admission"),
)
OURS, DAI = LINES[:2]


@dataclass(frozen=True, slots=True)
class Sweep:
    """What is varied.

    Attributes
    ----------
    name, column, label : str
        Of the figure, of its column in the table, and in words with the unit.
    values : tuple of float
        The generator's default is among them.
    default : float
    options : callable
        Options of the generator that a value stands for.
    """

    name: str
    column: str
    label: str
    values: tuple[float, ...]
    default: float
    options: Callable[[float], dict[str, Any]]


BAND = Sweep(
    "band",
    "bandwidth_mhz",
    "band (MHz)",
    (10, 25, 50, 75, 100, 150, 200, 300),
    100,
    lambda mhz: {"bandwidth_hz": mhz * 1e6},
)
DEADLINE = Sweep(
    "deadline",
    "mean_deadline_s",
    "mean deadline (s), from 0.4 to 1.6 of it",
    (0.5, 1, 1.5, 2, 2.5, 3, 4, 5),
    2.5,
    lambda mean: {"deadline_s": (round(0.4 * mean, 9), round(1.6 * mean, 9))},
)
ENERGY = Sweep(
    "energy",
    "mean_budget_of_full_speed",
    "mean energy budget (J per J that full speed takes)",
    (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1, 1.5, 2),
    0.7,
    lambda mean: {"energy_budget": (round(mean * 2 / 7, 9), round(mean * 12 / 7, 9))},
)


def sweep(what: Sweep, setting: Setting) -> Figure:
    """Users served at every value, by every line.

    The table has the mean and its interval, and in `slide_more` by how much `slide` serves more, on the mean.
    """
    means: dict[str, list[Mean]] = {line.label: [] for line in LINES}
    rows: list[tuple[Any, ...]] = []
    gains: dict[float, float] = {}
    for value in what.values:
        served = _served(Setting(setting.seeds, {**setting.options, **what.options(value)}))
        most = mean_of(served[OURS.label]).mean
        for label, counts in served.items():
            found = mean_of(counts, least=0)
            more = most / found.mean - 1 if found.mean else None
            means[label].append(found)
            rows.append((value, label, setting.seeds, *found, more))
            if label == DAI.label and more is not None:
                gains[value] = more
    return Figure(
        name=what.name,
        columns=(what.column, "solver", "seeds", "users_served", "low", "high", "slide_more"),
        rows=rows,
        draw=lambda axes: draw_lines(axes, what.values, means, xlabel=what.label, ylabel="users served"),
        findings=_findings(what, gains),
    )


def _served(setting: Setting) -> dict[str, list[float]]:
    """Users served by line and seed."""
    instances = [generate("slide", seed=seed, **setting.options) for seed in range(1, setting.seeds + 1)]
    return {
        line.label: [
            float(solve(instance, line.solver, seed=seed, **line.options).value or 0)
            for seed, instance in enumerate(instances, 1)
        ]
        for line in LINES
    }


def _findings(what: Sweep, gains: dict[float, float]) -> tuple[str, ...]:
    if what.default not in gains:
        return ()
    least, most = min(gains.values()), max(gains.values())
    low, high = PUBLISHED_GAIN
    return (
        f"users served, slide over dai: {gains[what.default]:+.1%} at {what.column} = {what.default:g} (the default), "
        f"{least:+.1%} to {most:+.1%} over the sweep; published {low:.0%} to {high:.0%}",
    )
