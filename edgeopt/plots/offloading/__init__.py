"""Figures of the offloading problem: policies in the closed loop over the load, the arrivals, and the servers."""

from collections.abc import Mapping

from edgeopt.plots.base import Maker
from edgeopt.plots.offloading.policies import arrivals, load, servers

FIGURES: Mapping[str, Maker] = {"load": load, "arrivals": arrivals, "servers": servers}
