"""What `ot` does with a deadline threshold whose search explodes: CP-SAT on what the prices leave open."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeopt.instances.batching.node import IntArray, NodeProblem

POLL_SECONDS = 0.05
LARGEST_ACTIVITY = 2**58
"""CP-SAT refuses rows whose activity may leave int64; rows above this are not handed to it."""


@dataclass(frozen=True, slots=True)
class ThresholdAnswer:
    """Best batch above a size at one threshold: `batch` (None if there is none), bound, whether proved."""

    batch: IntArray | None
    bound: int
    complete: bool


def solve_threshold(
    node: NodeProblem,
    threshold: int,
    prices: NDArray[np.float64],
    more_than: int,
    at_most: int,
    stop: Callable[[], bool] | None,
) -> ThresholdAnswer:
    """Find the largest batch of more than `more_than` requests whose budgets are at least `threshold`.

    `prices` (any, per integer unit) fix what a batch of that size cannot change: a request, or a class
    count, that gives up more than ``UB(T; y) - (more_than + 1)`` is left out of the model.
    """
    open_positions = np.flatnonzero(node.budget >= threshold)
    rows = _Rows(node, threshold)
    gain = 1.0 - (
        prices[1] * node.class_tokens * (node.downlink is None)
        + prices[2] * node.class_memory
        + prices[3] * node.class_compute
    )
    if node.class_stream is not None:
        gain -= prices[4] * node.class_stream
    kind = node.length_class[open_positions]
    profit = gain[kind] - prices[0] * node.uplink[open_positions]
    if node.downlink is not None:
        profit -= prices[1] * node.downlink[open_positions]
    upper = float(prices @ np.array(rows.capacity, dtype=float)) + float(np.maximum(profit, 0.0).sum())
    slack = upper - (more_than + 1) + 1e-9 * (10.0 + abs(upper))  # far above the rounding error
    if slack < 0 or min(rows.capacity) < 0:
        return ThresholdAnswer(None, more_than, True)
    if node.downlink is None:
        return _solve_counts(node, rows, open_positions, gain, prices[0], slack, more_than, at_most, stop)
    return _solve_requests(node, rows, open_positions, profit, slack, more_than, at_most, stop)


class _Rows:
    """Capacities at one threshold, in the order uplink, downlink, memory, compute, and stream under the roofline."""

    def __init__(self, node: NodeProblem, threshold: int) -> None:
        self.capacity = [node.uplink_capacity, node.downlink_capacity, node.memory_capacity, threshold]
        if node.class_fixed is not None:  # the same for all classes, see `NodeProblem.up_to`
            self.capacity.append(threshold - int(node.class_fixed[0]))


def _solve_counts(
    node: NodeProblem,
    rows: _Rows,
    positions: IntArray,
    gain: NDArray[np.float64],
    uplink_price: float,
    slack: float,
    more_than: int,
    at_most: int,
    stop: Callable[[], bool] | None,
) -> ThresholdAnswer:
    """Worst-channel rule: one integer variable per class, its uplink by a table of prefix sums."""
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    rest = list(rows.capacity)
    terms: list[list[tuple[Any, int, int]]] = [[] for _ in rows.capacity]  # (variable, coefficient, largest value)
    chosen: list[tuple[list[Any], int, IntArray]] = []
    base_count = 0
    for k in range(len(node.class_tokens)):
        member = positions[node.length_class[positions] == k]
        member = member[np.argsort(node.uplink[member], kind="stable")]
        demand = [0, int(node.class_tokens[k]), int(node.class_memory[k]), int(node.class_compute[k])]
        if node.class_stream is not None:
            demand.append(int(node.class_stream[k]))
        kept = _open_counts(node.uplink[member], demand, rows.capacity, float(gain[k]), uplink_price, slack)
        if kept is None:
            return ThresholdAnswer(None, more_than, True)
        low, high = kept
        base_count += low
        rest = [c - low * d for c, d in zip(rest, demand, strict=True)]
        rest[0] -= sum(node.uplink[member[:low]].tolist())
        middle = node.uplink[member[low:high]].tolist()
        if len(set(middle)) == 1:  # one uplink for all: a count
            size_of = [high - low]
            variables = [model.new_int_var(0, high - low, f"count_{k}")]
        else:  # the uplink of a count is convex, so one binary a request is an exact relaxation
            size_of = [1] * len(middle)
            variables = [model.new_bool_var(f"x_{k}_{j}") for j in range(len(middle))]
        chosen.append((variables, low, member))
        for r in range(len(demand)):
            for j, (v, largest) in enumerate(zip(variables, size_of, strict=True)):
                terms[r].append((v, demand[r] if r else middle[j], largest))
    if min(rest) < 0:
        return ThresholdAnswer(None, more_than, True)
    if not _add_rows(model, terms, rest):
        return ThresholdAnswer(None, at_most, False)
    size = sum(v for variables, _, _ in chosen for v in variables)
    model.add(size >= more_than + 1 - base_count)
    model.add(size <= at_most - base_count)
    model.maximize(size)
    solver, status, proved = _run(model, stop)
    if status == cp_model.INFEASIBLE:
        return ThresholdAnswer(None, more_than, True)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return ThresholdAnswer(None, at_most, False)
    batch = np.sort(
        np.concatenate([member[: low + sum(map(solver.value, variables))] for variables, low, member in chosen])
    )
    return ThresholdAnswer(batch, len(batch) if proved else at_most, proved)


def _open_counts(
    uplink: IntArray,
    demand: list[int],
    capacity: list[int],
    gain: float,
    uplink_price: float,
    slack: float,
) -> tuple[int, int] | None:
    """Least and largest count of a class (sorted uplinks) that fits and gives up at most `slack`; None if none."""
    most = min([len(uplink), *(c // d for c, d in zip(capacity, demand, strict=True) if d > 0)])
    prefix = [0]
    for u in uplink[:most].tolist():
        if prefix[-1] + u > capacity[0]:
            break
        prefix.append(prefix[-1] + u)
    value = np.arange(len(prefix)) * gain - uplink_price * np.array(prefix, dtype=float)
    peak = float(np.maximum(gain - uplink_price * uplink.astype(float), 0.0).sum())
    margin = 1e-9 * (10.0 + peak + abs(gain) * len(uplink))  # far above the rounding error
    kept = np.flatnonzero(peak - value <= slack + margin)
    return (int(kept[0]), int(kept[-1])) if len(kept) else None


def _solve_requests(
    node: NodeProblem,
    rows: _Rows,
    positions: IntArray,
    profit: NDArray[np.float64],
    slack: float,
    more_than: int,
    at_most: int,
    stop: Callable[[], bool] | None,
) -> ThresholdAnswer:
    """Per-user downlink: one binary per request that the prices do not fix."""
    from ortools.sat.python import cp_model

    assert node.downlink is not None
    margin = 1e-9 * (10.0 + abs(slack))
    inside = positions[profit > slack + margin]
    free = positions[np.abs(profit) <= slack + margin]
    demands = [
        node.uplink,
        node.downlink,
        node.class_memory[node.length_class],
        node.class_compute[node.length_class],
    ]
    if node.class_stream is not None:
        demands.append(node.class_stream[node.length_class])
    model = cp_model.CpModel()
    x = [model.new_bool_var(f"x_{i}") for i in free.tolist()]
    rest = [c - sum(d[inside].tolist()) for c, d in zip(rows.capacity, demands, strict=True)]
    terms = [[(v, a, 1) for v, a in zip(x, d[free].tolist(), strict=True)] for d in demands]
    if min(rest) < 0:
        return ThresholdAnswer(None, more_than, True)
    if not _add_rows(model, terms, rest):
        return ThresholdAnswer(None, at_most, False)
    model.add(sum(x) >= more_than + 1 - len(inside))
    model.add(sum(x) <= at_most - len(inside))
    model.maximize(sum(x))
    solver, status, proved = _run(model, stop)
    if status == cp_model.INFEASIBLE:
        return ThresholdAnswer(None, more_than, True)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return ThresholdAnswer(None, at_most, False)
    taken = free[np.array([solver.boolean_value(v) for v in x], dtype=bool)]
    batch = np.sort(np.concatenate([inside, taken]))
    return ThresholdAnswer(batch, len(batch) if proved else at_most, proved)


def _add_rows(model: Any, terms: list[list[tuple[Any, int, int]]], rest: list[int]) -> bool:
    """Add the capacity rows; False if a row that can bind is beyond what CP-SAT may add up."""
    for row, capacity in zip(terms, rest, strict=True):
        if capacity < 0:
            model.add_bool_or([])  # what is forced does not fit
            continue
        # A variable alone may already be too much for the row; what can never be used is cut off first.
        activity = 0
        for variable, coefficient, largest in row:
            if coefficient > 0 and largest * coefficient > capacity:
                model.add(variable <= capacity // coefficient)
                largest = capacity // coefficient
            activity += coefficient * largest
        if activity <= capacity:
            continue
        if max(sum(c * m for _, c, m in row), capacity) > LARGEST_ACTIVITY:
            return False
        model.add(sum(c * v for v, c, _ in row) <= capacity)
    return True


def _run(model: Any, stop: Callable[[], bool] | None) -> tuple[Any, Any, bool]:
    """Solve to proved optimality unless stopped; return solver, status and whether the answer is final."""
    from ortools.sat.python import cp_model

    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    # With presolve, ortools 9.15 calls too small batches optimal (23 of 9,561 nodes of up to 12 requests
    # with large coefficients, by enumeration); without it, none.
    solver.parameters.cp_model_presolve = False
    solver.parameters.relative_gap_limit = 0.0
    solver.parameters.absolute_gap_limit = 0.0
    answer: list[Any] = []
    worker = threading.Thread(target=lambda: answer.append(solver.solve(model)), daemon=True)
    worker.start()
    try:
        worker.join(POLL_SECONDS)
        while worker.is_alive():
            if stop is not None and stop():
                solver.stop_search()
            worker.join(POLL_SECONDS)
    except BaseException:
        solver.stop_search()
        raise
    if not answer:
        raise RuntimeError("CP-SAT ended without an answer")
    return solver, answer[0], answer[0] in (cp_model.OPTIMAL, cp_model.INFEASIBLE)
