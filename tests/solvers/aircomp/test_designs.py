"""Designs against their bounds: none is better, each is feasible, and the relaxations close where they can."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.certify.aircomp_proof import encoded, stated
from edgeopt.certify.verify.proof_semidefinite import lower_bound, read_program
from edgeopt.errors import AssumptionError, InstanceError
from edgeopt.instances.aircomp import AirCompInstance, Design, Devices, Plan
from edgeopt.instances.aircomp.plan import evaluate
from edgeopt.instances.aircomp.transmission import transceivers
from edgeopt.result import Termination
from edgeopt.solvers.aircomp import linear, zero_forcing
from edgeopt.solvers.aircomp.design import designed, proof_of
from edgeopt.solvers.aircomp.recover import truncated, worst_of
from edgeopt.solvers.aircomp.relaxed import invertible, powers_left, relax, scaled
from edgeopt.solvers.base import Control
from edgeopt.testing.aircomp import aircomp_instances


def proved(instance: AirCompInstance, proof: Any) -> Fraction:
    content = stated(instance)
    return lower_bound(read_program(content), encoded(instance, content, proof))


@st.composite
def paper_like(draw: st.DrawFn, design: str, missing: int = 0) -> AirCompInstance:
    """2-8 devices, 2-4 antennas, 4-20 at the server, any fading, spread and noise; fewer streams by `missing`."""
    antennas = draw(st.integers(2, 4))
    return eo.generate(  # type: ignore[no-any-return]
        "aircomp",
        devices=draw(st.integers(2, 8)),
        antennas=antennas,
        streams=max(1, antennas - missing),
        server_antennas=draw(st.integers(max(4, antennas), 20)),
        fading=draw(st.sampled_from(("rician", "rayleigh"))),
        gain_spread_db=draw(st.sampled_from((0.0, 10.0, 20.0))),
        snr_db=draw(st.sampled_from((-10.0, 10.0, 30.0))),
        seed=draw(st.integers(0, 10**6)),
        design=design,
    )


@settings(max_examples=max(8, settings.default.max_examples // 8))
@given(paper_like("zero-forcing"))
def test_zero_forcing_never_beats_its_bound(instance: AirCompInstance) -> None:
    """And is optimal, with proof, wherever the relaxed matrix has no more rank than there are streams."""
    assert instance.shares is not None
    plan, relaxations, _ = designed(instance, instance.shares, Control(), solver="x", linear=False)
    error, broken = evaluate(instance, plan)
    assert not broken
    assert error is not None
    bound = proved(instance, proof_of(instance, instance.shares, relaxations))
    assert 0 < bound <= error
    made = transceivers(instance, plan)
    assert not eo.violations(instance.with_design("linear"), Plan(plan.shares, (Design(made.receive, made.transmit),)))
    assert bound <= made.error <= error * (1 + Fraction(1, 10**6))
    assert relaxations[0] is not None
    strengths = np.linalg.svd(relaxations[0].factor, compute_uv=False) ** 2
    if strengths[instance.streams :].sum() < 1e-9:
        assert error <= bound * (1 + Fraction(1, 10**4))


@settings(max_examples=max(8, settings.default.max_examples // 16))
@given(st.sampled_from(["zero-forcing", "linear"]).flatmap(lambda design: paper_like(design, missing=1)))
def test_fewer_streams_never_beat_their_bound(instance: AirCompInstance) -> None:
    """Nor are they far from it."""
    assert instance.shares is not None
    linear = instance.design == "linear"
    plan, relaxations, _ = designed(instance, instance.shares, Control(), solver="x", linear=linear)
    error, broken = evaluate(instance, plan)
    assert not broken
    assert error is not None
    bound = proved(instance, proof_of(instance, instance.shares, relaxations))
    assert 0 < bound <= error <= bound * Fraction(3, 2)


@settings(max_examples=max(8, settings.default.max_examples // 8))
@given(paper_like("linear"))
def test_linear_designs_never_beat_theirs(instance: AirCompInstance) -> None:
    """`mmse` is not above zero forcing, and neither is below the bound on all linear designs."""
    assert instance.shares is not None
    plan, relaxations, _ = designed(instance, instance.shares, Control(), solver="x", linear=True, starts=1)
    error, broken = evaluate(instance, plan)
    assert not broken
    assert error is not None
    bound = proved(instance, proof_of(instance, instance.shares, relaxations))
    assert 0 < bound <= error
    forced, _, _ = designed(instance, instance.shares, Control(), solver="x", linear=False, warm=relaxations, starts=1)
    other, _ = evaluate(instance, forced)
    assert other is not None
    assert error <= other


@settings(max_examples=max(8, settings.default.max_examples // 8))
@given(aircomp_instances(max_devices=3, max_draws=2))
def test_the_default_solver_on_every_corner(instance: AirCompInstance) -> None:
    if instance.design == "zero-forcing" and not all(invertible(draw) for draw in instance.channels):
        with pytest.raises(AssumptionError, match="cannot invert"):
            eo.solve(instance)
        return
    result = eo.solve(instance)
    assert result.termination is Termination.COMPLETE, result.message
    assert result.value_evidence is not None
    assert str(result.value_evidence) == "checked"
    assert not eo.violations(instance, result.solution)
    assert result.bound is not None
    assert result.bound <= result.value <= 1.5 * result.bound


@settings(max_examples=max(8, settings.default.max_examples // 4))
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 3))
def test_random_receivers_do_not_beat_the_bound(seed: int, devices: int, antennas: int) -> None:
    """Brute force by chance: of many receivers none is below, and the relaxation's value is met by its bound."""
    rng = np.random.default_rng(seed)
    channels = rng.standard_normal((devices, 4, antennas)) + 1j * rng.standard_normal((devices, 4, antennas))
    rank = zero_forcing.relaxation_rank(devices, antennas, 4)
    found = zero_forcing.smallest_worst(channels, zero_forcing.start_factor(channels, rank, rng))
    assert found.bound * (1 - 1e-12) <= found.alpha <= found.bound * (1 + 1e-4)
    for _ in range(20):
        receive = rng.standard_normal((4, antennas)) + 1j * rng.standard_normal((4, antennas))
        assert worst_of(channels, receive) >= found.bound * (1 - 1e-12)
    descended = zero_forcing.smallest_worst(channels, truncated(found.factor, antennas), relaxed=False)
    assert descended.alpha >= found.bound * (1 - 1e-12)
    assert descended.alpha == pytest.approx(worst_of(channels, descended.factor), rel=1e-9)


