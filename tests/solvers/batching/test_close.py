"""`close` on batching: the optimum on small instances, valid answers when stopped."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings

import edgeopt
from edgeopt.instances.batching import BatchingInstance, Schedule
from edgeopt.instances.batching.check import violations
from edgeopt.instances.batching.generate import CORNERS
from edgeopt.instances.batching.program import program
from edgeopt.proof import Leaf
from edgeopt.result import Termination
from edgeopt.solvers.base import Control, checked
from edgeopt.solvers.batching.close import choices, close
from edgeopt.testing.batching import batching_instances


def _exact(instance: BatchingInstance) -> int:
    """Optimum by trying every node for every request."""
    common = program(instance)
    best = 0
    stack = [(0, [0] * common.bins, [[] for _ in range(common.bins)])]
    while stack:
        group, _, batches = stack.pop()
        if group == common.groups:
            best = max(best, sum(map(len, batches)))
            continue
        if sum(map(len, batches)) + common.groups - group <= best:
            continue
        stack.append((group + 1, [], batches))
        for node, compiled in enumerate(instance.compiled.nodes):
            place = [at for at, request in enumerate(compiled.request.tolist()) if request == group]
            grown = batches[node] + place
            # A subset of a feasible batch is feasible, so what does not fit now never will.
            if place and compiled.fits(sorted(grown)):
                stack.append((group + 1, [], [*batches[:node], grown, *batches[node + 1 :]]))
    return best


@given(batching_instances(max_requests=7))
@settings(max_examples=35)
def test_finds_and_bounds_the_optimum(instance: BatchingInstance) -> None:
    answer = close(instance, Control())
    assert answer.termination is Termination.COMPLETE
    assert not violations(instance, answer.solution)
    assert answer.solution.value == answer.bound == _exact(instance)


@pytest.mark.parametrize("regime", ["paper", "compute", "both", "all"])
def test_closes_what_generators_make(regime: str) -> None:
    instance = edgeopt.generate("batching", requests=24, regime=regime, seed=3)
    result = checked(instance, "close", close(instance, Control()), 0.0)
    assert result.closed
    assert not violations(instance, result.solution)


@pytest.mark.parametrize("corner", CORNERS)
def test_corners(corner: str) -> None:
    instance = edgeopt.generate("batching", requests=12, regime="both", seed=1, corner=corner)
    answer = close(instance, Control())
    assert answer.solution.value == answer.bound
    assert not violations(instance, answer.solution)


def test_no_time_gives_a_checked_schedule_and_a_proof() -> None:
    instance = edgeopt.generate("batching", requests=40, regime="both", seed=2)
    answer = close(instance, Control(time_limit=0.0))
    assert answer.termination is Termination.TIME_LIMIT
    assert not violations(instance, answer.solution)
    assert answer.solution.value <= answer.bound
    assert isinstance(answer.proof, Leaf)


def test_keeps_a_better_start() -> None:
    instance = edgeopt.generate("batching", requests=40, regime="both", seed=2)
    best = close(instance, Control(), vertex_limit=200).solution
    again = close(instance, Control(time_limit=0.0, start=best)).solution
    assert again.value >= best.value


def test_an_interrupted_run_keeps_what_it_has() -> None:
    instance = edgeopt.generate("batching", requests=60, regime="both", seed=0)
    control = Control()

    def interrupt(_: object) -> None:
        control.interrupted = True

    control.listener = interrupt
    answer = close(instance, control)
    assert answer.termination is Termination.INTERRUPTED
    assert 0 < answer.solution.value <= answer.bound


def test_the_bound_is_never_below_that_of_more_search() -> None:
    instance = edgeopt.generate("batching", requests=30, regime="both", seed=5)
    bounds = [close(instance, Control(), vertex_limit=limit).bound for limit in (1, 20, 400)]
    assert bounds == sorted(bounds, reverse=True)
    assert Fraction(bounds[-1]) >= close(instance, Control(), vertex_limit=1).solution.value


def test_choices_of_a_schedule() -> None:
    instance = edgeopt.generate("batching", requests=10, regime="both", seed=0)
    common = program(instance)
    picked = [0, len(common.bin) - 1]
    batches: list[list[int]] = [[] for _ in range(common.bins)]
    for k in picked:
        batches[common.bin[k]].append(int(common.group[k]))
    assert choices(common, Schedule.of(batches)).tolist() == picked
