"""The solvers of the offloading problem: the one place where a new one is registered."""

from edgeopt.solvers.base import SolverInfo

_HERE = "edgeopt.solvers.offloading"

SOLVERS = [
    SolverInfo(
        "rollouts",
        "offloading",
        f"{_HERE}.as_solvers:rollouts",
        description="policy: look-ahead by rollouts in which the queues evolve, common futures for all places",
    ),
    SolverInfo(
        "lacs",
        "offloading",
        f"{_HERE}.as_solvers:lacs",
        description="policy: look-ahead as published, independent next tasks in one unchanged state",
    ),
    SolverInfo(
        "matching",
        "offloading",
        f"{_HERE}.as_solvers:matching",
        description="policy: joint decision of the tasks that arrive together, by a matching on places in the queues",
    ),
    SolverInfo(
        "rolling",
        "offloading",
        f"{_HERE}.as_solvers:rolling",
        description="policy: CP-SAT on the tasks that are present, and on drawn ones of the next slots",
    ),
    SolverInfo(
        "greedy",
        "offloading",
        f"{_HERE}.as_solvers:greedy",
        description="policy: least one-step cost as published",
    ),
    SolverInfo(
        "earliest",
        "offloading",
        f"{_HERE}.as_solvers:earliest",
        description="policy: where the task ends first if nothing comes after it",
    ),
    SolverInfo(
        "shortest-queue",
        "offloading",
        f"{_HERE}.as_solvers:shortest_queue",
        description="policy: the place with the fewest tasks",
    ),
    SolverInfo("local", "offloading", f"{_HERE}.as_solvers:local", description="policy: every device on its own"),
    SolverInfo("random", "offloading", f"{_HERE}.as_solvers:random", description="policy: any place"),
    SolverInfo("round-robin", "offloading", f"{_HERE}.as_solvers:round_robin", description="policy: places in turn"),
    SolverInfo(
        "learned",
        "offloading",
        f"{_HERE}.as_solvers:learned",
        description="policy: a small transformer, trained on the rollouts; runs without PyTorch",
    ),
    SolverInfo(
        "dqn",
        "offloading",
        f"{_HERE}.as_solvers:dqn",
        description="policy: double, dueling Q-learning, a baseline; runs without PyTorch",
    ),
    SolverInfo(
        "llm",
        "offloading",
        f"{_HERE}.as_solvers:llm",
        description="policy: a language model behind an OpenAI-compatible endpoint (options model, base_url)",
    ),
    SolverInfo(
        "hindsight",
        "offloading",
        f"{_HERE}.hindsight:hindsight",
        description="horizon known from its beginning: local search on plans, with a bound by prices",
    ),
    SolverInfo(
        "brute-force",
        "offloading",
        f"{_HERE}.brute_force:brute_force",
        exact=True,
        description="every plan of a few tasks in exact numbers, the reference for tests; both disciplines",
    ),
    SolverInfo(
        "cpsat",
        "offloading",
        "edgeopt.solvers.cpsat:solve",
        exact=True,
        description="OR-Tools CP-SAT on the horizon known from its beginning, discipline fifo",
    ),
    SolverInfo(
        "highs",
        "offloading",
        "edgeopt.solvers.highs:solve",
        exact=True,
        description="HiGHS on the Pyomo MILP of the same",
    ),
    SolverInfo(
        "pyomo",
        "offloading",
        "edgeopt.solvers.pyomo_factory:solve",
        exact=True,
        description="any solver that Pyomo's SolverFactory knows, by factory=NAME, on the Pyomo MILP",
    ),
]
