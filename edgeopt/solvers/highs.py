"""HiGHS on a Pyomo MILP: gaps 0, every incumbent checked in exact integers, refuted ones cut off.

HiGHS holds constraints only to tolerances, so its optimum may overshoot a capacity by a few units. Each
incumbent is therefore rounded and checked by the formulation; one that fails is cut off by covers and
HiGHS solves on. Tolerances and cuts keep every exactly feasible solution, so the bound stays a bound.
It runs in a child process (`edgeopt.solvers.child`): it does not always obey its time limit, prints on the
standard output, and its threads can be set up only once a process.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
from scipy.sparse import csr_array, vstack

from edgeopt.instances.base import Instance
from edgeopt.models.base import Cut, FloatArray, load
from edgeopt.models.standard_form import StandardForm, standard_form
from edgeopt.result import Answer, Termination
from edgeopt.solvers import backend
from edgeopt.solvers.backend import Bound, Emit, Incumbent, Job, Outcome
from edgeopt.solvers.base import Control

BACKEND = backend.Backend("HiGHS", "edgeopt.solvers.highs:run", "pyomo", ("highspy", "pyomo.environ", __name__))
SETTINGS = (("choose", 1e-6), ("off", 1e-6), ("off", 1e-9))
"""Presolve and feasibility tolerance, on rows scaled to a largest coefficient between 1/2 and 1.

