"""The figures of the OT-GAH paper, regenerated: completion over time (8 to 13), and what pruning saves (table III)."""

from collections.abc import Mapping

from edgeopt.plots.base import Maker
from edgeopt.plots.batching.completion import (
    COUNTED,
    DEADLINE,
    EPOCH,
    LINES,
    RATE,
    figure8,
    figure9,
    figure10,
    figure11,
)
from edgeopt.plots.batching.pruning import searches, table3
from edgeopt.plots.batching.quantized import (
    ACCURACY,
    METHOD_LINES,
    PRECISION_LINES,
    REFERENCE_LINES,
    figure12,
    figure13,
)
from edgeopt.plots.batching.sweep import OF_LINES, sets_of
from edgeopt.simulation import scenario

MAKERS = (
    Maker("8", figure8, scenario, sets_of(RATE, [*LINES, *COUNTED])),
    Maker("9", figure9, scenario, sets_of(EPOCH, LINES)),
    Maker("10", figure10, scenario, sets_of(EPOCH, [*LINES, *COUNTED])),
    Maker("11", figure11, scenario, sets_of(DEADLINE, [*LINES, *COUNTED])),
    Maker("12", figure12, scenario, {"quantization_name": OF_LINES, **sets_of(RATE, PRECISION_LINES)}),
    Maker("13", figure13, scenario, sets_of(ACCURACY, [*METHOD_LINES, *REFERENCE_LINES])),
    Maker("table3", table3, searches),
)
FIGURES: Mapping[str, Maker] = {maker.name: maker for maker in MAKERS}
