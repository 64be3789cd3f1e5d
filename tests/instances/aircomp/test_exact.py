"""Exact evaluation: two independent paths agree, zero forcing has the error sigma^2 alpha, and the air does too."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.errors import InstanceError
from edgeopt.instances.aircomp import AirCompInstance, Design, Plan, check
from edgeopt.instances.aircomp.exact import Gaussian, power_of_two, trace_of_inverse
from edgeopt.instances.aircomp.plan import evaluate, value
from edgeopt.instances.aircomp.transmission import transceivers, transmit
from edgeopt.testing.aircomp import aircomp_instances, binding_limits, plans
from edgeopt.testing.binding import nontrivial_share

INSTANCE = eo.generate("aircomp", devices=3, server_antennas=6, antennas=2, seed=1)


def directions(instance: AirCompInstance, seed: int = 0) -> Plan:
    rng = np.random.default_rng(seed)
    shape = instance.shape[1], instance.streams
    shares = np.full(len(instance.devices), 1 / len(instance.devices)) if instance.shares is None else instance.shares
    return Plan(
        np.array(shares),
        tuple(Design(rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) for _ in range(instance.draws)),
    )


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (Plan(np.full(3, 1 / 3), ()), "designs has 0 entries: must have 1"),
        (Plan(np.full(2, 1 / 2), (Design(np.ones((6, 2), dtype=complex)),)), r"shares has the shape \(2,\): must be"),
        (Plan([1 / 3] * 3, (Design(np.ones((6, 2), dtype=complex)),)), "shares has the shape None"),  # type: ignore[arg-type]
        (Plan(np.full(3, np.nan), (Design(np.ones((6, 2), dtype=complex)),)), "shares: must hold finite numbers"),
        (Plan(np.full(3, 1 / 3), (Design(np.ones((5, 2), dtype=complex)),)), r"designs\[0\]\.receive has the shape"),
        (Plan(np.full(3, 1 / 3), (Design(np.full((6, 2), np.inf + 0j)),)), "receive: must hold finite numbers"),
        (
            Plan(np.full(3, 1 / 3), (Design(np.ones((6, 2), dtype=complex), np.ones((3, 2, 1), dtype=complex)),)),
            r"designs\[0\]\.transmit has the shape \(3, 2, 1\): must be \(3, 2, 2\)",
        ),
    ],
)
def test_a_plan_that_is_none_is_refused_on_both_paths(plan: Plan, words: str) -> None:
    for violations in (check.violations, evaluate):
        with pytest.raises(InstanceError, match=words):
            violations(INSTANCE, plan)


@given(st.data())
def test_both_exact_paths_say_the_same(data: st.DataObject) -> None:
    """Value and verdict, on plans feasible or not."""
    instance = data.draw(aircomp_instances())
    plan = data.draw(plans(instance))
    error, broken = evaluate(instance, plan)
    raw = check.violations(instance, plan)
    assert bool(broken) == bool(raw)
    if not any(item.constraint in ("shares on the simplex",) for item in raw):
        assert {item.constraint for item in broken} <= {item.constraint for item in raw} | {"power budget"}
        if error is not None:
            assert check.mean_squared_error(instance, plan) == error


@given(st.data())
def test_zero_forcing_in_doubles_is_charged_for_its_residual(data: st.DataObject) -> None:
    """The doubles keep every budget exactly, and their exact error is sigma^2 alpha but for rounding."""
    instance = data.draw(aircomp_instances(shares="given", max_draws=1))
    plan = directions(instance)
    error, broken = evaluate(instance, plan)
    assert not broken
    assert error is not None
    sizes = np.linalg.svd(plan.designs[0].receive.conj().T @ instance.channels[0], compute_uv=False)
    if (sizes[:, -1] < 1e-6 * sizes[:, 0]).any():
        return
    made = transceivers(instance, plan)
    linear = instance.with_design("linear")
    sent = Plan(plan.shares, (Design(made.receive, made.transmit),))
    assert not eo.violations(linear, sent)
    assert check.mean_squared_error(linear, sent) == made.error
    assert made.error >= made.residual >= 0
    assert float(made.error) == pytest.approx(float(error), rel=1e-6)
    forced = eo.violations(instance.with_design("zero-forcing"), sent)
    assert bool(forced) == (made.residual > 0)


@pytest.mark.parametrize("design", ["zero-forcing", "linear"])
def test_vectors_on_the_air_have_the_error_of_the_plan(design: str) -> None:
    instance = eo.generate("aircomp", devices=3, server_antennas=6, antennas=2, seed=2, design=design, snr_db=5.0)
    made = transceivers(instance, eo.solve(instance).solution)
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((3, 2, 40_000))
    received = transmit(instance, made, vectors, 0, rng)
    errors = (np.abs(received - vectors.sum(axis=0)) ** 2).sum(axis=0)
    deviation = float(errors.std()) / np.sqrt(errors.size)
    assert abs(float(errors.mean()) - float(made.error)) < 5 * deviation


def test_the_scale_of_directions_does_not_matter() -> None:
    plan = directions(INSTANCE)
    scaled = Plan(plan.shares, tuple(Design(2.0**7 * design.receive) for design in plan.designs))
    assert evaluate(INSTANCE, plan) == evaluate(INSTANCE, scaled)


def test_the_error_of_one_stream_by_hand() -> None:
    """One device, one antenna: alpha = kappa |g|^2 / (u |g h|^2), here 3 * 1 / (1/2 * 4)."""
    instance = AirCompInstance(
        name="hand", channels=np.array([[[[2j]]]]), noise_w=0.25, streams=1, vector_length=3, layer_parameters=10,
        devices=eo.generate("aircomp", devices=1).devices.of(power_w=[1.0], w_per_parameter=[0.05]), shares=[1.0],
    )  # fmt: skip
    plan = Plan(np.array([1.0]), (Design(np.array([[5.0 + 0j]])),))
    error, broken = evaluate(instance, plan)
    assert not broken
    left = 1 - 10 * Fraction(0.05)
    assert error == Fraction(1, 4) * 3 / (4 * left)
    assert value(instance, plan) == -((-error * 10**instance.compiled.places) // 1)


@given(st.integers(0, 10**6), st.integers(1, 4))
def test_trace_of_the_inverse(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    entries = rng.integers(-5, 6, (size, size)) + 1j * rng.integers(-5, 6, (size, size))
    square = Gaussian.of(entries) @ Gaussian.of(entries).adjoint
    found = trace_of_inverse(square)
    if abs(np.linalg.det(entries)) < 0.5:
        assert found is None
    else:
        wanted = float(np.trace(np.linalg.inv(entries @ entries.conj().T)).real)
        assert float(found) == pytest.approx(wanted, rel=1e-8)


@given(st.lists(st.floats(-1e30, 1e30, allow_subnormal=False), min_size=1, max_size=6))
def test_doubles_are_read_exactly(values: list[float]) -> None:
    read = Gaussian.of(values)
    assert [int(real) * power_of_two(read.exponent) for real in read.real] == [Fraction(value) for value in values]


def test_most_generated_instances_are_not_trivial(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same instances on every run: the share of a few dozen random ones is now and then below."""
    monkeypatch.setattr("edgeopt.testing.binding.nontrivial", lambda instance: len(binding_limits(instance)) >= 2)
    assert nontrivial_share(aircomp_instances()) > 0.3
