"""The strategy draws every corner, and limits bind in enough of what it draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from edgeopt.instances.slide import LayerTable, Models, SlideInstance, Users
from edgeopt.instances.slide.pair import Pair
from edgeopt.testing.profiles import few
from edgeopt.testing.slide import allocations, binding_limits, slide_instances


def test_the_strategy_gives_enough_nontrivial_instances() -> None:
    seen: list[set[str]] = []

    @settings(
        max_examples=120,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(slide_instances())
    def collect(instance: SlideInstance) -> None:
        seen.append(binding_limits(instance))

    collect()
    for limit in ("band", "energy", "overlap", "models"):
        assert sum(limit in found for found in seen) >= 0.1 * len(seen), limit
    assert sum(len(found) >= 2 for found in seen) >= 0.3 * len(seen)


def pairs(instance: SlideInstance) -> Iterator[Pair]:
    compiled = instance.compiled
    for user in range(compiled.users):
        for model in compiled.models_of(user).tolist():
            yield compiled.pair(user, model)


def hopeless(pair: Pair) -> bool:
    least = pair.least_share()
    return least is None or least > 1


def exactly_full(instance: SlideInstance) -> bool:
    """Whether all that can be served at full speed need exactly the band."""
    compiled = instance.compiled
    shares = [
        min((share for model in compiled.models_of(user).tolist()
             if (share := compiled.pair(user, model).least_share()) is not None), default=Fraction(0))
        for user in range(compiled.users)
    ]  # fmt: skip
    return len(shares) > 1 and sum(shares, Fraction(0)) == 1


CORNERS: dict[str, Callable[[SlideInstance], bool]] = {
    "no users": lambda i: len(i.users) == 0,
    "five users": lambda i: len(i.users) == 5,
    "three models": lambda i: len(i.models) == 3,
    "one layer": lambda i: bool((i.models.layers == 1).all()),
    "four layers": lambda i: bool((i.models.layers == 4).any()),
    "zero overheads": lambda i: not i.models.overhead_s.any(),
    "a layer without bits first": lambda i: bool((i.models.bits[i.models.start[:-1]] == 0).any()),
    "a layer without work": lambda i: bool((i.models.flop_per_sample == 0).any()),
    "a model without work": lambda i: any(not any(pair.work) for pair in pairs(i)),
    "ties": lambda i: len(i.users) > 2 and len(set(zip(i.users.deadline_s, i.users.energy_j, strict=True))) == 1,
    "a user that accepts nothing": lambda i: any(len(i.compiled.models_of(user)) == 0 for user in range(len(i.users))),
    "a user that is too late": lambda i: any(map(hopeless, pairs(i))),
    "all users hopeless": lambda i: len(i.users) > 2 and all(map(hopeless, pairs(i))),
    "energy exactly at the limit": lambda i: any(pair.energy == pair.energy_used() > 0 for pair in pairs(i)),
    "energy enough for half speed": lambda i: any(
        pair.energy is not None and pair.energy * 4 == pair.energy_used() > 0 for pair in pairs(i)),
    "no energy": lambda i: any(pair.energy == 0 for pair in pairs(i)),
    "some without limit": lambda i: bool(np.isinf(i.users.energy_j).any() and np.isfinite(i.users.energy_j).any()),
    "power and gain": lambda i: bool(np.isfinite(i.users.gain).any()),
    "shares of exactly the band": exactly_full,
    "nanoseconds": lambda i: bool((i.users.deadline_s < 1e-7).any()),
    "hours": lambda i: bool((i.users.deadline_s > 3600).any()),
    "petabits": lambda i: bool((i.models.bits > 10**14).any()),
    "band and energy": lambda i: {"band", "energy"} <= binding_limits(i),
    "band and overlap": lambda i: {"band", "overlap"} <= binding_limits(i),
    "band and models": lambda i: {"band", "models"} <= binding_limits(i),
}  # fmt: skip


class Seen(Exception):
    """All that was looked for has been drawn."""


def test_every_corner_is_drawn() -> None:
    left = dict(CORNERS)

    @settings(max_examples=500, database=None, derandomize=True, phases=[Phase.generate])
    @given(slide_instances())
    def look(instance: SlideInstance) -> None:
        for name in [name for name, there in left.items() if there(instance)]:
            del left[name]
        if not left:
            raise Seen

    with pytest.raises(Seen):
        look()
    assert not left, list(left)


@few(25)
@given(slide_instances(min_users=1, max_users=2, max_models=1, max_layers=2, energy=False))
def test_the_options_are_obeyed(instance: SlideInstance) -> None:
    assert 1 <= len(instance.users) <= 2
    assert len(instance.models) == 1
    assert instance.models.layers.max() <= 2
    assert np.isinf(instance.users.energy_j).all()


def test_many_models() -> None:
    most = 0

    @settings(max_examples=30, phases=[Phase.generate], derandomize=True, database=None, deadline=None)
    @given(slide_instances(min_users=2, max_users=2, max_models=12, max_layers=2))
    def look(instance: SlideInstance) -> None:
        nonlocal most
        assert len(instance.users) == 2
        most = max(most, len(instance.models))

    look()
    assert most > 6


@few(25)
@given(slide_instances(), st.data())
def test_allocations_are_of_the_instance(instance: SlideInstance, data: st.DataObject) -> None:
    found = data.draw(allocations(instance))
    assert len(set(found.user.tolist())) == len(found)
    assert found.offsets(instance)[-1] == instance.models.layers[found.model].sum()
    assert found.speed is None or len(found.speed) == found.offsets(instance)[-1]


def test_limits_by_hand() -> None:
    """A layer each of 1 s download at the whole band and 1 s of computing, twice."""
    tables = [
        LayerTable.of("two", bits=[8, 8], flop_per_sample=[8, 8]),
        LayerTable.of("small", bits=[1, 0], flop_per_sample=[1, 0]),
    ]
    users = Users.of(deadline_s=[4.0], frequency_hz=8.0, spectral_efficiency=1.0, models=[["two"]])
    alone = SlideInstance("hand", 8.0, Models.of(tables), users)
    assert binding_limits(alone) == {"models"}
    free = replace(alone, models=Models.of(tables[:1]))
    assert binding_limits(free) == set()
    hungry = replace(free, users=replace(free.users, energy_j=np.array([1.0]), energy_coefficient=np.array([1 / 256])))
    assert binding_limits(hungry) == {"energy"}
    first = replace(free, models=Models.of([LayerTable.of("two", bits=[8, 1], flop_per_sample=[8, 8])]))
    assert binding_limits(first) == {"overlap"}
    two = Users.of(deadline_s=[4.0, 4.0], frequency_hz=8.0, spectral_efficiency=1.0)
    assert binding_limits(replace(free, users=two)) == {"band"}
