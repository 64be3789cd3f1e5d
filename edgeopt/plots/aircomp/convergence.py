"""The way of the stochastic SCA: relaxed error of its shares over the steps, against the joint optimum."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeopt.instances.base import generate
from edgeopt.plots.base import Figure, Setting
from edgeopt.solvers.aircomp.joint import Relaxation, best_shares, first_shares
from edgeopt.solvers.aircomp.sca import SURROGATES, trace
from edgeopt.solvers.base import Control

STEPS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 300)
DRAWS = 8
COLUMNS = ("surrogate", "step", "seed", "over_joint", "equal_over_joint", "bound_over_joint")
STYLES: dict[str, str] = dict(zip(SURROGATES, ("-", ":"), strict=True))


def convergence(setting: Setting) -> Figure:
    """Mean relaxed error over the draws of an instance, divided by that of the joint optimum, a line a seed."""
    rows: list[tuple[Any, ...]] = []
    lines: dict[tuple[str, int], list[float]] = {}
    for seed in range(1, min(setting.seeds, 4) + 1):
        instance = generate("aircomp", **{"draws": DRAWS, **setting.options, "seed": seed, "shares": "open"})
        best = best_shares(instance, Control())
        assert best.proof is not None
        work = Relaxation(instance, Control())
        equal = work.value_and_slopes(first_shares(instance))[0] / best.value
        bound = best.proof.bound(instance) / best.value
        for surrogate in SURROGATES:
            way = trace(instance, Control(), steps=STEPS[-1], surrogate=surrogate)
            found = [work.value_and_slopes(way.shares[step])[0] / best.value for step in STEPS]
            lines[surrogate, seed] = found
            rows += [(surrogate, step, seed, value, equal, bound) for step, value in zip(STEPS, found, strict=True)]
    ends = {
        surrogate: max(line[-1] - 1 for (name, _), line in lines.items() if name == surrogate)
        for surrogate in SURROGATES
    }
    bounds = [1 - row[5] for row in rows]
    findings = (
        f"after {STEPS[-1]} steps the shares of the SCA are {ends['reciprocal']:.2%} above the joint optimum at most, "
        f"with the published surrogate {ends['proximal']:.2%}; the optimum is within {max(bounds):.1e} of its bound",
    )
    return Figure("convergence", COLUMNS, rows, lambda axes: _draw(axes, lines), findings)


def _draw(axes: Any, lines: dict[tuple[str, int], list[float]]) -> None:
    for (surrogate, seed), values in lines.items():
        label = f"{surrogate}, seed {seed}"
        above = np.maximum(np.array(values) - 1, 1e-6)
        axes.plot(np.maximum(STEPS, 0.5), above, STYLES[surrogate], marker="o", markersize=3, label=label)
    axes.set(xlabel="step", ylabel="relaxed error above the joint optimum (part)", xscale="log", yscale="log")
    axes.legend()
