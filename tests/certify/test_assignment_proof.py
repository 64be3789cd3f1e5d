"""Certificates of the assignment problem: safe bounds from duals, trees of `close`, and the way back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given

import edgeopt as eo
from edgeopt.certify.assignment_proof import best_choices, choices, solution
from edgeopt.certify.certificate import certificate
from edgeopt.certify.compare import certify
from edgeopt.certify.lp_duals import lp_proof
from edgeopt.certify.proofs import replayed
from edgeopt.instances.assignment import AssignmentInstance
from edgeopt.instances.assignment.program import program
from edgeopt.result import BoundEvidence, Termination
from edgeopt.solvers.base import Control
from edgeopt.testing.assignment import assignment_instances


@given(assignment_instances())
def test_bounds_hold_whatever_the_instance(instance: Any) -> None:
    solved = eo.solve(instance, "brute-force")
    common = program(instance)
    sign = 1 if instance.sense == "max" else -1
    for proof in (best_choices(common), lp_proof(common, Control())):
        if proof is not None and solved.value is not None:
            bound = replayed(common, proof)[1]
            assert bound is not None
            assert sign * bound >= sign * solved.value


@given(assignment_instances())
def test_what_certify_says_is_so(instance: Any) -> None:
    solved = eo.solve(instance, "brute-force")
    found = certify(instance, solved, against=())
    assert not found.violations
    assert found.certificate is not None
    found.certificate.verify()
    assert found.certificate.value == solved.value
    if solved.solution is not None:
        taken = choices(instance, solved.solution)
        assert solution(instance, program(instance), taken.tolist()) == solved.solution
    else:
        assert solved.termination is Termination.INFEASIBLE


def test_duals_are_as_good_as_the_relaxation() -> None:
    from scipy.optimize import linprog

    instance = eo.generate("assignment", seed=2, bins=3, items=15, kind="gap-c")
    common = program(instance)
    sign = 1.0 if common.sense == "min" else -1.0
    rows, limits = [], []
    for b in range(common.bins):
        for d in range(common.weight.shape[1]):
            rows.append(np.where(common.bin == b, common.weight[:, d], 0))
            limits.append(common.capacity[b, d])
    groups = [common.group == g for g in range(common.groups)]
    kind = {"A_eq": groups, "b_eq": np.ones(common.groups)} if common.exactly_one else {}
    if not common.exactly_one:
        rows, limits = rows + groups, limits + [1] * common.groups
    relaxed = linprog(sign * common.profit, rows, limits, bounds=(0, 1), **kind)
    proof = lp_proof(common, Control())
    assert proof is not None
    bound = replayed(common, proof)[1]
    rounded = np.ceil(relaxed.fun - 1e-6) if sign > 0 else np.floor(-relaxed.fun + 1e-6)
    assert bound == rounded


@pytest.mark.parametrize(("sense", "pick"), [("max", "at-most-one"), ("min", "exactly-one")])
@pytest.mark.parametrize("seed", [1, 2, 3, 5])
def test_the_tree_of_close_proves_the_optimum(sense: str, pick: str, seed: int) -> None:
    instance = eo.generate("assignment", seed=seed, bins=6, items=3, kind="gap-a", sense=sense, pick=pick)
    solved = eo.solve(instance, "close")
    made = certificate(instance, solved)
    assert made.value == made.bound == eo.solve(instance, "brute-force").value


def test_the_guarantee_follows_the_options() -> None:
    instance = eo.generate("assignment", seed=4, bins=2, items=8, sense="max", pick="at-most-one")
    dims = instance.dimensions
    promised = {
        "mdkp-exact": "1/2",
        "greedy": f"1/{1 + 2 * dims}",
    }
    for single, ratio in promised.items():
        found = certify(instance, eo.solve(instance, "next-bin", single=single), against=())
        assert str(found.guarantee) == ratio
        assert found.guarantee_holds is not False
    if dims == 1:
        found = certify(instance, eo.solve(instance, "next-bin", single="fptas", epsilon=0.5), against=())
        assert str(found.guarantee) == "1/3"


@pytest.mark.parametrize("scale", [1, 10**6, 10**12])
@pytest.mark.parametrize("sense", ["max", "min"])
@pytest.mark.parametrize("name", ["highs", "cpsat", "close"])
def test_that_there_is_no_solution_is_proved(name: str, sense: Any, scale: int) -> None:
    """Three items of 4 and two bins of 5: the relaxation is infeasible, which its dual ray shows."""
    instance = AssignmentInstance(
        "crowded", 3, np.repeat([0, 1, 2], 2), np.tile([0, 1], 3), np.array([5, 4, 3, 7, 6, 5]),
        np.full((6, 1), 4 * scale), np.full((2, 1), 5 * scale), sense=sense, pick="exactly-one",
    )  # fmt: skip
    found = certify(instance, name, against=())
    assert found.result.termination is Termination.INFEASIBLE
    assert found.certificate is not None
    assert found.certificate.bound is None
    assert found.message == "there is no solution (proved)"
    assert found.certificate.verify()[-1] == "VERIFIED  there is no solution"


def test_no_whole_solution_is_proved_by_branching() -> None:
    """Three items of 4 and two bins of 7: only halves would fit, so the relaxation alone does not show it."""
    instance = AssignmentInstance(
        "halves", 3, np.repeat([0, 1, 2], 2), np.tile([0, 1], 3), np.array([5, 4, 3, 7, 6, 5]),
        np.full((6, 1), 4), np.full((2, 1), 7), sense="min", pick="exactly-one",
    )  # fmt: skip
    alone = certify(instance, "highs", against=())
    assert alone.bound_evidence is BoundEvidence.PROVED
    assert alone.message == ""
    assert certify(instance, "close", against=()).message == "there is no solution (proved)"
