"""What `ot` does on many requests (a sample, windows, cells) finds the same as listing them all.

The parts are made small, so that small problems go through all of them.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeopt.certify.batching import node_bound
from edgeopt.instances.batching.node import NodeBatch, NodeProblem
from edgeopt.solvers.batching import ot
from edgeopt.solvers.batching.ot import solve_node

NEVER = 10**9
ROOFLINE = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
"""Whether the roofline latency is tried as well: two kernels more to compile."""


def crowd(seed: int, sizes: tuple[int, ...]) -> NodeProblem:
    """A node problem of requests that tie, cluster, cost nothing or differ by orders of magnitude."""
    rng = np.random.default_rng(seed)
    size, classes = int(rng.choice(sizes)), int(rng.choice([1, 2, 3, 8]))
    kind = rng.integers(0, classes, size)
    unit = int(rng.choice([1, 20, 1000, 10**6]))
    uplinks = (
        rng.integers(0, unit + 1, size),
        np.full(size, unit),
        unit * rng.exponential(1, size),
        unit * np.exp(rng.normal(0, 1, size)),
        unit * rng.integers(0, 2, size),
        np.zeros(size),
    )
    uplink = uplinks[rng.integers(len(uplinks))].astype(np.int64)
    late = int(rng.choice([5, 100, 10**5, 10**9]))
    near = (late * rng.uniform(0.8, 1.2, size)).astype(np.int64)
    budgets = (
        rng.integers(0, late + 1, size),
        np.full(size, late),
        near,
        rng.choice([late, late // 2 + 1, 2 * late], size),
        np.where(rng.random(size) < 0.02, 10**4 * late, near),  # one cell has nearly all of them
    )
    budget = budgets[rng.integers(len(budgets))].astype(np.int64)
    tokens = np.sort(rng.integers(1, 600, classes))
    memory = tokens + int(rng.integers(0, 500))
    compute = (late / size * rng.uniform(0.2, 8, classes) * rng.choice([1, 5, 30])).astype(np.int64)
    fitting = max(1.0, size * rng.uniform() ** 2)  # often a few only
    stream = fixed = None
    if ROOFLINE and rng.random() < 0.25:
        stream = (late / size * rng.uniform(0.2, 4, classes)).astype(np.int64)
        fixed = np.full(classes, int(rng.integers(0, late // 4 + 1)))
    return NodeProblem(
        "crowd", np.arange(size), kind, uplink, budget, None, tokens, memory, compute,
        max(int(uplink.max(initial=0)), int(uplink.mean() * fitting * rng.choice([0.3, 1, 50]))),
        int(tokens.mean() * fitting * rng.choice([0.5, 1, 50])),
        int(memory.mean() * fitting * rng.choice([0.5, 1, 50])), stream, fixed,
    )  # fmt: skip


def all_listed(node: NodeProblem, **options: int) -> NodeBatch:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ot, "SAMPLE_FROM", NEVER)
        return solve_node(node, **options)


def sampled(node: NodeProblem, fewest: int = 2, part: int = 4, per_class: int = 1, **options: int) -> NodeBatch:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ot, "SAMPLE_FROM", 1)
        patch.setattr(ot, "SAMPLE", (fewest, 200))
        patch.setattr(ot, "SAMPLE_PART", part)
        patch.setattr(ot, "SAMPLE_PER_CLASS", per_class)
        return solve_node(node, **options)


def assert_same(node: NodeProblem, found: NodeBatch, expected: NodeBatch) -> None:
    for answer in found, expected:
        assert answer.complete
        assert answer.bound == len(answer.batch)
        assert node.fits(answer.batch)
        assert (np.diff(answer.batch) > 0).all()
        if answer.multipliers is not None and len(answer.multipliers):
            assert node_bound(node, answer.multipliers) >= len(answer.batch)
    assert len(found.batch) == len(expected.batch)


@given(
    seed=st.integers(0, 2**40), fewest=st.integers(1, 20), part=st.integers(2, 50), per_class=st.integers(0, 6),
)  # fmt: skip
def test_a_sample_changes_no_answer(seed: int, fewest: int, part: int, per_class: int) -> None:
    node = crowd(seed, (4, 9, 30, 60, 150, 400))
    assert_same(node, sampled(node, fewest, part, per_class), all_listed(node))


@given(seed=st.integers(0, 2**40), part=st.integers(2, 50), below=st.integers(-3, 3))
def test_only_larger_batches_are_looked_for(seed: int, part: int, below: int) -> None:
    node = crowd(seed, (30, 150))
    optimum = len(all_listed(node).batch)
    known = max(0, optimum + below)
    found = sampled(node, part=part, lower_bound=known)
    assert found.complete
    assert found.bound == max(known, optimum)
    assert len(found.batch) == (optimum if optimum > known else 0)


@given(seed=st.integers(0, 2**40))
@settings(max_examples=15)
def test_thousands_of_requests(seed: int) -> None:
    """With the sample as it is."""
    node = crowd(seed, (5_000, 20_000))
    found, expected = solve_node(node), all_listed(node)
    assert_same(node, found, expected)


@pytest.mark.parametrize("seed", range(30))
def test_a_run_that_asks_for_help_at_every_threshold(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel is called again and again then: windows and order must outlive a call."""
    node = crowd(seed, (30, 60))
    expected = all_listed(node)
    monkeypatch.setattr(ot, "SEARCH_LIMIT", 2)
    assert_same(node, sampled(node), expected)


