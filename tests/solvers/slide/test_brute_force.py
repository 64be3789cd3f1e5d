"""The reference itself: least shares by hand, least energy by definition, and every choice tried."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import edgeopt
from edgeopt.errors import AssumptionError
from edgeopt.instances.slide import LayerTable, Models, SlideInstance, Users
from edgeopt.instances.slide.pair import Pair
from edgeopt.instances.slide.timeline import finish_times
from edgeopt.result import Termination
from edgeopt.solvers.slide.brute_force import ALMOST, least_energy_speeds, option
from edgeopt.testing.profiles import few
from edgeopt.testing.slide import slide_instances


def pair(
    bits: Sequence[int], work: Sequence[int], deadline: int, energy: Fraction | int | None = None, late: int = 0
) -> Pair:
    """Layers of so many bits, in ticks of 1 s at the whole band, and so many ticks of computing."""
    sent = tuple(sum(bits[: layer + 1]) for layer in range(len(bits)))
    return Pair(
        bits=sent,
        work=tuple(work),
        overhead=(late,) * len(work),
        deadline=deadline,
        rate=Fraction(10**12),
        flop_ticks=Fraction(1),
        energy=None if energy is None else Fraction(energy),
    )


BY_HAND: list[tuple[str, Pair, Fraction | None]] = [
    ("one layer", pair([4], [2], 10), Fraction(1, 2)),
    ("its overhead", pair([4], [2], 10, late=4), Fraction(1)),
    ("too late for the whole band", pair([4], [2], 5), None),
    ("never", pair([4], [6], 5), None),
    ("the first layer decides", pair([4, 1], [2, 2], 8), Fraction(1)),
    ("the last layer decides", pair([1, 8], [2, 2], 12), Fraction(9, 10)),
    ("one layer at half speed", pair([4], [2], 12, Fraction(1, 2)), Fraction(1, 2)),
    ("one layer at two thirds", pair([4], [2], 11, Fraction(8, 9)), Fraction(1, 2)),
    ("a budget that full speed just meets", pair([4], [2], 10, 2), Fraction(1, 2)),
    ("more than full speed takes", pair([4], [2], 10, 3), Fraction(1, 2)),
    ("no energy", pair([4], [2], 10, 0), None),
    ("no energy, no work", pair([4], [0], 10, 0), Fraction(2, 5)),
    ("two layers at half speed", pair([4, 0], [1, 1], 12, Fraction(1, 2)), Fraction(1, 2)),
    # layer 1 at half speed from 2 to 4, layer 2 at full speed from 4 to 5; the download of layer 2 ends at 4
    ("two layers at two speeds", pair([2, 2], [1, 1], 5, Fraction(5, 4)), Fraction(1)),
]


@pytest.mark.parametrize(("numbers", "share"), [row[1:] for row in BY_HAND], ids=[row[0] for row in BY_HAND])
def test_least_shares_by_hand(numbers: Pair, share: Fraction | None) -> None:
    found = option(numbers, 7)
    if share is None:
        assert found is None
        return
    assert found is not None
    assert found.model == 7
    assert found.high == share
    assert share * ALMOST <= found.low < share


def test_an_irrational_least_share_is_enclosed() -> None:
    """Half the energy is a speed of the square root of 1/2: ``y = 4 / (10 - 2 sqrt(2))``."""
    found = option(pair([4], [2], 10, 1), 0)
    assert found is not None
    assert found.low < found.high < found.low * (1 + Fraction(1, 2**120))
    for share, sign in ((found.low, 1), (found.high, -1)):
        rest = 10 - 4 / share  # the square of the time that is left for computing, against 8
        assert sign * (8 - rest * rest) >= 0


@few(25)
@given(slide_instances(min_users=1, max_users=1, max_models=2), st.fractions(0, 1, max_denominator=40), st.data())
def test_no_speeds_take_less_energy(instance: SlideInstance, share: Fraction, data: st.DataObject) -> None:
    """Any speeds that end in time take as much energy as those found, or more; and those end in time."""
    assume(share)
    compiled = instance.compiled
    for model in compiled.models_of(0).tolist():
        limited = compiled.pair(0, model)
        numbers = Pair(*[getattr(limited, field) for field in Pair.__slots__[:-1]], energy=limited.energy_used())
        arrival = numbers.download_ticks(share)
        best = least_energy_speeds(numbers, share)
        in_time = finish_times(arrival, numbers.compute_ticks())[-1] <= numbers.deadline
        assert (best is not None) == in_time
        if best is None:
            continue
        assert all(0 < z <= 1 for z in best)
        assert finish_times(arrival, numbers.compute_ticks(best))[-1] <= numbers.deadline
        least = numbers.energy_used(best)
        factors = st.fractions(Fraction(1, 2), 2, max_denominator=8)
        for _ in range(4):
            other = [min(Fraction(1), z * data.draw(factors)) for z in best]
            if finish_times(arrival, numbers.compute_ticks(other))[-1] <= numbers.deadline:
                assert numbers.energy_used(other) >= least
        assert (least_energy_speeds(limited, share) is not None) == (limited.energy is None or least <= limited.energy)


def least_shares(instance: SlideInstance) -> list[Fraction]:
    """Of all users that can be served without slowing, for instances without energy limits."""
    compiled = instance.compiled
    found = []
    for user in range(compiled.users):
        shares = [compiled.pair(user, model).least_share() for model in compiled.models_of(user).tolist()]
        possible = [share for share in shares if share is not None and share <= 1]
        found += [min(possible)] if possible else []
    return found


@few(25)
@given(slide_instances(energy=False))
def test_without_energy_limits_it_is_the_largest_set_of_shares_that_fits(instance: SlideInstance) -> None:
    shares = least_shares(instance)
    most = max(n for n in range(len(shares) + 1) if any(sum(some) <= 1 for some in combinations(shares, n)))
    result = edgeopt.solve(instance, "brute-force")
    assert result.closed
    assert result.value == most
    assert not edgeopt.violations(instance, result.solution)


@few(20)
@given(slide_instances())
def test_its_solutions_hold_in_the_raw_fields(instance: SlideInstance) -> None:
    result = edgeopt.solve(instance, "brute-force")
    assert result.closed
    assert not edgeopt.violations(instance, result.solution)


def test_weights_are_counted() -> None:
    """Two light users fit instead of the one that weighs as much as three."""
    tables = Models.of([LayerTable.of("m", bits=[5], flop_per_sample=[0])])
    for weights, value, served in (([3, 1, 1], 3, [0]), ([3, 2, 2], 4, [1, 2])):
        users = Users.of(deadline_s=[1.25, 2.5, 2.5], frequency_hz=1.0, spectral_efficiency=1.0, weight=weights)
        instance = SlideInstance("weighted", 4.0, tables, users, variant="weighted")
        result = edgeopt.solve(instance, "brute-force")
        assert (result.value, result.bound) == (value, value)
        assert result.solution.user.tolist() == served
        assert not edgeopt.violations(instance, result.solution)


def test_what_it_does_not_solve() -> None:
    with pytest.raises(AssumptionError, match=r"at most 20000 combinations, .* has \d+"):
        edgeopt.solve(edgeopt.generate("slide", users=30), "brute-force")
    for variant in ("multicast", "time-varying", "concave"):
        with pytest.raises(AssumptionError, match=f"plain and weighted, .* is {variant}"):
            edgeopt.solve(edgeopt.generate("slide", users=1, variant=variant), "brute-force")


def test_without_time_it_says_so() -> None:
    instance = edgeopt.generate("slide", users=4, layers=3)
    result = edgeopt.solve(instance, "brute-force", time_limit=0)
    assert result.termination is Termination.TIME_LIMIT
    assert (result.value, result.bound) == (0, 4)
