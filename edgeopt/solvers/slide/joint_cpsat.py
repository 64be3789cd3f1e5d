"""`joint-cpsat`: the joint problem on a grid with CP-SAT in two runs, a witness that knows no algebra of least shares.

Demand rounded up gives allocations, which are exactly feasible as they are; demand rounded down gives bounds. Where
both runs say the same number, that is the optimum (by CP-SAT's word); else the gap is what the grid leaves open.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from edgeopt.errors import InstanceError
from edgeopt.instances.slide.instance import SlideInstance
from edgeopt.models.slide.joint_grid import LEAST_GRID_BITS, MOST_GRID_BITS, Grid, JointGrid, joint_grid
from edgeopt.models.slide.serve import allocation
from edgeopt.result import Answer, Termination
from edgeopt.solvers.backend import Bound, Outcome
from edgeopt.solvers.base import Control
from edgeopt.solvers.slide.joint import Emit, JointJob, Library, most_worth, solve_joint, whole_bound

LIBRARY = Library("CP-SAT", "edgeopt.solvers.slide.joint_cpsat:run", ("ortools.sat.python.cp_model", __name__))
MOST_SEED = 2**31


def joint_cpsat(instance: SlideInstance, control: Control, *, grid_bits: int = 10) -> Answer:
    """Solve the joint problem on a grid from both sides.

    Parameters
    ----------
    instance : SlideInstance
    control : Control
    grid_bits : int
        ``b``, from 6 to 16: shares in steps of ``2^-b``, times of ``2^-(b + 2)`` deadlines, speeds of ``2^(4 - b)``.

    Raises
    ------
    InstanceError
        If `grid_bits` is out of range.
    BackendError
        If OR-Tools is missing or dies before it finds anything.
    AssumptionError
        If the variant has other constraints than those of the paper.
    """
    if not LEAST_GRID_BITS <= grid_bits <= MOST_GRID_BITS:
        raise InstanceError(f"grid_bits = {grid_bits}: must be from {LEAST_GRID_BITS} to {MOST_GRID_BITS}")
    return solve_joint(instance, control, LIBRARY, grid_bits=grid_bits)


def run(job: JointJob, seconds: float | None, emit: Emit, stop: threading.Event) -> Outcome:
    """In the child: demand up for the first half of the time at most, then demand down."""
    from ortools.sat.python import cp_model

    begun = time.perf_counter()

    def left() -> float | None:
        return None if seconds is None else max(0.0, seconds - (time.perf_counter() - begun))

    joint = joint_grid(job.instance, Grid.of(job.grid_bits, up=True))
    bound = most_worth(job.instance, {pair.user for pair in joint.pairs})
    emit(Bound(bound))
    half = left()
    status, solver = _solve(job, joint, None if half is None else half / 2, stop)
    branches, conflicts = solver.num_branches, solver.num_conflicts
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    if found:
        emit(allocation(job.instance, joint.served(solver.value)))
    complete = status == cp_model.OPTIMAL
    joint = joint_grid(job.instance, Grid.of(job.grid_bits, up=False))
    status, solver = _solve(job, joint, left(), stop)
    effort = {
        "branches": branches + solver.num_branches,
        "conflicts": conflicts + solver.num_conflicts,
    }
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        bound = whole_bound(solver.best_objective_bound, bound)
    elif status in (cp_model.INFEASIBLE, cp_model.MODEL_INVALID):  # to serve nobody is always feasible
        return Outcome(Termination.ERROR, None, f"CP-SAT calls the grid model {solver.status_name(status)}", effort)
    complete = complete and status == cp_model.OPTIMAL
    return Outcome(Termination.COMPLETE if complete else Termination.TIME_LIMIT, bound, effort=effort)


def _solve(job: JointJob, joint: JointGrid, seconds: float | None, stop: threading.Event) -> tuple[Any, Any]:
    from ortools.sat.python import cp_model

    solver = cp_model.CpSolver()
    parameters = solver.parameters
    parameters.num_workers = job.workers
    parameters.random_seed = job.seed % MOST_SEED
    parameters.relative_gap_limit = 0.0
    parameters.absolute_gap_limit = 0.0
    parameters.catch_sigint_signal = False
    parameters.cp_model_presolve = False  # of this release, it calls values optimal that are too small
    # without the linear relaxation of its products the grid is searched 4 to 20 times faster
    parameters.linearization_level = 0
    if seconds is not None:
        parameters.max_time_in_seconds = seconds
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(solver, stop, ended), daemon=True)
    watcher.start()
    status = solver.solve(joint.model)
    ended.set()
    watcher.join()
    return status, solver


def _watch(solver: Any, stop: threading.Event, ended: threading.Event) -> None:
    """Pass the wish to stop on to CP-SAT, again and again, since it is deaf before its search begins."""
    while not ended.wait(0.02):
        if stop.is_set():
            solver.stop_search()
