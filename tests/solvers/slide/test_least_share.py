"""Least shares: float enclosures with evidence on both sides, against exact numbers and a conic solver."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt
from edgeopt.instances.slide import LayerTable, Models, SlideInstance, Users
from edgeopt.instances.slide.compiled import CompiledSlide
from edgeopt.solvers.base import Control
from edgeopt.solvers.slide import hull_kernel, least_share
from edgeopt.solvers.slide.exact_share import exact_share
from edgeopt.solvers.slide.least_share import NO_PAIR, LeastShares, least_shares, owner
from edgeopt.solvers.slide.proof import ExchangeProof
from edgeopt.testing.profiles import few
from edgeopt.testing.slide import slide_instances


def pairs_of(compiled: CompiledSlide) -> list[tuple[int, int, int]]:
    """Pair, user and model."""
    pairs = np.arange(len(compiled.pair_model), dtype=np.int64)
    return list(zip(pairs.tolist(), owner(compiled, pairs).tolist(), compiled.pair_model.tolist(), strict=True))


@few(25)
@given(slide_instances(max_layers=8, max_users=3))
def test_both_ends_are_proved(instance: SlideInstance) -> None:
    compiled = instance.compiled
    shares = least_shares(compiled)
    proof = ExchangeProof(-1, shares)
    for pair, user, model in pairs_of(compiled):
        numbers = compiled.pair(user, model)
        low, high = float(shares.low[pair]), float(shares.high[pair])
        assert low <= high
        bound = proof.evidence(pair).bound(numbers)
        if bound is not None:
            assert low == math.inf or Fraction(low) <= bound
        if high < math.inf:
            assert bound is not None
            speeds = shares.speeds(np.array([pair]))
            assert numbers.allows(Fraction(high), None if speeds is None else [Fraction(z) for z in speeds.tolist()])


@few(25)
@given(slide_instances(max_layers=8, max_users=3))
def test_the_enclosure_is_tight_and_holds_the_exact_least_share(instance: SlideInstance) -> None:
    compiled = instance.compiled
    shares = least_shares(compiled)
    for pair, user, model in pairs_of(compiled):
        exact = exact_share(compiled.pair(user, model))
        low, high = float(shares.low[pair]), float(shares.high[pair])
        if exact.high is None:
            assert not high <= 1
            continue
        assert exact.low is not None
        assert Fraction(low) <= exact.high
        if high < math.inf:
            assert exact.low <= Fraction(high)
            assert high - low <= 1e-9 * high


@few(25)
@given(slide_instances(max_layers=8, max_users=4, energy=False))
def test_without_an_energy_limit_it_is_the_closed_form(instance: SlideInstance) -> None:
    compiled = instance.compiled
    shares = least_shares(compiled)
    assert shares.hulls == 0
    assert shares.speeds(np.arange(len(shares.low))) is None
    for pair, user, model in pairs_of(compiled):
        share = compiled.pair(user, model).least_share()
        low, high = float(shares.low[pair]), float(shares.high[pair])
        if share is None:
            assert high == math.inf
        else:
            assert Fraction(low) <= share
            if high < math.inf:
                assert share <= Fraction(high)
                assert high <= low * (1 + 1e-9)


@few(25)
@given(slide_instances(max_layers=6))
def test_users_take_the_least_of_their_models(instance: SlideInstance) -> None:
    shares = least_shares(instance.compiled)
    start = instance.compiled.pair_start.tolist()
    for user in range(instance.compiled.users):
        own = slice(start[user], start[user + 1])
        assert shares.user_low[user] == min(shares.low[own], default=math.inf)
        assert shares.user_high[user] == min(shares.high[own], default=math.inf)
        pair = int(shares.user_pair[user])
        if shares.user_high[user] < math.inf:
            assert start[user] <= pair < start[user + 1]
            assert shares.high[pair] == shares.user_high[user]
        else:
            assert pair == NO_PAIR


def test_full_speed_is_one_beside_slower_speeds() -> None:
    compiled = drawn(1, users=40).compiled
    energy = compiled.energy.copy()
    energy[::3] = math.inf
    shares = least_shares(replace(compiled, energy=energy))
    served = np.flatnonzero(shares.high < math.inf)
    full = np.isnan(shares.inside[served])
    assert 0 < full.sum() < len(served)
    found = shares.speeds(served)
    assert found is not None
    rows = found.reshape(len(served), 6)
    assert (rows[full] == 1).all()
    assert (rows[~full].min(axis=1) < 1).all()


def test_as_many_pairs_as_users_need_not_be_one_each() -> None:
    tables = [LayerTable.of(name, bits=[bits], flop_per_sample=[0]) for name, bits in (("a", 2000), ("b", 1000))]
    users = Users.of(deadline_s=[1.0, 1.0], frequency_hz=1e9, spectral_efficiency=1.0, models=[[], ["a", "b"]])
    shares = least_shares(SlideInstance("two or none", 1e4, Models.of(tables), users).compiled)
    assert shares.user_low[0] == shares.user_high[0] == math.inf
    assert shares.user_high[1] == pytest.approx(0.1, rel=1e-12)
    assert shares.user_pair.tolist() == [NO_PAIR, 1]


def drawn(seed: int, users: int = 12, layers: int = 6) -> SlideInstance:
    return edgeopt.generate("slide", seed=seed, users=users, layers=layers, energy_budget=(0.02, 0.9), bandwidth_hz=2e8)


@pytest.mark.parametrize("seed", range(3))
def test_a_conic_solver_finds_the_same_with_energy_limits(seed: int) -> None:
    cvxpy = pytest.importorskip("cvxpy")
    compiled = drawn(seed).compiled
    shares = least_shares(compiled)
    compared = 0
    for pair, user, model in pairs_of(compiled):
        numbers = compiled.pair(user, model)
        if numbers.energy is None or numbers.energy_used() <= numbers.energy or not shares.high[pair] < math.inf:
            continue
        unit = float(numbers.deadline)  # times as parts of the deadline
        work = np.array([float(w * numbers.flop_ticks) / unit for w in numbers.work])
        arrival = np.array([float(ticks) / unit for ticks in numbers.download_ticks(Fraction(1))])
        time, reciprocal = cvxpy.Variable(len(work)), cvxpy.Variable()
        later = [sum(numbers.overhead[layer:]) / unit for layer in range(len(work))]
        constraints = [
            time >= work,
            cvxpy.sum(cvxpy.multiply(work**3, cvxpy.power(time, -2))) <= float(numbers.energy) / unit,
            *(cvxpy.sum(time[k:]) + later[k] + arrival[k] * reciprocal <= 1 for k in range(len(work))),
        ]
        problem = cvxpy.Problem(cvxpy.Maximize(reciprocal), constraints)
        problem.solve(solver="CLARABEL")
        assert 1 / float(reciprocal.value) == pytest.approx(shares.high[pair], rel=1e-5)
        compared += 1
    assert compared >= 3


def test_the_slopes_of_the_evidence_never_fall_and_need_the_layers_of_the_pair() -> None:
    compiled = drawn(1, users=40).compiled
    shares = least_shares(compiled)
    sloped = np.flatnonzero(~np.isnan(shares.tangent))
    assert len(sloped) >= 10
    rows = shares.slopes(sloped).reshape(len(sloped), 6)
    assert (np.diff(rows, axis=1) >= 0).all()
    assert rows.min() >= 0


def one_layer(bits: int, deadline_s: float, energy_j: float, bandwidth_hz: float = 1e6) -> SlideInstance:
    """A second of work and a joule at full speed, so 1 / t^2 joules in t seconds."""
    table = LayerTable.of("m", bits=[bits], flop_per_sample=[10**9])
    users = Users.of(
        deadline_s=[deadline_s],
        frequency_hz=1e9,
        energy_coefficient=1e-27,
        energy_j=energy_j,
        spectral_efficiency=1.0,
    )
    return SlideInstance("one layer", bandwidth_hz, Models.of([table]), users)


def test_a_quarter_of_the_energy_takes_twice_the_time() -> None:
    """One layer: 1 s at full speed, 2 s at half of it; download in the 1 s that is left."""
    shares = least_shares(one_layer(5 * 10**5, 3.0, 0.25).compiled)
    assert shares.low[0] <= 0.5 <= shares.high[0]
    assert shares.high[0] == pytest.approx(0.5, rel=1e-12)
    speeds = shares.speeds(np.array([0]))
    assert speeds is not None
    assert speeds[0] == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize(
    ("instance", "hulls"),
    [
        (one_layer(5 * 10**5, 3.0, 1.5), 0),  # full speed is within the budget
        (one_layer(5 * 10**5, 3.0, 0.25), 3),  # a step of Newton's is exact here, the second says so; then one inside
        (one_layer(5 * 10**5, 1000.0, 1.0001e-6, 1e9), 3),  # all but 50 ms of 1000 s are for computing
        (one_layer(2 * 10**6, 3.0, 0.9), 1),  # with the whole band there is 1 s for computing, at too much energy
        (one_layer(10**6, 3.0, 0.2), 1),  # 2 s would do at another budget
        (one_layer(3 * 10**6, 3.0, 0.9), 0),  # not even full speed
        (drawn(1, users=40), 118),  # some three for each user
    ],
)
def test_a_few_hulls_are_enough(instance: SlideInstance, hulls: int) -> None:
    """Each is a pass over the layers."""
    assert least_shares(instance.compiled).hulls == hulls


def test_the_bound_tells_where_the_whole_band_is_not_enough() -> None:
    """2 s are left for computing with the whole band, which takes a quarter of a joule."""
    shares = least_shares(one_layer(10**6, 3.0, 0.2).compiled)
    assert shares.low[0] > 1
    assert shares.high[0] == math.inf


def test_without_a_budget_nobody_who_computes_is_served() -> None:
    shares = least_shares(one_layer(10**6, 3.0, 0.0).compiled)
    assert shares.low[0] > 1
    assert shares.high[0] == math.inf


def test_an_energy_that_no_share_lowers_may_be_within_the_budget() -> None:
    """Layers without bits take 8 ms at half speed whatever the share; what comes after them needs a third of it."""
    instance = SlideInstance(
        "flat",
        1e6,
        Models.of([LayerTable.of("m", bits=[0, 0, 1000, 1000], flop_per_sample=[10**6] * 4)]),
        Users.of(
            deadline_s=[0.008], frequency_hz=1e9, spectral_efficiency=1.0, energy_coefficient=1e-27, energy_j=0.0011
        ),
    )
    exact = exact_share(instance.compiled.pair(0, 0))
    assert proved(instance.compiled) == 1
    assert exact.high is not None
    assert least_shares(instance.compiled).high[0] == pytest.approx(float(exact.high), rel=1e-9)


def test_floats_that_would_step_back_beyond_the_whole_band_leave_it_to_exact_numbers() -> None:
    """The energy hardly depends on the share: the first layer is a bit, the one without work all the others."""
    instance = SlideInstance(
        "hardly",
        1e14,
        Models.of([LayerTable.of("m", bits=[1, 10**14], flop_per_sample=[10**9, 0])]),
        Users.of(deadline_s=[2.0], frequency_hz=1e9, spectral_efficiency=1.0, energy_coefficient=1e-27, energy_j=0.5),
    )
    assert proved(instance.compiled) == 0
    assert exact_share(instance.compiled.pair(0, 0)).high == Fraction(10**14 + 1, 2 * 10**14)


def same(one: LeastShares, other: LeastShares) -> None:
    for name in ("low", "high", "prefix", "tangent", "factor", "inside", "user_low", "user_high", "user_pair"):
        assert np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name in ("tangent", "inside")), name


def test_a_few_users_at_a_time_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = drawn(2, users=30).compiled
    whole = least_shares(compiled)
    monkeypatch.setattr(least_share, "CHUNK", 7)
    same(whole, least_shares(compiled))


def test_users_that_were_not_reached_keep_an_open_enclosure(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = drawn(2, users=30).compiled
    shares = least_shares(compiled, Control("slide", time_limit=0))
    assert (shares.low == 0).all()
    assert (shares.high == math.inf).all()
    for pair, user, model in pairs_of(compiled)[:5]:
        assert ExchangeProof(0, shares).evidence(pair).bound(compiled.pair(user, model)) is not None


@few(25)
@given(slide_instances(min_users=1), st.sampled_from((2.0**-20, 1.0, 2.0**20)))
def test_other_units_of_data_change_nothing(instance: SlideInstance, factor: float) -> None:
    """Rates times a power of two, and shares divided by it, are the same numbers in floats and in fractions."""
    compiled = instance.compiled
    other = least_shares(replace(compiled, rate=compiled.rate * factor))
    shares = least_shares(compiled)
    full = np.isinf(compiled.energy)[owner(compiled, np.arange(len(shares.low), dtype=np.int64))]
    assert np.array_equal(other.low[full] * factor, shares.low[full])
    assert np.array_equal(other.high[full] * factor, shares.high[full])


def test_slopes_of_layers_that_are_all_alike_do_not_fall_by_rounding() -> None:
    """Points that lie on a line but for rounding."""
    count, layers = 400, 40
    rng = np.random.default_rng(1)
    instance = SlideInstance(
        "alike",
        1e9,
        Models.of([LayerTable.of("m", bits=[10**7] * layers, flop_per_sample=[10**8] * layers)]),
        Users.of(
            deadline_s=rng.uniform(5.0, 20.0, count),
            frequency_hz=rng.uniform(1e9, 3e9, count),
            spectral_efficiency=rng.uniform(1.0, 5.0, count),
            energy_coefficient=1e-27,
            energy_j=rng.uniform(0.3, 3.0, count),
        ),
    )
    shares = least_shares(instance.compiled)
    sloped = np.flatnonzero(~np.isnan(shares.tangent))
    assert len(sloped) > 100
    assert (np.diff(shares.slopes(sloped).reshape(-1, layers), axis=1) >= 0).all()


def test_an_overhead_without_work_holds_back_the_work_after_it() -> None:
    """The second layer only costs time: what follows it in the hull is its own point, not that of the third layer."""
    instance = SlideInstance(
        "pause",
        1e6,
        Models.of(
            [LayerTable.of("m", bits=[1000] * 3, flop_per_sample=[10**6, 0, 10**6], overhead_s=[0.0, 0.006, 0.0])]
        ),
        Users.of(
            deadline_s=[0.012],
            frequency_hz=1e9,
            spectral_efficiency=1.0,
            energy_coefficient=1e-27,
            energy_j=[0.0009],
        ),
    )
    shares = least_shares(instance.compiled)
    exact = exact_share(instance.compiled.pair(0, 0))
    assert exact.high is not None
    assert shares.high[0] == pytest.approx(float(exact.high), rel=1e-10)
    assert shares.low[0] == pytest.approx(float(exact.high), rel=1e-10)


@pytest.mark.parametrize("slack", [1e-6, 1e-9, 1e-11])
def test_both_ends_are_proved_where_hardly_any_time_is_left(slack: float) -> None:
    """Computing takes all of the time but a little: the difference is mostly rounding errors of its parts."""
    count, layers = 60, 30
    rng = np.random.default_rng(int(slack * 1e12))
    table = LayerTable.of(
        "m",
        bits=rng.integers(1, 50, layers),
        flop_per_sample=rng.integers(10**6, 10**8, layers),
        overhead_s=np.round(rng.uniform(0, 1e-3, layers), 7),
    )
    speed = rng.uniform(1e9, 3e9, count)
    busy = table.overhead_s.sum() + table.flop_per_sample.sum() / speed
    users = Users.of(
        deadline_s=busy * (1 + slack * rng.uniform(0.5, 2.0, count)), frequency_hz=speed, spectral_efficiency=1.0
    )
    compiled = SlideInstance("tight", 1e13, Models.of([table]), users).compiled
    shares = least_shares(compiled)
    assert (shares.high < math.inf).sum() > count // 2
    for pair, user, model in pairs_of(compiled):
        numbers = compiled.pair(user, model)
        least = numbers.least_share()
        assert least is not None
        assert Fraction(float(shares.low[pair])) <= least
        assert shares.high[pair] == math.inf or least <= Fraction(float(shares.high[pair]))


def test_no_slack_at_all_leaves_no_small_lower_end() -> None:
    instance = SlideInstance(
        "no slack",
        1e6,
        Models.of([LayerTable.of("m", bits=[10**5], flop_per_sample=[10**8])]),
        Users.of(deadline_s=[0.1], frequency_hz=1e9, spectral_efficiency=1.0),
    )
    assert least_shares(instance.compiled).low[0] > 1


@pytest.mark.parametrize("energy_j", [0.001, 0.0016])
def test_a_model_that_surely_needs_more_costs_no_hull(energy_j: float) -> None:
    """With the larger budget the smaller model costs none either: full speed is within it."""
    small = LayerTable.of("a", bits=[1000, 1000], flop_per_sample=[10**6, 5 * 10**5])
    large = LayerTable.of("b", bits=[8000, 8000], flop_per_sample=[10**6, 10**6])
    users = Users.of(
        deadline_s=[0.01], frequency_hz=1e9, spectral_efficiency=1.0, energy_coefficient=1e-27, energy_j=energy_j
    )
    alone = least_shares(SlideInstance("one", 1e7, Models.of([small]), users).compiled)
    both = least_shares(SlideInstance("two", 1e7, Models.of([small, large]), users).compiled)
    assert alone.hulls == both.hulls
    assert (alone.hulls == 0) == (energy_j == 0.0016)
    assert both.user_high[0] == alone.user_high[0]


def proved(compiled: CompiledSlide) -> int:
    """Assert that both ends of every pair hold in exact numbers; how many have a finite upper end."""
    shares = least_shares(compiled)
    proof = ExchangeProof(-1, shares)
    finite = 0
    for pair, user, model in pairs_of(compiled):
        numbers = compiled.pair(user, model)
        bound = proof.evidence(pair).bound(numbers)
        assert bound is None or Fraction(float(min(shares.low[pair], 1e300))) <= bound
        if shares.high[pair] < math.inf:
            finite += 1
            speeds = shares.speeds(np.array([pair]))
            assert numbers.allows(
                Fraction(float(shares.high[pair])), None if speeds is None else [Fraction(z) for z in speeds.tolist()]
            )
    return finite


@pytest.mark.parametrize("seed", range(4))
def test_both_ends_are_proved_where_layers_differ_by_many_digits(seed: int) -> None:
    """Work from 1 FLOP to 1 TFLOP a layer: what is left of a small difference of large sums is rounding."""
    count, layers = 60, 10
    rng = np.random.default_rng(seed)
    tables = [
        LayerTable.of(
            f"m{index}",
            bits=(10 ** rng.uniform(0, 7, layers)).astype(np.int64),
            flop_per_sample=(10 ** rng.uniform(0, 12, layers)).astype(np.int64),
        )
        for index in range(count)
    ]
    speed = rng.uniform(1e9, 3e9, count)
    full = np.array([table.flop_per_sample.sum() for table in tables]) / speed
    users = Users.of(
        deadline_s=np.minimum(full * rng.uniform(1.0, 4.0, count), 1e5),
        frequency_hz=speed,
        spectral_efficiency=1.0,
        energy_coefficient=1e-27,
        energy_j=full * speed**3 * 1e-27 * rng.uniform(0.05, 1.0, count),
        models=[[table.name] for table in tables],
    )
    compiled = SlideInstance("uneven", 1e7, Models.of(tables), users).compiled
    assert proved(compiled) > count // 3


def test_an_energy_that_no_share_lowers_is_left_to_exact_numbers() -> None:
    """Layers without bits need all of the time and exactly the budget, whatever the share."""
    instance = SlideInstance(
        "flat",
        1e6,
        Models.of([LayerTable.of("m", bits=[0, 0, 1000, 1000], flop_per_sample=[10**6] * 4)]),
        Users.of(
            deadline_s=[0.008], frequency_hz=1e9, spectral_efficiency=1.0, energy_coefficient=1e-27, energy_j=0.001
        ),
    )
    assert proved(instance.compiled) == 0


@pytest.mark.parametrize("first", [1, 7, 10**3])
def test_little_work_before_much_is_run_slowly_and_still_proved(first: int) -> None:
    """The difference of two large amounts of work is the speed of the first layers: in floats mostly rounding."""
    instance = SlideInstance(
        "little before much",
        1e7,
        Models.of([LayerTable.of("m", bits=[10, 10**6, 10**6], flop_per_sample=[first, 10**9 + 7, 10**9 + 9])]),
        Users.of(
            deadline_s=[4.0, 4.0],
            frequency_hz=1.234567e9,
            spectral_efficiency=1.0,
            energy_coefficient=1e-27,
            energy_j=[2.7, 0.8],
        ),
    )
    shares = least_shares(instance.compiled)
    assert (shares.user_high <= shares.user_low * (1 + 1e-11)).all()
    for pair, user, model in pairs_of(instance.compiled):
        numbers = instance.compiled.pair(user, model)
        exact = exact_share(numbers)
        assert exact.high is not None
        assert Fraction(float(shares.low[pair])) <= exact.high <= Fraction(float(shares.high[pair]))


def sparse(seed: int) -> SlideInstance:
    """Users with a model of 6 layers each; a third of the layers without work, a fourth without bits."""
    rng = np.random.default_rng(seed)
    count, layers = 60, 6
    bits = rng.integers(1, 10**6, (count, layers)) * (rng.random((count, layers)) < 0.75)
    work = rng.integers(1, 10**8, (count, layers)) * (rng.random((count, layers)) < 0.67)
    bits[:, rng.integers(layers)] += 1
    overhead = rng.choice([0.0, 1e-3, 1e-2, 5e-2], (count, layers))
    tables = [
        LayerTable.of(f"m{k}", bits=bits[k], flop_per_sample=work[k], overhead_s=overhead[k]) for k in range(count)
    ]
    need = overhead.sum(axis=1) + work.sum(axis=1) / 1e9
    return SlideInstance(
        "sparse",
        1e8,
        Models.of(tables),
        Users.of(
            deadline_s=need * rng.uniform(1.05, 3.0, count) + 1e-3,
            frequency_hz=1e9,
            spectral_efficiency=1.0,
            energy_coefficient=1e-27,
            energy_j=np.maximum(work.sum(axis=1) * 1e-9 * rng.uniform(0.2, 1.0, count), 1e-12),
            models=[(f"m{k}",) for k in range(count)],
        ),
    )


@pytest.mark.parametrize("seed", range(4))
def test_floats_decide_layers_without_work_or_bits(seed: int) -> None:
    """Points of the minorant one above the other, and some in no order: all the same it is the least energy."""
    instance = sparse(seed)
    shares = least_shares(instance.compiled)
    bound = 0
    for pair, user, model in pairs_of(instance.compiled):
        exact = exact_share(instance.compiled.pair(user, model))
        low, high = float(shares.low[pair]), float(shares.high[pair])
        if exact.high is None:
            assert high == math.inf
            continue
        assert Fraction(low) <= exact.high <= Fraction(high)
        assert high <= low * (1 + 1e-9)
        bound += not math.isnan(shares.tangent[pair])
    assert bound > 10
    assert proved(instance.compiled) > 40


def plain(compiled: Any) -> Any:
    """The function before it was compiled."""
    return getattr(compiled, "py_func", compiled)


@pytest.mark.parametrize(
    ("speed", "budget", "share", "cost", "fits"),
    [
        (0.7, 50.0, 1.0, 7, True),
        (0.7, 50.0, 1.0, 8, False),
        (0.6, 50.0, 1.0, 0, False),
        (0.7, 48.0, 1.0, 0, False),
        (0.7, 50.0, 0.5, 0, False),
    ],
)
def test_speeds_are_held_against_deadline_and_budget(
    speed: float, budget: float, share: float, cost: int, fits: bool
) -> None:
    """100 ticks of work after 100 ticks of download with the whole band, in 250 ticks but for a fixed cost."""
    bits, work, overhead = np.array([10]), np.array([100]), np.array([cost])
    vertex, speeds, out = np.array([1, 0]), np.array([np.nan, speed]), np.empty(1)
    found = plain(hull_kernel.fit_speeds)(
        bits, work, overhead, 0, 1, 250, 10.0, 1.0, budget, share, 1.0, 1, vertex, speeds, out
    )
    assert bool(found) == fits


@pytest.fixture
def plain_cubes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a function that is not compiled may call."""
    monkeypatch.setattr(hull_kernel, "_cubes", plain(hull_kernel._cubes))


