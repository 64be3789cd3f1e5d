"""A floor of the correctness is kept to the millionth by every exact solver, whatever their tolerances."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.instances.decomposition import Channel, DecompositionInstance, Link, Mode, Node, Step, Task
from edgeopt.instances.decomposition.logistic import UNITS
from edgeopt.models.decomposition.pyomo_disjunctive import PyomoDisjunctive
from edgeopt.models.standard_form import standard_form
from edgeopt.result import Termination

EXACT = ("brute-force", "cpsat", "highs")


def optimum(instance: DecompositionInstance, name: str) -> float | None:
    """The least latency; None where no schedule keeps the floor."""
    result = eo.solve(instance, name)
    assert result.closed or result.termination is Termination.INFEASIBLE, result
    return result.value


def choices(rights: Sequence[Sequence[int]], floor_units: int) -> DecompositionInstance:
    """A task a row: correctness (millionths) and, in ticks, the place of each node that it may take."""
    nodes = tuple(Node(f"n{i}", "device", 0.0, 1.0, 1.0, slots=9) for i in range(1 + max(map(len, rights))))
    links = tuple(Link("n0", node.name, 8.0) for node in nodes[1:])
    tasks = []
    for index, row in enumerate(rights):
        times = {f"n{i}": float(i) for i in range(1, len(row) + 1)}
        correctness = {f"n{i}": own / UNITS for i, own in enumerate(row, 1)}
        step = Step("s", nodes=list(times), time_s=times, correctness=correctness)
        tasks.append(Task(f"t{index}", "n0", [Mode("m", [step])]))
    floor = floor_units / (UNITS * len(rights))
    found = DecompositionInstance(
        "choices", nodes, tuple(tasks), (), links, "latency", correctness_floor=floor, tick_s=1.0
    )
    assert found.compiled.floor_units == floor_units
    return found


@pytest.mark.parametrize("channel", ["air", None])
def test_highs_counts_the_last_millionth_of_a_floor(channel: str | None) -> None:
    """999999 + 1 are the floor: that millionth was less than a tolerance, and HiGHS closed at 2 or 3."""
    steps = [
        Step("s", output_bytes=1, correctness={"d": 1e-6, "a": 0.999999}, time_s={"d": 0.0, "a": 0.0}),
        Step("s", output_bytes=1, correctness={"d": 0.0, "a": 1e-6}, time_s={"d": 2.0, "a": 3.0}),
    ]
    modes = [Mode(name, [step]) for name, step in zip("mn", steps, strict=True)]
    instance = DecompositionInstance(
        "tie", (Node("d", "device", 0.0, 1, 1), Node("a", "ap", 0.0, 1, 1)),
        tuple(Task(f"t{i}", "d", modes) for i in range(2)), (Channel("air"),), (Link("d", "a", 8.0, channel=channel),),
        "latency", correctness_floor=0.5, tick_s=1.0,
    )  # fmt: skip
    assert [optimum(instance, name) for name in EXACT] == [1, 1, 1]


@pytest.mark.parametrize("rights", [[[999_999]], [[1_000_000], [999_999]], [[999_999, 0], [1_000_000, 999_000]]])
def test_a_millionth_short_of_a_floor_is_infeasible(rights: list[list[int]]) -> None:
    instance = choices(rights, UNITS * len(rights))
    assert [optimum(instance, name) for name in EXACT] == [None] * 3


@pytest.mark.parametrize("floor_units", [1, 500, 500_000, 1_000_000])
def test_highs_calls_a_floor_infeasible_where_nothing_has_any_correctness(floor_units: int) -> None:
    """There the floor had no variable in it, and building the model failed."""
    instance = choices([[0, 0]], floor_units)
    assert [optimum(instance, name) for name in EXACT] == [None] * 3


RIGHTS = st.sampled_from((0, 1, 2, 999, 1000, 1001, 499_999, 500_000, 500_001, 998_999, 999_000, 999_999, 1_000_000))


@given(rights=st.lists(st.lists(RIGHTS, min_size=1, max_size=3), min_size=2, max_size=2), more=st.integers(-1, 1))
@example(rights=[[1, 999_999], [1, 999_999]], more=0)
@example(rights=[[999_999, 1_000_000], [999_999, 1_000_000]], more=0)
@settings(max_examples=25 if settings().max_examples < 1000 else 500)
def test_a_floor_that_one_combination_just_meets(rights: list[list[int]], more: int) -> None:
    """The floor is the most that all can have together, or a millionth beside it."""
    most = sum(map(max, rights)) + more
    if 0 < most <= UNITS * len(rights):
        instance = choices(rights, most)
        reference = optimum(instance, "brute-force")
        assert (reference is None) == (more > 0)
        assert optimum(instance, "highs") == reference


@pytest.mark.parametrize("floor_units", [1, 1_000_001, 1_500_500, 1_999_998])
def test_a_start_has_the_carry_of_its_floor(floor_units: int) -> None:
    instance = choices([[1, 999_999], [500_500, 999_999]], floor_units)
    formulation = PyomoDisjunctive(instance)
    form = standard_form(formulation.build())
    solution = eo.solve(instance, "brute-force").solution
    assert solution is not None
    values = formulation.start(solution)
    rows = form.matrix @ values
    assert (form.row_lower <= rows).all()
    assert (rows <= form.row_upper).all()
    assert (form.lower <= values).all()
    assert (values <= form.upper).all()
