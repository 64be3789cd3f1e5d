"""Cases by count: the bound holds whatever the prices, and what is not a case distinction is refused."""

from __future__ import annotations

import copy
from random import Random

import numpy as np
import pytest

import edgeopt as eo
from edgeopt.certify.certificate import certificate
from edgeopt.certify.proofs import encoded, program_content, replay, replayed
from edgeopt.certify.verify.reading import Refuted, Unreadable
from edgeopt.instances.program import Program
from edgeopt.proof import ChoiceSplit, CountSplit, Leaf, ThresholdSplit, Tree

from .conftest import optimum, random_program

PROGRAMS = 400


def random_tree(program: Program, rng: Random, depth: int, counts: dict[int, int], fixed: frozenset[int]) -> Tree:
    """Splits of all kinds over a leaf with random prices, some of them for counts."""
    size = len(program.group)
    if depth and size and rng.random() < 0.8:
        b = rng.randrange(program.bins)
        members = np.flatnonzero(program.bin == b)
        kind = rng.choice(["count", "count", "choice", "threshold"])
        if kind == "count":
            chosen = np.array([k for k in members if rng.random() < 0.7], dtype=np.int64)
            deeper = {**counts, b: counts.get(b, 0) + 1}
            halves = [random_tree(program, rng, depth - 1, deeper, fixed) for _ in range(2)]
            return CountSplit(b, chosen, rng.randint(-1, 3), *halves)
        free = [k for k in range(size) if program.group[k] not in fixed]
        if kind == "choice" and free:
            k = rng.choice(free)
            done = fixed | {int(program.group[k])}
            return ChoiceSplit(k, *(random_tree(program, rng, depth - 1, counts, done) for _ in range(2)))
        if kind == "threshold" and program.budget is not None:
            halves = [random_tree(program, rng, depth - 1, counts, fixed) for _ in range(2)]
            return ThresholdSplit(b, rng.randint(0, 14), *halves)
    numbers = np.random.default_rng(rng.randrange(2**32))
    resources = program.weight.shape[1]
    multipliers = [
        numbers.choice(
            [0.0, 0.5, 1.0, 3.0], (numbers.integers(0, 4), resources + numbers.integers(0, counts.get(b, 0) + 1))
        )
        for b in range(program.bins)
    ]
    return Leaf(numbers.integers(-3, 9, program.groups).astype(float), tuple(multipliers))


@pytest.mark.parametrize("seed", range(4))
def test_no_tree_of_counts_excludes_a_solution(seed: int) -> None:
    rng = Random(seed)
    tight = 0
    for _ in range(PROGRAMS):
        program = random_program(rng)
        best, _ = optimum(program)
        bound = replayed(program, random_tree(program, rng, 3, {}, frozenset()))[1]
        if best is not None:
            assert bound is not None
            assert bound >= best if program.sense == "max" else bound <= best
            tight += bound == best
    assert tight > PROGRAMS // 50


def halves() -> tuple[Program, CountSplit]:
    """Four items of weight 2 in a capacity of 5: at most two, which counting shows at prices that alone do not."""
    program = Program(
        sense="max", exactly_one=False, groups=4, group=np.arange(4), bin=np.zeros(4, int), profit=np.full(4, 3),
        weight=np.full((4, 1), 2), capacity=np.array([[5]]),
    )  # fmt: skip
    few = Leaf(np.zeros(4), (np.array([[0.0, 3.0]]),))
    many = Leaf(np.zeros(4), (np.array([[6.0, 9.0]]),))
    return program, CountSplit(0, np.arange(4), 2, few, many)


def test_counting_closes_what_prices_leave_open() -> None:
    program, tree = halves()
    assert replayed(program, tree)[1] == 6
    assert replayed(program, Leaf(np.zeros(4), (np.array([[3.0]]),)))[1] > 6


@pytest.mark.parametrize(
    ("field", "value"),
    [("bin", 1), ("choices", [0, 0, 1]), ("choices", [0, 9]), ("choices", 3), ("most", 2.5), ("most", True)],
)
def test_what_is_no_count_is_refused(field: str, value: object) -> None:
    program, tree = halves()
    content = copy.deepcopy(encoded(program, tree, 64))
    content["vertices"][0][field] = value
    with pytest.raises((Refuted, Unreadable)):
        replay(program_content(program), content)


def test_a_count_that_is_not_known_has_no_price() -> None:
    program, tree = halves()
    with pytest.raises(Refuted, match="prices 1 counts of bin 0, 0 are known"):
        replay(program_content(program), encoded(program, tree.few, 64))


@pytest.mark.parametrize(("field", "value"), [("most", 1), ("most", 3), ("choices", [0, 1, 2])])
def test_another_count_gives_another_bound(field: str, value: object) -> None:
    program, tree = halves()
    content = copy.deepcopy(encoded(program, tree, 64))
    content["vertices"][0][field] = value
    bound = replay(program_content(program), content)
    assert bound is not None
    assert bound >= 6


@pytest.mark.parametrize("regime", ["both", "all"])
def test_trees_of_close_with_counts_prove_the_optimum(regime: str) -> None:
    instance = eo.generate("batching", seed=8, nodes=2, requests=24, regime=regime, load=0.5)
    made = certificate(instance, eo.solve(instance, "close"))
    assert "count" in [vertex["kind"] for vertex in made.content["proof"]["vertices"]]
    assert made.value == made.bound == eo.solve(instance, "cpsat").value


def test_chains_below_a_count_would_exclude_a_solution() -> None:
    """Two equal choices, capacity 1: with opposite chains on both sides of a count nothing seemed to be left."""
    stated = {
        "sense": "max", "exactly_one": False, "groups": 2, "group": [0, 1], "bin": [0, 0], "profit": [1, 1],
        "weight": [[1, 1]], "capacity": [[1]], "budget": None,
    }  # fmt: skip
    empty = {"kind": "leaf", "prices": None, "multipliers": [[]]}
    vertices = [
        {"kind": "bins", "prices": None, "parts": [1]},
        {"kind": "count", "bin": 0, "choices": [1], "most": 0, "few": 2, "many": 5},
        {"kind": "chains", "chains": [[1, 0]], "then": 3},
        {"kind": "choice", "choice": 1, "without": 4, "with": 8},
        empty,
        {"kind": "chains", "chains": [[0, 1]], "then": 6},
        {"kind": "choice", "choice": 0, "without": 7, "with": 9},
        {"kind": "leaf", "prices": None, "multipliers": [[0]]},
        empty,
        {"kind": "leaf", "prices": None, "multipliers": [[1]]},
    ]
    multipliers = [[[0, 50], [9, 20]]]
    proof = {"kind": "tree", "bits": 0, "prices": [], "multipliers": multipliers, "vertices": vertices}
    with pytest.raises(Refuted, match="below a count"):
        replay(stated, proof)
