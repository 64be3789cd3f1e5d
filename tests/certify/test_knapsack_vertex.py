"""Knapsacks at prices of the groups: the bound holds whatever the prices, and what is not shown is refused."""

from __future__ import annotations

import copy
from dataclasses import replace
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.certify.certificate import of_program
from edgeopt.certify.proofs import encoded, program_content, replay, replayed
from edgeopt.certify.verify import vertex_knapsack
from edgeopt.certify.verify.reading import Refuted, Unreadable
from edgeopt.instances.program import Program
from edgeopt.proof import Bins, ChoiceSplit, Fixings, Knapsacks, Leaf, Tree

from .conftest import feasible, optimum, random_program
from .test_verify import NAMED, accepted, copied, is_so, mutated, sealed

PROGRAMS = 300


def single(rng: Random, most_choices: int = 8) -> Program:
    """A program with one resource and no budgets; some weights and capacities are 0, some in units of 3."""
    program = replace(random_program(rng, most_choices=most_choices), budget=None)
    scale = rng.choice([1, 1, 3])
    return replace(program, weight=scale * program.weight[:, :1].copy(), capacity=scale * program.capacity[:, :1] + 1)


def random_tree(rng: Random, program: Program, depth: int, fixed: frozenset[int], bins: tuple[int, ...] | None) -> Tree:
    """Splits and fixings over knapsacks with random prices; one bin where `bins` are apart."""
    grouped = bins is None
    prices = np.zeros(program.groups)
    if grouped:
        prices = np.array([rng.choice([rng.uniform(-4, 9), rng.randint(-2, 5)]) for _ in range(program.groups)])
    size = len(program.group)
    free = [k for k in range(size) if k not in fixed and (bins is None or program.bin[k] in bins)]
    kind = rng.choice(["choice", "choice", "fixings", "fixings", "bins", "knapsacks"]) if depth else "knapsacks"
    if kind == "choice" and free:
        k = rng.choice(free)
        with_ = fixed | {k} | (set(np.flatnonzero(program.group == program.group[k]).tolist()) if grouped else set())
        return ChoiceSplit(
            k,
            random_tree(rng, program, depth - 1, fixed | {k}, bins),
            random_tree(rng, program, depth - 1, with_, bins),
        )
    if kind == "fixings":
        listed = [k for k in free if rng.random() < 0.5]
        demanded = tuple(k for k in listed if rng.random() < 0.3)
        done = {*listed, *fixed}
        if grouped:
            done |= {m for k in demanded for m in np.flatnonzero(program.group == program.group[k]).tolist()}
        then = random_tree(rng, program, depth - 1, frozenset(done), bins)
        return Fixings(prices, tuple(k for k in listed if k not in demanded), demanded, then)
    if kind == "bins" and grouped:
        parts = (random_tree(rng, program, depth - 1, fixed, (b,)) for b in range(program.bins))
        return Bins(prices, tuple(parts))
    return Knapsacks(prices)


@pytest.mark.parametrize("seed", range(4))
def test_no_tree_of_knapsacks_excludes_a_solution(seed: int) -> None:
    rng = Random(seed)
    tight = fixed = 0
    for _ in range(PROGRAMS):
        program = single(rng)
        best, _ = optimum(program)
        tree = random_tree(rng, program, 3, frozenset(), None)
        bound = replayed(program, tree)[1]
        if best is not None:
            assert bound is not None
            assert bound >= best if program.sense == "max" else bound <= best
            tight += bound == best
            fixed += isinstance(tree, Fixings)
    assert tight > PROGRAMS // 20
    assert fixed > PROGRAMS // 10


@pytest.mark.parametrize("seed", range(4))
def test_one_bin_is_solved_exactly(seed: int) -> None:
    """Where every group has one choice, may stay empty, and costs nothing, the bound is the optimum."""
    rng = Random(seed)
    for _ in range(PROGRAMS):
        program = single(rng)
        size = len(program.group)
        program = replace(program, groups=size, group=np.arange(size), exactly_one=False)
        assert replayed(program, Knapsacks(np.zeros(size)))[1] == optimum(program)[0]


@pytest.mark.parametrize("seed", range(3))
def test_fixings_cost_what_the_sets_that_differ_reach(seed: int) -> None:
    """Groups of one choice and no prices: fixing ``k`` costs exactly the best value of the other case."""
    rng = Random(seed)
    checked = 0
    for _ in range(PROGRAMS):
        program = single(rng, 6)
        size = len(program.group)
        program = replace(program, groups=size, group=np.arange(size), exactly_one=False)
        if not size:
            continue
        k, demanded = rng.randrange(size), rng.random() < 0.5
        other = [values(program, k, inside) for inside in (not demanded, demanded)]
        nothing = Fixings(np.zeros(size), () if demanded else (k,), (k,) if demanded else (), Knapsacks(np.zeros(size)))
        found = replayed(program, nothing)[1]
        best = [value for value in other if value is not None]
        assert found == (max(best) if program.sense == "max" else min(best))
        checked += len(best) == 2
    assert checked > PROGRAMS // 3


