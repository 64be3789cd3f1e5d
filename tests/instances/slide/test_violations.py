"""Every constraint has an allocation that breaks it alone; both checks agree up to what rounding may refuse."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.instances.base import Violation
from edgeopt.instances.slide import Allocation, LayerTable, Models, SlideInstance, Users, check
from edgeopt.instances.slide.compiled_check import compiled_violations
from edgeopt.testing.profiles import few
from edgeopt.testing.slide import allocations, slide_instances

Numbers = np.ndarray[Any, np.dtype[np.float64]] | tuple[Fraction, ...]


def case(**fields: Any) -> SlideInstance:
    """Two users with 8 s; a model of 2 layers that takes 2 s and 1 s of the band, then 1 s and 2 s, and 1 s each over.

    At the whole band it is ready after 2 + 1 + 1 + 2 + 1 = 7 s; full speed costs 3 J.
    """
    users = {"deadline_s": [8.0, 8.0], "frequency_hz": 8.0, "spectral_efficiency": 1.0,
             "energy_j": 3.0, "energy_coefficient": 2.0**-9, **fields}  # fmt: skip
    models = [
        LayerTable.of("two", bits=[16, 8], flop_per_sample=[8, 16], overhead_s=[1.0, 1.0], accuracy=0.5),
        LayerTable.of("other", bits=[1], flop_per_sample=[1], accuracy=0.25),
    ]
    return SlideInstance("case", 8.0, Models.of(models), Users.of(**users))


def serve(share: float | Fraction = 1.0, speed: list[float] | None = None, user: int = 0, model: int = 0) -> Allocation:
    """One user served."""
    shares: Numbers = (share,) if isinstance(share, Fraction) else np.array([share])
    return Allocation(np.array([user]), np.array([model]), shares, None if speed is None else np.array(speed))


def both(instance: SlideInstance, allocation: Allocation) -> tuple[list[Violation], list[Violation]]:
    return check.violations(instance, allocation), list(compiled_violations(instance, allocation))


FEASIBLE: list[tuple[str, dict[str, Any], Allocation]] = [
    ("nobody", {}, Allocation(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))),
    ("the whole band", {}, serve()),
    ("the least share", {}, serve(Fraction(2, 3))),
    ("the least share at half speed first", {"deadline_s": 9.0}, serve(Fraction(2, 3), [0.5, 1.0])),
    ("just in time at the whole band", {"deadline_s": 7.0}, serve()),
    ("energy of three quarters", {"energy_j": 2.25, "deadline_s": 9.0}, serve(1.0, [0.5, 1.0])),
    ("no limit of energy", {"energy_j": np.inf}, serve()),
    ("accuracy just met", {"min_accuracy": 0.5}, serve()),
    ("two thirds and a third", {}, Allocation(np.array([1, 0]), np.array([0, 1]), (Fraction(2, 3), Fraction(1, 3)))),
]


@pytest.mark.parametrize(("fields", "allocation"), [row[1:] for row in FEASIBLE], ids=[row[0] for row in FEASIBLE])
def test_feasible(fields: dict[str, Any], allocation: Allocation) -> None:
    assert both(case(**fields), allocation) == ([], [])


HALF = np.array([0.5, 0.5])
BROKEN: list[tuple[str, dict[str, Any], Allocation, str, str, str]] = [
    ("a hair late", {}, serve(Fraction(2, 3) - Fraction(1, 10**30)), "deadline t_L <= T", "8", "user u0, model two"),
    ("late by its last layer", {"deadline_s": 7.0}, serve(0.99), "deadline t_L <= T", "7", "user u0, model two"),
    ("late by its speed", {"deadline_s": 7.0}, serve(1.0, [1.0, 0.999]), "deadline t_L <= T", "7", "u0"),
    ("late by overhead", {"deadline_s": 4.5}, serve(1.0), "deadline t_L <= T", "4.5 s", "user u0"),
    ("late by its batch", {"batch": 2, "energy_j": 6.0}, serve(1.0), "deadline t_L <= T", "10 s", "u0"),
    ("late by its device", {"cycles_per_flop": 2.0, "energy_j": 6.0}, serve(1.0), "deadline t_L <= T", "10 s", "u0"),
    ("energy", {"energy_j": 2.9999999999999996}, serve(), "energy", "3 J", "user u0, model two"),
    ("energy at a speed", {"energy_j": 2.0, "deadline_s": 9.0}, serve(1.0, [0.5, 1.0]), "energy", "2.25 J", "u0"),
    ("no energy at all", {"energy_j": 0.0}, serve(), "energy", "3 J", "user u0"),
    ("no share", {}, serve(0.0), "share 0 < y <= 1", "0 of the band", "user u0"),
    ("a negative share", {}, serve(-0.5), "share 0 < y <= 1", "-0.5 of the band", "user u0"),
    ("no speed", {}, serve(1.0, [1.0, 0.0]), "speed 0 < z <= 1", "0 of f", "user u0, model two, layer 1"),
    ("too fast", {}, serve(1.0, [1.25, 1.0]), "speed 0 < z <= 1", "1.25 of f", "layer 0"),
    ("inaccurate", {"min_accuracy": 0.5}, serve(1.0, model=1), "accuracy", "0.5", "user u0, model other"),
    ("not accepted", {"models": [["other"], None]}, serve(), "accepted model", "two", "user u0, model two"),
    ("nothing accepted", {"models": [[], None]}, serve(), "accepted model", "two", "user u0, model two"),
    ("the band", {}, Allocation(np.array([0, 1]), np.array([0, 1]), np.array([0.75, np.nextafter(0.25, 1)])),
     "band: sum y <= 1", "of the band", "solution"),
    ("twice", {}, Allocation(np.array([1, 1]), np.array([1, 1]), HALF), "served at most once", "again", "user u1"),
    ("a user too many", {}, serve(user=2), "known user", "user 2", "solution"),
    ("a negative user", {}, serve(user=-1), "known user", "user -1", "solution"),
    ("a model too many", {}, serve(model=2), "known model", "model 2", "solution"),
    ("a negative model", {}, serve(model=-1), "known model", "model -1", "solution"),
    ("a speed too few", {}, serve(1.0, [1.0]), "one speed a layer", "1 speeds", "solution"),
    ("a speed too many", {}, serve(1.0, [1.0] * 3), "one speed a layer", "3 speeds", "solution"),
    ("a share too few", {}, Allocation(np.array([0, 1]), np.array([0, 0]), np.ones(1)), "one entry a user", "1 shares",
     "solution"),
    ("a share that is no number", {}, serve(np.nan), "finite shares", "share nan", "solution"),
    ("an infinite speed", {}, serve(1.0, [1.0, np.inf]), "finite speeds", "speed inf", "solution"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "allocation", "constraint", "demand", "where"),
    [row[1:] for row in BROKEN],
    ids=[row[0] for row in BROKEN],
)
def test_each_constraint_is_broken_alone(
    fields: dict[str, Any], allocation: Allocation, constraint: str, demand: str, where: str
) -> None:
    raw, scaled = both(case(**fields), allocation)
    assert [item.constraint for item in raw] == [constraint]
    assert where in raw[0].where
    assert demand in f"{raw[0].demand} exceeds {raw[0].capacity}"
    assert len(scaled) == 1
    if constraint in ("energy", "deadline t_L <= T"):
        assert scaled[0].constraint == "deadline and energy"


def test_everything_at_once() -> None:
    allocation = Allocation(np.array([0, 0]), np.array([0, 1]), np.array([0.9, 0.2]))
    raw, scaled = both(case(min_accuracy=0.4, energy_j=1.0, deadline_s=3.0), allocation)
    names = {item.constraint for item in raw}
    assert names == {"served at most once", "accuracy", "band: sum y <= 1", "deadline t_L <= T", "energy"}
    assert {item.constraint for item in scaled} == {
        "served at most once", "accepted model", "band: sum y <= 1", "deadline and energy"
    }  # fmt: skip


@few(25)
@given(slide_instances(), st.data())
def test_the_compiled_check_never_accepts_what_the_raw_one_refuses(
    instance: SlideInstance, data: st.DataObject
) -> None:
    raw, scaled = both(instance, data.draw(allocations(instance)))
    assert scaled or not raw


def near(instance: SlideInstance, data: st.DataObject) -> Allocation | None:
    """Everyone whom full speed serves, at about the least share."""
    found = instance.compiled
    served = []
    for user in range(found.users):
        for model in found.models_of(user).tolist():
            pair = found.pair(user, model)
            least = pair.least_share()
            if least is not None and least <= 1 and (pair.energy is None or pair.energy_used() <= pair.energy):
                served.append((user, model, least))
                break
    if not served:
        return None
    ulps = data.draw(st.lists(st.integers(-2, 2), min_size=len(served), max_size=len(served)))
    share = [float(least) * (1 + 2.0**-52 * ulp) for (_, _, least), ulp in zip(served, ulps, strict=True)]
    return Allocation(np.array([u for u, _, _ in served]), np.array([m for _, m, _ in served]), np.array(share))


@few(25)
@given(slide_instances(min_users=1), st.data())
def test_the_compiled_check_is_exact_at_the_border(instance: SlideInstance, data: st.DataObject) -> None:
    """Shares within an ulp or two of the least: floats cannot tell, and the answer is that of the fractions."""
    allocation = near(instance, data)
    if allocation is None:
        return
    late = {
        instance.users.id[user]
        for place, (user, model) in enumerate(zip(allocation.user.tolist(), allocation.model.tolist(), strict=True))
        if not instance.compiled.pair(user, model).allows(allocation.exact_share(place))
        or allocation.exact_share(place) > 1
    }
    found = compiled_violations(instance, allocation)
    named = {item.where.split(",")[0].removeprefix("user ") for item in found if "user" in item.where}
    assert named == late
    full = any("band" in item.constraint for item in found)
    assert full == (sum(map(Fraction, allocation.share.tolist()), Fraction(0)) > 1)  # type: ignore[union-attr]


@few(25)
@given(slide_instances(min_users=1), st.data())
def test_fractions_and_doubles_are_checked_alike(instance: SlideInstance, data: st.DataObject) -> None:
    allocation = near(instance, data)
    if allocation is None:
        return
    exact = replace(allocation, share=tuple(allocation.exact_share(place) for place in range(len(allocation))))
    assert both(instance, exact) == both(instance, allocation)


def test_a_channel_is_enclosed_until_it_is_decided() -> None:
    """At the share 1 / log2(1 + snr) cut after 60 digits, 64 digits must decide."""
    users = Users.of(deadline_s=[1.0], frequency_hz=8.0, power_w=1.0, gain=2.0)
    table = LayerTable.of("m", bits=[1], flop_per_sample=[0])
    instance = SlideInstance("log", 1.0, Models.of([table]), users, noise_w_per_hz=1.0)
    low, high = check._log2(Fraction(3), 200)
    assert low < high < low + Fraction(1, 10**190)
    cut = Fraction(round(10**100 / low), 10**100)
    for share, late in ((cut - Fraction(1, 10**99), True), (cut + Fraction(1, 10**99), False)):
        assert bool(check.violations(instance, serve(share))) == late


@given(st.fractions(Fraction(1001, 1000), 10**6, max_denominator=10**6), st.sampled_from([30, 60, 200]))
def test_the_enclosure_of_logarithms(argument: Fraction, digits: int) -> None:
    low, high = check._log2(argument, digits)
    finer = check._log2(argument, 3 * digits)
    assert low <= finer[0] <= finer[1] <= high
    assert high - low <= Fraction(1, 10 ** (digits - 8))
    assert low <= Fraction(np.log2(float(argument))) + Fraction(1, 10**9)
    assert high >= Fraction(np.log2(float(argument))) - Fraction(1, 10**9)
