"""The roofline latency: every solver against enumeration by the definition, on nodes and on instances."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgeopt
from edgeopt.errors import AssumptionError, InstanceError
from edgeopt.instances.batching import BatchingInstance, NodeProblem
from edgeopt.instances.batching.roofline import batch_latency_s
from edgeopt.solvers.base import solvers
from edgeopt.solvers.batching import brute_force
from edgeopt.solvers.batching.ot import solve_node
from edgeopt.testing.batching import batching_instances, node_problems

ROOFLINE = ("roofline",)
SOME = settings.default.max_examples if settings.default.max_examples > 100 else settings.default.max_examples // 2
"""Instances for the tests that run every exact solver."""
EXACT = [name for name, info in solvers("batching").items() if info.exact and name != "pyomo"]
REFUSE = {"ot-paper", "large-bandwidth", "close"}


def feasible(node: NodeProblem, batch: tuple[int, ...]) -> bool:
    """The definition, term by term, in Python integers."""
    if not batch:
        return True
    kinds = [int(node.length_class[i]) for i in batch]
    down = node.class_tokens[node.length_class] if node.downlink is None else node.downlink
    least = min(int(node.budget[i]) for i in batch)
    assert node.class_stream is not None
    assert node.class_fixed is not None
    waits = max(int(node.class_fixed[k]) for k in kinds) + sum(int(node.class_stream[k]) for k in kinds)
    return (
        sum(int(node.uplink[i]) for i in batch) <= node.uplink_capacity
        and sum(int(down[i]) for i in batch) <= node.downlink_capacity
        and sum(int(node.class_memory[k]) for k in kinds) <= node.memory_capacity
        and sum(int(node.class_compute[k]) for k in kinds) <= least
        and waits <= least
    )


@given(node_problems(max_requests=7, latencies=ROOFLINE))
def test_every_subset_is_judged_by_the_definition(node: NodeProblem) -> None:
    table = brute_force.feasible_subsets(node)
    for mask in range(2**node.size):
        batch = tuple(i for i in range(node.size) if mask >> i & 1)
        assert table[mask] == feasible(node, batch) == node.fits(np.array(batch, dtype=np.int64))


@given(node_problems(max_requests=10, max_classes=5, latencies=ROOFLINE), st.integers(0, 6))
def test_ot_finds_a_largest_batch(node: NodeProblem, known: int) -> None:
    found = solve_node(node)
    assert found.complete
    assert found.bound == len(found.batch)
    assert feasible(node, tuple(found.batch.tolist()))
    larger = combinations(range(node.size), len(found.batch) + 1)
    assert not any(feasible(node, batch) for batch in larger)
    above = solve_node(node, lower_bound=known)
    assert (above.bound, len(above.batch)) == (max(known, found.bound), found.bound if found.bound > known else 0)


@given(batching_instances(max_nodes=3, max_requests=7, latencies=ROOFLINE))
@settings(max_examples=SOME)
def test_the_exact_solvers_agree(instance: BatchingInstance) -> None:
    optimum = edgeopt.solve(instance, "brute-force").value
    for name in EXACT:
        try:
            result = edgeopt.solve(instance, name)
        except AssumptionError:
            assert name in REFUSE or len(instance.nodes) > 1
            continue
        assert not result.message, (name, result)
        assert result.closed, (name, result)
        assert result.value == optimum, (name, result, optimum)
        assert not edgeopt.violations(instance, result.solution)


@given(batching_instances(max_nodes=2, max_requests=6, latencies=ROOFLINE))
@settings(max_examples=SOME)
def test_the_big_m_forms_and_gah(instance: BatchingInstance) -> None:
    optimum = edgeopt.solve(instance, "brute-force").value
    for name in ("highs", "cpsat"):
        assert edgeopt.solve(instance, name, form="big-m").value == optimum
    gah = edgeopt.solve(instance, "gah")
    assert gah.value_evidence == "checked"
    assert not edgeopt.violations(instance, gah.solution)
    assert 2 * gah.value >= optimum


@given(batching_instances(max_nodes=2, max_requests=6, latencies=ROOFLINE), st.data())
def test_raw_fields_and_compiled_form_agree(instance: BatchingInstance, data: st.DataObject) -> None:
    from edgeopt.instances.batching.schedule import compiled_violations
    from edgeopt.testing.batching import schedules

    schedule = data.draw(schedules(instance))
    assert bool(edgeopt.violations(instance, schedule)) == bool(compiled_violations(instance, schedule))


def test_a_shorter_batch_may_need_less() -> None:
    """Two long requests or three short ones: the fixed part of the longest decides, no additive cost can say so."""
    ints = lambda *values: np.array(values, dtype=np.int64)  # noqa: E731
    node = NodeProblem(
        "n", np.arange(5), ints(0, 0, 0, 1, 1), 0 * ints(1, 1, 1, 1, 1), ints(*[10] * 5), None,
        ints(1, 2), ints(1, 2), ints(1, 2), 9, 99, 99, ints(2, 2), ints(4, 6),
    )  # fmt: skip
    assert len(solve_node(node).batch) == 3
    assert set(node.length_class[solve_node(node).batch]) == {0}
    assert len(solve_node(node.restricted(node.length_class == 1)).batch) == 2


def test_what_only_knows_the_papers_latency_refuses() -> None:
    instance = edgeopt.generate("batching", nodes=1, requests=6, latency="roofline", deadline=(20.0, 30.0), epoch=20.0)
    for name in REFUSE:
        with pytest.raises(AssumptionError, match="latency"):
            edgeopt.solve(instance, name)
    with pytest.raises(AssumptionError, match="latency"):
        edgeopt.solve(instance, "gah", oracle="ot-paper")


def test_certify_has_no_proof_but_agreement() -> None:
    instance = edgeopt.generate("batching", nodes=2, requests=12, latency="roofline", regime="all", seed=3)
    found = edgeopt.certify(instance, "gah+", against="cpsat,highs")
    assert found.value_evidence == "checked"
    assert found.bound_evidence == "agreed"
    assert found.certificate is None
    assert not found.violations


def test_a_node_without_memory_bandwidth_is_refused() -> None:
    instance = edgeopt.generate("batching", requests=3)
    with pytest.raises(InstanceError, match=r"nodes\[0\].memory_bandwidth_byte_per_s = None: the roofline"):
        replace(instance, latency="roofline")


def test_the_file_keeps_it(tmp_path) -> None:
    instance = edgeopt.generate("batching", requests=5, latency="roofline")
    for ending in ("json", "npz"):
        edgeopt.write(instance, tmp_path / f"i.{ending}")
        again = edgeopt.read(tmp_path / f"i.{ending}")
        assert again.digest == instance.digest
        assert again.latency == "roofline"
    assert instance.digest != edgeopt.generate("batching", requests=5).digest


def test_latency_of_a_batch_by_hand() -> None:
    """BLOOM-3B on one TX2: 0.5 x 4.72 GB of weights a step at 59.7 GB/s, 39.5 ms, and the cache of each request."""
    instance = edgeopt.generate("batching", nodes=1, requests=1, latency="roofline")
    node = replace(instance.nodes[0], compute_flops=1.33e12, memory_bandwidth_byte_per_s=59.7e9)
    model = node.model
    weights = 2 * 30 * 12 * 2560**2
    assert model.weight_bytes() == weights
    one = batch_latency_s(node, "roofline", 512, [128])
    prefill = model.prefill_flops(512) / 1.33e12
    cache = sum(512 + t for t in range(1, 128)) * 4 * 30 * 2560 / 59.7e9
    assert one == pytest.approx(prefill + 127 * 0.5 * weights / 59.7e9 + cache, rel=1e-12)
    many = batch_latency_s(node, "roofline", 512, [128] * 64)
    work = model.flops(512, 128) * 64 / 1.33e12
    assert many == pytest.approx(max(work, 64 * (prefill + cache) + 127 * 0.5 * weights / 59.7e9), rel=1e-12)
    assert batch_latency_s(node, "flops", 512, [128]) == pytest.approx(model.flops(512, 128) / 1.33e12)
