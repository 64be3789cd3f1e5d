"""The joint problem for CP-SAT on an integer grid: the recursion, no algebra of least shares.

Shares are counted in ``1 / N``, times in ``1 / M`` of the user's deadline, speeds in ``1 / Q``, with ``N = 2^b``,
``M = 2^(b + 2)``, ``Q = 2^(b - 4)`` for ``b`` grid bits. The model is built twice.

Demand **up** restricts: every feasible point of the grid model is a feasible allocation, with the share ``n / N`` and
speeds ``q_l / Q`` as they are. Products ask for ``n v >= ceil(need N M)`` and ``q d >= ceil(w M Q)``; all terms are
rounded up.

Demand **down** relaxes: for every feasible allocation the point ``n = floor(y N)``, ``q = floor(z Q)``,
``v = floor(v M)``, ``d = floor(d M)``, ``t = ceil(t M)`` is feasible in the model, so its optimum is a bound. Products
of what was rounded down ask for ``(n + 1)(v + 1) > floor(need N M)`` only; all terms are rounded down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ortools.sat.python import cp_model

from edgeopt.instances.slide.instance import SlideInstance
from edgeopt.instances.slide.pair import TICKS_PER_S, Pair
from edgeopt.models.slide.scaled import hopeless
from edgeopt.models.slide.serve import Served, weights

PART_BITS = 16
"""Parts ``A_l / A_L`` are counted in ``2^-16``."""
DRAIN_BITS = 20
"""Parts ``w_l / G`` of the energy budget: the largest is scaled to at most ``2^20``."""
LEAST_GRID_BITS, MOST_GRID_BITS = 6, 16


@dataclass(frozen=True, slots=True)
class Grid:
    """Numbers of steps for shares, times and speeds, and the direction of rounding."""

    shares: int
    times: int
    speeds: int
    up: bool

    @classmethod
    def of(cls, bits: int, *, up: bool) -> Grid:
        """The grid of so many bits."""
        return cls(2**bits, 2 ** (bits + 2), 2 ** (bits - 4), up)

    def demand(self, value: Fraction) -> int:
        """A demand in whole steps."""
        return math.ceil(value) if self.up else math.floor(value)

    def room(self, value: Fraction) -> int:
        """A capacity in whole steps."""
        return math.floor(value) if self.up else math.ceil(value)


@dataclass(frozen=True, slots=True, eq=False)
class GridPair:
    """Variables of a pair: ``x``, ``n`` and the speeds ``q_l`` (None where a layer does not compute)."""

    user: int
    model: int
    x: Any
    n: Any
    q: list[Any]


@dataclass(frozen=True, slots=True, eq=False)
class JointGrid:
    """The model of an instance on a grid, with its pairs."""

    grid: Grid
    model: Any
    pairs: list[GridPair]

    def served(self, value: Any) -> list[Served]:
        """Who is served, from a function that tells the value of a variable; feasible on a grid with demand up."""
        found = []
        for own in self.pairs:
            if value(own.x):
                speed = [Fraction(1) if q is None else Fraction(value(q), self.grid.speeds) for q in own.q]
                found.append(Served(own.user, own.model, Fraction(value(own.n), self.grid.shares), speed))
        return found


def joint_grid(instance: SlideInstance, grid: Grid) -> JointGrid:
    """The model, ``sum weight x`` to be maximised."""
    model = cp_model.CpModel()
    pairs = []
    for user in range(len(instance.users)):
        own = []
        for index in instance.compiled.models_of(user).tolist():
            pair = instance.compiled.pair(user, index)
            if not hopeless(pair):
                own.append(add_pair(model, grid, pair, user, index))
        model.add_at_most_one([pair.x for pair in own])
        pairs += own
    if pairs:
        model.add(sum(pair.n for pair in pairs) <= grid.shares)
    worth = weights(instance)
    model.maximize(sum(worth[pair.user] * pair.x for pair in pairs))
    return JointGrid(grid, model, pairs)


def add_pair(model: Any, grid: Grid, pair: Pair, user: int, index: int) -> GridPair:
    """Variables and constraints of one pair by itself."""
    x, n = model.new_bool_var(""), model.new_int_var(0, grid.shares, "")
    v = model.new_int_var(0, grid.times, "")
    model.add(n == 0).only_enforce_if(~x)
    need = Fraction(pair.bits[-1] * TICKS_PER_S) / (pair.rate * pair.deadline)
    _reciprocal(model, grid, x, (n, grid.shares), (v, grid.times), need * grid.shares * grid.times)
    q: list[Any] = []
    durations: list[Any] = []
    for work in pair.work:
        if not work:
            q.append(None)
            durations.append(0)
            continue
        q.append(model.new_int_var(0, grid.speeds, ""))
        durations.append(model.new_int_var(0, grid.times, ""))
        full = work * pair.flop_ticks / pair.deadline
        _reciprocal(model, grid, x, (q[-1], grid.speeds), (durations[-1], grid.times), full * grid.times * grid.speeds)
    _recursion(model, grid, pair, x, v, durations)
    if pair.energy is not None:
        _energy(model, grid, pair, x, q)
    return GridPair(user, index, x, n, q)


def _reciprocal(model: Any, grid: Grid, x: Any, one: tuple[Any, int], other: tuple[Any, int], least: Fraction) -> None:
    """``one other >= least``, each with its largest value; see the module for the two directions."""
    (a, most_a), (b, most_b) = one, other
    more = 0 if grid.up else 1
    product = model.new_int_var(0, (most_a + more) * (most_b + more), "")
    model.add_multiplication_equality(product, [a + more, b + more])
    model.add(product >= (math.ceil(least) if grid.up else math.floor(least) + 1)).only_enforce_if(x)


def _recursion(model: Any, grid: Grid, pair: Pair, x: Any, v: Any, durations: list[Any]) -> None:
    """``t_l >= part_l v + T_l``, ``t_l >= t_{l-1} + T_l``, ``t_L <= 1``."""
    unit = 2**PART_BITS
    before: Any = None
    for layer, duration in enumerate(durations):
        t = model.new_int_var(0, grid.times, "")
        time = grid.demand(Fraction(pair.overhead[layer] * grid.times, pair.deadline)) + duration
        part = grid.demand(Fraction(pair.bits[layer] * unit, pair.bits[-1]))
        model.add(unit * t >= part * v + unit * time).only_enforce_if(x)
        if before is not None:
            model.add(t >= before + time).only_enforce_if(x)
        before = t


def _energy(model: Any, grid: Grid, pair: Pair, x: Any, q: list[Any]) -> None:
    """``sum_l (w_l / G) z_l^2 <= 1``."""
    assert pair.energy is not None
    busy = [(work * pair.flop_ticks, speed) for work, speed in zip(pair.work, q, strict=True) if work]
    if not busy:
        return
    largest = max(full for full, _ in busy)
    # drains in units that make the largest at most 2^DRAIN_BITS, whatever the budget
    unit = Fraction(2**DRAIN_BITS) / largest
    terms = []
    for full, speed in busy:
        square = model.new_int_var(0, grid.speeds**2, "")
        model.add_multiplication_equality(square, [speed, speed])
        terms.append(grid.demand(full * unit) * square)
    budget = min(grid.room(pair.energy * unit * grid.speeds**2), 2**62)
    model.add(sum(terms) <= budget).only_enforce_if(x)
