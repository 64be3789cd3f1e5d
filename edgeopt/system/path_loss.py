"""Median path loss as power gains (received over sent power, no unit).

Every function is floating-point, in SI units, and broadcasts over arrays.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from edgeopt.system._arrays import Array, finite, positive
from edgeopt.system.radio import db_to_linear

SPEED_OF_LIGHT_M_PER_S = 299_792_458.0


def free_space_gain(distance_m: ArrayLike, frequency_hz: ArrayLike) -> Array:
    """Return the free-space power gain ``(c / (4 pi d f))**2`` (Friis, isotropic antennas).

    Parameters
    ----------
    distance_m, frequency_hz : array_like
        Distance (m) and carrier frequency (Hz), both > 0.

    Raises
    ------
    ValueError
        If a distance or frequency is not finite and positive.
    """
    wavelengths = positive("distance_m", distance_m, "m") * positive("frequency_hz", frequency_hz, "Hz")
    return np.square(SPEED_OF_LIGHT_M_PER_S / (4.0 * math.pi * wavelengths))


def log_distance_gain(
    distance_m: ArrayLike, exponent: float, reference_gain: ArrayLike, reference_m: float = 1.0
) -> Array:
    """Return the log-distance power gain ``g0 (d / d0)**-exponent``.

    Parameters
    ----------
    distance_m : array_like
        Distance (m), > 0.
    exponent : float
        Path-loss exponent, > 0 (2 in free space, 3 to 4 in cities).
    reference_gain : array_like
        Power gain ``g0`` at the reference distance, > 0.
    reference_m : float
        Reference distance ``d0`` (m), > 0.

    Raises
    ------
    ValueError
        If an argument is not finite and positive.
    """
    ratio = positive("distance_m", distance_m, "m") / positive("reference_m", reference_m, "m")
    gain = positive("reference_gain", reference_gain, "no unit")
    return gain * np.power(ratio, -positive("exponent", exponent, "no unit"))


def manhattan_gain(
    along_m: ArrayLike,
    across_m: ArrayLike,
    frequency_hz: float = 5.9e9,
    *,
    base_height_m: float = 1.5,
    mobile_height_m: float = 1.5,
    street_width_m: float = 20.0,
) -> Array:
    """Return the median power gain between two points of a Manhattan street grid.

    WINNER II scenario B1 (IST-4-027756 D1.1.2 v1.2, Table 4-4), the model that 3GPP TR 36.885
    Table A.1.4-1 takes for urban vehicles, with its 1.5 m antennas and 3 m least distance. With
    ``f`` in GHz, effective heights ``h' = h - 1`` m and break point ``d' = 4 h'_b h'_m f / c``:

    - in sight: ``22.7 lg d + 41 + 20 lg(f/5)`` dB before the break point, beyond it
      ``40 lg d + 9.45 - 17.3 lg h'_b - 17.3 lg h'_m + 2.7 lg(f/5)``;
    - around the corner: the smaller of ``PL(d1, d2)`` and ``PL(d2, d1)`` where ``PL(a, b) =
      PL_sight(a) + 20 - 12.5 n + 10 n lg b + 3 lg(f/5)`` and ``n = max(2.8 - 0.0024 a, 1.84)``.

    The points see each other when one of the two offsets is below half a street. Shadowing (3 dB
    in sight, 4 dB around the corner in the source) is left to the caller.

    Parameters
    ----------
    along_m, across_m : array_like
        Offsets along the two street directions (m); the sign does not matter.
    frequency_hz : float
        Carrier (Hz), 2 to 6 GHz.
    base_height_m, mobile_height_m : float
        Antenna heights (m), > 1.
    street_width_m : float
        Width of a street (m), > 0.

    Raises
    ------
    ValueError
        If an offset is not finite, the carrier is outside 2-6 GHz, a height is at most 1 m or the
        width is not positive.
    """
    first, second = np.abs(finite("along_m", along_m, "m")), np.abs(finite("across_m", across_m, "m"))
    if not 2e9 <= frequency_hz <= 6e9:
        raise ValueError(f"frequency_hz = {frequency_hz!r} Hz: the Manhattan model holds from 2e9 to 6e9 Hz")
    base = positive("base_height_m - 1", base_height_m - 1.0, "m")
    mobile = positive("mobile_height_m - 1", mobile_height_m - 1.0, "m")
    half_street = positive("street_width_m", street_width_m, "m") / 2.0
    octave = math.log10(frequency_hz / 5e9)
    break_point = 4.0 * base * mobile * frequency_hz / SPEED_OF_LIGHT_M_PER_S

    def in_sight_db(distance: Array) -> Array:
        lg = np.log10(np.maximum(distance, 3.0))
        near = 22.7 * lg + 41.0 + 20.0 * octave
        far = 40.0 * lg + 9.45 - 17.3 * np.log10(base * mobile) + 2.7 * octave
        return np.where(distance < break_point, near, far)

    def corner_db(a: Array, b: Array) -> Array:
        slope = np.maximum(2.8 - 0.0024 * a, 1.84)
        lg = np.log10(np.maximum(b, 3.0))
        return in_sight_db(a) + 20.0 - 12.5 * slope + 10.0 * slope * lg + 3.0 * octave

    seen = np.minimum(first, second) < half_street
    corner = np.minimum(corner_db(first, second), corner_db(second, first))
    return db_to_linear(-np.where(seen, in_sight_db(np.hypot(first, second)), corner))