@pytest.mark.usefixtures("plain_cubes")
def test_speeds_do_not_fall_by_rounding() -> None:
    """Twelve equal layers: the last vertices lie on a line but for rounding, where the speeds would rise and fall."""
    bits, work = 10**7 * np.arange(1, 13), 10**8 * np.arange(12, 0, -1)
    left, vertex = np.empty(14, dtype=np.int64), np.empty(14, dtype=np.int64)
    bs, speed = np.empty(14), np.empty(14)
    where = (0, 12, 786531573493, 202.3935799809069, 345.44204864459476, 30.20458414816147)
    top, _, _ = plain(hull_kernel.minorant)(bits, work, np.zeros(12), *where, left, bs, vertex, speed)
    assert top >= 3
    assert (np.diff(speed[1 : top + 1]) <= 0).all()


@pytest.mark.usefixtures("plain_cubes")
def test_speeds_are_infinite_where_no_time_is_left() -> None:
    """Ten ticks of download within five: no speed is enough, and a negative one would be taken for a low one."""
    left, vertex, bs, speed = np.empty(3, dtype=np.int64), np.empty(3, dtype=np.int64), np.empty(3), np.empty(3)
    with np.errstate(invalid="ignore"):
        plain(hull_kernel.minorant)(
            np.array([10]), np.array([7]), np.zeros(1), 0, 1, 5, 1.0, 1.0, 1.0, left, bs, vertex, speed
        )
    assert speed[1] == math.inf


