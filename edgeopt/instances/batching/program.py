"""Batching in the common form that proofs speak of: a choice is a request on a node."""

from __future__ import annotations

import numpy as np

from edgeopt.errors import AssumptionError
from edgeopt.instances.batching.instance import BatchingInstance
from edgeopt.instances.program import Program


def program(instance: BatchingInstance) -> Program:
    """The compiled instance as a multiple-choice program.

    Groups are requests, bins are nodes, resources are uplink, downlink, memory and compute; choices are in the
    order of nodes, within a node in the order of its requests. The compute capacity of a bin is the largest
    budget, so that only the budgets bind.

    Raises
    ------
    AssumptionError
        Under the roofline latency, whose fixed part is none of the form's.
    """
    if instance.latency != "flops":
        raise AssumptionError(
            f"{instance.name}: proof trees know the paper's latency only, not the {instance.latency}; "
            "cpsat and highs agree where both end (certify --against cpsat,highs)"
        )
    nodes = instance.compiled.nodes
    weight, capacity = [], []
    for node in nodes:
        kind = node.length_class
        down = node.class_tokens[kind] if node.downlink is None else node.downlink
        weight.append(np.column_stack([node.uplink, down, node.class_memory[kind], node.class_compute[kind]]))
        most = int(node.budget.max(initial=0))
        capacity.append([node.uplink_capacity, node.downlink_capacity, node.memory_capacity, most])
    group = np.concatenate([node.request for node in nodes])
    return Program(
        sense="max",
        exactly_one=False,
        groups=len(instance.requests),
        group=group,
        bin=np.repeat(np.arange(len(nodes), dtype=np.int64), [node.size for node in nodes]),
        profit=np.ones(len(group), dtype=np.int64),
        weight=np.concatenate(weight).reshape(-1, 4),
        capacity=np.array(capacity, dtype=np.int64),
        budget=np.concatenate([node.budget for node in nodes]),
    )
