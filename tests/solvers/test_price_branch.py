"""Price and branch on small programs: against every set of choices, its proof replayed in fractions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import chain, combinations, product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.certify.certificate import certificate
from edgeopt.certify.proofs import replayed as verified
from edgeopt.instances.assignment import AssignmentInstance
from edgeopt.instances.batching import program as batching
from edgeopt.instances.batching.generate import generate
from edgeopt.instances.program import Program
from edgeopt.proof import Bins, ChoiceSplit, CountSplit, Fixings, Knapsacks, Leaf, ThresholdSplit
from edgeopt.result import Termination
from edgeopt.solvers.base import Control, Progress
from edgeopt.solvers.pricebranch import kernel, solve, tree
from edgeopt.solvers.pricebranch.apart import Apart, apart
from edgeopt.solvers.pricebranch.primal import feasible
from edgeopt.solvers.pricebranch.space import space, whole
from edgeopt.solvers.pricebranch.tree import Search


@st.composite
def programs(draw: st.DrawFn, resources: int | None = None) -> Program:
    """Programs of all kinds, small enough for brute force, with capacities and budgets that bind."""
    groups, bins = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    resources = resources or draw(st.integers(1, 4))
    pairs = [(g, b) for g in range(groups) for b in range(bins) if draw(st.integers(0, 4))] or [(0, 0)]
    twice = draw(st.lists(st.sampled_from(pairs), max_size=3))
    pairs = sorted(pairs + twice)
    size = len(pairs)

    def column(least: int, most: int, length: int) -> np.ndarray:
        return np.array(draw(st.lists(st.integers(least, most), min_size=length, max_size=length)), dtype=np.int64)

    kinds = draw(st.integers(1, 9))
    weight = np.column_stack([column(0, kinds, size) for _ in range(resources)])
    share = draw(st.integers(2, 8))
    capacity = np.column_stack([column(0, 3, bins) + share * groups // 2 for _ in range(resources)])
    return Program(
        sense=draw(st.sampled_from(("max", "min"))),
        exactly_one=draw(st.booleans()),
        groups=groups,
        group=np.array([g for g, _ in pairs], dtype=np.int64),
        bin=np.array([b for _, b in pairs], dtype=np.int64),
        profit=np.ones(size, dtype=np.int64) if draw(st.booleans()) else column(-5, 30, size),
        weight=weight,
        capacity=capacity,
        budget=column(0, 4 * groups, size) if draw(st.booleans()) else None,
    )


def best_value(program: Program) -> int | None:
    """Optimum by trying every set of choices; None if none is feasible."""
    options = [[None, *np.flatnonzero(program.group == g).tolist()] for g in range(program.groups)]
    values = []
    for picked in product(*options):
        chosen = np.array([k for k in picked if k is not None], dtype=np.int64)
        if _fits(program, chosen):
            values.append(int(program.profit[chosen].sum()))
    return (max if program.sense == "max" else min)(values, default=None)


def _fits(program: Program, chosen: np.ndarray) -> bool:
    if program.exactly_one and len(chosen) < program.groups:
        return False
    for b in range(program.bins):
        inside = chosen[program.bin[chosen] == b]
        room = program.capacity[b].tolist()
        if program.budget is not None and len(inside):
            room[-1] = min(room[-1], int(program.budget[inside].min()))
        if any(int(program.weight[inside, d].sum()) > room[d] for d in range(len(room))):
            return False
    return True


def replayed(program: Any, tree: Any, bins: Sequence[int] | None = None, state: Any = None) -> Fraction | None:
    """The bound that a proof tree gives in exact arithmetic, maximised; None where it leaves no set.

    Of part of a tree: the bins that it is about, and what is known there.
    """
    sign = 1 if program.sense == "max" else -1
    bounds = []
    members = [np.flatnonzero(program.bin == b).tolist() for b in range(program.bins)]
    top = int(program.capacity.max()) + (0 if program.budget is None else int(program.budget.max(initial=0)))
    bins = range(program.bins) if bins is None else bins
    stack: list[Any] = [(tree, *(state or ({}, [(0, top)] * program.bins, [()] * program.bins)))]
    while stack:
        vertex, fixed, window, counts = stack.pop()
        if isinstance(vertex, Leaf):
            bounds.append(_leaf(program, sign, vertex, fixed, window, counts, members, bins))
        elif isinstance(vertex, Bins):
            bounds.append(_bins(program, sign, vertex, fixed, window, counts))
        elif isinstance(vertex, Knapsacks):
            bounds.append(_knapsacks(program, sign, vertex.prices, fixed, members))
        elif isinstance(vertex, Fixings):
            decided = dict(fixed)
            for k, inside in [(k, False) for k in vertex.excluded] + [(k, True) for k in vertex.demanded]:
                mates = np.flatnonzero(program.group == program.group[k]).tolist()
                assert k not in fixed
                assert decided.get(k, inside) == inside
                decided |= {mate: False for mate in mates} | {k: True} if inside else {k: False}
            for k in vertex.excluded:
                mates = np.flatnonzero(program.group == program.group[k]).tolist()
                other = fixed | {mate: False for mate in mates} | {k: True}
                bounds.append(_knapsacks(program, sign, vertex.prices, other, members))
            for k in vertex.demanded:
                mates = set(np.flatnonzero(program.group == program.group[k]).tolist()) - {k}
                if not (program.exactly_one and all(decided[mate] is False for mate in mates)
                        and all(mate in vertex.excluded or mate in fixed for mate in mates)):  # fmt: skip
                    bounds.append(_knapsacks(program, sign, vertex.prices, fixed | {k: False}, members))
            stack.append((vertex.then, decided, window, counts))
        elif isinstance(vertex, ChoiceSplit):
            assert vertex.choice not in fixed
            mates = np.flatnonzero(program.group == program.group[vertex.choice]).tolist()
            with_ = fixed | {mate: False for mate in mates} | {vertex.choice: True}
            stack += [
                (vertex.without, fixed | {vertex.choice: False}, window, counts),
                (vertex.with_, with_, window, counts),
            ]
        elif isinstance(vertex, ThresholdSplit):
            low, high = window[vertex.bin]
            below = [int(program.budget[k]) for k in members[vertex.bin] if program.budget[k] < vertex.threshold]
            for half, now in (
                (vertex.late, (max(low, vertex.threshold), high)),
                (vertex.early, (low, min(high, max(below)))),
            ):
                stack.append((half, fixed, [*window[: vertex.bin], now, *window[vertex.bin + 1 :]], counts))
        else:
            assert isinstance(vertex, CountSplit)
            family = frozenset(vertex.choices.tolist())
            assert family <= set(members[vertex.bin])
            for half, row in ((vertex.few, (family, 1, vertex.most)), (vertex.many, (family, -1, -vertex.most - 1))):
                grown = [*counts[: vertex.bin], (*counts[vertex.bin], row), *counts[vertex.bin + 1 :]]
                stack.append((half, fixed, window, grown))
    known = [bound for bound in bounds if bound is not None]
    return max(known, default=None)


def _bins(program, sign, vertex, fixed, window, counts):  # type: ignore[no-untyped-def]
    """The prices and the bounds of the parts, each about one bin, where a group may be taken in every bin."""
    prices = [sign * Fraction(price) for price in vertex.prices.tolist()]
    assert program.exactly_one or all(price >= 0 for price in prices)
    gains = [sign * Fraction(int(profit)) - prices[g] for profit, g in zip(program.profit, program.group, strict=True)]
    alone = SimpleNamespace(
        sense="max", exactly_one=False, groups=len(gains), group=np.arange(len(gains)), bin=program.bin,
        bins=program.bins, profit=np.array(gains, dtype=object), weight=program.weight, capacity=program.capacity,
        budget=program.budget,
    )  # fmt: skip
    assert len(vertex.parts) == program.bins
    parts = [replayed(alone, part, [b], (fixed, window, counts)) for b, part in enumerate(vertex.parts)]
    return None if None in parts else sum(parts, sum(prices, Fraction(0)))


def _knapsacks(program, sign, prices, fixed, members):  # type: ignore[no-untyped-def]
    """Prices and the best content of each bin, by trying every subset."""
    prices = [sign * Fraction(price) for price in prices.tolist()]
    assert program.exactly_one or all(price >= 0 for price in prices)
    total = sum(prices)
    for b in range(program.bins):
        inside = [k for k in members[b] if fixed.get(k)]
        free = [k for k in members[b] if k not in fixed]
        values = []
        for more in chain.from_iterable(combinations(free, count) for count in range(len(free) + 1)):
            content = [*inside, *more]
            if int(program.weight[content, 0].sum()) <= program.capacity[b, 0]:
                values.append(sum(sign * int(program.profit[k]) - prices[program.group[k]] for k in content))
        if not values:
            return None
        total += max(values)
    return total


def _leaf(program, sign, leaf, fixed, window, counts, members, bins):  # type: ignore[no-untyped-def]
    prices = [sign * Fraction(price) for price in leaf.prices.tolist()]
    assert program.exactly_one or all(price >= 0 for price in prices)
    total = sum(prices, Fraction(0))
    for place, b in enumerate(bins):
        rows = counts[b]
        inside = [k for k in members[b] if fixed.get(k)]
        free = [k for k in members[b] if k not in fixed]
        budget = None if program.budget is None else program.budget.tolist()
        levels = {int(program.capacity[b, -1])} if budget is None else {budget[k] for k in inside + free}
        if budget is not None:
            most = min([window[b][1], *(budget[k] for k in inside)])
            levels = {t for t in levels if window[b][0] <= t <= most}
        best = None if inside else Fraction(0)
        if any(sign_ < 0 < -limit for _, sign_, limit in rows):
            best = None  # an empty bin has too few
        for t in levels:
            least = None
            for vector in leaf.multipliers[place].tolist():
                y = [Fraction(value) for value in vector]
                assert all(value >= 0 for value in y)
                room = [*program.capacity[b, :-1].tolist(), min(t, int(program.capacity[b, -1]))]
                room += [limit for _, _, limit in rows]
                upper = sum((p * r for p, r in zip(y, room, strict=False)), Fraction(0))
                for k in inside + free:
                    needs = program.weight[k].tolist() + [side * (k in family) for family, side, _ in rows]
                    gain = sign * program.profit.tolist()[k] - (prices[program.group[k]] if any(prices) else 0)
                    gain -= sum((p * w for p, w in zip(y, needs, strict=False)), Fraction(0))
                    if k in inside or (budget is None or budget[k] >= t):
                        upper += gain if k in inside else max(Fraction(0), gain)
                least = upper if least is None else min(least, upper)
            best = least if best is None else max(best, least)
        if best is None:
            return None
        total += best
    return total


def worst_value(program: Program) -> int:
    """No solution is worse, maximised: each group at its worst choice. A bound below it says that there is none."""
    profit = program.profit if program.sense == "max" else -program.profit
    return sum(min(profit[program.group == g].tolist()) for g in np.unique(program.group).tolist())


def floor_of(program: Program, bound: Fraction) -> int:
    whole = bound.numerator // bound.denominator
    return whole if program.sense == "max" else -whole


@given(programs())
def test_solves_to_the_optimum_and_proves_it(program: Program) -> None:
    optimum = best_value(program)
    outcome = solve(program, Control())
    assert outcome.value == optimum
    proved = replayed(program, outcome.tree)
    if optimum is None:
        assert outcome.termination is Termination.INFEASIBLE
        assert outcome.bound is None
        assert proved is None or proved < worst_value(program)
    else:
        assert outcome.termination is Termination.COMPLETE
        assert outcome.bound == optimum
        assert _fits(program, outcome.chosen)
        assert proved is not None
        assert floor_of(program, proved) == optimum


@given(programs(resources=1))
def test_one_resource_without_budgets_is_solved_by_knapsacks(program: Program) -> None:
    program = replace(program, budget=None)
    optimum = best_value(program)
    outcome = solve(program, Control())
    assert outcome.value == optimum
    proved = replayed(program, outcome.tree)
    if optimum is None:
        assert outcome.termination is Termination.INFEASIBLE
        assert outcome.bound is None
        assert proved is None or proved < worst_value(program)
    else:
        assert outcome.bound == optimum
        assert floor_of(program, proved) == optimum


@pytest.mark.parametrize("kind", ["gap-b", "gap-c", "gap-d", "gap-e"])
def test_trees_of_knapsacks_prove_the_optimum(kind: str) -> None:
    instance = eo.generate("assignment", kind=kind, bins=3, items=18, seed=3)
    solved = eo.solve(instance, "close")
    made = certificate(instance, solved)
    assert made.value == made.bound == eo.solve(instance, "highs").value
    kinds = {vertex["kind"] for vertex in made.content["proof"]["vertices"]}
    assert "knapsacks" in kinds
    assert kinds <= {"knapsacks", "fixings", "choice"}
    made.verify()


@given(programs(resources=1), st.integers(1, 6))
def test_stopped_early_knapsacks_have_a_valid_bound(program: Program, vertices: int) -> None:
    test_stopped_early_it_has_a_valid_bound_that_the_tree_proves.hypothesis.inner_test(
        replace(program, budget=None), vertices
    )


@given(programs(), st.integers(1, 6))
def test_stopped_early_it_has_a_valid_bound_that_the_tree_proves(program: Program, vertices: int) -> None:
    optimum = best_value(program)
    outcome = solve(program, Control(), vertex_limit=vertices)
    proved = replayed(program, outcome.tree)
    better = (lambda a, b: a >= b) if program.sense == "max" else (lambda a, b: a <= b)
    if outcome.value is not None:
        assert _fits(program, outcome.chosen)
        assert better(optimum, outcome.value)
    if optimum is not None:
        assert outcome.bound is not None
        assert better(outcome.bound, optimum)
        assert proved is not None
        assert better(outcome.bound, floor_of(program, proved))


@pytest.mark.parametrize(("requests", "seed"), [(14, 11), (18, 2), (18, 7), (18, 11)])
def test_a_tree_of_all_kinds_of_splits_replays_to_the_bound(
    requests: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Search, "take_apart", lambda self: None)  # which closes them at the root
    program = batching.program(generate(nodes=2, requests=requests, regime="both", seed=seed))
    outcome = solve(program, Control())
    assert outcome.value == outcome.bound
    assert {CountSplit, ThresholdSplit} <= _kinds(outcome.tree)
    assert floor_of(program, replayed(program, outcome.tree)) == outcome.bound


def _kinds(tree: Any) -> set[type]:
    halves = {"few", "many", "late", "early", "without", "with_"}
    kinds, stack = set(), [tree]
    while stack:
        vertex = stack.pop()
        kinds.add(type(vertex))
        stack += [getattr(vertex, name) for name in halves if hasattr(vertex, name)]
    return kinds


def test_no_time_still_gives_a_bound_and_keeps_the_start() -> None:
    program = _knapsack(12)
    outcome = solve(program, Control(time_limit=0.0), start=np.array([0, 1]))
    assert outcome.termination is Termination.TIME_LIMIT
    assert outcome.value >= program.profit[:2].sum()
    assert outcome.bound >= solve(program, Control()).value
    assert floor_of(program, replayed(program, outcome.tree)) <= outcome.bound


def test_interrupted_it_stops() -> None:
    control = Control()

    def interrupt(progress: Progress) -> None:
        control.interrupted = True

    control.listener = interrupt
    program = _knapsack(40)
    outcome = solve(program, control)
    assert outcome.termination is Termination.INTERRUPTED
    assert feasible(program, outcome.chosen)
    assert outcome.bound >= outcome.value


def test_reports_values_and_bounds_that_only_get_better() -> None:
    heard: list[Progress] = []
    outcome = solve(_knapsack(30), Control(listener=heard.append), vertex_limit=60)
    values = [progress.value for progress in heard]
    bounds = [progress.bound for progress in heard]
    assert values == sorted(values)
    assert bounds == sorted(bounds, reverse=True)
    assert (values[-1], bounds[-1]) == (outcome.value, outcome.bound)


def test_a_start_that_is_not_feasible_is_ignored() -> None:
    program = _knapsack(12)
    assert solve(program, Control(), start=np.arange(12)).value == solve(program, Control()).value


def test_same_seed_same_answer() -> None:
    first, second = (solve(_knapsack(30), Control(), vertex_limit=60) for _ in range(2))
    assert first.chosen.tolist() == second.chosen.tolist()
    assert first.effort == second.effort


def test_an_ascent_in_small_pieces_ends_as_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    program = batching.program(generate(nodes=3, requests=60, regime="both", seed=3))
    whole = solve(program, Control(), vertex_limit=5)
    monkeypatch.setattr(tree, "CHUNK_WORK", 1)
    pieces = solve(program, Control(), vertex_limit=5)
    assert pieces.chosen.tolist() == whole.chosen.tolist()
    assert (pieces.bound, pieces.effort) == (whole.bound, whole.effort)


def test_an_ascent_stops_between_its_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "CHUNK_WORK", 1)
    control, calls = Control(), 0

    def ascend(*arguments: Any) -> bool:
        nonlocal calls
        calls += 1
        control.interrupted = True
        return bool(kernel.ascend(*arguments))

    monkeypatch.setattr(tree, "_ascend", ascend)
    outcome = solve(batching.program(generate(nodes=3, requests=60, regime="both", seed=3)), control)
    assert outcome.termination is Termination.INTERRUPTED
    assert calls == 1


@pytest.mark.parametrize("corner", ["no choices", "no capacity", "no profit"])
def test_corners(corner: str) -> None:
    program = _knapsack(6)
    if corner == "no choices":
        none = np.zeros(0, dtype=np.int64)
        program = replace(program, group=none, bin=none, profit=none, weight=np.zeros((0, 2), dtype=np.int64))
    elif corner == "no capacity":
        program = replace(program, capacity=np.zeros((2, 2), dtype=np.int64))
    else:
        program = replace(program, profit=np.zeros(12, dtype=np.int64))
    outcome = solve(program, Control())
    assert (outcome.value, outcome.bound) == (0, 0)


def _knapsack(groups: int) -> Program:
    """Two bins, two resources, profits near the weights."""
    rng = np.random.default_rng(groups)
    weight = rng.integers(20, 60, (2 * groups, 2))
    return Program(
        sense="max",
        exactly_one=False,
        groups=groups,
        group=np.tile(np.arange(groups), 2),
        bin=np.repeat([0, 1], groups),
        profit=weight.sum(axis=1) + rng.integers(0, 20, 2 * groups),
        weight=weight,
        capacity=np.full((2, 2), 10 * groups),
    )


@pytest.mark.parametrize("scale", [10**7, 10**12])
def test_numbers_of_very_different_size(scale: int) -> None:
    """HiGHS fails on some of them; the search goes on without, and does not call a gap complete."""
    rng = np.random.default_rng(scale % 97)
    for _ in range(40):
        groups, bins = int(rng.integers(1, 5)), int(rng.integers(1, 4))
        group, bin_ = (column.ravel() for column in np.indices((groups, bins)))

        def mixed(shape: Any) -> Any:
            small, large = rng.integers(0, 9, shape), rng.integers(0, 9, shape) * scale + rng.integers(0, 5, shape)
            return np.where(rng.random(shape) < 0.5, small, large)

        instance = AssignmentInstance(
            "mixed", groups, group, bin_, mixed(len(group)), mixed((len(group), 2)), 2 * mixed((bins, 2)),
            sense=str(rng.choice(["max", "min"])), pick=str(rng.choice(["exactly-one", "at-most-one"])),
        )  # fmt: skip
        found, best = eo.solve(instance, "close"), eo.solve(instance, "brute-force")
        assert found.value == best.value
        assert found.termination in (best.termination, Termination.NODE_LIMIT)
        assert found.closed or found.termination is not Termination.COMPLETE


def _apart_everywhere(self: Search) -> None:
    """In place of the root's bins apart: none, but every other vertex is tried."""
    self.apart, self.reach = Apart(math.inf, Leaf(np.zeros(0), ()), 0), math.inf


