"""Channels over time: places stay, fading is drawn anew each epoch, and no policy changes what another sees."""

from __future__ import annotations

import numpy as np

from edgeopt.instances.batching.generate import AREA_M, VEHICLE_BLOCK_M, channel
from edgeopt.instances.batching.instance import FloatArray, Node

LEAST_GAIN = 1e-290


class Channels:
    """Power gains of the requests of a cohort (those that arrived in one epoch) at each age (epochs since).

    Every draw has a seed of its own from (seed, cohort, age), so that it does not depend on who is still waiting.
    """

    def __init__(self, seed: int, nodes: tuple[Node, ...]) -> None:
        self.seed = seed
        self.nodes = nodes

    def gains(self, cohort: int, age: int, count: int) -> tuple[FloatArray, FloatArray]:
        """Gains (J, count) of uplink and downlink of all requests of a cohort."""
        fixed = np.random.default_rng([self.seed, 2, cohort])
        place = fixed.uniform(-AREA_M / 2, AREA_M / 2, (2, count))
        streets = fixed.uniform(-VEHICLE_BLOCK_M, VEHICLE_BLOCK_M, (len(self.nodes), 2, count))
        fading = np.random.default_rng([self.seed, 3, cohort, age])
        pairs = [channel(fading, node, place, count, streets[j]) for j, node in enumerate(self.nodes)]
        up, down = (np.maximum(np.array(gains), LEAST_GAIN) for gains in zip(*pairs, strict=True))
        return up, down
