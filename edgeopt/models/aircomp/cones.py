"""The relaxations of one channel draw as cone programs in cvxpy, with the channels as parameters.

A program is compiled once for its shape; a new channel changes numbers only. The parameters are the linear maps
``Ghat -> H_n^H Ghat H_n`` in real coordinates, so that every product is one of a parameter and a variable (cvxpy's
rules for parameters, DPP).

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
from edgeopt.models.aircomp.coordinates import congruence, cvxpy, matrix_of, parts, semidefinite, trace

Form = Literal["eigen", "trace-inverse", "error"]


def _clarabel(tolerance: float, **more: float) -> dict[str, float]:
    return {"tol_gap_abs": tolerance, "tol_gap_rel": tolerance, "tol_feas": tolerance, **more}


ATTEMPTS: dict[str, tuple[dict[str, float], ...]] = {
    "clarabel": (
        _clarabel(1e-7, static_regularization_constant=1e-7),
        _clarabel(1e-7),
        _clarabel(1e-5, static_regularization_constant=1e-6),
    ),
    "scs": ({"eps_abs": 1e-7, "eps_rel": 1e-7, "max_iters": 20000},),
}
"""Settings tried in turn. Clarabel at its own 1e-8 ends inaccurate on these programs, and with its own regularisation
of the linear systems it breaks down on the largest."""


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """A solved program.

    Attributes
    ----------
    matrix : (Nr, Nr) complex128
        ``Ghat`` or ``Ahat``, Hermitian.
    value : float
        Optimum as the solver reports it, ``alpha`` or the squared error: a word, no proof.
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
        cp = cvxpy()
        devices, server, antennas = shape
        self.form = form
        self.maps = [cp.Parameter((antennas**2, server**2)) for _ in range(devices)]
        self.noise = cp.Parameter(nonneg=True)
        self.vector = cp.Variable(server**2)
        rows: list[Any] = [semidefinite(cp, *parts(cp, self.vector, server))]
        size = trace(self.vector, server)
        seen = [parts(cp, own @ self.vector, antennas) for own in self.maps]
        build = {"eigen": _eigen, "trace-inverse": _trace_inverse, "error": _error}[form]
        objective, more = build(cp, size, seen, self.noise, antennas)
        self.problem = cp.Problem(cp.Minimize(objective), rows + more)

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
        unit = _unit(channels)
        for own, channel in zip(self.maps, channels, strict=True):
            own.value = congruence(channel) * unit
        self.noise.value = noise * unit
        value, status = solved(self.problem, self.vector, engine, time_limit)
        matrix = matrix_of(np.asarray(self.vector.value, dtype=np.float64))
        if self.form == "error":
            return Solved(matrix * unit, value, status)
        alpha = value if self.form == "trace-inverse" else channels.shape[2] / -value
        return Solved(matrix, float(unit * alpha), status)


def _unit(channels: ComplexArray) -> float:
    """A factor for the squared channels with which the worst ``tr(X^-1)`` of an even receiver is that of ``X = I``."""
    sizes = np.linalg.svd(channels, compute_uv=False)
    worst = float((1.0 / np.maximum(sizes, 1e-100) ** 2).sum(axis=1).max())
    return worst * int(channels.shape[1]) / int(channels.shape[2])


def _eigen(cp: Any, size: Any, seen: list[Any], noise: Any, antennas: int) -> tuple[Any, list[Any]]:
    """``max t`` with ``X_n >= t I`` and ``tr Ghat = 1``: the paper's relaxation, ``alpha <= L / t``."""
    least = cp.Variable()
    eye = np.eye(antennas)
    rows = [semidefinite(cp, real - least * eye, imag) for real, imag in seen]
    return -least, [*rows, size == 1]


def _trace_inverse(cp: Any, size: Any, seen: list[Any], noise: Any, antennas: int) -> tuple[Any, list[Any]]:
    """``min s`` with ``tr(X_n^-1) <= s`` and ``tr Ghat = 1``, by a Schur complement ``[[X, I], [I, W]]``."""
    worst = cp.Variable()
    eye, zero = np.eye(antennas), np.zeros((antennas, antennas))
    rows = [size == 1]
    for real, imag in seen:
        inverse = cp.Variable(antennas**2)
        own_real, own_imag = parts(cp, inverse, antennas)
        rows += [
            semidefinite(cp, cp.bmat([[real, eye], [eye, own_real]]), cp.bmat([[imag, zero], [zero, own_imag]])),
            trace(inverse, antennas) <= worst,
        ]
    return worst, rows


def _error(cp: Any, size: Any, seen: list[Any], noise: Any, antennas: int) -> tuple[Any, list[Any]]:
    """``min sigma^2 tr Ahat + sum_n ||E_n||_F^2`` with ``tr[(I - E_n) X_n^-1 (I - E_n)] <= 1``.

    ``E_n`` stands for the error ``I - C_n B_n`` with ``C_n = A^H H_n``, up to a unitary basis in which it is Hermitian;
    what its transmitter sends is the trace, which is convex in ``(E_n, X_n)`` together.
    """
    total, rows = noise * size, []
    for seen_parts in seen:
        error, sent, more = error_rows(cp, seen_parts, antennas)
        rows += [*more, sent <= 1]
        total = total + cp.sum_squares(error)
    return total, rows


def error_rows(cp: Any, seen: tuple[Any, Any], antennas: int) -> tuple[Any, Any, list[Any]]:
    """For one device: coordinates of ``E``, the power sent for it, and the cone that ties the two."""
    real, imag = seen
    error, power = cp.Variable(antennas**2), cp.Variable(antennas**2)
    error_real, error_imag = parts(cp, error, antennas)
    own_real, own_imag = parts(cp, power, antennas)
    kept = np.eye(antennas) - error_real
    rows = [
        semidefinite(
            cp, cp.bmat([[real, kept], [kept, own_real]]), cp.bmat([[imag, -error_imag], [-error_imag, own_imag]])
        )
    ]
    return error, trace(power, antennas), rows


def solved(problem: Any, vector: Any, engine: str, time_limit: float | None) -> tuple[float, str]:
    """Run a program on a solver: its optimum and status.

    Raises
    ------
    BackendError
        If the solver is not installed, or ends without values.
    """
    import warnings

    cp = cvxpy()
    if importlib.util.find_spec(engine) is None:
        raise BackendError(f"{engine} is not installed: pip install 'edgeopt[convex]' (the extra convex)")
    limit = "time_limit" if engine == "clarabel" else "time_limit_secs"
    failure: Exception | None = None
    for options in ATTEMPTS[engine]:
        limited = options if time_limit is None else {**options, limit: max(time_limit, 1e-3)}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that a solution is inaccurate is told by the status
                problem.solve(solver=getattr(cp, engine.upper()), **limited)
        except cp.SolverError as error:
            failure = error
            continue
        break
    else:
        raise BackendError(f"{engine}: {failure}") from failure
    if vector.value is None:
        raise BackendError(f"{engine} ended without a solution ({problem.status})")
    return float(problem.value), str(problem.status)


@lru_cache(maxsize=16)
def program(form: Form, shape: tuple[int, int, int]) -> ConeProgram:
    """The compiled program of a form for draws of a shape, kept for the next draw."""
    return ConeProgram(form, shape)
