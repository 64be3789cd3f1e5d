"""Every constraint of P1 has a schedule that breaks it alone; both checks agree on every schedule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.errors import InstanceError
from edgeopt.instances.batching import BatchingInstance, Node, Requests, Schedule, check, schedule
from edgeopt.solvers.batching.brute_force import feasible_subsets
from edgeopt.system.quantization import Quantization
from edgeopt.system.transformer import TransformerModel
from edgeopt.testing import batching_instances, schedules

UNIT = TransformerModel(
    name="unit", layers=1, hidden=500, heads=1, head_dim=500, kv_heads=1, ffn=500, gated_ffn=False,
    vocabulary=1, tied_embeddings=True,
)  # fmt: skip


def instance(nodes: int = 1, requests: dict[str, Any] | None = None, **changes: Any) -> BatchingInstance:
    """Two requests on nodes that have plenty of everything; `changes` are fields of the nodes or the instance."""
    columns: dict[str, Any] = {
        "prompt_tokens": np.array([1, 1]),
        "output_tokens": np.array([1, 2]),
        "deadline_s": np.array([1.5, 2.5]),
        "waiting_s": np.zeros(2),
        "accuracy": np.zeros(2),
        "accepts": np.zeros(2, dtype=np.int64),
        "accept_sets": (None,),
        "uplink_gain": np.ones((nodes, 2)),
        "downlink_gain": np.ones((nodes, 2)),
        **(requests or {}),
    }
    node = Node("n0", UNIT, Quantization(name="q"), 1e12, 1e9, 1e6, 1e6, 1e-3, 1e-3)
    fields = {name: changes.pop(name) for name in list(changes) if name in Node.__dataclass_fields__}
    node = replace(node, **fields)
    return BatchingInstance(
        **{
            "name": "case",
            "nodes": tuple(replace(node, name=f"n{index}") for index in range(nodes)),
            "requests": Requests(**columns),
            "uplink_slot_s": 0.25,
            "compute_slot_s": 2.0,
            "downlink_slot_s": 0.25,
            "epoch_s": 2.0,
            "noise_w_per_hz": 1e-9,
            "bits_per_token": 16,
            "padded_prompt_tokens": 1,
            **changes,
        }
    )


BOTH = [[0, 1]]
"""On this instance ``a(1) = 4`` and ``a(2) = 7`` MFLOP, and a token needs 64 s Hz at 1 bit/s/Hz."""
CASES: list[tuple[str, BatchingInstance, list[list[int]], str, str]] = [
    ("uplink (12a)", instance(uplink_bandwidth_hz=127.0, user_power_w=127e-9), BOTH, "node n0",
     "1007874016 1e-9 of the band exceeds 1000000000 1e-9 of the band"),
    ("downlink (12b)", instance(downlink_bandwidth_hz=191.0, node_power_w=191e-9), BOTH, "node n0",
     "3 tokens exceeds 2 tokens"),
    ("downlink (12b)",
     instance(downlink_bandwidth_hz=191.0, node_power_w=191e-9, downlink_rule="per-user"), BOTH, "node n0",
     "1005235604 1e-9 of the band exceeds 1000000000 1e-9 of the band"),
    ("memory (12c)", instance(memory_bytes=float(UNIT.weight_bytes() + 5 * 2000 - 1)), BOTH, "node n0",
     "5 cached tokens exceeds 4 cached tokens"),
    ("compute slot", instance(compute_flops=5e6, requests={"deadline_s": np.array([99.0, 99.0])}), BOTH, "node n0",
     "11 MFLOP exceeds 10 MFLOP"),
    ("deadline (12d) of request 0", instance(compute_flops=8e6), BOTH, "node n0", "11 MFLOP exceeds 8 MFLOP"),
    ("accuracy (12e)", instance(quantization=Quantization(name="q", ppl_differential=0.54),
                                requests={"accuracy": np.array([0.46, 0.4600001])}), BOTH, "node n0, request 1",
     "0.4600001 exceeds 0.46"),
    ("coverage", instance(requests={"uplink_gain": np.array([[1, np.nan]]),
                                    "downlink_gain": np.array([[1, np.nan]])}), BOTH, "node n0, request 1",
     "no channel exceeds a channel"),
    ("accepted model", instance(requests={"accepts": np.array([0, 1]), "accept_sets": (None, ())}), BOTH,
     "node n0, request 1", "unit exceeds one of "),
    ("a request runs at most once", instance(nodes=2), [[0, 1], [1]], "node n1, request 1", "again exceeds node n0"),
    ("a request runs at most once", instance(), [[0, 0]], "node n0, request 0", "again exceeds node n0"),
    ("one batch a node", instance(nodes=2), BOTH, "schedule", "1 batches exceeds 2 nodes"),
    ("known request", instance(), [[0, 2]], "node n0, request 2", "2 exceeds 2"),
    ("known request", instance(), [[-1]], "node n0, request -1", "-1 exceeds 2"),
]  # fmt: skip


@pytest.mark.parametrize(("constraint", "case", "batches", "where", "numbers"), CASES, ids=[row[0] for row in CASES])
def test_breaks_exactly_one(
    constraint: str, case: BatchingInstance, batches: list[list[int]], where: str, numbers: str
) -> None:
    broken = eo.violations(case, Schedule.of(batches))
    assert [(item.constraint, item.where) for item in broken] == [(constraint, where)]
    assert str(broken[0]) == f"{constraint} at {where}: {numbers}"
    assert schedule.compiled_violations(case, Schedule.of(batches))


@pytest.mark.parametrize(("case", "nodes"), [(instance(), 1), (instance(nodes=2), 2)])
def test_plenty_breaks_nothing(case: BatchingInstance, nodes: int) -> None:
    both = Schedule.of([[0, 1]] + [[]] * (nodes - 1))
    assert eo.violations(case, both) == []
    assert schedule.compiled_violations(case, both) == []


@pytest.mark.parametrize(
    ("enough", "batches"),
    [
        (instance(uplink_bandwidth_hz=128.0, user_power_w=128e-9), BOTH),
        (instance(downlink_bandwidth_hz=192.0, node_power_w=192e-9), BOTH),
        (instance(downlink_bandwidth_hz=192.0, node_power_w=192e-9, downlink_rule="per-user"), [[0]]),
        (instance(memory_bytes=float(UNIT.weight_bytes() + 5 * 2000)), BOTH),
        (instance(compute_flops=5.5e6, requests={"deadline_s": np.array([99.0, 99.0])}), BOTH),
        (instance(compute_flops=11e6), BOTH),
    ],
    ids=["uplink", "downlink", "per-user", "memory", "slot", "deadline"],
)
def test_exactly_enough_breaks_nothing(enough: BatchingInstance, batches: list[list[int]]) -> None:
    assert eo.violations(enough, Schedule.of(batches)) == []
    assert schedule.compiled_violations(enough, Schedule.of(batches)) == []


@given(st.data())
def test_both_checks_agree_on_any_schedule(data: st.DataObject) -> None:
    case = data.draw(batching_instances())
    plan = data.draw(schedules(case, disjoint=data.draw(st.booleans())))
    assert (not check.violations(case, plan)) == (not schedule.compiled_violations(case, plan))


@given(batching_instances(max_nodes=1, max_requests=6))
def test_both_checks_agree_on_every_batch(case: BatchingInstance) -> None:
    (node,) = case.compiled.nodes
    for mask, feasible in enumerate(feasible_subsets(node).tolist()):
        batch = Schedule((node.request[[place for place in range(node.size) if mask >> place & 1]],))
        assert (not check.violations(case, batch)) == feasible
        assert (not schedule.compiled_violations(case, batch)) == feasible


@given(batching_instances())
def test_requests_that_are_not_servable_break_something_alone(case: BatchingInstance) -> None:
    for index, node in enumerate(case.compiled.nodes):
        for request in range(len(case.requests)):
            alone = Schedule.of([[request] if other == index else [] for other in range(len(case.nodes))])
            assert (request in node.request) == (not check.violations(case, alone))


@given(st.data())
def test_solutions_round_trip(data: st.DataObject) -> None:
    case = data.draw(batching_instances())
    plan = data.draw(schedules(case))
    assert schedule.decode_solution(case, schedule.encode_solution(case, plan), "x") == plan


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ([], "x: solution.batches must map"),
        ({"batches": []}, "x: solution.batches must map"),
        ({"batches": {"moon": []}}, "x: solution.batches.moon: no such node; there are: n0"),
        ({"batches": {"n0": 3}}, "x: solution.batches.n0 must be a list"),
        ({"batches": {"n0": [0, 2]}}, r"x: solution.batches.n0\[1\] = 2: must be a request index from 0 to 1"),
        ({"batches": {"n0": [True]}}, r"x: solution.batches.n0\[0\] = True"),
        ({"batches": {"n0": ["0"]}}, r"x: solution.batches.n0\[0\] = '0'"),
        ({"batches": {"n0": [-1]}}, r"x: solution.batches.n0\[0\] = -1"),
        ({"batches": {"n0": [10**30]}}, r"x: solution.batches.n0\[0\] = 1000"),
    ],
)
def test_bad_solutions(data: object, text: str) -> None:
    with pytest.raises(InstanceError, match=text):
        schedule.decode_solution(instance(), data, "x")
