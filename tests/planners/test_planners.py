"""Planners: plans are validated whoever makes them, a table looks up, learning learns, and errors are reported."""

from __future__ import annotations

from pathlib import Path

import pytest

import edgeopt as eo
from edgeopt.errors import InstanceError
from edgeopt.instances.decomposition.asynchow import read_plans
from edgeopt.instances.decomposition.realised import with_estimates
from edgeopt.planners import Plan, PlannedStep, Planner, mode_of
from edgeopt.planners.distilled import DistilledPlanner, Lesson, errors_of
from edgeopt.planners.lessons import duration_class, lessons_of
from edgeopt.planners.table import TablePlanner
from edgeopt.planners.untrained import UntrainedPlanner, step_lines

PLANS = Path(__file__).parents[3] / "shared" / "data" / "dag_asynchow" / "asynchow_first800.jsonl"


def step(name: str, after: list[str] | None = None, difficulty: float = 0.0, tokens: int = 10) -> PlannedStep:
    return PlannedStep(name, f"do {name}", after or [], difficulty, tokens)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ((), "must hold at least one step"),
        ((step("a"), step("a")), "taken by another step"),
        ((step("a", ["z"]),), r"after = 'z': no such step; there are: a"),
        ((step("a"), step("b", ["a", "a"])), "names a step twice"),
        ((step("a", ["b"]), step("b", ["a"])), "circle: (a -> b -> a|b -> a -> b)"),
        ((step("a", tokens=-1),), r"output_tokens = -1: must be a whole number .*\(tokens\)"),
        ((step("a", difficulty=float("nan")),), r"difficulty = nan: must be .*\(logit\)"),
    ],
)
def test_a_plan_is_validated(steps: tuple[PlannedStep, ...], words: str) -> None:
    with pytest.raises(InstanceError, match=words):
        Plan(steps)


def test_a_plan_becomes_a_mode_of_a_task() -> None:
    plan = Plan((step("a"), step("b", ["a"], tokens=20), step("c", difficulty=-1.0)))
    mode = mode_of(plan, prompt_tokens=50, aggregator=step("merge", tokens=5))
    assert mode.aggregator == "merge"
    assert [s.after for s in mode.steps] == [[], ["a"], [], ["b", "c"]]
    assert [s.input_tokens for s in mode.steps] == [50, 60, 50, 80]
    assert [s.input_bytes for s in mode.steps] == [200, 0, 200, 0]
    assert [s.output_bytes for s in mode.steps] == [40, 80, 40, 20]
    instance = eo.generate("decomposition", seed=1, tasks=3)
    planned = with_estimates(instance, [[task.modes[0], mode] for task in instance.tasks])
    assert str(eo.solve(planned, "list").value_evidence) == "checked"
    with pytest.raises(InstanceError, match="taken by another step"):
        mode_of(plan, aggregator=step("a"))


def test_the_table_looks_up() -> None:
    instance = eo.generate("decomposition", seed=1, tasks=2)
    planner: Planner = TablePlanner.of_instance(instance)
    plan = planner.plan("t1")
    assert [s.id for s in plan.steps] == [s.id for s in instance.tasks[1].modes[1].steps]
    assert [s.difficulty for s in plan.steps] == [s.difficulty for s in instance.tasks[1].modes[1].steps]
    with pytest.raises(InstanceError, match="no plan for 'tx'; it has 2"):
        planner.plan("tx")


def test_the_untrained_planner_makes_a_chain() -> None:
    planner: Planner = UntrainedPlanner(difficulty=0.5, output_tokens=7)
    plan = planner.plan("Make tea\n1. boil water\n2) find a cup\n\n- pour")
    assert [(s.text, s.after) for s in plan.steps] == [("boil water", []), ("find a cup", ["1"]), ("pour", ["2"])]
    assert {(s.difficulty, s.output_tokens) for s in plan.steps} == {(0.5, 7)}
    assert step_lines("just this") == ["just this"]
    with pytest.raises(InstanceError, match="text is empty"):
        planner.plan(" \n ")


def lessons(count: int) -> list[Lesson]:
    """A teacher with two rules: steps with 'long' are of class 1; a step 'with X' needs the one that fetches X."""
    found = []
    for n in range(count):
        kind = ("water", "bread", "stone")[n % 3]
        steps = (
            f"fetch {kind}",
            "rest a long while" if n % 2 else "look around",
            f"build something with {kind}",
            "go home",
        )
        sizes = (0, n % 2, 0, 0)
        found.append(Lesson(f"task {n}", steps, frozenset({(0, 2), (2, 3)}), sizes))
    return found


def test_learning_finds_the_rules_of_a_teacher() -> None:
    pytest.importorskip("sklearn")
    planner = DistilledPlanner([10, 90], [-1.0, 1.0]).fit(lessons(60))
    plan = planner.plan("A new one\nfetch bread\nrest a long while\nbuild something with bread\ngo home")
    assert [s.output_tokens for s in plan.steps] == [10, 90, 10, 10]
    assert [s.after for s in plan.steps] == [[], [], ["1"], ["3"]]
    errors = errors_of(planner, lessons(12))
    assert errors.size_accuracy == 1.0 > errors.size_majority
    assert errors.edge_f1 == 1.0 > errors.chain_f1


def test_what_cannot_be_learned_from() -> None:
    pytest.importorskip("sklearn")
    with pytest.raises(InstanceError, match="nothing to learn from"):
        DistilledPlanner([1], [0.0]).fit([])
    with pytest.raises(InstanceError, match="a step of class 1: there are 1 classes"):
        DistilledPlanner([1], [0.0]).fit(lessons(4))
    with pytest.raises(InstanceError, match="one of each for every class"):
        DistilledPlanner([1, 2], [0.0])
    with pytest.raises(InstanceError, match="has learned nothing yet"):
        DistilledPlanner([1], [0.0]).plan("a\nb")
    one = DistilledPlanner([1], [0.0]).fit([Lesson("t", ("only",), frozenset(), (0,))])
    assert [s.after for s in one.plan("x\na\nb").steps] == [[], []]


@pytest.mark.skipif(not PLANS.exists(), reason="the AsyncHow plans are not here")
def test_learning_on_asynchow_beats_knowing_nothing() -> None:
    """Real steps and durations, every fourth plan held out: better than the majority, no worse than a chain."""
    pytest.importorskip("sklearn")
    known = lessons_of(read_plans(PLANS)[:400])
    planner = DistilledPlanner([50, 100, 200, 400], [0.0] * 4).fit([x for n, x in enumerate(known) if n % 4])
    errors = errors_of(planner, [x for n, x in enumerate(known) if n % 4 == 0])
    assert errors.size_accuracy > errors.size_majority
    assert errors.edge_f1 > errors.chain_f1 - 0.02


def test_classes_of_durations() -> None:
    assert [duration_class(s) for s in (1.0, 599.0, 600.0, 3599.0, 3600.0, 86399.0, 86400.0)] == [0, 0, 1, 1, 2, 2, 3]