@pytest.mark.usefixtures("plain_cubes")
@pytest.mark.parametrize(("budget", "bound"), [(98.0, math.inf), (101.0, 0.0)])
def test_slopes_decide_where_the_share_does_not_matter(budget: float, bound: float) -> None:
    """Nothing to download, and 100 ticks of work in 100: some share is enough iff the budget is."""
    vertex, speed = np.array([1, 0]), np.array([np.nan, 1.0])
    with np.errstate(divide="ignore"):
        found = plain(hull_kernel.dual_bound)(
            np.array([0]), np.array([100]), np.array([0]), 1, 100, 10.0, 1.0, budget, 1.0, 1, vertex, speed
        )
    assert found == bound


@pytest.mark.usefixtures("plain_cubes")
def test_speeds_that_are_no_numbers_prove_nothing() -> None:
    """Where no time is left for the last work, its speed is infinite, and the bound is infinite minus infinite."""
    columns = np.array([10, 20]), np.array([200, 100]), np.array([0, 0])
    vertex, speed = np.array([2, 1, 0]), np.array([0.0, np.inf, 0.3])
    with np.errstate(invalid="ignore"):
        bound = plain(hull_kernel.dual_bound)(*columns, 2, 250, 10.0, 1.0, 50.0, 1.0, 2, vertex, speed)
    assert bound == 0.0


