"""`joint-scip`: the joint cone program in cvxpy on SCIP, a witness that knows no algebra of least shares.

SCIP branches on the provisioning; the shares of its solution are then brought down to the least ones by the continuous
cone program of each user (Clarabel) and mended in exact arithmetic. SCIP holds constraints to a tolerance, which only
lets it count too much: its bound is a claim that stays above the optimum up to numerical failure.
"""

from __future__ import annotations

import threading
import time
import warnings
from importlib.util import find_spec
from typing import Any, NamedTuple

from edgeopt.errors import BackendError
from edgeopt.instances.base import problem
from edgeopt.instances.slide.allocation import EMPTY
from edgeopt.instances.slide.instance import SlideInstance
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

LIBRARY = Library("SCIP", "edgeopt.solvers.slide.joint_scip:run", ("cvxpy", "pyscipopt", __name__))
TOLERANCE = 1e-8
"""Of SCIP; Clarabel's is a tenth of it, of what `MARGIN` leaves unused."""
MOST_SEED = 2**31


def joint_scip(instance: SlideInstance, control: Control) -> Answer:
    """Solve the joint cone program with SCIP.

    Raises
    ------
    BackendError
        If cvxpy or SCIP is missing (the text says what to install), or dies.
    AssumptionError
        If the variant has other constraints than those of the paper.
    """
    for module, extra in (("cvxpy", "convex"), ("pyscipopt", "scip")):
        if find_spec(module) is None:
            raise BackendError(f"joint-scip needs {module}: pip install 'edgeopt[convex,scip]' (the extra {extra})")
    return solve_joint(instance, control, LIBRARY)


def run(job: JointJob, seconds: float | None, emit: Emit, stop: threading.Event) -> Outcome:
    """In the child: build, solve, mend; look for other choices where the best one cannot be mended."""
    from edgeopt.models.slide.joint_cone import joint_cone

    begun = time.perf_counter()
    model = joint_cone(job.instance)
    if model is None:
        emit(EMPTY)
        return Outcome(Termination.COMPLETE, 0)
    bound = most_worth(job.instance, {own.pair.user for own in model.pairs})
    emit(Bound(bound))
    best, value = EMPTY, 0.0
    nodes = 0
    choices: list[Choice] = []
    for attempt in range(MOST_ATTEMPTS):
        left = None if seconds is None else seconds - (time.perf_counter() - begun)
        if stop.is_set() or (left is not None and left <= 0 and attempt):
            return Outcome(Termination.TIME_LIMIT, bound, effort={"nodes": nodes})
        status, dual = _solve(job, model, left)
        nodes += dual.nodes
        if not attempt:  # later models are smaller by what could not be mended, and bound nothing
            bound = whole_bound(dual.bound, bound)
        if dual.found:
            choices = _choices(model)
            solution = mended(job.instance, choices)
            found = problem("slide").value(job.instance, solution)
            if attempt == 0 or found > value:
                best, value = solution, found
                emit(solution)
        if status == "timelimit":
            return Outcome(Termination.TIME_LIMIT, bound, effort={"nodes": nodes})
        if status != "optimal":
            return Outcome(Termination.ERROR, bound, f"SCIP ended with {status}", {"nodes": nodes})
        if value >= whole_bound(dual.bound, bound):
            break
        chosen = model.provisioned()
        for places in conflicts(job.instance, choices):
            model = model.without([chosen[place] for place in places])
    return outcome(bound, best, job.instance, {"nodes": nodes})


class _Run(NamedTuple):
    """What SCIP says: its bound, nodes, and whether it found a solution."""

    bound: float
    nodes: int
    found: bool


def _solve(job: JointJob, model: Any, seconds: float | None) -> tuple[str, _Run]:
    """Run SCIP once; the values of the model's variables are set where it found a solution."""
    import cvxpy as cp

    parameters: dict[str, Any] = {
        "numerics/feastol": TOLERANCE,
        "limits/gap": 0.0,
        "limits/absgap": 0.0,
        "randomization/randomseedshift": job.seed % MOST_SEED,
        "parallel/maxnthreads": job.workers,
    }
    if seconds is not None:
        parameters["limits/time"] = max(0.01, seconds)
    data, chain, inverse = model.problem.get_problem_data(cp.SCIP)
    # cvxpy's own `solve` says value 0.0 where SCIP ran out of time without a solution; SCIP itself is asked instead
    raw = chain.solve_via_data(model.problem, data, solver_opts={"scip_params": parameters})
    if "primal" in raw:
        with warnings.catch_warnings():
            # a solution at the time limit is called inaccurate; it is mended and checked exactly whatever it is
            warnings.filterwarnings("ignore", "Solution may be inaccurate", UserWarning)
            model.problem.unpack_results(raw, chain, inverse)
    scip = raw["model"]
    return raw["scip_status"], _Run(-scip.getDualbound(), int(scip.getNTotalNodes()), "primal" in raw)


def _choices(model: Any) -> list[Choice]:
    """The chosen pairs at the least shares that the cone program of each finds."""
    from edgeopt.models.slide.joint_cone import least_share_by_cone

    choices = []
    for own in (model.pairs[place] for place in model.provisioned()):
        point = least_share_by_cone(own.pair, TOLERANCE / 10, MARGIN)
        choices.append(Choice(own.pair.user, own.pair.model, own.speeds() if point is None else point.speed))
    return choices
