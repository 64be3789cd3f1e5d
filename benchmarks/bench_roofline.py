"""`ot` under the roofline latency: against itself with the paper's latency, and against CP-SAT and HiGHS.

    python benchmarks/bench_roofline.py [--sizes 30,100,1000] [--seeds 3] [--csv FILE]

The same drawn requests on one node, all resources scarce (regime ``all``). The roofline enumerates the longest length
class of the batch, so up to as many problems of one capacity more are solved as there are classes. Medians over seeds
of warm calls in one run; CP-SAT and HiGHS within 20 s, on instances up to 100 requests.

Before that, both latencies of a decoding step against a published profile of its kernels (`PROFILE`).
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from pathlib import Path

import edgeopt
from edgeopt.solvers.batching.ot import solve_node
from edgeopt.system.catalogue import lookup

PROFILE = {
    1: (49731, 15164, 14948, 49779, 163954, 164391, 165931),
    16: (51480, 19150, 18896, 51168, 165783, 165808, 168461),
    48: (53860, 18076, 17761, 54023, 179846, 175837, 175107),
}
"""Nanoseconds of the seven weight matrices of one of 32 layers (q, k, v, o, gate, up, down) by batch size: Llama-3.1-8B
on one NVIDIA A6000, measured by casys-kaist/LLMServingSim (commit 4a23e9f137dd, ``profiler/v0/perf_models/A6000``)."""
A6000_FLOP_PER_S, A6000_BYTE_PER_S = 154.8e12, 768e9
"""Dense FP16 peak and memory bandwidth (NVIDIA data sheet)."""
COLUMNS = ("requests", "flops_us", "roofline_us", "ratio", "cpsat_x", "highs_x", "same_value")
PEERS_UP_TO, PEER_LIMIT_S, REPEATS = 100, 20.0, 15


def profile() -> None:
    """Print the time of the matrices of a decoding step, measured and by both latencies."""
    model = lookup("llama-3.1-8b")
    print(
        f"{'batch':>6}{'measured_ms':>13}{'roofline_ms':>13}{'flops_ms':>10}{'measured/roofline':>19}{'measured/flops':>16}"
    )
    for batch, kernels in PROFILE.items():
        measured = model.layers * sum(kernels) * 1e-9
        flops = batch * 2 * model.layers * model.matrix_parameters_per_layer / A6000_FLOP_PER_S
        roofline = max(model.weight_bytes() / A6000_BYTE_PER_S, flops)
        times = f"{1e3 * measured:>13.2f}{1e3 * roofline:>13.2f}{1e3 * flops:>10.3f}"
        print(f"{batch:>6}{times}{measured / roofline:>19.2f}{measured / flops:>16.1f}")


def row(requests: int, seeds: int) -> tuple[object, ...]:
    """One line of the table."""
    times: dict[str, list[float]] = {"flops": [], "roofline": [], "cpsat": [], "highs": []}
    same = True
    for seed in range(seeds):
        for latency in ("flops", "roofline"):
            drawn = edgeopt.generate(
                "batching", nodes=1, requests=requests, regime="all", seed=seed, latency=latency,
                output_levels=(64, 128, 256, 512),
            )  # fmt: skip
            node = drawn.compiled.nodes[0]
            best = solve_node(node)
            calls = []
            for _ in range(REPEATS):
                began = time.perf_counter()
                solve_node(node)
                calls.append(time.perf_counter() - began)
            times[latency].append(statistics.median(calls))
        if requests <= PEERS_UP_TO:
            for peer in ("cpsat", "highs"):
                found = edgeopt.solve(drawn, peer, time_limit=PEER_LIMIT_S)
                times[peer].append(found.seconds)
                same = same and (found.value == len(best.batch) or not found.closed)
    flops, roofline = (statistics.median(times[name]) for name in ("flops", "roofline"))
    peers = [f"{statistics.median(times[name]) / roofline:.0f}" if times[name] else "" for name in ("cpsat", "highs")]
    return requests, round(1e6 * flops, 1), round(1e6 * roofline, 1), round(roofline / flops, 2), *peers, same


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="30,100,1000,10000")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--csv", type=Path, metavar="FILE")
    options = parser.parse_args()
    profile()
    print(("{:>13}" * len(COLUMNS)).format(*COLUMNS))
    rows = []
    for size in options.sizes.split(","):
        rows.append(row(int(size), options.seeds))
        print(("{:>13}" * len(COLUMNS)).format(*map(str, rows[-1])), flush=True)
    if options.csv is not None:
        with options.csv.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
