"""WiFi indoors: path loss with walls (TGax), data rate from the received power, airtime of a payload (802.11ax).

Every function is floating-point, in SI units; sources are named with each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from edgeopt.system._arrays import Array, finite, positive
from edgeopt.system.radio import db_to_linear
from edgeopt.system.wifi_dcf import contention

SLOT_S, SIFS_S = 9e-6, 16e-6
DIFS_S = SIFS_S + 2 * SLOT_S
"""Slot and spaces at 5 GHz (IEEE 802.11-2020, Table 21-28)."""
CONTROL_BIT_PER_S = 24e6
"""Rate of control frames: the largest mandatory one of the 20 MHz OFDM format."""
RTS_BYTES, CTS_BYTES, BLOCK_ACK_BYTES, TRIGGER_BYTES = 20, 14, 32, 40
MAC_BYTES = 36
"""Header and check sequence of a data frame with LLC."""
PREAMBLE_S = 44e-6
"""HE single-user preamble with one long training field, 802.11ax section 27.3.4."""
SYMBOL_S = 13.6e-6
"""HE symbol with a guard interval of 0.8 us."""
MOST_PPDU_S = 5.484e-3
"""Longest transmission (802.11ax aPPDUMaxTime)."""
DATA_TONES = {20: 234, 40: 468, 80: 980, 160: 1960}
"""Data subcarriers of the full band, by MHz."""
BITS_AND_CODE = (
    (1, 1 / 2), (2, 1 / 2), (2, 3 / 4), (4, 1 / 2), (4, 3 / 4), (6, 2 / 3),
    (6, 3 / 4), (6, 5 / 6), (8, 3 / 4), (8, 5 / 6), (10, 3 / 4), (10, 5 / 6),
)  # fmt: skip
"""Bits a subcarrier and code rate of MCS 0 to 11."""
SENSITIVITY_20_MHZ_DBM = (-82, -79, -77, -74, -70, -66, -65, -64, -59, -57, -54, -52)
"""Least received power at 20 MHz, MCS 0 to 11 (802.11ax Table 27-51); 3 dB more for each doubling of the band."""


def tgax_loss_db(
    distance_m: ArrayLike,
    frequency_hz: float = 5.25e9,
    *,
    walls: ArrayLike = 0,
    floors: ArrayLike = 0,
    scenario: str = "residential",
) -> Array:
    """Indoor path loss of the 802.11ax simulation scenarios (IEEE 802.11-14/0980r16, without shadowing) (dB).

    With ``f`` in GHz and the break point ``b`` (5 m residential, 10 m enterprise):
    ``40.05 + 20 lg(f/2.4) + 20 lg min(d, b) + [d > b] 35 lg(d/b)``, and

    - ``residential``: ``+ 18.3 F^((F+2)/(F+1) - 0.46) + 5 W``;
    - ``enterprise``: ``+ 7 W``.

    Parameters
    ----------
    distance_m : array_like
        Distance (m), > 0; below 1 m it counts as 1 m.
    frequency_hz : float
        Carrier (Hz), > 0.
    walls, floors : array_like
        Walls ``W`` and floors ``F`` between the two ends, >= 0.
    scenario : {"residential", "enterprise"}

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    if scenario not in ("residential", "enterprise"):
        raise ValueError(f"scenario = {scenario!r}: must be residential or enterprise")
    distance = np.maximum(positive("distance_m", distance_m, "m"), 1.0)
    gigahertz = float(positive("frequency_hz", frequency_hz, "Hz")) / 1e9
    wall, floor = finite("walls", walls, "walls"), finite("floors", floors, "floors")
    if (wall < 0).any() or (floor < 0).any():
        raise ValueError(f"walls = {walls!r}, floors = {floors!r}: must be 0 or more")
    point = 5.0 if scenario == "residential" else 10.0
    loss = 40.05 + 20 * math.log10(gigahertz / 2.4) + 20 * np.log10(np.minimum(distance, point))
    loss = loss + 35 * np.log10(np.maximum(distance / point, 1.0))
    if scenario == "enterprise":
        if floor.any():
            raise ValueError(f"floors = {floors!r}: the enterprise scenario is on one floor")
        return np.asarray(loss + 7.0 * wall)
    exponent = (floor + 2) / (floor + 1) - 0.46
    through = np.where(floor > 0, 18.3 * np.power(np.maximum(floor, 1e-9), exponent), 0.0)
    return np.asarray(loss + through + 5.0 * wall)


def tgax_gain(distance_m: ArrayLike, frequency_hz: float = 5.25e9, **options: object) -> Array:
    """`tgax_loss_db` as a power gain (no unit)."""
    return db_to_linear(-tgax_loss_db(distance_m, frequency_hz, **options))  # type: ignore[arg-type]


