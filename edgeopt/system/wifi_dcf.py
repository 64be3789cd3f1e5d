"""Contention for a WiFi channel: the fixed point of the distributed coordination function (Bianchi 2000).

G. Bianchi, "Performance analysis of the IEEE 802.11 distributed coordination function", IEEE JSAC 18(3), 2000, doi
10.1109/49.840210; equation numbers are those of the paper. Every function is floating-point, in SI units.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Contention:
    """A saturated collision domain.

    Attributes
    ----------
    stations : int
        ``n``.
    transmit : float
        ``tau``: probability that a station transmits in a slot.
    collision : float
        ``p``: probability that a transmission collides.
    """

    stations: int
    transmit: float
    collision: float

    def mean_slot_s(self, slot_s: float, success_s: float, collision_s: float) -> float:
        """Mean time between two steps of the backoff counters (s), the denominator of (13).

        Parameters
        ----------
        slot_s : float
            An empty slot ``sigma`` (s).
        success_s, collision_s : float
            How long a transmission ``T_s`` and a collision ``T_c`` keep the channel busy (s).
        """
        busy = 1.0 - (1.0 - self.transmit) ** self.stations
        alone = self._alone()
        return (1.0 - busy) * slot_s + alone * success_s + (busy - alone) * collision_s

    def _alone(self) -> float:
        """Probability that a slot holds exactly one transmission, ``P_s P_tr``."""
        return self.stations * self.transmit * (1.0 - self.transmit) ** (self.stations - 1)

    def throughput(self, payload: float, slot_s: float, success_s: float, collision_s: float) -> float:
        """Payload a second of all stations together, in the unit of `payload` (13)."""
        return self._alone() * payload / self.mean_slot_s(slot_s, success_s, collision_s)

    def mean_access_s(self, slot_s: float, success_s: float, collision_s: float) -> float:
        """Mean time from the head of the queue to the end of the successful transmission (s).

        The stations share the successes evenly, so it is the number of stations over all successes a second.
        """
        return self.stations * self.mean_slot_s(slot_s, success_s, collision_s) / self._alone()


def contention(stations: int, window: int = 16, stages: int = 6) -> Contention:
    """Solve the fixed point (7), (9) by bisection: ``tau`` falls with ``p``, and ``p`` grows with ``tau``.

    Parameters
    ----------
    stations : int
        ``n`` >= 1, all with something to send.
    window : int
        ``W`` >= 1, slots of the first backoff window (CWmin + 1).
    stages : int
        ``m`` >= 0: the window doubles so often.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    if stations < 1:
        raise ValueError(f"stations = {stations}: must be 1 or more")
    if window < 1:
        raise ValueError(f"window = {window} slots: must be 1 or more")
    if stages < 0:
        raise ValueError(f"stages = {stages}: must be 0 or more")
    low, high = 0.0, 1.0
    while True:
        collision = (low + high) / 2
        transmit = transmit_probability(collision, window, stages)
        if collision in (low, high):
            return Contention(stations, transmit, 1.0 - (1.0 - transmit) ** (stations - 1))
        if 1.0 - (1.0 - transmit) ** (stations - 1) > collision:
            low = collision
        else:
            high = collision


def transmit_probability(collision: float, window: int, stages: int) -> float:
    """``tau`` at a collision probability (7), in the form of a sum, which has no hole at ``p = 1/2``."""
    doublings = sum((2.0 * collision) ** stage for stage in range(stages))
    return 2.0 / (1.0 + window + collision * window * doublings)
