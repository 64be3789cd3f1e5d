"""Fewer streams than antennas: what stands for the cost of a device is below it, convex, and met by its bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.solvers.aircomp import zero_forcing
from edgeopt.solvers.aircomp.hull import height, least_trace, lumped

SIZES = st.integers(1, 5).flatmap(lambda antennas: st.tuples(st.just(antennas), st.integers(1, antennas)))


def hermitian(rng: np.random.Generator, size: int, rank: int) -> np.ndarray:
    entries = (rng.standard_normal((size, rank)) + 1j * rng.standard_normal((size, rank))) * 10 ** rng.uniform(
        -2, 2, rank
    )
    return entries @ entries.conj().T


def lumps(matrix: np.ndarray, streams: int) -> np.ndarray:
    values = np.linalg.eigvalsh(matrix)[::-1]
    return lumped(np.maximum(values, 1e-12 * values[0]), streams)[:streams]


@given(st.integers(0, 10**6), SIZES)
def test_lumped_eigenvalues(seed: int, size: tuple[int, int]) -> None:
    """They keep the trace, fall, majorise what they stand for, and are the eigenvalues themselves of a low rank."""
    antennas, streams = size
    rng = np.random.default_rng(seed)
    values = np.sort(10 ** rng.uniform(-3, 3, antennas))[::-1]
    found = lumped(values, streams)[:streams]
    assert found.sum() == pytest.approx(values.sum())
    assert (np.diff(found) <= 1e-9 * found[0]).all()
    padded = np.concatenate([found, np.zeros(antennas - streams)])
    assert (np.cumsum(padded) >= np.cumsum(values) * (1 - 1e-9)).all()
    low = np.where(np.arange(antennas) < streams, values, 0.0)
    assert lumped(low, streams)[:streams] == pytest.approx(values[:streams])
    if streams == antennas:
        assert found == pytest.approx(values)
    else:
        rounded = np.where(np.arange(antennas) < streams, values, -1e-16 * values[0])
        assert lumped(rounded, streams)[:streams] == pytest.approx(values[:streams], rel=1e-9)


@given(st.integers(0, 10**6), SIZES, st.floats(-3, 3))
def test_mixtures_cost_no_more_than_their_parts(seed: int, size: tuple[int, int], log_level: float) -> None:
    """Convexity at mixtures, of matrices of the rank that counts and of others."""
    antennas, streams = size
    rng, level = np.random.default_rng(seed), 10**log_level
    parts = [hermitian(rng, antennas, int(rng.integers(streams, antennas + 1))) for _ in range(3)]
    weights = rng.dirichlet(np.ones(3))
    mixed = sum((w * part for w, part in zip(weights, parts, strict=True)), np.zeros((antennas, antennas)))
    for cost in (lambda x: (1 / x).sum(), lambda x: (level / (level + x)).sum()):
        each = [float(cost(lumps(part, streams))) for part in parts]
        assert float(cost(lumps(mixed, streams))) <= float(weights @ each) * (1 + 1e-6)


@given(st.integers(0, 10**6), SIZES, st.floats(-3, 3), st.booleans())
def test_bounds_hold_and_are_met(seed: int, size: tuple[int, int], log_level: float, own: bool) -> None:
    """For any Hermitian matrix below the exact cost of a low rank; with the right one, the cost of the lumps."""
    antennas, streams = size
    rng, level = np.random.default_rng(seed), 10**log_level
    low, x = hermitian(rng, antennas, streams), hermitian(rng, antennas, antennas)
    counted = np.linalg.eigvalsh(low)[::-1][:streams]
    values, vectors = np.linalg.eigh(x)
    full = lumped(np.maximum(values[::-1], 0), streams)
    vectors = vectors[:, ::-1]
    for kind, strengths in (("inverse", 1 / full), ("error", 1 / (level + full))):
        y = (vectors * strengths) @ vectors.conj().T
        if not own:
            y = rng.standard_normal() * hermitian(rng, antennas, antennas) - rng.uniform() * y
        y = (y + y.conj().T) / 2

        def bound(matrix: np.ndarray, y: np.ndarray = y, kind: str = kind) -> float:
            taken = np.trace(y @ matrix @ y).real
            if kind == "inverse":
                return float(2 * least_trace(y, streams) - taken)
            return float(height(np.array(level), y, streams) - level * taken)

        exact = (1 / counted).sum() if kind == "inverse" else (level / (level + counted)).sum()
        size_of = abs(exact) + np.abs(y).max() ** 2 * np.abs(low).max() * (1 + level) + abs(np.trace(y))
        assert bound(low) <= exact + 1e-7 * size_of
        if own:
            met = (1 / full[:streams]).sum() if kind == "inverse" else (level / (level + full[:streams])).sum()
            assert bound(x) == pytest.approx(float(met), rel=1e-5)


@given(st.integers(0, 10**6), st.integers(1, 3))
def test_one_device_has_a_formula(seed: int, streams: int) -> None:
    """Alone, the best zero forcing has alpha (sum_(i <= L) 1/s_i)^2: the relaxation loses nothing."""
    rng = np.random.default_rng(seed)
    channels = rng.standard_normal((1, 5, 3)) + 1j * rng.standard_normal((1, 5, 3))
    wanted = (1 / np.linalg.svd(channels[0], compute_uv=False)[:streams]).sum() ** 2
    found = zero_forcing.smallest_worst(channels, zero_forcing.start_factor(channels, 4, rng), streams=streams)
    assert found.alpha == pytest.approx(wanted, rel=1e-4)
    assert found.bound == pytest.approx(wanted, rel=1e-4)
    assert found.bound <= wanted * (1 + 1e-9)
