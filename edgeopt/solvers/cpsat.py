"""OR-Tools CP-SAT on a formulation of its own: integers throughout, gaps 0, no bound when it has none.

It runs in a child process (`edgeopt.solvers.child`), so that a limit holds even where CP-SAT does not
look at its clock, and so that its shared libraries never meet those of HiGHS.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

from edgeopt.instances.base import Instance
from edgeopt.models.base import load
from edgeopt.result import Answer, Termination
from edgeopt.solvers import backend
from edgeopt.solvers.backend import Bound, Emit, Incumbent, Job, Outcome
from edgeopt.solvers.base import Control

BACKEND = backend.Backend("CP-SAT", "edgeopt.solvers.cpsat:run", "cpsat", ("ortools.sat.python.cp_model", __name__))
MOST_SEED = 2**31


def solve(instance: Instance, control: Control, *, form: str | None = None) -> Answer:
    """Solve an instance exactly with CP-SAT.

    Parameters
    ----------
    instance : Instance
    control : Control
        Time limit (hard), seed, workers (the same answer each time with one), and a start, which
        CP-SAT gets as a hint.
    form : str, optional
        Formulation; the problem's default when not given.

    Raises
    ------
    UnknownNameError
        If there is no such form.
    BackendError
        If OR-Tools is missing, refuses the model, or dies before it finds anything.
    """
    return backend.solve(instance, control, BACKEND, form)


def run(job: Job, seconds: float | None, emit: Emit, stop: threading.Event) -> Outcome:
    """In the child: build the model and solve it."""
    from ortools.sat.python import cp_model

    begun = time.perf_counter()
    formulation = load(job.formulation)(job.instance)
    built = formulation.build()
    if job.start is not None:
        for variable, value in zip(built.variables, formulation.start(job.start).tolist(), strict=True):
            built.model.add_hint(variable, round(value))
    solver = cp_model.CpSolver()
    parameters = solver.parameters
    parameters.num_workers = job.workers
    parameters.random_seed = job.seed % MOST_SEED
    parameters.relative_gap_limit = 0.0
    parameters.absolute_gap_limit = 0.0
    parameters.catch_sigint_signal = False
    # With presolve, ortools 9.15 calls values optimal that are too small: on the threshold form with coefficients
    # of 1e7 to 1e10 for 1 to 2 % of random nodes (tests/solvers/test_cpsat.py has one). Its detection of
    # dominated rows is at fault; without presolve none was wrong, and it is no slower here.
    parameters.cp_model_presolve = False
    if seconds is not None:
        parameters.max_time_in_seconds = max(0.0, seconds - (time.perf_counter() - begun))

    indices = [variable.index for variable in built.variables]
    objective = built.model.proto.objective
    maximize = objective.scaling_factor < 0
    integral = objective.offset % 1 == 0 and abs(objective.scaling_factor) in (0.0, 1.0)  # 0 stands for 1

    def values(solution: Any) -> Any:
        return np.array(solution, dtype=np.float64)[indices]

    class Listener(cp_model.CpSolverSolutionCallback):  # type: ignore[misc]
        def on_solution_callback(self) -> None:
            emit(Incumbent(values(self.response_proto.solution), self.objective_value))

    def hear_bound(bound: float) -> None:
        safe = backend.safe_bound(bound, maximize=maximize, integral=integral)
        if safe is not None:
            emit(Bound(safe))

    solver.best_bound_callback = hear_bound
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(solver, stop, ended), daemon=True)
    watcher.start()
    status = solver.solve(built.model, Listener())
    ended.set()
    watcher.join()

    response = solver.response_proto
    effort = {"branches": solver.num_branches, "conflicts": solver.num_conflicts}
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        emit(Incumbent(values(response.solution), response.objective_value))
        bound = backend.safe_bound(response.best_objective_bound, maximize=maximize, integral=integral)
        end = Termination.COMPLETE if status == cp_model.OPTIMAL else Termination.TIME_LIMIT
        return Outcome(end, bound, effort=effort)
    if status == cp_model.INFEASIBLE:
        return Outcome(Termination.INFEASIBLE, effort=effort)
    if status == cp_model.MODEL_INVALID:
        return Outcome(Termination.ERROR, message=f"CP-SAT refuses the model: {built.model.validate()}", effort=effort)
    if status != cp_model.UNKNOWN:
        return Outcome(Termination.ERROR, message=f"CP-SAT ended with the status {status!r}", effort=effort)
    # the bound of a response without a solution says nothing
    return Outcome(Termination.TIME_LIMIT, effort=effort)


def _watch(solver: Any, stop: threading.Event, ended: threading.Event) -> None:
    """Pass the wish to stop on to CP-SAT, again and again, since it is deaf before its search begins."""
    while not ended.wait(0.02):
        if stop.is_set():
            solver.stop_search()
