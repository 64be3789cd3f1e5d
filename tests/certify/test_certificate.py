"""Replayed bounds are theorems whatever the prices are; certificates say what is so."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from math import floor, gcd
from pathlib import Path
from random import Random
from types import SimpleNamespace

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.certify.certificate import certificate, matches, of_program, read_certificate, schema, write_certificate
from edgeopt.certify.counting import bin_tree, chains_of
from edgeopt.certify.proofs import lp_leaf, replayed
from edgeopt.certify.verify.reading import Refuted
from edgeopt.errors import InstanceError
from edgeopt.instances.base import problem
from edgeopt.instances.program import Program
from edgeopt.proof import Bins, Chains, ChoiceSplit, Infeasible, Leaf, ThresholdSplit

NAMED = {"problem_name": "none", "instance": {"name": "small", "digest": "0", "file_sha256": None}, "producer": {}}
SEEDS = st.integers(0, 2**32)


@given(SEEDS)
def test_any_tree_bounds_the_optimum(small: SimpleNamespace, seed: int) -> None:
    rng = Random(seed)
    program = small.program(rng)
    best, _ = small.optimum(program)
    for _ in range(10):
        _, bound = replayed(program, small.tree(rng, program, depth=6))
        if best is not None:
            assert bound is not None
            assert bound >= best if program.sense == "max" else bound <= best


def test_random_trees_have_every_kind_and_often_bound_tightly(small: SimpleNamespace) -> None:
    kinds: dict[str, int] = {}
    tight = feasible = 0
    for seed in range(150):
        rng = Random(seed)
        program = small.program(rng)
        best, _ = small.optimum(program)
        content, bound = replayed(program, small.tree(rng, program, depth=6))
        tight += best is not None and bound == best
        feasible += best is not None
        for vertex in content["vertices"]:
            kinds[vertex["kind"]] = kinds.get(vertex["kind"], 0) + 1
    assert set(kinds) == {"leaf", "choice", "threshold", "bins", "chains"}
    assert min(kinds.values()) > 20
    assert tight > 0.1 * feasible


@given(SEEDS)
def test_complete_enumeration_is_tight(small: SimpleNamespace, seed: int) -> None:
    """With every choice decided the tree gives the optimum itself, or that there is no solution."""
    program = small.program(Random(seed), most_choices=5)
    best, _ = small.optimum(program)
    nothing = Leaf(np.zeros(program.groups), tuple(np.empty((0, program.weight.shape[1])) for _ in program.capacity))
    # At most one a group is built into the split, exactly one is not: there a price shows the missing choice.
    if program.exactly_one:
        return

    def tree(k: int, gone: frozenset[int]) -> Leaf | ChoiceSplit:
        if k == len(program.group):
            return nothing
        if int(program.group[k]) in gone:
            return tree(k + 1, gone)
        return ChoiceSplit(k, tree(k + 1, gone), tree(k + 1, gone | {int(program.group[k])}))

    assert replayed(program, tree(0, frozenset()))[1] == best


@given(SEEDS)
def test_counting_closes_a_bin_exactly(small: SimpleNamespace, seed: int) -> None:
    rng = Random(seed)
    program = small.program(rng)
    count = len(program.group)
    # One bin, no groups: what counting is for.
    program = replace(
        program, sense="max", exactly_one=False, groups=count, group=np.arange(count), bin=np.zeros(count, np.int64),
        capacity=program.capacity[:1],
    )  # fmt: skip
    best, _ = small.optimum(program)
    multipliers = np.array([[rng.uniform(0, 1) for _ in program.capacity[0]] for _ in range(rng.randint(0, 3))])
    tree = bin_tree(program, 0, multipliers.reshape(-1, program.weight.shape[1]), best)
    assert replayed(program, Bins(np.zeros(count), (tree,)))[1] == best
    # A target that is too small is not proved.
    tree = bin_tree(program, 0, multipliers.reshape(-1, program.weight.shape[1]), best - 1)
    assert replayed(program, Bins(np.zeros(count), (tree,)))[1] >= best


def test_counting_gives_up_honestly() -> None:
    instance = eo.generate("batching", nodes=1, requests=50, regime="fixed", seed=3)
    program = problem("batching").program(instance)
    best = eo.solve(instance, "ot")
    nothing = np.empty((0, 4))
    for most, proved in ((4, False), (20_000, True)):
        tree = bin_tree(program, 0, nothing, best.value, most_vertices=most)
        bound = replayed(program, Bins(np.zeros(program.groups), (tree,)))[1]
        assert bound >= best.value
        assert (bound == best.value) == proved


@given(SEEDS)
def test_priced_bins_are_closed_exactly(small: SimpleNamespace, seed: int) -> None:
    """The parts of the column-generation bound: each bin's best at the prices of the groups."""
    rng = Random(seed)
    program = replace(small.program(rng), exactly_one=True)
    sign = 1 if program.sense == "max" else -1
    prices = np.array([rng.randint(-8, 12) / 4 for _ in range(program.groups)])
    whole, parts, total = [], [], sum(Fraction(price) for price in prices)
    for b in range(program.bins):
        inside = np.flatnonzero(program.bin == b)
        reduced = (4 * (program.profit - prices[program.group])).astype(np.int64)[inside]
        alone = replace(
            program, exactly_one=False, groups=len(inside), group=np.arange(len(inside)),
            bin=np.zeros(len(inside), int), profit=reduced, weight=program.weight[inside],
            capacity=program.capacity[b : b + 1],
            budget=None if program.budget is None else program.budget[inside],
        )  # fmt: skip
        best = Fraction(small.optimum(alone)[0], 4)
        whole.append(best)
        multipliers = np.array([[rng.uniform(0, 1) for _ in program.capacity[0]] for _ in range(2)])
        parts.append(bin_tree(program, b, multipliers, best, prices=prices))
    _, bound = replayed(program, Bins(prices, tuple(parts)))
    unit = gcd(*program.profit.tolist())
    if unit:
        expected = sign * floor(sign * (total + sum(whole)) / unit) * unit
        taken = np.unique(program.group)
        worst = sum(int((sign * program.profit[program.group == g]).min()) for g in taken)
        assert bound == (expected if sign * expected >= worst else None)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 1)), max_size=12), st.integers(0, 9))
