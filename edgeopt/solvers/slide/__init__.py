"""The solvers of the slide problem: the one place where a new one is registered."""

from edgeopt.solvers.base import SolverInfo

_HERE = "edgeopt.solvers.slide"

SOLVERS = [
    SolverInfo(
        "slide",
        "slide",
        f"{_HERE}.slide:slide",
        exact=True,
        description="least shares by max-plus and convex hull, sorted admission: optimal, with an exchange proof",
    ),
    SolverInfo(
        "dai",
        "slide",
        f"{_HERE}.baselines:dai",
        description="baseline: download, then infer; its own least shares, optimal admission",
    ),
    SolverInfo(
        "full-speed",
        "slide",
        f"{_HERE}.baselines:full_speed",
        description="baseline: no slowing, so what costs too much energy at full speed is not served",
    ),
    SolverInfo(
        "equal-split",
        "slide",
        f"{_HERE}.baselines:equal_split",
        description="baseline: equal shares for all users, or among=served for as many as that serves",
    ),
    SolverInfo(
        "random-admission",
        "slide",
        f"{_HERE}.baselines:random_admission",
        description="baseline: users in random order, each at its least share while it fits",
    ),
    SolverInfo(
        "weighted-dp",
        "slide",
        f"{_HERE}.weighted:weighted_dp",
        exact=True,
        description="variant weighted: dynamic program over the value on what a Lagrangian bound leaves open",
    ),
    SolverInfo(
        "weighted-fptas",
        "slide",
        f"{_HERE}.weighted:weighted_fptas",
        guarantee="9/10",
        description="variant weighted: the same on scaled weights, at least 1 - epsilon of the optimum (epsilon=0.1)",
    ),
    SolverInfo(
        "slide-concave",
        "slide",
        f"{_HERE}.concave:slide_concave",
        exact=True,
        description="variant concave: least rates inverted, least shares first",
    ),
    SolverInfo(
        "multicast",
        "slide",
        f"{_HERE}.multicast:multicast",
        exact=True,
        description="variants of multicast, one model a user: cheapest broadcasts and a knapsack of them, optimal",
    ),
    SolverInfo(
        "multicast-greedy",
        "slide",
        f"{_HERE}.multicast_greedy:multicast_greedy",
        description="variants of multicast, several models a user: greedy after enumeration (seeds=1), with a bound",
    ),
    SolverInfo(
        "time-varying",
        "slide",
        f"{_HERE}.time_varying:time_varying",
        exact=True,
        description="variant time-varying: edf-greedy, then HiGHS on one knapsack row a due time where a gap is left",
    ),
    SolverInfo(
        "edf-greedy",
        "slide",
        f"{_HERE}.time_varying:edf_greedy",
        description="variant time-varying: insertion in several orders, with the exact bound of the linear relaxation",
    ),
    SolverInfo(
        "moore-hodgson",
        "slide",
        f"{_HERE}.time_varying:moore_hodgson",
        exact=True,
        description="variant time-varying, one due time a user (one layer, or download_first=true): exact for that",
    ),
    SolverInfo(
        "brute-force",
        "slide",
        f"{_HERE}.brute_force:brute_force",
        exact=True,
        description="every model or none for a few users in exact fractions, the reference for tests",
    ),
    SolverInfo(
        "highs",
        "slide",
        "edgeopt.solvers.highs:solve",
        exact=True,
        description="HiGHS on the Pyomo MILP of the variant, for the plain one with given least shares",
    ),
    SolverInfo(
        "cpsat",
        "slide",
        "edgeopt.solvers.cpsat:solve",
        exact=True,
        description="OR-Tools CP-SAT on the model of the variant, for the plain one with given least shares",
    ),
    SolverInfo(
        "pyomo",
        "slide",
        "edgeopt.solvers.pyomo_factory:solve",
        exact=True,
        description="any solver that Pyomo's SolverFactory knows, by factory=NAME, on the Pyomo MILP",
    ),
    SolverInfo(
        "joint-scip",
        "slide",
        f"{_HERE}.joint_scip:joint_scip",
        exact=True,
        description="the recursion as a mixed-integer cone program in cvxpy on SCIP, no algebra of least shares",
    ),
    SolverInfo(
        "joint-highs",
        "slide",
        f"{_HERE}.joint_highs:joint_highs",
        exact=True,
        description="the same on HiGHS by outer linearisation with tangents",
    ),
    SolverInfo(
        "joint-cpsat",
        "slide",
        f"{_HERE}.joint_cpsat:joint_cpsat",
        description="the same on an integer grid with CP-SAT, from both sides",
    ),
]
