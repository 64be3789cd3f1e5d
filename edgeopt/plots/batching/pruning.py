"""Table III: what online tree-pruning saves Algorithm 2, in visited nodes and in time.

The paper's server and epoch of 2 s at arrival rates from 5 to 200 requests/s. Three searches of the same trees in the
same order, all compiled: without pruning, with the pruning sum as published, and with the sum over the undecided
classes only (see `edgeopt.solvers.batching.ot_paper`); `ot` beside them.

A search that meets the node cap is reported as over it: its time is a lower bound, and so is every saving that comes
from it. Visited nodes without pruning are still known, since a refuted tree is visited as a whole and its nodes can be
counted without visiting them (`tree_nodes`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.base import generate
from edgeopt.instances.batching.node import IntArray, NodeProblem
from edgeopt.plots.base import Figure, Setting
from edgeopt.solvers.batching import ot, ot_paper

RATES = (5.0, 10.0, 20.0, 50.0, 100.0, 150.0, 200.0)
CAP = 2 * 10**9
"""Most nodes that a search may visit."""
OPTIONS = ("rates", "cap")
"""What a setting may say about this table."""
PUBLISHED_SAVING = {200.0: 97.92}
"""Time saved (%) by rate, as far as the paper's text gives it."""
SEARCHES: dict[str, dict[str, Any]] = {
    "unpruned": {"prune": False},
    "published": {"variant": "published-pruning"},
    "pruned": {},
}
"""Options of `ot_paper.solve_node` by column name."""
REPEATS, SHORT_S = 7, 0.01
"""A search that takes less (s) is timed so many times; the median counts."""
COLUMNS = (
    "rate_per_s", "seed", "requests", "served", "unpruned_nodes", "unpruned_s", "unpruned_over_cap", "published_nodes",
    "published_s", "pruned_nodes", "pruned_s", "ot_s", "published_fewer_nodes_pct", "published_less_time_pct",
    "pruned_fewer_nodes_pct", "pruned_less_time_pct",
)  # fmt: skip


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
    times: list[float] = []
    while not times or (len(times) < REPEATS and times[0] < SHORT_S):
        started = time.perf_counter()
        found = ot_paper.solve_node(node, node_limit=cap, **SEARCHES[search])
        times.append(time.perf_counter() - started)
    seconds = median(times)
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


def row(rate: float, seed: int, cap: int) -> tuple[Any, ...]:
    """One line of the table; savings are None where the search did not end or nothing was left to save.

    Raises
    ------
    InstanceError
        If searches that ended disagree.
    """
    node = generate("batching", nodes=1, rate=rate, seed=seed).compiled.nodes[0]
    runs = {search: run(node, search, cap) for search in SEARCHES}
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        best = ot.solve_node(node)
        times.append(time.perf_counter() - started)
    for search, done in runs.items():
        if done.complete and done.served != len(best.batch):
            raise InstanceError(f"rate {rate:g}, seed {seed}: {search} serves {done.served}, ot {len(best.batch)}")
    ended = [done for done in runs.values() if done.complete]
    plain = runs["unpruned"]
    visited = plain.nodes
    if ended and node.size:
        least, most = unpruned_nodes(node, ended[0].trees)
        visited = max(visited, least) if not plain.complete else visited
        if plain.complete and not least <= visited <= most:
            raise InstanceError(f"rate {rate:g}, seed {seed}: {visited} nodes visited, {least} to {most} counted")
    savings: list[float | None] = []
    for search in ("published", "pruned"):
        known = runs[search].complete and visited > 0
        savings.append(100 * (1 - runs[search].nodes / visited) if known else None)
        savings.append(100 * (1 - runs[search].seconds / plain.seconds) if known and plain.seconds > 0 else None)
    pruned, published = runs["pruned"], runs["published"]
    return (
        rate, seed, node.size, len(best.batch), visited, plain.seconds, int(not plain.complete), published.nodes,
        published.seconds, pruned.nodes, pruned.seconds, median(times), *savings,
    )  # fmt: skip


