"""Figures of the decomposition problem: a schedule, latency against correctness, what load does, the Pareto front."""

from collections.abc import Mapping

from edgeopt.plots.base import Maker
from edgeopt.plots.decomposition.front import front
from edgeopt.plots.decomposition.gantt import gantt
from edgeopt.plots.decomposition.load import load
from edgeopt.plots.decomposition.tradeoff import tradeoff

FIGURES: Mapping[str, Maker] = {"schedule": gantt, "tradeoff": tradeoff, "load": load, "front": front}
