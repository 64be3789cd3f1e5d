"""Variant concave: rates in exact numbers, their inverse, the solver against enumeration and a cone program."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Context, Decimal
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.errors import AssumptionError, InstanceError
from edgeopt.instances.base import violations
from edgeopt.instances.slide import Allocation, LayerTable, Models, SlideInstance, Users
from edgeopt.instances.slide.compiled_check import compiled_violations
from edgeopt.instances.slide.concave import efficiency_enclosure, float_rates, plain_share, reaches, whole_band_snr
from edgeopt.instances.slide.timeline import timeline
from edgeopt.models.slide.concave_share import PyomoConcave
from edgeopt.models.slide.scaled import hopeless, scaled
from edgeopt.solvers.slide.brute_force import option
from edgeopt.solvers.slide.concave import concave_shares
from edgeopt.solvers.slide.concave_exact import enclose_share
from edgeopt.testing.profiles import few
from edgeopt.testing.slide import slide_instances

SNR = (1.0, 3.0, 0.3, 100.0, 1e6, 1e-3, 1e-9)


@st.composite
def concave_instances(draw: st.DrawFn, *, max_users: int = 5) -> SlideInstance:
    """Drawn ones, with channels by power and gain alone."""
    instance = draw(slide_instances(max_users=max_users, max_models=2))
    users, count = instance.users, len(instance.users)
    snr = np.array(draw(st.lists(st.sampled_from(SNR), min_size=count, max_size=count)))
    # the rate of the whole band is about what it was
    known = np.where(np.isnan(users.spectral_efficiency), 1.0, users.spectral_efficiency)
    band = instance.bandwidth_hz * float(np.mean(known / np.log2(1 + snr))) if count else instance.bandwidth_hz
    noise = 1e-9
    users = replace(
        users,
        spectral_efficiency=np.full(count, np.nan),
        power_w=np.ones(count),
        gain=snr.reshape(count) * noise * band,
    )
    return replace(instance, variant="concave", bandwidth_hz=band, users=users, noise_w_per_hz=noise)


def whole(bits: list[int], snr: float, band: float = 1e6, energy: bool = False) -> SlideInstance:
    """Users that need `bits` bit/s each, in Hz of the whole band a million."""
    models = Models.of([LayerTable.of(f"m{size}", bits=[size], flop_per_sample=[0]) for size in sorted(set(bits))])
    users = Users.of(
        deadline_s=[1.0] * len(bits),
        frequency_hz=1e9,
        power_w=1.0,
        gain=snr,
        energy_j=1.0 if energy else np.inf,
        energy_coefficient=1e-27,
        models=[(f"m{size}",) for size in bits],
    )
    return SlideInstance("whole", band, models, users, variant="concave", noise_w_per_hz=1 / band)


def least_share(rate: Fraction, band: Fraction, snr: Fraction) -> float:
    """By halving in decimals; infinite if the whole band is not enough. Shares nothing with the code under test."""
    context = Context(prec=60)

    def enough(share: Fraction) -> bool:
        ratio = 1 + snr / share
        log = context.ln(context.divide(Decimal(ratio.numerator), Decimal(ratio.denominator)))
        return Fraction(log) * share * band >= rate * Fraction(context.ln(Decimal(2)))

    low, high = Fraction(0), Fraction(1)
    if not enough(high * (1 + Fraction(1, 10**40))):
        return math.inf
    while high - low > high / 10**14:
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return float(high)


def references(instance: SlideInstance) -> list[float]:
    """Least shares of all users."""
    found = []
    for user in range(len(instance.users)):
        shares = [math.inf]
        for model in instance.compiled.models_of(user).tolist():
            pair = instance.compiled.pair(user, model)
            known = option(replace(pair, rate=2 * pair.rate), model)
            if known is not None:
                rate = known.high * 2 * pair.rate
                shares.append(least_share(rate, Fraction(str(instance.bandwidth_hz)), whole_band_snr(instance, user)))
        found.append(min(shares))
    return found


POSITIVE = st.fractions(Fraction(1, 10**9), 10**9, max_denominator=10**9)
PARTS = st.fractions(Fraction(1, 10**6), 1, max_denominator=10**6)


@given(POSITIVE, PARTS, PARTS)
def test_the_rate_rises_and_is_concave_between_linear_ones(snr: Fraction, one: Fraction, other: Fraction) -> None:
    small, large = sorted((one, other))
    low, high = efficiency_enclosure(snr, small, 200)
    assert low <= high <= low * (1 + Fraction(1, 2**190))
    whole_band = efficiency_enclosure(snr, Fraction(1), 200)
    assert small * whole_band[0] <= high  # not below what a part of the whole band's rate is
    assert float(low) <= float(snr) / math.log(2) * (1 + 1e-12)  # its limit, if the band were infinite
    if small < large:
        assert high < efficiency_enclosure(snr, large, 200)[0]
        middle = efficiency_enclosure(snr, (small + large) / 2, 200)[1]
        assert 2 * middle >= low + efficiency_enclosure(snr, large, 200)[0]


@few(25)
@given(POSITIVE, PARTS)
def test_the_inverse_encloses_the_share(snr: Fraction, share: Fraction) -> None:
    rate = efficiency_enclosure(snr, share, 300)[0]
    found = enclose_share(snr, rate)
    assert found is not None
    low, high = found
    assert 0 < low <= high <= 1
    assert high - low <= high / 2**160
    assert efficiency_enclosure(snr, low, 500)[0] <= rate <= efficiency_enclosure(snr, high, 500)[1]
    assert abs(low / share - 1) < Fraction(1, 2**150)


@few(25)
@given(st.integers(1, 30), PARTS)
def test_the_inverse_is_exact_where_it_is_simple(power: int, share: Fraction) -> None:
    assert enclose_share(share * (2**power - 1), share * power) == (share, share)


def test_the_inverse_at_the_ends() -> None:
    assert enclose_share(Fraction(7), Fraction(3)) == (1, 1)
    assert enclose_share(Fraction(7), Fraction(3) + Fraction(1, 10**50)) is None
    assert enclose_share(Fraction(7), Fraction(0)) == (0, 0)


@few(20)
@given(concave_instances())
def test_the_solver_serves_the_most(instance: SlideInstance) -> None:
    shares = references(instance)
    most = 0
    for taken in product((False, True), repeat=len(shares)):
        total = sum(share for take, share in zip(taken, shares, strict=True) if take)
        if total <= 1 + 1e-11:
            most = max(most, sum(taken))
    found = eo.solve(instance, "slide-concave")
    assert found.closed, found.message
    assert found.value == most
    assert not violations(instance, found.solution)


@few(15)
@given(concave_instances(max_users=3))
def test_enclosures_hold_the_least_shares(instance: SlideInstance) -> None:
    found = concave_shares(instance)
    for user, share in enumerate(references(instance)):
        assert found.user_low[user] <= share * (1 + 1e-9)
        # just above 1 is as good as infinite
        assert found.user_high[user] >= share * (1 - 1e-9) or found.user_high[user] > 1
        snr = whole_band_snr(instance, user)
        if share <= 1 and snr > Fraction(1, 1000) and found.user_high[user] < math.inf:
            assert found.user_high[user] <= share * (1 + 1e-6)
            pairs = slice(*instance.compiled.pair_start[user : user + 2])
            # a model without any time to spare is left to exact numbers
            if ((found.high[pairs] < math.inf) | (found.low[pairs] > found.user_high[user])).all():
                assert found.user_low[user] >= share * (1 - 1e-6)


@few(20)
@given(concave_instances())
def test_it_serves_as_many_as_linear_rates(instance: SlideInstance) -> None:
    plain = eo.solve(replace(instance, variant="plain"), "slide")
    concave = eo.solve(instance, "slide-concave")
    assert plain.value is not None
    assert concave.value is not None
    assert concave.value >= plain.value
    assert not violations(instance, plain.solution)


@few(25)
@given(concave_instances(max_users=3), st.sampled_from((0.5, 1.0, 0.99, 1 - 1e-9, 1 + 1e-9)))
def test_what_the_compiled_numbers_allow_the_raw_fields_allow(instance: SlideInstance, factor: float) -> None:
    found = eo.solve(instance, "slide-concave").solution
    changed = replace(found, share=np.array([float(found.exact_share(k)) * factor for k in range(len(found))]))
    if not compiled_violations(instance, changed):
        assert not violations(instance, changed)
    if factor < 0.995 and len(found):
        assert violations(instance, changed) or instance.users.gain.min() < 1e-3 * instance.bandwidth_hz * 1e-9


def test_less_than_the_least_share_is_refused() -> None:
    instance = whole([500_000, 300_000], 3.0)
    found = eo.solve(instance, "slide-concave").solution
    assert len(found) == 2
    for place in range(2):
        share = np.array([float(found.exact_share(k)) for k in range(2)])
        share[place] *= 1 - 1e-9
        for check in (violations, compiled_violations):
            assert [v.constraint[:8] for v in check(instance, replace(found, share=share))] == ["deadline"]


@pytest.mark.parametrize("energy", [False, True])
def test_shares_that_fill_the_band_exactly(energy: bool) -> None:
    """At half of the band ``log2(1 + 1.5 / 0.5)`` is 2: a user gets ``0.5 * 2`` bit/s per Hz."""
    instance = whole([10**6] * 3, 1.5, energy=energy)
    found = eo.solve(instance, "slide-concave")
    assert found.value == found.bound == 2
    assert [found.solution.exact_share(place) for place in range(2)] == [Fraction(1, 2)] * 2
    more = eo.solve(whole([10**6, 10**6 + 1], 1.5), "slide-concave")
    assert more.value == more.bound == 1


def test_the_whole_band_for_one() -> None:
    """``log2(1 + 3)`` is 2."""
    assert eo.solve(whole([2 * 10**6], 3.0), "slide-concave").value == 1
    assert eo.solve(whole([2 * 10**6 + 1], 3.0), "slide-concave").value == 0


def test_power_is_all_that_counts_where_it_is_scarce() -> None:
    """With little power the rate hardly depends on the share: all are served, where linear rates serve one."""
    limit = 1e-6 / math.log(2) * 1e9  # bit/s with all the band in the world
    instance = whole([int(0.9 * limit)] * 50, 1e-6, band=1e9)
    assert eo.solve(replace(instance, variant="plain"), "slide").value == 1
    found = eo.solve(instance, "slide-concave")
    assert found.value == found.bound == 50
    assert not violations(instance, found.solution)
    assert eo.solve(whole([math.ceil(limit)], 1e-6, band=1e9), "slide-concave").value == 0


def test_with_much_power_the_rate_is_nearly_linear() -> None:
    instance = whole([10**6], 1e30)
    share = concave_shares(instance).user_high[0]
    linear = 1 / math.log2(1e30)
    assert linear * 0.9 < share < linear


@given(st.sampled_from(SNR), st.floats(1e-12, 1.0))
def test_rates_in_floats_are_as_near_as_they_say(snr: float, share: float) -> None:
    instance = whole([10], snr)
    rate = Fraction(float(float_rates(instance, np.array([0]), np.array([share]))[0]))
    low, high = (end * 10**6 for end in efficiency_enclosure(whole_band_snr(instance, 0), Fraction(share), 100))
    assert low * (1 - Fraction(1, 10**14)) <= rate <= high * (1 + Fraction(1, 10**14))


def test_rates_out_of_the_range_of_floats_are_unknown() -> None:
    found = float_rates(whole([10], 1.0), np.array([0, 0]), np.array([1e-300, 5e-324]))
    assert np.isnan(found).all()


def test_a_share_in_linear_terms() -> None:
    instance = whole([10**6], 1.5)
    share = plain_share(instance, 0, Fraction(1, 2))
    rate = Fraction(float(instance.compiled.rate[0]))
    assert share == 10**6 / rate
    assert reaches(instance, 0, Fraction(1, 2), Fraction(10**6))
    assert not reaches(instance, 0, Fraction(1, 2), 10**6 + Fraction(1, 10**60))
    half = Allocation(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), np.array([0.5]))
    assert timeline(instance, half, 0).latency == 1  # a Mbit at a Mbit/s


def test_a_cone_program_finds_the_same_least_shares() -> None:
    pytest.importorskip("cvxpy")
    from edgeopt.models.slide.concave_cone import least_share_by_cone

    instance = eo.generate("slide", seed=3, users=6, variant="concave", granularity="block", model="resnet18")
    found = concave_shares(instance)
    feasible = 0
    for user in range(6):
        pair = instance.compiled.pair(user, 0)
        if hopeless(pair):
            assert found.user_high[user] == math.inf
            continue
        point = least_share_by_cone(scaled(pair), whole_band_snr(instance, user))
        if point is None:
            assert found.user_low[user] > 1
            continue
        feasible += 1
        assert point.share == pytest.approx(float(found.user_high[user]), rel=1e-6)
    assert feasible >= 4


def exact_by_model(instance: SlideInstance) -> int:
    """The optimum of the form ``concave`` by enumeration of its binaries, its cuts being exact."""
    model = PyomoConcave(instance)
    count = len(model.pairs)
    taken = (np.array(values, dtype=np.float64) for values in product((0, 1), repeat=count))
    best = max((values for values in taken if not model.cuts(values)), key=np.sum)
    found = model.extract(best)
    assert not violations(instance, found)
    assert np.array_equal(model.start(found), best)
    return len(found)


@few(12)
@given(concave_instances(max_users=3))
def test_the_exact_model_agrees(instance: SlideInstance) -> None:
    assert exact_by_model(instance) == eo.solve(instance, "slide-concave").value


def test_the_exact_model_knows_simple_shares_and_tells_channels_apart() -> None:
    assert exact_by_model(whole([10**6] * 3, 1.5)) == 2
    instance = whole([10**6] * 2, 1.5)
    better = replace(instance, users=replace(instance.users, gain=np.array([1.5, 1000.0])))
    cut = PyomoConcave(better)._cover([0])
    assert cut.positions.tolist() == [0]


@pytest.mark.child
@pytest.mark.parametrize("solver", ["highs", "cpsat"])
def test_back_ends_solve_the_exact_model(solver: str) -> None:
    instance = eo.generate("slide", seed=5, users=8, variant="concave", granularity="block", bandwidth_hz=4e6)
    found = eo.solve(instance, solver, form="concave")
    best = eo.solve(instance, "slide-concave")
    assert found.closed, found.message
    assert best.closed
    assert found.value == best.value
    assert 0 < best.value < 8


def test_the_form_is_for_the_variant_alone() -> None:
    with pytest.raises(AssumptionError, match="knows the variant concave, not plain"):
        PyomoConcave(replace(whole([1], 1.0), variant="plain"))


def test_identical_users_are_served_until_the_band_is_full() -> None:
    instance = whole([250_000] * 40, 3.0)
    share = references(instance)[0]
    found = eo.solve(instance, "slide-concave")
    assert found.value == found.bound == math.floor(1 / share)


def test_nobody() -> None:
    instance = eo.generate("slide", users=3, variant="concave", corner="no-users")
    found = eo.solve(instance, "slide-concave")
    assert (found.value, found.bound, len(found.solution)) == (0, 0, 0)


def test_a_stop_leaves_a_solution_and_a_bound() -> None:
    found = eo.solve(whole([10**6] * 3, 1.5), "slide-concave", time_limit=0)
    assert found.value is not None
    assert found.bound is not None
    assert found.value <= 2 <= found.bound


def test_other_variants_are_refused() -> None:
    with pytest.raises(AssumptionError, match="slide-concave solves the variant 'concave', whole is 'plain'"):
        eo.solve(replace(whole([1], 1.0), variant="plain"), "slide-concave")
    with pytest.raises(AssumptionError, match="slide solves the variant 'plain'"):
        eo.solve(whole([1], 1.0), "slide")


def test_efficiencies_do_not_say_how_rates_depend_on_the_share() -> None:
    instance = whole([1], 1.0)
    users = replace(instance.users, spectral_efficiency=np.ones(1), power_w=np.full(1, np.nan), gain=np.full(1, np.nan))
    with pytest.raises(InstanceError, match=r"users\[0\]\.spectral_efficiency = 1\.0: the variant concave needs"):
        replace(instance, users=users)


def test_shares_given_as_fractions_are_checked() -> None:
    instance = whole([10**6], 1.5)
    for share, wrong in ((Fraction(1, 2), False), (Fraction(1, 2) - Fraction(1, 10**30), True), (Fraction(2), True)):
        found = Allocation(np.array([0]), np.array([0]), (share,))
        assert bool(violations(instance, found)) == wrong
        assert bool(compiled_violations(instance, found)) == wrong
