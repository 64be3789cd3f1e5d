"""Rows, starts and cuts of the batching formulations against the definition of a feasible batch."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.instances.batching import BatchingInstance, NodeProblem, Schedule
from edgeopt.instances.batching.schedule import compiled_violations
from edgeopt.models.base import find, load
from edgeopt.models.batching import rows
from edgeopt.models.batching.formulation import BatchingFormulation
from edgeopt.models.standard_form import standard_form
from edgeopt.solvers.batching.brute_force import feasible_subsets
from edgeopt.testing import batching_instances, node_problems, schedules

FORMS = ("threshold", "big-m")


def formulation(form: str, instance: Any) -> Any:
    return load(find("batching", form, "pyomo"))(instance)


def on_nodes(*nodes: NodeProblem) -> Any:
    return SimpleNamespace(compiled=SimpleNamespace(nodes=nodes))


def masks(size: int) -> Any:
    return (np.arange(2**size)[:, None] >> np.arange(size)) & 1


@pytest.mark.parametrize("form", FORMS)
@given(first=node_problems(max_requests=4), second=node_problems(max_requests=3))
def test_the_rows_hold_exactly_the_feasible_schedules(form: str, first: NodeProblem, second: NodeProblem) -> None:
    made = formulation(form, on_nodes(first, second))
    if not first.size + second.size:
        assert not made.build().variables
        return
    arrays = standard_form(made.build())
    for chosen in masks(first.size + second.size):
        one, two = first.request[chosen[: first.size] == 1], second.request[chosen[first.size :] == 1]
        # the form's own variables are at their loosest, so a broken row stays broken whatever they are
        values = made.start(Schedule.of([one, two]))
        activity = arrays.matrix @ values
        feasible = (
            not np.intersect1d(one, two).size
            and first.fits(np.searchsorted(first.request, one))
            and second.fits(np.searchsorted(second.request, two))
        )
        assert bool((activity <= arrays.row_upper).all() and (activity >= arrays.row_lower).all()) == feasible
        assert ((arrays.lower <= values) & (values <= arrays.upper)).all()
        assert arrays.cost @ values == chosen.sum()


@given(node=node_problems(max_requests=6))
def test_no_budget_in_force_lets_an_infeasible_batch_in(node: NodeProblem) -> None:
    made = formulation("big-m", on_nodes(node))
    if not node.size:
        return
    arrays = standard_form(made.build())
    rows_x, budget = arrays.matrix[:, :-1].toarray(), arrays.matrix[:, [-1]].toarray()[:, 0]
    left = arrays.row_upper - masks(node.size) @ rows_x.T  # what each row leaves for its share of the budget
    with np.errstate(divide="ignore", invalid="ignore"):
        most = np.where(budget > 0, left / budget, arrays.upper[-1]).min(axis=1)
        least = np.where(budget < 0, left / budget, 0.0).max(axis=1)
    held = (least <= most) & (left[:, budget == 0] >= 0).all(axis=1)
    assert (held == feasible_subsets(node)).all()


@given(node=node_problems(max_requests=6))
def test_no_choice_of_thresholds_lets_an_infeasible_batch_in(node: NodeProblem) -> None:
    made = formulation("threshold", on_nodes(node))
    if not node.size:
        return
    arrays = standard_form(made.build())
    points = masks(len(arrays.cost))
    held = (points @ arrays.matrix.T <= arrays.row_upper).all(axis=1)
    batches = np.unique(points[held, : node.size] @ (1 << np.arange(node.size)))
    assert batches.tolist() == np.nonzero(feasible_subsets(node))[0].tolist()


@given(data=st.data(), instance=batching_instances(max_requests=6))
def test_cuts_refute_exactly_the_infeasible(data: st.DataObject, instance: BatchingInstance) -> None:
    made = BatchingFormulation(instance)
    chosen = data.draw(st.integers(0, 2 ** int(made.first[-1]) - 1))
    values = np.array([chosen >> k & 1 for k in range(made.first[-1])], dtype=np.float64)
    cuts = made.cuts(values)
    assert bool(cuts) == bool(compiled_violations(instance, made.extract(values)))
    for cut in cuts:
        assert values[cut.positions].sum() > cut.at_most
        assert len(np.unique(cut.positions)) == len(cut.positions)


@given(node=node_problems(max_requests=7))
def test_no_cut_loses_a_feasible_batch(node: NodeProblem) -> None:
    made = BatchingFormulation(on_nodes(node))
    every = masks(node.size)
    feasible = every[feasible_subsets(node)]
    for values in every:
        for cut in made.cuts(values.astype(np.float64)):
            assert (feasible[:, cut.positions].sum(axis=1) <= cut.at_most).all()


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data(), instance=batching_instances())
def test_a_start_reads_back_as_the_schedule(form: str, data: st.DataObject, instance: BatchingInstance) -> None:
    made = formulation(form, instance)
    drawn = data.draw(schedules(instance))
    servable = Schedule.of([np.intersect1d(b, node.request) for b, node in zip(drawn.batches, made.nodes, strict=True)])
    values = made.start(drawn)
    assert len(values) == len(made.build().variables)
    assert made.extract(values) == servable


@given(node=node_problems(min_requests=1))
def test_thresholds_fall_and_name_each_budget(node: NodeProblem) -> None:
    level, rank = rows.thresholds(node)
    assert (np.diff(level) < 0).all()
    assert (level[rank] == rows.budgets(node)).all()
