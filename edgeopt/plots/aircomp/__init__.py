"""Figures of the AirComp problem: error over devices, antennas and power, time a token, and the way of the SCA."""

from collections.abc import Mapping

from edgeopt.plots.aircomp.convergence import convergence
from edgeopt.plots.aircomp.error import antennas, devices, power
from edgeopt.plots.aircomp.latency import latency
from edgeopt.plots.base import Maker

FIGURES: Mapping[str, Maker] = {
    "devices": devices,
    "antennas": antennas,
    "power": power,
    "latency": latency,
    "convergence": convergence,
}
