"""Small programs, their true optima by enumeration, and proof trees of every shape drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest

from edgeopt.certify.counting import chains_of
from edgeopt.instances.program import Program
from edgeopt.proof import Bins, Chains, ChoiceSplit, Leaf, ThresholdSplit, Tree


def random_program(rng: Random, *, most_choices: int = 8) -> Program:
    """A program whose constraints bind: capacities are a share of what is asked."""
    count, groups, bins = rng.randint(0, most_choices), rng.randint(1, 5), rng.randint(1, 3)
    resources = rng.randint(1, 3)
    alike = rng.random() < 0.5
    exactly_one = rng.random() < 0.4
    group = [rng.randrange(groups) for _ in range(count)]
    profit = [1 if alike else rng.randint(-3, 9) for _ in range(count)]
    weight = [[rng.randint(0, 6) for _ in range(resources)] for _ in range(count)]
    capacity = [[rng.randint(0, 4 + 2 * count // bins) for _ in range(resources)] for _ in range(bins)]
    return Program(
        sense=rng.choice(["max", "min"]),
        exactly_one=exactly_one,
        groups=groups,
        group=np.array(group, dtype=np.int64),
        bin=np.array([rng.randrange(bins) for _ in range(count)], dtype=np.int64),
        profit=np.array(profit, dtype=np.int64),
        weight=np.array(weight, dtype=np.int64).reshape(count, resources),
        capacity=np.array(capacity, dtype=np.int64),
        budget=np.array([rng.randint(0, 14) for _ in range(count)], dtype=np.int64) if rng.random() < 0.7 else None,
    )


def feasible(program: Program, chosen: list[int]) -> bool:
    """The definition of `Program`, word by word."""
    groups = program.group[chosen].tolist()
    if len(set(groups)) < len(groups) or (program.exactly_one and len(groups) < program.groups):
        return False
    for b in range(program.bins):
        inside = [k for k in chosen if program.bin[k] == b]
        load = program.weight[inside].sum(axis=0)
        if (load > program.capacity[b]).any():
            return False
        if program.budget is not None and inside and load[-1] > program.budget[inside].min():
            return False
    return True


def optimum(program: Program) -> tuple[int | None, list[int]]:
    """Best value and a solution of it, by looking at every set of choices; None if no set is feasible."""
    sign = 1 if program.sense == "max" else -1
    best: tuple[int | None, list[int]] = (None, [])
    for mask in product((False, True), repeat=len(program.group)):
        chosen = [k for k, inside in enumerate(mask) if inside]
        if feasible(program, chosen):
            value = int(program.profit[chosen].sum())
            if best[0] is None or sign * value > sign * best[0]:
                best = (value, chosen)
    return best


@dataclass(frozen=True)
class Scope:
    """What `random_tree` must know of a vertex so that its splits are allowed."""

    bins: tuple[int, ...]
    open: frozenset[int]
    grouped: bool = True
    chains: tuple[tuple[int, ...], ...] | None = None
    low: Mapping[int, int] = field(default_factory=dict)
    """Of bins below a threshold split: the least budget that is left."""


def random_tree(rng: Random, program: Program, depth: int, scope: Scope | None = None) -> Tree:
    """Any tree that the format allows, with prices that nobody has chosen well."""
    if scope is None:
        scope = Scope(tuple(range(program.bins)), frozenset(range(len(program.group))))
    kinds = ["leaf"]
    if depth > 0:
        kinds += ["choice"] * 3 * bool(scope.open)
        if program.budget is not None and scope.chains is None:
            kinds += ["threshold"] * 2
        kinds += ["bins"] * 2 if scope.grouped else []
        kinds += ["chains"] * 3 if not scope.grouped and scope.chains is None else []
    return _MAKERS[rng.choice(kinds)](rng, program, depth - 1, scope)


def _prices(rng: Random, program: Program) -> np.ndarray:
    if rng.random() < 0.4:
        return np.zeros(program.groups)
    return np.array([rng.choice([rng.uniform(-4, 9), rng.randint(-2, 5), np.nan]) for _ in range(program.groups)])


def _leaf(rng: Random, program: Program, depth: int, scope: Scope) -> Tree:
    resources = program.weight.shape[1]
    rows = tuple(
        np.array([[rng.choice([0.0, rng.uniform(-1, 3), 0.5]) for _ in range(resources)] for _ in range(many)])
        for many in (rng.randint(0, 3) for _ in scope.bins)
    )
    prices = _prices(rng, program) if scope.grouped else np.zeros(program.groups)
    return Leaf(prices, tuple(row.reshape(-1, resources) for row in rows))


def _choice(rng: Random, program: Program, depth: int, scope: Scope) -> Tree:
    k = rng.choice(sorted(scope.open))
    without, with_ = {k}, {k}
    if scope.grouped:
        with_ |= {mate for mate in range(len(program.group)) if program.group[mate] == program.group[k]}
    for chain in scope.chains or ():
        if k in chain:
            without |= set(chain[chain.index(k) :])
            with_ |= set(chain[: chain.index(k)])
    return ChoiceSplit(
        k,
        random_tree(rng, program, depth, replace(scope, open=scope.open - without)),  # type: ignore[arg-type]
        random_tree(rng, program, depth, replace(scope, open=scope.open - with_)),  # type: ignore[arg-type]
    )


def _threshold(rng: Random, program: Program, depth: int, scope: Scope) -> Tree:
    b, threshold = rng.choice(scope.bins), rng.randint(0, 15)
    late = replace(scope, low={**scope.low, b: max(scope.low.get(b, 0), threshold)})
    return ThresholdSplit(
        b,
        threshold,
        random_tree(rng, program, depth, late),  # type: ignore[arg-type]
        random_tree(rng, program, depth, scope),  # type: ignore[arg-type]
    )


def _bins(rng: Random, program: Program, depth: int, scope: Scope) -> Tree:
    parts = []
    for b in scope.bins:
        inside = frozenset(k for k in scope.open if program.bin[k] == b)
        parts.append(random_tree(rng, program, depth, Scope((b,), inside, grouped=False, low=scope.low)))
    return Bins(_prices(rng, program), tuple(parts))


def _chains(rng: Random, program: Program, depth: int, scope: Scope) -> Tree:
    # Prices above may have made gains differ, so chains are only certain among choices of one group and profit.
    low = scope.low.get(scope.bins[0], 0)
    late = [k for k in sorted(scope.open) if program.budget is None or program.budget[k] >= low]
    sign = 1 if program.sense == "max" else -1
    chains: list[tuple[int, ...]] = []
    for group in sorted({int(program.group[k]) for k in late}):
        own = [k for k in late if program.group[k] == group]
        chains += map(tuple, chains_of(program.weight.T.tolist(), (sign * program.profit).tolist(), own))
    return Chains(tuple(chains), random_tree(rng, program, depth, replace(scope, chains=tuple(chains))))


_MAKERS: dict[str, Callable[[Random, Program, int, Scope], Tree]] = {
    "leaf": _leaf, "choice": _choice, "threshold": _threshold, "bins": _bins, "chains": _chains,
}  # fmt: skip


@pytest.fixture(scope="session")
def small() -> SimpleNamespace:
    """`random_program`, `random_tree`, `feasible` and `optimum`, for test modules that cannot import this file."""
    return SimpleNamespace(program=random_program, tree=random_tree, feasible=feasible, optimum=optimum)
