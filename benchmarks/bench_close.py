"""`close` beside HiGHS and CP-SAT at the same time limit: value, bound, gap and seconds, and medians over seeds.

    python benchmarks/bench_close.py [--requests 50 100 200] [--regimes paper both all] [--seeds 3] [--limit 10]
                                     [--solvers close highs cpsat] [--nodes 3] [--csv FILE]

Every value is checked. The gap is that between a solver's own value and bound, relative to the bound. Of `close` the
bound is the one that the stand-alone verifier confirms, and the seconds include making and verifying the certificate;
the bounds of HiGHS and CP-SAT are their word.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import edgeopt
from edgeopt.certify.certificate import certificate
from edgeopt.result import ValueEvidence


def gap(value: float | None, bound: float | None) -> float:
    """Relative gap; 1 without a bound or a value."""
    if bound is None or value is None:
        return 1.0
    return (bound - value) / bound if bound else 0.0


def run(instance: Any, solver: str, limit: float) -> tuple[float | None, float | None, float]:
    """Checked value, bound (of `close`: as verified) and seconds."""
    result = edgeopt.solve(instance, solver, time_limit=limit)
    value = result.value if result.value_evidence is ValueEvidence.CHECKED else None
    if solver != "close":
        return value, result.bound, result.seconds
    begun = time.perf_counter()
    made = certificate(instance, result)
    return value, made.bound, result.seconds + time.perf_counter() - begun


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--regimes", nargs="+", default=["paper", "both", "all"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=10.0, help="seconds a run")
    parser.add_argument("--solvers", nargs="+", default=["close", "highs", "cpsat"])
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    edgeopt.solve(edgeopt.generate("batching", requests=10, regime="both"), "close")  # compiles the kernels

    rows = []
    print(f"{'instance':28} {'solver':8} {'value':>6} {'bound':>6} {'gap %':>7} {'s':>7}")
    for requests in options.requests:
        for regime in options.regimes:
            for seed in range(options.seeds):
                instance = edgeopt.generate(
                    "batching", nodes=options.nodes, requests=requests, regime=regime, seed=seed
                )
                for solver in options.solvers:
                    value, bound, seconds = run(instance, solver, options.limit)
                    row = (regime, requests, seed, solver, value, bound, 100 * gap(value, bound), seconds)
                    rows.append(row)
                    shown = "-" if bound is None else f"{bound:g}"
                    print(
                        f"{instance.name:28} {solver:8} {value!s:>6} {shown:>6} {row[6]:7.2f} {seconds:7.2f}",
                        flush=True,
                    )

    print(f"\nmedians over seeds\n{'regime':10} {'requests':>8} {'solver':8} {'closed':>7} {'gap %':>7} {'s':>7}")
    table = defaultdict(list)
    for row in rows:
        table[row[0], row[1], row[3]].append(row)
    for (regime, requests, solver), group in table.items():
        closed = sum(row[4] is not None and row[4] == row[5] for row in group)
        gaps, seconds = (statistics.median(row[column] for row in group) for column in (6, 7))
        share = f"{closed}/{len(group)}"
        print(f"{regime:10} {requests:8} {solver:8} {share:>7} {gaps:7.2f} {seconds:7.2f}")
    if options.csv:
        with options.csv.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["regime", "requests", "seed", "solver", "value", "bound", "gap_percent", "seconds"])
            writer.writerows(rows)


if __name__ == "__main__":
    main()
