"""The solvers of the AirComp problem: the one place where a new one is registered."""

from edgeopt.solvers.base import SolverInfo

_HERE = "edgeopt.solvers.aircomp"

SOLVERS = [
    SolverInfo(
        "joint",
        "aircomp",
        f"{_HERE}.joint:joint",
        description="shares by the joint convex relaxation where open, then the best transceivers; with a proof",
    ),
    SolverInfo(
        "sdr-trace-inverse",
        "aircomp",
        f"{_HERE}.short_term:sdr_trace_inverse",
        description="given shares: zero forcing by the tighter relaxation and descent, with a bound on all of them",
    ),
    SolverInfo(
        "sdr-eigen",
        "aircomp",
        f"{_HERE}.short_term:sdr_eigen",
        description="given shares: the published semidefinite relaxation in cvxpy, recovery=randomisation|truncation",
    ),
    SolverInfo(
        "mmse",
        "aircomp",
        f"{_HERE}.short_term:mmse",
        description="given shares, linear designs: descent on the exact squared error, with a bound on all of them",
    ),
    SolverInfo(
        "sca",
        "aircomp",
        f"{_HERE}.sca:sca",
        description="open shares: the published stochastic successive convex approximation, then the best transceivers",
    ),
    SolverInfo(
        "equal-split",
        "aircomp",
        f"{_HERE}.baselines:equal_split",
        description="baseline, open shares: equal ones, then the best transceivers",
    ),
    SolverInfo(
        "power-split",
        "aircomp",
        f"{_HERE}.baselines:power_split",
        description="baseline, open shares: in proportion to the budgets, then the best transceivers",
    ),
]
