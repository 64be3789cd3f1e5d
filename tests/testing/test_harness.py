"""The harness must find planted bugs, say what broke, and leave right solvers alone."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import edgeopt as eo
from edgeopt.instances.assignment import AssignmentInstance
from edgeopt.instances.batching import BatchingInstance, Schedule
from edgeopt.result import Answer, Termination
from edgeopt.solvers.base import Control, SolverInfo
from edgeopt.solvers.batching.brute_force import brute_force
from edgeopt.testing import (
    assert_solver,
    batching_instances,
)

ONE_NODE = batching_instances(max_nodes=1, max_requests=5)
FEW = batching_instances(max_nodes=2, max_requests=5)


def exact(instance: BatchingInstance, control: Control) -> Answer:
    """Under another name than the reference's, which then serves as the reference."""
    return brute_force(instance, control)


def changed(**fields: Any) -> Callable[[BatchingInstance, Control], Answer]:
    """The exact solver with a false claim."""

    def solver(instance: BatchingInstance, control: Control) -> Answer:
        right = exact(instance, control)
        claims = {name: value(right) if callable(value) else value for name, value in fields.items()}
        return Answer(
            **{"solution": right.solution, "claimed_value": right.claimed_value, "bound": right.bound, **claims}
        )

    return solver


def without(constraint: str) -> Callable[[BatchingInstance], Schedule]:
    """First fit on every node, blind for one constraint."""

    def greedy(instance: BatchingInstance) -> Schedule:
        taken: set[int] = set()
        batches = []
        for node in instance.compiled.nodes:
            kind = node.length_class
            demand = {
                "uplink": (node.uplink, node.uplink_capacity),
                "downlink": (
                    node.class_tokens[kind] if node.downlink is None else node.downlink,
                    node.downlink_capacity,
                ),
                "memory": (node.class_memory[kind], node.memory_capacity),
            }
            batch: list[int] = []
            for place in range(node.size):
                trial = [*batch, place]
                good = all(
                    column[trial].sum() <= capacity for name, (column, capacity) in demand.items() if name != constraint
                )
                if constraint != "deadline":
                    good &= bool(node.class_compute[kind][trial].sum() <= node.budget[trial].min())
                if good and (constraint == "once" or int(node.request[place]) not in taken):
                    batch = trial
            taken |= set(node.request[batch].tolist())
            batches.append(node.request[batch])
        return Schedule.of(batches)

    return greedy


@pytest.mark.parametrize("constraint", ["uplink", "downlink", "memory", "deadline", "once"])
def test_finds_a_forgotten_constraint(constraint: str) -> None:
    said = (
        {
            "uplink": "breaks uplink (12a)",
            "downlink": "breaks downlink (12b)",
            "memory": "breaks memory (12c)",
            "deadline": "breaks (deadline (12d)|compute slot)",
            "once": "breaks a request runs at most once",
        }[constraint]
        .replace("(12", r"\(12")
        .replace("a)", r"a\)")
        .replace("b)", r"b\)")
        .replace("c)", r"c\)")
    )
    with pytest.raises(AssertionError, match=said.replace("12d)", r"12d\)")):
        assert_solver(without(constraint), strategy=FEW, examples=400)


def test_a_right_greedy_passes_without_a_promise_and_fails_with_one() -> None:
    assert_solver(without("nothing"), examples=30)
    with pytest.raises(AssertionError, match=r"its value \d+ is not the optimum \d+"):
        assert_solver(without("nothing"), exact=True, strategy=FEW, examples=400)
    with pytest.raises(AssertionError, match=r"its value \d+ misses the guarantee 9/10 of the optimum \d+"):
        assert_solver(without("nothing"), guarantee="9/10", strategy=FEW, examples=400)


def test_a_right_solver_passes() -> None:
    assert_solver(exact, exact=True, guarantee=Fraction(1), examples=20)
    assert_solver(lambda instance: exact(instance, Control()).solution, exact=True, examples=10)
    assert_solver("gah", examples=10)
    assert_solver("ot", strategy=ONE_NODE, examples=10)
    assert_solver(SolverInfo("mine", "batching", exact, exact=True, guarantee="1"), examples=10)


