"""A leaf: Lagrangian prices that bound every set of its state.

With gains ``c_k`` (prices of groups already paid), capacity multipliers ``y >= 0``, and ``T`` the least budget in
bin ``b``: whoever is in the bin has a budget of at least ``T``, and the last resource sums to at most ``T``. So

    sum of c_k in the bin <= sum_{in} (c_k - y . w_k) + y . cap_b(T) + sum_{free, budget_k >= T} max(0, c_k - y . w_k)

for every ``y``, hence for the best of several, separately for each ``T``; the bin's bound is the largest over ``T``.
``y = 0`` is always among them. That holds for whatever numbers the file gives, so they need no trust. What is known
of counts are further resources, of which each choice that is counted needs 1 or -1; ``y`` may price them, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import accumulate, compress
from typing import Any

from .program import Program
from .reading import Refuted, fields, items
from .state import Proof, State, rounded

Children = list[tuple[Any, State]]
Combine = Callable[[list[int | None]], int | None]


def leaf(proof: Proof, state: State, vertex: Any) -> tuple[Children, Combine]:
    """Bound of the leaf; None where no set fits."""
    _, prices, multipliers = fields(vertex, "leaf", "kind", "prices", "multipliers")
    bound = _bound(proof, state, prices, multipliers)
    return [], lambda _: bound


def infeasible(proof: Proof, state: State, vertex: Any) -> tuple[Children, Combine]:
    """The claim that no set is left: were gains all 0, the same formula would still give less than 0."""
    _, prices, multipliers = fields(vertex, "infeasible", "kind", "prices", "multipliers")
    bound = _bound(proof, replace(state, gain=[0] * len(state.gain)), prices, multipliers)
    if bound is not None and bound >= 0:
        raise Refuted("does not prove that its case is infeasible")
    return [], lambda _: None


def _bound(proof: Proof, state: State, prices: Any, multipliers: Any) -> int | None:
    total, gain = proof.priced(state, prices)
    used = {proof.program.bin[k] for k, inside in state.fixed.items() if inside}
    for b, rows in zip(state.bins, items(multipliers, "leaf.multipliers", len(state.bins)), strict=True):
        found = [best for _, best in by_threshold(proof, state, b, gain, items(rows, "a list of multipliers"))]
        if b not in used and all(known.limit >= 0 for known in state.counts.get(b, ())):
            found.append(0)  # the bin may be empty
        if not found:
            return None
        members = proof.program.members[b]
        total += rounded(max(found), [gain[k] for k in members])
    return rounded(total, state.gain)


def by_threshold(proof: Proof, state: State, b: int, gain: Sequence[int], rows: Sequence[Any]) -> list[tuple[int, int]]:
    """What the least budget ``T`` in a bin can be, falling, and the bin's bound for each; empty if nothing fits."""
    program = proof.program
    members, budget, capacity = program.members[b], program.budget, program.capacity[b]
    low = state.window[b][0]
    inside = [k for k in members if state.fixed.get(k)]
    live = [k not in state.fixed and (budget is None or budget[k] >= low) for k in members]
    used = [sum(column[k] for k in inside) for column in program.weight]
    room = [most - load for most, load in zip(capacity, used, strict=True)]
    cases = [(t, n) for t, n in _thresholds(program, state, b, inside, live) if used[-1] <= t]
    counts = state.counts.get(b, ())
    count_room = [known.limit - known.sign * len(known.choices.intersection(inside)) for known in counts]
    too_many = any(known.sign > 0 and left < 0 for known, left in zip(counts, count_room, strict=True))
    if min(room) < 0 or too_many or not cases:
        return []
    base = sum(gain[k] for k in inside)
    gains = [gain[k] for k in compress(members, live)]
    best = _at(cases, accumulate((c if c > 0 else 0 for c in gains), initial=base))
    for row in rows:
        prices, cost = proof.multiplier(b, row)
        y, count_prices = prices[: len(room)], prices[len(room) :]
        if len(count_prices) > len(counts):
            raise Refuted(f"prices {len(count_prices)} counts of bin {b}, {len(counts)} are known")
        for price, known in zip(count_prices, counts, strict=False):
            cost = [c + price * known.sign * (k in known.choices) for c, k in zip(cost, members, strict=True)]
        left = (c - w for c, w in zip(gains, compress(cost, live), strict=True))
        start = base + sum(price * r for price, r in zip(y[:-1], room, strict=False))
        start += sum(price * r for price, r in zip(count_prices, count_room, strict=False))
        sums = _at(cases, accumulate((c if c > 0 else 0 for c in left), initial=start))
        last = [y[-1] * (min(t, capacity[-1]) - used[-1]) for t, _ in cases]
        best = [min(old, new + extra) for old, new, extra in zip(best, sums, last, strict=True)]
    return [(t, bound) for (t, _), bound in zip(cases, best, strict=True)]


def _at(cases: list[tuple[int, int]], sums: Iterable[int]) -> list[int]:
    """The prefix sum that belongs to each case."""
    found = list(sums)
    return [found[n] for _, n in cases]


def _thresholds(program: Program, state: State, b: int, inside: list[int], live: list[bool]) -> list[tuple[int, int]]:
    """Each ``T`` with the number of free choices (the first so many by falling budget) that may come with it."""
    low, high = state.window[b]
    budget, members = program.budget, program.members[b]
    if budget is None:
        return [(high, sum(live))]
    high_inside = min((budget[k] for k in inside), default=high)
    if state.chains is not None:
        return [(high, sum(live))] if high_inside >= low else []
    count: dict[int, int] = {}
    seen = 0
    for k, free in zip(members, live, strict=True):
        seen += free
        if free or state.fixed.get(k):
            count[budget[k]] = seen
    return [(t, n) for t, n in count.items() if low <= t <= min(high, high_inside)]
