"""`ot` against brute force and CP-SAT, at its corners, and as a citizen (limits, laziness, determinism)."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.certify.batching import node_bound
from edgeopt.errors import AssumptionError
from edgeopt.instances.batching.node import NodeProblem
from edgeopt.solvers.batching import ot
from edgeopt.solvers.batching.ot import solve_node


def build(kind, uplink, budget, tokens, memory, compute, capacities, downlink=None, keep_all=False):
    """A node problem of the requests that fit alone."""
    kind, uplink, budget, tokens, memory, compute = (
        np.array(a, dtype=np.int64) for a in (kind, uplink, budget, tokens, memory, compute)
    )
    down = tokens[kind] if downlink is None else np.array(downlink, dtype=np.int64)
    fits = (uplink <= capacities[0]) & (down <= capacities[1]) & (memory[kind] <= capacities[2])
    keep = np.flatnonzero(fits & (compute[kind] <= budget) | keep_all)
    return NodeProblem(
        "test", keep, kind[keep], uplink[keep], budget[keep], None if downlink is None else down[keep],
        tokens, memory, compute, *capacities,
    )  # fmt: skip


@st.composite
def nodes(draw, per_user=False, most=10, most_classes=5):
    """Node problems whose capacities are fractions of the total demand, in small or large units."""
    classes = draw(st.integers(1, most_classes))
    size = draw(st.integers(0, most))
    unit = draw(st.sampled_from([1, 7, 10**3, 10**9]))
    small = st.integers(0, draw(st.sampled_from([1, 4, 30])))
    compute_unit = draw(st.sampled_from([1, 13, 10**6, 10**12]))
    tokens = sorted(draw(st.sets(st.integers(1, 40), min_size=classes, max_size=classes)))
    compute = sorted(draw(st.sets(st.integers(1, 40), min_size=classes, max_size=classes)))
    memory = [t + draw(st.integers(0, 3)) for t in tokens]
    kind = [draw(st.integers(0, classes - 1)) for _ in range(size)]
    uplink = [unit * draw(small) for _ in range(size)]
    downlink = [unit * draw(small) for _ in range(size)] if per_user else None
    work = sum(compute[k] for k in kind)
    shares = st.integers(10, 120)
    share = [draw(shares) for _ in range(3)]
    budget = [compute_unit * (work * draw(shares) // 100) for _ in kind]
    totals = [
        sum(uplink),
        sum(downlink) if per_user else sum(tokens[k] for k in kind),
        sum(memory[k] for k in kind),
    ]
    capacities = [t * s // 100 for t, s in zip(totals, share, strict=True)]
    return build(
        kind,
        uplink,
        budget,
        tokens,
        memory,
        [compute_unit * a for a in compute],
        capacities,
        downlink=downlink,
    )


def brute_force(node):
    """Size of a largest batch, over all subsets."""
    if node.size == 0:
        return 0
    subsets = (np.arange(1 << node.size)[:, None] >> np.arange(node.size)) & 1
    kind = node.length_class
    down = node.class_tokens[kind] if node.downlink is None else node.downlink
    fits = subsets @ node.uplink <= node.uplink_capacity
    fits &= subsets @ down <= node.downlink_capacity
    fits &= subsets @ node.class_memory[kind] <= node.memory_capacity
    earliest = np.where(subsets > 0, node.budget, np.int64(2**62)).min(axis=1)
    fits &= subsets @ node.class_compute[kind] <= earliest
    return int(subsets.sum(axis=1)[fits].max())


def cpsat_optimum(node):
    """Size of a largest batch by the monotone threshold form, an independent exact model."""
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    kind = node.length_class
    x = [model.new_bool_var("") for _ in range(node.size)]
    down = node.class_tokens[kind] if node.downlink is None else node.downlink
    total = cp_model.LinearExpr.weighted_sum
    model.add(total(x, node.uplink.tolist()) <= node.uplink_capacity)
    model.add(total(x, down.tolist()) <= node.downlink_capacity)
    model.add(total(x, node.class_memory[kind].tolist()) <= node.memory_capacity)
    levels = np.unique(node.budget)[::-1].tolist()
    late = [model.new_bool_var("") for _ in levels]
    steps = [levels[0], *(b - a for a, b in pairwise(levels))]
    model.add(total(x, node.class_compute[kind].tolist()) <= sum(s * w for s, w in zip(steps, late, strict=True)))
    for r in range(1, len(levels)):
        model.add_implication(late[r], late[r - 1])
    for i, budget in enumerate(node.budget.tolist()):
        model.add_implication(x[i], late[levels.index(budget)])
    model.maximize(sum(x))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.cp_model_presolve = False  # wrong optima in ortools 9.15, see `ot_cpsat`
    assert solver.solve(model) == cp_model.OPTIMAL
    return round(solver.objective_value)


def assert_optimal(node, optimum):
    found = solve_node(node)
    assert found.complete
    assert found.bound == len(found.batch) == optimum
    assert node.fits(found.batch)
    assert (np.diff(found.batch) > 0).all()
    assert node_bound(node, found.multipliers) >= optimum


@pytest.mark.parametrize("per_user", [False, True])
@given(data=st.data())
def test_equals_brute_force(per_user, data):
    node = data.draw(nodes(per_user))
    assert_optimal(node, brute_force(node))


@pytest.mark.parametrize("per_user", [False, True])
@given(data=st.data())
def test_lower_bound_and_limits_are_honest(per_user, data):
    node = data.draw(nodes(per_user, most=8))
    optimum = brute_force(node)
    known = data.draw(st.integers(0, optimum + 1))
    found = solve_node(node, lower_bound=known)
    assert found.bound == max(known, optimum)
    assert len(found.batch) == (optimum if optimum > known else 0)
    limited = solve_node(node, node_limit=data.draw(st.integers(1, 5)))
    assert len(limited.batch) <= optimum <= limited.bound
    assert node.fits(limited.batch)
    assert not limited.complete or limited.bound == len(limited.batch)


@pytest.mark.parametrize("per_user", [False, True])
@given(data=st.data())
def test_cpsat_takes_over_exactly(per_user, data):
    node = data.draw(nodes(per_user, most=8))
    before = ot.SEARCH_LIMIT
    ot.SEARCH_LIMIT = 1
    try:
        assert_optimal(node, brute_force(node))
    finally:
        ot.SEARCH_LIMIT = before


def medium(seed, per_user=False):
    """A random node of up to 60 requests and 12 classes in which several capacities bind."""
    rng = np.random.default_rng(seed)
    classes, size = int(rng.integers(1, 13)), int(rng.integers(10, 61))
    tokens = np.sort(rng.choice(np.arange(1, 400), classes, replace=False))
    compute = np.sort(rng.choice(np.arange(1, 10**6), classes, replace=False))
    memory = tokens + int(rng.integers(0, 300))
    kind = rng.integers(0, classes, size)
    top = int(rng.choice([3, 40, 10**9]))
    uplink = rng.integers(0, top + 1, size) if rng.random() < 0.6 else rng.integers(0, top + 1, classes)[kind]
    downlink = rng.integers(0, top + 1, size) if per_user else None
    share = rng.uniform(0.2, 0.8, 4)
    budget = (compute[kind].sum() * share[3] * rng.uniform(0.6, 1.1, size)).astype(np.int64)
    totals = [uplink.sum(), (tokens[kind] if downlink is None else downlink).sum(), memory[kind].sum()]
    capacities = [int(t * s) for t, s in zip(totals, share[:3], strict=True)]
    return build(kind, uplink, budget, tokens, memory, compute, capacities, downlink=downlink)


@pytest.mark.parametrize("per_user", [False, True])
@pytest.mark.parametrize("seed", range(25))
def test_equals_cpsat(seed, per_user):
    node = medium(seed, per_user)
    assert_optimal(node, cpsat_optimum(node) if node.size else 0)


CORNERS = {
    "no requests": build([], [], [], [1], [1], [1], [5, 5, 5]),
    "one request": build([0], [5], [1], [1], [1], [1], [5, 5, 5]),
    "zero capacities": build([0, 0], [0, 0], [9, 9], [1], [1], [1], [0, 0, 0], keep_all=False),
    "free uplink, no band": build([0, 1, 1], [0, 0, 0], [9, 9, 9], [1, 2], [1, 2], [1, 2], [0, 9, 9]),
    "equal deadlines": build([0, 1] * 4, range(8), [20] * 8, [1, 2], [3, 4], [5, 6], [14, 90, 90]),
    "identical requests": build([0] * 9, [3] * 9, [7] * 9, [1], [1], [1], [10, 99, 99]),
    "exactly full": build([0] * 4, [5] * 4, [4] * 4, [1], [1], [1], [20, 4, 4]),
    "one too many": build([0] * 4, [5] * 4, [4] * 4, [1], [1], [1], [19, 4, 4]),
    "huge units": build(
        [0, 0, 1], [10**18] * 3, [10**18] * 3, [1, 2], [1, 2], [10**17, 5 * 10**17], [2 * 10**18, 9, 9]
    ),
    "unlimited": build([0, 1], [1, 1], [2**63 - 1] * 2, [1, 2], [1, 2], [1, 2], [2**63 - 1, 2**63 - 1, 2**70]),
    "late but dear": build([0, 0, 0], [9, 2, 2], [9, 2, 2], [1], [1], [1], [9, 9, 9]),
    "per-user counterexample": build(
        [0] * 6,
        [1, 2, 2, 2, 2, 2],
        [60, 50, 50, 50, 50, 50],
        [1],
        [1],
        [1],
        [10, 10, 99],
        downlink=[10] + [2] * 5,
    ),
    "per-user free": build([0, 0], [0, 0], [9, 9], [1], [1], [1], [0, 0, 9], downlink=[0, 0]),
}


@pytest.mark.parametrize("name", CORNERS)
def test_corner(name):
    node = CORNERS[name]
    small = replace(node, memory_capacity=min(node.memory_capacity, 2**60))
    assert_optimal(node, brute_force(small))


@pytest.mark.parametrize("per_user", [False, True])
def test_requests_that_cannot_run_alone_do_no_harm(per_user):
    downlink = [1, 1, 9, 1] if per_user else None
    node = build([0, 1, 0, 0], [1, 1, 1, 9], [5, 1, 5, 5], [1, 2], [1, 2], [1, 2], [4, 4, 4], downlink, True)
    assert_optimal(node, brute_force(node))


@pytest.mark.parametrize("classes", [8, 12])
@pytest.mark.parametrize("size", [50, 200])
def test_one_uplink_for_all_makes_many_equal_batches(classes, size):
    """Constant uplinks leave class counts almost free: the search must not explode."""
    rng = np.random.default_rng(classes * size)
    tokens = np.sort(rng.choice(np.arange(50, 1000), classes, replace=False))
    compute = np.sort(tokens * 997 + rng.integers(0, 500, classes))
    kind = rng.integers(0, classes, size)
    fitting = 0.3 * size
    budget = (compute.mean() * fitting * rng.uniform(0.7, 1.0, size)).astype(np.int64)
    capacities = [10**9, int(tokens.mean() * fitting * 0.88), int((tokens.mean() + 99) * fitting * 0.92)]
    uplink = [10**9 // int(fitting * 1.02)] * size
    node = build(kind, uplink, budget, tokens, tokens + 99, compute, capacities)
    assert_optimal(node, cpsat_optimum(node))


@given(data=st.data())
def test_sorting_is_exact(data):
    """Keys whose leading digits tie, in any width, through the kernels: the batch stays optimal."""
    base = data.draw(st.sampled_from([0, 2**40, 2**59]))
    step = data.draw(st.sampled_from([1, 2**20, 2**50]))
    late = data.draw(st.lists(st.integers(0, 7), min_size=1, max_size=9))
    uplink = [data.draw(st.integers(0, 7)) * step for _ in late]
    budget = [base + step * b for b in late]
    node = build([0] * len(late), uplink, budget, [1], [1], [step], [12 * step, 99, 99])
    assert_optimal(node, brute_force(node))


def test_numbers_beyond_exact_sums_are_refused():
    node = build([0, 0], [2**62, 2**62], [9, 9], [1], [1], [1], [2**63 - 1, 9, 9])
    with pytest.raises(AssumptionError, match="larger units"):
        solve_node(node)


@pytest.mark.parametrize("per_user", [False, True])
def test_other_array_layouts(per_user):
    node = medium(3, per_user)
    odd = replace(
        node,
        uplink=np.repeat(node.uplink, 2)[::2],
        length_class=node.length_class.astype(np.int32),
        budget=np.array(node.budget),
    )
    odd.budget.flags.writeable = False
    assert np.array_equal(solve_node(odd).batch, solve_node(node).batch)


@pytest.mark.parametrize("per_user", [False, True])
def test_deterministic(per_user):
    node = medium(11, per_user)
    first, second = solve_node(node), solve_node(node)
    assert np.array_equal(first.batch, second.batch)
    assert first.effort == second.effort


def test_stop_returns_a_valid_bound(monkeypatch):
    monkeypatch.setattr(ot, "SEARCH_LIMIT", 1)  # every threshold asks for help, so `stop` is asked at once
    for seed in range(20):
        node = medium(seed)
        found = solve_node(node, stop=lambda: True)
        assert node.fits(found.batch)
        assert found.bound >= len(solve_node(node).batch)


def test_numba_is_imported_late():
    code = (
        "import sys, edgeopt.solvers.batching.ot as ot; assert 'numba' not in sys.modules;"
        "assert 'ortools' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_node_limit_of_nothing_proves_nothing(limit: int) -> None:
    """The kernel never runs then, and its arrays hold anything: often zeros, a bound of 0 on an optimum of 4."""
    node = eo.generate("batching", nodes=1, requests=40, regime="all", seed=3).compiled.nodes[0]
    found = solve_node(node, node_limit=limit)
    assert (len(found.batch), found.complete, found.bound) == (0, False, node.size)
