"""The solvers of the decomposition problem: the one place where a new one is registered."""

from edgeopt.solvers.base import SolverInfo

_HERE = "edgeopt.solvers.decomposition"

SOLVERS = [
    SolverInfo(
        "decomposition-aware",
        "decomposition",
        f"{_HERE}.listing:decomposition_aware",
        description="the paper's scheduler: tasks as they arrive, each step where its score is best, the better mode",
    ),
    SolverInfo(
        "list",
        "decomposition",
        f"{_HERE}.listing:list_scheduling",
        description="list scheduling by upward rank over modes and placement rules, with the critical-path bound",
    ),
    SolverInfo(
        "local-search",
        "decomposition",
        f"{_HERE}.local_search:local_search",
        description="ruin and recreate on modes, places and order from list scheduling, with the priced bound",
    ),
    SolverInfo(
        "priced",
        "decomposition",
        f"{_HERE}.priced:priced",
        description="list scheduling, and the Lagrangian bound of prices on resources over time",
    ),
    SolverInfo(
        "local-only",
        "decomposition",
        f"{_HERE}.baselines:local_only",
        description="baseline: every task whole on its device",
    ),
    SolverInfo(
        "nearest-edge",
        "decomposition",
        f"{_HERE}.baselines:nearest_edge",
        description="baseline: every task whole on the access point with the fastest link to its device",
    ),
    SolverInfo(
        "best-single-node",
        "decomposition",
        f"{_HERE}.baselines:best_single_node",
        description="baseline: every task whole on the node that gains most as it arrives",
    ),
    SolverInfo(
        "random",
        "decomposition",
        f"{_HERE}.baselines:random_choice",
        description="baseline: modes and nodes at random",
    ),
    SolverInfo(
        "brute-force",
        "decomposition",
        f"{_HERE}.brute_force:brute_force",
        exact=True,
        description="every mode, place and order of a few tasks, the reference for tests",
    ),
    SolverInfo(
        "cpsat",
        "decomposition",
        "edgeopt.solvers.cpsat:solve",
        exact=True,
        description="OR-Tools CP-SAT with optional intervals",
    ),
    SolverInfo(
        "highs",
        "decomposition",
        "edgeopt.solvers.highs:solve",
        exact=True,
        description="HiGHS on the disjunctive Pyomo MILP, for small instances",
    ),
    SolverInfo(
        "pyomo",
        "decomposition",
        "edgeopt.solvers.pyomo_factory:solve",
        exact=True,
        description="any solver that Pyomo's SolverFactory knows, by factory=NAME, on the same MILP",
    ),
]
