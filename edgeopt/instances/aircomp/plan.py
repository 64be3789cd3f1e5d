"""A solution of the AirComp problem: the shares, and transceivers for every channel draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.aircomp.compiled import CompiledAirComp
from edgeopt.instances.aircomp.exact import Gaussian, trace_of_inverse
from edgeopt.instances.aircomp.instance import SHARE_TOLERANCE, AirCompInstance, ComplexArray, FloatArray
from edgeopt.instances.aircomp.validate import exact_shares
from edgeopt.instances.base import Violation


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Transceivers for one channel draw.

    Without `transmit` it is the zero-forcing design of `receive`: the directions ``G`` are scaled by the least
    factor that the budgets allow, ``A = sqrt(alpha / tr(G G^H)) G``, and ``B_n = (A^H H_n)^H (A^H H_n H_n^H A)^-1``
    inverts every channel, without any residual.

    Parameters
    ----------
    receive : (Nr, L) complex128
        ``A``, or the directions ``G``.
    transmit : (N, Nt, L) complex128 or None
        ``B_n``.
    """

    receive: ComplexArray
    transmit: ComplexArray | None = None

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Design)
            and np.array_equal(self.receive, other.receive)
            and (self.transmit is None) == (other.transmit is None)
            and (self.transmit is None or other.transmit is None or np.array_equal(self.transmit, other.transmit))
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Shares, and a design a channel draw.

    Parameters
    ----------
    shares : (N,) float64
        Read as proportions, as those of an instance.
    designs : tuple of Design
        One a draw.
    """

    shares: FloatArray
    designs: tuple[Design, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plan) and np.array_equal(self.shares, other.shares) and self.designs == other.designs

    __hash__ = None  # type: ignore[assignment]


def exact_error(
    compiled: CompiledAirComp, draw: int, design: Design, left: Sequence[Fraction]
) -> tuple[Fraction | None, list[Violation]]:
    """Mean squared error of a design, and what it breaks; no error where zero forcing is not possible.

    Parameters
    ----------
    compiled : CompiledAirComp
    draw : int
    design : Design
    left : (N,) sequence of Fraction
        Power left for sending (W).
    """
    receive = Gaussian.of(design.receive)
    seen = [receive.adjoint @ compiled.channels[draw, n] for n in range(len(left))]
    if design.transmit is None:
        return _zero_forcing_error(compiled, draw, receive, seen, left)
    sent = Gaussian.of(design.transmit)
    error = compiled.noise * receive.norm2()
    broken = []
    for n, (row, most) in enumerate(zip(seen, left, strict=True)):
        error += (row @ sent[n]).distance2_from_identity()
        used = compiled.repeats * sent[n].norm2()
        if used > most:
            broken.append(_violation("power budget", draw, n, f"{float(used):.17g} W", f"{float(most):.17g} W"))
    return error, broken


def _zero_forcing_error(
    compiled: CompiledAirComp, draw: int, receive: Gaussian, seen: Sequence[Gaussian], left: Sequence[Fraction]
) -> tuple[Fraction | None, list[Violation]]:
    worst, broken = Fraction(0), []
    for n, (row, most) in enumerate(zip(seen, left, strict=True)):
        inverse = trace_of_inverse(row @ row.adjoint)
        if inverse is None:
            broken.append(_violation("zero forcing", draw, n, "a channel to invert", "a singular one"))
        elif most > 0:
            worst = max(worst, compiled.repeats * inverse / most)
        else:
            broken.append(_violation("power budget", draw, n, "some power to send", f"{float(most):.6g} W"))
    if broken:
        return None, broken
    return compiled.noise * worst * receive.norm2(), []


def _violation(constraint: str, draw: int, n: int, demand: str, capacity: str) -> Violation:
    return Violation(constraint, f"draw {draw}, device {n}", demand, capacity)


def evaluate(instance: AirCompInstance, plan: Plan) -> tuple[Fraction | None, list[Violation]]:
    """Mean over the draws of the exact squared error, and every constraint that the plan breaks.

    Raises
    ------
    InstanceError
        If an array of the plan has another shape than the instance asks for, or a number is not finite.
    """
    check_shapes(instance, plan)
    compiled = instance.compiled
    broken = _share_violations(instance, plan)
    left = compiled.transmit_power(exact_shares(plan.shares))
    total: Fraction | None = Fraction(0)
    for draw, design in enumerate(plan.designs):
        error, own = exact_error(compiled, draw, design, left)
        broken += own
        total = None if total is None or error is None else total + error
        if instance.design == "zero-forcing" and design.transmit is not None:
            broken += _residuals(compiled, draw, design)
    return None if total is None else total / instance.draws, broken


def value(instance: AirCompInstance, plan: Plan) -> int:
    """The mean squared error in units of ``10^-places``, rounded up; that of receiving nothing where there is none."""
    error, _ = evaluate(instance, plan)
    if error is None:
        error = Fraction(len(instance.devices) * instance.streams)
    return instance.compiled.count_up(error)


def violations(instance: AirCompInstance, plan: Plan) -> list[Violation]:
    """Every constraint that a plan breaks, in exact numbers."""
    return evaluate(instance, plan)[1]


def _share_violations(instance: AirCompInstance, plan: Plan) -> list[Violation]:
    compiled, found = instance.compiled, []
    total = sum((Fraction(float(share)) for share in plan.shares), Fraction(0))
    if abs(total - 1) > SHARE_TOLERANCE or (plan.shares < 0).any():
        return [Violation("shares on the simplex", "all devices", f"{plan.shares.tolist()}", "parts that sum to 1")]
    exact = exact_shares(plan.shares)
    if compiled.shares is not None and exact != compiled.shares:
        return [Violation("given shares", "all devices", f"{plan.shares.tolist()}", "the shares of the instance")]
    for n, (share, most) in enumerate(zip(exact, compiled.memory, strict=True)):
        if share > most:
            found.append(Violation("memory", f"device {n}", f"{float(share):.17g}", f"{float(most):.17g} of a layer"))
    for n, left in enumerate(compiled.transmit_power(exact)):
        if left < 0:
            found.append(
                Violation("power budget", f"device {n}", f"{float(compiled.power[n] - left):.17g} W for computing",
                          f"{float(compiled.power[n]):.17g} W")
            )  # fmt: skip
    return found


def _residuals(compiled: CompiledAirComp, draw: int, design: Design) -> list[Violation]:
    receive, sent, found = Gaussian.of(design.receive).adjoint, Gaussian.of(design.transmit), []
    for n in range(len(compiled.power)):
        residual = (receive @ compiled.channels[draw, n] @ sent[n]).distance2_from_identity()
        if residual:
            found.append(_violation("zero forcing", draw, n, f"a residual of {float(residual):.3g}", "0"))
    return found


def check_shapes(instance: AirCompInstance, plan: Plan) -> None:
    """Refuse a plan that is none of this instance.

    Raises
    ------
    InstanceError
        If an array has another shape than the instance asks for, or a number is not finite.
    """
    count, server, device = instance.shape
    streams = instance.streams
    wanted: list[tuple[str, Any, tuple[int, ...]]] = [("shares", plan.shares, (count,))]
    if len(plan.designs) != instance.draws:
        raise InstanceError(f"designs has {len(plan.designs)} entries: must have {instance.draws}, one a draw")
    for draw, design in enumerate(plan.designs):
        wanted.append((f"designs[{draw}].receive", design.receive, (server, streams)))
        if design.transmit is not None:
            wanted.append((f"designs[{draw}].transmit", design.transmit, (count, device, streams)))
    for where, array, shape in wanted:
        if not isinstance(array, np.ndarray) or array.shape != shape:
            raise InstanceError(f"{where} has the shape {getattr(array, 'shape', None)}: must be {shape}")
        if not np.isfinite(array).all():
            raise InstanceError(f"{where}: must hold finite numbers")


def encode_solution(instance: AirCompInstance, plan: Plan) -> dict[str, Any]:
    """Plain data: shares by device, and a design a draw with real and imaginary parts apart."""
    designs = []
    for design in plan.designs:
        entry = {"receive": _parts(design.receive)}
        if design.transmit is not None:
            entry["transmit"] = _parts(design.transmit)
        designs.append(entry)
    return {"shares": dict(zip(instance.devices.id, plan.shares.tolist(), strict=True)), "designs": designs}


def _parts(array: ComplexArray) -> dict[str, Any]:
    return {"real": array.real.tolist(), "imag": array.imag.tolist()}


def decode_solution(instance: AirCompInstance, data: Any, where: str) -> Plan:
    """The plan that plain data describes.

    Raises
    ------
    InstanceError
        If it does not fit the instance.
    """
    if not isinstance(data, dict) or set(data) != {"shares", "designs"} or not isinstance(data["designs"], list):
        raise InstanceError(f"{where}: solution must have the fields shares, and designs with an entry a draw")
    shares = data["shares"]
    if not isinstance(shares, dict) or set(shares) != set(instance.devices.id):
        raise InstanceError(f"{where}: solution.shares must name each device: {', '.join(instance.devices.id)}")
    listed = [shares[name] for name in instance.devices.id]
    designs = []
    for draw, entry in enumerate(data["designs"]):
        at = f"{where}: solution.designs[{draw}]"
        if not isinstance(entry, dict) or not {"receive"} <= set(entry) <= {"receive", "transmit"}:
            raise InstanceError(f"{at}: must have the field receive, and transmit where it is not zero forcing")
        sent = None if "transmit" not in entry else _joined(entry["transmit"], f"{at}.transmit", 3)
        designs.append(Design(_joined(entry["receive"], f"{at}.receive", 2), sent))
    plan = Plan(_numbers(listed, f"{where}: solution.shares", 1), tuple(designs))
    try:
        check_shapes(instance, plan)
    except InstanceError as error:
        raise InstanceError(f"{where}: solution.{error}") from error
    return plan


def _joined(entry: Any, where: str, axes: int) -> ComplexArray:
    if not isinstance(entry, dict) or set(entry) != {"real", "imag"}:
        raise InstanceError(f"{where}: must have the fields real and imag, lists of rows")
    real, imag = (_numbers(entry[part], f"{where}.{part}", axes) for part in ("real", "imag"))
    if real.shape != imag.shape:
        raise InstanceError(f"{where}: real has the shape {real.shape}, imag {imag.shape}")
    return real + 1j * imag


def _numbers(values: Any, where: str, axes: int) -> FloatArray:
    def plain(content: Any) -> bool:
        if isinstance(content, list):
            return all(plain(inner) for inner in content)
        return isinstance(content, int | float) and not isinstance(content, bool)

    try:
        found = np.array(values, dtype=np.float64) if plain(values) else None
    except (ValueError, OverflowError):
        found = None
    if found is None or found.ndim != axes:
        raise InstanceError(f"{where}: must be lists of numbers, {axes} deep and of equal lengths")
    return found
