"""The pinned solver libraries: both load in one process in any order, and HiGHS solves our MILPs right."""

from __future__ import annotations

import subprocess
import sys
import threading
from importlib.metadata import version
from typing import Any

import numpy as np
import pytest

from edgeopt.instances.batching import NodeProblem
from edgeopt.models.base import find
from edgeopt.solvers import highs
from edgeopt.solvers.backend import Job
from edgeopt.solvers.batching.brute_force import feasible_subsets

USE = {
    "highspy": """
import highspy
solver = highspy.Highs()
solver.setOptionValue("output_flag", False)
x = [solver.addBinary() for _ in range(3)]
solver.addConstr(2 * x[0] + 3 * x[1] + 4 * x[2] <= 6)
solver.maximize(5 * x[0] + 4 * x[1] + 6 * x[2])
assert solver.getInfo().objective_function_value == 11, solver.getInfo().objective_function_value
""",
    "ortools": """
from ortools.sat.python import cp_model
model = cp_model.CpModel()
y = [model.new_bool_var("") for _ in range(3)]
model.add(2 * y[0] + 3 * y[1] + 4 * y[2] <= 6)
model.maximize(5 * y[0] + 4 * y[1] + 6 * y[2])
cp = cp_model.CpSolver()
assert cp.solve(model) == cp_model.OPTIMAL
assert cp.objective_value == 11, cp.objective_value
""",
}


@pytest.mark.child
@pytest.mark.parametrize("order", [("highspy", "ortools"), ("ortools", "highspy")], ids="-".join)
def test_both_orders_of_import_work(order: tuple[str, str]) -> None:
    imports = "".join(USE[name].strip().splitlines()[0] + "\n" for name in order)
    code = imports + USE[order[0]] + USE[order[1]] + USE[order[0]]
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr


def test_the_pins_are_kept() -> None:
    assert version("highspy").startswith("1.12.")
    assert version("ortools").startswith("9.15.")
    assert version("pyomo").startswith("6.10")


class Nodes:
    """As much of an instance as a formulation reads."""

    def __init__(self, node: NodeProblem) -> None:
        self.compiled = self
        self.nodes = (node,)


def drawn(rng: np.random.Generator) -> NodeProblem:
    """A node of 10 to 14 requests in the units of real instances, every capacity scarce."""
    count, classes = int(rng.integers(10, 15)), int(rng.integers(1, 4))
    tokens = np.sort(rng.choice(np.arange(32, 513, 32), classes, replace=False)).astype(np.int64)
    kind = rng.integers(0, classes, count)
    compute = tokens * 5_000 + tokens**2
    uplink = rng.integers(10**8 // 2, 4 * 10**8, count)
    work = compute[kind]
    node = NodeProblem(
        name="drawn",
        request=np.arange(count),
        length_class=kind,
        uplink=uplink,
        budget=np.maximum((work.sum() * rng.uniform(0.2, 0.7, count)).astype(np.int64), work),
        downlink=rng.integers(10**8 // 2, 4 * 10**8, count) if rng.random() < 0.5 else None,
        class_tokens=tokens,
        class_memory=tokens + 512,
        class_compute=compute,
        uplink_capacity=10**9,
        downlink_capacity=10**9,
        memory_capacity=int((tokens[kind] + 512).sum() * 0.5),
    )
    if node.downlink is not None:
        return node
    capacity = int(tokens[kind].sum() * 0.5)
    return NodeProblem(*[capacity if f == "downlink_capacity" else getattr(node, f) for f in node.__slots__])


@pytest.mark.parametrize("form", ["threshold", "big-m"])
@pytest.mark.parametrize("seed", range(25))
def test_highs_is_right_on_milps_of_our_own_form(seed: int, form: str) -> None:
    node = drawn(np.random.default_rng(seed))
    optimum = int(np.bitwise_count(np.nonzero(feasible_subsets(node))[0]).max())
    heard: list[Any] = []
    outcome = highs.run(
        Job(find("batching", form, "pyomo"), Nodes(node), None, 0, 1), None, heard.append, threading.Event()
    )
    assert outcome.bound == optimum
    assert round(max(getattr(event, "objective", 0.0) for event in heard)) == optimum
