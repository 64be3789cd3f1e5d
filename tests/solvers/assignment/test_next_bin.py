"""Next-Bin keeps 1/(1 + theta) with every single-bin solver, every order, and an adversary."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise, permutations, product
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt
from edgeopt.errors import AssumptionError, InstanceError, UnknownNameError
from edgeopt.instances.assignment import AssignmentInstance
from edgeopt.result import Termination, ValueEvidence
from edgeopt.solvers.assignment import next_bin
from edgeopt.solvers.assignment.bin_problem import BinAnswer, BinProblem, SingleBin, only_bin, single_bin
from edgeopt.testing import assert_solver
from edgeopt.testing.assignment import assignment_instances

PROFITS = {"senses": ["max"], "picks": ["at-most-one"]}


def value(instance: AssignmentInstance, solver: str, **options: object) -> int:
    result = edgeopt.solve(instance, solver, **options)
    assert result.value_evidence is ValueEvidence.CHECKED
    assert not edgeopt.violations(instance, result.solution)
    assert result.value is not None
    return int(result.value)


@given(assignment_instances(**PROFITS), st.sampled_from(["mdkp-exact", "greedy"]))
def test_the_guarantee_holds_in_every_order(instance: AssignmentInstance, single: str) -> None:
    best = value(instance, "brute-force")
    theta = single_bin(single, instance.dimensions).theta
    for order in permutations(range(instance.bins)):
        assert (1 + theta) * value(instance, "next-bin", single=single, order=order) >= best


@given(assignment_instances(**PROFITS, max_dimensions=1), st.sampled_from([0.1, 0.5, 0.9]))
def test_the_guarantee_holds_with_the_approximation_scheme(instance: AssignmentInstance, epsilon: float) -> None:
    theta = single_bin("fptas", 1, epsilon=epsilon).theta
    assert theta == 1 / (1 - Fraction(str(epsilon)))
    best = value(instance, "brute-force")
    assert (1 + theta) * value(instance, "next-bin", single="fptas", epsilon=epsilon) >= best


def worst(problem: BinProblem, theta: int) -> BinAnswer:
    """The least profitable set that a solver of this theta may answer."""
    first = problem.first.tolist()
    sets = []
    for combination in product(*([-1, *range(a, b)] for a, b in pairwise(first))):
        chosen = np.array([k for k in combination if k >= 0], dtype=np.int64)
        if (problem.weight[chosen].sum(axis=0) <= problem.capacity).all():
            sets.append((int(problem.profit[chosen].sum()), chosen))
    most = max(profit for profit, _ in sets)
    return BinAnswer(min((s for s in sets if theta * s[0] >= most), key=lambda s: s[0])[1])


@given(assignment_instances(**PROFITS, max_groups=4, max_choices=3), st.integers(1, 4))
def test_the_guarantee_holds_against_an_adversary(instance: AssignmentInstance, theta: int) -> None:
    best = value(instance, "brute-force")
    adversary = SingleBin(lambda problem, stop: worst(problem, theta), Fraction(theta))
    with patch.object(next_bin, "single_bin", lambda *arguments, **options: adversary):
        assert (1 + theta) * value(instance, "next-bin") >= best


@given(assignment_instances(**PROFITS, max_bins=1, max_groups=6), st.sampled_from(["mdkp-exact", "greedy", "fptas"]))
def test_single_bin_solvers_keep_their_theta(instance: AssignmentInstance, name: str) -> None:
    if name == "fptas" and instance.dimensions > 1:
        with pytest.raises(AssumptionError, match="fptas assumes one capacity a bin"):
            single_bin(name, instance.dimensions)
        return
    solver = single_bin(name, instance.dimensions)
    problem, order = only_bin(instance)
    useful = problem.useful()
    answer = solver.solve(problem.restricted(useful), lambda: False)
    assert answer.chosen is not None
    profit = int(instance.profit[order[useful[answer.chosen]]].sum())
    assert solver.theta * profit >= value(instance, "brute-force")


def tight(most: int) -> AssignmentInstance:
    """Item 0 earns `most` in both bins, item 1 a little less and only in bin 0; a bin holds one item."""
    return AssignmentInstance(
        name="tight",
        groups=2,
        group=np.array([0, 1, 0]),
        bin=np.array([0, 0, 1]),
        profit=np.array([most, most - 1, most]),
        weight=np.ones((3, 1), dtype=np.int64),
        capacity=np.ones((2, 1), dtype=np.int64),
    )


def test_one_half_is_approached_in_a_bad_order_and_not_in_the_other() -> None:
    most = 10**9
    instance = tight(most)
    best = value(instance, "brute-force")
    assert best == 2 * most - 1
    assert value(instance, "next-bin", order=[0, 1]) == most
    assert 0 < Fraction(most, best) - Fraction(1, 2) < Fraction(1, most)
    assert value(instance, "next-bin", order="1,0") == best
    assert value(instance, "next-bin", order="best") == best
    assert value(instance, "next-bin", order="random", restarts=8) == best


def test_an_item_leaves_its_earlier_bin() -> None:
    instance = replace(tight(5), profit=np.array([5, 4, 6]))
    result = edgeopt.solve(instance, "next-bin")
    assert result.solution.choice.tolist() == [2, -1]  # bin 0 stays empty: the algorithm does not come back
    assert result.value == 6


@given(assignment_instances(**PROFITS))
def test_best_of_all_orders_is_never_below_one(instance: AssignmentInstance) -> None:
    assert value(instance, "next-bin", order="best") >= value(instance, "next-bin")


def test_theta_above_one_is_exercised() -> None:
    """A bin in which the greedy misses the optimum: its guarantee is not 1/2 for nothing."""
    problem = BinProblem(np.array([0, 1, 2]), np.array([6, 5, 5]), np.array([[6], [5], [5]]), np.array([10]))
    found = single_bin("greedy", 1).solve(problem, lambda: False).chosen
    assert found is not None
    assert problem.profit[found].sum() == 6
    exact = single_bin("mdkp-exact", 1).solve(problem, lambda: False).chosen
    assert exact is not None
    assert problem.profit[exact].sum() == 10


def test_the_harness_for_any_solver_finds_nothing() -> None:
    assert_solver("next-bin", problem="assignment", strategy=assignment_instances(**PROFITS))
    one_bin = assignment_instances(**PROFITS, max_bins=1)
    assert_solver("mdkp-exact", problem="assignment", strategy=one_bin)


def test_a_stopped_run_returns_a_checked_assignment() -> None:
    profits = edgeopt.generate("assignment", sense="max", pick="at-most-one")
    result = edgeopt.solve(profits, "next-bin", time_limit=0)
    assert result.termination is Termination.TIME_LIMIT
    assert result.value_evidence is ValueEvidence.CHECKED


def test_assumptions_and_options_are_named() -> None:
    profits = edgeopt.generate("assignment", sense="max", pick="at-most-one")
    with pytest.raises(AssumptionError, match=r"next-bin assumes sense = 'max', the instance .* has 'min'"):
        edgeopt.solve(edgeopt.generate("assignment"), "next-bin")
    with pytest.raises(AssumptionError, match="next-bin assumes pick = 'at-most-one'"):
        edgeopt.solve(edgeopt.generate("assignment", sense="max"), "next-bin")
    with pytest.raises(UnknownNameError, match="no single-bin solver 'magic'; there are: mdkp-exact, fptas, greedy"):
        edgeopt.solve(profits, "next-bin", single="magic")
    with pytest.raises(InstanceError, match=r"order = \[0, 0, 1, 2\]: must be given, random, best, or each bin"):
        edgeopt.solve(profits, "next-bin", order=[0, 0, 1, 2])
    with pytest.raises(InstanceError, match=r"epsilon = 1\.5: must be over 0 and under 1"):
        edgeopt.solve(profits, "next-bin", single="fptas", epsilon=1.5)
