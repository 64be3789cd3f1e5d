"""The batching problem: LLM requests over edge nodes, as many as possible served on time (OT-GAH, P1)."""

from edgeopt.instances.base import Problem
from edgeopt.instances.batching import check, file, generate, program, schedule
from edgeopt.instances.batching.instance import BatchingInstance, Node, Requests
from edgeopt.instances.batching.node import NodeProblem
from edgeopt.instances.batching.schedule import Schedule

PROBLEM = Problem(
    name="batching",
    sense="max",
    objective="requests served",
    decode=file.decode,
    encode=file.encode,
    encode_arrays=file.encode_arrays,
    decode_solution=schedule.decode_solution,
    encode_solution=schedule.encode_solution,
    value=schedule.value,
    compiled_violations=schedule.compiled_violations,
    violations=check.violations,
    generate=generate.generate,
    schema=file.schema,
    default_solver="gah",
    exact_solver="close",
    size="requests",
    program=program.program,
)

__all__ = ["PROBLEM", "BatchingInstance", "Node", "NodeProblem", "Requests", "Schedule"]
