"""The exact replay of price vectors: a theorem for any prices, tight for good ones."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.certify.batching import node_bound
from edgeopt.instances.batching.node import NodeProblem
from edgeopt.solvers.batching.ot import solve_node


def node(kind, uplink, budget, capacities, per_class, downlink=None):
    as_ints = [np.array(a, dtype=np.int64) for a in (range(len(kind)), kind, uplink, budget)]
    down = None if downlink is None else np.array(downlink, dtype=np.int64)
    return NodeProblem("test", *as_ints, down, *(np.array(a, dtype=np.int64) for a in per_class), *capacities)


def random_node(seed, per_user):
    rng = np.random.default_rng(seed)
    size, classes = int(rng.integers(1, 9)), int(rng.integers(1, 4))
    unit = int(rng.choice([1, 10**6, 10**15]))
    tokens = np.arange(1, classes + 1) * int(rng.integers(1, 5))
    capacities = [int(c) for c in rng.integers(1, 30, 3) * [unit, unit if per_user else 1, 1]]
    return node(
        rng.integers(0, classes, size), rng.integers(0, 9, size) * unit, rng.integers(1, 40, size) * unit, capacities,
        (tokens, tokens + 1, tokens * unit), rng.integers(0, 9, size) * unit if per_user else None,
    )  # fmt: skip


def largest_batch(problem):
    subsets = ([i for i in range(problem.size) if s >> i & 1] for s in range(1 << problem.size))
    return max(len(s) for s in subsets if problem.fits(np.array(s, dtype=np.int64)))


def exact_bound(problem, vectors):
    """The definition, in fractions."""
    kind = problem.length_class
    down = problem.class_tokens[kind] if problem.downlink is None else problem.downlink
    demand = np.array([problem.uplink, down, problem.class_memory[kind], problem.class_compute[kind]]).T.tolist()
    best = 0
    for threshold in set(problem.budget.tolist()):
        inside = [i for i, budget in enumerate(problem.budget.tolist()) if budget >= threshold]
        capacity = [problem.uplink_capacity, problem.downlink_capacity, problem.memory_capacity, threshold]
        least = len(inside)
        for y in vectors:
            prices = [Fraction(float(v)) for v in y]
            total = sum(p * c for p, c in zip(prices, capacity, strict=True))
            total += sum(max(0, 1 - sum(p * d for p, d in zip(prices, demand[i], strict=True))) for i in inside)
            least = min(least, math.floor(total))
        best = max(best, least)
    return best


prices = st.lists(st.floats(0, 2), min_size=4, max_size=4)


@pytest.mark.parametrize("per_user", [False, True])
@given(seed=st.integers(0, 10**6), vectors=st.lists(prices, min_size=1, max_size=3))
def test_any_prices_bound_every_batch(per_user, seed, vectors):
    problem = random_node(seed, per_user)
    scale = [1 / problem.uplink_capacity, 1 / problem.downlink_capacity, 1 / problem.memory_capacity, 1e-16]
    scaled = np.array(vectors) * np.array(scale)
    bound = node_bound(problem, scaled)
    assert bound >= largest_batch(problem)
    assert abs(bound - exact_bound(problem, scaled)) <= 1  # rounding may move a bound across an integer


def test_tight_prices_prove_the_optimum():
    problem = node([0] * 4, [3, 3, 3, 3], [4, 4, 4, 4], (6, 9, 9), ([1], [1], [1]))
    assert node_bound(problem, np.array([[1 / 3, 0, 0, 0]])) == 2
    assert node_bound(problem, None) == 4
    assert node_bound(problem, np.zeros((0, 4))) == 4


def test_unusable_prices_are_ignored():
    problem = node([0] * 4, [3, 3, 3, 3], [4, 4, 4, 4], (6, 9, 9), ([1], [1], [1]))
    vectors = np.array([[np.nan, 0, 0, 0], [np.inf, 0, 0, 0], [-1.0, 0, 0, 0]])
    assert node_bound(problem, vectors) == 4


def test_no_requests():
    assert node_bound(node([], [], [], (1, 1, 1), ([1], [1], [1])), None) == 0


def test_a_more_generous_node_is_never_proved_with_the_same_prices():
    """Tampering: raising a demand's capacity or a deadline must show in the bound."""
    problem = node([0] * 6, [2] * 6, [3] * 6, (12, 12, 12), ([1], [1], [1]))
    proof = np.array([[0.0, 0.0, 0.0, 1.0]])
    assert node_bound(problem, proof) == 3
    assert node_bound(replace(problem, budget=problem.budget + 1), proof) == 4
    assert node_bound(replace(problem, class_compute=problem.class_compute * 0), proof) == 6


@pytest.mark.parametrize("unit", [1, 10**9, 10**17])
def test_python_integers_and_words_agree(unit):
    problem = node([0] * 5, [2 * unit] * 5, [9 * unit] * 5, (7 * unit, 99, 99), ([1], [1], [unit]))
    assert node_bound(problem, np.array([[0.5 / unit, 0, 0, 0]])) == 3


@pytest.mark.parametrize("price", [1e17, 1e300, np.finfo(np.float64).max])
def test_a_huge_price_is_a_price_too(price: float) -> None:
    node = eo.generate("batching", nodes=1, requests=6, regime="all", seed=1).compiled.nodes[0]
    for row in range(4):
        prices = np.full(4, 1e-12)
        prices[row] = price
        assert len(solve_node(node).batch) <= node_bound(node, prices) <= node.size
