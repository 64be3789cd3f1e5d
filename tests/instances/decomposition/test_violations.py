"""The raw check and the compiled check find the same schedules infeasible, each constraint by name."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.instances.decomposition import (
    Channel,
    DecompositionInstance,
    Link,
    Mode,
    Node,
    Schedule,
    Step,
    Task,
    check,
)
from edgeopt.instances.decomposition.compiled import compile_decomposition
from edgeopt.instances.decomposition.compiled_check import compiled_violations
from edgeopt.instances.decomposition.graph import cycle, graph_of
from edgeopt.instances.decomposition.logistic import _exactly, logistic_units
from edgeopt.testing.decomposition import decomposition_instances, schedules


def two_steps(**fields: Any) -> DecompositionInstance:
    """A task of two steps in a row, a device and an access point, one tick a token and a byte."""
    nodes = (Node("ue", "device", 0.5, 1.0, 1.0), Node("ap", "ap", 0.5, 1.0, 1.0))
    steps = [
        Step("a", output_tokens=3, input_bytes=2, output_bytes=1),
        Step("b", output_tokens=4, after=["a"], output_bytes=2),
    ]
    tasks = tuple(Task(f"t{i}", "ue", [Mode("m", steps)], arrival_s=1.0, deadline_s=30.0) for i in range(2))
    given: dict[str, Any] = {
        "channels": (Channel("air"),), "links": (Link("ue", "ap", 8.0, channel="air"),), "tick_s": 1.0,
    }  # fmt: skip
    return DecompositionInstance(name="two", nodes=nodes, tasks=tasks, **{**given, **fields})


def of(mode: list[int], node: list[int], start: list[int], transfer: list[int]) -> Schedule:
    return Schedule(*(np.array(column, dtype=np.int64) for column in (mode, node, start, transfer)))


# t0: a on ap (3 to 6), b on ue (7 to 11); t1: all on ue.
GOOD = of([0, 0], [1, 0, 0, 0], [3, 7, 11, 14], [1, 6, -1, -1, -1, -1])


def test_a_good_schedule() -> None:
    instance = two_steps()
    assert eo.violations(instance, GOOD) == []
    assert compiled_violations(instance, GOOD) == []
    ends = 11 + 18
    right = 2 * 1000000 * (Fraction(1, 2) ** 2)
    assert check.reward(instance, GOOD)[0] == Fraction(right, 10**6) - Fraction(1, 100) * (ends - 2)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"start": [2, 7, 11, 14]}, "precedence"),  # before the prompt has arrived
        ({"start": [3, 6, 11, 14]}, "precedence"),  # before the transfer from a has ended
        ({"start": [3, 7, 11, 13]}, "precedence"),  # on one node, before a has ended
        ({"start": [3, 7, 9, 14]}, "capacity"),  # two steps at once on the device
        ({"start": [3, 7, 0, 11]}, "arrival"),
        ({"transfer": [0, 6, -1, -1, -1, -1]}, "precedence"),
        ({"transfer": [1, 5, -1, -1, -1, -1]}, "precedence"),
        ({"transfer": [-1, 6, -1, -1, -1, -1]}, "link|a transfer between"),
        ({"transfer": [1, 6, -1, 3, -1, -1]}, "a transfer between different nodes"),
        ({"start": [3, 7, 11, 99]}, "deadline"),
        ({"mode": [0, 1]}, "known mode"),
        ({"mode": [0]}, "one mode a task"),
        ({"node": [1, 0, 0, 7]}, "known node|allowed node"),
        ({"node": [1, 0, 0]}, "one node each"),
        ({"start": [3, 7, 11]}, "one start each"),
        ({"transfer": [1, 6]}, "one transfer each"),
    ],
)
def test_both_checks_name_the_constraint(change: dict[str, list[int]], constraint: str) -> None:
    import re

    columns = {name: getattr(GOOD, name).tolist() for name in ("mode", "node", "start", "transfer")}
    broken = of(**{**columns, **change})
    instance = two_steps()
    for found in (eo.violations(instance, broken), compiled_violations(instance, broken)):
        assert found
        assert re.search(constraint, str(found[0])), found


@pytest.mark.parametrize("deadline_s", [None, 5.0])
@pytest.mark.parametrize("transfer", [[0, 0], [-1, -1]])
def test_a_result_that_comes_back_over_no_link_is_named(deadline_s: float | None, transfer: list[int]) -> None:
    """With a deadline the check looked for the time on that link."""
    nodes = tuple(Node(name, "device", 0.0, 1.0, 1.0) for name in "uv")
    task = Task("t", "u", [Mode("m", [Step("s")])], deadline_s=deadline_s)
    instance = DecompositionInstance("k", nodes, (task,), tick_s=1.0)
    gone = of([0], [1], [0], transfer)
    assert [found.constraint for found in eo.violations(instance, gone)] == ["allowed node", "link", "link"]
    assert compiled_violations(instance, gone)
    late = of([0], [1], [9], transfer)
    assert ("deadline" in [found.constraint for found in eo.violations(instance, late)]) == (deadline_s is not None)


def test_the_channel_carries_one_at_a_time_unless_it_is_contended() -> None:
    both = of([0, 0], [1, 1, 1, 1], [3, 6, 10, 13], [1, -1, 10, 2, -1, 17])
    assert "capacity" in str(eo.violations(two_steps(), both)[0])
    assert "capacity" in str(compiled_violations(two_steps(), both)[0])
    for change in (
        {"channels": (Channel("air", "contention"),)},
        {"links": (Link("ue", "ap", 8.0),)},
    ):
        instance = two_steps(**change)
        assert eo.violations(instance, both) == compiled_violations(instance, both) == []


def test_a_floor_of_the_correctness() -> None:
    instance = two_steps(objective="latency", correctness_floor=0.25)
    assert eo.violations(instance, GOOD) == compiled_violations(instance, GOOD) == []
    instance = two_steps(objective="latency", correctness_floor=0.2501)
    assert "correctness floor" in str(eo.violations(instance, GOOD)[0])
    assert "correctness floor" in str(compiled_violations(instance, GOOD)[0])


@given(st.data())
def test_feasible_in_the_integers_is_feasible_in_the_raw_fields(data: st.DataObject) -> None:
    instance = data.draw(decomposition_instances())
    solution = data.draw(schedules(instance))
    raw, integers = eo.violations(instance, solution), compiled_violations(instance, solution)
    assert not raw or integers, raw
    whole = all(
        (float(value) / instance.tick_s).is_integer()
        for task in instance.tasks
        for value in (task.arrival_s, task.deadline_s or 0.0)
    )
    down = compile_decomposition(instance, up=False).arrays
    exact = all(
        np.array_equal(getattr(down, name), getattr(instance.compiled.arrays, name))
        for name in ("option_ticks", "overhead", "byte", "release", "origin")
    )
    if whole and exact and not instance.correctness_floor:  # nothing was rounded: the two say the same
        assert bool(raw) == bool(integers), (raw, integers)


@given(decomposition_instances(max_tasks=2))
def test_every_number_is_rounded_against_us(instance: DecompositionInstance) -> None:
    """Each execution time and correctness, worked out anew by the check."""
    a, tick, option = instance.compiled.lists(), Fraction(repr(instance.tick_s)), 0
    step_at = 0
    for task in instance.tasks:
        for mode in task.modes:
            for step in mode.steps:
                for option in range(a.option_start[step_at], a.option_start[step_at + 1]):
                    node = instance.nodes[a.option_node[option]]
                    for shared in (0, 1):
                        beside = bool(shared) and step.context is not None
                        exact = check.execution_s(step, node, beside) / tick
                        assert 0 <= a.option_ticks[option][shared] - exact < 1
                        low, high = check.step_correctness(step, node, beside)
                        assert a.option_right[option][shared] <= high * 10**6
                        assert a.option_right[option][shared] + 1 > low * 10**6
                step_at += 1
    for link in instance.links:
        one, other = (next(i for i, n in enumerate(instance.nodes) if n.name == end) for end in (link.a, link.b))
        for edge, size in enumerate(a.edge_bytes):
            exact = check.transfer_s(link, size) / tick
            assert 0 <= instance.compiled.transfer_ticks(edge, one, other) - exact < 1 + Fraction(1, 2**20)


@pytest.mark.parametrize("logit", [0, 1, -1, Fraction(7, 10), 30, -30, Fraction(1, 10**9), Fraction(-13, 7)])
def test_logistic(logit: Any) -> None:
    import math

    exact = 10**6 / (1 + math.exp(-float(logit)))
    assert logistic_units(Fraction(logit)) == math.floor(exact)
    if logit:
        assert _exactly(Fraction(logit)) == math.floor(exact)


def test_graphs() -> None:
    import networkx

    steps = [Step("a"), Step("b", after=["a"]), Step("c", after=["a", "b"])]
    graph = graph_of(steps)
    assert set(graph.edges) == {("a", "b"), ("a", "c"), ("b", "c")}
    assert networkx.is_directed_acyclic_graph(graph)
    assert graph.nodes["c"]["step"] is steps[2]
    bad = [Step("a", after=["c"]), Step("b", after=["a"]), Step("c", after=["b"]), Step("d", after=["c"])]
    found = cycle(bad)
    assert found[0] == found[-1]
    assert set(found) == {"a", "b", "c"}
    assert all(graph_of(bad).has_edge(one, other) for one, other in pairwise(found))
