"""Proof by semidefinite slacks for the AirComp problem: no shares and no transceivers have a smaller error.

Device ``n`` holds the part ``m_n`` of every layer and has ``u_n = P_n - whole_n m_n`` left to send its vector in
``kappa`` parts. For each draw of the channels ``H_n`` the proof holds ``omega_n >= 0`` and matrices ``Y_n``; with
``Z_n = H_n Y_n`` and ``T_n = Re tr Y_n >= 0``:

- ``inverse``, for zero forcing. Such a receiver ``A = sqrt(alpha) G`` with ``tr G G^H = 1`` needs
  ``alpha u_n >= kappa tr(X_n^-1)``, ``X_n = H_n^H G G^H H_n``, and its error is ``sigma^2 alpha``. Since
  ``tr(X^-1) >= T^2 / tr(Y^H X Y)`` and the arithmetic mean of three numbers is not below the geometric one,
  ``tr(X^-1) / u >= (3 T - tr(Y^H X Y) - u T / v) / v``. With ``sum_n omega_n v_n <= kappa`` and
  ``most I - sum_n omega_n Z_n Z_n^H`` positive semidefinite: ``alpha >= sum_n omega_n T_n (3 - u_n / v_n) - most``.
- ``error``, for all linear designs. The error that device ``n`` leaves is at least
  ``l tr(l I + X)^-1 - l u_n / kappa``, ``X = H_n^H A A^H H_n``, for any ``l >= 0``, by the multiplier of its budget,
  and ``tr(l I + X)^-1 >= 2 T - tr(Y^H (l I + X) Y)``. With ``l_n = omega_n`` and
  ``sigma^2 I - sum_n omega_n Z_n Z_n^H`` positive semidefinite: the error is at least
  ``sum_n omega_n (2 T_n - omega_n ||Y_n||_F^2 - u_n / kappa)``.

With ``L`` streams of fewer than ``Nt`` antennas ``C = A^H H_n`` (G in place of A) is ``L x Nt``, ``C^H = U R`` with
orthonormal columns ``U``, and it is ``C C^H`` that is inverted. Then every ``Y_n`` must be Hermitian, and the proof
holds ``top_n`` with ``top_n I - Y_n`` positive semidefinite. ``W = (U^H Y^2 U)^(1/2)`` stands for ``Y``:
``tr(W R R^H W)`` is ``tr(Y X Y)``, and ``W >= U^H Y U``, because ``U^H Y^2 U >= (U^H Y U)^2`` and roots keep that
order. For a Hermitian ``Q`` the trace of ``U^H Q U`` is at least ``tr Q - (Nt - L) q``, where no eigenvalue of ``Q`` is
above ``q``. So

- in ``inverse``, ``T_n = tr Y_n - (Nt - L) top_n``;
- in ``error``, with ``Q = 2 l Y - l^2 Y^2``, ``(Nt - L) q`` is taken off ``l (2 tr Y - l ||Y||^2)``, where ``q`` is
  ``2 x - x^2`` with ``x = l top`` if that is at most 1, as ``2 y - y^2`` grows until there, and else 1, its most.

The mean over the draws is linear in the shares, so its least value is where the cheapest devices are full. Several
such cuts may be mixed: what is shown is the least value of their weighted mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any

from .hermitian import Matrix, adjoint, is_semidefinite, norm2, product, trace, trace_of_inverse
from .reading import Refuted, Replay, Unreadable, fields, items, whole, wholes

MOST_EXPONENT = 4096
MOST_STREAMS = 256


@dataclass(frozen=True)
class Program:
    """An instance as read: see `replay`."""

    design: str
    places: int
    streams: int
    kappa: Fraction
    noise: Fraction
    power: list[Fraction]
    whole: list[Fraction]
    memory: list[Fraction]
    shares: list[Fraction] | None
    exponent: int
    channels: list[list[Matrix]]

    @property
    def antennas(self) -> int:
        return len(self.channels[0][0][0])


def replay(content: Any, solution: Any, proof: Any) -> Replay:
    """Check the solution, and prove a bound anew."""
    program = read_program(content)
    error = None if solution is None else error_of(program, solution)
    unit = Fraction(10) ** program.places
    value = None if error is None else ceil(error * unit)
    bound = max(0, floor(lower_bound(program, proof) * unit))
    draws, server = len(program.channels), len(program.channels[0][0])
    shares = "given shares" if program.shares is not None else "shares to choose"
    lines = [
        f"program   {len(program.power)} devices, {server} x {program.antennas} antennas, {draws} draws, {shares}, "
        f"{program.design} designs, min",
        "solution  none given"
        if value is None
        else f"solution  feasible, error {value} in units of 1e-{program.places}",
        f"proof     semidefinite slacks of {draws} draws: no error is below {bound}",
    ]
    return Replay("min", value, bound, lines)


def read_program(content: Any) -> Program:
    """The program in a certificate."""
    names = (
        "sense", "design", "places", "streams", "repeats", "noise", "power", "whole", "memory", "shares", "exponent",
        "real", "imag",
    )  # fmt: skip
    sense, design, places, streams, repeats, noise, power, cost, memory, shares, exponent, real, imag = fields(
        content, "program", *names
    )
    if sense != "min" or design not in ("zero-forcing", "linear"):
        raise Unreadable("program.sense must be min, program.design zero-forcing or linear")
    if not 0 <= whole(places, "program.places") + 400 <= 800:
        raise Unreadable("program.places is out of range")
    count = len(items(power, "program.power"))
    channels = []
    for a, b in zip(draws_of(real, count), items(imag, "program.imag", len(items(real, "program.real"))), strict=True):
        others = items(b, "program.imag", count)
        channels.append([matrix(one, other, "program.real") for one, other in zip(a, others, strict=True)])
    shapes = {(len(h), len(h[0])) for draw in channels for h in draw}
    if not count or len(shapes) != 1:
        raise Unreadable("program.real must hold matrices of one shape, for each device in each draw")
    if not 1 <= whole(streams, "program.streams") <= min(shapes.pop()[1], MOST_STREAMS):
        raise Unreadable("program.streams must be from 1 to the antennas of a device")
    kappa, sigma = ratio(repeats, "program.repeats"), ratio(noise, "program.noise")
    if kappa <= 0 or sigma <= 0:
        raise Unreadable("program.repeats and program.noise must be positive")
    columns = {
        name: [ratio(entry, f"program.{name}") for entry in items(column, f"program.{name}", count)]
        for name, column in (("power", power), ("whole", cost), ("memory", memory))
    }
    given = None
    if shares is not None:
        given = [ratio(entry, "program.shares") for entry in items(shares, "program.shares", count)]
        if sum(given) != 1:
            raise Unreadable("program.shares must sum to 1")
    return Program(
        design=design, places=places, streams=streams, kappa=kappa, noise=sigma, shares=given,
        exponent=power_of(exponent), channels=channels, **columns,
    )  # fmt: skip


def draws_of(content: Any, count: int) -> list[list[Any]]:
    """A list of draws, each with an entry a device."""
    found = [items(draw, "program.real", count) for draw in items(content, "program.real")]
    if not found:
        raise Unreadable("program.real must hold a draw")
    return found


def matrix(real: Any, imag: Any, where: str) -> Matrix:
    """A matrix from its real and imaginary parts."""
    rows = []
    for one, other in zip(items(real, where), items(imag, where, len(real)), strict=True):
        rows.append(list(zip(wholes(one, where), wholes(other, where, len(one)), strict=True)))
    if not rows or not rows[0] or any(len(row) != len(rows[0]) for row in rows):
        raise Unreadable(f"{where} must be a matrix")
    return rows


def shaped(real: Any, imag: Any, where: str, rows: int, columns: int) -> Matrix:
    """A matrix of that shape."""
    found = matrix(real, imag, where)
    if (len(found), len(found[0])) != (rows, columns):
        raise Unreadable(f"{where} must have {rows} rows and {columns} columns")
    return found


def ratio(content: Any, where: str) -> Fraction:
    """A fraction that is not negative, as numerator and denominator."""
    top, bottom = wholes(content, where, 2, least=0)
    if not bottom:
        raise Unreadable(f"{where} has the denominator 0")
    return Fraction(top, bottom)


def power_of(content: Any) -> int:
    """An exponent of 2 that is not out of all range."""
    if not -MOST_EXPONENT <= whole(content, "exponent") <= MOST_EXPONENT:
        raise Unreadable(f"an exponent must be from {-MOST_EXPONENT} to {MOST_EXPONENT}")
    return int(content)


def two(exponent: int) -> Fraction:
    """``2^exponent``."""
    return Fraction(1 << exponent) if exponent >= 0 else Fraction(1, 1 << -exponent)


def error_of(program: Program, solution: Any) -> Fraction:
    """Mean squared error of a solution over the draws; refuted if it is none."""
    parts, designs = fields(solution, "solution", "parts", "designs")
    count = len(program.power)
    total = sum(wholes(parts, "solution.parts", count, least=0))
    if not total:
        raise Refuted("solution.parts sum to 0")
    shares = [Fraction(part, total) for part in parts]
    if program.shares is not None and shares != program.shares:
        raise Refuted("solution.parts are not the shares that are given")
    for n, (share, most) in enumerate(zip(shares, program.memory, strict=True)):
        if share > most:
            raise Refuted(f"solution: device {n} has no memory for its share")
    left = [p - e * m for p, e, m in zip(program.power, program.whole, shares, strict=True)]
    if min(left) < 0:
        raise Refuted(f"solution: computing takes more than the budget of device {left.index(min(left))}")
    error = Fraction(0)
    for draw, design in zip(program.channels, items(designs, "solution.designs", len(program.channels)), strict=True):
        error += design_error(program, draw, design, left)
    return error / len(program.channels)


def design_error(program: Program, draw: list[Matrix], design: Any, left: list[Fraction]) -> Fraction:
    """Squared error of the transceivers for one draw."""
    exponent, real, imag, transmit = fields(design, "solution.designs", "exponent", "real", "imag", "transmit")
    receive = shaped(real, imag, "solution.designs", len(draw[0]), program.streams)
    scale = power_of(exponent)
    seen = [product(adjoint(receive), channel) for channel in draw]
    own = norm2(receive) * two(2 * scale)
    if transmit is None:
        # `receive` are directions; the factor 2^scale cancels
        worst = Fraction(0)
        for n, (row, power) in enumerate(zip(seen, left, strict=True)):
            inverse = trace_of_inverse(product(row, adjoint(row)))
            if inverse is None or not power:
                raise Refuted(f"solution: the channel of device {n} cannot be inverted with what it has left")
            worst = max(worst, program.kappa * inverse / power)
        return program.noise * worst * norm2(receive) * two(-2 * program.exponent)
    shift, sent_real, sent_imag = fields(transmit, "solution.designs.transmit", "exponent", "real", "imag")
    step = power_of(shift)
    error = program.noise * own
    wanted = zip(
        seen, left, items(sent_real, "transmit", len(draw)), items(sent_imag, "transmit", len(draw)), strict=True
    )
    for n, (row, power, one, other) in enumerate(wanted):
        sent = shaped(one, other, "solution.designs.transmit", program.antennas, program.streams)
        if program.kappa * norm2(sent) * two(2 * step) > power:
            raise Refuted(f"solution: device {n} sends more than its budget leaves")
        arrived = product(row, sent)
        factor = two(scale + program.exponent + step)
        residual = norm2(arrived) * factor**2 - 2 * trace(arrived) * factor + program.streams
        if residual and program.design == "zero-forcing":
            raise Refuted(f"solution: device {n} is not received without error")
        error += residual
    return error


def lower_bound(program: Program, proof: Any) -> Fraction:
    """What the multipliers show of the mean squared error of every solution."""
    _, inequality, mix, cuts = fields(proof, "proof", "kind", "inequality", "mix", "cuts")
    if inequality not in ("inverse", "error"):
        raise Unreadable("proof.inequality must be inverse or error")
    inverse = inequality == "inverse"
    if inverse and program.design != "zero-forcing":
        raise Refuted("proof: this inequality is for zero forcing")
    total = sum(wholes(mix, "proof.mix", len(items(cuts, "proof.cuts")), least=1))
    if not total:
        raise Unreadable("proof.cuts must hold a cut")
    constant, slopes = Fraction(0), [Fraction(0)] * len(program.power)
    for k, cut in enumerate(cuts):
        own, lines = cut_bound(program, cut, inverse, f"proof.cuts[{k}]")
        constant += own * mix[k] / total
        slopes = [a + b * mix[k] / total for a, b in zip(slopes, lines, strict=True)]
    factor = (program.noise if inverse else 1) / Fraction(len(program.channels))
    # the bound is `constant - sum slope (P - whole m)`
    prices = [slope * cost for slope, cost in zip(slopes, program.whole, strict=True)]
    fixed = constant - sum((s * p for s, p in zip(slopes, program.power, strict=True)), Fraction(0))
    return factor * (fixed + least_of_line(program, prices))


def cut_bound(program: Program, cut: Any, inverse: bool, where: str) -> tuple[Fraction, list[Fraction]]:
    """``constant`` and ``slopes`` of the bound ``constant - sum_n slope_n u_n`` on the sum over the draws."""
    levels, draws = fields(cut, where, "levels", "draws")
    count = len(program.power)
    level, values = fields(levels, f"{where}.levels", "exponent", "values")
    v = [entry * two(power_of(level)) for entry in wholes(values, f"{where}.levels", count, least=1)]
    constant, slopes = Fraction(0), [Fraction(0)] * count
    entries = items(draws, f"{where}.draws", len(program.channels))
    for c, (draw, entry) in enumerate(zip(program.channels, entries, strict=True)):
        if entry is None:  # nothing is shown of this draw: its error is not negative
            continue
        own, lines = draw_bound(program, draw, entry, v if inverse else None, f"{where}.draws[{c}]")
        constant += own
        slopes = [a + b for a, b in zip(slopes, lines, strict=True)]
    return constant, slopes


def draw_bound(
    program: Program, draw: list[Matrix], entry: Any, levels: list[Fraction] | None, where: str
) -> tuple[Fraction, list[Fraction]]:
    """Of one draw, ``constant`` and ``slopes`` of the bound ``constant - sum_n slope_n u_n``."""
    hidden = program.antennas - program.streams
    weights, matrices, most, *tops = fields(entry, where, "weights", "matrices", "most", *(["tops"] if hidden else []))
    first, values = fields(weights, where, "exponent", "values")
    second, real, imag = fields(matrices, where, "exponent", "real", "imag")
    count, antennas = len(draw), program.antennas
    omega = wholes(values, where, count, least=0)
    step, shift = power_of(first), power_of(second)
    exact = [entry * two(step) for entry in omega]
    y = [
        shaped(one, other, where, antennas, antennas)
        for one, other in zip(items(real, where, count), items(imag, where, count), strict=True)
    ]
    # the slack, in units of 2^(step + 2 (shift + exponent))
    unit = step + 2 * (shift + program.exponent)
    server = len(draw[0])
    slack: Matrix = [[(0, 0)] * server for _ in range(server)]
    for weight, channel, own in zip(omega, draw, y, strict=True):
        if weight:
            subtract(slack, weight, product(channel, own))
    scaled = (number(most, where) if levels is not None else program.noise) * two(-unit)
    for i in range(server):
        slack[i][i] = (slack[i][i][0] + scaled.numerator // scaled.denominator, 0)
    if not is_semidefinite(slack):
        raise Refuted(f"{where}: the slack is not positive semidefinite")
    traces = [trace(own) * two(shift) for own in y]
    largest = top_of(tops[0], y, shift, where) if hidden else [Fraction(0)] * count
    if levels is not None:
        traces = [t - hidden * top for t, top in zip(traces, largest, strict=True)]
    if min(traces) < 0:
        raise Refuted(f"{where}: a trace is negative")
    if levels is not None:
        if sum((w * v for w, v in zip(exact, levels, strict=True)), Fraction(0)) > program.kappa:
            raise Refuted(f"{where}: the weights are too large")
        constant = sum((3 * w * t for w, t in zip(exact, traces, strict=True)), -number(most, where))
        return constant, [w * t / v for w, t, v in zip(exact, traces, levels, strict=True)]
    if most is not None:
        raise Unreadable(f"{where}.most must be null here")
    constant = Fraction(0)
    for w, t, own, top in zip(exact, traces, y, largest, strict=True):
        x = min(Fraction(1), w * top)
        constant += w * (2 * t - w * norm2(own) * two(2 * shift)) - hidden * x * (2 - x)
    return constant, [w / program.kappa for w in exact]


def subtract(slack: Matrix, weight: int, seen: Matrix) -> None:
    """``slack -= weight Z Z^H``, both triangles."""
    for i, row in enumerate(seen):
        for j in range(i + 1):
            real = imag = 0
            for (a, b), (c, d) in zip(row, seen[j], strict=True):
                real += a * c + b * d
                imag += b * c - a * d
            e, f = slack[i][j]
            slack[i][j] = (e - weight * real, f - weight * imag)
            slack[j][i] = (slack[i][j][0], -slack[i][j][1])


def top_of(content: Any, y: list[Matrix], shift: int, where: str) -> list[Fraction]:
    """Numbers that no eigenvalue of the Hermitian matrices ``y 2^shift`` is above, as they are stated."""
    exponent, values = fields(content, f"{where}.tops", "exponent", "values")
    unit = two(power_of(exponent) - shift)
    stated = [top * unit for top in wholes(values, f"{where}.tops", len(y), least=0)]
    for own, top in zip(y, stated, strict=True):
        if own != adjoint(own):
            raise Refuted(f"{where}: with fewer streams than antennas the matrices must be Hermitian")
        rest = [[(-a, -b) for a, b in row] for row in own]
        for i, row in enumerate(rest):
            row[i] = (top.numerator // top.denominator + row[i][0], 0)
        if not is_semidefinite(rest):
            raise Refuted(f"{where}: an eigenvalue is above its top")
    return [top * two(shift) for top in stated]


def number(content: Any, where: str) -> Fraction:
    """A number that is not negative, as ``value 2^exponent``."""
    exponent, value = fields(content, where, "exponent", "value")
    if whole(value, where) < 0:
        raise Unreadable(f"{where}.most is negative")
    return Fraction(value) * two(power_of(exponent))


def least_of_line(program: Program, prices: list[Fraction]) -> Fraction:
    """Least of ``sum price_n m_n`` over the shares: those given, or the cheapest devices filled first."""
    if program.shares is not None:
        return sum((price * m for price, m in zip(prices, program.shares, strict=True)), Fraction(0))
    left, total = Fraction(1), Fraction(0)
    for n in sorted(range(len(prices)), key=prices.__getitem__):
        most = program.memory[n]
        if program.whole[n]:
            most = min(most, program.power[n] / program.whole[n])
        taken = min(left, most)
        total += taken * prices[n]
        left -= taken
    if left:
        raise Refuted("program: the devices together cannot hold a layer")
    return total
