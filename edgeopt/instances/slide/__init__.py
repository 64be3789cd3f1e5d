"""The slide problem: users download models and run them at once, as many as possible served on time (SLIDE)."""

import numpy as np

from edgeopt.instances.base import Problem
from edgeopt.instances.slide import allocation, check, compiled_check, file, generate
from edgeopt.instances.slide.allocation import Allocation
from edgeopt.instances.slide.instance import MULTICAST, LayerTable, Models, SlideInstance, Users

_SOLVERS: dict[str, str] = {
    "plain": "slide",
    "weighted": "weighted-dp",
    "multicast": "multicast",
    "multicast-many": "multicast",
    "time-varying": "time-varying",
    "concave": "slide-concave",
}


def _several_models(instance: SlideInstance) -> bool:
    """Whether users share broadcasts and some may take several models: choosing is NP-hard."""
    return instance.variant in MULTICAST and bool((np.diff(instance.compiled.pair_start) > 1).any())


def _default_solver(instance: SlideInstance) -> str:
    """The algorithm of the instance's variant."""
    return "multicast-greedy" if _several_models(instance) else _SOLVERS[instance.variant]


def _exact_solver(instance: SlideInstance) -> str:
    """The exact algorithm of the instance's variant, HiGHS where there is none."""
    return "highs" if _several_models(instance) else _SOLVERS[instance.variant]


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
    default_solver=_default_solver,
    exact_solver=_exact_solver,
    size="users",
)

__all__ = ["PROBLEM", "Allocation", "LayerTable", "Models", "SlideInstance", "Users"]