At HiGHS's own tolerance what it hands out may break a row by a little, and is then cut off; at narrower ones its
presolve has called values optimal that are too small (tests/solvers/batching/test_agreement.py has one). The next
setting is tried where HiGHS fails to run, or calls a value optimal that no solution it hands out has.
"""
MOST_SEED = 2**31


def solve(instance: Instance, control: Control, *, form: str | None = None) -> Answer:
    """Solve an instance exactly with HiGHS.

    Parameters
    ----------
    instance : Instance
    control : Control
        Time limit (hard), seed, workers, and a start, which HiGHS gets as its first incumbent.
    form : str, optional
        Formulation; the problem's default when not given.

    Raises
    ------
    UnknownNameError
        If there is no such form.
    BackendError
        If HiGHS is missing or dies before it finds anything.
    """
    return backend.solve(instance, control, BACKEND, form)


def run(job: Job, seconds: float | None, emit: Emit, stop: threading.Event) -> Outcome:
    """In the child: build the model, solve, cut off what the exact check refutes, solve on."""
    begun = time.perf_counter()
    formulation = load(job.formulation)(job.instance)
    built = formulation.build()
    if not built.variables:
        emit(Incumbent(np.zeros(0), 0.0))
        return Outcome(Termination.COMPLETE, 0.0)
    search = _Search(job, formulation, standard_form(built), emit, stop)
    if job.start is not None:
        search.start = formulation.start(job.start)
    while True:
        left = None if seconds is None else seconds - (time.perf_counter() - begun)
        if stop.is_set() or (left is not None and left <= 0):
            return search.outcome(Termination.TIME_LIMIT)
        outcome = search.round(left)
        if outcome is not None:
            return outcome


class _Search:
    """Rounds of HiGHS, with the incumbent, the bound and the cuts that they hand on."""

    def __init__(self, job: Job, formulation: Any, form: StandardForm, emit: Emit, stop: threading.Event) -> None:
        self.job, self.formulation, self.form, self.emit, self.stop = job, formulation, form, emit, stop
        self.sign = -1.0 if form.maximize else 1.0  # HiGHS always minimises
        scale = _power_of_two_scale(form.matrix)
        self.matrix = csr_array(form.matrix.multiply(scale[:, None]))
        self.row_lower, self.row_upper = form.row_lower * scale, form.row_upper * scale
        self.start: FloatArray | None = None
        self.objective: float | None = None
        self.bound: float | None = None
        self.cuts: list[Cut] = []
        self.refuted: Incumbent | None = None
        self.stubborn = False
        self.enforced = 0
        self.rounds = 0
        self.nodes = 0
        self.setting = 0

    def outcome(self, termination: Termination, message: str = "") -> Outcome:
        """How it ends now, with the bound so far."""
        effort = {"nodes": self.nodes, "rounds": self.rounds, "cuts": len(self.cuts)}
        return Outcome(termination, self.bound, message, effort)

    def round(self, seconds: float | None) -> Outcome | None:
        """Run HiGHS once; None if its optimum was refuted and cut off."""
        import highspy

        solver = self._solver(seconds)
        self.rounds += 1
        self.enforced = len(self.cuts)
        status = solver.run()
        verdict = solver.getModelStatus()
        kinds = highspy.HighsModelStatus
        if status == highspy.HighsStatus.kError or verdict == kinds.kNotset:
            if self._can_go_on():
                return None
            return self.outcome(Termination.ERROR, f"HiGHS failed to run ({verdict.name[1:]})")
        info = solver.getInfo()
        self.nodes += max(0, int(info.mip_node_count))
        if info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible:
            self._consider(np.array(solver.getSolution().col_value), float(info.objective_function_value))
        if verdict in (kinds.kInfeasible, kinds.kUnbounded, kinds.kUnboundedOrInfeasible):
            return self._no_optimum(verdict.name)
        if self.form.integer.any():
            self._tighten(float(info.mip_dual_bound))
        elif verdict == kinds.kOptimal:  # for a linear program mip_dual_bound is 0, whatever the optimum
            self._tighten(float(info.objective_function_value))
        if verdict in (kinds.kTimeLimit, kinds.kInterrupt, kinds.kHighsInterrupt):
            return self.outcome(Termination.TIME_LIMIT)
        if verdict not in (kinds.kOptimal, kinds.kModelEmpty):
            return self.outcome(Termination.ERROR, f"HiGHS stopped: {solver.modelStatusToString(verdict)}")
        if self._met():
            return self.outcome(Termination.COMPLETE)
        if len(self.cuts) > self.enforced and not self.stubborn:
            return None
        if self._can_go_on():
            return None
        if self.refuted is not None:
            self.emit(self.refuted)
        return self.outcome(Termination.COMPLETE, "HiGHS calls a value optimal that none of its solutions has")

    def _can_go_on(self) -> bool:
        """Take up the next settings, if there are any."""
        if self.setting + 1 == len(SETTINGS):
            return False
        self.setting += 1
        self.stubborn = False
        return True

    def _solver(self, seconds: float | None) -> Any:
        import highspy

        form, infinity = self.form, highspy.kHighsInf
        presolve, tolerance = SETTINGS[self.setting]
        solver = highspy.Highs()
        options = {
            "output_flag": False,
            "threads": self.job.workers,
            "random_seed": self.job.seed % MOST_SEED,
            "mip_rel_gap": 0.0,
            "mip_abs_gap": 0.0,
            "mip_feasibility_tolerance": tolerance,
            "primal_feasibility_tolerance": tolerance,
            "time_limit": infinity if seconds is None else seconds,
            "presolve": presolve,
        }
        for name, value in options.items():
            if solver.setOptionValue(name, value) != highspy.HighsStatus.kOk:
                raise ValueError(f"HiGHS refuses the option {name} = {value!r}")
        covers, most = _cut_rows(self.cuts, len(form.cost))
        matrix = csr_array(vstack([self.matrix, covers]))
        model = highspy.HighsLp()
        model.num_row_, model.num_col_ = matrix.shape
        model.col_cost_, model.offset_ = self.sign * form.cost, self.sign * form.offset
        model.col_lower_, model.col_upper_ = form.lower, form.upper
        model.row_lower_ = np.concatenate([self.row_lower, np.full(len(most), -infinity)])
        model.row_upper_ = np.concatenate([self.row_upper, most])
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_, model.a_matrix_.index_ = matrix.indptr, matrix.indices
        model.a_matrix_.value_ = matrix.data
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        model.integrality_ = [kinds[whole] for whole in form.integer.astype(int)]
        solver.passModel(model)
        if self.start is not None:
            start = highspy.HighsSolution()
            start.col_value = self.start.tolist()
            solver.setSolution(start)
        solver.cbMipImprovingSolution.subscribe(self._on_incumbent)
        solver.cbMipInterrupt.subscribe(self._on_check)
        return solver

    def _on_incumbent(self, event: Any) -> None:
        out = event.data_out
        self._tighten(out.mip_dual_bound)
        self._consider(np.array(out.mip_solution), out.objective_function_value)

    def _on_check(self, event: Any) -> None:
        self._tighten(event.data_out.mip_dual_bound)
        if self.stop.is_set():
            event.interrupt()

    def _tighten(self, bound: float) -> None:
        """Keep the best bound; each round's holds for the exact problem."""
        rounded = backend.safe_bound(
            self.sign * bound, maximize=self.form.maximize, integral=self.form.integral_objective
        )
        if rounded is not None and (self.bound is None or self.sign * rounded > self.sign * self.bound):
            self.bound = rounded
            self.emit(Bound(rounded))

    def _consider(self, values: FloatArray, objective: float) -> None:
        """Keep a new best incumbent if the exact check passes it, else cut it off."""
        values = np.where(self.form.integer, np.rint(values), values)
        incumbent = Incumbent(values, self.sign * objective)
        cuts = self.formulation.cuts(values)
        if not cuts:
            if self.objective is None or objective <= self.objective + backend.WHOLE:
                self.start, self.objective = values, objective
                self.emit(incumbent)
            return
        self.refuted = incumbent
        broken = [values[cut.positions].sum() > cut.at_most for cut in self.cuts]
        self.stubborn = any(broken[: self.enforced])
        if not any(broken):  # HiGHS reports its optimum twice
            self.cuts += cuts

    def _met(self) -> bool:
        """Whether the incumbent's objective reaches the bound."""
        if self.objective is None or self.bound is None:
            return False
        return self.objective <= self.sign * self.bound + backend.WHOLE

    def _no_optimum(self, verdict: str) -> Outcome | None:
        if verdict == "kUnboundedOrInfeasible" and self._can_go_on():
            return None  # without presolve HiGHS tells the two apart
        self.bound = None
        if verdict == "kInfeasible":
            return self.outcome(Termination.INFEASIBLE)
        if verdict == "kUnbounded":
            return self.outcome(Termination.UNBOUNDED)
        return self.outcome(Termination.ERROR, "HiGHS cannot tell whether the model is infeasible or unbounded")


def _power_of_two_scale(matrix: Any) -> FloatArray:
    """Row factors that bring the largest coefficient to [1/2, 1); powers of two round nothing."""
    largest = np.zeros(matrix.shape[0])
    entries = matrix.tocoo()
    np.maximum.at(largest, entries.row, np.abs(entries.data))
    _, exponent = np.frexp(np.where(largest > 0, largest, 1.0))
    scale: FloatArray = np.ldexp(1.0, -exponent)
    return scale


def _cut_rows(cuts: list[Cut], columns: int) -> tuple[Any, FloatArray]:
    """Cuts as rows of a matrix and their right sides."""
    positions = np.concatenate([cut.positions for cut in cuts]) if cuts else np.zeros(0, np.int64)
    starts = np.concatenate(([0], np.cumsum([len(cut.positions) for cut in cuts], dtype=np.int64)))
    rows = csr_array((np.ones(len(positions)), positions, starts), shape=(len(cuts), columns))
    return rows, np.array([cut.at_most for cut in cuts], dtype=np.float64)
