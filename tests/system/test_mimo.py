"""Channel matrices: their mean power, their direct path, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.system.mimo import array_response, rayleigh_channel, rician_channel


def test_mean_power_is_the_gain() -> None:
    rng = np.random.default_rng(0)
    for factor in (0.0, 1.0, 10.0):
        drawn = rician_channel(rng, 3, 40, 40, factor, [1.0, 4.0, 0.25])
        assert (np.abs(drawn) ** 2).mean(axis=(1, 2)) == pytest.approx([1.0, 4.0, 0.25], rel=0.15)
    assert rayleigh_channel(rng, 2, 3, 4).shape == (2, 3, 4)


def test_the_direct_path_has_rank_one() -> None:
    rng = np.random.default_rng(1)
    drawn = rician_channel(rng, 1, 6, 4, 1e12, 2.0, arrival_rad=[0.3], departure_rad=[-0.5])[0]
    sizes = np.linalg.svd(drawn, compute_uv=False)
    assert sizes[1] < 1e-5 * sizes[0]
    assert np.abs(drawn) == pytest.approx(np.full((6, 4), np.sqrt(2)), rel=1e-5)
    along = array_response(6, 0.3)
    assert np.abs(along.conj() @ drawn) == pytest.approx(np.full(4, 6 * np.sqrt(2)), rel=1e-5)


def test_array_responses() -> None:
    assert array_response(3, 0.0) == pytest.approx(np.ones(3))
    assert array_response(2, [np.pi / 2, -np.pi / 2])[:, 1] == pytest.approx([-1, -1])


def test_bad_arguments() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="antennas = 0"):
        array_response(0, 0.0)
    with pytest.raises(ValueError, match="angle_rad"):
        array_response(2, np.nan)
    with pytest.raises(ValueError, match="k_factor = -1"):
        rician_channel(rng, 1, 1, 1, -1.0)
    with pytest.raises(ValueError, match="gain"):
        rayleigh_channel(rng, 1, 1, 1, 0.0)
