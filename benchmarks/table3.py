"""Table III: what online tree-pruning saves Algorithm 2, in visited nodes and in time.

The paper's server node and epoch of 2 s at arrival rates from 5 to 200 requests/s. Three searches of the same
trees in the same order, all compiled: without pruning, with the pruning sum as published, and with the sum
over the undecided classes only (see `edgeopt.solvers.batching.ot_paper`).

    python benchmarks/table3.py [--rates 5 50 200] [--seed 0] [--cap 2000000000] [--csv FILE]

A search that meets the node cap is reported as over it: its time is a lower bound, and so is every
reduction that comes from it. Visited nodes without pruning are still known, since a refuted tree is visited
as a whole and its nodes can be counted without visiting them (`tree_nodes`).
"""

from __future__ import annotations

import argparse
import csv
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import edgeopt
from edgeopt.instances.batching.node import IntArray, NodeProblem
from edgeopt.solvers.batching import ot_paper

RATES = (5.0, 10.0, 20.0, 50.0, 100.0, 150.0, 200.0)
SEARCHES: dict[str, dict[str, Any]] = {
    "unpruned": {"prune": False},
    "published": {"variant": "published-pruning"},
    "pruned": {},
}
"""Options of `ot_paper.solve_node` by column name."""


@dataclass(frozen=True)
class Run:
    """One search: what it visited, how long it took (s), whether it ended below the cap, and its batch size."""

    nodes: int
    trees: int
    seconds: float
    complete: bool
    served: int


def run(node: NodeProblem, search: str, cap: int) -> Run:
    """Run one of `SEARCHES` on a node, up to `cap` visited nodes."""
    started = time.perf_counter()
    found = ot_paper.solve_node(node, node_limit=cap, **SEARCHES[search])
    seconds = time.perf_counter() - started
    return Run(found.effort["nodes"], found.effort["feasibility_problems"], seconds, found.complete, len(found.batch))


def tree_nodes(node: NodeProblem, d: int) -> IntArray:
    """Nodes of the whole, unpruned trees of ``(z, d)`` for ``z = 1..d``, counted by convolution.

    With ``C_k[s]`` ways to take ``s`` requests from the first ``k`` classes, the tree for ``t = z - 1`` others
    has ``sum_k sum_{s < t} C_k[s]`` inner nodes and dead leaves, and ``C_N[t]`` leaves of ``t`` requests.
    """
    first = node.length_class[ot_paper.sort_requests(node).position[: d - 1]]
    ways = np.zeros(d, dtype=np.int64)
    ways[0] = 1
    total = ways.copy()
    for members in np.bincount(first, minlength=len(node.class_tokens)).tolist():
        ways = np.convolve(ways, np.ones(members + 1, dtype=np.int64))[:d]
        total += ways
    nodes: IntArray = np.cumsum(total) - total + ways
    return nodes


def unpruned_nodes(node: NodeProblem, trees: int) -> tuple[int, int]:
    """Least and most nodes that the unpruned search visits in its first `trees` trees, all but the last refuted."""
    size = node.size
    by_depth = [tree_nodes(node, d) for d in range(1, size + 1)]
    order = [(z, d) for z in range(size, 0, -1) for d in range(z, size + 1)][:trees]
    counts = [int(by_depth[d - 1][z - 1]) for z, d in order]
    return sum(counts[:-1]) + 1, sum(counts)


def row(rate: float, seed: int, cap: int) -> dict[str, str]:
    """One line of the table."""
    node = edgeopt.generate("batching", nodes=1, rate=rate, seed=seed).compiled.nodes[0]
    runs = {search: run(node, search, cap) for search in SEARCHES}
    ended = [r for r in runs.values() if r.complete]
    if len({(r.served, r.trees) for r in ended}) > 1:
        raise RuntimeError(f"rate {rate:g}: the searches disagree: {runs}")
    line = {"rate_per_s": f"{rate:g}", "requests": str(node.size), "served": str(ended[0].served) if ended else "?"}
    for search, done in runs.items():
        over = "" if done.complete else ">"
        line[f"{search}_nodes"] = f"{over}{done.nodes}"
        line[f"{search}_s"] = f"{over}{done.seconds:.3g}"
    plain = runs["unpruned"]
    visited = plain.nodes
    if ended:
        least, most = unpruned_nodes(node, ended[0].trees)
        if not plain.complete:
            visited = max(visited, least)
        elif not least <= visited <= most:
            raise RuntimeError(f"rate {rate:g}: {visited} nodes visited, {least} to {most} counted")
    over = "" if plain.complete else ">"
    line["unpruned_nodes_counted"] = over + str(visited)
    for search in ("published", "pruned"):
        fewer, faster = 1 - runs[search].nodes / visited, 1 - runs[search].seconds / plain.seconds
        known = runs[search].complete
        line[f"{search}_fewer_nodes_%"] = f"{over}{100 * fewer:.2f}" if known else "?"
        line[f"{search}_less_time_%"] = f"{over}{100 * faster:.1f}" if known and (plain.complete or faster > 0) else "?"
    return line


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rates", type=float, nargs="+", default=RATES, help="arrival rates (1/s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the instances")
    parser.add_argument("--cap", type=int, default=2 * 10**9, help="most nodes a search may visit")
    parser.add_argument("--csv", type=Path, help="file to write the table to")
    options = parser.parse_args()
    run(edgeopt.generate("batching", nodes=1, requests=3).compiled.nodes[0], "pruned", 10)  # compile
    rows = []
    print(f"visited nodes and seconds, and what pruning saves of each; cap {options.cap:,} nodes, > means over it")
    print(f"{'rate':>5} {'I':>4} {'z':>3} | {'unpruned':>16} {'s':>7} | {'published':>13} {'s':>7} {'nodes':>8} "
          f"{'time':>7} | {'undecided':>13} {'s':>7} {'nodes':>8} {'time':>7}")  # fmt: skip
    for rate in options.rates:
        line = row(rate, options.seed, options.cap)
        rows.append(line)
        print(f"{line['rate_per_s']:>5} {line['requests']:>4} {line['served']:>3} | "
              f"{line['unpruned_nodes_counted']:>16} {line['unpruned_s']:>7}", end="")  # fmt: skip
        for search in ("published", "pruned"):
            print(f" | {line[f'{search}_nodes']:>13} {line[f'{search}_s']:>7} {line[f'{search}_fewer_nodes_%']:>7}% "
                  f"{line[f'{search}_less_time_%']:>6}%", end="")  # fmt: skip
        print(flush=True)
    if options.csv is not None:
        with options.csv.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
