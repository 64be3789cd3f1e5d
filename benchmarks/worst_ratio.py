"""The worst ratios of `gah` and `next-bin` to the optimum that a search for bad instances finds.

    python benchmarks/worst_ratio.py [--instances 12000] [--seed 0] [--out DIR]

Small instances are changed at random, and a change is kept unless the ratio rises: hill climbing on the ratio in
the given node order, then on that in the best of all orders. Every instance that is looked at is solved by brute
force, and the ratio compared with the guarantee as an exact fraction; one below it ends the program with an error.
With ``--out`` the worst instance of each row is written there.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

import edgeopt
import edgeopt.errors
from edgeopt.instances.assignment import AssignmentInstance
from edgeopt.instances.batching import BatchingInstance

STALE = 150
"""Changes in a row without a lower ratio after which the climb starts anew."""


@dataclass(frozen=True, slots=True)
class Row:
    """A solver with options, the instances it is searched on, and the order that it uses."""

    name: str
    solver: str
    options: dict[str, Any]
    draw: Callable[[np.random.Generator], Any]
    change: Callable[[np.random.Generator, Any], Any]


def draw_assignment(rng: np.random.Generator, dimensions: int = 1) -> AssignmentInstance:
    """A few items and bins with small numbers."""
    groups, bins = int(rng.integers(2, 7)), int(rng.integers(2, 4))
    group, bin_ = (column.ravel() for column in np.indices((groups, bins)))
    keep = rng.random(len(group)) < rng.choice([0.6, 1.0])
    if not keep.any():
        keep[0] = True
    return AssignmentInstance(
        "worst", groups, group[keep], bin_[keep], rng.integers(1, 30, keep.sum()),
        rng.integers(0, 10, (keep.sum(), dimensions)), rng.integers(1, 20, (bins, dimensions)),
    )  # fmt: skip


def change_assignment(rng: np.random.Generator, instance: AssignmentInstance) -> AssignmentInstance:
    """Another profit, weight or capacity, a choice less, or the profits of one item alike."""
    profit, weight, capacity = instance.profit.copy(), instance.weight.copy(), instance.capacity.copy()
    k, d = int(rng.integers(len(profit))), int(rng.integers(instance.dimensions))
    what = rng.integers(5)
    if what == 0:
        profit[k] = rng.integers(1, 30) if rng.random() < 0.5 else max(1, profit[k] + rng.integers(-2, 3))
    elif what == 1:
        weight[k, d] = rng.integers(0, 10)
    elif what == 2:
        capacity[rng.integers(len(capacity)), d] = rng.integers(1, 20)
    elif what == 3:
        profit[instance.group == instance.group[k]] = profit[k]
    elif len(profit) > 2:
        keep = np.arange(len(profit)) != k
        return replace(
            instance, group=instance.group[keep], bin=instance.bin[keep], profit=profit[keep], weight=weight[keep]
        )
    return replace(instance, profit=profit, weight=weight, capacity=capacity)


def draw_batching(rng: np.random.Generator) -> BatchingInstance:
    """A few requests and nodes; most nodes can hold a few of them only."""
    instance: BatchingInstance = edgeopt.generate(
        "batching", nodes=int(rng.integers(2, 4)), requests=int(rng.integers(2, 8)),
        regime=str(rng.choice(["paper", "both", "all", "fixed"])), load=0.7, seed=int(rng.integers(2**31)),
        name="worst",
    )  # fmt: skip
    return change_batching(rng, instance)


def change_batching(rng: np.random.Generator, instance: BatchingInstance) -> BatchingInstance:
    """Another coverage, deadline, length, or band, speed or memory of a node."""
    requests, nodes = instance.requests, list(instance.nodes)
    columns = {name: column.copy() for name, column in requests.columns().items()}
    i, j = int(rng.integers(len(requests))), int(rng.integers(len(nodes)))
    what = rng.integers(6)
    if what == 0:  # in or out of a node's reach
        reached = np.isfinite(columns["uplink_gain"][j, i])
        for name in ("uplink_gain", "downlink_gain"):
            other = np.nanmedian(columns[name]) if np.isfinite(columns[name]).any() else 1e-9
            columns[name][j, i] = np.nan if reached else other
    elif what == 1:
        columns["deadline_s"][i] *= rng.choice([0.7, 0.9, 1.1, 1.5])
    elif what == 2:
        columns["output_tokens"][i] = rng.choice([128, 256, 512])
    elif what == 3:
        columns["prompt_tokens"][i] = rng.choice([128, 256, 512])
    elif what == 4:
        factor = rng.choice([0.5, 0.8, 1.25, 2.0])
        field = str(rng.choice(["compute_flops", "uplink_bandwidth_hz", "downlink_bandwidth_hz"]))
        nodes[j] = replace(nodes[j], **{field: getattr(nodes[j], field) * factor})
    else:
        k = int(rng.integers(len(requests)))
        for name in ("uplink_gain", "downlink_gain"):
            columns[name][:, i] = columns[name][:, k]
    return replace(instance, nodes=tuple(nodes), requests=replace(requests, **columns))


def ratio(row: Row, instance: Any, order: str) -> Fraction:
    """Exact ratio of the solver's value to the optimum; refuses one below the guarantee."""
    found = edgeopt.solve(instance, row.solver, order=order, **row.options)
    best = edgeopt.solve(instance, "brute-force")
    value, optimum = int(found.value or 0), int(best.value or 0)
    reached = Fraction(value, optimum) if optimum else Fraction(1)
    promised = Fraction(found.guarantee or "1/2")
    if reached < promised:
        raise SystemExit(f"{row.name} in order {order} reaches {reached}, less than {promised}: {instance}")
    return reached


