"""What a stopped model says of its incumbent: less than its schedule has is honest there, more is a lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import edgeopt as eo
from edgeopt.models.base import find, load
from edgeopt.result import Termination
from edgeopt.solvers import child, cpsat, highs
from edgeopt.solvers.backend import Bound, Incumbent, Outcome
from edgeopt.solvers.base import Progress

Stopped = Callable[..., tuple[Any, list[Progress]]]
MODULES = {"cpsat": cpsat, "highs": highs}


@pytest.fixture(params=[("cpsat", "reward"), ("highs", "reward"), ("cpsat", "latency"), ("highs", "latency")])
def stopped(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Stopped:
    """Solve with a back end that finds the schedule of `list`, and says `better` more of it than it has."""
    name, objective = request.param
    instance = eo.generate("decomposition", seed=3, tasks=2, aps=1, devices=2, objective=objective, tick_s=0.1)
    found = eo.solve(instance, "list")
    values = load(find("decomposition", None, MODULES[name].BACKEND.language))(instance).start(found.solution)

    def solve(better: int, end: Termination = Termination.TIME_LIMIT) -> tuple[Any, list[Progress]]:
        gain = better if objective == "reward" else -better
        far = found.value + (10**9 if objective == "reward" else -(10**9))

        def run(target: str, job: Any, control: Any, hear: Callable[[Any], None], **_: Any) -> Outcome:
            hear(Bound(far))
            hear(Incumbent(values, float(found.value + gain)))
            return Outcome(end, far if end is Termination.TIME_LIMIT else found.value + gain)

        monkeypatch.setattr(child, "run", run)
        heard: list[Progress] = []
        result = eo.solve(instance, name, time_limit=60, progress=heard.append)
        assert result.value == found.value
        return result, heard

    return solve


@pytest.mark.parametrize("better", [0, -1, -1000])
def test_an_incumbent_that_understates_its_schedule_is_no_error(stopped: Stopped, better: int) -> None:
    result, heard = stopped(better)
    assert result.termination is Termination.TIME_LIMIT, result
    assert not result.message
    assert [progress.value for progress in heard] == [None, result.value]
    assert {progress.bound for progress in heard} == {result.bound}


def test_an_incumbent_that_overstates_its_schedule_is_an_error(stopped: Stopped) -> None:
    result, _ = stopped(1)
    assert result.termination is Termination.ERROR
    assert "claimed the value" in result.message


def test_an_optimum_that_understates_its_schedule_is_an_error(stopped: Stopped) -> None:
    result, _ = stopped(-1, Termination.COMPLETE)
    assert result.termination is Termination.ERROR
    assert "claimed the bound" in result.message


def test_other_models_must_say_what_their_solutions_have(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = eo.generate("batching", seed=3, nodes=1, requests=10, regime="all")
    found = eo.solve(instance, "ot")
    values = load(find("batching", None, "pyomo"))(instance).start(found.solution)

    def run(target: str, job: Any, control: Any, hear: Callable[[Any], None], **_: Any) -> Outcome:
        hear(Incumbent(values, float(found.value - 1)))
        return Outcome(Termination.TIME_LIMIT)

    monkeypatch.setattr(child, "run", run)
    result = eo.solve(instance, "highs", time_limit=60)
    assert result.termination is Termination.ERROR
    assert "claimed the value" in result.message
