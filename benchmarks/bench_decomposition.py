"""List scheduling over size, the priced bound against CP-SAT's, and how far list scheduling and local search are off.

    python benchmarks/bench_decomposition.py [growth] [bounds] [closed]

- `growth`: 10 to 10,000 tasks of five subtasks on twelve nodes, compiling the instance and scheduling it apart, in
  seconds of the processor, one thread; `a task` shows whether the cost of a task grows.
- `bounds`: sixty tasks of six steps. List scheduling and local search give the incumbent; then `priced` and CP-SAT
  have the same wall-clock time and start for their bounds. `closer` is CP-SAT's distance over ours.
- `closed`: small instances that CP-SAT closes; value of `list`, and of `local-search`, as latency and reward a task.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import edgeopt
from edgeopt.instances.decomposition import DecompositionInstance
from edgeopt.instances.decomposition.compiled import compile_decomposition
from edgeopt.instances.decomposition.schedule import breakdown
from edgeopt.result import BoundEvidence
from edgeopt.solvers.decomposition.decoder import Decoder

SIZES = (10, 100, 1000, 10_000)
REPEATS = 5


def seconds(function: Callable[[], Any]) -> float:
    """Median time of the processor over a few calls."""
    times = []
    for _ in range(REPEATS):
        begin = time.process_time()
        function()
        times.append(time.process_time() - begin)
    return statistics.median(times)


def growth() -> Iterator[Sequence[Any]]:
    """A line a size."""
    yield "tasks", "steps", "nodes", "compile_s", "list_s", "list_us_a_task", "list_thorough_s", "reward_a_task"
    for tasks in SIZES:
        instance: DecompositionInstance = edgeopt.generate(
            "decomposition", seed=1, aps=6, devices=6, tasks=tasks, steps=(5, 5), rate_per_s=0.3
        )
        compiled = instance.compiled
        decoder = Decoder(compiled)
        order = decoder.by_arrival()
        decoder.run(order)  # compiled once
        plain = seconds(lambda decoder=decoder, order=order: decoder.run(order, thorough=False))  # type: ignore[misc]
        thorough = seconds(lambda decoder=decoder, order=order: decoder.run(order))  # type: ignore[misc]
        value = edgeopt.solve(instance, "list").value
        steps = len(compiled.arrays.option_start) - 1
        made = seconds(lambda instance=instance: compile_decomposition(instance)) if tasks < 10_000 else None  # type: ignore[misc]
        reward = float((value or 0) * compiled.reward_unit) / tasks
        yield tasks, steps, len(instance.nodes), made, plain, 1e6 * plain / tasks, thorough, reward


def bounds(limit: float) -> Iterator[Sequence[Any]]:
    """A line an instance."""
    yield "rate_per_s", "seed", "incumbent", "priced_bound", "cpsat_bound", "priced_gap", "cpsat_gap", "closer"
    for rate in (0.1, 0.3):
        for seed in (1, 2):
            instance = edgeopt.generate("decomposition", seed=seed, tasks=60, steps=(5, 5), rate_per_s=rate)
            start = edgeopt.solve(instance, "local-search", bound=False, seed=seed)
            ours = edgeopt.solve(instance, "priced", time_limit=limit, start=start.solution, steps=10_000)
            theirs = edgeopt.solve(instance, "cpsat", time_limit=limit, start=start.solution)
            best = max(result.value or 0 for result in (start, ours, theirs))
            gaps = [None if r.bound is None else r.bound - best for r in (ours, theirs)]
            closer = None if None in gaps or not gaps[0] else gaps[1] / gaps[0]
            assert ours.bound_evidence is BoundEvidence.CLAIMED
            yield rate, seed, best, ours.bound, theirs.bound, *gaps, closer


def closed(limit: float) -> Iterator[Sequence[Any]]:
    """Means over the instances that CP-SAT closes."""
    yield "solver", "instances", "closed", "latency_over_optimal", "reward_below_optimal", "worst_reward_below"
    found: dict[str, list[tuple[float, float]]] = {"decomposition-aware": [], "list": [], "local-search": []}
    tried = done = 0
    for seed in range(1, 13):
        instance = edgeopt.generate("decomposition", seed=seed, tasks=5, aps=2, devices=3, steps=(2, 3), tick_s=0.01)
        least = edgeopt.generate(
            "decomposition", seed=seed, tasks=5, aps=2, devices=3, steps=(2, 3), tick_s=0.01, objective="latency",
            correctness_floor=0.2,
        )  # fmt: skip
        tried += 1
        start = edgeopt.solve(instance, "local-search", bound=False, seed=seed)
        best = edgeopt.solve(instance, "cpsat", time_limit=limit, start=start.solution)
        quickest = edgeopt.solve(least, "cpsat", time_limit=limit)
        if not best.closed or not quickest.closed:
            continue
        done += 1
        for name, rows in found.items():
            options: dict[str, Any] = {"bound": False} if name == "local-search" else {}
            own = edgeopt.solve(instance, name, seed=seed, **options)
            fast = edgeopt.solve(least, name, seed=seed, **options)
            reward = np.mean([row.reward for row in breakdown(instance, best.solution)])
            reward -= np.mean([row.reward for row in breakdown(instance, own.solution)])
            latency = float("nan") if fast.value is None else fast.value / (quickest.value or 1) - 1
            rows.append((latency, float(reward)))
    for name, rows in found.items():
        late, less = (np.array(column) for column in zip(*rows, strict=True))
        yield name, tried, done, float(np.nanmean(late)), float(less.mean()), float(less.max())


def shown(value: Any) -> str:
    """A cell: floats with three digits, nothing where nothing was measured."""
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["growth", "bounds", "closed"])
    parser.add_argument("--limit", type=float, default=60.0, help="seconds a bound")
    options = parser.parse_args()
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    makers = {"growth": growth, "bounds": lambda: bounds(options.limit), "closed": lambda: closed(options.limit)}
    for part in options.parts:
        print(f"\n{part}\n")
        for number, line in enumerate(makers[part]()):
            print(f"| {' | '.join(map(shown, line))} |", flush=True)
            if not number:
                print(f"|{'---|' * len(line)}")


if __name__ == "__main__":
    main()
