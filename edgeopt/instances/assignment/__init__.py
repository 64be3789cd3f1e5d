"""The general assignment problem: groups of choices, bins with several capacities, profits or costs.

The multiple-choice form subsumes multi-dimensional generalised assignment, multiple and multi-dimensional
knapsacks, and the multiple-choice multi-dimensional knapsack (MMKP).
"""

from edgeopt.instances.assignment import check, file, formats, generate, program, solution
from edgeopt.instances.assignment.instance import AssignmentInstance
from edgeopt.instances.assignment.solution import Assignment
from edgeopt.instances.base import Problem

PROBLEM = Problem(
    name="assignment",
    sense="max",
    objective="total profit or cost",
    decode=file.decode,
    encode=file.encode,
    encode_arrays=file.encode_arrays,
    decode_solution=solution.decode_solution,
    encode_solution=solution.encode_solution,
    value=solution.value,
    compiled_violations=solution.compiled_violations,
    violations=check.violations,
    generate=generate.generate,
    schema=file.schema,
    default_solver="highs",
    exact_solver="close",
    size="items",
    program=program.program,
    formats=formats.FORMATS,
)

__all__ = ["PROBLEM", "Assignment", "AssignmentInstance"]
