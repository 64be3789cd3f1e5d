"""The steps of a mode as a directed graph: validated acyclic, in topological order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgeopt.instances.decomposition.instance import Step

if TYPE_CHECKING:
    import networkx


def graph_of(steps: Sequence[Step]) -> networkx.DiGraph[Any]:
    """A `networkx.DiGraph` with a vertex a step (its `Step` as the attribute ``step``) and an edge a dependency."""
    import networkx

    graph: networkx.DiGraph[Any] = networkx.DiGraph()
    for step in steps:
        graph.add_node(step.id, step=step)
    graph.add_edges_from((before, step.id) for step in steps for before in step.after)
    return graph


def topological(steps: Sequence[Step]) -> list[int] | None:
    """Places of the steps, each after those it comes after, else as listed; None if there is a cycle."""
    place = {step.id: index for index, step in enumerate(steps)}
    waits = [len(step.after) for step in steps]
    followers: list[list[int]] = [[] for _ in steps]
    for index, step in enumerate(steps):
        for before in step.after:
            followers[place[before]].append(index)
    ready = [index for index, count in enumerate(waits) if not count]
    order = []
    while ready:
        index = min(ready) if len(ready) > 1 else ready[0]
        ready.remove(index)
        order.append(index)
        for follower in followers[index]:
            waits[follower] -= 1
            if not waits[follower]:
                ready.append(follower)
    return order if len(order) == len(steps) else None


def cycle(steps: Sequence[Step]) -> list[str]:
    """The steps of a cycle in order, the first one again at the end."""
    before = {step.id: step.after for step in steps}
    left = dict(before)
    while True:  # what is left after stripping all that can be ordered holds a cycle
        free = [name for name, names in left.items() if not any(other in left for other in names)]
        if not free:
            break
        for name in free:
            del left[name]
    name = next(iter(left))
    path: list[str] = []
    while name not in path:
        path.append(name)
        name = next(other for other in before[name] if other in left)
    loop = path[path.index(name) :][::-1]
    return [*loop[-1:], *loop]


def sinks(steps: Sequence[Step]) -> list[int]:
    """Places of the steps that nothing comes after."""
    needed = {before for step in steps for before in step.after}
    return [index for index, step in enumerate(steps) if step.id not in needed]