def test_chains_are_chains_and_few(rows: list[tuple[int, int, int]], seed: int) -> None:
    weight = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    gain = [1 if seed % 2 else -(seed * k % 5) for k in range(len(rows))]
    chains = chains_of(weight, gain, range(len(rows)))
    assert sorted(k for chain in chains for k in chain) == list(range(len(rows)))
    for chain in chains:
        for k, after in pairwise(chain):
            assert all(a <= b for a, b in zip(rows[k], rows[after], strict=True))
            assert gain[k] >= gain[after]
    if len({row[1:] for row in rows}) == 1 and len(set(gain)) == 1:
        assert len(chains) == 1


def assignment(rng: Random, sense: str, items: int = 6, bins: int = 3) -> Program:
    """A generalised assignment problem."""
    count = items * bins
    weight = np.array([[rng.randint(5, 25)] for _ in range(count)], dtype=np.int64)
    return Program(
        sense=sense,
        exactly_one=sense == "min",
        groups=items,
        group=np.repeat(np.arange(items), bins),
        bin=np.tile(np.arange(bins), items),
        profit=np.array([rng.randint(10, 50) for _ in range(count)], dtype=np.int64),
        weight=weight,
        capacity=np.full((bins, 1), int(0.8 * weight.sum() / bins**2), dtype=np.int64),
    )


@pytest.mark.parametrize("sense", ["max", "min"])
@pytest.mark.parametrize("seed", range(8))
def test_duals_of_a_linear_program_give_its_optimum(sense: str, seed: int) -> None:
    from scipy.optimize import linprog

    program = assignment(Random(seed), sense)
    count = len(program.group)
    sign = -1 if sense == "max" else 1
    rows = np.zeros((program.groups, count))
    rows[program.group, np.arange(count)] = 1
    loads = np.zeros((program.bins, count))
    loads[program.bin, np.arange(count)] = program.weight[:, 0]
    one = np.ones(program.groups)
    if program.exactly_one:
        found = linprog(sign * program.profit, loads, program.capacity[:, 0], rows, one, bounds=(0, 1))
        groups, capacities = found.eqlin.marginals, found.ineqlin.marginals
    else:
        right = np.concatenate([program.capacity[:, 0], one])
        found = linprog(sign * program.profit, np.vstack([loads, rows]), right, bounds=(0, 1))
        capacities, groups = np.split(found.ineqlin.marginals, [program.bins])
    assert found.status == 0
    leaf = lp_leaf(program, sign * groups, sign * capacities[:, None])
    _, bound = replayed(program, leaf)
    exact = sign * found.fun
    assert bound == (np.floor(exact + 1e-6) if sense == "max" else np.ceil(exact - 1e-6))
    # Noise in the duals only weakens the bound.
    noise = np.random.default_rng(seed)
    for _ in range(5):
        noisy = lp_leaf(program, sign * groups + noise.normal(size=program.groups), capacities[:, None] * sign)
        assert replayed(program, noisy)[1] >= bound if sense == "max" else replayed(program, noisy)[1] <= bound


