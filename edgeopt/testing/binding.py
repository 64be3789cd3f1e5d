"""Which constraints of an instance matter, and which share of a strategy's instances is nontrivial.

A test on instances that everything fits into tests nothing, so generators are watched: an instance is
nontrivial when two or more of its constraints bind somewhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

from edgeopt.instances.batching import BatchingInstance, NodeProblem

CONSTRAINTS = ("uplink", "downlink", "memory", "deadline")
"""The resource constraints (12a)-(12d) of a node."""
MOST_REQUESTS = 16
"""Largest node whose batches are enumerated."""


def binding_constraints(node: NodeProblem) -> set[str]:
    """The constraints of a node that cannot be dropped, by enumeration of its batches.

    A constraint binds when some batch breaks it and keeps all the others; without it the node's feasible
    batches would be others.

    Returns
    -------
    set of str
        Of `CONSTRAINTS`.

    Raises
    ------
    ValueError
        If the node has more than `MOST_REQUESTS` requests.
    """
    if node.size > MOST_REQUESTS:
        raise ValueError(f"{node.size} requests: batches are enumerated up to {MOST_REQUESTS}")
    chosen = (np.arange(2**node.size)[:, None] >> np.arange(node.size)) & 1
    kind = node.length_class
    downlink = node.class_tokens[kind] if node.downlink is None else node.downlink
    tightest = np.where(chosen == 1, node.budget, np.iinfo(np.int64).max).min(axis=1, initial=np.iinfo(np.int64).max)
    broken = np.array(
        [
            chosen @ node.uplink > node.uplink_capacity,
            chosen @ downlink > node.downlink_capacity,
            chosen @ node.class_memory[kind] > node.memory_capacity,
            chosen @ node.class_compute[kind] > tightest,
        ]
    )
    only = broken & (broken.sum(axis=0) == 1)
    return {name for name, row in zip(CONSTRAINTS, only, strict=True) if row.any()}


def nontrivial(case: BatchingInstance | NodeProblem) -> bool:
    """Whether two or more constraints bind on some node."""
    nodes = (case,) if isinstance(case, NodeProblem) else case.compiled.nodes
    return any(len(binding_constraints(node)) >= 2 for node in nodes)


def nontrivial_share(strategy: SearchStrategy[Any], examples: int = 200) -> float:
    """Share of nontrivial instances among the first ones that a strategy gives, the same on every run.

    Parameters
    ----------
    strategy : SearchStrategy
        Of `BatchingInstance` or `NodeProblem`.
    examples : int
        How many to draw.
    """
    found: list[bool] = []

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def count(case: BatchingInstance | NodeProblem) -> None:
        found.append(nontrivial(case))

    count()
    return sum(found) / len(found)
