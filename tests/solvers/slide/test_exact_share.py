"""Exact least shares of single pairs: rational where they can be, enclosed elsewhere, refused with a reason."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.instances.slide import SlideInstance
from edgeopt.instances.slide.pair import Pair
from edgeopt.solvers.slide import exact_share as module
from edgeopt.solvers.slide.exact_share import ExactShare, exact_share, least_energy_slopes, simplest
from edgeopt.solvers.slide.proof import slope_bound
from edgeopt.testing.profiles import few
from edgeopt.testing.slide import slide_instances

TICK = 10**9
"""A millisecond in ticks; computing takes one a FLOP below."""


def pair(
    bits: list[int], work: list[int], deadline: int, energy: Fraction | int | None = None, **more: list[int]
) -> Pair:
    """A pair in milliseconds, with a rate of one bit a millisecond over the whole band."""
    sizes = [sum(bits[: place + 1]) for place in range(len(bits))]
    return Pair(
        bits=tuple(sizes),
        work=tuple(work),
        overhead=tuple(cost * TICK for cost in more.get("overhead", [0] * len(bits))),
        deadline=deadline * TICK,
        rate=Fraction(1000),
        flop_ticks=Fraction(TICK),
        energy=None if energy is None else Fraction(energy) * TICK,
    )


def closed(found: ExactShare, share: Fraction, of: Pair) -> None:
    assert found.low == found.high == share
    assert found.evidence.bound(of) == share
    assert of.allows(share, found.speed)


@pytest.mark.parametrize(
    ("numbers", "share", "speed", "allowed"),
    [
        (pair([2], [2], 4), Fraction(1), None, True),
        (pair([2], [2], 4), Fraction(99, 100), None, False),
        (pair([2], [2], 4), Fraction(1), [Fraction(1, 2)], False),  # no time for the download
        (pair([2], [2], 8, Fraction(1, 2)), Fraction(1, 2), [Fraction(1, 2)], True),
        (pair([2], [2], 8, Fraction(1, 2)), Fraction(1, 2), [Fraction(51, 100)], False),
        (pair([2], [2], 8, 2), Fraction(1), None, True),
        (pair([2], [2], 8, Fraction(199, 100)), Fraction(1), None, False),
    ],
)
def test_what_a_share_and_speeds_allow(
    numbers: Pair, share: Fraction, speed: list[Fraction] | None, allowed: bool
) -> None:
    assert numbers.allows(share, speed) == allowed


def test_full_speed_waits_for_the_tight_layer() -> None:
    """The second layer is the tight one: 3 bits in 10 - 2 ms; the first alone would need 1 bit in 10 - 6 ms."""
    numbers = pair([1, 2], [4, 2], 10)
    closed(exact_share(numbers), Fraction(3, 8), numbers)
    assert exact_share(numbers).evidence.layer == 1


def test_a_layer_that_is_there_at_once_may_compute_all_the_time() -> None:
    """Without bits it waits for nothing; the other one has no work."""
    numbers = pair([0, 1], [3, 0], 3)
    closed(exact_share(numbers), Fraction(1, 3), numbers)


def test_overheads_of_the_layer_and_the_later_ones_count() -> None:
    numbers = pair([1, 2], [1, 1], 12, overhead=[3, 4])
    closed(exact_share(numbers), Fraction(3, 7), numbers)


def test_a_budget_of_exactly_full_speed_binds_nothing() -> None:
    numbers = pair([1, 2], [4, 2], 10, 6)
    found = exact_share(numbers)
    closed(found, Fraction(3, 8), numbers)
    assert found.speed is None


def test_slowing_while_waiting_is_enough_at_the_least_share_of_full_speed() -> None:
    """Bits of 1 and 7, work of 1 each: the first layer may take 7 ms, so the energy is 1/49 + 1."""
    numbers = pair([1, 7], [1, 1], 9, 1 + Fraction(1, 49))
    found = exact_share(numbers)
    assert found.low == Fraction(8, 8)
    assert found.high == 1
    assert found.speed == (Fraction(1, 7), 1)


@pytest.mark.parametrize("speed", [Fraction(1, 2), Fraction(2, 3), Fraction(3, 7)])
def test_a_common_speed_is_found_as_the_fraction_it_is(speed: Fraction) -> None:
    numbers = pair([4, 1], [3, 3], 20, 6 * speed**2)
    share = 4 / (20 - 6 / speed)
    found = exact_share(numbers)
    closed(found, share, numbers)
    assert found.speed == (speed, speed)


def test_a_share_of_exactly_the_band_is_one() -> None:
    """3 FLOP at half speed take 6 of 10 ms."""
    numbers = pair([4], [3], 10, Fraction(3, 4))
    closed(exact_share(numbers), Fraction(1), numbers)


ODD = {"rate": Fraction(2**53 - 111, 2**40), "flop_ticks": Fraction(2**53 - 1, 2**24)}
"""Scalars with as many digits as compiled ones have."""


def test_the_closed_form_is_exact_whatever_its_digits() -> None:
    numbers = replace(pair([1, 7], [1, 1], 9, 1 + Fraction(1, 40)), **ODD)
    assert numbers.energy is not None
    assert numbers.energy_used() > numbers.energy
    least = numbers.least_share()
    assert least is not None
    found = exact_share(numbers)
    closed(found, least, numbers)
    assert found.evidence.kind == "prefix"


@pytest.mark.parametrize("speed", [Fraction(1, 2), Fraction(2, 3)])
def test_simple_speeds_are_found_whatever_the_digits_of_the_share(speed: Fraction) -> None:
    numbers = replace(pair([40, 1], [3, 3], 20), **ODD)
    numbers = replace(numbers, energy=numbers.energy_used([speed, speed]))
    work = 6 * numbers.flop_ticks / speed
    found = exact_share(numbers)
    closed(found, 40 * 10**12 / (numbers.rate * (numbers.deadline - work)), numbers)
    assert found.speed == (speed, speed)


def test_an_irrational_share_is_enclosed_from_both_sides() -> None:
    numbers = pair([4, 1], [3, 3], 20, Fraction(6, 2))  # speed 1/sqrt(2)
    found = exact_share(numbers)
    assert found.low is not None
    assert found.high is not None
    assert 0 < found.high - found.low < Fraction(1, 2**140)
    assert found.evidence.bound(numbers) == found.low
    assert numbers.allows(found.high, found.speed)
    inexact = (4 / (20 - 6 * 2**0.5),)
    assert float(found.low) == pytest.approx(inexact[0], rel=1e-14)


def test_an_energy_that_stays_flat_up_to_the_least_share() -> None:
    """Layers that are there at once need exactly the budget; slopes prove any smaller share too small, not the last."""
    numbers = pair([0, 0, 1, 1], [1, 1, 1, 1], 8, 1)
    found = exact_share(numbers)
    assert found.high == Fraction(1, 3)
    assert found.low is not None
    assert numbers.allows(found.high, found.speed)
    assert found.low <= found.high <= found.low * (1 + Fraction(1, 2**60))


@pytest.mark.parametrize(
    ("numbers", "kind"),
    [
        (pair([1], [5], 5), "late"),
        (pair([1], [6], 5), "late"),
        (pair([0, 1], [3, 3], 5), "late"),
        (pair([9], [1], 5), "prefix"),
        (pair([1], [2], 5, 0), "slopes"),
        (pair([4], [3], 7, 2), "slopes"),
        (pair([1, 1], [0, 2], 10, 0, overhead=[6, 0]), "slopes"),
        (pair([1], [2], 5, Fraction(1, 10)), "slopes"),
        (pair([1, 1], [0, 2], 5, 0), "slopes"),
        (pair([1], [2], 10**6, Fraction(1, 10**30)), "slopes"),
    ],
)
def test_what_no_share_serves_has_evidence(numbers: Pair, kind: str) -> None:
    found = exact_share(numbers)
    assert found.high is None
    assert found.evidence.kind == kind
    bound = found.evidence.bound(numbers)
    assert bound == found.low
    assert bound is None or bound > 1


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Fraction]:
    """Shares at which a minorant was computed."""
    found: list[Fraction] = []

    def slopes(pair: Pair, share: Fraction) -> list[Fraction]:
        found.append(share)
        return least_energy_slopes(pair, share)

    monkeypatch.setattr(module, "least_energy_slopes", slopes)
    return found


def test_one_look_tells_that_the_whole_band_is_not_enough(looks: list[Fraction]) -> None:
    """6 FLOP in 16 ms, at one speed, take 27/32."""
    found = exact_share(pair([4, 1], [3, 3], 22, Fraction(27, 32) - Fraction(1, 10**6), overhead=[1, 1]))
    assert found.high is None
    assert found.low is None or found.low > 1
    assert len(looks) == 2


def test_an_irrational_share_takes_a_few_looks(looks: list[Fraction]) -> None:
    """Each step doubles the digits: two speeds, of two layers each that arrive together."""
    found = exact_share(pair([4, 0, 4, 0], [1, 2, 3, 1], 20, 3))
    assert found.low is not None
    assert found.high is not None
    assert 0 < found.high - found.low < Fraction(1, 2**140)
    assert 8 <= len(looks) <= 14


def test_a_share_is_found_where_no_simple_fraction_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "simplest", lambda low, high: low)
    numbers = pair([4, 1], [3, 3], 20, 3)
    found = exact_share(numbers)
    assert found.low is not None
    assert found.high is not None
    assert 0 < found.high - found.low < Fraction(1, 2**140)
    assert numbers.allows(found.high, found.speed)


def test_layers_without_work_have_no_say_in_the_speeds() -> None:
    numbers = pair([1, 1, 1], [0, 2, 0], 9, Fraction(2, 4))
    found = exact_share(numbers)
    # the work may begin with the second layer and takes 4 ms
    closed(found, Fraction(2, 5), numbers)
    assert found.speed == (1, Fraction(1, 2), Fraction(1, 2))


@few(25)
@given(slide_instances(min_users=1, max_layers=6), st.lists(st.integers(0, 40), min_size=6, max_size=6))
def test_no_slopes_prove_a_feasible_share_too_small(instance: SlideInstance, drawn: list[int]) -> None:
    compiled = instance.compiled
    for user in range(compiled.users):
        for model in compiled.models_of(user).tolist():
            numbers = compiled.pair(user, model)
            found = exact_share(numbers)
            if numbers.energy is None or found.high is None:
                continue
            bound = slope_bound(numbers, [Fraction(z, 16) for z in sorted(drawn)[: len(numbers)]])
            assert bound is not None
            assert bound <= found.high


@few(25)
@given(slide_instances(min_users=1, max_layers=6))
def test_the_minorant_meets_the_deadline_and_never_falls(instance: SlideInstance) -> None:
    compiled = instance.compiled
    for user in range(compiled.users):
        for model in compiled.models_of(user).tolist():
            numbers = compiled.pair(user, model)
            least = numbers.least_share()
            if least is None:
                continue
            for share in (least, 2 * least):
                slopes = least_energy_slopes(numbers, share)
                assert all(a <= b <= 1 for a, b in pairwise(slopes))
                needed = numbers.least_share([slope or Fraction(1) for slope in slopes])
                assert needed is not None
                assert needed <= share


@given(st.fractions(Fraction(1, 50), 5, max_denominator=500), st.fractions(0, Fraction(1, 10), max_denominator=500))
def test_the_simplest_fraction_has_the_least_denominator(low: Fraction, width: Fraction) -> None:
    found = simplest(low, low + width)
    assert low <= found <= low + width
    least = next(
        q for q in range(1, low.denominator + 1) if -(-low.numerator * q // low.denominator) <= (low + width) * q
    )
    assert found.denominator == least
