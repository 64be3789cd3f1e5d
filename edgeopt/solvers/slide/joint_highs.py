"""`joint-highs`: the joint problem on HiGHS by outer linearisation, a witness that knows no algebra of least shares.

A round solves the MILP, which chooses pairs; a linear program with the same rows then finds the least share of each,
and tangents at its solutions are added to both until they hold (Kelley; together the scheme of Duran and Grossmann).
The speeds so found are mended to an exactly feasible solution. It ends when that meets the MILP's bound, which is a
bound because tangents with rounded coefficients cut off nothing feasible.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

from edgeopt.instances.base import problem
from edgeopt.instances.slide.allocation import EMPTY, Allocation
from edgeopt.instances.slide.instance import SlideInstance
from edgeopt.models.base import FloatArray
from edgeopt.models.slide.joint_tangents import Columns, Tangent, joint_tangents, tangents_at
from edgeopt.models.standard_form import StandardForm, standard_form
from edgeopt.result import Answer, Termination
from edgeopt.solvers.backend import Bound, Outcome
from edgeopt.solvers.base import Control
from edgeopt.solvers.slide.joint import (
    MARGIN,
    MOST_ATTEMPTS,
    Choice,
    Emit,
    JointJob,
    Library,
    conflicts,
    mended,
    most_worth,
    outcome,
    solve_joint,
    whole_bound,
)

LIBRARY = Library("HiGHS", "edgeopt.solvers.slide.joint_highs:run", ("highspy", "pyomo.environ", __name__))
FEASIBILITY = 1e-9
CLOSE = 1e-9
"""Relative violation of a convex row that asks for no more tangents."""
MOST_STEPS = 200
"""Linear programs for one pair; 5 to 40 are usual."""
MOST_SEED = 2**31


def joint_highs(instance: SlideInstance, control: Control) -> Answer:
    """Solve the joint problem with HiGHS and tangents.

    Raises
    ------
    BackendError
        If HiGHS is missing or dies before it finds anything.
    AssumptionError
        If the variant has other constraints than those of the paper.
    """
    return solve_joint(instance, control, LIBRARY)


def run(job: JointJob, seconds: float | None, emit: Emit, stop: threading.Event) -> Outcome:
    """In the child: rounds of MILP and tangents until the gap closes."""
    begun = time.perf_counter()
    joint = joint_tangents(job.instance)
    if not joint.columns:
        emit(mended(job.instance, []))
        return Outcome(Termination.COMPLETE, 0)
    search = _Search(job, joint.columns, standard_form(joint.model), emit)
    while True:
        left = None if seconds is None else seconds - (time.perf_counter() - begun)
        if stop.is_set() or (left is not None and left <= 0):
            return search.end(Termination.TIME_LIMIT)
        found = search.round(left, stop)
        if found is not None:
            return found


class _Search:
    """Rounds of the MILP and of the linear program, with the tangents that both share."""

    def __init__(self, job: JointJob, columns: list[Columns], form: StandardForm, emit: Emit) -> None:
        self.job, self.columns, self.form, self.emit = job, columns, form, emit
        self.bound = most_worth(job.instance, {own.pair.user for own in columns})
        self.best: Allocation = EMPTY
        self.milp = _highs(form, job, whole=True)
        self.program = _highs(form, job, whole=False)
        _minimise_band(self.program, form, columns)
        for own in columns:
            self.program.changeColBounds(own.last, 0.0, 1.0 - MARGIN)
        self.tried: set[tuple[int, ...]] = set()
        self.excluded = 0
        self.effort = {"rounds": 0, "programs": 0, "tangents": 0}
        self.emit(Bound(self.bound))

    def end(self, termination: Termination, message: str = "") -> Outcome:
        """How it ends now."""
        return Outcome(termination, self.bound, message, self.effort)

    def round(self, seconds: float | None, stop: threading.Event) -> Outcome | None:
        """One MILP and the tangents that its choice asks for; None to go on."""
        import highspy

        # its limit counts all runs of the object
        limit = highspy.kHighsInf if seconds is None else seconds + self.milp.getRunTime()
        self.milp.setOptionValue("time_limit", limit)
        self.milp.run()
        self.effort["rounds"] += 1
        verdict = self.milp.getModelStatus()
        kinds = highspy.HighsModelStatus
        if verdict not in (kinds.kOptimal, kinds.kTimeLimit):
            return self.end(Termination.ERROR, f"HiGHS stopped: {self.milp.modelStatusToString(verdict)}")
        info = self.milp.getInfo()
        if not self.excluded:  # later models are smaller by what could not be mended, and bound nothing
            self._tighten(-float(info.mip_dual_bound))
        if info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible:
            values = np.array(self.milp.getSolution().col_value)
            chosen = tuple(place for place, own in enumerate(self.columns) if values[own.x] > 0.5)
            known = chosen in self.tried
            choices = self._consider(chosen, stop)
            value, most = self._value(self.best), whole_bound(-float(info.mip_dual_bound), self.bound)
            if verdict == kinds.kOptimal and (value >= most or self.excluded == MOST_ATTEMPTS):
                return outcome(self.bound, self.best, self.job.instance, self.effort)
            if known:
                self.excluded += 1
                for places in conflicts(self.job.instance, choices):
                    self._exclude([chosen[place] for place in places])
        return self.end(Termination.TIME_LIMIT) if verdict == kinds.kTimeLimit else None

    def _value(self, solution: Allocation) -> float:
        return problem("slide").value(self.job.instance, solution)

    def _tighten(self, bound: float) -> None:
        whole = whole_bound(bound, self.bound)
        if whole < self.bound:
            self.bound = whole
            self.emit(Bound(whole))

    def _consider(self, chosen: tuple[int, ...], stop: threading.Event) -> list[Choice]:
        """Find the least share of each chosen pair, with tangents, and keep what of it is exactly feasible."""
        self.tried.add(chosen)
        choices = []
        for place in chosen:
            own, values = self.columns[place], self._least_share(place, stop)
            speed = [1.0] * len(own.pair) if values is None else own.speeds(values)
            choices.append(Choice(own.pair.user, own.pair.model, speed))
        solution = mended(self.job.instance, choices)
        if self._value(solution) >= self._value(self.best):
            self.best = solution
            self.emit(solution)
        return choices

    def _exclude(self, chosen: list[int]) -> None:
        """Have the MILP choose something else: this holds within its tolerance only."""
        import highspy

        places = np.array([self.columns[place].x for place in chosen], dtype=np.int32)
        self.milp.addRow(-highspy.kHighsInf, len(chosen) - 1.0, len(chosen), places, np.ones(len(chosen)))

    def _least_share(self, chosen: int, stop: threading.Event) -> FloatArray | None:
        """One pair alone, with tangents until they hold; None if it cannot be served whatever the band.

        `MARGIN` is left of the deadline.
        """
        import highspy

        picked = np.zeros(len(self.columns))
        picked[chosen] = 1.0
        places = np.array([own.x for own in self.columns], dtype=np.int32)
        self.program.changeColsBounds(len(places), places, picked, picked)
        values: FloatArray | None = None
        for _ in range(MOST_STEPS):
            self.program.run()
            self.effort["programs"] += 1
            if self.program.getModelStatus() != highspy.HighsModelStatus.kOptimal:
                return None
            values = np.array(self.program.getSolution().col_value)
            tangents = tangents_at(self.columns[chosen], values, CLOSE)
            if not tangents or stop.is_set():
                break
            self._add(tangents)
        return values

    def _add(self, tangents: list[Tangent]) -> None:
        import highspy

        self.effort["tangents"] += len(tangents)
        for solver in (self.milp, self.program):
            for tangent in tangents:
                position = np.array(tangent.position, dtype=np.int32)
                solver.addRow(0.0, highspy.kHighsInf, len(position), position, np.array(tangent.coefficient))


def _highs(form: StandardForm, job: JointJob, *, whole: bool) -> Any:
    """HiGHS with the rows of the model, as a MILP or as a linear program."""
    import highspy

    solver = highspy.Highs()
    options = {
        "output_flag": False,
        "threads": job.workers,
        "random_seed": job.seed % MOST_SEED,
        "mip_rel_gap": 0.0,
        "mip_abs_gap": 0.0,
        "mip_feasibility_tolerance": FEASIBILITY,
        "primal_feasibility_tolerance": FEASIBILITY,
        "dual_feasibility_tolerance": FEASIBILITY,
        "small_matrix_value": 1e-12,
    }
    for name, value in options.items():
        if solver.setOptionValue(name, value) != highspy.HighsStatus.kOk:
            raise ValueError(f"HiGHS refuses the option {name} = {value!r}")
    model = highspy.HighsLp()
    model.num_row_, model.num_col_ = form.matrix.shape
    model.col_cost_ = -form.cost
    model.col_lower_, model.col_upper_ = form.lower, form.upper
    model.row_lower_, model.row_upper_ = form.row_lower, form.row_upper
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_, model.a_matrix_.index_ = form.matrix.indptr, form.matrix.indices
    model.a_matrix_.value_ = form.matrix.data
    if whole:
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        model.integrality_ = [kinds[integer] for integer in form.integer.astype(int)]
    solver.passModel(model)
    return solver


def _minimise_band(program: Any, form: StandardForm, columns: list[Columns]) -> None:
    """Make the row of the band, the one over all shares and nothing else, the objective."""
    import highspy

    cost = np.zeros(len(form.cost))
    for own in columns:
        cost[own.eta] = own.pair.need
    program.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost)
    shares = {own.eta for own in columns}
    for row in range(form.matrix.shape[0]):
        if set(form.matrix.indices[form.matrix.indptr[row] : form.matrix.indptr[row + 1]].tolist()) == shares:
            program.changeRowBounds(row, -highspy.kHighsInf, highspy.kHighsInf)
