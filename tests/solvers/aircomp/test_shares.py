"""Shares: the relaxed value is convex in them, slopes are those of differences, and the joint optimum is the best."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.errors import AssumptionError, InstanceError
from edgeopt.instances.aircomp import AirCompInstance
from edgeopt.solvers.aircomp.joint import Relaxation, best_shares, first_shares, most_shares
from edgeopt.solvers.aircomp.sampling import interval, optimum_interval, relaxed_errors
from edgeopt.solvers.aircomp.sca import GAMMA, RHO, least_reciprocal, projected, trace
from edgeopt.solvers.base import Control

SMALL = {"devices": 3, "server_antennas": 5, "antennas": 2, "shares": "open"}


def opened(seed: int = 1, draws: int = 2, **options: object) -> AirCompInstance:
    return eo.generate("aircomp", seed=seed, draws=draws, **{**SMALL, **options})  # type: ignore[no-any-return]


def inside(instance: AirCompInstance, rng: np.random.Generator) -> np.ndarray:
    """Shares at random, within the limits."""
    return projected(rng.dirichlet(np.ones(len(instance.devices))), most_shares(instance) * 0.95)


@settings(max_examples=max(8, settings.default.max_examples // 6))
@given(st.integers(0, 10**6), st.sampled_from(["zero-forcing", "linear"]))
def test_the_relaxed_value_is_convex_in_the_shares(seed: int, design: str) -> None:
    """The proposition at midpoints; the lower end of the midpoint against the upper ends at the sides."""
    instance = opened(seed % 50, draws=1, design=design, snr_db=5.0, server_antennas=3)
    rng = np.random.default_rng(seed)
    one, other = inside(instance, rng), inside(instance, rng)
    work = Relaxation(instance, Control())
    sides = [work.value_and_slopes(shares)[0] for shares in (one, other)]
    middle = work.value_and_slopes((one + other) / 2)[0]
    assert middle <= (sides[0] + sides[1]) / 2 * (1 + 1e-5)


@settings(max_examples=max(8, settings.default.max_examples // 6))
@given(st.integers(0, 10**6), st.sampled_from(["zero-forcing", "linear"]))
def test_the_bound_of_any_shares_bounds_all_shares(seed: int, design: str) -> None:
    instance = opened(seed % 50, draws=1, design=design, snr_db=5.0, server_antennas=3)
    rng = np.random.default_rng(seed)
    work = Relaxation(instance, Control())
    work.value_and_slopes(inside(instance, rng))
    assert work.proof is None or work.proof.bound(instance) <= work.value_and_slopes(inside(instance, rng))[0] * (
        1 + 1e-6
    )


@pytest.mark.parametrize("design", ["zero-forcing", "linear"])
@pytest.mark.parametrize("seed", range(3))
def test_envelope_slopes_are_those_of_finite_differences(seed: int, design: str) -> None:
    instance = opened(seed, design=design, snr_db=5.0)
    rng = np.random.default_rng(seed)
    shares = inside(instance, rng)
    work = Relaxation(instance, Control(), tolerance=1e-9)
    _, slopes = work.value_and_slopes(shares)
    step = np.array([1.0, -1.0, 0.0]) * 1e-3
    up, down = (work.value_and_slopes(shares + sign * step)[0] for sign in (1, -1))
    assert float(slopes @ step) == pytest.approx((up - down) / 2, rel=2e-2, abs=1e-6 * up)


@pytest.mark.parametrize("design", ["zero-forcing", "linear"])
def test_joint_is_the_best(design: str) -> None:
    instance = opened(2, draws=2, design=design, server_antennas=3)
    results = {name: eo.solve(instance, name) for name in ("joint", "equal-split", "power-split")}
    results["sca"] = eo.solve(instance, "sca", steps=60)
    best = results["joint"]
    for name, result in results.items():
        assert str(result.value_evidence) == "checked", name
        assert not eo.violations(instance, result.solution)
        assert result.value >= best.bound
        assert result.bound is None or result.bound <= best.value
    assert results["sca"].value <= 1.02 * best.value
    assert best.value < results["equal-split"].value
    assert results["sca"].value < results["equal-split"].value
    errors = relaxed_errors(instance, best.solution.shares)
    for seed in range(3):
        other = inside(instance, np.random.default_rng(seed))
        assert relaxed_errors(instance, other).mean() >= best.bound * instance.compiled.unit
    assert errors.mean() == pytest.approx(best.bound * instance.compiled.unit, rel=1e-3)


def test_the_steps_follow_the_published_rules() -> None:
    assert 0.5 < RHO < GAMMA <= 1


def test_the_trace_begins_at_equal_shares_and_settles() -> None:
    instance = opened(3)
    way = trace(instance, Control(), steps=40)
    assert way.shares.shape == (41, 3)
    assert way.shares[0] == pytest.approx(np.full(3, 1 / 3), abs=0.02)
    assert way.shares.sum(axis=1) == pytest.approx(np.ones(41))
    assert np.abs(way.shares[-1] - way.shares[-2]).max() < np.abs(way.shares[1] - way.shares[0]).max()
    work = Relaxation(instance, Control())
    assert work.value_and_slopes(way.shares[-1])[0] < work.value_and_slopes(way.shares[0])[0]


@given(st.integers(0, 10**6), st.integers(1, 6))
def test_projection(seed: int, count: int) -> None:
    """On the simplex within the limits, and no random point there is nearer."""
    rng = np.random.default_rng(seed)
    limits = rng.uniform(1.1 / count, 1.5, count)
    point = rng.normal(0, 2, count)
    found = projected(point, limits)
    assert found.sum() == pytest.approx(1)
    assert (found >= 0).all()
    assert (found <= limits + 1e-9).all()
    for _ in range(20):
        other = rng.dirichlet(np.ones(count))
        if (other <= limits).all():
            assert np.linalg.norm(other - point) >= np.linalg.norm(found - point) - 1e-9


@given(st.integers(0, 10**6), st.integers(1, 6))
def test_least_of_the_reciprocal_surrogate(seed: int, count: int) -> None:
    """On the simplex within the limits, and no random point there has less."""
    rng = np.random.default_rng(seed)
    price, shares = 10 ** rng.uniform(-1, 1, count), rng.dirichlet(np.ones(count))
    left = price * rng.uniform(0.05, 2.0, count)
    limits = np.minimum(shares + left / price * 0.999, 1.0)
    slopes = 10 ** rng.uniform(-2, 2, count)
    slopes = np.maximum(slopes, slopes.max() * 1e-2)
    found = least_reciprocal(shares, slopes, left, price, limits)
    assert found.sum() == pytest.approx(1)
    assert (found >= 0).all()
    assert (found <= limits + 1e-9).all()

    def surrogate(point: np.ndarray) -> float:
        return float((slopes * left**2 / price / (left - price * (point - shares))).sum())

    for _ in range(20):
        other = rng.dirichlet(np.ones(count))
        if (other <= limits).all():
            assert surrogate(other) >= surrogate(found) * (1 - 1e-9)
    assert surrogate(shares) >= surrogate(found) * (1 - 1e-9)


def test_the_surrogate_of_free_computing_stays() -> None:
    shares = np.array([0.25, 0.75])
    assert least_reciprocal(shares, np.zeros(2), np.ones(2), np.zeros(2), np.ones(2)) == pytest.approx(shares)
    moved = least_reciprocal(shares, np.array([0.0, 1.0]), np.ones(2), np.array([0.0, 1.0]), np.ones(2))
    assert moved == pytest.approx([1.0, 0.0], abs=1e-6)


@pytest.mark.parametrize("design", ["zero-forcing", "linear"])
def test_where_gains_differ_the_sca_needs_a_curvature_for_each_device(design: str) -> None:
    """With the published surrogate, one curvature for all, the other devices hardly move."""
    instance = eo.generate(
        "aircomp", devices=5, server_antennas=6, antennas=1, gain_spread_db=20.0, power_spread=0.15, seed=1,
        shares="open", design=design,
    )  # fmt: skip
    best = best_shares(instance, Control())
    work = Relaxation(instance, Control())
    above = {
        surrogate: work.value_and_slopes(trace(instance, Control(), steps=40, surrogate=surrogate).shares[-1])[0]
        / best.value
        - 1
        for surrogate in ("reciprocal", "proximal")
    }
    assert above["reciprocal"] < 0.01
    assert above["proximal"] > 0.05


def test_memory_and_budgets_limit_the_shares() -> None:
    instance = eo.generate(
        "aircomp", devices=3, server_antennas=4, antennas=1, seed=4, shares="open", memory=True,
        hardware="jetson-orin-nano", model="llama-2-7b",
    )  # fmt: skip
    limits = most_shares(instance)
    assert limits.max() < 0.7
    result = eo.solve(instance)
    assert (result.solution.shares <= limits + 1e-9).all()
    assert not eo.violations(instance, result.solution)
    assert first_shares(instance).sum() == pytest.approx(1)


@pytest.mark.parametrize("seed", [1, 2])
def test_where_devices_tie_many_cuts_make_the_bound(seed: int) -> None:
    """All channels nearly the same, so that the device with the least power left decides: slopes jump at the optimum.

    And some cuts are steep by many orders of magnitude, those at shares that leave next to nothing.
    """
    instance = eo.generate(
        "aircomp", devices=3, antennas=1, server_antennas=3, corner="aligned", draws=2, shares="open", seed=seed
    )
    found = best_shares(instance, Control())
    assert found.proof is not None
    assert found.value <= found.proof.bound(instance) * 1.001


def test_free_computing_leaves_the_shares_as_they_are() -> None:
    instance = opened(5, corner="free-computing")
    found = best_shares(instance, Control())
    assert found.shares == pytest.approx(first_shares(instance))
    assert found.proof is not None
    assert found.proof.bound(instance) == pytest.approx(found.value, rel=1e-4)


def test_baselines_say_what_they_cannot_do() -> None:
    given_shares = eo.generate("aircomp", devices=2, server_antennas=3, antennas=1)
    for solver in ("equal-split", "power-split", "sca"):
        with pytest.raises(AssumptionError, match=f"{solver} chooses the shares"):
            eo.solve(given_shares, solver)
    light = opened(6)
    price = light.devices.w_per_parameter.copy()
    price[0] *= 20
    heavy = replace(light, devices=replace(light.devices, w_per_parameter=price))
    with pytest.raises(AssumptionError, match=r"device d0 cannot hold the share 0\.3333"):
        eo.solve(heavy, "equal-split")
    with pytest.raises(InstanceError, match="steps = 0: must be 1 or more"):
        eo.solve(opened(), "sca", steps=0)
    with pytest.raises(InstanceError, match="curvature = -1"):
        eo.solve(opened(), "sca", surrogate="proximal", curvature=-1.0)
    with pytest.raises(InstanceError, match=r"curvature = 1\.0: is of surrogate=proximal"):
        eo.solve(opened(), "sca", curvature=1.0)
    with pytest.raises(InstanceError, match="surrogate = 'cubic': must be one of reciprocal, proximal"):
        eo.solve(opened(), "sca", surrogate="cubic")


def test_shares_that_leave_no_power_are_refused() -> None:
    heavy = opened(6)
    price = heavy.devices.w_per_parameter * 3
    price[1:] /= 100
    with pytest.raises(InstanceError, match=r"device d0 has .* W left to send at its share"):
        relaxed_errors(replace(heavy, devices=replace(heavy.devices, w_per_parameter=price)), np.array([0.9, 0.1, 0.0]))


def test_intervals() -> None:
    found = interval([1.0, 2.0, 3.0])
    assert found.mean == 2
    assert (found.low, found.high) == pytest.approx((2 - 2.4841, 2 + 2.4841), abs=1e-3)
    samples = [opened(7, draws=1), opened(7, draws=2).with_channels(opened(7, draws=2).channels[1:])]
    least = optimum_interval(samples)
    assert least.low < least.mean < least.high
    whole = best_shares(opened(7, draws=2), Control())
    assert least.mean <= whole.value * (1 + 1e-6)
