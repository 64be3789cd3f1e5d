"""`ot` against exact peers on the same single-node instances, in one run: HiGHS, CP-SAT, the paper's search.

    python benchmarks/bench_peers.py [--sizes 30,100,...] [--classes 3,8,32] [--limit S] [--out DIR]

All solvers are called through `edgeopt.solve` and every answer is checked. Seconds are what the solver took, for
HiGHS and CP-SAT with the building of their model (threshold form) in a warm child process, for `ot` the median of
warm calls of `solve_node` on the compiled node (`edgeopt.solve` adds some 40 us to it). A peer that meets the limit
counts with the limit, so its ratio is a lower bound (`>`); a peer that met it at a size is not tried at larger ones.
`argsort` is `numpy.argsort` of the deadline budgets, the floor. `--out` writes ``peers.csv`` and ``peers.png``.
"""

from __future__ import annotations

import argparse
import csv
import platform
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

import edgeopt
from edgeopt.instances.batching import BatchingInstance
from edgeopt.result import Termination
from edgeopt.solvers.batching.ot import solve_node

PEERS = ("highs", "cpsat", "ot-paper")
COLUMNS = ("classes", "requests", "regime", "solver", "seconds", "ratio_to_ot", "value", "finished")
WARM_RUNS = 15


def machine() -> str:
    """What the figures were measured on."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        model = next(
            (line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line), model
        )
    return f"{model}, Python {platform.python_version()}, numpy {np.__version__}, edgeopt {edgeopt.__version__}"


def instances(requests: int, classes: int, regime: str, count: int) -> list[BatchingInstance]:
    """Single-node instances of a cell."""
    levels = (128, 256, 512) if classes == 3 else tuple(32 + 31 * k for k in range(classes))
    options = {"nodes": 1, "requests": requests, "regime": regime, "output_levels": levels}
    return [edgeopt.generate("batching", seed=seed, **options) for seed in range(count)]


def timed(found: list[BatchingInstance], solver: str, limit: float) -> tuple[float, int, int]:
    """Median seconds, summed value and number of finished runs of one solver."""
    seconds, value, finished = [], 0, 0
    for instance in found:
        run = edgeopt.solve(instance, solver, time_limit=limit)
        done = run.termination is Termination.COMPLETE
        seconds.append((warm_call(instance) if solver == "ot" else run.seconds) if done else limit)
        finished += done
        value += int(run.value or 0)
    return statistics.median(seconds), value, finished


def warm_call(instance: BatchingInstance) -> float:
    """Median seconds of `ot` on the one node."""
    node, seconds = instance.compiled.nodes[0], []
    for _ in range(WARM_RUNS):
        start = time.perf_counter()
        solve_node(node)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def cell(requests: int, classes: int, regime: str, peers: list[str], limit: float, count: int) -> list[dict[str, Any]]:
    """All solvers on the instances of a cell; refuses answers that differ."""
    found = instances(requests, classes, regime, count)
    base = {"classes": classes, "requests": requests, "regime": regime}
    own, optimum, finished = timed(found, "ot", limit)
    sorts = []
    for instance in found:
        budget = instance.compiled.nodes[0].budget
        start = time.perf_counter()
        np.argsort(budget)
        sorts.append(time.perf_counter() - start)
    sort = statistics.median(sorts)
    lines = [
        {**base, "solver": "argsort", "seconds": sort, "ratio_to_ot": sort / own, "value": None, "finished": count},
        {**base, "solver": "ot", "seconds": own, "ratio_to_ot": 1.0, "value": optimum, "finished": finished},
    ]
    for peer in peers:
        seconds, value, done = timed(found, peer, limit)
        if done == count and value != optimum:
            raise SystemExit(f"{peer} found {value}, ot {optimum}: {base}")
        lines.append(
            {**base, "solver": peer, "seconds": seconds, "ratio_to_ot": seconds / own, "value": value, "finished": done}
        )
    return lines


def picture(rows: list[dict[str, Any]], path: Path) -> None:
    """Seconds over requests, a panel a number of classes; medians over the regimes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    classes = sorted({row["classes"] for row in rows})
    figure, axes = pyplot.subplots(1, len(classes), figsize=(4.2 * len(classes), 3.6), sharey=True, squeeze=False)
    for axis, count in zip(axes[0], classes, strict=True):
        for solver in ("argsort", "ot", *PEERS):
            own = [row for row in rows if row["classes"] == count and row["solver"] == solver]
            sizes = sorted({row["requests"] for row in own})
            middle = [statistics.median(row["seconds"] for row in own if row["requests"] == size) for size in sizes]
            axis.loglog(sizes, middle, "o--" if solver == "argsort" else "o-", label=solver, markersize=4)
        axis.set(xlabel="requests", title=f"{count} length classes")
        axis.grid(alpha=0.3, which="both")
    axes[0][0].set_ylabel("time (s)")
    axes[0][0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=150)


def main() -> None:
    """Print the table, and write table and picture where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="30,100,1000,10000,100000")
    parser.add_argument("--classes", default="3,8,32")
    parser.add_argument("--regimes", default="compute,both,all,fixed")
    parser.add_argument("--limit", type=float, default=20.0, help="seconds a run")
    parser.add_argument("--instances", type=int, default=3, help="instances a cell")
    parser.add_argument("--out", type=Path, help="directory for peers.csv and peers.png")
    options = parser.parse_args()
    print(machine())
    rows: list[dict[str, Any]] = []
    for solver in ("ot", *PEERS):
        edgeopt.solve(instances(10, 3, "both", 1)[0], solver)  # compile, start children
    for classes in map(int, options.classes.split(",")):
        for regime in options.regimes.split(","):
            peers = list(PEERS)
            for requests in map(int, options.sizes.split(",")):
                for row in cell(requests, classes, regime, peers, options.limit, options.instances):
                    rows.append(row)
                    over = "" if row["finished"] == options.instances else ">"
                    print(
                        f"{classes:>3} {requests:>8} {regime:>8} {row['solver']:>9} {over:>1}{row['seconds']:>10.3g} s"
                        f" {over:>1}{row['ratio_to_ot']:>10.3g}x",
                        flush=True,
                    )
                    if row["solver"] in peers and not row["finished"]:
                        peers.remove(row["solver"])
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        with (options.out / "peers.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
        picture(rows, options.out / "peers.png")


if __name__ == "__main__":
    main()