def test_one_device_has_a_formula() -> None:
    """Alone, the best zero forcing has alpha (sum 1/s)^2 (Cauchy-Schwarz over the strengths of the directions)."""
    rng = np.random.default_rng(3)
    channels = rng.standard_normal((1, 6, 3)) + 1j * rng.standard_normal((1, 6, 3))
    wanted = (1 / np.linalg.svd(channels[0], compute_uv=False)).sum() ** 2
    found = zero_forcing.smallest_worst(channels, zero_forcing.start_factor(channels, 4, rng))
    assert found.alpha == pytest.approx(wanted, rel=1e-5)
    assert found.bound == pytest.approx(wanted, rel=1e-5)


def test_one_number_has_a_formula() -> None:
    """One antenna everywhere, SNR 1: zero forcing has the error 1, the best linear design 1/2."""
    settings = {
        "channels": np.ones((1, 1, 1, 1)), "noise_w": 1.0, "devices": Devices.of(power_w=[1.0]), "layer_parameters": 1,
        "vector_length": 1, "streams": 1, "shares": [1.0],
    }  # fmt: skip
    forced = AirCompInstance(name="one", design="zero-forcing", **settings)  # type: ignore[arg-type]
    free = AirCompInstance(name="one", design="linear", **settings)  # type: ignore[arg-type]
    for instance, wanted in ((forced, 1.0), (free, 0.5)):
        result = eo.solve(instance)
        assert result.value * instance.compiled.unit == pytest.approx(wanted, rel=1e-6)
        assert result.bound * instance.compiled.unit == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("snr_db", [-47.0, -11.0, 10.0, 60.0, 105.0])