def two_items(capacity: int) -> Program:
    """Two items of weight 2 that both must go into one bin."""
    return Program(
        "min", True, 2, np.array([0, 1]), np.array([0, 0]), np.array([3, 4]), np.array([[2], [2]]),
        np.array([[capacity]]),
    )  # fmt: skip


def test_infeasible_is_proved_and_only_where_it_is_so() -> None:
    ray = Infeasible(np.array([2.0, 2.0]), (np.array([[1.0]]),))
    made = of_program(two_items(3), None, [ray], **NAMED)
    assert made.content["claim"] == {"value": None, "bound": "infeasible", "ratio": None, "guarantee": None}
    assert made.bound is None
    assert made.verify()[-1] == "VERIFIED  there is no solution"
    with pytest.raises(Refuted, match="does not prove"):
        replayed(two_items(4), ray)
    leaf = Leaf(np.array([3.0, 4.0]), (np.empty((0, 1)),))
    assert of_program(two_items(4), [0, 1], [leaf], **NAMED).verify()[-1] == "VERIFIED  value 7 is optimal"


def test_more_digits_are_used_where_the_bound_needs_them() -> None:
    # Of three choices one fits, the second is a hair too heavy; in 64 binary digits the price 1/weight is 1.6 % low.
    weight = 3 * 2**58
    program = Program(
        "max", False, 3, np.arange(3), np.zeros(3, np.int64), np.ones(3, np.int64), np.full((3, 1), weight),
        np.array([[2 * weight - weight // 1000]]),
    )  # fmt: skip
    content, bound = replayed(program, Leaf(np.zeros(3), (np.array([[1 / weight]]),)))
    assert bound == 1
    assert content["bits"] > 64


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        (lambda leaf: ChoiceSplit(9, leaf, leaf), "not there"),
        (lambda leaf: ChoiceSplit(0, ChoiceSplit(0, leaf, leaf), leaf), "decided already"),
        (lambda leaf: ThresholdSplit(0, 3, leaf, leaf), "where there is none"),
        (lambda leaf: Chains(((0, 1),), leaf), "below one bin"),
        (lambda leaf: Bins(np.zeros(2), (Bins(np.zeros(2), (leaf,)),)), "apart already"),
        (lambda leaf: Bins(np.zeros(2), (Chains(((0, 1),), leaf),)), None),
        (lambda leaf: Bins(np.zeros(2), (Chains(((1, 0),), leaf),)), "not as good"),
        (lambda leaf: Bins(np.zeros(2), (Chains(((0,), (0,)), leaf),)), "another one"),
        (lambda leaf: Bins(np.array([0.0, 9.0]), (Chains(((1, 0),), leaf),)), None),
        (lambda leaf: Bins(np.zeros(2), (Leaf(np.ones(2), (np.empty((0, 1)),)),)), "no longer count"),
    ],
)
def test_trees_that_break_the_rules_are_refused(tree: object, reason: str | None) -> None:
    made = tree(Leaf(np.zeros(2), (np.empty((0, 1)),)))  # type: ignore[operator]
    if reason is None:
        replayed(two_items(4), made)
        return
    with pytest.raises(Refuted, match=reason):
        replayed(two_items(4), made)


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        (lambda leaf: ThresholdSplit(0, 5, Chains(((1,),), leaf), leaf), None),
        (lambda leaf: ThresholdSplit(0, 5, Chains(((0, 1),), leaf), leaf), "decided already"),
        (lambda leaf: ChoiceSplit(0, Chains(((0, 1),), leaf), leaf), "decided already"),
        (lambda leaf: ChoiceSplit(0, leaf, Chains(((0, 1),), leaf)), "decided already"),
        (lambda leaf: Chains(((0, 1),), ThresholdSplit(0, 5, leaf, leaf)), "where there is none"),
        (lambda leaf: Chains(((0, 1),), Chains((), leaf)), "below one bin"),
    ],
)
def test_chains_and_budgets_do_not_mix(tree: object, reason: str | None) -> None:
    """After chains a set may hold choices that its budgets forbid, so no case may be made of budgets any more."""
    program = Program(
        "max", False, 2, np.arange(2), np.zeros(2, np.int64), np.ones(2, np.int64), np.ones((2, 1), np.int64),
        np.array([[9]]), np.array([3, 9]),
    )  # fmt: skip
    made = Bins(np.zeros(2), (tree(Leaf(np.zeros(2), (np.empty((0, 1)),))),))  # type: ignore[operator]
    if reason is None:
        assert replayed(program, made)[1] == 2
        return
    with pytest.raises(Refuted, match=reason):
        replayed(program, made)


