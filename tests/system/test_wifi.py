"""Path loss, rates and airtimes against the numbers of the standards they come from."""

from __future__ import annotations

import pytest

from edgeopt.system.wifi import contended, control_s, data_bit_per_s, mcs_at, scheduled, tgax_gain, tgax_loss_db


def test_path_loss_by_hand() -> None:
    at_one = 40.05 + 20 * 0.3187588  # lg(5/2.4)
    assert float(tgax_loss_db(1.0, 5e9)) == pytest.approx(at_one, abs=1e-5)
    assert float(tgax_loss_db(5.0, 5e9)) == pytest.approx(at_one + 13.9794, abs=1e-4)
    assert float(tgax_loss_db(50.0, 5e9)) == pytest.approx(at_one + 13.9794 + 35, abs=1e-4)
    assert float(tgax_loss_db(50.0, 5e9, walls=2)) == pytest.approx(at_one + 13.9794 + 35 + 10, abs=1e-4)
    # one floor: 18.3 F^((F+2)/(F+1) - 0.46) = 18.3
    assert float(tgax_loss_db(1.0, 5e9, floors=1)) == pytest.approx(at_one + 18.3, abs=1e-4)
    assert float(tgax_loss_db(100.0, 5e9, walls=1, scenario="enterprise")) == pytest.approx(
        at_one + 20 + 35 + 7, abs=1e-4
    )
    assert float(tgax_loss_db(0.1, 5e9)) == float(tgax_loss_db(1.0, 5e9))
    assert float(tgax_gain(10.0)) == pytest.approx(10 ** (-float(tgax_loss_db(10.0)) / 10))


@pytest.mark.parametrize(
    "wrong",
    [
        {"distance_m": 0.0}, {"distance_m": 1.0, "walls": -1}, {"distance_m": 1.0, "scenario": "cave"},
        {"distance_m": 1.0, "scenario": "enterprise", "floors": 1}, {"distance_m": 1.0, "frequency_hz": 0.0},
    ],
)  # fmt: skip
def test_path_loss_refuses(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must be|is on one floor"):
        tgax_loss_db(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mcs", "mhz", "published"),
    # 802.11ax, one stream, guard interval 0.8 us (Mbit/s)
    [(0, 20, 8.6), (7, 20, 86.0), (11, 20, 143.4), (0, 40, 17.2), (5, 40, 137.6), (11, 40, 286.8), (11, 80, 600.5),
     (11, 160, 1201.0)],
)  # fmt: skip
def test_published_rates(mcs: int, mhz: int, published: float) -> None:
    assert data_bit_per_s(mcs, mhz) / 1e6 == pytest.approx(published, abs=0.05)
    assert data_bit_per_s(mcs, mhz, streams=2) == 2 * data_bit_per_s(mcs, mhz)


def test_the_rate_follows_the_received_power() -> None:
    assert mcs_at(-79.1, 40) is None
    assert mcs_at(-79 + 0.02, 40) == 0
    assert mcs_at(-40, 40) == 11
    assert [mcs_at(float(power), 20) for power in (-82, -65, -52)] == [0, 6, 11]
    for refuse in (lambda: mcs_at(-50, 30), lambda: data_bit_per_s(12), lambda: data_bit_per_s(0, 40, 9)):
        with pytest.raises(ValueError, match="must be"):
            refuse()


def test_airtime() -> None:
    assert control_s(14) == pytest.approx(28e-6)  # CTS at 24 Mbit/s
    assert control_s(20) == pytest.approx(28e-6)  # RTS
    fast = scheduled(11)
    assert fast.airtime_s(0) == 0
    assert fast.airtime_s(1000) == pytest.approx(fast.overhead_s + 8000 / fast.rate_bit_per_s)
    more = fast.frame_bytes + 1
    assert fast.airtime_s(more) == pytest.approx(2 * fast.overhead_s + 8 * more / fast.rate_bit_per_s)
    # the longest transmission is filled by the largest frame
    assert 5.3e-3 < 8 * fast.frame_bytes / fast.rate_bit_per_s < 5.484e-3


def test_contention_costs_more_the_more_there_are() -> None:
    few, many = contended(2, 5), contended(20, 5)
    assert scheduled(5).rate_bit_per_s == few.rate_bit_per_s
    assert 0 < few.overhead_s < many.overhead_s
    with pytest.raises(ValueError, match="payload_bytes"):
        contended(2, 5, payload_bytes=0)
