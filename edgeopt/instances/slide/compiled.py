"""From physical units to the scaled numbers that are the problem for every solver and model (ours).

Rounding happens once a layer (overheads) and in the few numbers of a user, always against us: what is feasible here
is feasible in the raw fields. Times are integers of 1 ps (`TICKS_PER_S`); the scaled numbers of a user are doubles
whose exact value is meant, an integer times a power of two. Everything derived from them is an exact rational.
Every field means the decimal that the file says (`edgeopt.system.exact.as_fraction`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.slide.instance import FloatArray, IntArray, Models, SlideInstance, Users
from edgeopt.instances.slide.pair import TICKS_PER_S, Pair
from edgeopt.system.exact import as_fraction, floor_mul_log2

LOG_BITS = 32
"""Significant bits of a rate that follows from power and gain: few, so that floats nearly always round them right."""
FLOAT_DOUBT = 1e-13
"""Relative error granted to the float path of a logarithm, some 50 times what its operations can lose."""
MOST_PAIRS = 2**28
"""Largest number of pairs of a user and a model that it accepts."""


@dataclass(frozen=True, slots=True, eq=False)
class CompiledSlide:
    """The problem in scaled numbers: layers behind one another, users as columns, pairs of users and models by user.

    With a share ``y`` the download of the first ``l`` layers takes ``A_l / (rate y)``, layer ``l`` at the compute share
    ``z`` takes ``V_l + W_l flop_ticks / z``, and the energy limit reads ``sum_l W_l flop_ticks z_l^2 <= energy``.

    Attributes
    ----------
    start : (I + 1,) int64
        The layers of model ``i`` are the rows ``start[i]`` to ``start[i + 1] - 1``.
    bits : (N,) int64
        ``A_l``: bits of the layers up to and with ``l``.
    work, work_left : (N,) int64
        ``W_l`` (FLOP per sample) of the layer, and of it and all later ones.
    overhead, overhead_left : (N,) int64
        ``V_l`` (ticks, rounded up) of the layer, and of it and all later ones.
    deadline : (K,) int64
        ``D_k`` (ticks, rounded down).
    rate : (K,) float64
        ``rho_k = B R_k`` (bit/s), rounded down to 53 bits, or `LOG_BITS` where ``R_k`` is a logarithm.
    flop_ticks : (K,) float64
        ``g_k = b_k kappa_k / f_k`` (ticks a FLOP per sample), rounded up to 53 bits.
    energy : (K,) float64
        ``G_k = E_k / (c_k f_k^3)`` (ticks at full speed), rounded down to 53 bits; infinite without a limit.
    weight : (K,) int64
    pair_start : (K + 1,) int64
        The models that user ``k`` may take are ``pair_model[pair_start[k] : pair_start[k + 1]]``.
    pair_model : (P,) int64
        Ascending for each user.
    """

    start: IntArray
    bits: IntArray
    work: IntArray
    work_left: IntArray
    overhead: IntArray
    overhead_left: IntArray
    deadline: IntArray
    rate: FloatArray
    flop_ticks: FloatArray
    energy: FloatArray
    weight: IntArray
    pair_start: IntArray
    pair_model: IntArray

    @property
    def users(self) -> int:
        """Number of users ``K``."""
        return len(self.deadline)

    def models_of(self, user: int) -> IntArray:
        """Models that a user may take, ascending."""
        return self.pair_model[int(self.pair_start[user]) : int(self.pair_start[user + 1])]

    def pair(self, user: int, model: int) -> Pair:
        """The exact numbers of a user with a model."""
        rows = slice(int(self.start[model]), int(self.start[model + 1]))
        energy = float(self.energy[user])
        return Pair(
            bits=tuple(self.bits[rows].tolist()),
            work=tuple(self.work[rows].tolist()),
            overhead=tuple(self.overhead[rows].tolist()),
            deadline=int(self.deadline[user]),
            rate=Fraction(float(self.rate[user])),
            flop_ticks=Fraction(float(self.flop_ticks[user])),
            energy=None if math.isinf(energy) else Fraction(energy),
        )


def compile_slide(instance: SlideInstance) -> CompiledSlide:
    """Compile an instance.

    Raises
    ------
    InstanceError
        If there are more than `MOST_PAIRS` pairs of users and models.
    """
    models, users = instance.models, instance.users
    overhead = _ticks(models.overhead_s, up=True)
    flop_ticks, energy = _compute(users)
    pair_start, pair_model = _pairs(models, users)
    return CompiledSlide(
        start=models.start,
        bits=_prefix(models.bits, models.start),
        work=models.flop_per_sample,
        work_left=_left(models.flop_per_sample, models.start),
        overhead=overhead,
        overhead_left=_left(overhead, models.start),
        deadline=_ticks(users.deadline_s, up=False),
        rate=_rates(instance),
        flop_ticks=flop_ticks,
        energy=energy,
        weight=users.weight,
        pair_start=pair_start,
        pair_model=pair_model,
    )


def _prefix(column: IntArray, start: IntArray) -> IntArray:
    """Sums of each model's layers up to and with each; int64 wraps around, differences are right all the same."""
    total = np.concatenate([[0], np.cumsum(column)])
    sums: IntArray = total[1:] - np.repeat(total[start[:-1]], np.diff(start))
    return sums