def test_of_program_keeps_the_best_proof_and_skips_broken_ones() -> None:
    program = two_items(4)
    none = (np.empty((0, 1)),)
    loose, tight, broken = Leaf(np.zeros(2), none), Leaf(np.array([3.0, 4.0]), none), ChoiceSplit(9, None, None)  # type: ignore[arg-type]
    broken = ChoiceSplit(9, loose, loose)
    assert of_program(program, [0, 1], [loose, broken, tight, loose], **NAMED).bound == 7
    with pytest.raises(InstanceError, match="choice 9"):
        of_program(program, [0, 1], [broken], **NAMED)
    with pytest.raises(InstanceError, match="a group has no choice"):
        of_program(program, [0], [tight], **NAMED)


@pytest.mark.parametrize("options", [
    {"nodes": 1, "requests": 50, "regime": "fixed", "seed": 3},
    {"nodes": 3, "requests": 40, "regime": "both", "seed": 1},
    {"nodes": 2, "requests": 30, "regime": "all", "seed": 2, "downlink_rule": "per-user"},
    {"nodes": 1, "requests": 0},
])  # fmt: skip
def test_batching_certificates(options: dict[str, object], tmp_path: Path) -> None:
    instance = eo.generate("batching", **options)
    result = eo.solve(instance, "gah")
    made = certificate(instance, result, guarantee="1/2", date="2025-01-31")
    assert made.value == result.value
    assert made.bound >= result.value
    if options["nodes"] == 1:
        assert made.bound == result.value
    assert matches(made, instance) == []
    jsonschema.validate(made.content, schema())
    write_certificate(made, tmp_path / "c.json.gz")
    assert read_certificate(tmp_path / "c.json.gz").content == made.content
    other = eo.generate("batching", **{**options, "seed": 77, "requests": 31})
    assert len(matches(made, other)) >= 2


def test_matches_names_the_coefficient_that_differs() -> None:
    instance = eo.generate("batching", nodes=1, requests=20, seed=3)
    made = certificate(instance, eo.solve(instance, "ot"))
    content = json.loads(json.dumps(made.content))
    content["program"]["weight"][0][4] += 1
    (found,) = matches(replace(made, content=content), instance)
    assert found.startswith("program.weight is not what the instance compiles to: [0][4] is ")


def test_an_infeasible_solution_gets_no_certificate() -> None:
    instance = eo.generate("batching", nodes=1, requests=20, regime="all", seed=3)
    result = eo.solve(instance, "ot")
    everything = type(result.solution).of([np.arange(len(instance.compiled.nodes[0].request))])
    with pytest.raises(InstanceError, match="solution: bin 0 holds"):
        certificate(instance, replace(result, solution=everything))


def test_bad_names_and_files(tmp_path: Path) -> None:
    instance = eo.generate("batching", nodes=1, requests=5)
    made = certificate(instance, eo.solve(instance, "ot"))
    with pytest.raises(InstanceError, match="ending"):
        write_certificate(made, tmp_path / "c.txt")
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(InstanceError, match="must have exactly"):
        read_certificate(tmp_path / "bad.json")
