"""Figures 8 to 11: completion under OT-GAH, static and no batching, over arrival rate, epoch and deadline."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from edgeopt.plots.base import Figure, Setting
from edgeopt.plots.batching.sweep import (
    COLUMNS_AFTER,
    MODELS,
    Line,
    Point,
    Sweep,
    curve,
    draw,
    findings,
    legend_above,
    logarithmic_rates,
    run,
    values_of,
    with_deadline,
)

POLICIES = {
    "gah": ("OT-GAH", {"color": "#1f4e9c", "marker": "o"}),
    "static": ("static", {"color": "#d1721b", "marker": "s"}),
    "no-batching": ("no batching", {"color": "#3a8a3a", "marker": "^"}),
}
PAIR = ("bloom-3b", "bloom-7b1")
STYLES = {"bloom-3b": "-", "bloom-7b1": "--"}
WAITING = "OT-GAH, waiting counted"

LINES = [
    Line(
        f"{label}, {MODELS[model]}",
        policy,
        {"model": model},
        {**style, "linestyle": STYLES[model], "markerfacecolor": None if model == "bloom-3b" else "white"},
    )
    for policy, (label, style) in POLICIES.items()
    for model in PAIR
]
COUNTED = [
    Line(
        f"{WAITING}, {MODELS[model]}",
        "gah",
        {"model": model, "waiting": "actual"},
        {"color": "0.45", "marker": "x", "linestyle": STYLES[model]},
    )
    for model in PAIR
]
"""The paper's calibration does not count the wait for the next epoch against a deadline; these lines do."""

RATE = Sweep(
    "rate_per_s",
    "arrival rate (requests/s)",
    (5, 10, 20, 50, 100, 150, 200, 250),
    lambda rate: {"rate": rate, "deadline": (1.5, 2.0)},
)
EPOCH = Sweep(
    "epoch_s",
    "epoch duration (s)",
    (0.6, 0.8, 1.0, 1.2, 1.4, 1.5, 1.6, 1.7, 1.8, 2.0),
    lambda epoch: {"rate": 50.0, "epoch": epoch, "deadline": (1.5, 2.5), "epochs": round(60 / epoch)},
)
DEADLINE = Sweep(
    "deadline_s",
    "latency requirement = epoch duration (s)",
    (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0),
    lambda limit: {"rate": 50.0, "epoch": limit, "deadline": (limit, limit)},
    with_deadline,
)


def figure8(setting: Setting) -> Figure:
    """Completion rate over the arrival rate."""
    points, rows = run(RATE, [*LINES, *COUNTED], setting)

    def picture(axes: Any) -> None:
        draw(axes, RATE, points, lambda point: point.completion, "completion rate")
        logarithmic_rates(axes)
        legend_above(axes, 2)

    def say(told: Sequence[Point]) -> list[str]:
        return [*_beats(told), *_falls(told, "arrival rate"), *_smaller_model(told), _hopeless(told)]

    return Figure("figure8", (RATE.column, *COLUMNS_AFTER), rows, picture, findings(points, say))


def figure9(setting: Setting) -> Figure:
    """Completed requests an epoch over the length of the epoch."""
    points, rows = run(EPOCH, LINES, setting)

    def picture(axes: Any) -> None:
        draw(axes, EPOCH, points, lambda point: point.per_epoch, "requests completed in an epoch")
        legend_above(axes, 2)

    return Figure("figure9", (EPOCH.column, *COLUMNS_AFTER), rows, picture, findings(points, _counts))


def figure10(setting: Setting) -> Figure:
    """Completion rate over the length of the epoch."""
    points, rows = run(EPOCH, [*LINES, *COUNTED], setting)

    def picture(axes: Any) -> None:
        draw(axes, EPOCH, points, lambda point: point.completion, "completion rate")
        legend_above(axes, 2)

    return Figure("figure10", (EPOCH.column, *COLUMNS_AFTER), rows, picture, findings(points, _most))


def figure11(setting: Setting) -> Figure:
    """Completion rate over the latency requirement, which is also the epoch."""
    points, rows = run(DEADLINE, [*LINES, *COUNTED], setting)

    def picture(axes: Any) -> None:
        draw(axes, DEADLINE, points, lambda point: point.completion, "completion rate")
        legend_above(axes, 2)

    def say(told: Sequence[Point]) -> list[str]:
        return [*_beats(told), *_rises(told), *_smaller_model(told), _begins(told)]

    return Figure("figure11", (DEADLINE.column, *COLUMNS_AFTER), rows, picture, findings(points, say))


