"""Figures of the slide problem: one user's timeline, users served over a swept quantity, latency saved."""

from collections.abc import Mapping
from functools import partial

from edgeopt.instances.slide.generate import generate
from edgeopt.plots.base import Maker, swept
from edgeopt.plots.slide.latency import BANDS_MHZ, latency
from edgeopt.plots.slide.served import BAND, DEADLINE, ENERGY, sweep
from edgeopt.plots.slide.timeline import timeline

MAKERS = (
    Maker("timeline", timeline, generate),
    *(
        Maker(what.name, partial(sweep, what), generate, swept(what.values, what.options))
        for what in (BAND, DEADLINE, ENERGY)
    ),
    Maker("latency", latency, generate, swept(BANDS_MHZ, BAND.options)),
)
FIGURES: Mapping[str, Maker] = {maker.name: maker for maker in MAKERS}
