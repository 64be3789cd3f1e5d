"""Every exact solver that takes an instance finds the same optimum, proves nothing false, and is checked twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

import edgeopt
from edgeopt.errors import AssumptionError
from edgeopt.instances.batching import BatchingInstance, Node, Requests
from edgeopt.solvers.base import solvers
from edgeopt.system.catalogue import lookup
from edgeopt.system.quantization import quantization
from edgeopt.testing.batching import batching_instances

# `pyomo` needs a solver of the user's choice and has a test of its own.
EXACT = [name for name, info in solvers("batching").items() if info.exact and name != "pyomo"]


def agree(instance: BatchingInstance) -> None:
    optimum = edgeopt.solve(instance, "brute-force").value
    for name in EXACT:
        try:
            result = edgeopt.solve(instance, name)
        except AssumptionError:
            continue
        assert not result.message, (name, result)
        assert result.closed, (name, result)
        assert result.value == optimum, (name, result, optimum)
        assert not edgeopt.violations(instance, result.solution)


@given(batching_instances(max_nodes=1, max_requests=10))
def test_on_one_node(instance: BatchingInstance) -> None:
    agree(instance)


@given(batching_instances(max_requests=8))
def test_on_several_nodes(instance: BatchingInstance) -> None:
    agree(instance)


@pytest.mark.parametrize(
    ("prompts", "deadlines"),
    [
        ([2, 2, 2, 2, 3, 2], [1.03125, 1.03125, 1.03125, 1.03125, 1.28125, 1.03125]),
        ([2, 2, 2, 2, 2, 3], [1.03125] * 6),
    ],
    ids=["holds on to an infeasible incumbent", "fails to run after a cut"],
)
def test_where_highs_needs_other_settings(prompts: list[int], deadlines: list[float]) -> None:
    """Three requests fill the band but for 1e-9 of it; with its first settings HiGHS ended without an optimum."""
    count = len(prompts)
    node = Node("n0", lookup("bloom-560m"), quantization("fp16"), 29034e6, 606633984, 448, 192, 4.48e-07, 1.92e-07)
    requests = Requests(
        prompt_tokens=np.array(prompts),
        output_tokens=np.ones(count, dtype=np.int64),
        deadline_s=np.array(deadlines),
        waiting_s=np.full(count, 0.03125),
        accuracy=np.zeros(count),
        accepts=np.zeros(count, dtype=np.int64),
        accept_sets=(None,),
        uplink_gain=np.ones((1, count)),
        downlink_gain=np.ones((1, count)),
    )
    agree(BatchingInstance("nearly", (node,), requests, 0.25, 2.0, 0.25, 2.0, 1e-9, 16, 8))


def test_where_the_presolve_of_highs_loses_the_optimum() -> None:
    """Three equal nodes whose band two requests miss by 1e-9 of it; at a tolerance of 1e-9 HiGHS said 1 of 4."""
    power = 8.533333333333333e-08
    node = Node("n", lookup("bloom-560m"), quantization("fp16"), 19356e6, 605749248, 256 / 3, 64, power, 6.4e-08)
    requests = Requests(
        prompt_tokens=np.array([1, 1, 2, 2, 3]),
        output_tokens=np.array([1, 1, 1, 3, 1]),
        deadline_s=np.full(5, 2.03125),
        waiting_s=np.full(5, 0.03125),
        accuracy=np.zeros(5),
        accepts=np.zeros(5, dtype=np.int64),
        accept_sets=(None,),
        uplink_gain=np.ones((3, 5)),
        downlink_gain=np.ones((3, 5)),
    )
    nodes = tuple(replace(node, name=f"n{j}") for j in range(3))
    agree(BatchingInstance("lost", nodes, requests, 0.75, 2.0, 0.75, 2.0, 1e-9, 16, 8))


def test_all_of_them_are_tried() -> None:
    assert {"ot", "ot-paper", "large-bandwidth", "brute-force", "highs", "cpsat"} <= set(EXACT)
    with pytest.raises(AssumptionError):
        edgeopt.solve(edgeopt.generate("batching", nodes=2, requests=5), "ot")
