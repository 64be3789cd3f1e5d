"""The slide problem: users download models and run them at once, as many as possible served on time (SLIDE)."""

from edgeopt.instances.base import Problem
from edgeopt.instances.slide import allocation, check, compiled_check, file, generate
from edgeopt.instances.slide.allocation import Allocation
from edgeopt.instances.slide.instance import LayerTable, Models, SlideInstance, Users

_SOLVERS: dict[str, str] = {
    "plain": "slide",
    "weighted": "weighted-dp",
    "multicast": "multicast",
    "time-varying": "time-varying",
    "concave": "slide-concave",
}


def _solver(instance: SlideInstance) -> str:
    """The exact algorithm of the instance's variant."""
    return _SOLVERS[instance.variant]


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
    default_solver=_solver,
    exact_solver=_solver,
    size="users",
)

__all__ = ["PROBLEM", "Allocation", "LayerTable", "Models", "SlideInstance", "Users"]