@pytest.mark.parametrize("shares", [None, [1.0]])
def test_any_noise_has_a_tight_bound(snr_db: float, shares: list[float] | None) -> None:
    """One antenna everywhere: the best linear design has 1 / (1 + SNR); with more, value and bound meet."""
    snr = 10 ** (snr_db / 10)
    for channels in (np.ones((1, 1, 1, 1)), np.random.default_rng(0).standard_normal((1, 1, 6, 2))):
        instance = AirCompInstance(
            name="one", channels=channels, noise_w=1 / snr, devices=Devices.of(power_w=[1.0]), layer_parameters=1,
            vector_length=1, streams=channels.shape[3], shares=shares, design="linear",
        )  # fmt: skip
        result = eo.solve(instance)
        assert result.bound is not None
        assert result.value <= result.bound * 1.0001
        if channels.size == 1:
            assert result.value * instance.compiled.unit == pytest.approx(1 / (1 + snr), rel=1e-6)


@pytest.mark.parametrize("design", ["zero-forcing", "linear"])
def test_next_to_no_noise_has_a_tight_bound(design: str) -> None:
    instance = eo.generate(
        "aircomp", devices=2, server_antennas=6, antennas=2, snr_db=85.0, seed=3, shares="open", design=design
    )
    result = eo.solve(instance)
    assert result.value <= result.bound * 1.001


@given(st.integers(0, 10**6))
def test_multipliers_solve_their_equation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = 10 ** rng.uniform(-8, 8, (6, 3))
    level = linear.multipliers(x)
    used = (x / (level[:, None] + x) ** 2).sum(axis=1)
    assert np.all((np.abs(used - 1) < 1e-8) | ((level == 0) & (used <= 1)))


@given(st.integers(0, 10**6), st.sampled_from([(4, 2, 2), (5, 3, 2), (4, 3, 1), (6, 4, 2)]), st.booleans())
def test_gradients_are_those_of_finite_differences(seed: int, shape: tuple[int, int, int], relaxed: bool) -> None:
    server, antennas, streams = shape
    rng = np.random.default_rng(seed)
    channels = rng.standard_normal((2, server, antennas)) + 1j * rng.standard_normal((2, server, antennas))
    columns = server if relaxed else streams
    work = linear._Work(channels, 0.3, streams, columns, relaxed)
    other = zero_forcing._Work(channels, max(columns, antennas) if relaxed else columns, streams)
    logs = np.log(np.array([0.4, 0.6]))
    for function, size in (
        (work.error, 2 * server * columns),
        (lambda p: other._smooth(p, logs, 7.0), 2 * server * other.shape[1]),
    ):
        point, step = rng.standard_normal(size), rng.standard_normal(size)
        _, gradient = function(point)
        h = 1e-6
        slope = (function(point + h * step)[0] - function(point - h * step)[0]) / (2 * h)
        assert float(gradient @ step) == pytest.approx(slope, rel=2e-4, abs=1e-6 * float(np.abs(gradient).sum()))


def test_recoveries_side_by_side() -> None:
    """Descent is never worse than what it starts from, and the published design is never below the bound."""
    instance = eo.generate("aircomp", devices=4, server_antennas=6, antennas=2, seed=5)
    results = {name: eo.solve(instance, "sdr-trace-inverse", recovery=name) for name in ("truncation", "descent")}
    drawn = eo.solve(instance, "sdr-trace-inverse", recovery="randomisation")
    assert results["descent"].value <= results["truncation"].value
    assert drawn.value <= results["truncation"].value
    for recovery in ("truncation", "randomisation", "descent"):
        paper = eo.solve(instance, "sdr-eigen", recovery=recovery)
        assert paper.bound is None
        assert paper.value >= results["descent"].bound
        assert str(paper.value_evidence) == "checked"


def test_engines_find_the_same() -> None:
    instance = eo.generate("aircomp", devices=2, server_antennas=4, antennas=2, seed=6)
    values = [eo.solve(instance, "sdr-trace-inverse", engine=name).value for name in ("factored", "clarabel", "scs")]
    assert max(values) <= min(values) * (1 + 1e-4)


def test_mmse_wins_where_noise_is_strong() -> None:
    free = eo.generate("aircomp", devices=3, server_antennas=6, antennas=2, seed=7, snr_db=-5.0, design="linear")
    best, forced = eo.solve(free, "mmse"), eo.solve(free, "sdr-trace-inverse")
    assert best.value < 0.7 * forced.value
    assert best.value <= best.bound * 1.05


