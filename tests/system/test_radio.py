"""Decibels, noise, fading and shares, against published and hand-computed values."""

import math
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.system import radio
from edgeopt.system.exact import as_fraction, ceil_div_log2

quantity = st.floats(min_value=1e-25, max_value=1e25)


@pytest.mark.parametrize(("db", "ratio"), [(0.0, 1.0), (10.0, 10.0), (-30.0, 1e-3), (3.0, 1.9952623149688795)])
def test_decibels(db: float, ratio: float) -> None:
    assert radio.db_to_linear(db) == pytest.approx(ratio, rel=1e-14)
    assert radio.linear_to_db(ratio) == pytest.approx(db, abs=1e-12)


@pytest.mark.parametrize(("dbm", "watt"), [(30.0, 1.0), (20.0, 0.1), (43.0, 19.952623149688797), (0.0, 1e-3)])
def test_dbm(dbm: float, watt: float) -> None:
    assert radio.dbm_to_watt(dbm) == pytest.approx(watt, rel=1e-14)
    assert radio.watt_to_dbm(watt) == pytest.approx(dbm, abs=1e-12)


@given(st.floats(min_value=-200, max_value=200))
def test_decibels_round_trip(db: float) -> None:
    assert radio.linear_to_db(radio.db_to_linear(db)) == pytest.approx(db, abs=1e-9)
    assert radio.watt_to_dbm(radio.dbm_to_watt(db)) == pytest.approx(db, abs=1e-9)


def test_thermal_noise_is_the_usual_constant() -> None:
    exact = radio.watt_to_dbm(radio.thermal_noise_density())
    assert exact == pytest.approx(-173.975, abs=5e-4)
    assert round(float(exact)) == radio.THERMAL_NOISE_DBM_PER_HZ


def test_noise_power() -> None:
    density = radio.dbm_to_watt(-174.0)
    # -174 dBm/Hz + 10 lg(20e6) = -101 dBm
    assert radio.watt_to_dbm(radio.noise_power(20e6, density)) == pytest.approx(-100.99, abs=5e-3)
    assert radio.noise_power(1.0, density, 10.0) == pytest.approx(10 * density, rel=1e-12, abs=0)


def test_spectral_efficiency_of_the_paper() -> None:
    """Section V-A uplink to the server at the mean gain: 0.1 W, 1e-3, -174 dBm/Hz, 20 MHz."""
    density = radio.dbm_to_watt(-174.0)
    snr = 1e-4 / (10**-20.4 * 20e6)
    assert radio.spectral_efficiency(0.1, 1e-3, density, 20e6) == pytest.approx(math.log2(1 + snr), rel=1e-12)


def test_noise_density_is_spread_over_the_band() -> None:
    """The erratum of eq. (1): twice the band is twice the noise."""
    narrow = radio.spectral_efficiency(1.0, 3.0, 1.0, 1.0)
    wide = radio.spectral_efficiency(1.0, 3.0, 1.0, 3.0)
    assert narrow == pytest.approx(2.0)
    assert wide == pytest.approx(1.0)


def test_weak_channels_keep_their_digits() -> None:
    assert radio.spectral_efficiency(1e-20, 1.0, 1.0, 1.0) == pytest.approx(1e-20 / math.log(2), rel=1e-12, abs=0)


def test_minimum_share_by_hand() -> None:
    # 512 tokens of 16 bit in 0.25 s over 1 MHz at 2 bit/s/Hz: 8192 / 500000
    assert radio.minimum_share(512, 0.25, 1e6, 2.0) == pytest.approx(0.016384, rel=1e-14)
    shares = radio.minimum_share(np.array([[128], [256]]), 0.25, 1e6, np.array([1.0, 2.0, 4.0]))
    assert shares.shape == (2, 3)
    assert shares[1, 0] == pytest.approx(8 * shares[0, 2])


@given(st.integers(1, 4096), st.floats(1e-3, 10), st.floats(1e3, 1e8), st.floats(1e-2, 1e6))
def test_exact_rounding_is_next_to_the_float(tokens: int, slot: float, band: float, snr: float) -> None:
    share = float(radio.minimum_share(tokens, slot, band, radio.spectral_efficiency(snr, 1.0, 1.0, 1.0)))
    num = 10**9 * tokens * radio.BITS_PER_TOKEN / (as_fraction(slot) * as_fraction(band))
    exact = ceil_div_log2(num, 1 + as_fraction(snr))
    assert exact >= share * 1e9 * (1 - 1e-12)
    assert exact <= share * 1e9 * (1 + 1e-12) + 1


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, size, mean: radio.rayleigh_gain(rng, size, mean),
        lambda rng, size, mean: radio.rician_gain(rng, size, 0.0, mean),
        lambda rng, size, mean: radio.rician_gain(rng, size, 5.0, mean),
    ],
)
def test_mean_gain_is_the_mean_of_the_power(draw: Callable[..., np.ndarray]) -> None:
    gains = draw(np.random.default_rng(7), 200_000, 1e-3)
    assert gains.min() >= 0.0
    assert gains.mean() == pytest.approx(1e-3, rel=0.015)
    assert np.array_equal(gains, draw(np.random.default_rng(7), 200_000, 1e-3))


@pytest.mark.parametrize(("k", "variance"), [(0.0, 1.0), (1.0, 0.75), (5.0, 11 / 36)])
def test_rician_variance(k: float, variance: float) -> None:
    """Var[h**2] = (1 + 2K) / (1 + K)**2 for unit mean; K = 0 is the exponential law."""
    gains = radio.rician_gain(np.random.default_rng(3), 400_000, k)
    assert gains.var() == pytest.approx(variance, rel=0.03)


def test_rayleigh_is_exponential() -> None:
    gains = radio.rayleigh_gain(np.random.default_rng(1), 200_000, 2.0)
    assert np.mean(gains > 2.0) == pytest.approx(math.exp(-1), abs=0.005)


def test_fading_broadcasts_means() -> None:
    gains = radio.rayleigh_gain(np.random.default_rng(2), (50_000, 2), np.array([1.0, 100.0]))
    assert gains.shape == (50_000, 2)
    assert gains.mean(axis=0) == pytest.approx([1.0, 100.0], rel=0.03)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: radio.linear_to_db(0.0), "ratio"),
        (lambda: radio.watt_to_dbm(-1.0), "power_w"),
        (lambda: radio.thermal_noise_density(0.0), "temperature_k"),
        (lambda: radio.noise_power(0.0, 1.0), "bandwidth_hz"),
        (lambda: radio.spectral_efficiency(1.0, [1.0, -1.0], 1.0, 1.0), "gain"),
        (lambda: radio.spectral_efficiency(1.0, math.nan, 1.0, 1.0), "gain"),
        (lambda: radio.spectral_efficiency(math.inf, 1.0, 1.0, 1.0), "power_w"),
        (lambda: radio.minimum_share(0, 1.0, 1.0, 1.0), "tokens"),
        (lambda: radio.minimum_share(1, 1.0, 1.0, 0.0), "efficiency_bit_per_s_hz"),
        (lambda: radio.rayleigh_gain(np.random.default_rng(0), 3, 0.0), "mean_gain"),
        (lambda: radio.rician_gain(np.random.default_rng(0), 3, -1.0), "k_factor"),
    ],
)
def test_errors_name_the_field(call: Callable[[], object], field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field} ="):
        call()


def test_the_room_loads_without_numpy() -> None:
    code = (
        "import sys, edgeopt.system, edgeopt.system.exact, edgeopt.system.catalogue, "
        "edgeopt.system.hardware, edgeopt.system.quantization; sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
