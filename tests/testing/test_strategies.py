"""The strategies draw every corner, and constraints bind in enough of what they draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.instances.batching import BatchingInstance, NodeProblem
from edgeopt.solvers.batching.brute_force import feasible_subsets
from edgeopt.testing import (
    batching_instances,
    binding_constraints,
    node_problems,
    nontrivial,
    nontrivial_share,
    schedules,
)


def test_default_strategies_are_mostly_nontrivial() -> None:
    assert nontrivial_share(batching_instances(), 300) >= 0.3
    assert nontrivial_share(node_problems(), 300) >= 0.3


def test_the_share_notices_trivial_instances() -> None:
    loose = st.integers(0, 9).map(lambda seed: eo.generate("batching", seed=seed, nodes=1, requests=3))
    assert nontrivial_share(loose, 20) == 0
    tight = st.integers(0, 9).map(lambda seed: eo.generate("batching", seed=seed, nodes=1, requests=12, regime="both"))
    assert nontrivial_share(tight, 20) > 0.5


def test_binding_constraints_by_hand() -> None:
    """Three equal requests; a resource that takes two binds alone, two such resources hide each other."""
    ones = np.ones(3, dtype=np.int64)
    node = NodeProblem("n", np.arange(3), 0 * ones, ones, 9 * ones, None, *[ones[:1]] * 3, 2, 9, 9)
    assert binding_constraints(node) == {"uplink"}
    assert binding_constraints(replace(node, memory_capacity=2)) == set()
    assert binding_constraints(replace(node, budget=np.array([9, 1, 9]))) == {"deadline"}
    assert binding_constraints(replace(node, uplink_capacity=3)) == set()
    assert binding_constraints(node.restricted(np.zeros(0, dtype=np.int64))) == set()
    with pytest.raises(ValueError, match="100 requests: batches are enumerated up to 16"):
        binding_constraints(eo.generate("batching", seed=1, nodes=1, requests=100).compiled.nodes[0])


@given(node_problems())
def test_node_problems_are_of_the_compiled_kind(node: Any) -> None:
    assert all(node.fits(np.array([place])) for place in range(node.size))
    assert (np.diff(node.request) > 0).all()
    for column in (node.class_tokens, node.class_memory, node.class_compute):
        assert (np.diff(column) > 0).all()
    assert node.size <= 8


@given(node_problems(max_requests=5))
def test_a_constraint_that_does_not_bind_can_be_dropped(node: Any) -> None:
    capacity = {"uplink": "uplink_capacity", "downlink": "downlink_capacity", "memory": "memory_capacity"}
    for name in capacity:
        dropped = feasible_subsets(replace(node, **{capacity[name]: 2**62}))
        assert (name in binding_constraints(node)) == bool((dropped != feasible_subsets(node)).any())


@settings(max_examples=20)
@given(st.data())
def test_schedules_are_schedules(data: st.DataObject) -> None:
    instance = data.draw(batching_instances())
    plan = data.draw(schedules(instance))
    chosen = [request for batch in plan.batches for request in batch.tolist()]
    assert len(set(chosen)) == len(chosen)
    assert set(chosen) <= set(range(len(instance.requests)))


CORNERS: dict[str, Callable[[BatchingInstance], bool]] = {
    "no requests": lambda i: len(i.requests) == 0,
    "zero memory": lambda i: any(node.memory_bytes == 0 for node in i.nodes),
    "zero speed": lambda i: any(node.compute_flops == 0 for node in i.nodes),
    "no compute slot": lambda i: i.compute_slot_s == 0,
    "equal deadlines": lambda i: len(i.requests) > 2 and len(set(i.requests.deadline_s)) == 1,
    "one class": lambda i: len(i.requests) > 2 and len(set(i.requests.output_tokens)) == 1,
    "uncovered": lambda i: bool(np.isnan(i.requests.uplink_gain).any()),
    "hopeless": lambda i: bool((i.requests.deadline_s < i.uplink_slot_s + i.downlink_slot_s).any()),
    "accuracy met exactly": lambda i: 0.46 in i.requests.accuracy and any(
        node.quantization.ppl_differential == 0.54 for node in i.nodes),
    "models refused": lambda i: any(names for names in i.requests.accept_sets),
    "huge and tiny units": lambda i: i.epoch_s < 1e-9 or i.epoch_s > 1e9,
    "per user": lambda i: i.downlink_rule == "per-user",
    "three nodes, all needed": lambda i: len(i.nodes) == 3 and all(node.size for node in i.compiled.nodes),
    "all four constraints bind": lambda i: any(len(binding_constraints(node)) == 4 for node in i.compiled.nodes),
}  # fmt: skip


def test_every_corner_is_drawn() -> None:
    left = dict(CORNERS)

    @settings(max_examples=800, database=None, derandomize=True)
    @given(batching_instances())
    def look(instance: BatchingInstance) -> None:
        for name in [name for name, there in left.items() if there(instance)]:
            del left[name]

    look()
    assert not left


def test_nontrivial_takes_nodes_and_instances() -> None:
    instance = eo.generate("batching", seed=1, nodes=1, requests=12, regime="both")
    assert nontrivial(instance) is nontrivial(instance.compiled.nodes[0]) is True
