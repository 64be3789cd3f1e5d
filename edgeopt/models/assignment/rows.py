"""The capacity rows of the assignment problem, whatever the modelling language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from edgeopt.instances.assignment import AssignmentInstance
from edgeopt.instances.assignment.instance import IntArray


class Row(NamedTuple):
    """``sum(weight[i] x[choices[i]]) <= capacity``."""

    choices: IntArray
    weight: IntArray
    capacity: int


def capacities(instance: AssignmentInstance) -> Iterator[Row]:
    """One row a bin and dimension, over the choices that weigh something."""
    for choices, capacity in zip(instance.by_bin, instance.capacity.tolist(), strict=True):
        for dimension, most in enumerate(capacity):
            weight = instance.weight[choices, dimension]
            heavy = weight > 0
            yield Row(choices[heavy], weight[heavy], most)


def binding(instance: AssignmentInstance) -> Iterator[Row]:
    """The rows that all choices together would break."""
    return (row for row in capacities(instance) if int(row.weight.sum()) > row.capacity)
