"""Every erratum of the OT-GAH paper that changes an answer, as the smallest instance that shows it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from edgeopt.instances.batching import NodeProblem
from edgeopt.solvers.batching import brute_force, ot, ot_paper
from edgeopt.solvers.batching.gah import next_bin
from edgeopt.solvers.batching.single import Oracle

LOOSE = 10**6


def make_node(
    classes: Sequence[int],
    uplink: Sequence[int],
    budget: Sequence[int],
    *,
    downlink: Sequence[int] | None = None,
    tokens: Sequence[int] = (1, 2, 3),
    compute: Sequence[int] = (1, 2, 3),
    padding: int = 1,
    capacities: tuple[int, int, int] = (10, LOOSE, LOOSE),
) -> NodeProblem:
    """A node from plain lists; `capacities` are those of uplink, downlink and memory."""
    return NodeProblem(
        name="counterexample",
        request=np.arange(len(classes)),
        length_class=np.array(classes, dtype=np.int64),
        uplink=np.array(uplink, dtype=np.int64),
        budget=np.array(budget, dtype=np.int64),
        downlink=None if downlink is None else np.array(downlink, dtype=np.int64),
        class_tokens=np.array(tokens, dtype=np.int64),
        class_memory=padding + np.array(tokens, dtype=np.int64),
        class_compute=np.array(compute, dtype=np.int64),
        uplink_capacity=capacities[0],
        downlink_capacity=capacities[1],
        memory_capacity=capacities[2],
    )


def served(node: NodeProblem, variant: str = "corrected", *, prune: bool = True) -> int:
    """Size of the batch of Algorithm 2 in one of its readings; both searches must agree on it."""
    sizes = {len(ot_paper.solve_node(node, variant=variant, prune=prune, compiled=c).batch) for c in (True, False)}
    assert len(sizes) == 1
    return sizes.pop()


def optimum(node: NodeProblem) -> int:
    return len(brute_force.solve_node(node).batch)


def test_leaf_where_sum_is_d_serves_nobody() -> None:
    """Lines 13, 21, 25: with ``sum v = d`` only whole deadline prefixes are tried, and none of these fits."""
    node = make_node([0, 1], [7, 4], [80, 82], tokens=(4, 8), compute=(27, 83), padding=3, capacities=(12, 29, 26))
    assert served(node, "literal-sum-d") == 0
    assert served(node) == optimum(node) == 1


def test_leaf_where_sum_is_d_fails_where_every_request_fits_alone() -> None:
    """The request with the latest deadline keeps a better pair out: no deadline prefix of two fits."""
    node = make_node([0, 0, 0], [6, 5, 5], [9, 8, 8])
    assert all(node.fits(np.array([i])) for i in range(3))
    assert served(node, "literal-sum-d") == 1
    assert served(node) == optimum(node) == 2


def test_without_the_dth_request_a_single_one_is_never_served() -> None:
    """Line 5: ``F_1`` is empty, so the smallest instance that shows it has one request."""
    node = make_node([0], [1], [1])
    assert served(node, "literal-no-dth") == 0
    assert served(node) == served(node, "no-forcing") == optimum(node) == 1


def test_without_the_dth_request_the_tightest_one_is_never_served() -> None:
    """Line 5: both requests fit together, but ``F_2`` holds only the first."""
    node = make_node([0, 0], [1, 1], [3, 2])
    assert served(node, "literal-no-dth") == 1
    assert served(node) == served(node, "no-forcing") == optimum(node) == 2


def test_the_literal_readings_claim_no_bound() -> None:
    node = make_node([0, 0, 0], [6, 5, 5], [9, 8, 8])
    for name, variant in ot_paper.VARIANTS.items():
        assert (ot_paper.solve_node(node, variant=name).bound is None) == (not variant.exact)


def test_the_uplink_constraint_is_on_the_sum() -> None:
    """(15b): each share is at most 1, together they are not."""
    assert served(make_node([0, 0], [6, 6], [9, 9])) == 1


def test_the_batch_must_meet_its_tightest_deadline() -> None:
    """(15e) holds for every request of the batch, the one with ``tau_min`` included."""
    node = make_node([0, 0, 0], [1, 1, 1], [9, 9, 2])
    assert served(node) == optimum(node) == 2


def test_the_published_pruning_sum_keeps_branches_without_a_leaf() -> None:
    """``k = N(v)`` counts a class that is decided already: safe, but more nodes than ``N(v) + 1``."""
    node = make_node([0, 1, 2, 0, 1, 2], [4, 4, 4, 4, 4, 4], [9, 9, 9, 9, 9, 9])
    loose, tight = (ot_paper.solve_node(node, variant=name) for name in ("published-pruning", "corrected"))
    assert len(loose.batch) == len(tight.batch) == optimum(node) == 2
    assert tight.effort["nodes"] < loose.effort["nodes"] < ot_paper.solve_node(node, prune=False).effort["nodes"]


@pytest.mark.parametrize("items", [2, 5, 9])
def test_with_per_user_downlink_prefixes_lose_by_any_factor(items: int) -> None:
    """X has the smallest uplink share and the latest deadline, so every prefix holds it; it fills the downlink."""
    node = make_node(
        [0] * (items + 1),
        [1, *[2] * items],
        [LOOSE, *[LOOSE - 1] * items],
        downlink=[2 * items, *[2] * items],
        capacities=(2 * items, 2 * items, LOOSE),
    )
    for name, variant in ot_paper.VARIANTS.items():
        if variant.exact:
            batch = ot_paper.search_python(node, variant).batch
            assert batch is not None, name
            assert batch.tolist() == [0], name
    assert optimum(node) == len(ot.solve_node(node).batch) == items


def one_class_pair() -> list[NodeProblem]:
    """Two requests of one class, two nodes with band for one request each; node 2 is in time only for the first."""
    return [make_node([0, 0], [6, 6], [2, 1]), make_node([0], [6], [1])]


@pytest.mark.parametrize("oracle", [ot_paper.solve_node, ot.solve_node], ids=["ot-paper", "ot"])
def test_next_bin_meets_one_half_exactly(oracle: Oracle) -> None:
    """At least half the optimum, not more: in the order (1, 2) node 1 takes the only request that suits node 2."""
    nodes = one_class_pair()
    forth, back = (next_bin(nodes, order, oracle) for order in ([0, 1], [1, 0]))
    assert sum(map(len, forth)) == 1
    assert sum(map(len, back)) == 2


def test_a_request_runs_on_at_most_one_node() -> None:
    """P1 as printed lets a request count on two nodes; here it cannot."""
    both = [make_node([0], [1], [9]), make_node([0], [1], [9])]
    assert sum(optimum(node) for node in both) == 2
    assert sum(map(len, next_bin(both, [0, 1], ot.solve_node))) == 1


def test_how_often_the_literal_readings_fail() -> None:
    """On 3,000 tiny random instances; the exact readings never do."""
    rng = np.random.default_rng(20)
    instances = 3000
    wrong = dict.fromkeys(ot_paper.VARIANTS, 0)
    for _ in range(instances):
        size, classes = int(rng.integers(1, 7)), int(rng.integers(1, 4))
        compute = np.cumsum(rng.integers(1, 9, classes))
        kind = rng.integers(0, classes, size)
        node = make_node(
            kind.tolist(),
            rng.integers(1, 9, size).tolist(),
            (compute[kind] + rng.integers(0, 25, size)).tolist(),
            tokens=np.cumsum(rng.integers(1, 5, classes)).tolist(),
            compute=compute.tolist(),
            padding=3,
            capacities=(int(rng.integers(8, 20)), int(rng.integers(10, 40)), int(rng.integers(15, 60))),
        )
        best = optimum(node)
        for name in wrong:
            size_found = len(ot_paper.solve_node(node, variant=name).batch)
            assert size_found <= best
            wrong[name] += size_found < best
    print(f"wrong of {instances} tiny instances: {wrong}")
    for name, variant in ot_paper.VARIANTS.items():
        assert (wrong[name] == 0) == variant.exact
