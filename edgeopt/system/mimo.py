"""Complex channel matrices between arrays of antennas: block fading with a direct path, and array responses.

An entry is an **amplitude** gain; the mean of its squared modulus is the power gain of `edgeopt.system.path_loss`.
A draw keeps for a block, the time in which the channel does not change.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgeopt.system._arrays import Array, finite, positive

ComplexArray = NDArray[np.complex128]


def array_response(antennas: int, angle_rad: ArrayLike) -> ComplexArray:
    """Return the response of a uniform linear array of half a wavelength, ``exp(i pi k sin(angle))``.

    Parameters
    ----------
    antennas : int
        Number ``M`` of antennas, >= 1.
    angle_rad : array_like
        Angle to the broadside (rad).

    Returns
    -------
    (..., M) complex128
        One row an angle, of modulus 1 throughout.

    Raises
    ------
    ValueError
        If there is no antenna, or an angle is not finite.
    """
    if antennas < 1:
        raise ValueError(f"antennas = {antennas} must be >= 1")
    angle = finite("angle_rad", angle_rad, "rad")
    return np.exp(1j * math.pi * np.sin(angle)[..., None] * np.arange(antennas))


def rayleigh_channel(
    rng: np.random.Generator, links: int, receive: int, transmit: int, gain: ArrayLike = 1.0
) -> ComplexArray:
    """Draw Rayleigh-fading matrices: independent complex normal entries.

    Parameters
    ----------
    rng : numpy.random.Generator
    links, receive, transmit : int
        Number of links, and of antennas at their ends.
    gain : array_like
        Mean power gain of each link, > 0.

    Returns
    -------
    (links, receive, transmit) complex128

    Raises
    ------
    ValueError
        If a gain is not finite and positive.
    """
    return rician_channel(rng, links, receive, transmit, 0.0, gain)


def rician_channel(
    rng: np.random.Generator,
    links: int,
    receive: int,
    transmit: int,
    k_factor: float,
    gain: ArrayLike = 1.0,
    *,
    arrival_rad: ArrayLike | None = None,
    departure_rad: ArrayLike | None = None,
) -> ComplexArray:
    """Draw Rician-fading matrices: a direct path between two linear arrays, and scattered ones.

    ``H = sqrt(g) ( sqrt(K/(K+1)) a(arrival) a(departure)^H + sqrt(1/(K+1)) W )`` with ``W`` complex normal.

    Parameters
    ----------
    rng : numpy.random.Generator
    links, receive, transmit : int
        Number of links, and of antennas at their ends.
    k_factor : float
        Power of the direct path over that of the scattered ones (linear), >= 0; 0 is Rayleigh.
    gain : array_like
        Mean power gain ``g`` of each link, > 0.
    arrival_rad, departure_rad : (links,) array_like, optional
        Angles of the direct path at both ends (rad); drawn evenly from a half circle when not given.

    Returns
    -------
    (links, receive, transmit) complex128

    Raises
    ------
    ValueError
        If the factor is negative or not finite, or a gain is not finite and positive.
    """
    if not (math.isfinite(k_factor) and k_factor >= 0.0):
        raise ValueError(f"k_factor = {k_factor!r} (linear, no unit) must be finite and >= 0")
    shape = links, receive, transmit
    scattered = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) * math.sqrt(0.5 / (k_factor + 1.0))
    amplitude: Array = np.sqrt(np.broadcast_to(positive("gain", gain, "no unit"), (links,)))
    arrival = rng.uniform(-math.pi / 2, math.pi / 2, links) if arrival_rad is None else arrival_rad
    departure = rng.uniform(-math.pi / 2, math.pi / 2, links) if departure_rad is None else departure_rad
    seen = np.broadcast_to(array_response(receive, arrival), (links, receive))
    sent = np.broadcast_to(array_response(transmit, departure), (links, transmit)).conj()
    direct = math.sqrt(k_factor / (k_factor + 1.0)) * seen[:, :, None] * sent[:, None, :]
    return amplitude[:, None, None] * (direct + scattered)
