"""What is installed, and which back ends work: each is tried on a tiny problem in a process of its own.

A process of its own, because two solver libraries that do not get along end the process without a word.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module, metadata

from edgeopt import __version__

PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Part:
    """A line of the report; `works` is None for parts that are not tried."""

    name: str
    version: str | None
    works: bool | None = None
    note: str = ""


def _highspy() -> bool:
    import highspy

    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.addVar(0.0, 3.5)
    solver.changeColCost(0, -1.0)
    solver.changeColIntegrality(0, highspy.HighsVarType.kInteger)
    solver.run()
    return bool(solver.getInfo().objective_function_value == -3.0)


def _ortools() -> bool:
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    count = model.new_int_var(0, 9, "count")
    model.add(2 * count <= 7)
    model.maximize(count)
    solver = cp_model.CpSolver()
    return bool(solver.solve(model) == cp_model.OPTIMAL and solver.value(count) == 3)


def _pyomo() -> bool:
    import pyomo.environ as pyo
    from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler

    model = pyo.ConcreteModel()
    model.count = pyo.Var(domain=pyo.NonNegativeIntegers)
    model.served = pyo.Objective(expr=model.count, sense=pyo.maximize)
    model.room = pyo.Constraint(expr=2 * model.count <= 7)
    return bool(LinearStandardFormCompiler().write(model).A.shape == (1, 1))


def _numba() -> bool:
    from numba import njit

    return bool(njit(lambda count: count + 1)(2) == 3)


def _together() -> bool:
    """All solver libraries in one process, in both orders of import."""
    return _ortools() and _highspy() and _pyomo()


def _cvxpy() -> bool:
    import cvxpy

    point = cvxpy.Variable()
    task = cvxpy.Problem(cvxpy.Minimize((point - 3) ** 2))
    task.solve(solver=cvxpy.CLARABEL)
    return abs(float(point.value) - 3) < 1e-4


def _pyscipopt() -> bool:
    model = import_module("pyscipopt").Model()
    model.hideOutput()
    count = model.addVar(vtype="I", ub=3.5)
    model.setObjective(count, "maximize")
    model.optimize()
    return bool(round(model.getVal(count)) == 3)


PROBES: dict[str, Callable[[], bool]] = {
    "highspy": _highspy,
    "ortools": _ortools,
    "pyomo": _pyomo,
    "numba": _numba,
    "cvxpy": _cvxpy,
    "pyscipopt": _pyscipopt,
}
TOGETHER = "highspy + ortools + pyomo"
OPTIONAL = {
    "cvxpy": "convex",
    "pyscipopt": "scip",
    "matplotlib": "plot",
    "hypothesis": "testing",
    "scikit-learn": "learn",
    "torch": "learn",
    "openai": "llm",
    "gymnasium": "gym",
    "distributed": "cluster",
    "pyarrow": "parquet",
}
"""Packages that come with an extra."""
PLAIN = (
    *("numpy", "scipy", "networkx", "msgspec", "typer", "rich"),
    *(name for name in OPTIONAL if name not in PROBES),
)


def report() -> list[Part]:
    """Every part with its version; back ends are tried, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        tried = list(pool.map(_try, [*PROBES, TOGETHER]))
    return [
        Part("edgeopt", __version__),
        Part("python", platform.python_version(), note=platform.platform()),
        *(Part(name, _version(name), note=_missing(name)) for name in PLAIN),
        *tried,
    ]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _missing(name: str) -> str:
    if _version(name) is not None:
        return ""
    return f"not installed: pip install 'edgeopt[{OPTIONAL[name]}]'" if name in OPTIONAL else "not installed"


def _try(name: str) -> Part:
    version = None if name == TOGETHER else _version(name)
    if name != TOGETHER and version is None:
        return Part(name, None, None if name in OPTIONAL else False, _missing(name))
    try:
        child = subprocess.run(
            [sys.executable, "-m", "edgeopt.versions", name],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
    except subprocess.TimeoutExpired:
        return Part(name, version, False, f"no answer within {PATIENCE_S:g} s")
    last = (child.stderr.strip().splitlines() or [f"ended with code {child.returncode}"])[-1]
    return Part(name, version, child.returncode == 0, "" if child.returncode == 0 else last)


if __name__ == "__main__":
    probe = _together if sys.argv[1] == TOGETHER else PROBES[sys.argv[1]]
    sys.exit(0 if probe() else "wrong answer to a tiny problem")
