"""Simulations over a swept quantity: lines of means over seeds with bands, and a row of the table for each point."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.batching.trace import read_trace
from edgeopt.plots.base import Setting, swept
from edgeopt.plots.batching import pruning
from edgeopt.plots.statistics import LEVEL, Mean, mean_of
from edgeopt.simulation import Outcome, Scenario, State, scenario, simulate

EPOCHS, WARMUP = 30, 3
"""Epochs a run, unless the setting says otherwise."""
TRACE_PROMPT_TOKENS = 2048
"""Longest prompt that is taken of a trace, unless the setting says otherwise."""
MODELS = {"bloom-3b": "BLOOM-3B", "bloom-7b1": "BLOOM-7.1B", "opt-13b": "OPT-13B"}

STATES = (State.EXPIRED, State.LATE, State.REFUSED)

Change = Callable[[Scenario, float], Scenario]


@dataclass(frozen=True, slots=True)
class Line:
    """A policy on a model, and how it is drawn.

    Attributes
    ----------
    label : str
    policy : str
    options : mapping
        Options of the scenario.
    style : mapping
        Of matplotlib's ``plot``.
    """

    label: str
    policy: str
    options: Mapping[str, Any]
    style: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sweep:
    """What is varied, and over what.

    Attributes
    ----------
    column, label : str
        Of the table, and of the axis with its unit.
    values : sequence of float
    options : callable
        Options of the scenario that a value stands for.
    change : callable or None
        What else a value changes in the scenario.
    """

    column: str
    label: str
    values: Sequence[float]
    options: Callable[[float], dict[str, Any]]
    change: Change | None = None


class Point(NamedTuple):
    """One line at one value: means over the seeds, of rates over those in which requests arrive."""

    value: float
    line: Line
    completion: Mean
    per_epoch: Mean
    states: tuple[float, ...]


COLUMNS_AFTER = (
    "line", "policy", "model", "quantization", "waiting", "latency", "seeds", "arrivals", "completion_rate",
    "completion_low", "completion_high", "completed_per_epoch", "per_epoch_low", "per_epoch_high", "expired", "late",
    "refused",
)  # fmt: skip
"""Columns of every table after the swept one; the last three are shares of the arrivals."""


RUN_LENGTHS = ("epochs", "warmup")
"""Options that say how long is measured, not what: a figure may set them, and a user may, too."""
OF_LINES = "has lines for values of its own"


def sets_of(sweep: Sweep, lines: Sequence[Line]) -> dict[str, str]:
    """The options that a figure of these lines sets itself, and what it does with them."""
    found = {"rate_scale": "speeds a trace up to its own rate", **swept(sweep.values, sweep.options)}
    found |= {name: OF_LINES for line in lines for name in line.options}
    return {name: text for name, text in found.items() if name not in RUN_LENGTHS}


def run(sweep: Sweep, lines: Sequence[Line], setting: Setting) -> tuple[list[Point], list[tuple[Any, ...]]]:
    """All points, and the rows of the table."""
    points, rows = [], []
    for value in sweep.values:
        for line in lines:
            outcomes = [_outcome(sweep, line, value, seed, setting) for seed in range(1, setting.seeds + 1)]
            arrivals = [float(outcome.arrivals) for outcome in outcomes]
            some = [outcome for outcome in outcomes if outcome.arrivals]  # the others have no rates
            shares = [mean_of([outcome.count(state) / outcome.arrivals for outcome in some]).mean for state in STATES]
            completion = mean_of([outcome.completion_rate for outcome in some], least=0, most=1)
            per_epoch = mean_of([outcome.completed_per_epoch for outcome in outcomes], least=0)
            points.append(Point(value, line, completion, per_epoch, tuple(shares)))
            live = outcomes[0].scenario
            names = {node.model.name for node in live.nodes}, {node.quantization.name for node in live.nodes}
            rows.append(
                (
                    value, line.label, line.policy, *(" ".join(sorted(found)) for found in names), live.waiting,
                    live.latency, setting.seeds, float(np.mean(arrivals)), *completion, *per_epoch, *shares,
                )
            )  # fmt: skip
    return points, rows


def _outcome(sweep: Sweep, line: Line, value: float, seed: int, setting: Setting) -> Outcome:
    own = {name: option for name, option in setting.options.items() if name not in pruning.OPTIONS}
    options = {"epochs": EPOCHS, "warmup": WARMUP, **sweep.options(value), **line.options, **own}
    if "trace" in options:
        options = {"padded_prompt_tokens": TRACE_PROMPT_TOKENS, **options}
        if "rate" in options:
            options["rate_scale"] = options.pop("rate") / trace_rate(str(options["trace"]))
    try:
        live = scenario(seed=seed, **options)
    except TypeError as error:
        raise InstanceError(f"figures batching: {error}; 'edgeopt simulate --help' lists the options") from error
    if sweep.change is not None:
        live = sweep.change(live, value)
    change = line.style.get("change")
    return simulate(live if change is None else change(live), line.policy)


@cache
def trace_rate(path: str) -> float:
    """Mean arrival rate (1/s) of a trace."""
    arrival = read_trace(path).arrival_ns
    return len(arrival) * 1e9 / max(1, int(arrival[-1]))


def draw(axes: Any, sweep: Sweep, points: Sequence[Point], what: Callable[[Point], Mean], ylabel: str) -> None:
    """Lines with their bands."""
    for label in dict.fromkeys(point.line.label for point in points):
        own = [point for point in points if point.line.label == label]
        means = [what(point) for point in own]
        style = {key: value for key, value in own[0].line.style.items() if key != "change"}
        places = [point.value for point in own]
        axes.plot(places, [m.mean for m in means], **{"markersize": 3.5, "linewidth": 1.3, **style}, label=label)
        low = [m.mean if m.low is None else m.low for m in means]
        high = [m.mean if m.high is None else m.high for m in means]
        axes.fill_between(places, low, high, color=style.get("color"), alpha=0.12, linewidth=0)
    axes.set(xlabel=sweep.label, ylabel=f"{ylabel}\n(mean, {LEVEL:.0%} confidence band)")
    axes.set_ylim(bottom=0)


def logarithmic_rates(axes: Any) -> None:
    """A logarithmic axis of arrival rates with labels that do not touch."""
    axes.set_xscale("log")
    axes.set_xticks([5, 10, 20, 50, 100, 250], ["5", "10", "20", "50", "100", "250"])
    axes.set_xticks([150, 200], minor=True)
    axes.tick_params(axis="x", which="minor", labelbottom=False)


def legend_above(axes: Any, columns: int) -> None:
    """A legend over the axes, where it hides nothing."""
    axes.legend(ncols=columns, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=6.8, frameon=False)


def findings(points: Sequence[Point], say: Callable[[Sequence[Point]], Sequence[str]]) -> tuple[str, ...]:
    """What can be said of the values at which requests arrive for every line."""
    without = {point.value for point in points if math.isnan(point.completion.mean)}
    told = [point for point in points if point.value not in without]
    return tuple(say(told)) if told else ("no requests arrive at any point, so that nothing can be compared",)


def values_of(points: Sequence[Point], label: str) -> list[float]:
    """The swept values of a line."""
    return [point.value for point in points if point.line.label == label]


def curve(points: Sequence[Point], label: str) -> list[float]:
    """Completion rates of a line in the order of the swept values."""
    return [point.completion.mean for point in points if point.line.label == label]


def with_deadline(live: Scenario, deadline_s: float) -> Scenario:
    """The scenario with the same latency limit for everyone."""
    traffic = live.traffic
    return replace(live, traffic=replace(traffic, deadline_s=np.full(len(traffic), float(deadline_s))))
