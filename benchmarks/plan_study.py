"""Planners compared on what turns out to be so: reward and latency of real decompositions placed by their estimates.

    python benchmarks/plan_study.py PLANS.jsonl [--seeds 10] [--tasks 40]

Tasks are AsyncHow plans with real steps and edges. What is real of a step's size is the class of its duration; its
output tokens are a stand-in for it (`TOKENS`), and so is its difficulty (`DIFFICULTY`); nothing else is made up but the
room, the arrivals and the prompt. Each planner gives tokens, difficulty and edges; the decomposition-aware scheduler
places the steps by that; then the steps run where they were placed with the true edges and sizes, and that is what
counts. `table` knows the truth, `distilled` has learned from the plans that are not used here, `untrained` takes a
chain of equal steps. Errors of the distilled planner are on these held-out plans.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

import edgeopt
from edgeopt.instances.decomposition import DecompositionInstance, Task
from edgeopt.instances.decomposition.asynchow import read_plans
from edgeopt.instances.decomposition.realised import with_estimates
from edgeopt.instances.decomposition.schedule import breakdown
from edgeopt.planners import Plan, PlannedStep, Planner, mode_of
from edgeopt.planners.distilled import DistilledPlanner, Lesson, errors_of
from edgeopt.planners.lessons import lessons_of
from edgeopt.planners.table import TablePlanner
from edgeopt.planners.untrained import UntrainedPlanner
from edgeopt.plots.statistics import mean_of
from edgeopt.solvers.decomposition.decoder import Decoder

TOKENS, DIFFICULTY = (60, 120, 240, 480), (-1.5, -0.5, 0.5, 1.5)
"""Of each class of durations."""
MERGE = PlannedStep("merge", "merge the results", [], -1.5, 60)


def table_of(lessons: Sequence[Lesson]) -> TablePlanner:
    """The planner that knows the truth."""
    plans = {}
    for lesson in lessons:
        steps = [
            PlannedStep(
                str(place + 1), text, [str(a + 1) for a, b in sorted(lesson.edges) if b == place],
                DIFFICULTY[size], TOKENS[size],
            )
            for place, (text, size) in enumerate(zip(lesson.steps, lesson.sizes, strict=True))
        ]  # fmt: skip
        plans[lesson.text] = Plan(tuple(steps))
    return TablePlanner(plans)


def planned(instance: DecompositionInstance, planner: Planner) -> DecompositionInstance:
    """The instance as a planner sees its tasks."""
    modes = [[mode_of(planner.plan(task.text), prompt_tokens=200, aggregator=MERGE)] for task in instance.tasks]
    return with_estimates(instance, modes)


def realised_of(truth: DecompositionInstance, estimated: DecompositionInstance) -> tuple[float, float]:
    """Mean reward and latency (s) of the true tasks with their steps where the estimates would have them."""
    decoder = Decoder(estimated.compiled)
    order = decoder.by_arrival()
    decoder.run(order, thorough=False)
    where = decoder.node.copy()
    true = Decoder(truth.compiled)
    true.run(order, want=where)
    rows = breakdown(truth, true.schedule())
    return float(np.mean([row.reward for row in rows])), float(np.mean([row.latency_s for row in rows]))


def main() -> None:
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plans")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--tasks", type=int, default=40)
    options = parser.parse_args()
    lessons = lessons_of(read_plans(options.plans))
    order = np.random.default_rng(0).permutation(len(lessons))
    known = [lessons[place] for place in order[: len(lessons) * 4 // 5]]
    held = [lessons[place] for place in order[len(lessons) * 4 // 5 :]]
    distilled = DistilledPlanner(TOKENS, DIFFICULTY).fit(known)
    errors = errors_of(distilled, held)
    print(f"{len(known)} plans to learn from, {len(held)} held out with {errors.steps} steps and {errors.edges} edges")
    print(f"class of a step: {errors.size_accuracy:.3f} right, {errors.size_majority:.3f} with the most frequent class")
    print(f"edges: F1 {errors.edge_f1:.3f}, {errors.chain_f1:.3f} of a chain\n")
    planners: dict[str, Planner] = {
        "table": table_of(lessons),
        "distilled": distilled,
        "untrained": UntrainedPlanner(0.0, 120),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in planners}
    for seed in range(1, options.seeds + 1):
        rng = np.random.default_rng(seed)
        chosen = [held[place] for place in rng.choice(len(held), options.tasks, replace=False)]
        room = edgeopt.generate("decomposition", seed=seed, tasks=options.tasks)
        tasks = [
            Task(task.id, task.device, task.modes, task.arrival_s, text=lesson.text)
            for task, lesson in zip(room.tasks, chosen, strict=True)
        ]
        instance = replace(room, tasks=tuple(tasks))
        truth = planned(instance, planners["table"])
        for name, planner in planners.items():
            found[name].append(realised_of(truth, planned(instance, planner)))
    print("| planner | seeds | reward | low | high | latency_s | low | high |\n|---|---|---|---|---|---|---|---|")
    for name, rows in found.items():
        numbers = [number for column in zip(*rows, strict=True) for number in mean_of(column)]
        print(
            f"| {name} | {options.seeds} | {' | '.join(f'{number:.3f}' for number in numbers if number is not None)} |"
        )


if __name__ == "__main__":
    main()
