"""The reference itself, against the definition spelled out with itertools and Python integers."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given

import edgeopt
from edgeopt.errors import AssumptionError
from edgeopt.instances.batching import BatchingInstance, NodeProblem
from edgeopt.result import Termination, ValueEvidence
from edgeopt.solvers.base import Control
from edgeopt.solvers.batching import brute_force
from edgeopt.testing.batching import batching_instances, node_problems


def feasible(node: NodeProblem, batch: tuple[int, ...]) -> bool:
    """(12a)-(12d) for one batch, term by term."""
    if not batch:
        return True
    kinds = [int(node.length_class[i]) for i in batch]
    if node.downlink is None:
        downlink = sum(int(node.class_tokens[k]) for k in kinds)
    else:
        downlink = sum(int(node.downlink[i]) for i in batch)
    return (
        sum(int(node.uplink[i]) for i in batch) <= node.uplink_capacity
        and downlink <= node.downlink_capacity
        and sum(int(node.class_memory[k]) for k in kinds) <= node.memory_capacity
        and all(sum(int(node.class_compute[k]) for k in kinds) <= int(node.budget[i]) for i in batch)
    )


@given(node_problems(max_requests=7))
def test_every_subset_is_judged_by_the_definition(node: NodeProblem) -> None:
    table = brute_force.feasible_subsets(node)
    for mask in range(2**node.size):
        batch = tuple(i for i in range(node.size) if mask >> i & 1)
        assert table[mask] == feasible(node, batch) == node.fits(np.array(batch, dtype=np.int64))


@given(node_problems())
def test_the_batch_is_feasible_and_none_is_larger(node: NodeProblem) -> None:
    found = brute_force.solve_node(node)
    assert feasible(node, tuple(found.batch.tolist()))
    assert found.complete
    assert found.bound == len(found.batch)
    larger = combinations(range(node.size), len(found.batch) + 1)
    assert not any(feasible(node, batch) for batch in larger)


@given(batching_instances(max_nodes=3, max_requests=5))
def test_many_nodes_against_every_assignment(instance: BatchingInstance) -> None:
    nodes = instance.compiled.nodes
    best = 0
    for where in product(range(-1, len(nodes)), repeat=len(instance.requests)):
        batches = [[i for i, place in enumerate(where) if place == j] for j in range(len(nodes))]
        hosted = all(set(batch) <= set(node.request.tolist()) for node, batch in zip(nodes, batches, strict=True))
        if hosted and all(
            feasible(node, tuple(np.searchsorted(node.request, batch).tolist()))
            for node, batch in zip(nodes, batches, strict=True)
        ):
            best = max(best, sum(map(len, batches)))
    result = edgeopt.solve(instance, "brute-force")
    assert result.value == result.bound == best
    assert result.value_evidence is ValueEvidence.CHECKED
    assert not edgeopt.violations(instance, result.solution)


def test_at_the_limits_it_works_and_beyond_it_refuses() -> None:
    big = edgeopt.generate("batching", seed=1, nodes=1, requests=60, regime="compute").compiled.nodes[0]
    assert big.size > brute_force.MOST_ON_ONE_NODE
    most = big.restricted(np.arange(brute_force.MOST_ON_ONE_NODE))
    assert brute_force.solve_node(most).complete
    with pytest.raises(AssumptionError, match="at most 20 requests of one node"):
        brute_force.solve_node(big.restricted(np.arange(brute_force.MOST_ON_ONE_NODE + 1)))
    with pytest.raises(AssumptionError, match="at most 16 requests"):
        edgeopt.solve(edgeopt.generate("batching", seed=1, nodes=2, requests=60, regime="compute"), "brute-force")


def test_stopped_it_says_what_it_knows() -> None:
    instance = edgeopt.generate("batching", seed=1, nodes=2, requests=6, regime="compute")
    control = Control(time_limit=0.0)
    answer = brute_force.brute_force(instance, control)
    assert answer.termination is Termination.TIME_LIMIT
    assert answer.claimed_value == 0
    best = edgeopt.solve(instance, "brute-force").value
    assert best is not None
    assert answer.bound is not None
    assert answer.bound >= best > 0
    node = instance.compiled.nodes[0]
    found = brute_force.solve_node(node, stop=lambda: True)
    assert not found.complete
    assert found.bound == node.size


def test_a_node_without_requests_and_a_full_one() -> None:
    node = edgeopt.generate("batching", seed=1, nodes=1, requests=6, regime="compute").compiled.nodes[0]
    empty = brute_force.solve_node(node.restricted(np.zeros(node.size, dtype=bool)))
    assert len(empty.batch) == empty.bound == 0
    everything = replace(
        node,
        budget=np.full(node.size, int(node.class_compute[node.length_class].sum())),
        uplink_capacity=int(node.uplink.sum()),
        downlink_capacity=int(node.class_tokens[node.length_class].sum()),
        memory_capacity=int(node.class_memory[node.length_class].sum()),
    )
    assert brute_force.solve_node(everything).batch.tolist() == list(range(node.size))
    one_short = replace(everything, uplink_capacity=everything.uplink_capacity - 1)
    assert brute_force.solve_node(one_short).bound == node.size - 1
