"""Variant weighted: the knapsack, its exact numbers, and the two solvers against enumeration."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from itertools import product
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

import edgeopt as eo
from edgeopt.errors import AssumptionError, InstanceError
from edgeopt.instances.base import violations
from edgeopt.instances.slide import LayerTable, Models, SlideInstance, Users
from edgeopt.result import Termination
from edgeopt.solvers.base import Control
from edgeopt.solvers.slide import knapsack, weighted
from edgeopt.solvers.slide.admission import ExactUser
from edgeopt.solvers.slide.best_served import best_served
from edgeopt.solvers.slide.knapsack import Knapsack, pack
from edgeopt.testing.profiles import few
from edgeopt.testing.slide import slide_instances

WEIGHTS = (1, 1, 2, 3, 5, 7, 100, 2**31)
KINDS = ("int64", "long", "fraction")


def with_weights(instance: SlideInstance, weight: list[int]) -> SlideInstance:
    users = replace(instance.users, weight=np.array(weight, dtype=np.int64))
    return replace(instance, variant="weighted", users=users)


@st.composite
def weighted_instances(draw: st.DrawFn) -> SlideInstance:
    instance = draw(slide_instances(max_users=5, max_models=2))
    count = len(instance.users)
    return with_weights(instance, draw(st.lists(st.sampled_from(WEIGHTS), min_size=count, max_size=count)))


def tenths(bits: list[int], weight: list[int], deadline_s: float = 1.0) -> SlideInstance:
    """Users that need ``bits / 10`` of the band exactly, for bits / 10 Mbit."""
    models = Models.of([LayerTable.of(f"m{size}", bits=[size * 10**6], flop_per_sample=[0]) for size in set(bits)])
    users = Users.of(
        deadline_s=[deadline_s] * len(bits),
        frequency_hz=1e9,
        spectral_efficiency=1.0,
        weight=weight,
        models=[(f"m{size}",) for size in bits],
    )
    return SlideInstance("tenths", 1e7, models, users, variant="weighted")


def sizes_of(sizes: list[int], kind: str) -> np.ndarray[Any, Any]:
    if kind == "int64":
        return np.array(sizes, dtype=np.int64)
    found = np.empty(len(sizes), dtype=object)
    for place, size in enumerate(sizes):
        found[place] = size << 200 if kind == "long" else Fraction(size, 7)
    return found


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 12)), max_size=7),
    st.integers(1, 30),
    st.integers(0, 12),
    st.sampled_from(KINDS),
)
def test_the_knapsack_is_packed_best(items: list[tuple[int, int]], room: int, at_least: int, kind: str) -> None:
    capacity = {"int64": room, "long": room << 200, "fraction": Fraction(room, 7)}[kind]
    best = max(
        sum(worth for take, (worth, _) in zip(taken, items, strict=True) if take)
        for taken in product((False, True), repeat=len(items))
        if sum(size for take, (_, size) in zip(taken, items, strict=True) if take) <= room
    )
    worths, sizes = [worth for worth, _ in items], sizes_of([size for _, size in items], kind)
    sack = Knapsack(np.array(worths, dtype=np.int64), sizes, capacity)
    found = pack(sack, Control(), at_least)
    assert found.worth == found.bound == max(best, at_least)
    if found.chosen is None:
        assert best <= at_least
    else:
        assert sack.worth[found.chosen].sum() == found.worth > at_least
        assert sum(sizes[found.chosen].tolist()) <= capacity
        assert found.open[found.chosen].all()
    with mock.patch.object(knapsack, "MOST_WORTH", -1):  # no table: undominated sets
        other = pack(sack, Control(), at_least)
    assert (other.worth, other.bound) == (found.worth, found.bound)
    assert other.chosen is None or sum(sizes[other.chosen].tolist()) <= capacity
    quick = pack(sack, Control(), at_least, most_cells=0)
    assert quick.bound >= max(best, at_least) >= quick.worth


SHARES = [Fraction(1, 3), Fraction(1, 2), Fraction(1, 4), Fraction(1, 6), Fraction(2, 3), Fraction(1, 2**70)]
NUDGES = [Fraction(0), Fraction(1, 2**100), -Fraction(1, 2**100), Fraction(1, 2**400), -Fraction(1, 2**400)]


def floats(exact: list[Fraction], towards: float) -> list[float]:
    """The shares where floats can say them, else something next to them."""
    return [float(y) if Fraction(float(y)) == y else math.nextafter(float(y), towards) for y in exact]


@given(
    st.lists(
        st.tuples(st.sampled_from(SHARES), st.sampled_from(NUDGES), st.integers(0, 4)),
        max_size=6,
    )
)
@example([(Fraction(1, 3), Fraction(1, 2**400), 1)] * 3)
@example([(Fraction(1, 2), Fraction(0), 2)] * 2 + [(Fraction(1, 2**70), Fraction(0), 1)])
@example(  # the best set within the bound does not fit: what it ruled out comes back
    [
        (Fraction(1, 2), Fraction(1, 2**100), 3),
        (Fraction(1, 4), Fraction(1, 2**400), 1),
        (Fraction(1, 4), -Fraction(1, 2**400), 2),
        (Fraction(1, 2), Fraction(0), 3),
    ]
)
@example([(Fraction(1, 3), Fraction(0), 2)] * 3 + [(Fraction(1, 2), -Fraction(1, 2**400), 3)] * 2)
def test_shares_that_fill_the_band_are_told_apart_exactly(users: list[tuple[Fraction, Fraction, int]]) -> None:
    exact = [share + nudge for share, nudge, _ in users]
    worth = np.array([weight for _, _, weight in users], dtype=np.int64)
    shares: Any = SimpleNamespace(user_low=np.array(floats(exact, 0.0)), user_high=np.array(floats(exact, 1.0)))
    best = max(
        sum(int(weight) for take, weight in zip(taken, worth, strict=True) if take)
        for taken in product((False, True), repeat=len(users))
        if sum(share for take, share in zip(taken, exact, strict=True) if take) <= 1
    )
    found = best_served(shares, worth, lambda user: ExactUser(exact[user], exact[user], 0, None, {}), Control())
    assert found.worth == found.bound == best
    assert worth[found.users].sum() == best
    assert sum(exact[user] for user in found.users.tolist()) <= 1


@few(25)
@given(weighted_instances())
def test_the_program_serves_the_largest_weight(instance: SlideInstance) -> None:
    best = eo.solve(instance, "brute-force")
    found = eo.solve(instance, "weighted-dp")
    assert found.closed, found.message
    assert found.value == best.value == best.bound
    assert not violations(instance, found.solution)


@few(25)
@given(weighted_instances(), st.sampled_from((0.01, 0.1, 1 / 3, 0.5, 0.9, 0.999)))
def test_scaled_weights_keep_the_guarantee(instance: SlideInstance, epsilon: float) -> None:
    best = eo.solve(instance, "brute-force").value
    found = eo.solve(instance, "weighted-fptas", epsilon=epsilon)
    assert found.value is not None
    assert found.bound is not None
    assert found.guarantee is not None
    assert found.value <= best <= found.bound
    assert Fraction(found.guarantee) >= 1 - Fraction(str(epsilon))
    assert found.value >= Fraction(found.guarantee) * int(best)
    assert not violations(instance, found.solution)


def subset_sum(users: int, seed: int = 0) -> SlideInstance:
    """Weights in proportion to the shares, so that bounds fix nobody."""
    rng = np.random.default_rng(seed)
    size = (2 * rng.integers(10**4, 10**5, users)).tolist()
    models = Models.of([LayerTable.of(f"m{k}", bits=[bits], flop_per_sample=[0]) for k, bits in enumerate(size)])
    chosen = Users.of(
        deadline_s=[1.0] * users,
        frequency_hz=1e9,
        spectral_efficiency=1.0,
        weight=size,
        models=[(f"m{k}",) for k in range(users)],
    )
    return SlideInstance("subset sum", float(sum(size) // 2 + 1), models, chosen, variant="weighted")


def test_scaling_shortens_the_table_and_keeps_the_guarantee() -> None:
    instance = subset_sum(14)
    best = eo.solve(instance, "weighted-dp")
    found = eo.solve(instance, "weighted-fptas", epsilon=0.2)
    assert best.closed
    assert found.guarantee == "4/5"
    assert 0 < found.effort["cells"] < best.effort["cells"] / 100
    assert best.value is not None
    assert found.bound is not None
    assert 5 * found.value >= 4 * best.value
    assert found.value <= best.value <= found.bound


def test_a_table_that_is_too_long_leaves_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knapsack, "MOST_CELLS", 1000)
    monkeypatch.setattr(knapsack, "MOST_STATES", 100)
    instance = subset_sum(14)
    found = eo.solve(instance, "weighted-dp")
    assert found.termination is Termination.NODE_LIMIT
    assert "not searched to the end" in found.message
    assert found.value is not None
    assert found.bound is not None
    assert 0 < found.value < found.bound
    assert eo.violations(instance, found.solution) == []
    monkeypatch.setattr(knapsack, "MOST_STATES", 2**20)  # without the table, but to the end
    best = eo.solve(instance, "weighted-dp")
    assert best.closed
    assert found.value <= best.value <= found.bound
    monkeypatch.setattr(knapsack, "MOST_STATES", 100)
    with pytest.raises(AssumptionError, match=r"take a larger one"):
        eo.solve(instance, "weighted-fptas", epsilon=0.01)


@few(25)
@given(slide_instances(max_users=5, max_models=2), st.integers(1, 2**31))
def test_equal_weights_are_the_plain_problem(instance: SlideInstance, weight: int) -> None:
    most = eo.solve(instance, "slide").value
    found = eo.solve(with_weights(instance, [weight] * len(instance.users)), "weighted-dp")
    assert most is not None
    assert found.closed
    assert found.value == weight * most


def test_users_worth_nothing_are_left_out() -> None:
    shares: Any = SimpleNamespace(user_low=np.array([0.1, 0.6, 0.6]), user_high=np.array([0.1, 0.6, 0.6]))
    found = best_served(shares, np.array([0, 4, 5]), lambda user: pytest.fail("floats can tell"), Control())
    assert (found.users.tolist(), found.worth, found.bound) == ([2], 5, 5)


@pytest.mark.parametrize("solver", ["weighted-dp", "weighted-fptas"])
@pytest.mark.parametrize(
    ("bits", "weight", "best"),
    [
        ([1] * 10, [3] * 10, 30),  # exactly the band
        ([1] * 11, [3] * 10 + [2], 30),
        ([3, 7, 5, 5], [4, 4, 5, 4], 9),  # two ways to fill it
        ([10, 1], [6, 5], 6),
        ([11, 1], [100, 1], 1),  # more than the band
        ([6, 5, 5], [10, 6, 6], 12),  # greedy by weight takes the first
        ([1, 10], [2, 10], 10),  # greedy by weight per share takes the first
    ],
)
def test_by_hand(solver: str, bits: list[int], weight: list[int], best: int) -> None:
    instance = tenths(bits, weight)
    found = eo.solve(instance, solver, **({"epsilon": 0.001} if solver == "weighted-fptas" else {}))
    assert found.value == best
    assert not violations(instance, found.solution)


def test_the_band_that_is_a_hair_too_narrow() -> None:
    assert eo.solve(tenths([1] * 10, [2] * 10, deadline_s=1 - 1e-12), "weighted-dp").value == 18


@few(25)
@given(weighted_instances(), st.data())
def test_a_model_of_the_same_knapsack_agrees(instance: SlideInstance, data: DataObject) -> None:
    from edgeopt.models.slide.formulation import LeastShareFormulation

    model = LeastShareFormulation(instance)
    assume(model.pairs)
    found = eo.solve(instance, "weighted-dp")
    values = model.start(found.solution)
    assert not model.cuts(values)
    assert sum(worth for worth, x in zip(model.worth, values, strict=True) if x) == found.value


@pytest.mark.parametrize("solver", ["weighted-dp", "weighted-fptas"])
def test_a_stop_leaves_a_solution_and_a_bound(solver: str) -> None:
    instance = subset_sum(14)
    best = eo.solve(instance, "weighted-dp").value
    found = eo.solve(instance, solver, time_limit=0)
    assert found.termination is Termination.TIME_LIMIT
    assert found.value is not None
    assert best is not None
    assert found.bound is not None
    assert found.value <= best <= found.bound
    if solver == "weighted-fptas":
        assert found.guarantee == "0"


@pytest.mark.parametrize("solver", ["weighted-dp", "weighted-fptas"])
def test_other_variants_are_refused(solver: str) -> None:
    with pytest.raises(AssumptionError, match=f"{solver} solves the variant 'weighted', tenths is 'plain'"):
        eo.solve(replace(tenths([1], [1]), variant="plain"), solver)


@pytest.mark.parametrize("epsilon", [0.0, 1.0, -1.0, math.nan])
def test_epsilon_out_of_range(epsilon: float) -> None:
    with pytest.raises(InstanceError, match="must be above 0 and below 1"):
        eo.solve(tenths([1], [1]), "weighted-fptas", epsilon=epsilon)


def test_the_bound_of_scaled_weights_counts_what_scaling_lost() -> None:
    """Without the unit that each user may lose, the bound would be below the optimum."""
    instance = subset_sum(12, seed=3)
    best = eo.solve(instance, "weighted-dp").value
    shares = weighted.least_shares(instance.compiled)
    for epsilon in (0.3, 0.6, 0.9):
        found = eo.solve(instance, "weighted-fptas", epsilon=epsilon)
        assert found.bound is not None
        assert best is not None
        assert found.bound >= best
    assert (shares.user_low > 0).all()
