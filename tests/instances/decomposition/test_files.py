"""Instance files: round trips in all forms, the JSON Schema, digests; schedules and results as files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.errors import InstanceError
from edgeopt.instances.decomposition import PROBLEM, DecompositionInstance, Node, Schedule, file, schedule
from edgeopt.instances.decomposition.generate import CORNERS
from edgeopt.testing.decomposition import decomposition_instances, schedules


@given(decomposition_instances())
def test_bytes_round_trip(instance: DecompositionInstance) -> None:
    for again in (
        file.decode(file.encode(instance), "x.json"),
        file.decode(file.encode_arrays(instance), "x.npz"),
    ):
        assert again.digest == instance.digest
        assert (again.nodes, again.tasks, again.links) == (instance.nodes, instance.tasks, instance.links)


@pytest.mark.parametrize("ending", [".json", ".json.gz", ".npz"])
@pytest.mark.parametrize("corner", [None, *sorted(CORNERS)])
def test_file_round_trip(tmp_path: Path, ending: str, corner: str | None) -> None:
    instance = eo.generate("decomposition", seed=4, tasks=4, corner=corner, context=True, uncertainty=0.5)
    eo.write(instance, tmp_path / f"instance{ending}")
    assert eo.read(tmp_path / f"instance{ending}").digest == instance.digest


@given(decomposition_instances(max_tasks=2))
@settings(max_examples=10)
def test_json_fits_the_schema(instance: DecompositionInstance) -> None:
    jsonschema.validate(json.loads(file.encode(instance)), PROBLEM.schema())


def test_schema_refuses_what_is_no_instance() -> None:
    data = json.loads(file.encode(eo.generate("decomposition", tasks=2)))
    jsonschema.Draft202012Validator.check_schema(PROBLEM.schema())
    for bad in ({"tick_s": "2"}, {"tasks": None}, {"surprise": 1}, {"objective": "best"}, {"nodes": [{}]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**data, **bad}, PROBLEM.schema())


def test_digest_sees_every_field() -> None:
    instance = eo.generate("decomposition", seed=1, tasks=2, context=True, shape="chain", deadline_s=(10, 20))
    changed = [
        replace(instance, **{field: value})
        for field, value in (
            ("name", "x"), ("accuracy_weight", 2.0), ("delay_weight_per_s", 0.02), ("aggregation", "mean"),
            ("tick_s", 1e-3), ("source", "y"), ("objective", "latency"), ("links", instance.links[1:]),
            ("nodes", (*instance.nodes, Node("more", "ap", 1.0, 1.0, 1.0))),
        )
    ]  # fmt: skip
    for field, value in (("arrival_s", 99.0), ("deadline_s", 99.0), ("text", "z"), ("device", "ue1")):
        if getattr(instance.tasks[0], field) != value:
            first = msgspec.structs.replace(instance.tasks[0], **{field: value})
            changed.append(replace(instance, tasks=(first, *instance.tasks[1:])))
    assert len({instance.digest, *(other.digest for other in changed)}) == len(changed) + 1


def test_numbers_of_other_types_are_the_same_instance() -> None:
    one = Node("a", "device", 7, 10**12, np.float64(1e11))  # type: ignore[arg-type]
    other = Node("a", "device", 7.0, 1e12, 1e11)
    digests = {DecompositionInstance("x", (node,), ()).digest for node in (one, other)}
    assert len(digests) == 1


@given(st.data())
def test_schedules_as_data(data: st.DataObject) -> None:
    instance = data.draw(decomposition_instances())
    solution = data.draw(schedules(instance))
    if schedule.malformed(instance.compiled, solution) is None:
        plain = json.loads(json.dumps(schedule.encode_solution(instance, solution)))
        assert schedule.decode_solution(instance, plain, "x") == solution


def test_result_round_trip(tmp_path: Path) -> None:
    instance = eo.generate("decomposition", seed=2, tasks=5)
    result = eo.solve(instance, "list")
    eo.write(result, tmp_path / "r.json", instance=instance)
    again = eo.read_result(instance, tmp_path / "r.json")
    assert (again.solution, again.value, again.bound) == (result.solution, result.value, result.bound)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.pop("tasks"), "must list the 2 tasks"),
        (lambda d: d["tasks"].pop(), "must list the 2 tasks"),
        (lambda d: d["tasks"][0].update(task="x"), r"tasks\[0\].task = 'x'"),
        (lambda d: d["tasks"][0].update(mode="x"), r"tasks\[0\].mode = 'x': must be one of whole, decomposed"),
        (lambda d: d["tasks"][0]["steps"].append({}), "must list the"),
        (lambda d: d["tasks"][0]["steps"][0].update(node="x"), r"steps\[0\].node = 'x'"),
        (lambda d: d["tasks"][0]["steps"][0].update(step="x"), r"steps\[0\].step = 'x'"),
        (lambda d: d["tasks"][0]["steps"][0].update(start=-1), "whole number of ticks"),
        (lambda d: d["tasks"][0]["steps"][0].update(start=1.5), "whole number of ticks"),
        (lambda d: d["tasks"][0]["steps"][0].pop("start"), "must have the fields step, node, start"),
        (lambda d: d["tasks"][0].update(transfers=3), "transfers must be a list"),
        (
            lambda d: d["tasks"][0].update(transfers=[{"from": "x", "to": None, "start": 1}]),
            "has none from 'x' to None",
        ),
    ],
)
def test_bad_schedules_are_refused(change: object, words: str) -> None:
    instance = eo.generate("decomposition", seed=2, tasks=2)
    plain = schedule.encode_solution(instance, eo.solve(instance, "list").solution)
    change(plain)  # type: ignore[operator]
    with pytest.raises(InstanceError, match=words):
        schedule.decode_solution(instance, plain, "file")


def test_columns_of_another_kind_are_refused() -> None:
    good = np.zeros(1, dtype=np.int64)
    with pytest.raises(InstanceError, match=r"start = .*: must be a 1-D int64 array"):
        Schedule(good, good, good.astype(float), good)
