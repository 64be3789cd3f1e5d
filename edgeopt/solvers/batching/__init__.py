"""The solvers of the batching problem: the one place where a new one is registered."""

from edgeopt.solvers.base import SolverInfo

_HERE = "edgeopt.solvers.batching"

SOLVERS = [
    SolverInfo(
        "gah",
        "batching",
        f"{_HERE}.gah:gah",
        guarantee="1/2",
        description="Algorithm 3: nodes one after another, each by an exact single-node solver",
    ),
    SolverInfo(
        "gah+",
        "batching",
        f"{_HERE}.gah:gah_plus",
        guarantee="1/2",
        description="gah over many node orders, then exactly checked local improvement",
    ),
    SolverInfo(
        "ot",
        "batching",
        f"{_HERE}.single:ot",
        exact=True,
        description="fast exact solver for one node: dual bounds over deadline thresholds, class counts",
    ),
    SolverInfo(
        "ot-paper",
        "batching",
        f"{_HERE}.single:ot_paper",
        exact=True,
        description="Algorithm 2 as published (errata fixed) for one node, with visited-node counts",
    ),
    SolverInfo(
        "large-bandwidth",
        "batching",
        f"{_HERE}.single:large_bandwidth",
        exact=True,
        description="Algorithm 1 as published for one node whose band never binds",
    ),
    SolverInfo(
        "close",
        "batching",
        f"{_HERE}.close:close",
        exact=True,
        description="price and branch to proved optimality, anytime, with a proof tree",
    ),
    SolverInfo(
        "brute-force",
        "batching",
        f"{_HERE}.brute_force:brute_force",
        exact=True,
        description="every subset of at most 16 requests, the reference for tests",
    ),
    SolverInfo(
        "highs",
        "batching",
        "edgeopt.solvers.highs:solve",
        exact=True,
        description="HiGHS on the Pyomo MILP (threshold form; form=big-m for comparison)",
    ),
    SolverInfo(
        "cpsat",
        "batching",
        "edgeopt.solvers.cpsat:solve",
        exact=True,
        description="OR-Tools CP-SAT on the threshold form (form=big-m for comparison)",
    ),
    SolverInfo(
        "pyomo",
        "batching",
        "edgeopt.solvers.pyomo_factory:solve",
        exact=True,
        description="any solver that Pyomo's SolverFactory knows, by factory=NAME, on the Pyomo MILP",
    ),
]
