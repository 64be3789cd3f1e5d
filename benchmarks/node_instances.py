"""Single-node instances of any size in which chosen resources bind, for benchmarks and tests.

With the paper's literal numbers only compute binds, and a dozen requests fill the node. These four
regimes keep the shape of its Section V (three prompt lengths, Rayleigh channels, BLOOM-3B costs) and size
the capacities so that about ``share`` of the requests fit:

- ``compute``: only the deadline binds;
- ``both``: uplink and deadline bind;
- ``all``: uplink, downlink, memory and deadline are all close to binding;
- ``fixed``: uplink and deadline bind at about 12 requests, however many there are.
"""

from __future__ import annotations

import numpy as np

from edgeopt.instances.batching.node import FLOP_UNIT, SHARE_UNITS, IntArray, NodeProblem

REGIMES = ("compute", "both", "all", "fixed")
LAYERS, WIDTH, PADDED_PROMPT = 30, 2560, 512
"""BLOOM-3B (Table I) and the padded prompt length ``s'``."""


def class_compute(tokens: IntArray) -> IntArray:
    """Work of one request of each class in MFLOP, rounded up: prefill (6) plus decode (7)."""
    layer = 24 * WIDTH**2 + 4 * PADDED_PROMPT * WIDTH
    flop = LAYERS * PADDED_PROMPT * layer + LAYERS * (tokens - 1) * (layer + 2 * tokens * WIDTH)
    return -(-flop // FLOP_UNIT)


def node_instance(
    requests: int, classes: int = 3, regime: str = "both", seed: int = 0, share: float = 0.3
) -> NodeProblem:
    """Draw a node problem under the worst-channel rule.

    Parameters
    ----------
    requests, classes : int
        Requests drawn (those that cannot run alone are dropped) and output-length classes.
    regime : str
        One of `REGIMES`.
    seed : int
        Seed of the generator; the same arguments give the same problem.
    share : float
        Fraction of the requests for which the capacities are sized (12 requests in regime ``fixed``).
    """
    if regime not in REGIMES:
        raise ValueError(f"unknown regime {regime!r}; one of {', '.join(REGIMES)}")
    rng = np.random.default_rng(seed)
    tokens = np.array([128, 256, 512], dtype=np.int64)
    if classes != 3:
        tokens = np.sort(rng.choice(np.arange(32, 33 + max(992, 4 * classes)), classes, replace=False)).astype(np.int64)
    compute = class_compute(tokens)
    fitting = 12.0 if regime == "fixed" else max(1.0, share * requests)

    length_class = rng.integers(0, classes, requests)
    prompt = rng.choice([128, 256, 512], requests)
    efficiency = np.log2(1 + 10 ** rng.uniform(0, 2) * rng.exponential(1.0, requests) + 1e-3)
    band = prompt / efficiency
    cheapest = np.sort(band)[: int(min(requests - 1, fitting)) + 1].sum()
    band_capacity = cheapest * (50 if regime == "compute" else 1.6)
    if regime == "fixed":
        band_capacity = max(band_capacity, 0.5 * float(np.median(band)) * fitting)
    uplink = np.ceil(band / band_capacity * SHARE_UNITS).astype(np.int64)

    slack = rng.uniform(0.8, 1.2, requests) * (0.75 if regime in ("both", "all") else 1.0)
    budget = np.floor(slack * 1.25 * compute.mean() * fitting).astype(np.int64)
    mean_tokens = tokens[length_class].mean()
    downlink_scale, memory_scale = (0.85, 0.92) if regime == "all" else (50.0, 50.0)
    keep = np.flatnonzero((uplink <= SHARE_UNITS) & (compute[length_class] <= budget))
    return NodeProblem(
        name=f"{regime}-{requests}x{classes}-{seed}",
        request=keep,
        length_class=length_class[keep],
        uplink=uplink[keep],
        budget=budget[keep],
        downlink=None,
        class_tokens=tokens,
        class_memory=PADDED_PROMPT + tokens,
        class_compute=compute,
        uplink_capacity=SHARE_UNITS,
        downlink_capacity=int(downlink_scale * mean_tokens * fitting),
        memory_capacity=int(memory_scale * (mean_tokens + PADDED_PROMPT) * fitting),
    )
