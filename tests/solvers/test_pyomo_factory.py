"""Solvers by their name in Pyomo's SolverFactory."""

from __future__ import annotations

import numpy as np
import pytest

import edgeopt
from edgeopt.errors import BackendError, InstanceError
from edgeopt.instances.batching import BatchingInstance
from edgeopt.instances.batching.compiled import CompiledBatching
from edgeopt.instances.batching.node import NodeProblem
from edgeopt.result import Termination, ValueEvidence

pytestmark = pytest.mark.child


def instance(requests: int = 10) -> BatchingInstance:
    found: BatchingInstance = edgeopt.generate("batching", seed=3, nodes=2, requests=requests, regime="all", load=0.5)
    return found


@pytest.mark.parametrize("form", ["threshold", "big-m"])
@pytest.mark.parametrize("factory", ["appsi_highs", "highs"])
def test_highs_by_its_names_in_pyomo(factory: str, form: str) -> None:
    result = edgeopt.solve(instance(), "pyomo", factory=factory, form=form, solver_options={"mip_rel_gap": 0.0})
    assert result.closed
    assert result.value == edgeopt.solve(instance(), "brute-force").value


def test_an_overshoot_within_the_tolerance_is_cut_off() -> None:
    one, count = np.ones(1, dtype=np.int64), 4
    uplink = np.array([333_333_334, 333_333_334, 333_333_333, 333_333_334])
    kind = np.zeros(count, dtype=np.int64)
    node = NodeProblem(
        "n", np.arange(count), kind, uplink, np.full(count, count), None, one, one, one, 10**9, count, count
    )
    made = edgeopt.generate("batching", nodes=1, requests=count)
    made.__dict__["compiled"] = CompiledBatching((node,), count)
    result = edgeopt.solve(made, "pyomo", factory="appsi_highs")
    assert result.value_evidence is ValueEvidence.CHECKED
    assert (result.value, result.bound) == (2, 2)


def test_a_time_limit_holds() -> None:
    result = edgeopt.solve(instance(400), "pyomo", factory="appsi_highs", time_limit=1.0)
    assert result.termination is Termination.TIME_LIMIT
    assert result.value is None or result.bound is None or result.bound >= result.value


def test_an_instance_without_servable_requests() -> None:
    nothing = edgeopt.generate("batching", seed=3, nodes=2, requests=5, corner="zero-memory")
    result = edgeopt.solve(nothing, "pyomo", factory="appsi_highs")
    assert (result.value, result.bound) == (0, 0)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(InstanceError, match="needs the option factory=NAME"):
        edgeopt.solve(instance(), "pyomo")
    with pytest.raises(BackendError, match="knows no solver 'nonsense'"):
        edgeopt.solve(instance(), "pyomo", factory="nonsense")
    with pytest.raises(BackendError, match="knows 'mosek_direct', but it is not available"):
        edgeopt.solve(instance(), "pyomo", factory="mosek_direct")
