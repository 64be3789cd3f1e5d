"""Transceivers for given shares: the published relaxation, the tighter one, and descent over all linear designs."""

from __future__ import annotations

from typing import Literal

import numpy as np

from edgeopt.errors import AssumptionError, InstanceError
from edgeopt.instances.aircomp import AirCompInstance
from edgeopt.instances.aircomp.instance import ComplexArray
from edgeopt.result import Answer
from edgeopt.solvers.aircomp.design import STARTS, Factor, answer, designed, given_shares, proof_of, require_invertible
from edgeopt.solvers.aircomp.recover import Recovery
from edgeopt.solvers.aircomp.relaxed import Scaled
from edgeopt.solvers.base import Control

Engine = Literal["factored", "clarabel", "scs"]
ConeSolver = Literal["clarabel", "scs"]


def sdr_eigen(
    instance: AirCompInstance,
    control: Control,
    *,
    recovery: str = "randomisation",
    engine: str = "scs",
    starts: int = STARTS,
) -> Answer:
    """The published design: the semidefinite relaxation with eigenvalues, then a receiver from its matrix.

    Maximises ``t`` with ``u_n H_n^H Ghat H_n >= t (L0/L) L I`` in the order of semidefinite matrices, ``tr Ghat = 1``.
    ``1/t`` bounds ``tr(X^-1)`` from above by ``L / lambda_min(X)``, so it is no bound on the designs, and none is
    claimed.

    Parameters
    ----------
    instance : AirCompInstance
        With given shares.
    control : Control
    recovery : {"randomisation", "truncation", "descent"}
        How a receiver comes from the matrix.
    engine : {"scs", "clarabel"}
        Solver of the semidefinite program.
    starts : int
        Most descents a draw.

    Raises
    ------
    AssumptionError
        If shares are open, there are fewer streams than antennas, or a channel cannot be inverted.
    BackendError
        If cvxpy or the solver is not installed.
    """
    shares = given_shares(instance, "sdr-eigen")
    _require_full(instance, "sdr-eigen")
    require_invertible(instance, "sdr-eigen")
    factor = _cone_factor("eigen", engine, control)
    plan, _, stopped = designed(
        instance, shares, control, solver="sdr-eigen", linear=False, recovery=_checked(recovery), starts=starts,
        factor=factor,
    )  # fmt: skip
    return answer(instance, plan, None, control=control, stopped=stopped)


def sdr_trace_inverse(
    instance: AirCompInstance,
    control: Control,
    *,
    recovery: str = "descent",
    engine: str = "factored",
    starts: int = STARTS,
) -> Answer:
    """Zero forcing by the relaxation that keeps ``tr[(H_n^H Ghat H_n)^-1]``, with a bound on every such design.

    Parameters
    ----------
    instance : AirCompInstance
        With given shares.
    control : Control
    recovery : {"descent", "truncation", "randomisation"}
        How a receiver comes from the matrix.
    engine : {"factored", "clarabel", "scs"}
        Our method of factors (`edgeopt.solvers.aircomp.zero_forcing`), or a cone program in cvxpy; the latter's matrix
        is only where recovery starts, the bound is ours.
    starts : int
        Most descents a draw.

    Raises
    ------
    AssumptionError
        If shares are open, or a channel cannot be inverted.
    BackendError
        If the engine needs cvxpy or a solver that is not installed.
    """
    shares = given_shares(instance, "sdr-trace-inverse")
    require_invertible(instance, "sdr-trace-inverse")
    factor: Factor | None = None
    if engine != "factored":
        _require_full(instance, f"engine={engine}")
        factor = _cone_factor("trace-inverse", engine, control)
    plan, relaxations, stopped = designed(
        instance, shares, control, solver="sdr-trace-inverse", linear=False, recovery=_checked(recovery),
        starts=starts, factor=factor,
    )  # fmt: skip
    return answer(instance, plan, proof_of(instance, shares, relaxations), control=control, stopped=stopped)


def mmse(instance: AirCompInstance, control: Control, *, starts: int = STARTS) -> Answer:
    """All linear designs: descent on the exact squared error from the zero-forcing design and from the relaxation.

    Never worse than the zero-forcing design that it starts from; the bound is on every linear design.

    Parameters
    ----------
    instance : AirCompInstance
        Of the class ``linear``, with given shares.
    control : Control
    starts : int
        Most zero-forcing descents a draw.

    Raises
    ------
    AssumptionError
        If shares are open, or the instance allows zero forcing only.
    """
    if instance.design != "linear":
        raise AssumptionError(f"mmse is for linear designs, {instance.name} allows zero forcing only (field design)")
    shares = given_shares(instance, "mmse")
    plan, relaxations, stopped = designed(instance, shares, control, solver="mmse", linear=True, starts=starts)
    return answer(instance, plan, proof_of(instance, shares, relaxations), control=control, stopped=stopped)


def _checked(recovery: str) -> Recovery:
    from edgeopt.solvers.aircomp.recover import RECOVERIES

    for known in RECOVERIES:
        if recovery == known:
            return known
    raise InstanceError(f"recovery = {recovery!r}: must be one of {', '.join(RECOVERIES)}")


def _require_full(instance: AirCompInstance, solver: str) -> None:
    if instance.streams != instance.shape[2]:
        raise AssumptionError(
            f"{solver}: streams = {instance.streams}: this relaxation needs as many streams as a device has antennas, "
            f"{instance.shape[2]}"
        )


def _cone_factor(form: Literal["eigen", "trace-inverse"], engine: str, control: Control) -> Factor:
    """The matrix of a cone program as a factor."""
    if engine not in ("clarabel", "scs"):
        raise InstanceError(f"engine = {engine!r}: must be clarabel or scs")
    from edgeopt.models.aircomp import cones

    def factor(instance: AirCompInstance, draw: int, own: Scaled) -> ComplexArray:
        program = cones.program(form, own.channels.shape)
        solved = program.solve(own.channels, engine, time_limit=control.remaining())
        values, vectors = np.linalg.eigh(solved.matrix)
        keep = values > 1e-9 * max(values[-1], 1e-300)
        return np.asarray(vectors[:, keep] * np.sqrt(values[keep]), dtype=np.complex128)

    return factor
