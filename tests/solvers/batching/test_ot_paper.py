"""Algorithm 2: exact, compiled and readable search node for node the same, stoppable anywhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt
from edgeopt.errors import AssumptionError, UnknownNameError
from edgeopt.instances.batching import NodeProblem
from edgeopt.result import Termination, ValueEvidence
from edgeopt.solvers.batching import brute_force, ot_paper
from edgeopt.testing.batching import node_problems

EXACT = [name for name, variant in ot_paper.VARIANTS.items() if variant.exact]
nodes_with_shared_downlink = node_problems(max_requests=9, downlink_rules=["worst-channel"])
variants = st.sampled_from(sorted(ot_paper.VARIANTS))


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("prune", [True, False])
@pytest.mark.parametrize("variant", EXACT)
@given(node=nodes_with_shared_downlink)
def test_optimal(node: NodeProblem, variant: str, prune: bool, compiled: bool) -> None:
    found = ot_paper.solve_node(node, variant=variant, prune=prune, compiled=compiled)
    assert found.complete
    assert node.fits(found.batch)
    assert found.batch.tolist() == sorted(set(found.batch.tolist()))
    assert len(found.batch) == found.bound == brute_force.solve_node(node).bound


@given(
    node=nodes_with_shared_downlink,
    variant=variants,
    prune=st.booleans(),
    limit=st.none() | st.integers(0, 60),
    chunk=st.sampled_from((1, 2, 7, ot_paper.CHUNK_WORK)),
)
def test_both_searches_visit_the_same_nodes(
    node: NodeProblem, variant: str, prune: bool, limit: int | None, chunk: int
) -> None:
    rules = ot_paper.VARIANTS[variant]
    readable = ot_paper.search_python(node, rules, prune, node_limit=limit)
    compiled = ot_paper.search_compiled(node, rules, prune, node_limit=limit, chunk=chunk)
    assert compiled[1:] == readable[1:]
    assert (compiled.batch is None) == (readable.batch is None)
    if compiled.batch is not None and readable.batch is not None:
        assert compiled.batch.tolist() == readable.batch.tolist()


@given(nodes_with_shared_downlink)
def test_each_pruning_visits_fewer_nodes_and_finds_the_same_batch(node: NodeProblem) -> None:
    plain = ot_paper.solve_node(node, prune=False)
    published = ot_paper.solve_node(node, variant="published-pruning")
    pruned = ot_paper.solve_node(node)
    assert pruned.effort["nodes"] <= published.effort["nodes"] <= plain.effort["nodes"]
    assert len({found.effort["feasibility_problems"] for found in (plain, published, pruned)}) == 1
    assert plain.batch.tolist() == published.batch.tolist() == pruned.batch.tolist()


@given(nodes_with_shared_downlink, st.integers(0, 200), st.booleans(), st.booleans())
def test_at_the_node_limit_the_bound_holds(node: NodeProblem, limit: int, prune: bool, compiled: bool) -> None:
    found = ot_paper.solve_node(node, node_limit=limit, prune=prune, compiled=compiled)
    best = brute_force.solve_node(node).bound
    assert found.bound is not None
    assert best is not None
    assert found.effort["nodes"] <= limit
    assert found.bound >= best
    if found.complete:
        assert len(found.batch) == best
    else:
        assert found.effort["nodes"] == limit
        assert not len(found.batch)


def hopeless(requests: int = 12) -> NodeProblem:
    """Requests that fit alone and in pairs but in no larger batch, so that every larger tree is refuted."""
    return NodeProblem(
        name="hopeless",
        request=np.arange(requests),
        length_class=np.arange(requests) % 3,
        uplink=np.full(requests, 3),
        budget=np.full(requests, 100),
        downlink=None,
        class_tokens=np.array([1, 2, 3]),
        class_memory=np.array([2, 3, 4]),
        class_compute=np.array([1, 2, 3]),
        uplink_capacity=8,
        downlink_capacity=100,
        memory_capacity=100,
    )


@pytest.mark.parametrize("compiled", [True, False])
def test_stop_ends_the_search_with_the_sizes_refuted_so_far(compiled: bool) -> None:
    node = hopeless()
    at_once = ot_paper.solve_node(node, stop=lambda: True, compiled=compiled)
    assert (len(at_once.batch), at_once.bound, at_once.complete) == (0, node.size, False)
    never = ot_paper.solve_node(node, stop=lambda: False, compiled=compiled)
    assert (len(never.batch), never.bound, never.complete) == (2, 2, True)


@pytest.mark.parametrize("search", [ot_paper.search_python, ot_paper.search_compiled])
def test_stop_is_polled_amid_the_search(search: object, monkeypatch: pytest.MonkeyPatch) -> None:
    node = hopeless(20)
    polls = iter([False] * 3)
    limits = {"chunk": 1024} if search is ot_paper.search_compiled else {}
    found = search(node, ot_paper.VARIANTS["corrected"], False, stop=lambda: next(polls, True), **limits)  # type: ignore[operator]
    assert found.batch is None
    assert 2 < found.z < node.size
    assert 1024 < found.nodes < 5 * 1024


def test_a_big_search_pauses_and_goes_on() -> None:
    """More nodes than one chunk: stopping between two chunks keeps what was refuted."""
    node = edgeopt.generate("batching", nodes=1, rate=100.0, seed=0).compiled.nodes[0]
    polls = iter([False] * 2)
    stopped = ot_paper.solve_node(node, stop=lambda: next(polls, True))
    whole = ot_paper.solve_node(node, stop=lambda: False)
    assert not stopped.complete
    assert whole.complete
    assert 2 * ot_paper.CHUNK_WORK >= stopped.effort["nodes"] > ot_paper.CHUNK_WORK
    assert whole.effort["nodes"] > 4 * ot_paper.CHUNK_WORK
    assert stopped.bound is not None
    assert stopped.bound > len(whole.batch)


@pytest.mark.parametrize("compiled", [True, False])
def test_no_requests(compiled: bool) -> None:
    found = ot_paper.solve_node(hopeless().restricted(np.arange(0)), compiled=compiled)
    assert (found.batch.tolist(), found.bound, found.complete) == ([], 0, True)
    assert found.effort == {"nodes": 0, "feasibility_problems": 0}


def test_zero_capacity() -> None:
    found = ot_paper.solve_node(replace(hopeless(), uplink_capacity=0))
    assert (found.batch.tolist(), found.bound, found.complete) == ([], 0, True)


def test_numbers_beyond_64_bits_are_summed_exactly() -> None:
    node = replace(hopeless(6), uplink=np.full(6, 2**62), uplink_capacity=4 * 2**62)
    assert len(ot_paper.solve_node(node).batch) == 4
    roomy = replace(hopeless(6), uplink_capacity=2**80, downlink_capacity=2**80, memory_capacity=2**80)
    assert len(ot_paper.solve_node(roomy).batch) == 6


@given(node_problems(downlink_rules=["per-user"]))
def test_per_user_downlink_is_refused(node: NodeProblem) -> None:
    with pytest.raises(AssumptionError, match=r"assumes the worst-channel rule.*use ot,"):
        ot_paper.solve_node(node)


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="there are: corrected"):
        ot_paper.solve_node(hopeless(), variant="imaginary")


def test_as_a_solver() -> None:
    instance = edgeopt.generate("batching", nodes=1, requests=30, seed=2, regime="both")
    result = edgeopt.solve(instance, "ot-paper")
    assert result.closed
    assert result.value_evidence is ValueEvidence.CHECKED
    assert not edgeopt.violations(instance, result.solution)
    limited = edgeopt.solve(instance, "ot-paper", node_limit=50, compiled=False)
    assert limited.termination is Termination.NODE_LIMIT
    assert limited.effort["nodes"] == 50
    assert limited.bound is not None
    assert result.value is not None
    assert limited.bound >= result.value
