"""Figures of the slide problem: one user's timeline, users served over a swept quantity, latency saved."""

from collections.abc import Mapping

from edgeopt.plots.base import Maker
from edgeopt.plots.slide.latency import latency
from edgeopt.plots.slide.served import band, deadline, energy
from edgeopt.plots.slide.timeline import timeline

FIGURES: Mapping[str, Maker] = {
    "timeline": timeline,
    "band": band,
    "deadline": deadline,
    "energy": energy,
    "latency": latency,
}
