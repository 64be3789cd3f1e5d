"""The offloading problem: tasks wait, are sent to one of several edge servers or stay, and should end soon (COMLLM)."""

from edgeopt.instances.base import Problem
from edgeopt.instances.offloading import check, file, generate, plan
from edgeopt.instances.offloading.instance import OffloadingInstance
from edgeopt.instances.offloading.plan import Plan

PROBLEM = Problem(
    name="offloading",
    sense="min",
    objective="latency and penalties of all tasks, in ticks",
    decode=file.decode,
    encode=file.encode,
    encode_arrays=file.encode_arrays,
    decode_solution=plan.decode_solution,
    encode_solution=plan.encode_solution,
    value=plan.value,
    compiled_violations=plan.compiled_violations,
    violations=check.violations,
    generate=generate.generate,
    schema=file.schema,
    default_solver="rollouts",
    exact_solver="cpsat",
)

__all__ = ["PROBLEM", "OffloadingInstance", "Plan"]
