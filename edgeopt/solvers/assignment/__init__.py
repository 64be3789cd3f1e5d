"""The solvers of the assignment problem: the one place where a new one is registered."""

from edgeopt.solvers.base import SolverInfo

_HERE = "edgeopt.solvers.assignment"

SOLVERS = [
    SolverInfo(
        "next-bin",
        "assignment",
        f"{_HERE}.next_bin:next_bin",
        guarantee="1/2",
        description="Next-Bin by local ratio over a single-bin solver: 1/(1+theta), 1/2 with the exact one",
    ),
    SolverInfo(
        "close",
        "assignment",
        f"{_HERE}.close:close",
        exact=True,
        description="price and branch to proved optimality, anytime, with a proof tree",
    ),
    SolverInfo(
        "mdkp-exact",
        "assignment",
        f"{_HERE}.single:mdkp_exact",
        exact=True,
        description="one bin: branch and bound on Lagrangian bounds in integers",
    ),
    SolverInfo(
        "brute-force",
        "assignment",
        f"{_HERE}.brute_force:brute_force",
        exact=True,
        description="every combination of choices, the reference for tests",
    ),
    SolverInfo(
        "highs",
        "assignment",
        "edgeopt.solvers.highs:solve",
        exact=True,
        description="HiGHS on the Pyomo MILP",
    ),
    SolverInfo(
        "cpsat",
        "assignment",
        "edgeopt.solvers.cpsat:solve",
        exact=True,
        description="OR-Tools CP-SAT",
    ),
    SolverInfo(
        "pyomo",
        "assignment",
        "edgeopt.solvers.pyomo_factory:solve",
        exact=True,
        description="any solver that Pyomo's SolverFactory knows, by factory=NAME, on the Pyomo MILP",
    ),
]