def test_fewer_streams_than_antennas() -> None:
    instance = eo.generate("aircomp", devices=3, server_antennas=6, antennas=3, streams=2, seed=8)
    result = eo.solve(instance)
    assert str(result.value_evidence) == "checked"
    assert result.bound is not None
    assert result.bound <= result.value
    with pytest.raises(AssumptionError, match="needs as many streams as a device has antennas, 3"):
        eo.solve(instance, "sdr-eigen")


@pytest.mark.parametrize("solver", ["sdr-trace-inverse", "sdr-eigen", "mmse"])
def test_open_shares_are_refused(solver: str) -> None:
    instance = eo.generate("aircomp", devices=2, server_antennas=3, antennas=1, shares="open", design="linear")
    with pytest.raises(AssumptionError, match=f"{solver} takes given shares"):
        eo.solve(instance, solver)


def test_what_a_solver_does_not_take_is_said() -> None:
    instance = eo.generate("aircomp", devices=2, server_antennas=3, antennas=2)
    with pytest.raises(AssumptionError, match="mmse is for linear designs"):
        eo.solve(instance, "mmse")
    with pytest.raises(InstanceError, match="recovery = 'luck': must be one of truncation"):
        eo.solve(instance, "sdr-trace-inverse", recovery="luck")
    with pytest.raises(InstanceError, match="engine = 'steam': must be clarabel or scs"):
        eo.solve(instance, "sdr-eigen", engine="steam")
    channels = instance.channels.copy()
    channels[0, 1] = 0
    with pytest.raises(AssumptionError, match="cannot invert the channel of device d1 in draw 0"):
        eo.solve(instance.with_channels(channels), "joint")


def test_a_silent_device_is_left_as_it_is() -> None:
    """A channel of 0 cannot be inverted, but linear designs give up on it and pay its L."""
    instance = eo.generate("aircomp", devices=2, server_antennas=3, antennas=2, design="linear")
    channels = instance.channels.copy()
    channels[0, 1] = 0
    result = eo.solve(instance.with_channels(channels), "mmse")
    error = result.value * instance.with_channels(channels).compiled.unit
    assert 2 <= error <= 2.5
    assert result.bound <= result.value


def test_no_time_gives_a_plan_all_the_same() -> None:
    instance = eo.generate("aircomp", devices=3, server_antennas=6, antennas=2, draws=3)
    result = eo.solve(instance, time_limit=0.0)
    assert result.termination is Termination.TIME_LIMIT
    assert str(result.value_evidence) == "checked"
    best = eo.solve(instance)
    assert best.value <= result.value
    assert best.bound <= result.value


def test_a_relaxation_starts_from_another() -> None:
    instance = eo.generate("aircomp", devices=4, server_antennas=8, antennas=2, seed=9)
    left = powers_left(instance, np.asarray(instance.shares))
    cold = relax(instance, 0, left, np.random.default_rng(0))
    warm = relax(instance, 0, left * 1.01, np.random.default_rng(0), warm=cold)
    again = relax(instance, 0, left * 1.01, np.random.default_rng(0))
    assert warm.bound == pytest.approx(again.bound, rel=1e-5)
    assert warm.value == pytest.approx(cold.value / 1.01, rel=1e-5)


@pytest.mark.parametrize("design", ["zero-forcing", "linear"])
def test_scaled_units_change_nothing(design: str) -> None:
    """Channels and noise in other units: the same error."""
    instance = eo.generate("aircomp", devices=3, server_antennas=6, antennas=2, seed=10, design=design)
    other = AirCompInstance(
        name="other", channels=instance.channels * 2.0**-30, noise_w=instance.noise_w * 2.0**-60,
        devices=instance.devices, layer_parameters=instance.layer_parameters, vector_length=instance.vector_length,
        streams=instance.streams, shares=instance.shares, design=design,
    )  # fmt: skip
    assert other.compiled.places == instance.compiled.places
    assert eo.solve(other).value == pytest.approx(eo.solve(instance).value, rel=1e-4)
    assert scaled(other, 0, np.ones(3)).noise == pytest.approx(scaled(instance, 0, np.ones(3)).noise)
