"""How long `ot` takes, against sorting the deadlines once.

    python benchmarks/bench_ot.py [--csv FILE] [--sizes 30,100,...] [--classes 3,8,32]

`numpy.argsort` of the int64 deadlines is the yardstick, because any exact method has to look at them all;
it is timed in the same run, call by call in turn with `ot`. Times are medians over instances and repeats
of warm calls; `proved` is the share of instances whose price vectors alone prove the optimum
(`edgeopt.certify.batching.node_bound`).
"""

from __future__ import annotations

import argparse
import csv
import resource
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
from node_instances import REGIMES, node_instance

from edgeopt.certify.batching import node_bound
from edgeopt.solvers.batching.ot import solve_node

COLUMNS = ("classes", "requests", "regime", "argsort_us", "ot_us", "ratio", "worst_ratio", "proved")


def seconds(function: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def row(classes: int, requests: int, regime: str, instances: int, repeats: int) -> tuple[object, ...]:
    """One line of the table."""
    sorts, solves, ratios, proved = [], [], [], 0
    for seed in range(instances):
        node = node_instance(requests, classes, regime, seed)
        found = solve_node(node)
        if not (found.complete and node.fits(found.batch)):
            raise SystemExit(f"{node.name}: not solved")
        proved += node_bound(node, found.multipliers) == len(found.batch)
        pairs = [
            (seconds(lambda n=node: np.argsort(n.budget)), seconds(lambda n=node: solve_node(n)))  # type: ignore[misc]
            for _ in range(repeats)
        ]
        sort, solve = (statistics.median(times) for times in zip(*pairs, strict=True))
        sorts.append(sort)
        solves.append(solve)
        ratios.append(solve / sort)
    sort, solve = statistics.median(sorts), statistics.median(solves)
    return (
        classes, requests, regime, round(1e6 * sort, 1), round(1e6 * solve, 1),
        round(solve / sort, 2), round(max(ratios), 2), f"{proved}/{instances}",
    )  # fmt: skip


def table(sizes: list[int], class_counts: list[int]) -> Iterator[tuple[object, ...]]:
    """All lines, smallest problems first."""
    for classes in class_counts:
        for requests in sizes:
            instances, repeats = (10, 30) if requests <= 1000 else (5, 9) if requests <= 10**5 else (2, 3)
            for regime in REGIMES:
                yield row(classes, requests, regime, instances, repeats)


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", metavar="FILE", help="also write the table to FILE")
    parser.add_argument("--sizes", default="30,100,1000,10000,100000,1000000")
    parser.add_argument("--classes", default="3,8,32")
    options = parser.parse_args()
    start = time.perf_counter()
    solve_node(node_instance(30))
    print(f"first call in this process: {time.perf_counter() - start:.2f} s")
    print("{:>7} {:>9} {:>8} {:>12} {:>12} {:>7} {:>12} {:>7}".format(*COLUMNS))
    rows = []
    for line in table([int(s) for s in options.sizes.split(",")], [int(c) for c in options.classes.split(",")]):
        rows.append(line)
        print("{:>7} {:>9} {:>8} {:>12} {:>12} {:>7} {:>12} {:>7}".format(*line), flush=True)
    print(f"peak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    if options.csv:
        with open(options.csv, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