def data_bit_per_s(mcs: int, bandwidth_mhz: int = 40, streams: int = 1) -> float:
    """Data rate of an MCS of 802.11ax (bit/s).

    Raises
    ------
    ValueError
        If there is no such MCS, bandwidth or number of streams.
    """
    if not 0 <= mcs < len(BITS_AND_CODE):
        raise ValueError(f"mcs = {mcs}: must be from 0 to {len(BITS_AND_CODE) - 1}")
    if bandwidth_mhz not in DATA_TONES:
        raise ValueError(f"bandwidth_mhz = {bandwidth_mhz}: must be one of {', '.join(map(str, DATA_TONES))} (MHz)")
    if not 1 <= streams <= 8:
        raise ValueError(f"streams = {streams}: must be from 1 to 8")
    bits, code = BITS_AND_CODE[mcs]
    return DATA_TONES[bandwidth_mhz] * bits * code * streams / SYMBOL_S


def mcs_at(received_dbm: float, bandwidth_mhz: int = 40) -> int | None:
    """The fastest MCS whose sensitivity the received power reaches; None where none does: out of reach."""
    if bandwidth_mhz not in DATA_TONES:
        raise ValueError(f"bandwidth_mhz = {bandwidth_mhz}: must be one of {', '.join(map(str, DATA_TONES))} (MHz)")
    more = 10 * math.log10(bandwidth_mhz / 20)
    fitting = [mcs for mcs, least in enumerate(SENSITIVITY_20_MHZ_DBM) if received_dbm >= least + more]
    return max(fitting, default=None)


def control_s(size: int) -> float:
    """Time of a control frame in the OFDM format (s): 20 us preamble and symbols of 4 us."""
    return 20e-6 + 4e-6 * math.ceil((16 + 8 * size + 6) / (CONTROL_BIT_PER_S * 4e-6))


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a frame takes beside its payload, and what it can hold.

    Attributes
    ----------
    rate_bit_per_s : float
        Of the payload.
    overhead_s : float
        Everything else (s), the mean access delay with contention.
    frame_bytes : int
        Most payload of a frame (byte).
    """

    rate_bit_per_s: float
    overhead_s: float
    frame_bytes: int

    def airtime_s(self, size: int) -> float:
        """Time of a payload of so many bytes (s)."""
        return math.ceil(size / self.frame_bytes) * self.overhead_s + 8 * size / self.rate_bit_per_s


def scheduled(mcs: int, bandwidth_mhz: int = 40, streams: int = 1) -> Exchange:
    """Trigger-based access, no contention: SIFS, trigger frame, SIFS, data, SIFS, block acknowledgement."""
    rate = data_bit_per_s(mcs, bandwidth_mhz, streams)
    control = control_s(TRIGGER_BYTES) + control_s(BLOCK_ACK_BYTES) + 3 * SIFS_S
    return Exchange(rate, control + _around(rate), _frame_bytes(rate))


def contended(
    stations: int, mcs: int, bandwidth_mhz: int = 40, streams: int = 1, *, payload_bytes: int = 1500
) -> Exchange:
    """Distributed access with RTS and CTS: the overhead is the mean access time (Bianchi) less the payload's.

    Parameters
    ----------
    stations : int
        Stations of the collision domain, all with something to send, each with payloads of `payload_bytes`.
    mcs, bandwidth_mhz, streams : int
    payload_bytes : int
        Mean payload of a frame (byte), >= 1.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    if payload_bytes < 1:
        raise ValueError(f"payload_bytes = {payload_bytes} (byte): must be 1 or more")
    rate = data_bit_per_s(mcs, bandwidth_mhz, streams)
    success, collision = busy_s(8 * payload_bytes / rate + _around(rate))
    access = contention(stations).mean_access_s(SLOT_S, success, collision)
    return Exchange(rate, access - 8 * payload_bytes / rate, _frame_bytes(rate))


def busy_s(data_s: float) -> tuple[float, float]:
    """How long a transmission and a collision keep the channel busy with RTS and CTS (s), by the data's time."""
    success = control_s(RTS_BYTES) + control_s(CTS_BYTES) + data_s + control_s(BLOCK_ACK_BYTES) + 3 * SIFS_S + DIFS_S
    return success, control_s(RTS_BYTES) + SIFS_S + control_s(CTS_BYTES) + DIFS_S


def _around(rate: float) -> float:
    """Time of preamble, header and the padding to whole symbols (s)."""
    return PREAMBLE_S + 8 * MAC_BYTES / rate + SYMBOL_S


def _frame_bytes(rate: float) -> int:
    return int((MOST_PPDU_S - _around(rate)) * rate / 8)
