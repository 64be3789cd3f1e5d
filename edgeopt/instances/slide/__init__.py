"""The slide problem: users download models and run them at once, as many as possible served on time (SLIDE)."""

from edgeopt.instances.base import Problem
from edgeopt.instances.slide import allocation, check, compiled_check, file, generate
from edgeopt.instances.slide.allocation import Allocation
from edgeopt.instances.slide.instance import LayerTable, Models, SlideInstance, Users

PROBLEM = Problem(
    name="slide",
    sense="max",
    objective="users served",
    decode=file.decode,
    encode=file.encode,
    encode_arrays=file.encode_arrays,
    decode_solution=allocation.decode_solution,
    encode_solution=allocation.encode_solution,
    value=allocation.value,
    compiled_violations=compiled_check.compiled_violations,
    violations=check.violations,
    generate=generate.generate,
    schema=file.schema,
    default_solver="slide",
    exact_solver="slide",
)

__all__ = ["PROBLEM", "Allocation", "LayerTable", "Models", "SlideInstance", "Users"]
