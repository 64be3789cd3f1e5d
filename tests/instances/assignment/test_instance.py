"""Assignment instances and solutions: validation, file forms, digest, plain data, exact check."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt
from edgeopt.errors import InstanceError
from edgeopt.instances.assignment import PROBLEM, Assignment, AssignmentInstance
from edgeopt.instances.base import sense_of
from edgeopt.testing.assignment import assignment_instances


def small() -> AssignmentInstance:
    return AssignmentInstance(
        name="small",
        groups=2,
        group=np.array([0, 0, 1]),
        bin=np.array([0, 1, 1]),
        profit=np.array([5, 6, 7]),
        weight=np.array([[2, 1], [3, 1], [4, 2]]),
        capacity=np.array([[2, 1], [6, 3]]),
    )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"name": ""}, r"name = '': must not be empty"),
        ({"sense": "best"}, r"sense = 'best': must be 'max' or 'min'"),
        ({"pick": "two"}, r"pick = 'two': must be 'at-most-one' or 'exactly-one'"),
        ({"groups": -1}, r"groups = -1: must be 0 or more"),
        ({"group": np.array([0, 0, 2])}, r"choices\[2\].group = 2: must be from 0 to 1"),
        ({"bin": np.array([0, -1, 1])}, r"choices\[1\].bin = -1: must be from 0 to 1"),
        ({"weight": np.array([[2, 1], [3, -4], [4, 2]])}, r"choices\[1\].weight\[1\] = -4: must be from 0"),
        ({"capacity": np.array([[2, 1], [-6, 3]])}, r"capacity\[1\]\[0\] = -6: must be from 0"),
        ({"capacity": np.zeros((0, 2), dtype=np.int64)}, r"must have a bin and a dimension"),
        ({"profit": np.array([5, 2**53, 7])}, r"choices.profit: the largest of each group add up to"),
        ({"profit": np.array([5, 6])}, r"profit has the shape \(2,\): must be \(3,\)"),
        ({"profit": np.array([5.0, 6, 7])}, r"profit: must be an int64 array"),
        ({"profit_digits": 99}, r"profit_digits = 99: must be from 0 to 15"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], text: str) -> None:
    with pytest.raises(InstanceError, match=text):
        replace(small(), **change)


@given(assignment_instances())
def test_every_file_form_gives_the_instance_back(instance: AssignmentInstance) -> None:
    data = PROBLEM.encode(instance)
    jsonschema.validate(json.loads(data), PROBLEM.schema())
    for content in (data, PROBLEM.encode_arrays(instance)):
        again = PROBLEM.decode(content, "a file")
        assert again.digest == instance.digest
        assert np.array_equal(again.weight, instance.weight)


def test_files_of_every_ending(tmp_path: Path) -> None:
    for ending in (".json", ".json.gz", ".npz"):
        edgeopt.write(small(), tmp_path / f"small{ending}")
        assert edgeopt.read(tmp_path / f"small{ending}").digest == small().digest


@pytest.mark.parametrize(
    "change",
    [
        {"sense": "min"},
        {"pick": "exactly-one"},
        {"groups": 3},
        {"profit": np.array([5, 6, 8])},
        {"weight": np.array([[2, 1], [3, 1], [4, 1]])},
        {"capacity": np.array([[2, 1], [6, 4]])},
        {"bin": np.array([0, 1, 0])},
        {"weight_digits": 1},
    ],
)
def test_a_change_of_the_meaning_changes_the_digest(change: dict[str, Any]) -> None:
    assert replace(small(), **change).digest != small().digest


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        (["choices", 1, "weight"], [1], r"bad.json: choices\[1\].weight has 1 entries: must have 2"),
        (["choices", 1, "weight", 0], 1.5, r"bad.json: choices\[1\].weight\[0\] = 1.5: Expected `int`"),
        (["choices", 2, "profit"], 2**70, r"bad.json: profit = 1180591620717411303424: far too large"),
        (["capacity", 1], [3], r"bad.json: capacity\[1\] has 1 entries: must have 2"),
        (["sense"], "best", r"bad.json: sense = \"best\": Invalid enum value"),
        (["version"], 9, r"bad.json: version = 9"),
        (["colour"], 9, r"bad.json: Object contains unknown field `colour`"),
    ],
)
def test_a_bad_file_is_explained(tmp_path: Path, path: list[Any], value: Any, text: str) -> None:
    content = json.loads(PROBLEM.encode(small()))
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    file = tmp_path / "bad.json"
    file.write_text(json.dumps(content))
    with pytest.raises(InstanceError, match=text):
        edgeopt.read(file)


def test_the_sense_is_the_instances_own() -> None:
    assert [sense_of(instance) for instance in (small(), replace(small(), sense="min"))] == ["max", "min"]
    assert sense_of(edgeopt.generate("batching", requests=3)) == "max"


def test_the_common_form_is_the_instance() -> None:
    instance = replace(small(), sense="min", pick="exactly-one")
    assert PROBLEM.program is not None
    program = PROBLEM.program(instance)
    assert (program.sense, program.exactly_one, program.groups, program.bins) == ("min", True, 2, 2)
    for name in ("group", "bin", "profit", "weight", "capacity"):
        assert np.array_equal(getattr(program, name), getattr(instance, name))
    assert program.budget is None


def test_solutions_as_plain_data() -> None:
    instance = small()
    solution = Assignment.of(instance, [2])
    data = PROBLEM.encode_solution(instance, solution)
    assert data == {"choice": [None, 2]}
    assert PROBLEM.decode_solution(instance, data, "f") == solution
    assert PROBLEM.value(instance, solution) == 7
    for bad, text in [
        ([None], "1 entries: must have 2"),
        ([3, None], r"choice\[0\] = 3"),
        ([True, None], r"choice\[0\] = True"),
    ]:
        with pytest.raises(InstanceError, match=text):
            PROBLEM.decode_solution(instance, {"choice": bad}, "f")


def test_violations_name_constraint_place_and_both_sides() -> None:
    instance = replace(small(), pick="exactly-one")
    broken = edgeopt.violations(instance, Assignment(np.array([1, 2])))
    assert [str(item) for item in broken] == ["capacity at bin 1, dimension 0: 7 exceeds 6"]
    assert "exactly one choice at group 0" in str(edgeopt.violations(instance, Assignment(np.array([-1, 2])))[0])
    assert "own choice at group 0" in str(edgeopt.violations(instance, Assignment(np.array([2, -1])))[0])
    assert "known choice" in str(edgeopt.violations(instance, Assignment(np.array([9, 2])))[0])
    assert "one entry a group" in str(edgeopt.violations(instance, Assignment(np.array([0])))[0])


@given(assignment_instances(max_groups=3), st.data())
def test_both_checks_agree_with_the_definition(instance: AssignmentInstance, data: st.DataObject) -> None:
    entry = st.integers(-1, instance.choices - 1)
    drawn = data.draw(st.lists(entry, min_size=instance.groups, max_size=instance.groups))
    solution = Assignment(np.array(drawn, dtype=np.int64))
    taken = [k for k in drawn if k >= 0]
    good = all(k < 0 or instance.group[k] == g for g, k in enumerate(drawn))
    good &= instance.pick == "at-most-one" or -1 not in drawn
    for j, d in product(range(instance.bins), range(instance.dimensions)):
        good &= sum(int(instance.weight[k, d]) for k in taken if instance.bin[k] == j) <= instance.capacity[j, d]
    assert (not edgeopt.violations(instance, solution)) == good
    assert (not PROBLEM.compiled_violations(instance, solution)) == good
