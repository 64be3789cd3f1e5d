"""Any solver that Pyomo's ``SolverFactory`` knows, by name, on the Pyomo formulation.

The same rules as for the built-in back ends: a child process, a hard limit, incumbents checked in exact
integers and cut off when refuted. Gaps and threads are the solver's own; set them by `solver_options`.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from edgeopt.errors import BackendError, InstanceError
from edgeopt.instances.base import Instance
from edgeopt.models.base import Cut, load
from edgeopt.models.standard_form import standard_form
from edgeopt.result import Answer, Termination
from edgeopt.solvers import backend
from edgeopt.solvers.backend import Emit, Incumbent, Job, Outcome
from edgeopt.solvers.base import Control

BACKEND = backend.Backend("Pyomo", "edgeopt.solvers.pyomo_factory:run", "pyomo", ("pyomo.environ", __name__))


def solve(
    instance: Instance,
    control: Control,
    *,
    factory: str = "",
    form: str | None = None,
    solver_options: Mapping[str, Any] | None = None,
) -> Answer:
    """Solve an instance with a solver that Pyomo finds.

    Parameters
    ----------
    instance : Instance
    control : Control
        Time limit (hard) and a start for solvers that take one. Seed and workers are not passed on:
        their names differ from solver to solver.
    factory : str
        Name for ``SolverFactory``, e.g. ``gurobi``, ``scip``, ``cbc``, ``glpk``, ``appsi_highs``.
    form : str, optional
        Formulation; the problem's default when not given.
    solver_options : mapping, optional
        Handed to the solver as they are, e.g. ``{"mip_rel_gap": 0}``.

    Raises
    ------
    InstanceError
        If `factory` is not given.
    UnknownNameError
        If there is no such form.
    BackendError
        If the solver is not available (the text says what is missing), or dies.
    """
    if not factory:
        raise InstanceError("solver pyomo needs the option factory=NAME, a name for Pyomo's SolverFactory")
    options = {"factory": factory, "solver_options": dict(solver_options or {})}
    return backend.solve(instance, control, BACKEND, form, **options)


def run(job: Job, seconds: float | None, emit: Emit, stop: threading.Event) -> Outcome:
    """In the child: build the model, solve, cut off what the exact check refutes, solve on."""
    import pyomo.environ as pyo

    begun = time.perf_counter()
    solver = _available(job.options["factory"])
    formulation = load(job.formulation)(job.instance)
    built = formulation.build()
    model, variables = built.model, built.variables
    if not variables:
        emit(Incumbent(np.zeros(0), 0.0))
        return Outcome(Termination.COMPLETE, 0.0)
    objective = next(model.component_data_objects(pyo.Objective, active=True))
    arrays = standard_form(built)
    model.cuts = pyo.ConstraintList()
    settings: dict[str, Any] = {"load_solutions": False, "options": job.options["solver_options"]}
    if job.start is not None and getattr(solver, "warm_start_capable", bool)():
        for variable, value in zip(variables, formulation.start(job.start).tolist(), strict=True):
            variable.set_value(value, skip_validation=True)
        settings["warmstart"] = True

    seen: list[Cut] = []
    while True:
        if seconds is not None:
            settings["timelimit"] = max(0.01, seconds - (time.perf_counter() - begun))
        results = solver.solve(model, **settings)
        bound = _bound(results, maximize=arrays.maximize, integral=arrays.integral_objective)
        effort = {"cuts": len(seen)}
        if not len(results.solution):
            return _outcome(results, bound, effort)
        model.solutions.load_from(results)
        values = np.array([0.0 if v.value is None else v.value for v in variables])
        cuts = formulation.cuts(values)
        repeated = any((values[cut.positions] > 0.5).sum() > cut.at_most for cut in seen)
        if not cuts or repeated:
            emit(Incumbent(values, float(pyo.value(objective))))
            return _outcome(results, bound, effort)
        if stop.is_set():
            return Outcome(Termination.TIME_LIMIT, bound, effort=effort)
        for cut in cuts:
            model.cuts.add(sum(variables[place] for place in cut.positions.tolist()) <= cut.at_most)
        seen += cuts


def _available(name: str) -> Any:
    """The solver of that name, ready to run.

    Raises
    ------
    BackendError
        If there is none.
    """
    from pyomo.opt import SolverFactory

    logging.getLogger("pyomo").setLevel(logging.CRITICAL)  # it logs the trace of a failed look-up
    solver = SolverFactory(name)
    if type(solver).__name__ == "UnknownSolver":
        raise BackendError(f"SolverFactory knows no solver {name!r}, and there is no executable of that name")
    if not solver.available(exception_flag=False):
        raise BackendError(
            f"SolverFactory knows {name!r}, but it is not available: install its program or Python package, "
            "and its licence if it needs one"
        )
    return solver


def _outcome(results: Any, bound: float | None, effort: Mapping[str, float]) -> Outcome:
    """How the solver ended; an end that is not one of the known ones is an error, in its words."""
    kinds = {
        "optimal": Termination.COMPLETE,
        "globallyOptimal": Termination.COMPLETE,
        "maxTimeLimit": Termination.TIME_LIMIT,
        "userInterrupt": Termination.TIME_LIMIT,
        "infeasible": Termination.INFEASIBLE,
        "unbounded": Termination.UNBOUNDED,
    }
    condition = str(results.solver.termination_condition)
    if condition in kinds:
        return Outcome(kinds[condition], bound, effort=effort)
    return Outcome(Termination.ERROR, bound, f"the solver ended with {condition}", effort)


def _bound(results: Any, *, maximize: bool, integral: bool) -> float | None:
    """The bound that the solver reports, if it is a number."""
    value = results.problem.upper_bound if maximize else results.problem.lower_bound
    number = float(value) if isinstance(value, (int, float)) else math.nan
    return backend.safe_bound(number, maximize=maximize, integral=integral)
