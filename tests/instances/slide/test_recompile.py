"""The compiled numbers against an independent recompilation from the raw fields, and which way they are rounded."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.errors import InstanceError
from edgeopt.instances.slide import Allocation, LayerTable, Models, SlideInstance, Users, check, compiled
from edgeopt.instances.slide.compiled import LOG_BITS
from edgeopt.instances.slide.generate import CORNERS
from edgeopt.instances.slide.instance import LEAST, MOST, MOST_SECONDS
from edgeopt.testing.profiles import few
from edgeopt.testing.slide import slide_instances

TICKS = 10**12


def decimal(value: float) -> Fraction:
    return Fraction(repr(float(value)))


def binade(value: Fraction) -> int:
    """``e`` with ``2^e <= value < 2^(e + 1)``."""
    power = value.numerator.bit_length() - value.denominator.bit_length()
    return power if Fraction(2) ** power <= value else power - 1


def rounded(value: Fraction, bits: int, *, up: bool) -> Fraction:
    """To so many significant bits."""
    unit = Fraction(2) ** (binade(value) + 1 - bits)
    return (ceil if up else floor)(value / unit) * unit


def assert_compiles_exactly(instance: SlideInstance) -> None:
    """Every number, recomputed in fractions, one layer and one user at a time."""
    found, models, users = instance.compiled, instance.models, instance.users
    assert found.start.tolist() == models.start.tolist()
    row = 0
    for index in range(len(models)):
        table = models[index]
        overhead = [ceil(decimal(cost) * TICKS) for cost in table.overhead_s]
        for layer in range(len(table)):
            assert found.bits[row] == sum(table.bits.tolist()[: layer + 1])
            assert found.work[row] == table.flop_per_sample[layer]
            assert found.work_left[row] == sum(table.flop_per_sample.tolist()[layer:])
            assert found.overhead[row] == overhead[layer]
            assert found.overhead_left[row] == sum(overhead[layer:])
            row += 1
    assert row == len(found.bits)
    for user in range(len(users)):
        assert found.deadline[user] == floor(decimal(users.deadline_s[user]) * TICKS)
        frequency, cycles = decimal(users.frequency_hz[user]), decimal(users.cycles_per_flop[user])
        price = int(users.batch[user]) * cycles / frequency * TICKS
        assert Fraction(float(found.flop_ticks[user])) == rounded(price, 53, up=True)
        budget = float(users.energy_j[user])
        if budget == float("inf"):
            assert found.energy[user] == budget
        elif not budget:
            assert found.energy[user] == 0
        else:
            time = decimal(budget) / (decimal(users.energy_coefficient[user]) * frequency**3) * TICKS
            assert Fraction(float(found.energy[user])) == rounded(time, 53, up=False)
        assert_rate(instance, user)
        accepted = users.accept_sets[int(users.accepts[user])]
        eligible = [
            index
            for index, name in enumerate(models.name)
            if (accepted is None or name in accepted)
            and decimal(models.accuracy[index]) >= decimal(users.min_accuracy[user])
        ]
        assert found.models_of(user).tolist() == eligible


def assert_rate(instance: SlideInstance, user: int) -> None:
    users, band = instance.users, decimal(instance.bandwidth_hz)
    rate = Fraction(float(instance.compiled.rate[user]))
    if not np.isnan(users.spectral_efficiency[user]):
        assert rate == rounded(band * decimal(users.spectral_efficiency[user]), 53, up=False)
        return
    assert instance.noise_w_per_hz is not None
    snr = decimal(users.power_w[user]) * decimal(users.gain[user]) / (decimal(instance.noise_w_per_hz) * band)
    low, high = check._log2(1 + snr, 400)
    # below the true rate by less than one unit of the last place that it keeps; at a power of two that is one place
    # more, or one fewer where the nearest float is that power and the rate just below it
    unit = Fraction(2) ** (binade(rate) + 1 - LOG_BITS)
    unit *= 1 + (rate + unit == Fraction(2) ** (binade(rate) + 1) - unit)
    assert rate <= band * high
    assert band * low < rate + unit
    assert (rate / unit).denominator <= 2


@few(25)
@given(slide_instances())
def test_drawn_instances(instance: SlideInstance) -> None:
    assert_compiles_exactly(instance)


@pytest.mark.parametrize("corner", [None, *sorted(CORNERS)])
def test_corners(corner: str | None) -> None:
    assert_compiles_exactly(eo.generate("slide", seed=5, users=9, corner=corner))


@pytest.mark.parametrize(
    "options", [{"layers": 7}, {"model": "opt-125m", "prompt_tokens": 9}, {"energy": False, "granularity": "block"}]
)
def test_generated(options: dict[str, object]) -> None:
    assert_compiles_exactly(eo.generate("slide", seed=2, users=30, **options))


def single(**fields: object) -> SlideInstance:
    """One user with one model of two layers."""
    layers = {name: fields.pop(name) for name in ("bits", "flop_per_sample", "overhead_s") if name in fields}
    table = {"bits": [1000, 500], "flop_per_sample": [30, 20], "overhead_s": [0.0, 0.1], **layers}
    band, noise = fields.pop("bandwidth_hz", 1e6), fields.pop("noise_w_per_hz", 1e-9)
    user = {"deadline_s": [2.0], "frequency_hz": 1e9, **fields}
    if "gain" not in user:
        user.setdefault("spectral_efficiency", 1.0)
    models = Models.of([LayerTable.of("m", **table)])  # type: ignore[arg-type]
    return SlideInstance("single", band, models, Users.of(**user), noise_w_per_hz=noise)  # type: ignore[arg-type]


WHOLE_TICKS = st.integers(1, 10**15).map(lambda count: count / 1e12)
POSITIVE = st.floats(LEAST, MOST)
NEAR_ONE = st.floats(1e-6, 1e6)


@given(
    deadline_s=st.floats(LEAST, MOST_SECONDS) | WHOLE_TICKS,
    overhead_s=st.lists(st.floats(0, MOST_SECONDS) | WHOLE_TICKS, min_size=2, max_size=2),
    frequency_hz=POSITIVE | NEAR_ONE,
    cycles_per_flop=POSITIVE | NEAR_ONE,
    batch=st.integers(1, 2**31),
    energy_j=POSITIVE | st.just(0.0) | st.just(float("inf")),
    energy_coefficient=POSITIVE,
    spectral_efficiency=st.floats(LEAST, 1024),
    bandwidth_hz=POSITIVE | NEAR_ONE,
)
def test_any_units(**fields: object) -> None:
    assert_compiles_exactly(single(**fields))


@given(gain=POSITIVE | NEAR_ONE, power_w=POSITIVE | NEAR_ONE, noise_w_per_hz=NEAR_ONE, bandwidth_hz=POSITIVE | NEAR_ONE)
def test_any_channel(**fields: object) -> None:
    assert_compiles_exactly(single(**fields))


@pytest.mark.parametrize("power", range(1, 40))
def test_the_rate_at_a_power_of_two_is_exact(power: int) -> None:
    """log2(1 + snr) is a whole number, and must not be rounded down by a unit."""
    instance = single(power_w=1.0, gain=float(2**power - 1), noise_w_per_hz=1e-6)
    assert instance.compiled.rate.tolist() == [power * 1e6]


@pytest.mark.parametrize("time", [0.1, 0.3, 0.7, 1.1, 1e-12, 123.456789012345, 0.000001, 1e6, 333333.333333333333])
def test_times_that_are_whole_ticks(time: float) -> None:
    """Decimals are not what floats make of them: no tick is lost or added."""
    instance = single(deadline_s=[time], overhead_s=[time, 0.0])
    assert decimal(time) * TICKS == instance.compiled.deadline[0] == instance.compiled.overhead[0]


@pytest.mark.parametrize("time", [1e-13, 1.5e-12, 0.1234567890123456, 0.333333333333333333])
def test_times_between_ticks(time: float) -> None:
    instance = single(deadline_s=[time], overhead_s=[time, 0.0])
    assert instance.compiled.overhead[0] == instance.compiled.deadline[0] + 1


def test_sums_over_all_models_may_leave_64_bits() -> None:
    large = [LayerTable.of(f"m{index}", bits=[2**61, 5], flop_per_sample=[7, 2**61]) for index in range(9)]
    users = Users.of(deadline_s=[1.0], frequency_hz=1e9, spectral_efficiency=1.0)
    assert_compiles_exactly(SlideInstance("large", 1e6, Models.of(large), users))


def test_a_budget_as_full_speed_time() -> None:
    """50 FLOP at 2 cycles each and 1e9 cycle/s take 100 ns, and 1e-9 J at 1e-29 J s^2/cycle^3."""
    found = single(cycles_per_flop=2.0, energy_coefficient=1e-29, energy_j=1e-9).compiled
    assert found.flop_ticks.tolist() == [2000.0]
    assert found.energy.tolist() == [100_000.0]
    assert found.pair(0, 0).energy_used() == found.pair(0, 0).energy


def test_too_many_pairs_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = eo.generate("slide", users=10, energy=False)
    monkeypatch.setattr(compiled, "MOST_PAIRS", 39)
    with pytest.raises(InstanceError, match=r"users: 40 pairs .*: must be at most 39; name the models"):
        instance.compiled  # noqa: B018


@few(25)
@given(slide_instances(min_users=1), st.data())
def test_what_is_feasible_compiled_is_feasible_in_the_raw_fields(instance: SlideInstance, data: st.DataObject) -> None:
    """At the least share of the compiled numbers, where rounding the wrong way would show."""
    found = instance.compiled
    for user in range(found.users):
        for model in found.models_of(user).tolist():
            pair = found.pair(user, model)
            levels = st.sampled_from([Fraction(1), Fraction(1, 2), Fraction(2, 3), Fraction(1, 7)])
            speed = data.draw(st.lists(levels, min_size=len(pair), max_size=len(pair)))
            least = pair.least_share(speed)
            if least is None or least > 1 or (pair.energy is not None and pair.energy_used(speed) > pair.energy):
                continue
            allocation = Allocation(np.array([user]), np.array([model]), (least,), tuple(speed))
            assert not check.violations(instance, allocation)


@given(
    deadline_s=st.floats(1e-6, 1e3),
    overhead_s=st.lists(st.floats(0, 1e-7), min_size=2, max_size=2),
    frequency_hz=st.floats(1e6, 1e12),
    cycles_per_flop=st.floats(1e-3, 1e3),
    batch=st.integers(1, 100),
    energy_coefficient=st.floats(1e-30, 1e-27),
    gain=st.floats(1e-3, 1e3),
    bandwidth_hz=st.floats(1e3, 1e12),
    part=st.sampled_from([Fraction(1), Fraction(1, 3), Fraction(10**16 + 1, 10**16)]),
)
def test_rounding_is_against_us(part: Fraction, **fields: float | list[float] | int) -> None:
    """Budgets and deadlines that are met as exactly as floats can say; in any unit."""
    one = single(power_w=1.0, **fields)
    cycles = int(one.users.batch[0]) * 50 * decimal(one.users.cycles_per_flop[0])
    full = cycles * decimal(one.users.energy_coefficient[0]) * decimal(one.users.frequency_hz[0]) ** 2
    instance = replace(one, users=replace(one.users, energy_j=np.array([float(full * part)])))
    pair = instance.compiled.pair(0, 0)
    assert pair.energy is not None
    speed = [min(Fraction(1), Fraction(9, 16) * part)] * 2 if part < 1 else None
    least = pair.least_share(speed)
    if least is None or least > 1 or pair.energy_used(speed) > pair.energy:
        return
    allocation = Allocation(np.array([0]), np.array([0]), (least,), None if speed is None else tuple(speed))
    assert not check.violations(instance, allocation)
    # and by little: a ten-millionth less of the share, and some ticks less of the time that is left, is too little
    little = Fraction(1, 10**7) + Fraction(8) / min(pair.room(speed))
    if little >= 1:
        return
    short = replace(allocation, share=(least * (1 - little),))
    assert [item.constraint for item in check.violations(instance, short)] == ["deadline t_L <= T"]