def _left(column: IntArray, start: IntArray) -> IntArray:
    """Sums of each model's layers from each to the last."""
    total = np.concatenate([[0], np.cumsum(column)])
    sums: IntArray = np.repeat(total[start[1:]], np.diff(start)) - total[:-1]
    return sums


def _ticks(time_s: FloatArray, *, up: bool) -> IntArray:
    """Times in ticks, rounded up or down exactly.

    Division is correctly rounded, so ``k / 1e12 == t`` says that ``t`` is the float nearest to the decimal
    ``k * 1e-12``; with at most 15 digits that decimal is the one that ``t`` stands for.
    """
    value = time_s * float(TICKS_PER_S)
    nearest = np.rint(value)
    whole = (nearest < 1e15) & (nearest / float(TICKS_PER_S) == time_s)
    ticks = np.where(whole, nearest, np.ceil(value) if up else np.floor(value)).astype(np.int64)
    doubtful = ~whole & (np.abs(value - nearest) <= value * 2.0**-50)
    for place in np.flatnonzero(doubtful):
        exact = as_fraction(float(time_s[place])) * TICKS_PER_S
        ticks[place] = math.ceil(exact) if up else math.floor(exact)
    return ticks


def _ratios(column: FloatArray) -> list[tuple[int, int]]:
    """The decimals that floats stand for, as numerators and denominators."""
    billions = np.rint(column * 1e9)
    easy = (np.abs(billions) < 1e15) & (billions / 1e9 == column)
    whole = (np.abs(column) < 2**53) & (column == np.rint(column))
    kind = np.where(whole, 0, np.where(easy, 1, 2)).tolist()
    counts = np.where(easy, billions, 0.0).astype(np.int64).tolist()
    return [
        (int(value), 1)
        if kind[place] == 0
        else (counts[place], 10**9)
        if kind[place] == 1
        else as_fraction(value).as_integer_ratio()
        for place, value in enumerate(column.tolist())
    ]


def _dyadic_below(top: int, bottom: int) -> float:
    """The largest double with 53 bits that is not above ``top / bottom``, for a positive quotient."""
    shift = 54 - top.bit_length() + bottom.bit_length()
    quotient = (top << shift) // bottom if shift >= 0 else top // (bottom << -shift)
    extra = quotient.bit_length() - 53
    return math.ldexp(quotient >> extra, extra - shift)


