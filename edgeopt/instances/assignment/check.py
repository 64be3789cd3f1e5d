"""The executable specification: exact violations, one choice at a time, in Python's integers.

It shares no code with `solution.compiled_violations`, the models or the solvers.
"""

from __future__ import annotations

from collections import defaultdict

from edgeopt.instances.assignment.instance import AssignmentInstance
from edgeopt.instances.assignment.solution import Assignment
from edgeopt.instances.base import Violation


def violations(instance: AssignmentInstance, solution: Assignment) -> list[Violation]:
    """Every constraint that a solution breaks.

    Returns
    -------
    list of Violation
        Empty iff the solution is feasible, in exact arithmetic.
    """
    entries = [int(entry) for entry in solution.choice]
    if len(entries) != instance.groups:
        return [Violation("one entry a group", "solution", f"{len(entries)} entries", f"{instance.groups} groups")]
    found: list[Violation] = []
    load: defaultdict[tuple[int, int], int] = defaultdict(int)
    for group, entry in enumerate(entries):
        where = f"group {group}"
        if entry == -1:
            if instance.pick == "exactly-one":
                found.append(Violation("exactly one choice", where, "none", "one choice"))
            continue
        if not 0 <= entry < len(instance.group):
            found.append(Violation("known choice", where, f"choice {entry}", f"{len(instance.group)} choices"))
            continue
        if int(instance.group[entry]) != group:
            own = f"group {int(instance.group[entry])}"
            found.append(Violation("own choice", where, f"choice {entry} of {own}", "the choices of its group"))
        for dimension in range(instance.dimensions):
            load[int(instance.bin[entry]), dimension] += int(instance.weight[entry, dimension])
    for (j, dimension), demand in sorted(load.items()):
        capacity = int(instance.capacity[j, dimension])
        if demand > capacity:
            found.append(Violation("capacity", f"bin {j}, dimension {dimension}", str(demand), str(capacity)))
    return found
