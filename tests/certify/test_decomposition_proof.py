"""Price proofs of the decomposition problem: whatever the prices, the bound holds; whatever is changed, it is found."""

from __future__ import annotations

import copy
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.certify.certificate import matches, read_certificate, schema, sealed
from edgeopt.certify.compare import certify
from edgeopt.certify.decomposition_proof import PARTS, encoded
from edgeopt.certify.verify import proof_prices
from edgeopt.certify.verify.proof_prices import replay
from edgeopt.certify.verify.reading import Refuted, Unreadable
from edgeopt.errors import AssumptionError, InstanceError
from edgeopt.instances.decomposition import DecompositionInstance, Link, Mode, Node, Step, Task
from edgeopt.result import Termination
from edgeopt.solvers.base import Control
from edgeopt.solvers.decomposition import levels
from edgeopt.solvers.decomposition.priced import bound_of
from edgeopt.solvers.decomposition.prices import (
    PriceProof,
    Pricing,
    Search,
    critical_path,
    load_bound,
)
from edgeopt.testing.decomposition import decomposition_instances

NAMED = {"problem_name": "decomposition", "instance": {"name": "x", "digest": "x", "file_sha256": None}, "producer": {}}


def made(seed: int = 1, **options: Any) -> DecompositionInstance:
    options = {"tasks": 4, "aps": 2, "devices": 2, "steps": (2, 3), "tick_s": 0.01, "corner": "burst", **options}
    found: DecompositionInstance = eo.generate("decomposition", seed=seed, **options)
    return found


def parts(instance: DecompositionInstance) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    """Stated coefficients, solution and proof of an instance, as JSON data that may be changed."""
    result = eo.solve(instance, "priced", steps=15, slots=20)
    stated = PARTS.stated(instance)
    chosen = PARTS.chosen(instance, result.solution)
    return copy.deepcopy((stated, chosen, encoded(instance, result.proof)))


@pytest.mark.parametrize(
    "options",
    [{}, {"context": True, "shape": "chain"}, {"objective": "latency", "correctness_floor": 0.05}, {"slots": 2},
     {"objective": "on-time", "deadline_s": (5, 9)}, {"aggregation": "mean"}, {"access": "contention"}],
)  # fmt: skip
def test_a_certificate_is_written_read_and_matches(options: dict[str, Any], tmp_path: Any) -> None:
    instance = made(2, **options)
    found = certify(instance, eo.solve(instance, "priced", steps=10), against=())
    assert str(found.evidence) == "proved"
    assert found.violations == ()
    assert found.certificate is not None
    jsonschema.validate(found.certificate.content, schema())
    found.write(tmp_path / "c.json.gz")
    again = read_certificate(tmp_path / "c.json.gz")
    assert matches(again, instance) == []
    assert PARTS.solution(instance, again.content["solution"]) == found.result.solution


def test_results_without_a_proof_get_one() -> None:
    instance = made(1)
    found = certify(instance, "nearest-edge", against=())
    assert str(found.evidence) == "proved"
    assert found.bound is not None
    assert found.bound < (critical_path(instance.compiled).bound or 0)


@given(decomposition_instances(max_tasks=2, max_steps=3), st.data())
@settings(max_examples=35 if settings().max_examples < 1000 else 600)
def test_any_prices_give_a_bound(instance: DecompositionInstance, data: st.DataObject) -> None:
    """Prices, slots and cells at random: the verifier's bound is the kernel's, and never better than the optimum."""
    compiled = instance.compiled
    resources = len(compiled.arrays.slots)
    draw = data.draw
    count, floor = draw(st.integers(0, 4)), draw(st.integers(0, 3)) * 1000 if instance.objective == "latency" else 0
    pricing = Pricing(compiled, floor)
    rows = draw(
        st.lists(st.lists(st.integers(0, 40), min_size=count, max_size=count), min_size=resources, max_size=resources)
    )
    prices = np.array(rows, dtype=np.int64).reshape(resources, count) * draw(st.sampled_from((1, 100, 10**6)))
    begin, slot = draw(st.integers(0, 4)), draw(st.integers(1, 8))
    cell, cells = draw(st.integers(1, 5)), draw(st.integers(1, 9))
    if draw(st.booleans()):  # the dynamic program for every mode
        pricing.__dict__["most_places"] = 0
    at = pricing.at(prices, begin, slot, cell, cells)
    claims = tuple(at.claims.tolist()) if at.total is not None and draw(st.booleans()) else ()
    given_proof = PriceProof(
        pricing.value(at.total), pricing.bits, begin, slot, prices, floor, cell, cells, pricing.levels,
        pricing.most_places, claims,
    )  # fmt: skip
    replayed = replay(PARTS.stated(instance), None, encoded(instance, given_proof))
    assert replayed.bound == given_proof.bound
    optimum = eo.solve(instance, "cpsat")
    if optimum.termination is Termination.INFEASIBLE or replayed.bound is None:
        assert replayed.bound is not None or optimum.solution is None
        return
    sign = -1 if instance.sense == "min" else 1
    assert optimum.value is not None
    assert sign * replayed.bound >= sign * optimum.value


