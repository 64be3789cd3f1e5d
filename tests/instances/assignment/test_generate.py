"""Generated assignment instances: reproducible, of the class they claim, and worth testing on."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings

import edgeopt
from edgeopt.errors import InstanceError
from edgeopt.instances.assignment import AssignmentInstance
from edgeopt.instances.assignment.generate import CORNERS, KINDS
from edgeopt.testing.assignment import assignment_instances

SHIPPED = sorted((Path(__file__).parents[3] / "instances" / "assignment").glob("*.json"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_the_same_instance(kind: str) -> None:
    first = edgeopt.generate("assignment", kind=kind, seed=3)
    assert first.digest == edgeopt.generate("assignment", kind=kind, seed=3).digest
    assert first.digest != edgeopt.generate("assignment", kind=kind, seed=4).digest


def test_type_a_has_the_capacities_of_its_formula() -> None:
    instance = edgeopt.generate("assignment", kind="gap-a", items=50, bins=5, seed=1)
    cost, weight = instance.profit.reshape(50, 5), instance.weight.reshape(50, 5)
    assert weight.min() >= 5
    assert weight.max() <= 25
    assert cost.min() >= 10
    assert cost.max() <= 50
    cheapest = [int(row.argmin()) for row in cost]
    loads = [sum(int(weight[i, j]) for i in range(50) if cheapest[i] == j) for j in range(5)]
    assert instance.capacity.tolist() == [[int(0.6 * 10 * 15 + 0.4 * max(loads))]] * 5
    tighter = edgeopt.generate("assignment", kind="gap-b", items=50, bins=5, seed=1)
    assert tighter.capacity[0, 0] == int(0.7 * (0.6 * 10 * 15 + 0.4 * max(loads)))


def test_type_d_has_costs_against_weights() -> None:
    instance = edgeopt.generate("assignment", kind="gap-d", items=50, bins=5, seed=1)
    spread = instance.profit + instance.weight[:, 0] - 111
    assert np.abs(spread).max() <= 10
    assert (instance.capacity[:, 0] == np.floor(0.8 * instance.weight.reshape(50, 5).sum(axis=0) / 5)).all()


@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("kind", ["gap-c", "knapsack", "mmkp"])
def test_corners_are_valid_and_change_something(kind: str, corner: str) -> None:
    options: dict[str, Any] = {"kind": kind, "items": 6, "bins": 2, "size": 2, "seed": 1}
    assert (
        edgeopt.generate("assignment", corner=corner, **options).digest
        != edgeopt.generate("assignment", **options).digest
    )


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ({"kind": "gap-z"}, "kind = 'gap-z': must be one of gap-a"),
        ({"items": 0}, "items = 0: must be from 1"),
        ({"corner": "none"}, "corner = 'none': must be one of"),
        ({"tightness": 0.0}, "tightness = 0.0: must be over 0"),
        ({"colour": 1}, "colour"),
    ],
)
def test_a_bad_option_is_named(option: dict[str, Any], text: str) -> None:
    with pytest.raises(InstanceError, match=text):
        edgeopt.generate("assignment", **option)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_instances_are_readable(path: Path) -> None:
    assert edgeopt.read(path).name == path.stem


def test_there_are_shipped_instances() -> None:
    assert len(SHIPPED) >= 10


def _nontrivial(instance: AssignmentInstance) -> bool:
    """Whether two or more capacities bind: each is broken by a combination that breaks no other."""
    alone = set()
    for combination in product(*([-1, *group.tolist()] for group in instance.by_group)):
        taken = [k for k in combination if k >= 0]
        load = np.zeros_like(instance.capacity)
        np.add.at(load, instance.bin[taken], instance.weight[taken])
        broken = np.argwhere(load > instance.capacity)
        if len(broken) == 1:
            alone.add(tuple(broken[0].tolist()))
    return len(alone) >= 2


def test_the_strategy_gives_enough_nontrivial_instances() -> None:
    seen: list[bool] = []

    @settings(max_examples=150, phases=[Phase.generate], derandomize=True, database=None)
    @given(assignment_instances(max_groups=4, max_choices=3))
    def collect(instance: AssignmentInstance) -> None:
        seen.append(_nontrivial(instance))

    collect()
    assert sum(seen) >= 0.3 * len(seen), f"{sum(seen)} of {len(seen)}"
