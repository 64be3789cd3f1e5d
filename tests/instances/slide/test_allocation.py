"""Allocations as data: what is written is read back, and what is none is refused."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.errors import InstanceError
from edgeopt.instances.slide import Allocation, SlideInstance, allocation, band
from edgeopt.instances.slide.allocation import EMPTY
from edgeopt.testing.profiles import few
from edgeopt.testing.slide import allocations, slide_instances


@few(25)
@given(slide_instances(), st.data())
def test_round_trip(instance: SlideInstance, data: st.DataObject) -> None:
    found = data.draw(allocations(instance))
    plain = json.loads(json.dumps(allocation.encode_solution(instance, found)))
    again = allocation.decode_solution(instance, plain, "x")
    assert (again.user.tolist(), again.model.tolist()) == (found.user.tolist(), found.model.tolist())
    for place in range(len(found)):
        assert again.exact_share(place) == found.exact_share(place)
        layers = int(instance.models.layers[found.model[place]])
        full = [Fraction(1)] * layers
        assert (again.exact_speeds(instance, place) or full) == (found.exact_speeds(instance, place) or full)
    assert allocation.encode_solution(instance, again) == plain


def case() -> SlideInstance:
    """Four users ``u0`` ... with a model ``m0`` ... of their own, of two layers."""
    instance: SlideInstance = eo.generate("slide", seed=1, users=4, layers=2)
    return instance


def test_what_is_written() -> None:
    found = Allocation(
        np.array([2, 0]), np.array([2, 0]), (Fraction(1, 3), Fraction(1, 4)), np.array([1.0, 1.0, 0.5, 1.0])
    )
    assert allocation.encode_solution(case(), found) == {
        "users": [
            {"user": "u2", "model": "m2", "share": "1/3"},
            {"user": "u0", "model": "m0", "share": 0.25, "compute": [0.5, 1.0]},
        ]
    }
    assert allocation.encode_solution(case(), EMPTY) == {"users": []}


def test_value_counts_users_or_weights() -> None:
    plain = case()
    weighted = eo.generate("slide", seed=1, users=4, layers=2, variant="weighted")
    found = Allocation(np.array([2, 0, 9, -1]), np.zeros(4, dtype=np.int64), np.full(4, 0.1))
    assert allocation.value(plain, found) == 2
    assert allocation.value(weighted, found) == weighted.users.weight[[0, 2]].sum() != 2


GOOD: dict[str, Any] = {"user": "u1", "model": "m1", "share": 0.25}
BAD: list[tuple[Any, list[str]]] = [
    ([], ["f.json", "solution.users must list"]),
    ({"users": {}}, ["solution.users must list"]),
    ({"users": [7]}, ["solution.users[0]", "user, model, share"]),
    ({"users": [GOOD, {**GOOD, "speed": 1}]}, ["solution.users[1]", "user, model, share"]),
    ({"users": [{"user": "u1", "model": "m1"}]}, ["solution.users[0]", "must have the fields"]),
    ({"users": [{**GOOD, "user": "u9"}]}, ["solution.users[0].user = 'u9'", "a user of the instance"]),
    ({"users": [{**GOOD, "user": 1}]}, ["solution.users[0].user = 1", "a user of the instance"]),
    ({"users": [{**GOOD, "model": "m9"}]}, ["solution.users[0].model = 'm9'", "a model of the instance"]),
    ({"users": [{**GOOD, "share": "a half"}]}, ["solution.users[0].share = a half", "must be a number"]),
    ({"users": [{**GOOD, "share": "1/0"}]}, ["solution.users[0].share = 1/0", "'1/10'"]),
    ({"users": [{**GOOD, "share": "-1/2"}]}, ["solution.users[0].share = -1/2"]),
    ({"users": [{**GOOD, "share": "1/2\n"}]}, ["solution.users[0].share = 1/2"]),
    ({"users": [{**GOOD, "share": True}]}, ["solution.users[0].share = True"]),
    ({"users": [{**GOOD, "share": None}]}, ["solution.users[0].share = None"]),
    ({"users": [{**GOOD, "share": float("inf")}]}, ["solution.users[0].share = inf"]),
    ({"users": [{**GOOD, "share": 10**400}]}, ["solution.users[0].share = an enormous integer"]),
    ({"users": [{**GOOD, "compute": 1.0}]}, ["solution.users[0].compute", "2 speeds, one a layer of m1"]),
    ({"users": [{**GOOD, "compute": [1.0]}]}, ["solution.users[0].compute", "2 speeds"]),
    ({"users": [{**GOOD, "compute": [1.0, "x"]}]}, ["solution.users[0].compute[1] = x"]),
]


@pytest.mark.parametrize(("data", "texts"), BAD, ids=[str(row[1]) for row in BAD])
def test_what_is_no_allocation(data: Any, texts: list[str]) -> None:
    with pytest.raises(InstanceError) as caught:
        allocation.decode_solution(case(), data, "f.json")
    for text in texts:
        assert text in str(caught.value)


def test_an_enormous_integer_is_no_crash() -> None:
    """Python does not print integers of more than 4300 digits."""
    with pytest.raises(InstanceError, match=r"share = an enormous integer: must be a number"):
        allocation.decode_solution(case(), {"users": [{**GOOD, "share": 10**5000}]}, "f.json")


ONE = np.array([0])


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        (([0], ONE, np.ones(1)), r"user = \[0\]: must be a 1-D int64 array$"),
        ((np.array([0.0]), ONE, np.ones(1)), "user = "),
        ((np.array([[0]]), ONE, np.ones(1)), "user = "),
        ((ONE, None, np.ones(1)), "model = None"),
        ((ONE, ONE, [0.5]), r"share = \[0.5\]: must be a 1-D float64 array or a tuple of fractions"),
        ((ONE, ONE, (0.5,)), "share = "),
        ((ONE, ONE, np.ones(1, dtype=np.int64)), "share = "),
        ((ONE, ONE, np.ones(1), [1.0]), "speed = "),
        ((ONE, ONE, np.ones(1), (Fraction(1), 1.0)), "speed = "),
    ],
)
def test_an_allocation_of_something_else_is_refused(columns: Any, text: str) -> None:
    with pytest.raises(InstanceError, match=text):
        Allocation(*columns)


def test_equality_is_of_exact_numbers() -> None:
    plain = Allocation(ONE, ONE, np.array([0.5]))
    assert plain == Allocation(ONE, ONE, (Fraction(1, 2),))
    assert plain != Allocation(ONE, ONE, (Fraction(1, 3),))
    assert plain != Allocation(ONE, ONE, np.array([0.5]), np.ones(2))
    assert plain != Allocation(ONE, np.array([1]), np.array([0.5]))
    assert Allocation(ONE, ONE, np.array([0.5]), np.ones(2)) == Allocation(ONE, ONE, np.array([0.5]), np.ones(2))
    assert Allocation(ONE, ONE, np.array([0.5]), np.ones(2)) != Allocation(ONE, ONE, np.array([0.5]), np.ones(3))
    assert plain != "plain"


SHARES = st.lists(
    st.floats(0, 1) | st.sampled_from([0.1, 0.5, 1 / 3, 2.0**-60, 1 - 2.0**-53]), max_size=12
)  # fmt: skip


@given(SHARES)
def test_the_band_is_decided_exactly(shares: list[float]) -> None:
    exact = [Fraction(share) for share in shares]
    fits = sum(exact, Fraction(0)) <= 1
    assert band.fits_band(np.array(shares)) == band.fits_band(exact) == fits
    assert band.exact_sum(exact) == sum(exact, Fraction(0))
    rising = np.sort(shares)
    most = max(n for n in range(len(shares) + 1) if sum(map(Fraction, rising[:n].tolist()), Fraction(0)) <= 1)
    assert band.longest_fitting_prefix(rising) == most
    # what is no share at all, in a solution that is none, is added up exactly as well
    signed = [*(-share for share in shares), *shares[::-1], *shares]
    assert band.fits_band(np.array(signed)) == fits


@pytest.mark.parametrize("places", [3, 10, 14])
def test_the_last_place_of_many_shares_decides(places: int) -> None:
    even = np.full(2**places, 2.0**-places)
    assert band.fits_band(even)
    assert band.longest_fitting_prefix(even) == 2**places
    for change, fits in ((2.0**-52, False), (-(2.0**-53), True)):
        even[-1] = 2.0**-places * (1 + change)
        assert band.fits_band(even) == fits
        assert band.longest_fitting_prefix(np.sort(even)) == 2**places - (not fits)
    assert not band.fits_band(np.append(even, [2.0**-1000, 2.0**-places * 2.0**-53]))


def test_tenths() -> None:
    """The double nearest to 1/10 is larger than it: ten of them do not fit, ten tenths do."""
    tenths = np.full(10, 0.1)
    assert not band.fits_band(tenths)
    assert band.longest_fitting_prefix(tenths) == 9
    assert band.fits_band([Fraction(1, 10)] * 10)
    assert not band.fits_band([Fraction(1, 10)] * 9 + [Fraction(1, 10) + Fraction(1, 10**300)])
    assert band.fits_band([Fraction(1, 10)] * 9 + [Fraction(1, 10) - Fraction(1, 10**300)])
    assert band.fits_band(np.zeros(0))
    ninths = np.full(9, 0.1111111111111111)  # below 1/9, but their sum in doubles is above 1
    assert np.cumsum(ninths)[-1] > 1
    assert band.longest_fitting_prefix(ninths) == 9


def test_a_result_is_read_back(tmp_path: Path) -> None:
    instance = eo.generate("slide", seed=1, users=12, corner="even-split")
    result = eo.solve(instance, "slide")
    eo.write(result, tmp_path / "r.json", instance=instance)
    again = eo.read_result(instance, tmp_path / "r.json")
    assert again.solution == result.solution
    assert again.value == 10
