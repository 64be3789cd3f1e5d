"""One user with one model in exact rationals: what a share and speeds lead to, in max-plus form (ours)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

TICKS_PER_S = 10**12
"""Times are counted in picoseconds."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The scaled numbers of a user ``k`` with a model ``i``; times in ticks of 1 ps.

    Attributes
    ----------
    bits : (L,) tuple of int
        ``A_l``: bits of the layers up to and with ``l``.
    work : (L,) tuple of int
        ``W_l`` (FLOP per sample).
    overhead : (L,) tuple of int
        ``V_l`` (ticks).
    deadline : int
        ``D`` (ticks).
    rate : Fraction
        ``rho`` (bit/s).
    flop_ticks : Fraction
        ``g`` (ticks a FLOP per sample): layer ``l`` takes ``w_l = W_l g`` at full speed.
    energy : Fraction or None
        ``G`` (ticks): ``sum_l w_l z_l^2 <= G``. None without a limit.
    """

    bits: tuple[int, ...]
    work: tuple[int, ...]
    overhead: tuple[int, ...]
    deadline: int
    rate: Fraction
    flop_ticks: Fraction
    energy: Fraction | None

    def __len__(self) -> int:
        return len(self.bits)

    def compute_ticks(self, speed: Sequence[Fraction] | None = None) -> list[Fraction]:
        """Time ``V_l + w_l / z_l`` of each layer (ticks); full speed when none is given."""
        full = [work * self.flop_ticks for work in self.work]
        if speed is None:
            return [cost + time for cost, time in zip(self.overhead, full, strict=True)]
        return [cost + time / z for cost, time, z in zip(self.overhead, full, speed, strict=True)]

    def download_ticks(self, share: Fraction) -> list[Fraction]:
        """Time ``A_l / (rho y)`` until layer ``l`` has arrived (ticks)."""
        tick = TICKS_PER_S / (self.rate * share)
        return [bits * tick for bits in self.bits]

    def energy_used(self, speed: Sequence[Fraction] | None = None) -> Fraction:
        """``sum_l w_l z_l^2`` (ticks at full speed)."""
        if speed is None:
            return sum(self.work) * self.flop_ticks
        return self.flop_ticks * sum((work * z * z for work, z in zip(self.work, speed, strict=True)), Fraction(0))

    def room(self, speed: Sequence[Fraction] | None = None) -> list[Fraction]:
        """``D - sum_{m >= l} (V_m + w_m / z_m)``: when layer ``l`` must have arrived (ticks)."""
        left, found = Fraction(self.deadline), []
        for time in reversed(self.compute_ticks(speed)):
            left -= time
            found.append(left)
        return found[::-1]

    def least_share(self, speed: Sequence[Fraction] | None = None) -> Fraction | None:
        """``max_l A_l / (rho (D - sum_{m >= l} (V_m + w_m / z_m)))``: the least share at these speeds.

        None if no share is enough: a bracket is negative, or zero for a layer that has something to wait for.
        """
        share = Fraction(0)
        for bits, room in zip(self.bits, self.room(speed), strict=True):
            if room < 0 or (bits and not room):
                return None
            if bits:
                share = max(share, Fraction(bits * TICKS_PER_S) / (self.rate * room))
        return share

    def allows(self, share: Fraction, speed: Sequence[Fraction] | None = None) -> bool:
        """Whether the deadline and the energy budget hold at this share and these speeds, exactly."""
        least = self.least_share(speed)
        return least is not None and least <= share and (self.energy is None or self.energy_used(speed) <= self.energy)
