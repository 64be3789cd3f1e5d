"""How fast the simulator is, against plain Python, and what a decision of each policy takes.

    python benchmarks/bench_offloading.py [--episodes 200] [--slots 100]

The same episodes at half load in one process, after one call that compiles; medians over repeats, in seconds of the
processor. `plain` is the exact event simulation in `edgeopt.instances.offloading.check`, what one writes first;
`recursion` is the exact one in whole numbers (`queues.cost`); `compiled` the simulator under given plans, and `policy`
with the policy `earliest` in the loop. Then microseconds a decision of each policy, all episodes side by side.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import edgeopt
from edgeopt.instances.offloading import Plan
from edgeopt.instances.offloading.check import costs
from edgeopt.instances.offloading.queues import cost
from edgeopt.solvers.offloading.closed_loop import follow, simulate
from edgeopt.solvers.offloading.episodes import Episodes
from edgeopt.solvers.offloading.policies import policy


def seconds(function: Callable[[], object]) -> float:
    """Processor time of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def main() -> None:
    """Print two Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--slots", type=int, default=100)
    parser.add_argument("--plain", type=int, default=10, help="episodes that plain Python runs")
    options = parser.parse_args()
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    print(
        "| discipline | plain (episodes/s) | recursion | compiled | policy | compiled over plain |\n"
        "|---|---|---|---|---|---|"
    )
    for discipline in ("fifo", "ps"):
        instances = [
            edgeopt.generate("offloading", seed=s, slots=options.slots, discipline=discipline, load=0.5)
            for s in range(1, options.episodes + 1)
        ]
        episodes = Episodes.of(instances)
        record = simulate(episodes, policy("earliest"))
        plans = [Plan(record.place[e, : len(one)].copy()) for e, one in enumerate(instances)]
        follow(episodes, record.place)
        some = list(zip(instances, plans, strict=True))[: options.plain]
        plain = seconds(lambda some=some: [costs(one, plan) for one, plan in some]) / len(some)  # type: ignore[misc]
        exact = seconds(lambda some=some: [cost(o.compiled, p.place.tolist()) for o, p in some]) / len(some)  # type: ignore[misc]
        compiled = statistics.median(seconds(lambda: follow(episodes, record.place)) for _ in range(5))  # noqa: B023
        looped = statistics.median(seconds(lambda: simulate(episodes, policy("earliest"))) for _ in range(5))  # noqa: B023
        per = (plain, exact, compiled / len(instances), looped / len(instances))
        print("| " + " | ".join([discipline, *(f"{1 / one:,.0f}" for one in per), f"{per[0] / per[2]:,.0f}"]) + " |")
    print("\n| policy | microseconds a decision |\n|---|---|")
    few = [edgeopt.generate("offloading", seed=s, slots=options.slots, load=0.5) for s in range(1, 21)]
    episodes = Episodes.of(few)
    for name in ("greedy", "earliest", "lacs", "matching", "learned", "rollouts"):
        simulate(Episodes.of(few[:1]), policy(name))
        taken = seconds(lambda: simulate(episodes, policy(name)))  # noqa: B023
        print(f"| {name} | {1e6 * taken / episodes.tasks.sum():.1f} |", flush=True)


if __name__ == "__main__":
    main()
