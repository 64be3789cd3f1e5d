"""Figures of the AirComp problem: error over devices, antennas and power, time a token, and the way of the SCA."""

from collections.abc import Mapping

from edgeopt.instances.aircomp.generate import generate
from edgeopt.plots.aircomp.convergence import convergence
from edgeopt.plots.aircomp.error import antennas, devices, power
from edgeopt.plots.aircomp.latency import latency
from edgeopt.plots.base import SWEEPS, Maker

DESIGNS = {"design": "compares zero forcing with all linear designs"}
LATENCY = {
    "devices": SWEEPS,
    "model": "compares the models whose times are published",
    "bandwidth_hz": "fits it to published times",
    "draws": "takes as many as it has seeds",
}
MAKERS = (
    Maker("devices", devices, generate, {"devices": SWEEPS, **DESIGNS}),
    Maker("antennas", antennas, generate, {"server_antennas": SWEEPS, **DESIGNS}),
    Maker("power", power, generate, {"snr_db": SWEEPS, **DESIGNS}),
    Maker("latency", latency, generate, LATENCY),
    Maker("convergence", convergence, generate, {"shares": "optimises the shares"}),
)
FIGURES: Mapping[str, Maker] = {maker.name: maker for maker in MAKERS}
