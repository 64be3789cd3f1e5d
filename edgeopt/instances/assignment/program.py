"""Assignment in the common form that proofs speak of, which it nearly is already."""

from __future__ import annotations

from edgeopt.instances.assignment.instance import AssignmentInstance
from edgeopt.instances.program import Program


def program(instance: AssignmentInstance) -> Program:
    """The instance as a multiple-choice program without deadline budgets; choices keep their order."""
    return Program(
        sense=instance.sense,
        exactly_one=instance.pick == "exactly-one",
        groups=instance.groups,
        group=instance.group,
        bin=instance.bin,
        profit=instance.profit,
        weight=instance.weight,
        capacity=instance.capacity,
    )
