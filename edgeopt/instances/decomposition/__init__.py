"""The decomposition problem: tasks split into steps, placed on devices and WiFi access points, and scheduled."""

from edgeopt.instances.base import Problem
from edgeopt.instances.decomposition import check, compiled_check, file, generate, schedule
from edgeopt.instances.decomposition.instance import (
    Actual,
    Channel,
    Context,
    DecompositionInstance,
    Link,
    Mode,
    Node,
    Step,
    Task,
)
from edgeopt.instances.decomposition.schedule import Schedule

PROBLEM = Problem(
    name="decomposition",
    sense="max",
    objective="total reward, in units of the compiled form",
    decode=file.decode,
    encode=file.encode,
    encode_arrays=file.encode_arrays,
    decode_solution=schedule.decode_solution,
    encode_solution=schedule.encode_solution,
    value=schedule.value,
    compiled_violations=compiled_check.compiled_violations,
    violations=check.violations,
    generate=generate.generate,
    schema=file.schema,
    default_solver="local-search",
    exact_solver="cpsat",
)

__all__ = [
    "PROBLEM",
    "Actual",
    "Channel",
    "Context",
    "DecompositionInstance",
    "Link",
    "Mode",
    "Node",
    "Schedule",
    "Step",
    "Task",
]
