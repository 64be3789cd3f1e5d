"""Hypothesis strategies for the decomposition problem: small instances with all corners, and schedules of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from edgeopt.instances.decomposition import (
    Channel,
    Context,
    DecompositionInstance,
    Link,
    Mode,
    Node,
    Schedule,
    Step,
    Task,
)
from edgeopt.instances.decomposition.instance import OBJECTIVES, Access
from edgeopt.instances.decomposition.schedule import NONE, ends

_TICKS = (1.0, 1.0, 1.0, 1e-6, 1e-3, 1e3)
_ACCESS: tuple[Access, ...] = ("scheduled", "scheduled", "contention")
_RIGHTS = (1.0, 0.9, 0.5, 0.75, 0.0, 0.999999, 0.3333337)


@st.composite
def decomposition_instances(
    draw: DrawFn,
    *,
    min_tasks: int = 0,
    max_tasks: int = 3,
    max_aps: int = 2,
    max_steps: int = 3,
    objectives: tuple[str, ...] = OBJECTIVES,
) -> DecompositionInstance:
    """Small instances with all their corners.

    Among them: no tasks, nodes without links, ties, steps and transfers that take no time, correctness 0 and 1, one
    mode or two, deadlines that nothing keeps, floors that nothing reaches, nodes with slots for all or two of them,
    contention, wires, shared contexts, graphs of any shape, times that are no whole ticks, and units from microseconds
    to hours.

    Parameters
    ----------
    min_tasks, max_tasks, max_aps, max_steps : int
    objectives : tuple of str
    """
    tick = draw(st.sampled_from(_TICKS))
    aps = draw(st.integers(0 if max_aps == 0 else draw(st.sampled_from((0, 1, 1, 1))), max_aps))
    devices = draw(st.integers(1, 2))
    even = draw(st.sampled_from((True, True, False)))
    nodes = [
        Node(f"ap{i}", "ap", 0.5, 1.0, 1.0 / tick, draw(st.sampled_from((1.0, 1.0, 2.0, 0.0))),
             draw(st.sampled_from((1, 1, 1, 2, 50))))
        for i in range(aps)
    ] + [Node(f"ue{i}", "device", 0.5, 1.0, 1.0 / tick) for i in range(devices)]  # fmt: skip
    access: Access = draw(st.sampled_from(_ACCESS))
    channels = [Channel("air", access)] if draw(st.booleans()) or aps else []
    links = []
    for i in range(devices):
        for j in range(aps):
            if draw(st.sampled_from((True, True, True, False))):
                rate = 8.0 / tick * draw(st.sampled_from((1.0, 1.0, 2.0, 0.3)))
                overhead = tick * draw(st.sampled_from((0.0, 0.0, 1.0, 0.25)))
                frame = draw(st.sampled_from((1000, 1000, 2)))
                links.append(
                    Link(f"ue{i}", f"ap{j}", rate, overhead, frame, draw(st.sampled_from(("air", "air", None))))
                )
    if aps == 2 and draw(st.booleans()):
        links.append(Link("ap0", "ap1", 8.0 / tick, 0.0, 1000))
    objective = draw(st.sampled_from(objectives))
    count = draw(st.sampled_from((*[max_tasks] * 4, *range(min_tasks, max_tasks + 1))))
    tasks = [
        draw(_task(index, devices, [node.name for node in nodes], max_steps, tick, even, objective == "on-time"))
        for index in range(count)
    ]
    if count > 1 and draw(st.sampled_from((False, False, True))):
        tasks = [Task(f"t{i}", t.device, t.modes, t.arrival_s, t.deadline_s) for i, t in enumerate(tasks[:1] * count)]
    return DecompositionInstance(
        name="drawn",
        nodes=tuple(nodes),
        tasks=tuple(tasks),
        channels=tuple(channels),
        links=tuple(links),
        objective=objective,  # type: ignore[arg-type]
        accuracy_weight=draw(st.sampled_from((1.0, 1.0, 2.0, 0.0))),
        delay_weight_per_s=float(f"{draw(st.sampled_from((0.01, 0.02, 0.1, 0.0))) / tick:.6g}"),
        correctness_floor=draw(st.sampled_from((0.0, 0.5, 0.3, 0.9))) if objective == "latency" else 0.0,
        aggregation=draw(st.sampled_from(("product", "product", "mean"))),
        tick_s=tick,
        source="edgeopt.testing",
    )


@st.composite
def _task(
    draw: DrawFn, index: int, devices: int, names: list[str], max_steps: int, tick: float, even: bool, timed: bool
) -> Task:
    modes = [Mode("whole", [draw(_step("all", [], names, tick, even))])]
    if draw(st.sampled_from((True, True, False))):
        steps: list[Step] = []
        for place in range(draw(st.integers(1, max_steps))):
            taken: list[bool] = draw(st.lists(st.booleans(), min_size=place, max_size=place))
            before = [step.id for step, needed in zip(steps, taken, strict=True) if needed]
            steps.append(draw(_step(f"s{place}", before, names, tick, even)))
        modes.append(Mode("split", steps))
        if draw(st.sampled_from((False, False, True))):
            modes.reverse()
    arrival = tick * draw(st.sampled_from((0.0, 0.0, 1.0, 2.0, 3.0 if even else 0.5)))
    deadline = draw(st.none() | st.sampled_from((10.0, 20.0, 3.0, 0.0)))
    if timed and deadline is None:
        deadline = 8.0
    return Task(
        f"t{index}",
        f"ue{draw(st.integers(0, devices - 1))}",
        modes,
        arrival,
        None if deadline is None else tick * deadline,
    )


@st.composite
def _step(draw: DrawFn, name: str, before: list[str], names: list[str], tick: float, even: bool) -> Step:
    """A step of a few ticks: a token written takes one on every node."""
    context = None
    reads = draw(st.sampled_from((0, 0, 1, 2)))
    times: dict[str, float] = {}
    for node in names:
        if draw(st.sampled_from((True, False))):
            times[node] = tick * draw(st.sampled_from((1.0, 2.0, 3.0, 0.0) if even else (1.0, 2.5, 0.3, 7.0)))
    shares: bool = draw(st.sampled_from((True, False)))
    if before and shares:
        context = Context(before[0], min(reads, draw(st.integers(0, 2))), draw(st.sampled_from((0.0, 0.5, -0.5))))
    rights = {node: draw(st.sampled_from(_RIGHTS)) for node in names if draw(st.booleans())}
    return Step(
        name,
        input_tokens=round(reads) if tick == 1.0 else 0,
        output_tokens=draw(st.integers(0, 4)),
        difficulty=draw(st.sampled_from((0.0, 0.0, -1.0, 0.7, 3.0))),
        after=before,
        input_bytes=draw(st.sampled_from((0, 1, 2, 3))),
        output_bytes=draw(st.sampled_from((0, 1, 1, 2))),
        weight=draw(st.sampled_from((1.0, 1.0, 2.0, 0.25))),
        correctness=rights or None,
        time_s=times or None,
        context=context if tick == 1.0 or context is None else Context(context.step, 0, context.logit),
    )


@st.composite
def schedules(draw: DrawFn, instance: DecompositionInstance) -> Schedule:
    """Schedules of an instance, feasible or not: any mode, any allowed node, any start."""
    compiled = instance.compiled
    a = compiled.lists()
    mode, node, start, transfer = [], [], [], []
    for task in range(compiled.tasks):
        own = draw(st.integers(0, a.mode_start[task + 1] - a.mode_start[task] - 1))
        mode.append(own)
        chosen = a.mode_start[task] + own
        first = a.step_start[chosen]
        nodes: list[Any] = []
        for step in range(first, a.step_start[chosen + 1]):
            nodes.append(a.option_node[draw(st.integers(a.option_start[step], a.option_start[step + 1] - 1))])
            start.append(draw(st.integers(0, 30)))
        node += nodes
        for edge in range(a.edge_start[chosen], a.edge_start[chosen + 1]):
            source, target = ends(compiled, task, edge, nodes, first)
            moved = source != target if draw(st.sampled_from((*[True] * 8, False))) else draw(st.booleans())
            transfer.append(draw(st.integers(0, 30)) if moved else NONE)
    return Schedule(*(np.array(column, dtype=np.int64) for column in (mode, node, start, transfer)))


def binding_limits(instance: DecompositionInstance) -> set[str]:
    """What makes an instance harder than doing every task as if it were alone.

    Returns
    -------
    set of str
        ``capacity``: the critical paths cannot all be had at once. ``modes``: some task has several. ``places``: some
        step has several nodes that differ. ``limits``: a deadline or a floor is there.
    """
    from edgeopt.solvers.base import Control
    from edgeopt.solvers.decomposition.local_search import local_search

    found = set()
    answer = local_search(instance, Control(seed=1), rounds=30, bound=False)
    if answer.claimed_value is None or answer.claimed_value != answer.bound:
        found.add("capacity")
    a = instance.compiled.arrays
    if (np.diff(a.mode_start) > 1).any():
        found.add("modes")
    for step in range(len(a.option_start) - 1):
        own = slice(int(a.option_start[step]), int(a.option_start[step + 1]))
        if len(np.unique(a.option_ticks[own, 0])) > 1 or len(np.unique(a.option_right[own, 0])) > 1:
            found.add("places")
    if instance.correctness_floor or any(task.deadline_s is not None for task in instance.tasks):
        found.add("limits")
    return found
