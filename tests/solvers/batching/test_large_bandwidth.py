"""Algorithm 1: optimal where the band never binds, the very batch of the pseudo-code, refused elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

import edgeopt
from edgeopt.errors import AssumptionError
from edgeopt.instances.batching import NodeProblem
from edgeopt.result import ValueEvidence
from edgeopt.solvers.batching import brute_force, large_bandwidth, ot_paper
from edgeopt.testing.batching import node_problems


def downlink(node: NodeProblem) -> int:
    demand = node.class_tokens[node.length_class] if node.downlink is None else node.downlink
    return int(demand.sum())


def widened(node: NodeProblem, uplink_slack: int = 0, downlink_slack: int = 0) -> NodeProblem:
    """The node with bands that all requests together fill, up to a slack."""
    return replace(
        node,
        uplink_capacity=int(node.uplink.sum()) + uplink_slack,
        downlink_capacity=downlink(node) + downlink_slack,
    )


@st.composite
def wide_nodes(draw: DrawFn) -> NodeProblem:
    return widened(draw(node_problems(max_requests=9)), draw(st.integers(0, 2)), draw(st.integers(0, 2)))


def algorithm_1(node: NodeProblem) -> list[int]:
    """The pseudo-code to the letter, sorting for every pair."""
    ranked = sorted(range(node.size), key=lambda i: -int(node.budget[i]))
    for z in range(node.size, 0, -1):
        for d in range(z, node.size + 1):
            shortest = sorted(ranked[: d - 1], key=lambda i: int(node.class_tokens[node.length_class[i]]))
            batch = [*shortest[: z - 1], ranked[d - 1]]
            kind = node.length_class[batch]
            memory, work = int(node.class_memory[kind].sum()), int(node.class_compute[kind].sum())
            if memory <= node.memory_capacity and work <= int(node.budget[ranked[d - 1]]):
                return sorted(batch)
    return []


@given(wide_nodes())
def test_optimal_and_the_batch_of_the_pseudo_code(node: NodeProblem) -> None:
    found = large_bandwidth.solve_node(node)
    assert found.complete
    assert found.batch.tolist() == algorithm_1(node)
    assert node.fits(found.batch)
    assert len(found.batch) == found.bound == brute_force.solve_node(node).bound


@given(wide_nodes())
def test_algorithm_2_agrees(node: NodeProblem) -> None:
    node = replace(node, downlink=None, downlink_capacity=int(node.class_tokens[node.length_class].sum()))
    assert large_bandwidth.solve_node(node).bound == ot_paper.solve_node(node).bound


@given(node_problems(min_requests=1), st.booleans())
def test_a_band_that_could_bind_is_refused_with_figures(node: NodeProblem, narrow_uplink: bool) -> None:
    if not node.size:
        return
    wide = widened(node)
    if narrow_uplink:
        narrow, needed, name = replace(wide, uplink_capacity=wide.uplink_capacity - 1), int(node.uplink.sum()), "uplink"
    else:
        narrow, needed, name = replace(wide, downlink_capacity=wide.downlink_capacity - 1), downlink(node), "downlink"
    with pytest.raises(AssumptionError, match=rf"the {name} never binds.* need {needed} of {needed - 1} .*use ot"):
        large_bandwidth.solve_node(narrow)


@given(wide_nodes(), st.integers(0, 4))
def test_stopped_the_larger_sizes_are_refuted(node: NodeProblem, polls: int) -> None:
    answers = iter([False] * polls)
    found = large_bandwidth.solve_node(node, stop=lambda: next(answers, True))
    best = large_bandwidth.solve_node(node)
    assert found.bound is not None
    assert best.bound is not None
    if found.complete:
        assert found.batch.tolist() == best.batch.tolist()
    else:
        assert not len(found.batch)
        assert found.bound == node.size - polls >= best.bound


def test_no_requests() -> None:
    node = edgeopt.generate("batching", nodes=1, requests=4, regime="compute").compiled.nodes[0]
    found = large_bandwidth.solve_node(node.restricted(np.zeros(node.size, dtype=bool)))
    assert (found.batch.tolist(), found.bound, found.complete) == ([], 0, True)


def test_as_a_solver_in_the_papers_setting() -> None:
    """With the figures of section V-A only compute binds, so Algorithm 1 is enough."""
    instance = edgeopt.generate("batching", nodes=1, rate=10.0, seed=4)
    result = edgeopt.solve(instance, "large-bandwidth")
    assert result.closed
    assert result.value_evidence is ValueEvidence.CHECKED
    assert result.value == edgeopt.solve(instance, "ot-paper").value
    assert not edgeopt.violations(instance, result.solution)
