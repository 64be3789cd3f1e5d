"""Admission at the border of the band: sums of exactly 1, one tick too much, and what time allows to say."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt
from edgeopt.instances.slide import LayerTable, Models, SlideInstance, Users
from edgeopt.instances.slide.band import fits_band
from edgeopt.result import Termination
from edgeopt.solvers.base import Control
from edgeopt.solvers.slide import admission
from edgeopt.solvers.slide.admission import admit
from edgeopt.solvers.slide.least_share import least_shares
from edgeopt.testing.profiles import few
from edgeopt.testing.slide import slide_instances

TICK_S = 1e-12


def equals(deadlines: list[float], bandwidth_hz: float) -> SlideInstance:
    """Users of one layer of a Mbit without work, at a bit/s/Hz."""
    return SlideInstance(
        "equals",
        bandwidth_hz,
        Models.of([LayerTable.of("m", bits=[10**6], flop_per_sample=[0])]),
        Users.of(deadline_s=deadlines, frequency_hz=1e9, spectral_efficiency=1.0),
    )


def served(instance: SlideInstance) -> int:
    result = edgeopt.solve(instance, "slide")
    assert result.closed
    assert not edgeopt.violations(instance, result.solution)
    return len(result.solution)


@pytest.mark.parametrize("users", [1, 3, 7, 10, 49])
def test_equal_shares_that_fill_the_band_exactly_are_all_admitted(users: int) -> None:
    assert served(equals([1.0] * users, 1e6 * users)) == users


def test_one_tick_less_for_one_user_and_one_is_left_out() -> None:
    assert served(equals([1.0] * 9 + [1.0 - TICK_S], 1e7)) == 9
    assert served(equals([1.0] * 8 + [1.0 - TICK_S, 1.0 + TICK_S], 1e7)) == 9
    # 1/(1 + t) + 1/(1 - t + t^2) < 2 for a small t, which only exact numbers see
    assert served(equals([1.0] * 8 + [1.0 - TICK_S, 1.0 + 2 * TICK_S], 1e7)) == 10


def test_of_equal_users_as_many_as_fit_are_admitted() -> None:
    assert served(equals([1.0] * 25, 1e7)) == 10


@pytest.mark.parametrize("count", [2, 3, 6])
def test_shares_and_speeds_are_fractions_where_no_floats_fit(count: int) -> None:
    """Two thirds of full speed take 1.35 s of 2.35 s, with exactly the budget; full speed takes 0.9 s of 1.9 s."""
    instance = SlideInstance(
        "thirds",
        1e6 * count,
        Models.of([LayerTable.of("m", bits=[10**6], flop_per_sample=[9 * 10**8])]),
        Users.of(
            deadline_s=[1.9] + [2.35] * count,
            frequency_hz=1e9,
            spectral_efficiency=1.0,
            energy_coefficient=1e-27,
            energy_j=[np.inf] + [0.4] * count,
        ),
    )
    result = edgeopt.solve(instance, "slide")
    assert result.closed
    assert result.value == count
    assert not edgeopt.violations(instance, result.solution)
    assert result.solution.share == (Fraction(1, count),) * count
    assert result.solution.speed == (Fraction(1),) + (Fraction(2, 3),) * (count - 1)


@few(25)
@given(slide_instances(min_users=2), st.randoms(use_true_random=False))
def test_the_order_of_the_users_does_not_matter(instance: SlideInstance, random: Random) -> None:
    order = list(range(len(instance.users)))
    random.shuffle(order)
    columns = {name: column[order] for name, column in instance.users.columns().items()}
    ids = tuple(instance.users.id[index] for index in order)
    other = replace(instance, users=replace(instance.users, id=ids, **columns))
    one, two = edgeopt.solve(instance, "slide"), edgeopt.solve(other, "slide")
    assert (one.value, one.bound) == (two.value, two.bound)


@few(25)
@given(slide_instances())
def test_stopped_before_the_exact_numbers_it_still_has_a_solution_and_a_true_bound(instance: SlideInstance) -> None:
    shares = least_shares(instance.compiled)
    stopped = admit(shares, Control("slide", time_limit=0))
    whole = admit(shares, Control("slide"))
    assert len(stopped.allocation) <= len(whole.allocation) <= whole.most <= stopped.most
    assert stopped.stopped == (len(stopped.allocation) < stopped.most)
    assert not edgeopt.violations(instance, stopped.allocation)


def test_value_and_bound_are_reported() -> None:
    heard: list[Any] = []
    result = edgeopt.solve(equals([1.0] * 25, 1e7), "slide", progress=heard.append)
    assert [(report.value, report.bound) for report in heard] == [(10, 10)]
    assert result.closed


def test_a_time_limit_of_nothing_is_said() -> None:
    instance = edgeopt.generate("slide", users=30, seed=1)
    result = edgeopt.solve(instance, "slide", time_limit=0)
    assert result.termination is Termination.TIME_LIMIT
    assert result.value == 0
    assert result.bound == 30


def test_users_without_a_model_are_not_served() -> None:
    instance = SlideInstance(
        "nothing for u1",
        1e9,
        Models.of([LayerTable.of("m", bits=[1], flop_per_sample=[1])]),
        Users.of(deadline_s=[1.0] * 3, frequency_hz=1e9, spectral_efficiency=1.0, models=[None, [], ["m"]]),
    )
    result = edgeopt.solve(instance, "slide")
    assert result.closed
    assert result.solution.user.tolist() == [0, 2]


@pytest.mark.parametrize("energy", [False, True])
def test_many_users_are_feasible_in_exact_numbers(energy: bool) -> None:
    instance = edgeopt.generate(
        "slide", users=600, layers=12, seed=5, energy=energy, energy_budget=(0.05, 1.1), bandwidth_hz=5e9
    )
    result = edgeopt.solve(instance, "slide")
    assert result.closed
    assert result.value is not None
    assert 50 < result.value < 600
    assert not edgeopt.violations(instance, result.solution)
    assert isinstance(result.solution.share, np.ndarray)
    assert result.effort["exact_pairs"] == 0


def half_sure(users: int, budget_j: float, bandwidth_hz: float) -> SlideInstance:
    """One user's least share no float decides, its budget being what it needs at its deadline; all others are easy."""
    return SlideInstance(
        "half sure",
        bandwidth_hz,
        Models.of([LayerTable.of("m", bits=[0, 0, 1000, 1000], flop_per_sample=[10**6] * 4)]),
        Users.of(
            deadline_s=[0.008] + [0.0059875] * (users - 1),
            frequency_hz=1e9,
            spectral_efficiency=1.0,
            energy_coefficient=1e-27,
            energy_j=[budget_j] + [np.inf] * (users - 1),
        ),
    )


