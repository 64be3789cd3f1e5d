"""What the paper compares with: local only and nearest edge; also the best single node, and random choices.

A task that has no mode of one step has all steps of its first mode on the one node.
"""

from __future__ import annotations

import numpy as np

from edgeopt.instances.decomposition.compiled import UNREACHABLE, IntArray
from edgeopt.instances.decomposition.instance import DecompositionInstance
from edgeopt.instances.decomposition.schedule import option_of, value
from edgeopt.result import Answer
from edgeopt.solvers.base import Control
from edgeopt.solvers.decomposition.decoder import Decoder
from edgeopt.solvers.decomposition.listing import feasible


def local_only(instance: DecompositionInstance, control: Control) -> Answer:
    """Every task whole on its device."""
    device = instance.compiled.arrays.device
    return _fixed(instance, whole_modes(instance), device)


def nearest_edge(instance: DecompositionInstance, control: Control) -> Answer:
    """Every task whole on the access point with the fastest link to its device; on the device where there is none."""
    return _fixed(instance, whole_modes(instance), nearest(instance))


def best_single_node(instance: DecompositionInstance, control: Control) -> Answer:
    """Every task whole, as it arrives on the node that gains most with the queues as they are."""
    decoder = Decoder(instance.compiled)
    decoder.run(decoder.by_arrival(), whole_modes(instance))
    return _checked(instance, decoder)


def random_choice(instance: DecompositionInstance, control: Control) -> Answer:
    """A random mode for each task, a random allowed node for each step, tasks by arrival."""
    compiled = instance.compiled
    a, rng = compiled.arrays, np.random.default_rng(control.seed)
    modes = rng.integers(0, np.diff(a.mode_start)) if compiled.tasks else np.zeros(0, dtype=np.int64)
    options = np.diff(a.option_start)
    want = a.option_node[a.option_start[:-1] + rng.integers(0, options)] if len(options) else np.zeros(0, np.int64)
    decoder = Decoder(compiled)
    decoder.run(decoder.by_arrival(), modes.astype(np.int64), want.astype(np.int64))
    return _checked(instance, decoder)


def whole_modes(instance: DecompositionInstance) -> IntArray:
    """The first mode of one step of each task, or its first mode (N,)."""
    found = [
        next((index for index, mode in enumerate(task.modes) if len(mode.steps) == 1), 0) for task in instance.tasks
    ]
    return np.array(found, dtype=np.int64)


def nearest(instance: DecompositionInstance) -> IntArray:
    """The access point with the fastest link to the device of each task, or the device (N,)."""
    names = {node.name: index for index, node in enumerate(instance.nodes)}
    best: dict[str, tuple[float, int]] = {}
    for link in instance.links:
        for one, other in ((link.a, link.b), (link.b, link.a)):
            if instance.nodes[names[other]].kind == "ap":
                offer = (link.rate_bit_per_s, -names[other])
                best[one] = max(best.get(one, offer), offer)
    found = [-best[task.device][1] if task.device in best else names[task.device] for task in instance.tasks]
    return np.array(found, dtype=np.int64)


def _fixed(instance: DecompositionInstance, modes: IntArray, node: IntArray) -> Answer:
    """All steps of a task on one node, where it may be."""
    compiled = instance.compiled
    a = compiled.arrays
    want = np.full(len(a.option_start) - 1, -1, dtype=np.int64)
    for task, (mode, at) in enumerate(zip((a.mode_start[:-1] + modes).tolist(), node.tolist(), strict=True)):
        for step in range(a.step_start[mode], a.step_start[mode + 1]):
            if option_of(compiled, step, at) >= 0 and a.channel[at, a.device[task]] != UNREACHABLE:
                want[step] = at
    decoder = Decoder(compiled)
    decoder.run(decoder.by_arrival(), modes, want)
    return _checked(instance, decoder)


def _checked(instance: DecompositionInstance, decoder: Decoder) -> Answer:
    found = feasible(instance, decoder.schedule())
    if found is None:
        return Answer(None, message="its choice breaks a limit: a deadline, or the floor of the correctness")
    return Answer(found, claimed_value=value(instance, found))