def test_clustered_budgets_are_sorted_by_all_their_digits() -> None:
    """Two leading digits tell nothing where one budget is 10,000 times the others; 45 bits, and those of the position,
    reach beyond the last pair of digits of a word (a shift by 64 bits once sorted these at random)."""
    rng = np.random.default_rng(1)
    budget = rng.integers(9 * 10**8, 11 * 10**8, 3_000)
    budget[7] = 2**44
    node = NodeProblem(
        "clustered", np.arange(3_000), np.zeros(3_000, np.int64), np.ones(3_000, np.int64), budget, None,
        np.array([1]), np.array([1]), np.array([2 * 10**6]), 3_000, 3_000, 3_000,
    )  # fmt: skip
    found = all_listed(node)
    late = np.sort(budget)[::-1]
    most = max(min(i + 1, int(late[i]) // (2 * 10**6)) for i in range(3_000))
    assert node.fits(found.batch)
    assert len(found.batch) == most == len(sampled(node).batch)
    assert node_bound(node, found.multipliers) == most


def test_large_uplinks_are_all_listed() -> None:
    """Their sums leave 64 bits, so that no window is set."""
    rng = np.random.default_rng(2)
    uplink = rng.integers(2**58, 2**59, 5_000)
    node = NodeProblem(
        "large", np.arange(5_000), np.zeros(5_000, np.int64), uplink, np.full(5_000, 10**6), None,
        np.array([1]), np.array([1]), np.array([1]), 2**60 + 2**59, 5_000, 5_000,
    )  # fmt: skip
    found = solve_node(node)
    assert node.fits(found.batch)
    prefix = np.cumsum(np.sort(uplink)[:10].astype(object))
    assert len(found.batch) == sum(total <= 2**60 + 2**59 for total in prefix)


def test_the_same_batch_again() -> None:
    node = crowd(5, (20_000,))
    assert np.array_equal(solve_node(node).batch, solve_node(node).batch)


def test_a_cell_that_is_listed_in_part() -> None:
    """The lists of the first search once ended inside a cell; sorting it when opened brought others to the front."""
    size, few = 16_000, 2_000
    width = 2**28  # of a cell
    cost = width // 64
    latest = 2**39 + 2**36
    late = 1_010 * cost + cost // 2
    latest -= (latest - late) % width  # so that the late ones are the first of their cell
    kind, uplink, budget = np.zeros(size, np.int64), np.full(size, 1_000), np.full(size, latest)
    kind[few:], uplink[:few] = 1, 3_000
    budget[few:] = 990 * cost + np.arange(size - few) % 1_000
    last = [i for i in range(size - 200, size) if i % 48][:60]
    budget[last] = late - np.arange(60)
    node = NodeProblem(
        "cell", np.arange(size), kind, uplink, budget, None,
        np.array([1, 2]), np.array([1, 2]), np.array([cost - 1, cost]), 3_000 * 1_000, 10**9, 10**9,
    )  # fmt: skip
    found = solve_node(node)
    assert_same(node, found, all_listed(node))
    assert len(found.batch) == 1_010