@pytest.mark.parametrize(("budget_j", "fits", "exact_pairs"), [(0.001, 25, 1), (0.000999999, 24, 0)])
def test_only_the_user_that_floats_cannot_tell_is_computed_exactly(
    budget_j: float, fits: int, exact_pairs: int
) -> None:
    """Only with the cheaper user do 25 of them fit; a budget too small by more than rounding floats can tell."""
    instance = half_sure(200, budget_j, 1e7)
    shares = least_shares(instance.compiled)
    assert shares.user_high[0] == np.inf
    assert (shares.user_low[0] < shares.user_low[1]) == (exact_pairs == 1)
    found = admit(shares, Control("slide"))
    assert len(found.allocation) == found.most == fits
    assert found.exact_pairs == exact_pairs
    assert isinstance(found.allocation.share, np.ndarray)
    assert not edgeopt.violations(instance, found.allocation)
    result = edgeopt.solve(instance, "slide")
    assert (result.value, result.bound) == (fits, fits)


def flat(deadline_s: float, *, flats: int = 1, share: float = 1 / 3, easy: int = 2, costly: int = 0) -> SlideInstance:
    """Users whose layers without bits need 8 ms for the energy that there is, whatever the share, and others.

    With 8 ms the first ones need the `share` exactly, the easy ones 0.2 % of the band, the costly ones, which need
    those 8 ms too, 5/6 of it.
    """
    count = flats + easy + costly
    return SlideInstance(
        "flat",
        1e6,
        Models.of([LayerTable.of("m", bits=[0, 0, 0, 1000, 1000], flop_per_sample=[0] + [10**6] * 4)]),
        Users.of(
            deadline_s=[deadline_s] * flats + [1.0] * easy + [deadline_s] * costly,
            frequency_hz=1e9,
            spectral_efficiency=[1 / (3 * share)] * flats + [1.0] * easy + [0.4] * costly,
            energy_coefficient=1e-27,
            energy_j=[0.001] * flats + [np.inf] * easy + [0.001] * costly,
            id=[f"u{index}" for index in range(count)],
        ),
    )


