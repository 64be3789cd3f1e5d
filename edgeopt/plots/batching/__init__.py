"""The figures of the OT-GAH paper, regenerated: completion over time (8 to 13), and what pruning saves (table III)."""

from collections.abc import Mapping

from edgeopt.plots.base import Maker
from edgeopt.plots.batching.completion import figure8, figure9, figure10, figure11
from edgeopt.plots.batching.pruning import table3
from edgeopt.plots.batching.quantized import figure12, figure13

FIGURES: Mapping[str, Maker] = {
    "8": figure8,
    "9": figure9,
    "10": figure10,
    "11": figure11,
    "12": figure12,
    "13": figure13,
    "table3": table3,
}
