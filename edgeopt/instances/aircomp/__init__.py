"""The AirComp problem: devices share the layers of a language model and sum their results over the air."""

from edgeopt.instances.aircomp import check, file, generate, plan
from edgeopt.instances.aircomp.instance import AirCompInstance, Devices
from edgeopt.instances.aircomp.plan import Design, Plan
from edgeopt.instances.base import Problem

PROBLEM = Problem(
    name="aircomp",
    sense="min",
    objective="mean squared error, in the instance's unit",
    decode=file.decode,
    encode=file.encode,
    encode_arrays=file.encode_arrays,
    decode_solution=plan.decode_solution,
    encode_solution=plan.encode_solution,
    value=plan.value,
    compiled_violations=plan.violations,
    violations=check.violations,
    generate=generate.generate,
    schema=file.schema,
    default_solver="joint",
    exact_solver="joint",
)

__all__ = ["PROBLEM", "AirCompInstance", "Design", "Devices", "Plan"]