def test_the_sum_of_many_large_gains_stays_exact() -> None:
    """Each of 40 tasks gains nearly 2^58 in the units of the prices, more than 64 bits all together."""
    nodes = (Node("u", "device", 0.0, 1, 1), Node("a", "ap", 0.0, 1, 1))
    steps = [
        Step(name, after=after, correctness={"u": 1.0, "a": 0.9}, time_s={"u": 0.003, "a": 0.001})
        for name, after in (("a", []), ("b", ["a"]))
    ]
    tasks = tuple(Task(f"t{k}", "u", [Mode("m", steps)], deadline_s=0.085) for k in range(40))
    instance = DecompositionInstance(
        "m", nodes, tasks, (), (Link("u", "a", 8e9),), aggregation="mean", delay_weight_per_s=1.2345678912e-5,
        tick_s=0.001,
    )  # fmt: skip
    compiled = instance.compiled
    pricing = Pricing(compiled)
    total = pricing.at(np.zeros((2, 1), dtype=np.int64), 0, 100, 1, 85).total
    assert total is not None
    assert total > 2**63
    result = eo.solve(instance, "priced", steps=5)
    assert result.bound is not None
    assert (result.value or 0) <= result.bound <= (pricing.value(total) or 0) <= (critical_path(compiled).bound or 0)
    assert replay(PARTS.stated(instance), None, encoded(instance, result.proof)).bound == result.bound


def test_a_task_that_can_gain_too_much_for_64_bits_is_refused() -> None:
    """A correctness that is worth 2^59 is as much too large as a delay that costs that, and so is a price of it."""
    step = Step("s", correctness={"u": 1.0}, time_s={"u": 1.0})
    instance = DecompositionInstance(
        "m", (Node("u", "device", 0.0, 1, 1),), (Task("t", "u", [Mode("m", [step])]),), (), (),
        delay_weight_per_s=2e-18, tick_s=1.0,
    )  # fmt: skip
    with pytest.raises(AssumptionError, match="58 bits"):
        Pricing(instance.compiled)
    for floor in (2**36, 2**45):
        with pytest.raises(AssumptionError, match="58 bits"):
            Pricing(made(1, objective="latency", correctness_floor=0.05).compiled, floor)


@pytest.mark.parametrize("delay_weight", [1.2345678912e-5, 1.2345678904e-5])
def test_steep_chords_of_a_large_reward_make_no_task_impossible(delay_weight: float) -> None:
    """Where all nodes are right as often, a chord is one level high, ``2^-20`` wide, and begins far below 0."""
    right = 560017  # of ten steps: the logarithm is -5.8, and a millionth of a level higher than one of 2^-20 less
    nodes = (Node("u", "device", 0.0, 1, 1), Node("a", "ap", 0.0, 1, 1), Node("b", "ap", 0.0, 1, 1))
    steps = [
        Step(f"s{k}", after=[f"s{k - 1}"] if k else [], correctness=dict.fromkeys("uab", right / 1e6),
             time_s=dict.fromkeys("uab", 0.001))
        for k in range(10)
    ]  # fmt: skip
    links = (Link("u", "a", 8e9), Link("u", "b", 8e9), Link("a", "b", 8e9))
    instance = DecompositionInstance(
        "m", nodes, (Task("t", "u", [Mode("m", steps)]),), (), links, delay_weight_per_s=delay_weight, tick_s=0.001
    )
    assert levels.level(10 * levels.logarithm(right)) > levels.level(10 * levels.logarithm(right) - 1)
    known = eo.solve(instance, "list").solution
    proof = bound_of(instance, known, Control(), Search(steps=2, slots=2, cells=20))
    assert proof.bound is not None
    assert proof.bound == replay(PARTS.stated(instance), PARTS.chosen(instance, known), encoded(instance, proof)).bound


def test_bounds_get_better() -> None:
    """Paths, one price a resource, prices over time: each bound is at least as good as the one before."""
    for seed in (1, 2, 3):
        instance = made(seed, tasks=8)
        known = eo.solve(instance, "list")
        paths = critical_path(instance.compiled).bound
        load = load_bound(instance.compiled, int(known.value or 0), 40_000, Control()).bound
        priced = bound_of(instance, known.solution, Control(), Search(steps=60)).bound
        assert paths is not None
        assert load is not None
        assert priced is not None
        assert paths > load > priced >= (known.value or 0)