@given(programs())
def test_bins_apart_below_any_split(program: Program) -> None:
    program = replace(program, exactly_one=False)
    optimum = best_value(program)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Search, "take_apart", _apart_everywhere)
        outcome = solve(program, Control())
    assert outcome.value == outcome.bound == optimum
    assert floor_of(program, replayed(program, outcome.tree)) == optimum
    assert verified(program, outcome.tree)[1] == optimum


@given(programs(), st.integers(1, 4), st.integers(1, 20))
def test_bins_apart_give_a_valid_bound_however_short(program: Program, rounds: int, leaves: int) -> None:
    program = replace(program, exactly_one=False)
    form = space(program)
    optimum = best_value(program)
    assert optimum is not None
    found = apart(
        form, whole(form), form.ceiling, form.sign * optimum + 0.5, rounds=rounds, leaves=leaves, stop=lambda: False
    )
    proved = replayed(program, found.tree)
    assert form.sign * optimum <= proved <= found.bound + 1e-9


def test_bins_apart_close_what_trees_over_all_bins_do_not() -> None:
    instance = generate(nodes=3, requests=200, regime="all", seed=1)
    solved = eo.solve(instance, "close")
    assert (solved.termination, solved.value, solved.bound) == (Termination.COMPLETE, 62, 62)
    made = certificate(instance, solved)
    assert (made.value, made.bound) == (62, 62)
    assert made.content["proof"]["vertices"][0]["kind"] == "bins"