def climb(row: Row, order: str, seed: int, most: int) -> Iterator[tuple[Fraction, Any]]:
    """All instances that a search looks at, with their ratios."""
    rng = np.random.default_rng(seed)
    current, reached, stale = None, Fraction(2), STALE
    for _ in range(most):
        try:
            instance = row.draw(rng) if stale >= STALE else row.change(rng, current)
        except edgeopt.errors.InstanceError:  # the change leaves the range of a field
            continue
        found = ratio(row, instance, order)
        yield found, instance
        if stale >= STALE or found <= reached:
            stale = 0 if stale >= STALE or found < reached else stale + 1
            current, reached = instance, found
        else:
            stale += 1


def main() -> None:
    """Search and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=12_000, help="instances looked at for each solver")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()

    def two(rng: np.random.Generator) -> AssignmentInstance:
        return draw_assignment(rng, 2)

    rows = [
        Row("gah", "gah", {}, draw_batching, change_batching),
        Row("next-bin exact", "next-bin", {}, draw_assignment, change_assignment),
        Row("next-bin exact, 2 capacities", "next-bin", {}, two, change_assignment),
        Row("next-bin fptas 1/2", "next-bin", {"single": "fptas", "epsilon": 0.5}, draw_assignment, change_assignment),
        Row("next-bin greedy", "next-bin", {"single": "greedy"}, draw_assignment, change_assignment),
        Row("next-bin greedy, 2 capacities", "next-bin", {"single": "greedy"}, two, change_assignment),
    ]
    print("| solver | guarantee | order | instances | worst ratio | |\n|---|---|---|---|---|---|")
    for row in rows:
        for order in ("given", "best"):
            looked, worst, at = 0, Fraction(2), None
            for found, instance in climb(row, order, options.seed, options.instances // 2):
                looked += 1
                size = len(getattr(instance, "profit", getattr(instance, "requests", ())))
                if (found, size) < (worst, 10**9 if at is None else at[0]):
                    worst, at = found, (size, instance)
            assert at is not None
            promised = edgeopt.solve(at[1], row.solver, **row.options).guarantee or "1/2"
            name = f"worst-{row.name}-{order}".replace(", ", "-").replace(" ", "-").replace("/", "-")
            print(f"| {row.name} | {promised} | {order} | {looked:,} | {worst} = {float(worst):.4f} | `{name}` |")
            if options.out is not None:
                source = f"worst of {looked} instances by benchmarks/worst_ratio.py --seed {options.seed}"
                folder = options.out / at[1].problem
                folder.mkdir(parents=True, exist_ok=True)
                edgeopt.write(replace(at[1], name=name, source=source), folder / f"{name}.json")


if __name__ == "__main__":
    main()