def test_of_brackets_too_close_to_tell_the_largest_share_bounds() -> None:
    """100 bits in no time at all, and 101 in 3 ticks, of deadlines of 10^15 ticks, which floats know to some 4."""
    bits, work = np.array([100, 101]), np.array([10**15, 10**15 - 3])
    for order in ([0, 1], [1, 0]):
        low, high, tight = plain(hull_kernel.full_speed)(bits[order], work[order], np.zeros(2), 0, 2, 10**15, 1.0, 1.0)
        assert tight == order.index(0)
        assert low == pytest.approx(100 / (18 * 2.0**-52 * 1e15), rel=1e-9)
        assert high == math.inf


@pytest.mark.parametrize(
    ("frequency_hz", "deadline_s", "feasible"),
    [
        (1e9, 0.003, True),  # computes all the time, exactly
        (3e9, 0.001, False),  # a FLOP takes a third of 1000 ticks, rounded up: too late by less than floats can tell
        (1e9, 0.0029, False),  # surely too late
    ],
)
def test_a_task_that_takes_the_whole_deadline(frequency_hz: float, deadline_s: float, feasible: bool) -> None:
    """Floats never say that a share is enough where it is not, nor that none is where one is."""
    instance = SlideInstance(
        "whole deadline",
        1e6,
        Models.of([LayerTable.of("m", bits=[0, 60], flop_per_sample=[3 * 10**6, 0])]),
        Users.of(deadline_s=[deadline_s], frequency_hz=frequency_hz, spectral_efficiency=1.0),
    )
    shares = least_shares(instance.compiled)
    exact = exact_share(instance.compiled.pair(0, 0))
    assert (exact.high is not None) == feasible
    assert shares.high[0] == math.inf
    surely_late = deadline_s == 0.0029
    assert (shares.low[0] == math.inf) == surely_late
    assert ExchangeProof(-1, shares).evidence(0).kind == ("late" if surely_late else "prefix")
    assert edgeopt.solve(instance, "slide").value == edgeopt.solve(instance, "slide").bound == int(feasible)