def _dyadic_above(top: int, bottom: int) -> float:
    """The least double with 53 bits that is not below ``top / bottom``, for a positive quotient."""
    shift = 54 - top.bit_length() + bottom.bit_length()
    quotient = -((-top << shift) // bottom) if shift >= 0 else -(-top // (bottom << -shift))
    extra = quotient.bit_length() - 53
    return math.ldexp(-(-quotient >> extra), extra - shift)


def _rates(instance: SlideInstance) -> FloatArray:
    """``B R_k`` (bit/s), rounded down."""
    users = instance.users
    band = as_fraction(instance.bandwidth_hz)
    rate = np.empty(len(users))
    given = ~np.isnan(users.spectral_efficiency)
    rate[given] = [
        _dyadic_below(top * band.numerator, bottom * band.denominator)
        for top, bottom in _ratios(users.spectral_efficiency[given])
    ]
    if not given.all():
        rate[~given] = _log_rates(instance, ~given)
    return rate


def _log_rates(instance: SlideInstance, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> FloatArray:
    """``B log2(1 + P h / (N0 B))`` (bit/s), rounded down to `LOG_BITS` significant bits."""
    users = instance.users
    assert instance.noise_w_per_hz is not None  # the instance was validated
    band, noise = instance.bandwidth_hz, instance.noise_w_per_hz
    power, gain = users.power_w[chosen], users.gain[chosen]
    rate = band * np.log1p(power * gain / (noise * band)) / math.log(2.0)
    exponent = np.frexp(rate)[1] - LOG_BITS
    scaled = np.ldexp(rate, -exponent)
    low = np.floor(scaled * (1 - FLOAT_DOUBT))
    for place in np.flatnonzero(low != np.floor(scaled * (1 + FLOAT_DOUBT))):
        exact_band = as_fraction(band)
        snr = as_fraction(float(power[place])) * as_fraction(float(gain[place])) / (as_fraction(noise) * exact_band)
        low[place] = floor_mul_log2(exact_band / Fraction(2) ** int(exponent[place]), 1 + snr)
    result: FloatArray = np.ldexp(low, exponent)
    return result


def _compute(users: Users) -> tuple[FloatArray, FloatArray]:
    """``b kappa / f`` (ticks a FLOP per sample, up) and ``E / (c f^3)`` (ticks, down)."""
    frequency = _ratios(users.frequency_hz)
    flop_ticks = [
        _dyadic_above(batch * top * f_bottom * TICKS_PER_S, bottom * f_top)
        for batch, (top, bottom), (f_top, f_bottom) in zip(
            users.batch.tolist(), _ratios(users.cycles_per_flop), frequency, strict=True
        )
    ]
    energy = np.full(len(users), np.inf)
    limited = np.flatnonzero(np.isfinite(users.energy_j))
    for user, (top, bottom), (c_top, c_bottom) in zip(
        limited.tolist(), _ratios(users.energy_j[limited]), _ratios(users.energy_coefficient[limited]), strict=True
    ):
        f_top, f_bottom = frequency[user]
        numerator = top * c_bottom * f_bottom**3 * TICKS_PER_S
        energy[user] = _dyadic_below(numerator, bottom * c_top * f_top**3) if numerator else 0.0
    return np.array(flop_ticks, dtype=np.float64), energy


def _pairs(models: Models, users: Users) -> tuple[IntArray, IntArray]:
    """The models that each user accepts and whose accuracy suffices (floats order as their decimals do)."""
    place = {name: index for index, name in enumerate(models.name)}
    everything = np.arange(len(models), dtype=np.int64)
    sets = [
        everything if s is None else np.array(sorted(place[n] for n in s), dtype=np.int64) for s in users.accept_sets
    ]
    sizes = np.array([len(found) for found in sets], dtype=np.int64)
    count = sizes[users.accepts]
    total = int(count.astype(np.float64).sum())
    if total > MOST_PAIRS:
        raise InstanceError(
            f"users: {total} pairs of a user and an accepted model: must be at most {MOST_PAIRS}; "
            f"name the models that each user accepts"
        )
    first = np.concatenate([[0], np.cumsum(sizes)])[:-1][users.accepts]
    user = np.repeat(np.arange(len(users), dtype=np.int64), count)
    within = np.arange(total, dtype=np.int64) - np.repeat(np.cumsum(count) - count, count)
    model = np.concatenate(sets)[np.repeat(first, count) + within]
    good = models.accuracy[model] >= users.min_accuracy[user]
    pair_start = np.concatenate([[0], np.cumsum(np.bincount(user[good], minlength=len(users)))]).astype(np.int64)
    return pair_start, model[good]