def table3(setting: Setting) -> Figure:
    """Nodes and seconds of the searches over the arrival rate, a row a seed.

    Options of the setting are those of `searches`; others are of other figures.
    """
    return searches(setting.seeds, **{name: setting.options[name] for name in OPTIONS if name in setting.options})


def searches(seeds: int, *, rates: Sequence[float] = RATES, cap: int = CAP) -> Figure:
    """The table of some rates.

    Parameters
    ----------
    seeds : int
    rates : sequence of float
        Arrival rates (1/s).
    cap : int
        Most nodes that a search may visit.

    Raises
    ------
    InstanceError
        If an option is out of range.
    """
    if not rates or not all(0 < rate < math.inf for rate in rates):
        raise InstanceError(f"table3: rates = {','.join(map(str, rates))} (1/s): must be one or more above 0")
    if cap < 1:
        raise InstanceError(f"table3: cap = {cap} (nodes): must be 1 or more")
    warm = generate("batching", nodes=1, requests=3).compiled.nodes[0]
    run(warm, "pruned", 10)  # compile
    ot.solve_node(warm)
    rows = [row(float(rate), seed, cap) for rate in rates for seed in range(seeds)]
    return Figure("table3", COLUMNS, rows, lambda axes: _draw(axes, rows, cap), _findings(rows, cap))


SERIES = (
    ("without pruning", "unpruned_s", "#b03030", "o"),
    ("pruned as published", "published_s", "#d1721b", "s"),
    ("pruned over undecided classes", "pruned_s", "#1f4e9c", "^"),
    ("ot", "ot_s", "#3a8a3a", "D"),
)


def _column(rows: Sequence[tuple[Any, ...]], name: str, rate: float) -> list[Any]:
    return [line[COLUMNS.index(name)] for line in rows if line[0] == rate and line[COLUMNS.index(name)] is not None]


def _draw(axes: Any, rows: Sequence[tuple[Any, ...]], cap: int) -> None:
    rates = sorted({line[0] for line in rows})
    for label, column, color, marker in SERIES:
        means = [float(np.mean(_column(rows, column, rate))) for rate in rates]
        axes.plot(rates, means, color=color, marker=marker, markersize=3.5, linewidth=1.3, label=label)
    over = [rate for rate in rates if any(_column(rows, "unpruned_over_cap", rate))]
    if over:
        means = [float(np.mean(_column(rows, "unpruned_s", rate))) for rate in over]
        label = f"stopped at {cap:.0e} nodes: takes longer"
        axes.plot(over, means, linestyle="none", marker="^", markersize=9, markerfacecolor="none", color="#b03030",
                  label=label)  # fmt: skip
    axes.set(xlabel="arrival rate (requests/s)", ylabel="time of the search (s, mean over seeds)", yscale="log")
    axes.set(xscale="log")
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axes.minorticks_off()
    axes.legend()


TIMES = ("unpruned_s", "pruned_s")


def _less(totals: dict[str, float], what: str) -> float:
    """By how much (%) less pruning takes, over all seeds together."""
    return 100 * (1 - totals[f"pruned_{what}"] / totals[f"unpruned_{what}"])


def _findings(rows: Sequence[tuple[Any, ...]], cap: int) -> tuple[str, ...]:
    found = []
    for rate in sorted({line[0] for line in rows}):
        over = sum(_column(rows, "unpruned_over_cap", rate))
        least = "at least " if over else ""
        totals = {name: sum(_column(rows, name, rate)) for name in ("unpruned_nodes", "pruned_nodes", *TIMES)}
        if not totals["unpruned_nodes"]:
            continue
        text = f"{rate:g} requests/s: pruning visits {_less(totals, 'nodes'):.2f} % fewer nodes"
        text += f" and takes {least}{_less(totals, 's'):.1f} % less time"
        if over:
            text += f" ({over} searches without pruning over the cap of {cap:,} nodes)"
        if rate in PUBLISHED_SAVING:
            text += f"; published: {PUBLISHED_SAVING[rate]} % less time"
        found.append(text)
    return tuple(found)
