"""Bounds against optima and simulations, and their certificates."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.certify.certificate import matches, read_certificate
from edgeopt.certify.offloading_proof import PARTS
from edgeopt.certify.verify.proof_machine_time import replay
from edgeopt.certify.verify.reading import Refuted, Unreadable
from edgeopt.instances.offloading import OffloadingInstance, Plan
from edgeopt.solvers.base import Control
from edgeopt.solvers.offloading.closed_loop import simulate
from edgeopt.solvers.offloading.episodes import Episodes
from edgeopt.solvers.offloading.hindsight import hindsight
from edgeopt.solvers.offloading.policies import SIMPLE, policy
from edgeopt.solvers.offloading.proof import prices
from edgeopt.testing.offloading import offloading_instances


@settings(max_examples=max(20, settings().max_examples // 2))
@given(instance=offloading_instances(max_tasks=4), data=st.data())
def test_whatever_the_prices_the_bound_holds(instance: OffloadingInstance, data: st.DataObject) -> None:
    """Random prices, widths and speeds: never above the optimum."""
    optimum = eo.solve(instance, "brute-force").value
    assert optimum is not None
    stated = PARTS.stated(instance)
    number = st.integers(0, 9)

    def columns(count: int) -> list[list[int]]:
        return [data.draw(st.lists(number, max_size=12)) for _ in range(count)]

    devices, servers = stated["devices"], stated["servers"]
    proof = {
        "kind": "machine_time", "bits": data.draw(st.integers(0, 4)), "width": data.draw(st.integers(1, 7)),
        "servers": columns(servers), "own": columns(devices), "radio": columns(devices),
        "speeds": data.draw(st.lists(st.integers(1, 9), min_size=devices + servers, max_size=devices + servers)),
    }  # fmt: skip
    bound = replay(stated, None, proof).bound
    assert bound is not None
    assert bound <= optimum


@settings(max_examples=max(10, settings().max_examples // 6))
@given(instance=offloading_instances(max_tasks=6))
def test_the_search_finds_what_its_replay_proves(instance: OffloadingInstance) -> None:
    stated = PARTS.stated(instance)
    answer = hindsight(instance, Control(), rounds=2, steps=60)
    assert answer.claimed_value is not None
    proof = PARTS.proof(instance, stated, None, [], Control())
    bound = replay(stated, answer.solution.place.tolist(), proof)
    assert bound.value == answer.claimed_value
    assert bound.bound is not None
    assert bound.bound <= answer.claimed_value
    made = prices(instance.compiled, answer.claimed_value, Control(), steps=60)
    exact = replay(stated, None, _with(proof, made)).bound
    assert exact is not None
    assert exact >= made.bound - 1 - 0.01 * abs(made.bound)


def _with(proof: dict[str, Any], made: Any) -> dict[str, Any]:
    def whole(columns: Any) -> Any:
        return np.rint(columns * 2**16).astype(np.int64).tolist()

    return proof | {
        "width": made.width,
        "bits": 16,
        "servers": whole(made.servers),
        "own": whole(made.own),
        "radio": whole(made.radio),
    }


@pytest.mark.parametrize("discipline", ["fifo", "ps"])
@pytest.mark.parametrize("load", [None, 0.9])
def test_no_policy_is_below_the_bound(discipline: str, load: float | None) -> None:
    for seed in range(2):
        instance = eo.generate("offloading", seed=seed, slots=20, load=load, discipline=discipline, channel="fading")
        found = eo.certify(instance, eo.solve(instance, "hindsight", rounds=3), against=())
        assert str(found.evidence) == "proved"
        assert found.ratio is not None
        assert found.ratio > 0.8
        for name in [*SIMPLE, "lacs", "rollouts", "matching"]:
            value = eo.solve(instance, name).value
            assert value is not None
            assert found.bound is not None
            assert value >= found.bound
        episodes = Episodes.of([instance])
        for name in ("learned", "dqn"):
            assert simulate(episodes, policy(name)).total[0] >= found.bound


def small(discipline: str = "fifo") -> OffloadingInstance:
    return eo.generate("offloading", seed=3, slots=12, load=0.6, discipline=discipline)  # type: ignore[no-any-return]


@pytest.mark.parametrize("discipline", ["fifo", "ps"])
def test_a_certificate_goes_to_a_file_and_back(discipline: str, tmp_path: Any) -> None:
    instance = small(discipline)
    found = eo.certify(instance, "hindsight", against=())
    assert found.certificate is not None
    found.write(tmp_path / "c.json.gz")
    again = read_certificate(tmp_path / "c.json.gz")
    assert matches(again, instance) == []
    assert PARTS.solution(instance, again.content["solution"]) == found.result.solution


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("discipline",), "lifo"),
        (("penalty",), -1),
        (("tasks", 0, "device"), 99),
        (("tasks", 0, "due"), -1),
        (("tasks", 0, "local"), 0),
        (("tasks", 0, "work", 0), -1),
        (("tasks", 0, "upload"), [1]),
        (("tasks", 1, "arrival"), 0.5),
    ],
)
def test_a_program_that_is_none_is_refused(place: tuple[Any, ...], value: Any) -> None:
    instance = small()
    stated = copy.deepcopy(PARTS.stated(instance))
    proof = PARTS.proof(instance, stated, None, [], Control())
    inside: Any = stated
    for step in place[:-1]:
        inside = inside[step]
    inside[place[-1]] = value
    with pytest.raises((Refuted, Unreadable)):
        replay(stated, None, proof)


@pytest.mark.parametrize(
    "change",
    [
        {"bits": -1},
        {"bits": 99},
        {"width": 0},
        {"servers": []},
        {"own": [[-1]] * 6},
        {"speeds": [0] * 12},
        {"radio": 1},
    ],
)
def test_a_proof_that_is_none_is_refused(change: dict[str, Any]) -> None:
    instance = small()
    stated = PARTS.stated(instance)
    proof = PARTS.proof(instance, stated, None, [], Control())
    with pytest.raises((Refuted, Unreadable)):
        replay(stated, None, proof | change)


def test_a_coordinated_change_is_refuted() -> None:
    """A work time made shorter in the program, value and bound claimed anew, the seal made anew."""
    from edgeopt.certify.verify.certificate import check, seal

    instance = small()
    found = eo.certify(instance, "hindsight", against=())
    assert found.certificate is not None
    content = copy.deepcopy(dict(found.certificate.content))
    content["claim"]["value"] -= 1
    content["claim"]["bound"] -= 1
    content["seal"] = seal(content)
    with pytest.raises(Refuted, match=r"claim\.value"):
        check(content)
    content = copy.deepcopy(dict(found.certificate.content))
    content["program"]["tasks"][0]["work"] = [max(1, w - 1) for w in content["program"]["tasks"][0]["work"]]
    content["seal"] = seal(content)
    from edgeopt.certify.certificate import Certificate

    assert matches(Certificate(content), instance)


def test_a_plan_that_is_none_is_refuted() -> None:
    instance = small()
    stated = PARTS.stated(instance)
    proof = PARTS.proof(instance, stated, None, [], Control())
    plan = Plan(np.zeros(len(instance), dtype=np.int64)).place.tolist()
    for changed in ([99, *plan[1:]], plan[1:], [-1, *plan[1:]]):
        with pytest.raises((Refuted, Unreadable)):
            replay(stated, changed, proof)