def test_floats_enclose_anew_what_exact_numbers_have_decided() -> None:
    """Whether u0 can be served only exact numbers see; what comes of them is rounded to floats that fit."""
    without, with_ = (edgeopt.solve(flat(deadline), "slide") for deadline in (0.008 - TICK_S, 0.008))
    assert without.closed
    assert with_.closed
    assert without.effort["exact_pairs"] == with_.effort["exact_pairs"] == 1
    assert without.solution.user.tolist() == [1, 2]
    assert with_.solution.user.tolist() == [0, 1, 2]
    assert Fraction(1, 3) <= with_.solution.exact_share(0) < Fraction(1, 3) + Fraction(1, 10**8)
    for result, deadline in ((without, 0.008 - TICK_S), (with_, 0.008)):
        assert isinstance(result.solution.share, np.ndarray)
        assert not edgeopt.violations(flat(deadline), result.solution)


def choosy(instance: SlideInstance) -> SlideInstance:
    """Users may also take a model of twice the bits, and one that no share is enough for."""
    twice = LayerTable.of("twice", bits=[0, 0, 0, 2000, 2000], flop_per_sample=[0] + [10**6] * 4)
    late = LayerTable.of("late", bits=[0, 1], flop_per_sample=[10**9 + 1, 0])
    return replace(instance, models=Models.of([twice, instance.models[0], late]))


def test_shares_that_only_exact_numbers_know_fill_the_band_exactly() -> None:
    """Of five users who need a third, the first is late by a tick."""
    instance = choosy(flat(0.008, flats=5, easy=0))
    deadline_s = instance.users.deadline_s.copy()
    deadline_s[0] -= TICK_S
    instance = replace(instance, users=replace(instance.users, deadline_s=deadline_s))
    result = edgeopt.solve(instance, "slide")
    assert result.closed
    assert result.solution.share == (Fraction(1, 3),) * 3
    assert result.solution.user.tolist() == [1, 2, 3]
    assert result.solution.model.tolist() == [1, 1, 1]
    assert not edgeopt.violations(instance, result.solution)
    assert edgeopt.certify(instance, result).evidence == "proved"


def test_users_enclosed_anew_keep_to_the_model_that_they_need_least_of() -> None:
    instance = choosy(flat(0.008, flats=4, share=0.3, easy=0))
    result = edgeopt.solve(instance, "slide")
    assert result.closed
    assert isinstance(result.solution.share, np.ndarray)
    assert result.solution.model.tolist() == [1, 1, 1]
    assert not edgeopt.violations(instance, result.solution)
    assert edgeopt.certify(instance, result).evidence == "proved"


def test_exact_numbers_are_left_out_once_it_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of the three users that floats cannot tell fit beside the easy ones, whichever."""
    monkeypatch.setattr(admission, "POLL", 1)
    found = admit(least_shares(flat(0.008, flats=3).compiled), Control("slide"))
    assert len(found.allocation) == found.most == 4
    assert found.exact_pairs == 2


def test_exact_numbers_are_for_users_who_may_be_among_the_cheapest() -> None:
    instance = flat(0.008, share=0.001, easy=501, costly=1)
    shares = least_shares(instance.compiled)
    assert shares.user_low[-1] < 1
    assert shares.user_high[-1] == np.inf
    found = admit(shares, Control("slide"))
    assert found.exact_pairs == 1


@pytest.mark.parametrize("over", [Fraction(0), Fraction(1, 2**300), Fraction(1, 2**200)])
def test_fractions_that_exceed_the_band_by_hardly_anything_do_not_fit(over: Fraction) -> None:
    third = Fraction(1, 3)
    shares = [third, third, third + over, Fraction(1)]
    assert fits_band(shares[:3]) == (not over)
    assert admission._longest(shares) == (2 if over else 3)
    assert admission._longest(shares[:3]) == (2 if over else 3)