def test_a_registry_line_is_held_to_its_promise() -> None:
    empty = SolverInfo("empty", "batching", lambda i, c: Answer(Schedule.of([[] for _ in i.nodes])), guarantee="1/2")
    with pytest.raises(AssertionError, match="empty: its value 0 misses the guarantee 1/2 of the optimum"):
        assert_solver(empty)


@pytest.mark.parametrize(
    ("solver", "text"),
    [
        (changed(bound=lambda right: right.bound - 1), "claimed the bound"),
        (changed(solution=lambda right: Schedule.of([[] for _ in right.solution.batches]), claimed_value=0, bound=0),
         r"its bound 0 is wrong, the optimum is \d+"),
        (changed(claimed_value=lambda right: right.claimed_value + 1), "claimed the value"),
        (changed(termination=Termination.NODE_LIMIT), "it ended with node_limit: no limit was set"),
        (changed(solution=None, claimed_value=None), "it returned no solution"),
        (lambda instance, control: instance, "it returned BatchingInstance, not an edgeopt.result.Answer"),
        (lambda instance: [[0]], "returned a solution that is none: AttributeError"),
        (lambda instance: 1 // 0, "it raised ZeroDivisionError"),
        (lambda instance: Schedule.of([]), "breaks one batch a node"),
        (lambda instance: Schedule.of([[9]] * len(instance.nodes)), "breaks known request"),
    ],
)  # fmt: skip
def test_finds_a_false_claim(solver: Callable[..., Any], text: str) -> None:
    with pytest.raises(AssertionError, match=text):
        assert_solver(solver)


def test_finds_a_solver_that_is_not_the_same_twice() -> None:
    rng = np.random.default_rng(0)

    def moody(instance: BatchingInstance) -> Schedule:
        keep = [[], without("nothing")(instance).batches[0]][int(rng.random() < 0.5)]
        return Schedule.of([keep, *[[] for _ in instance.nodes[1:]]])

    with pytest.raises(
        AssertionError, match=r"moody: (two runs with seed 0 differ|it was wrong on an instance and right)"
    ):
        assert_solver(moody)


def test_the_seed_and_options_reach_the_solver() -> None:
    seen = set()

    def curious(instance: BatchingInstance, control: Control, *, depth: int = 0) -> Answer:
        seen.add((control.seed, depth))
        return exact(instance, control)

    assert_solver(curious, seed=7, examples=3, depth=4)
    assert seen == {(7, 4)}


def test_a_solver_for_other_instances_only() -> None:
    with pytest.raises(AssertionError, match="ot: every generated instance is outside its assumptions"):
        assert_solver("ot", strategy=batching_instances(min_nodes=2), examples=2)
    assert_solver("ot", examples=10)


def test_the_report_reproduces() -> None:
    with pytest.raises(AssertionError) as caught:
        assert_solver(without("memory"), strategy=FEW, examples=400)
    text = str(caught.value)
    found = re.search(r"edgeopt\.read\('(.*)'\):\n(\{.*\})\n", text, re.DOTALL)
    assert found is not None, text
    instance = eo.read(found[1])
    assert len(instance.requests) <= 5
    assert eo.violations(instance, without("memory")(instance))
    assert '"requests": [' in found[2]


def test_without_hypothesis_the_error_names_the_extra() -> None:
    code = "import sys; sys.modules['hypothesis'] = None\nimport edgeopt.testing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "pip install 'edgeopt[testing]'" in done.stderr.splitlines()[-1]


def test_the_assignment_problem_too() -> None:
    assert_solver("close", problem="assignment", examples=20)
    assert_solver("next-bin", problem="assignment", examples=20)

    def gives_up(instance: AssignmentInstance, control: Control) -> Answer:
        return Answer(None, termination=Termination.INFEASIBLE)

    with pytest.raises(AssertionError, match="gives_up: it says that there is no solution; the reference says one"):
        assert_solver(gives_up, problem="assignment", examples=20)