def test_a_task_that_cannot_be_done_is_proved_so() -> None:
    instance = made(1, deadline_s=(0.01, 0.02))
    result = eo.solve(instance, "priced")
    assert result.termination is Termination.INFEASIBLE
    found = certify(instance, result, against=())
    assert found.certificate is not None
    assert found.certificate.bound is None
    assert eo.solve(instance, "cpsat").termination is Termination.INFEASIBLE


def test_logarithms_are_those_of_the_verifier() -> None:
    rights = np.array([0, 1, 2, 499999, 500000, 999999, 10**6], dtype=np.int64)
    assert levels.logarithms(rights).tolist() == [proof_prices.logarithm(int(right)) for right in rights]
    logs = np.array([-(64 << 20), -(1 << 20), -726817, -5, -1, 0, 7], dtype=np.int64)
    assert levels.levels_of(logs).tolist() == [proof_prices.level(int(log)) for log in logs]
    for right in range(1, 10**6, 9973):
        assert proof_prices.level(proof_prices.logarithm(right)) >= right


def test_coordinated_edits_are_refuted() -> None:
    """Changes that alter the meaning, with the claim recomputed where it can be: no false statement comes out."""
    instance = made(3)
    stated, chosen, proof = parts(instance)
    bound = replay(stated, chosen, proof).bound
    value = replay(stated, chosen, proof).value
    assert bound is not None
    assert value is not None
    split = max(range(len(chosen)), key=lambda task: len(chosen[task]["node"]))
    assert len(chosen[split]["node"]) > 1
    edits: list[tuple[Any, str]] = [
        (lambda s, c, p: c[split]["start"].__setitem__(-1, 0), "begins|at once|before"),
        (lambda s, c, p: c[split]["node"].__setitem__(0, 99), "may not run"),
        (lambda s, c, p: c[split]["transfer"].__setitem__(0, 10**6), "transfer iff|begins before"),
        (lambda s, c, p: c[0].update(mode=5), "there is no mode"),
        (lambda s, c, p: c.pop(), "list of 4"),
        (lambda s, c, p: p["prices"][0].append(-1), "less than 0"),
        (lambda s, c, p: p["prices"].pop(), "list of"),
        (lambda s, c, p: p.update(slot=0), "slot must be"),
        (lambda s, c, p: p.update(floor=5), "only the objective latency"),
        (
            lambda s, c, p: p.update(dropped=[[0, 0, [0]]], places=0, claims=[]),
            "edge from the device|feed exactly one|one from the device",
        ),
        (lambda s, c, p: p.update(dropped=[[0, 1, [99]]], places=0, claims=[]), "does not exist"),
        (lambda s, c, p: p.update(claims=[1]), "list of 4"),
        (lambda s, c, p: s["tasks"][0]["modes"][0]["edges"].clear(), "nothing follows"),
        (lambda s, c, p: s["slots"].__setitem__(0, 0), "less than 1"),
        (lambda s, c, p: s.update(objective="fame"), "objective must be"),
        (lambda s, c, p: s["tasks"][0].update(device=77), "no node"),
    ]
    for edit, words in edits:
        s, c, p = copy.deepcopy((stated, chosen, proof))
        edit(s, c, p)
        with pytest.raises((Refuted, Unreadable), match=words):
            replay(s, c, p)
        with pytest.raises(InstanceError):
            sealed(s, c, p, **NAMED)  # type: ignore[arg-type]


def stated_by_hand() -> tuple[dict[str, Any], dict[str, Any]]:
    """A program of one task on one node, two steps of 5 ticks one after the other, and a proof without prices."""
    steps = [{"options": [[0, 5, 10**6, 5, 10**6]], "weight": 1, "context": None} for _ in range(2)]
    mode = {"steps": steps, "edges": [[None, 0, 1], [0, 1, 1], [1, None, 1]]}
    task = {"release": 0, "origin": 0, "due": None, "device": 0, "modes": [mode]}
    program = {
        "objective": "reward", "aggregation": "product", "right_factor": 1, "tick_factor": 1, "floor": 0,
        "slots": [1], "channel": [[-1]], "frame": [[10]], "overhead": [[0]], "byte": [[0]], "tasks": [task],
    }  # fmt: skip
    proof = {
        "kind": "prices", "bits": 0, "begin": 0, "slot": 1, "prices": [[]], "floor": 0, "cell": 1, "cells": 0,
        "levels": [], "dropped": [], "places": 0, "claims": [],
    }  # fmt: skip
    return program, proof


def assigned(content: Any, path: tuple[Any, ...], value: Any) -> None:
    """Put a value into a place of nested lists and objects."""
    for name in path[:-1]:
        content = content[name]
    content[path[-1]] = value


TASK: tuple[Any, ...] = ("tasks", 0)
MODE = (*TASK, "modes", 0)


