"""What load does: reward of a task over the arrival rate, with the proved bound."""

from __future__ import annotations

from typing import Any

from edgeopt.instances.base import generate
from edgeopt.plots.base import Figure, Setting
from edgeopt.plots.lines import draw_lines
from edgeopt.plots.statistics import Mean, mean_of
from edgeopt.solvers.base import solve

RATES = (0.025, 0.05, 0.1, 0.2, 0.4)
LINES = ("local-search", "decomposition-aware", "nearest-edge", "local-only")
BOUND = "bound of local-search"
TASKS = 40


def load(setting: Setting) -> Figure:
    """Reward of a task at each arrival rate, for a fixed number of tasks; the bound is that of prices."""
    means: dict[str, list[Mean]] = {name: [] for name in (BOUND, *LINES)}
    rows: list[tuple[Any, ...]] = []
    gaps = []
    for rate in RATES:
        found: dict[str, list[float]] = {name: [] for name in means}
        for seed in range(1, setting.seeds + 1):
            options = {"tasks": TASKS, "rate_per_s": rate, **setting.options}
            instance = generate("decomposition", seed=seed, **options)
            unit = float(instance.compiled.reward_unit) / max(1, len(instance.tasks))
            for name in LINES:
                result = solve(instance, name, seed=seed)
                found[name].append((result.value or 0) * unit)
                if name == LINES[0]:
                    found[BOUND].append((result.bound or 0) * unit)
        for name, values in found.items():
            means[name].append(mean_of(values))
            rows.append((rate, name, setting.seeds, *means[name][-1]))
        gaps.append(means[BOUND][-1].mean - means[LINES[0]][-1].mean)
    return Figure(
        name="load",
        columns=("arrivals_per_s", "solver", "seeds", "reward", "low", "high"),
        rows=rows,
        draw=lambda axes: draw_lines(axes, RATES, means, xlabel="arrivals (1/s)", ylabel="reward of a task"),
        findings=(
            f"local-search is within {max(gaps):.3f} reward a task of its proved bound at every rate, "
            f"{min(gaps):.3f} at the best one",
        ),
    )
