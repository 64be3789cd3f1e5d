"""The DCF fixed point against published numbers, its closed forms, and a simulation of the backoff counters."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest

from edgeopt.system.wifi_dcf import contention, transmit_probability

# Bianchi 2000, Table II: FHSS at 1 Mbit/s, times in us.
PAYLOAD, SLOT, SIFS, DIFS, DELAY = 8184, 50, 28, 128, 1
HEADER, ACK, RTS, CTS = 272 + 128, 112 + 128, 160 + 128, 112 + 128
BASIC = (HEADER + PAYLOAD + SIFS + DELAY + ACK + DIFS + DELAY, HEADER + PAYLOAD + DIFS + DELAY)
WITH_RTS = (
    RTS + SIFS + DELAY + CTS + SIFS + DELAY + HEADER + PAYLOAD + SIFS + DELAY + ACK + DIFS + DELAY,
    RTS + DIFS + DELAY,
)


def test_times_of_the_paper() -> None:
    """Section IV-A of the paper: T_s and T_c (us)."""
    assert BASIC == (8982, 8713)
    assert WITH_RTS == (9568, 417)


@pytest.mark.parametrize("stations", [2, 5, 10, 20, 50])
@pytest.mark.parametrize(("window", "stages"), [(32, 3), (32, 5), (128, 3)])
def test_fixed_point_holds(stations: int, window: int, stages: int) -> None:
    found = contention(stations, window, stages)
    assert found.transmit == pytest.approx(transmit_probability(found.collision, window, stages), rel=1e-12)
    assert found.collision == pytest.approx(1 - (1 - found.transmit) ** (stations - 1), rel=1e-9)
    p, w, m = found.collision, window, stages
    published = 2 * (1 - 2 * p) / ((1 - 2 * p) * (w + 1) + p * w * (1 - (2 * p) ** m))  # (7)
    assert found.transmit == pytest.approx(published, rel=1e-9)


@pytest.mark.parametrize(("times", "factor"), [(BASIC, 9.334), (WITH_RTS, 2.042)])
def test_largest_throughput_of_the_paper(times: tuple[int, int], factor: float) -> None:
    """Section V: K = 9.334 and 2.042; the largest throughput hardly depends on the number of stations (28), (30)."""
    success, collision = times
    assert math.sqrt(collision / SLOT / 2) == pytest.approx(factor, abs=5e-4)
    k = math.sqrt(collision / SLOT / 2)
    limit = PAYLOAD / (success + SLOT * k + collision * (k * (math.exp(1 / k) - 1) - 1))
    for stations in (10, 20, 50):
        best = max(
            contention(stations, window, 0).throughput(PAYLOAD, SLOT, success, collision)
            for window in range(stations, 60 * stations, max(1, stations // 4))
        )
        assert best == pytest.approx(limit, rel=0.02)


@pytest.mark.parametrize(
    ("rate", "published"),
    [
        (6, {5: 4.6899, 10: 4.3197, 20: 3.9589, 50: 3.4711}),
        (24, {5: 16.0836, 10: 14.9153, 20: 13.7300, 50: 12.0889}),
        (54, {5: 29.2861, 10: 27.3763, 20: 25.3325, 50: 22.4162}),
    ],
)
def test_published_throughput_of_802_11a(rate: int, published: dict[int, float]) -> None:
    """The table of the same model with which ns-3 validates its WiFi (wifi-bianchi.cc, Mbit/s, 1500 byte)."""
    symbol_bits, sifs, slot = 4 * rate, 16e-6, 9e-6

    def ofdm_s(size: int, bits: int) -> float:
        return 20e-6 + 4e-6 * math.ceil((16 + 8 * size + 6) / bits)

    data, difs = ofdm_s(1536, symbol_bits), sifs + 2 * slot
    success = data + sifs + ofdm_s(14, min(24, rate) * 4) + difs
    collision = data + sifs + ofdm_s(14, 24) + difs  # EIFS
    for stations, expected in published.items():
        found = contention(stations, 16, 6).throughput(12000, slot, success, collision) / 1e6
        assert found == pytest.approx(expected, rel=0.03)


def test_against_a_simulation_of_the_counters() -> None:
    """Stations count down and double their window on collisions; slots are counted, nothing is approximated."""
    stations, window, stages = 6, 16, 3
    rng = random.Random(1)
    stage = [0] * stations
    counter = [rng.randrange(window) for _ in range(stations)]
    sent = collided = slots = 0
    for _ in range(60_000):
        slots += 1
        ready = [k for k, left in enumerate(counter) if left == 0]
        for k in range(stations):
            if counter[k]:
                counter[k] -= 1
        sent += len(ready)
        collided += len(ready) if len(ready) > 1 else 0
        for k in ready:
            stage[k] = 0 if len(ready) == 1 else min(stage[k] + 1, stages)
            counter[k] = rng.randrange(window << stage[k])
    found = contention(stations, window, stages)
    assert sent / slots / stations == pytest.approx(found.transmit, rel=0.03)
    assert collided / sent == pytest.approx(found.collision, rel=0.05)


def test_one_station_never_collides_and_waits_half_a_window() -> None:
    alone = contention(1, 16, 6)
    assert alone.collision < 1e-12
    assert alone.transmit == pytest.approx(2 / 17)
    assert alone.mean_access_s(9e-6, 1e-3, 1.0) == pytest.approx(7.5 * 9e-6 + 1e-3)


def test_more_stations_wait_longer() -> None:
    waits = [contention(n).mean_access_s(9e-6, 1e-3, 1e-4) for n in (1, 2, 5, 10, 30)]
    assert all(a < b for a, b in pairwise(waits))


@pytest.mark.parametrize(("stations", "window", "stages"), [(0, 16, 6), (3, 0, 6), (3, 16, -1)])
def test_refused(stations: int, window: int, stages: int) -> None:
    with pytest.raises(ValueError, match=r"must be [01] or more"):
        contention(stations, window, stages)
