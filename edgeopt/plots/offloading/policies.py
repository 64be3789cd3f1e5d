"""Mean cost of policies in the closed loop, over a swept quantity, beside the bound that hindsight allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from edgeopt.errors import InstanceError
from edgeopt.instances.base import generate
from edgeopt.plots.base import Figure, Setting
from edgeopt.plots.lines import draw_lines
from edgeopt.plots.statistics import Mean, mean_of
from edgeopt.simulation.offloading.compare import Interval, Row, bounds, compare
from edgeopt.solvers.offloading.closed_loop import Policy
from edgeopt.solvers.offloading.policies import policy


@dataclass(frozen=True, slots=True)
class Line:
    """A policy with its options, and what it is called in a legend."""

    label: str
    policy: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def made(self) -> Policy:
        """A new policy of this kind."""
        return policy(self.policy, **self.options)


LINES = (
    Line("greedy (one-step cost)", "greedy"),
    Line("published look-ahead", "lacs"),
    Line("earliest end", "earliest"),
    Line("matching", "matching"),
    Line("rollouts", "rollouts"),
    Line("rollouts, nothing drawn", "rollouts", {"depth": 0, "rollouts": 1}),
    Line("learned", "learned"),
)
"""Differences are to the first."""
ROLLING = Line("rolling horizon (CP-SAT)", "rolling")
"""Beside them over the load only: a decision takes tens of milliseconds."""
LEARNED = (
    Line("rollouts", "rollouts"),
    Line("learned", "learned"),
    Line("learned, supervised only", "learned", {"weights": "supervised"}),
    Line("learned, one-step reward", "learned", {"weights": "one-step"}),
    Line("DQN", "dqn"),
    Line("earliest end", "earliest"),
    Line("greedy (one-step cost)", "greedy"),
    Line("random", "random"),
)
TRAINED_SERVERS = 6
PUBLISHED_LOAD = 0.09
BOUND = "bound in hindsight"
STEPS = 150
"""Subgradient steps of a bound."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What is varied.

    Attributes
    ----------
    name, column, label : str
        Of the figure, of its column in the table, and in words with the unit.
    values : tuple of float
    options : callable
        Options of the generator that a value stands for.
    lines : tuple of Line
    """

    name: str
    column: str
    label: str
    values: tuple[float, ...]
    options: Callable[[float], dict[str, Any]]
    lines: tuple[Line, ...]


LOAD = Sweep(
    "load",
    "load",
    "work that arrives over what the servers compute",
    (PUBLISHED_LOAD, 0.3, 0.5, 0.7, 1.0),
    lambda load: {} if load == PUBLISHED_LOAD else {"load": load},
    (*LINES, ROLLING),
)
ARRIVALS = Sweep(
    "arrivals",
    "arrival_probability",
    "probability of a task at a device in a slot",
    (0.1, 0.2, 0.3, 0.45, 0.6),
    lambda probability: {"arrival_probability": probability},
    LINES,
)
SERVERS = Sweep(
    "servers",
    "servers",
    "servers",
    (3, 4, 6, 8, 11),
    lambda count: {"servers": int(count)},
    LEARNED,
)
COLUMNS = (
    "policy", "episodes", "cost_slots", "low", "high", "latency_slots", "p95_slots", "drops", "jain", "over_bound",
    "difference_slots", "difference_low", "difference_high",
)  # fmt: skip


def sweep(what: Sweep, setting: Setting) -> Figure:
    """All policies at every value, on the same episodes.

    Raises
    ------
    InstanceError
        If an option of the setting is not usable.
    """
    rows: list[tuple[Any, ...]] = []
    means: dict[str, dict[float, Mean]] = {line.label: {} for line in what.lines}
    means[BOUND] = {}
    findings = []
    for value in what.values:
        options = {**setting.options, **what.options(value)}
        instances = [generate("offloading", seed=seed, **options) for seed in range(1, setting.seeds + 1)]
        lower = bounds(instances, steps=STEPS)
        slots = [float(one / len(i) / i.compiled.slot) for one, i in zip(lower, instances, strict=True)]
        means[BOUND][value] = mean_of(slots, least=0)
        found = compare(instances, _policies(what, value), lower=lower)
        for row in found:
            rows.append((value, *_cells(row, setting.seeds)))
            cost = _cut(row)
            ends = (None, None) if setting.seeds == 1 else (cost.low, cost.high)
            means[row.policy][value] = Mean(cost.mean, *ends)
        findings.append(_finding(what, value, found))
    return Figure(
        name=what.name,
        columns=(what.column, *COLUMNS),
        rows=rows,
        draw=partial(_draw, what, means),
        findings=tuple(findings),
    )


def _policies(what: Sweep, value: float) -> dict[str, Policy]:
    """The policies that can be run there; a DQN only with the servers that it was trained with."""
    found = {}
    for line in what.lines:
        if line.policy == "dqn" and (what.name != "servers" or value != TRAINED_SERVERS):
            continue
        found[line.label] = line.made()
    if not found:
        raise InstanceError(f"{what.name}: no policy can be run at {value}")
    return found


def _cut(row: Row) -> Interval:
    """The cost of a row; no cost is below 0."""
    return row.cost._replace(low=max(0.0, row.cost.low))


def _cells(row: Row, seeds: int) -> tuple[Any, ...]:
    return (
        row.policy, seeds, *_cut(row), row.latency, row.tail, row.drops, row.jain, row.ratio, *row.difference,
    )  # fmt: skip


def _finding(what: Sweep, value: float, found: list[Row]) -> str:
    best = min(found, key=lambda row: row.cost.mean)
    first = found[0]
    return (
        f"{what.column} = {value:g}: least cost {best.cost.mean:.3f} slots ({best.policy}), "
        f"{best.difference.mean:+.3f} [{best.difference.low:+.3f}, {best.difference.high:+.3f}] to {first.policy}"
        + (f", {best.ratio:.3f} of the bound" if best.ratio is not None else "")
    )


def _draw(what: Sweep, means: Mapping[str, Mapping[float, Mean]], axes: Any) -> None:
    whole = {label: [line[value] for value in what.values] for label, line in means.items() if len(line) > 1}
    draw_lines(axes, what.values, whole, xlabel=what.label, ylabel="cost of a task (slots)")
    for label, line in means.items():
        if len(line) == 1:
            ((value, mean),) = line.items()
            axes.plot([value], [mean.mean], marker="*", markersize=8, linestyle="none", label=label)
    low = min(mean.mean for line in means.values() for mean in line.values())
    axes.set_ylim(bottom=0.9 * low)
    axes.legend()
