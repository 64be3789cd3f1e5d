"""Latency against correctness: the schedulers and the baselines, means over seeds with their intervals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from edgeopt.instances.base import generate
from edgeopt.instances.decomposition import DecompositionInstance, Schedule
from edgeopt.instances.decomposition.schedule import breakdown
from edgeopt.plots.base import Figure, Setting
from edgeopt.plots.statistics import Mean, mean_of
from edgeopt.solvers.base import solve

LINES = ("local-search", "decomposition-aware", "best-single-node", "nearest-edge", "local-only", "random")
BASELINES = ("nearest-edge", "local-only")
PUBLISHED = "published: latency -20 %, reward +80 % against the baselines"
Measured = tuple[Mean, Mean, Mean, Mean]
"""Latency (s), correctness, reward, gap."""
COLUMNS = (
    "solver", "seeds", "latency_s", "latency_low", "latency_high", "correctness", "correctness_low", "correctness_high",
    "reward", "reward_low", "reward_high", "gap", "gap_low", "gap_high",
)  # fmt: skip


def tradeoff(setting: Setting) -> Figure:
    """Mean latency, correctness and reward of a task, over instances of the paper's setting.

    The gap is what the proved bound of `local-search` leaves open (reward a task); the others are held against it, too.
    """
    bounds: list[float] = []
    means = {name: measured(setting, name, bounds) for name in LINES}
    rows: list[tuple[Any, ...]] = [
        (name, setting.seeds, *(number for column in found for number in column)) for name, found in means.items()
    ]
    return Figure(
        name="tradeoff",
        columns=COLUMNS,
        rows=rows,
        draw=lambda axes: draw(axes, means),
        findings=tuple(_finding(name, means) for name in LINES[:2] if _measured(name, means)),
    )


def measured(setting: Setting, name: str, bounds: list[float]) -> Measured:
    """Latency (s), correctness, reward and gap of a solver: the means over tasks, then over seeds.

    `bounds` are those of the first solver that is measured, on the reward of a task; it fills them.
    """
    latency, right, reward, gaps = [], [], [], []
    first = not bounds
    for seed in range(1, setting.seeds + 1):
        instance: DecompositionInstance = generate("decomposition", seed=seed, **setting.options)
        result = solve(instance, name, seed=seed)
        solution: Schedule | None = result.solution
        rows = [] if solution is None else breakdown(instance, solution)
        unit = float(instance.compiled.reward_unit) / max(1, len(rows))
        if first:
            bounds.append((result.bound or 0) * unit)
        if rows:
            gaps.append(bounds[seed - 1] - (result.value or 0) * unit)
            latency.append(float(np.mean([row.latency_s for row in rows])))
            right.append(float(np.mean([row.correctness for row in rows])))
            reward.append(float(np.mean([row.reward for row in rows])))
    return mean_of(latency, least=0), mean_of(right, least=0, most=1), mean_of(reward), mean_of(gaps, least=0)


def _measured(name: str, means: dict[str, Measured]) -> bool:
    """Whether a solver and the baselines have tasks to be compared by."""
    return not any(math.isnan(means[one][0].mean) for one in (name, *BASELINES))


def _finding(name: str, means: dict[str, Measured]) -> str:
    own = means[name]
    against = "; ".join(
        f"{other}: latency {own[0].mean / means[other][0].mean - 1:+.0%}, "
        f"reward {own[2].mean - means[other][2].mean:+.3f} ({own[2].mean:.3f} to {means[other][2].mean:.3f})"
        for other in BASELINES
    )
    return f"{name}, at most {own[3].mean:.3f} reward a task from the optimum, against {against} ({PUBLISHED})"


def draw(axes: Any, means: dict[str, Measured]) -> None:
    """A cross for each solver, as wide and high as its intervals."""
    for index, (name, (latency, right, *_)) in enumerate(means.items()):
        axes.errorbar(
            latency.mean, right.mean, xerr=_half(latency), yerr=_half(right), fmt="o", capsize=2, color=f"C{index}",
            label=name,
        )  # fmt: skip
    axes.set(xlabel="mean latency (s)", ylabel="mean correctness")
    axes.legend()


def _half(found: Mean) -> float:
    return 0.0 if found.high is None else found.high - found.mean
