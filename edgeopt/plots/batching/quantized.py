"""Figures 12 and 13: completion under quantization, over the arrival rate and over the accuracy that users require."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from edgeopt.plots.base import Figure, Setting
from edgeopt.plots.batching.completion import RATE
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
)
from edgeopt.simulation import Scenario
from edgeopt.system.quantization import SCHEMES

PRECISIONS = {
    "fp16": ("W16A16", ":", "o"),
    "w8a16": ("W8A16", "-", "s"),
    "w4a16-gptq": ("W4A16", "--", "^"),
    "w8a8": ("W8A8", "-.", "D"),
}
COLORS = {"bloom-3b": "#1f4e9c", "bloom-7b1": "#d1721b", "opt-13b": "#3a8a3a"}


def _with_scheme(name: str) -> Any:
    """Put a scheme on every node; its differential does not matter where no accuracy is required."""

    def change(live: Scenario) -> Scenario:
        return replace(live, nodes=tuple(replace(node, quantization=SCHEMES[name]) for node in live.nodes))

    return change


PRECISION_LINES = [
    Line(
        f"{MODELS[model]}, {label}",
        "gah",
        {"model": model, "accuracy": (0.0, 0.0)},
        {
            "color": COLORS[model],
            "linestyle": dashes,
            "marker": marker,
            "markevery": (place, len(PRECISIONS)),
            "change": _with_scheme(scheme),
        },
    )
    for model in MODELS
    for place, (scheme, (label, dashes, marker)) in enumerate(PRECISIONS.items())
]
"""Lines that coincide have their markers at different points."""
METHODS = {"w4a16-gptq": ("W4A16 GPTQ", "-", "o"), "w4a16-zq-local": ("W4A16 ZQ-Local", "--", "s")}
METHOD_LINES = [
    Line(
        f"{MODELS[model]}, {label}",
        "gah",
        {"model": model, "quantization_name": scheme},
        {"color": COLORS[model], "linestyle": dashes, "marker": marker},
    )
    for model in MODELS
    for scheme, (label, dashes, marker) in METHODS.items()
]
REFERENCE_LINES = [
    Line(f"{MODELS[model]}, W8A16", "gah", {"model": model}, {"color": COLORS[model], "linestyle": ":"})
    for model in MODELS
]
# The paper does not say at which rate; at 50 requests/s even the few users who are content fill the slots.
ACCURACY = Sweep(
    "most_accuracy",
    "accuracy requirement: uniform from 0 to ...",
    tuple(tenths / 10 for tenths in range(1, 11)),
    lambda most: {"rate": 10.0, "deadline": (1.5, 2.0), "accuracy": (0.0, most)},
)


def figure12(setting: Setting) -> Figure:
    """Completion rate over the arrival rate, by precision; no accuracy is required."""
    points, rows = run(RATE, PRECISION_LINES, setting)

    def picture(axes: Any) -> None:
        draw(axes, RATE, points, lambda point: point.completion, "completion rate")
        axes.set_yscale("log")
        axes.set_ylim(bottom=_least(points))
        logarithmic_rates(axes)
        legend_above(axes, 3)

    return Figure("figure12", (RATE.column, *COLUMNS_AFTER), rows, picture, findings(points, _gains))


def _gains(points: Sequence[Point]) -> list[str]:
    found = []
    for model in MODELS:
        base = curve(points, f"{MODELS[model]}, W16A16")
        for label, _, _ in list(PRECISIONS.values())[1:]:
            own = curve(points, f"{MODELS[model]}, {label}")
            ratios = sorted(a / b for a, b in zip(own, base, strict=True) if b > 0)
            gain = f"{ratios[0]:.2f} to {ratios[-1]:.2f} times" if ratios else f"up to {max(own):.3f} instead of none,"
            found.append(f"{MODELS[model]}, {label}: {gain} the completion of W16A16")
    at = [f"{MODELS[model]} {max(curve(points, f'{MODELS[model]}, W8A16')):.3f}" for model in MODELS]
    found.append(f"larger models complete less: at the lowest rate, W8A16, {', '.join(at)}")
    return found


def _least(points: Sequence[Point]) -> float:
    """Lower end of a logarithmic axis: below every rate that is not 0."""
    return 0.7 * min((point.completion.mean for point in points if point.completion.mean > 0), default=1e-3)


def figure13(setting: Setting) -> Figure:
    """Completion rate over the accuracy that users require, by method; dotted with W8A16."""
    points, rows = run(ACCURACY, [*METHOD_LINES, *REFERENCE_LINES], setting)

    def picture(axes: Any) -> None:
        draw(axes, ACCURACY, points, lambda point: point.completion, "completion rate")
        legend_above(axes, 3)

    return Figure("figure13", (ACCURACY.column, *COLUMNS_AFTER), rows, picture, findings(points, _falls))


def _falls(points: Sequence[Point]) -> list[str]:
    found = []
    for model in MODELS:
        for label in ("W4A16 GPTQ", "W4A16 ZQ-Local"):
            rates = curve(points, f"{MODELS[model]}, {label}")
            reference = curve(points, f"{MODELS[model]}, W8A16")
            holds = "holds" if all(b <= a + 1e-12 for a, b in pairwise(rates)) else "in the main"
            found.append(
                f"{MODELS[model]}, {label}: falls as more accuracy is required: {holds}, {rates[0]:.3f} to "
                f"{rates[-1]:.3f}; with W8A16 {reference[0]:.3f} to {reference[-1]:.3f}"
            )
    return found
