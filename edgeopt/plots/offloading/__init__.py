"""Figures of the offloading problem: policies in the closed loop over the load, the arrivals, and the servers."""

from collections.abc import Mapping
from functools import partial

from edgeopt.instances.offloading.generate import generate
from edgeopt.plots.base import Maker, swept
from edgeopt.plots.offloading.policies import ARRIVALS, LOAD, SERVERS, sweep

FIGURES: Mapping[str, Maker] = {
    what.name: Maker(what.name, partial(sweep, what), generate, swept(what.values, what.options))
    for what in (LOAD, ARRIVALS, SERVERS)
}
