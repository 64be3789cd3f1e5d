"""What the machinery of studies costs a run: 10,000 small runs in a study against the same runs in a plain loop.

    python benchmarks/bench_study.py [--runs 10000] [--workers 1] [--csv FILE]

Both generate the same instances (batching, one node, 10 requests) and solve each with ``ot``. Overhead is the wall time
of the study, times its workers, less that of the loop, by the number of runs: generating twice (once for the key), a
process in between, a transaction a run.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from pathlib import Path

import edgeopt
from edgeopt.studies.environment import versions
from edgeopt.studies.local import LocalPool
from edgeopt.studies.runner import run_study
from edgeopt.studies.store import Store
from edgeopt.studies.study import read_study

STUDY = """
name = "bench"
seeds = {runs}
[[instances]]
generate = "batching"
set = {{ nodes = 1, requests = 10 }}
[[solvers]]
name = "ot"
"""
COLUMNS = ("runs", "workers", "loop_ms_per_run", "study_ms_per_run", "overhead_ms_per_run", "resume_ms_per_run")


def loop_s(runs: int) -> float:
    """Seconds that the same runs take one after another in this process."""
    edgeopt.solve(edgeopt.generate("batching", nodes=1, requests=10, seed=1), "ot")  # compile
    began = time.perf_counter()
    for seed in range(1, runs + 1):
        edgeopt.solve(edgeopt.generate("batching", nodes=1, requests=10, seed=seed), "ot")
    return time.perf_counter() - began


def study_s(file: Path, store: Path, workers: int) -> float:
    """Seconds that the study takes from reading its file to closing its store."""
    began = time.perf_counter()
    with Store(store, create=True) as kept, LocalPool(workers) as pool:
        done = run_study(read_study(file), kept, pool, environment=versions())
        if done.failed:
            raise SystemExit(f"{done.failed} runs without an answer")
    return time.perf_counter() - began


def main() -> None:
    """Print the overhead, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--csv", type=Path, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file, store = Path(folder) / "bench.toml", Path(folder) / "bench.sqlite"
        file.write_text(STUDY.format(runs=options.runs))
        plain = loop_s(options.runs)
        wall = study_s(file, store, options.workers)
        again = study_s(file, store, options.workers)
    per_run = [1000 * seconds / options.runs for seconds in (plain, wall, wall * options.workers - plain, again)]
    line = (options.runs, options.workers, *(round(value, 3) for value in per_run))
    print(("{:>20}" * len(COLUMNS)).format(*COLUMNS))
    print(("{:>20}" * len(COLUMNS)).format(*line))
    if options.csv is not None:
        with options.csv.open("w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows([COLUMNS, line])


if __name__ == "__main__":
    main()