def values(program: Program, k: int, inside: bool) -> int | None:
    """Optimum over the sets with choice `k` in, or out."""
    huge = 10**6 * (1 if program.sense == "max" else -1)
    profit = program.profit.copy()
    profit[k] += huge if inside else -huge
    best, solution = optimum(replace(program, profit=profit))
    return None if best is None or (k in solution) != inside else int(program.profit[solution].sum())


def four() -> tuple[Program, Fixings]:
    """Two items, two bins of capacity 2: both items want bin 0, which holds one of them."""
    program = Program(
        sense="max", exactly_one=True, groups=2, group=np.array([0, 0, 1, 1]), bin=np.array([0, 1, 0, 1]),
        profit=np.array([9, 5, 8, 2]), weight=np.full((4, 1), 2), capacity=np.array([[2], [2]]),
    )  # fmt: skip
    return program, Fixings(np.array([5.0, 4.0]), (0, 3), (1, 2), Knapsacks(np.array([5.0, 4.0])))


def test_knapsacks_close_what_multipliers_leave_open() -> None:
    program = Program(
        sense="max", exactly_one=False, groups=3, group=np.arange(3), bin=np.zeros(3, int), profit=np.array([6, 5, 4]),
        weight=np.array([[3], [3], [3]]), capacity=np.array([[7]]),
    )  # fmt: skip
    assert replayed(program, Knapsacks(np.zeros(3)))[1] == 11
    assert replayed(program, Leaf(np.zeros(3), (np.array([[1.7]]),)))[1] == 12


def test_the_last_choice_of_a_group_is_demanded_for_nothing() -> None:
    program, tree = four()
    assert replayed(program, tree)[1] == optimum(program)[0] == 13
    free = replace(program, exactly_one=False)
    assert replayed(free, replace(tree, excluded=(0,), demanded=(1,), then=Knapsacks(np.zeros(2))))[1] >= 13


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("out", [0, 0]), ("out", [9]), ("out", [-1]), ("out", [True]), ("out", 3), ("in", [1, 2, 3]), ("in", [0, 1]),
        ("prices", 7), ("prices", True), ("then", 0), ("then", 2),
    ],
)  # fmt: skip
def test_what_is_no_fixing_is_refused(field: str, value: object) -> None:
    program, tree = four()
    content = copy.deepcopy(encoded(program, tree, 64))
    content["vertices"][0][field] = value
    with pytest.raises((Refuted, Unreadable)):
        replay(program_content(program), content)


@pytest.mark.parametrize("what", ["resources", "budgets", "chains"])
def test_only_one_resource_without_budgets_is_packed(what: str) -> None:
    program, tree = four()
    content = encoded(program, tree, 64)
    if what == "resources":
        program = replace(program, weight=np.full((4, 2), 2), capacity=np.full((2, 2), 2))
    elif what == "budgets":
        program = replace(program, budget=np.full(4, 2))
    else:
        parts: list[dict[str, Any]] = [{"kind": "chains", "chains": [], "then": 3 + b} for b in range(2)]
        leaves = [{"kind": "knapsacks", "prices": None}] * 2
        content["vertices"] = [{"kind": "bins", "prices": None, "parts": [1, 2]}, *parts, *leaves]
    with pytest.raises(Refuted, match="several resources, budgets or chains"):
        replay(program_content(program), content)


def test_too_much_work_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    program, tree = four()
    monkeypatch.setattr(vertex_knapsack, "MOST_WORK", 1)
    with pytest.raises(Unreadable, match="more work than 1"):
        replay(program_content(replace(program, capacity=np.full((2, 1), 10), weight=program.weight + [[0], [1]] * 2)),
               encoded(program, tree, 64))  # fmt: skip


def test_large_numbers_in_common_units_are_little_work() -> None:
    program, tree = four()
    large = replace(program, weight=program.weight * 10**12, capacity=program.capacity * 10**12 + 1)
    assert replayed(large, tree)[1] == 13


@pytest.fixture(scope="module")
def forest() -> list[dict[str, Any]]:
    """Certificates of small programs with random trees of knapsacks."""
    found: list[dict[str, Any]] = []
    for seed in range(60):
        rng = Random(seed)
        program = single(rng, 6)
        value, solution = optimum(program)
        if value is not None:
            trees = [random_tree(rng, program, 4, frozenset(), None) for _ in range(4)]
            found.append(copied(of_program(program, solution, trees, **NAMED).content))
    kinds = {vertex["kind"] for content in found for vertex in content["proof"]["vertices"]}
    assert kinds == {"knapsacks", "fixings", "choice", "bins"}
    return found


@given(seed=st.integers(0, 2**32))
def test_no_change_makes_a_false_statement_pass(forest: list[dict[str, Any]], seed: int) -> None:
    rng, small = Random(seed), SimpleNamespace(feasible=feasible, optimum=optimum)
    for _ in range(25):
        content = mutated(rng, rng.choice(forest))
        for _ in range(rng.choice([0, 0, 1, 2])):
            content = mutated(rng, content)
        content = sealed(content)
        if accepted(content):
            assert is_so(small, content)


def test_forgeries_are_mostly_refused(forest: list[dict[str, Any]]) -> None:
    rng = Random(1)
    passed = sum(accepted(sealed(mutated(rng, rng.choice(forest)))) for _ in range(600))
    assert 30 < passed < 400