@pytest.mark.parametrize(
    "path",
    [("right_factor",), ("tick_factor",), ("floor",), ("slots", 0), ("frame", 0, 0), ("overhead", 0, 0), ("byte", 0, 0),
     (*TASK, "release"), (*TASK, "due"), (*MODE, "steps", 0, "options", 0, 1), (*MODE, "steps", 0, "weight"),
     (*MODE, "edges", 0, 2)],
)  # fmt: skip
def test_a_program_of_numbers_that_pass_for_infinite_is_refused(path: tuple[Any, ...]) -> None:
    """Nothing that is read can pass for infinite, and so for impossible: that is how no solution is proved."""
    program, proof = stated_by_hand()
    assigned(program, path, 10**70)
    field = [name for name in path if isinstance(name, str)][-1].replace("edges", "bytes")
    with pytest.raises(Unreadable, match=f"{field}.*(must be from|holds a number above)"):
        replay(program, None, proof)


@pytest.mark.parametrize(
    ("name", "value"),
    [("begin", 10**70), ("slot", 10**70), ("prices", [[10**70]]), ("cell", 10**70), ("places", 10**70),
     ("levels", [-(10**70)]), ("claims", [-(10**70)]), ("claims", [10**70])],
)  # fmt: skip
def test_prices_that_pass_for_infinite_are_refused(name: str, value: Any) -> None:
    program, proof = stated_by_hand()
    with pytest.raises(Unreadable, match=f"proof.{name}"):
        replay(program, None, {**proof, name: value})


@pytest.mark.parametrize("objective", ["reward", "latency", "on-time"])
def test_the_largest_numbers_prove_no_task_impossible(objective: str) -> None:
    """All at its largest is far from infinite: a task that can be done is not proved impossible in any way."""
    most = 2**62
    program, proof = stated_by_hand()
    task = program["tasks"][0]
    task["release"] = most
    steps = [{"options": [[1, most, 1, most, 1]], "weight": most, "context": None} for _ in range(2)]
    task["modes"] = [{"steps": steps, "edges": [[None, 0, most], [None, 1, most], [0, None, most], [1, None, most]]}]
    program |= {
        "objective": objective, "right_factor": most, "tick_factor": most, "slots": [1, 1, 1],
        "channel": [[-1, 2], [2, -1]], "frame": [[1, 1]] * 2, "overhead": [[most] * 2] * 2, "byte": [[most] * 2] * 2,
    }  # fmt: skip
    dear = {**proof, "bits": 64, "slot": most, "prices": [[most] * 9] * 3, "cell": most}
    for ways in ({"cells": 0}, {"cells": 3}, {"cells": 3, "places": 1}, {"cells": 3, "levels": [-5]}):
        found = replay(program, None, {**dear, **ways})
        assert found.bound is not None


def test_a_node_without_a_link_to_itself_is_refused() -> None:
    """What is on a node is there, so a schedule needs no such link, and the bound must not need one either."""
    program, proof = stated_by_hand()
    solution = [{"mode": 0, "node": [0, 0], "start": [0, 5], "transfer": [None] * 3}]
    assert replay(program, solution, proof).value == replay(program, solution, proof).bound == 10**6 - 10
    program["channel"] = [[-3]]
    with pytest.raises(Unreadable, match="from a node to itself"):
        replay(program, None, proof)


def test_a_claim_of_more_is_refuted(tmp_path: Any) -> None:
    from edgeopt.certify.verify import certificate as verifier

    instance = made(3)
    found = certify(instance, eo.solve(instance, "priced", steps=10), against=())
    assert found.certificate is not None
    for change in ({"value": (found.certificate.value or 0) + 1}, {"bound": (found.certificate.bound or 0) - 1}):
        content = copy.deepcopy(dict(found.certificate.content))
        content["claim"] = {**content["claim"], **change, "ratio": None}
        content["seal"] = verifier.seal(content)
        with pytest.raises(Refuted, match="claim"):
            verifier.check(content)


def test_claims_that_are_too_low_prove_nothing() -> None:
    """The verifier looks at what passes a claim, so a claim of too little changes nothing."""
    stated, _, proof = parts(made(3))
    bound = replay(stated, None, proof).bound
    assert bound is not None
    for change in (lambda claim: claim - 10**9, lambda claim: -(10**15)):
        low = {**proof, "claims": [change(claim) for claim in proof["claims"]]}
        assert replay(stated, None, low).bound == bound
    high = {**proof, "claims": [claim + (1 << proof["bits"]) for claim in proof["claims"]]}
    assert replay(stated, None, high).bound == bound + len(proof["claims"])


def test_another_instance_does_not_match() -> None:
    instance = made(3)
    found = certify(instance, eo.solve(instance, "list"), against=())
    assert found.certificate is not None
    other = eo.generate("decomposition", seed=4, tasks=4, aps=2, devices=2, steps=(2, 3), tick_s=0.01, corner="burst")
    assert any("program.tasks" in text for text in matches(found.certificate, other))
