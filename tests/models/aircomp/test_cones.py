"""Cone programs in cvxpy, written from the problem alone, find what our own methods find."""

from __future__ import annotations

import numpy as np
import pytest

import edgeopt as eo
from edgeopt.errors import BackendError
from edgeopt.models.aircomp import cones
from edgeopt.models.aircomp.coordinates import congruence, coordinates, maps, matrix_of
from edgeopt.models.aircomp.joint import joint_optimum
from edgeopt.solvers.aircomp import linear, zero_forcing
from edgeopt.solvers.aircomp.joint import best_shares
from edgeopt.solvers.aircomp.recover import worst_of
from edgeopt.solvers.base import Control

SHAPE = (3, 5, 2)


def channels(seed: int, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) * 10 ** rng.uniform(-1, 1, (shape[0], 1, 1))


@pytest.mark.parametrize("engine", ["clarabel", "scs"])
@pytest.mark.parametrize("seed", range(3))
def test_trace_inverse(engine: str, seed: int) -> None:
    own = channels(seed)
    rng = np.random.default_rng(0)
    found = zero_forcing.smallest_worst(own, zero_forcing.start_factor(own, 4, rng), tolerance=1e-8)
    solved = cones.program("trace-inverse", SHAPE).solve(own, engine)
    assert solved.value == pytest.approx(found.bound, rel=1e-4)
    assert np.trace(solved.matrix).real == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize("engine", ["clarabel", "scs"])
@pytest.mark.parametrize("noise", [0.01, 10.0])
def test_error(engine: str, noise: float) -> None:
    own = channels(4)
    start = zero_forcing.start_factor(own, 4, np.random.default_rng(0))
    found = linear.descend(own, noise, start, 2, relaxed=True, tolerance=1e-8)
    solved = cones.program("error", SHAPE).solve(own, engine, noise=noise)
    assert solved.value == pytest.approx(found.bound, rel=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_the_published_relaxation_bounds_from_above(seed: int) -> None:
    """``L / t`` is at least the ``alpha`` that its own matrix has before rank is dropped, hence no bound on designs."""
    own = channels(seed)
    published = cones.program("eigen", SHAPE).solve(own, "clarabel")
    tighter = cones.program("trace-inverse", SHAPE).solve(own, "clarabel")
    values, vectors = np.linalg.eigh(published.matrix)
    own_alpha = worst_of_matrix(own, vectors * np.sqrt(np.maximum(values, 0)))
    assert tighter.value * (1 - 1e-4) <= own_alpha <= published.value * (1 + 1e-4)


def worst_of_matrix(own: np.ndarray, factor: np.ndarray) -> float:
    seen = own.conj().transpose(0, 2, 1) @ factor
    inverse = np.linalg.inv(seen @ seen.conj().transpose(0, 2, 1))
    return float(np.trace(inverse, axis1=1, axis2=2).real.max()) * float(np.linalg.norm(factor)) ** 2


def test_the_eigenvalue_form_is_no_bound_on_designs() -> None:
    """Counterexample: a zero-forcing design below ``L / t``, the optimum of the published relaxation."""
    own = channels(1)
    published = cones.program("eigen", SHAPE).solve(own, "clarabel")
    rng = np.random.default_rng(0)
    design = zero_forcing.smallest_worst(own, zero_forcing.start_factor(own, 2, rng), relaxed=False)
    assert worst_of(own, design.factor) < published.value * 0.99


@pytest.mark.parametrize("design", ["zero-forcing", "linear"])
def test_the_joint_program_agrees_with_descent(design: str) -> None:
    """Shares, optimum and bound; and the inner problem re-solved at the program's shares has its optimum."""
    instance = eo.generate(
        "aircomp", devices=3, server_antennas=4, antennas=2, draws=2, seed=1, shares="open", design=design, snr_db=5.0
    )
    program = joint_optimum(instance)
    found = best_shares(instance, Control())
    assert found.proof is not None
    assert found.value == pytest.approx(program.error, rel=1e-4)
    assert found.proof.bound(instance) == pytest.approx(program.error, rel=5e-4)
    assert found.shares == pytest.approx(program.shares, abs=5e-3)
    from edgeopt.solvers.aircomp.sampling import relaxed_errors

    assert float(relaxed_errors(instance, program.shares).mean()) == pytest.approx(program.error, rel=1e-5)


def test_coordinates_are_those_of_the_trace_product() -> None:
    rng = np.random.default_rng(0)
    one, other = (a + a.conj().T for a in rng.standard_normal((2, 3, 3)) + 1j * rng.standard_normal((2, 3, 3)))
    assert coordinates(one) @ coordinates(other) == pytest.approx(np.trace(one @ other).real)
    assert np.allclose(matrix_of(coordinates(one)), one)
    assert (maps(3)[0] @ coordinates(one)).reshape(3, 3, order="F") == pytest.approx(one.real)
    channel = rng.standard_normal((3, 2)) + 1j * rng.standard_normal((3, 2))
    assert congruence(channel) @ coordinates(one) == pytest.approx(coordinates(channel.conj().T @ one @ channel))


def test_a_missing_solver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BackendError, match=r"scs is not installed: pip install 'edgeopt\[convex\]'"):
        cones.program("eigen", SHAPE).solve(channels(0), "scs")


def test_a_new_channel_does_not_compile_again() -> None:
    """The program follows cvxpy's rules for parameters, and one is kept a shape."""
    program = cones.program("trace-inverse", SHAPE)
    assert program is cones.program("trace-inverse", SHAPE)
    for form in ("eigen", "trace-inverse", "error"):
        assert cones.program(form, SHAPE).problem.is_dcp(dpp=True)
