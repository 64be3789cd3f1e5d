"""GAH: at least half the optimum in every node order; gah+ never below the best order."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt
from edgeopt.errors import InstanceError
from edgeopt.instances.batching import BatchingInstance
from edgeopt.result import Termination, ValueEvidence
from edgeopt.testing.batching import batching_instances


def optimum(instance: BatchingInstance) -> int:
    result = edgeopt.solve(instance, "brute-force")
    assert result.closed
    assert result.value is not None
    return int(result.value)


@given(batching_instances(max_requests=8), st.sampled_from(["ot", "brute-force"]))
def test_gah_serves_at_least_half_of_the_optimum_in_every_order(instance: BatchingInstance, oracle: str) -> None:
    best = optimum(instance)
    for order in permutations(range(len(instance.nodes))):
        result = edgeopt.solve(instance, "gah", order=order, oracle=oracle)
        assert result.value_evidence is ValueEvidence.CHECKED
        assert result.value is not None
        assert 2 * result.value >= best
        assert result.value <= best
        assert not edgeopt.violations(instance, result.solution)


@given(batching_instances(max_requests=8))
def test_gah_plus_is_at_least_the_best_order(instance: BatchingInstance) -> None:
    plus = edgeopt.solve(instance, "gah+")
    best = edgeopt.solve(instance, "gah", order="best")
    given_order = edgeopt.solve(instance, "gah")
    assert plus.value_evidence is ValueEvidence.CHECKED
    assert plus.value is not None
    assert best.value is not None
    assert given_order.value is not None
    assert optimum(instance) >= plus.value >= best.value >= given_order.value


@given(batching_instances(max_nodes=1, max_requests=9))
def test_on_one_node_gah_is_optimal(instance: BatchingInstance) -> None:
    assert edgeopt.solve(instance, "gah").value == optimum(instance)


def test_orders_by_name_and_number_are_the_same() -> None:
    instance = edgeopt.generate("batching", seed=5, nodes=3, requests=30, regime="both")
    by_name = edgeopt.solve(instance, "gah", order=["vehicle", "server", "uav"])
    by_number = edgeopt.solve(instance, "gah", order=[2, 0, 1])
    by_text = edgeopt.solve(instance, "gah", order="vehicle,server,uav")
    assert by_name.solution == by_number.solution == by_text.solution


@pytest.mark.parametrize("order", ["weird", [0, 1], [0, 1, 1], ["server", "uav", "moon"]])
def test_a_bad_order_is_refused(order: object) -> None:
    instance = edgeopt.generate("batching", seed=5, nodes=3, requests=5)
    with pytest.raises(InstanceError, match="each node once"):
        edgeopt.solve(instance, "gah", order=order)


@pytest.mark.parametrize("order", ["strong-first", "random", "best"])
def test_the_same_seed_gives_the_same_schedule(order: str) -> None:
    instance = edgeopt.generate("batching", seed=6, nodes=6, requests=40, regime="all")
    first = edgeopt.solve(instance, "gah", order=order, seed=1)
    again = edgeopt.solve(instance, "gah", order=order, seed=1)
    assert first.solution == again.solution
    assert first.termination is Termination.COMPLETE


def test_local_improvement_beats_every_order_somewhere() -> None:
    """Or the rounds of improvement would be dead code."""
    for seed in range(60):
        instance = edgeopt.generate("batching", seed=seed, nodes=3, requests=24, regime="both", load=0.5)
        plus = edgeopt.solve(instance, "gah+").value
        best = edgeopt.solve(instance, "gah", order="best").value
        assert plus is not None
        assert best is not None
        if plus > best:
            return
    pytest.fail("gah+ never improved on the best order")
