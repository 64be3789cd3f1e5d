"""Figures of the decomposition problem: a schedule, latency against correctness, what load does, the Pareto front."""

from collections.abc import Mapping

from edgeopt.instances.decomposition.generate import generate
from edgeopt.plots.base import SWEEPS, Maker
from edgeopt.plots.decomposition.front import front
from edgeopt.plots.decomposition.gantt import gantt
from edgeopt.plots.decomposition.load import load
from edgeopt.plots.decomposition.tradeoff import tradeoff

MAKERS = (
    Maker("schedule", gantt, generate),
    Maker("tradeoff", tradeoff, generate),
    Maker("load", load, generate, {"rate_per_s": SWEEPS}),
    Maker("front", front, generate),
)
FIGURES: Mapping[str, Maker] = {maker.name: maker for maker in MAKERS}