def _counts(points: Sequence[Point]) -> list[str]:
    found = []
    for model in PAIR:
        label = f"OT-GAH, {MODELS[model]}"
        values = values_of(points, label)
        counts = [point.per_epoch.mean for point in points if point.line.label == label]
        rises = sum(b >= a for a, b in pairwise(counts))
        found.append(
            f"{label}: {counts[0]:.2f} completed in an epoch of {values[0]:g} s, {counts[-1]:.2f} in one of "
            f"{values[-1]:g} s; it rises on {rises} of {len(counts) - 1} steps"
        )
    return found


def _most(points: Sequence[Point]) -> list[str]:
    found = []
    for line in [*LINES, *COUNTED]:
        values, rates = values_of(points, line.label), curve(points, line.label)
        best = max(range(len(rates)), key=rates.__getitem__)
        found.append(
            f"{line.label}: {rates[0]:.3f} at {values[0]:g} s, most {rates[best]:.3f} at "
            f"{values[best]:g} s, {rates[-1]:.3f} at {values[-1]:g} s"
        )
    return found


def _begins(points: Sequence[Point]) -> str:
    served = [point for point in points if point.line.label == "no batching, BLOOM-7.1B" and point.completion.mean > 0]
    first = f"from {served[0].value:g} s on" if served else "nowhere"
    return f"no batching, BLOOM-7.1B: completes requests {first} (published: beyond 3 s)"


def _pairs(points: Sequence[Point], model: str, other: str) -> list[tuple[float, float, float]]:
    ours, theirs = (curve(points, f"{label}, {MODELS[model]}") for label in ("OT-GAH", other))
    return list(zip(values_of(points, f"OT-GAH, {MODELS[model]}"), ours, theirs, strict=True))


def _beats(points: Sequence[Point]) -> list[str]:
    found = []
    for other in ("static", "no batching"):
        for model in PAIR:
            pairs = _pairs(points, model, other)
            below = [f"{value:g}" for value, ours, theirs in pairs if ours < theirs]
            level = sum(ours == theirs for _, ours, theirs in pairs)
            gains = sorted(ours / theirs for _, ours, theirs in pairs if theirs > 0)
            more = f"; {gains[0]:.2f} to {gains[-1]:.2f} times as many where both complete any" if gains else ""
            verdict = f"not at {', '.join(below)}" if below else "holds at every point"
            ties = f" ({level} with none completed by either)" if level else ""
            found.append(f"OT-GAH completes at least as many as {other}, {MODELS[model]}: {verdict}{ties}{more}")
    return found


def _falls(points: Sequence[Point], with_what: str) -> list[str]:
    found = []
    for label in ("OT-GAH", "static"):
        for model in PAIR:
            rates = curve(points, f"{label}, {MODELS[model]}")
            holds = all(b <= a for a, b in pairwise(rates))
            verdict = "holds" if holds else "does not hold at every step"
            found.append(
                f"{label}, {MODELS[model]}: falls with the {with_what}: {verdict}, {rates[0]:.3f} to {rates[-1]:.3f}"
            )
    return found


def _rises(points: Sequence[Point]) -> list[str]:
    found = []
    for label in ("OT-GAH", "static", "no batching"):
        for model in PAIR:
            values, rates = (of(points, f"{label}, {MODELS[model]}") for of in (values_of, curve))
            downs = [f"{values[place + 1]:g} s" for place, (a, b) in enumerate(pairwise(rates)) if b < a]
            verdict = f"holds but for {', '.join(downs)}" if downs else "holds"
            found.append(
                f"{label}, {MODELS[model]}: rises with the deadline: {verdict}, {rates[0]:.3f} to {rates[-1]:.3f}"
            )
    return found


def _smaller_model(points: Sequence[Point]) -> list[str]:
    small, large = (curve(points, f"OT-GAH, {MODELS[model]}") for model in PAIR)
    below = sum(a < b for a, b in zip(small, large, strict=True))
    return [f"OT-GAH completes more of BLOOM-3B than of BLOOM-7.1B: at {len(small) - below} of {len(small)} points"]


def _hopeless(points: Sequence[Point]) -> str:
    rates = curve(points, "no batching, BLOOM-7.1B")
    return (
        f"no BLOOM-7.1B request in time without batching: {'holds' if max(rates) == 0 else f'up to {max(rates):.3f}'}"
    )
