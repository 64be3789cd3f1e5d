"""The relaxations of one channel draw as cone programs in cvxpy, with the channels as parameters.

A program is compiled once for its shape; a new channel changes numbers only. The products with the channels are
``U_n = Ghat H_n`` and ``X_n = H_n^H U_n``, each linear in the parameters, so that the program follows cvxpy's rules for
parameters (DPP).

Channels are scaled so that every device may send 1 (`edgeopt.solvers.aircomp.relaxed.Scaled`).
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from edgeopt.errors import BackendError
from edgeopt.instances.aircomp.instance import ComplexArray

Form = Literal["eigen", "trace-inverse", "error"]
TOLERANCE = {"clarabel": 1e-7, "scs": 1e-7}
"""Clarabel at its own 1e-8 ends inaccurate on these programs."""
SCS_STEPS = 20000


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """A solved program.

    Attributes
    ----------
    matrix : (Nr, Nr) complex128
        ``Ghat`` or ``Ahat``, Hermitian.
    value : float
        Optimum as the solver reports it: a word, no proof.
    status : str
    """

    matrix: ComplexArray
    value: float
    status: str


class ConeProgram:
    """A compiled program for draws of one shape.

    Parameters
    ----------
    form : {"eigen", "trace-inverse", "error"}
        ``eigen``: least ``alpha`` by the published bound with eigenvalues. ``trace-inverse``: least ``alpha`` of zero
        forcing. ``error``: least squared error over all linear designs.
    shape : tuple of int
        Devices, antennas of the server, antennas of a device.

    Raises
    ------
    BackendError
        If cvxpy is not installed.
    """

    def __init__(self, form: Form, shape: tuple[int, int, int]) -> None:
        cp = _cvxpy()
        devices, server, antennas = shape
        self.form = form
        self.channels = [cp.Parameter((server, antennas), complex=True) for _ in range(devices)]
        self.adjoints = [cp.Parameter((antennas, server), complex=True) for _ in range(devices)]
        self.noise = cp.Parameter(nonneg=True)
        self.matrix = cp.Variable((server, server), hermitian=True)
        rows: list[Any] = [self.matrix >> 0]
        seen = []
        for channel, adjoint in zip(self.channels, self.adjoints, strict=True):
            half = cp.Variable((server, antennas), complex=True)
            product = cp.Variable((antennas, antennas), hermitian=True)
            rows += [half == self.matrix @ channel, product == adjoint @ half]
            seen.append(product)
        build = {"eigen": _eigen, "trace-inverse": _trace_inverse, "error": _error}[form]
        objective, more = build(cp, self.matrix, seen, self.noise)
        self.problem = cp.Problem(objective, rows + more)

    def solve(
        self, channels: ComplexArray, engine: str, *, noise: float = 0.0, time_limit: float | None = None
    ) -> Solved:
        """Solve for a draw.

        Parameters
        ----------
        channels : (N, Nr, Nt) complex128
        engine : {"clarabel", "scs"}
        noise : float
            ``sigma^2``, for the form ``error``.
        time_limit : float, optional
            Of the solver (s).

        Raises
        ------
        BackendError
            If the solver is not installed, or gives no matrix.
        """
        cp = _cvxpy()
        for own, adjoint, channel in zip(self.channels, self.adjoints, channels, strict=True):
            own.value, adjoint.value = channel, channel.conj().T
        self.noise.value = noise
        return solved(cp, self.problem, self.matrix, engine, time_limit)


def _eigen(cp: Any, matrix: Any, seen: list[Any], noise: Any) -> tuple[Any, list[Any]]:
    """``max t`` with ``X_n >= t I`` and ``tr Ghat = 1``: the paper's relaxation."""
    least = cp.Variable()
    size = seen[0].shape[0]
    rows = [product - least * np.eye(size) >> 0 for product in seen]
    return cp.Maximize(least), [*rows, cp.real(cp.trace(matrix)) == 1]


def _trace_inverse(cp: Any, matrix: Any, seen: list[Any], noise: Any) -> tuple[Any, list[Any]]:
    """``min s`` with ``tr(X_n^-1) <= s`` and ``tr Ghat = 1``, by a Schur complement ``[[X, I], [I, W]]``."""
    worst = cp.Variable()
    rows = [cp.real(cp.trace(matrix)) == 1]
    for product in seen:
        inverse = cp.Variable(product.shape, hermitian=True)
        eye = np.eye(product.shape[0])
        rows += [cp.bmat([[product, eye], [eye, inverse]]) >> 0, cp.real(cp.trace(inverse)) <= worst]
    return cp.Minimize(worst), rows


def _error(cp: Any, matrix: Any, seen: list[Any], noise: Any) -> tuple[Any, list[Any]]:
    """``min sigma^2 tr Ahat + sum_n ||E_n||_F^2`` with ``tr[(I - E_n)^H X_n^-1 (I - E_n)] <= 1``.

    ``E_n`` is the error matrix ``I - C_n B_n`` with ``C_n = A^H H_n``; what its transmitter sends is the trace, which
    is convex in ``(E_n, X_n)`` together.
    """
    total, rows = noise * cp.real(cp.trace(matrix)), []
    for product in seen:
        error = cp.Variable(product.shape, complex=True)
        sent = cp.Variable(product.shape, hermitian=True)
        kept = np.eye(product.shape[0]) - error
        rows += [cp.bmat([[product, kept], [cp.conj(kept).T, sent]]) >> 0, cp.real(cp.trace(sent)) <= 1]
        total = total + cp.sum_squares(error)
    return cp.Minimize(total), rows


def _cvxpy() -> Any:
    try:
        import cvxpy
    except ModuleNotFoundError as error:
        raise BackendError("this needs cvxpy: pip install 'edgeopt[convex]' (the extra convex)") from error
    return cvxpy


def solved(cp: Any, problem: Any, matrix: Any, engine: str, time_limit: float | None) -> Solved:
    """Run a program on a solver.

    Raises
    ------
    BackendError
        If the solver is not installed, or ends without values.
    """
    import warnings

    if importlib.util.find_spec(engine) is None:
        raise BackendError(f"{engine} is not installed: pip install 'edgeopt[convex]'")
    tolerance = TOLERANCE[engine]
    options: dict[str, Any]
    if engine == "clarabel":
        options = {"tol_gap_abs": tolerance, "tol_gap_rel": tolerance, "tol_feas": tolerance}
        options |= {} if time_limit is None else {"time_limit": max(time_limit, 1e-3)}
    else:
        options = {"eps_abs": tolerance, "eps_rel": tolerance, "max_iters": SCS_STEPS}
        options |= {} if time_limit is None else {"time_limit_secs": max(time_limit, 1e-3)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a solution is inaccurate is told by the status
            problem.solve(solver=getattr(cp, engine.upper()), **options)
    except cp.SolverError as error:
        raise BackendError(f"{engine}: {error}") from error
    if matrix.value is None:
        raise BackendError(f"{engine} ended without a solution ({problem.status})")
    return Solved(np.asarray(matrix.value, dtype=np.complex128), float(problem.value), str(problem.status))


@lru_cache(maxsize=16)
def program(form: Form, shape: tuple[int, int, int]) -> ConeProgram:
    """The compiled program of a form for draws of a shape, kept for the next draw."""
    return ConeProgram(form, shape)
