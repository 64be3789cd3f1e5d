"""Every exact solver that takes an instance finds the same optimum, proves nothing false, and is checked twice."""

from __future__ import annotations

import pytest
from hypothesis import given

import edgeopt
from edgeopt.errors import AssumptionError
from edgeopt.instances.batching import BatchingInstance
from edgeopt.solvers.base import solvers
from edgeopt.testing.strategies import batching_instances

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


def test_all_of_them_are_tried() -> None:
    assert {"ot", "ot-paper", "large-bandwidth", "brute-force", "highs", "cpsat"} <= set(EXACT)
    with pytest.raises(AssumptionError):
        edgeopt.solve(edgeopt.generate("batching", nodes=2, requests=5), "ot")
