"""Each bin as a knapsack: at prices of the groups, the best content of every bin exactly, by dynamic programming.

With gains ``c_k`` (prices of groups already paid), every set that fits into bin ``b`` gains at most

    V_b = max { sum of c_k over the set : the set fits, holds what is in, and nothing that is out },

and bins do not meet any more, so the prices plus the sum of the ``V_b`` are a bound (Fisher, Jaikumar, Van Wassenhove
1986): `knapsacks`. Where choice ``k`` must be in, ``V_b`` of its bin falls to what is best with it, and that of
each other bin which holds a choice of the same group to what is best without that one: a bound on every set with ``k``.
`fixings` names choices that may be taken as out or in, and is bounded by every set that says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import gcd
from typing import Any

from .program import Program
from .reading import Refuted, Unreadable, fields, wholes
from .state import Proof, State, rounded
from .vertex_leaf import Children, Combine

MOST_WORK = 2 * 10**6
"""Choices times capacity of one bin up to which it is computed."""


def knapsacks(proof: Proof, state: State, vertex: Any) -> tuple[Children, Combine]:
    """The prices and the best content of each bin; None where what is in does not fit."""
    _, prices = fields(vertex, "knapsacks", "kind", "prices")
    paid, packed = _packed(proof, state, prices)
    if packed is None:
        return [], lambda _: None
    bound = rounded(paid + sum(bin.best for bin in packed.values()), state.gain)
    return [], lambda _: bound


def fixings(proof: Proof, state: State, vertex: Any) -> tuple[Children, Combine]:
    """Choices `out` and `in` for all sets `then`; what other sets may reach is counted here.

    A set that differs holds a choice that is `out`, or lacks one that is `in`. It cannot lack one where a choice of
    the group is demanded and the others are out.
    """
    _, prices, outs, ins, then = fields(vertex, "fixings", "kind", "prices", "out", "in", "then")
    program = proof.program
    paid, packed = _packed(proof, state, prices)
    fixed = dict(state.fixed)
    excluded, demanded = wholes(outs, "fixings.out"), wholes(ins, "fixings.in")
    for k in (*excluded, *demanded):
        if not 0 <= k < len(program.bin) or program.bin[k] not in state.bins or k in fixed:
            raise Refuted(f"fixes choice {k}, which is not there or decided already")
        fixed[k] = False
    for k in demanded:
        if state.grouped:
            fixed |= {mate: False for mate in program.mates[program.group[k]]}
        fixed[k] = True
    if packed is None:
        return [(then, replace(state, fixed=fixed))], lambda _: None
    best = paid + sum(bin.best for bin in packed.values())
    others: list[int] = []
    for k in excluded:
        own = packed[program.bin[k]]
        change = own.change_with(k)
        if change is not None:
            mates = program.mates[program.group[k]] if state.grouped else []
            others.append(best + change + sum(_least_changes(packed, program, state, k, mates)))
    out = {*excluded, *(k for k, inside in state.fixed.items() if not inside)}
    for k in demanded:
        mates = program.mates[program.group[k]]
        if not (state.grouped and program.exactly_one and out.issuperset(mate for mate in mates if mate != k)):
            others.append(best + packed[program.bin[k]].change_without(k))
    bounds = [rounded(bound, state.gain) for bound in others]

    def largest(below: list[int | None]) -> int | None:
        return max((bound for bound in (*below, *bounds) if bound is not None), default=None)

    return [(then, replace(state, fixed=fixed))], largest


def _least_changes(
    packed: dict[int, Knapsack], program: Program, state: State, k: int, mates: Sequence[int]
) -> list[int]:
    """What the other bins lose without the mates of a choice; in a bin with several at least the most of one."""
    least: dict[int, int] = {}
    for mate in mates:
        b = program.bin[mate]
        if b != program.bin[k] and mate not in state.fixed:
            least[b] = min(least.get(b, 0), packed[b].change_without(mate))
    return list(least.values())


def _packed(proof: Proof, state: State, prices: Any) -> tuple[int, dict[int, Knapsack] | None]:
    """What the prices cost, and each bin at the gains that they leave; None if what is in does not fit."""
    program = proof.program
    if len(program.weight) != 1 or program.budget is not None or state.chains is not None:
        raise Refuted("packs knapsacks, but there are several resources, budgets or chains")
    paid, gain = proof.priced(state, prices)
    packed = {}
    for b in state.bins:
        inside = [k for k in program.members[b] if state.fixed.get(k)]
        room = program.capacity[b][0] - sum(program.weight[0][k] for k in inside)
        if room < 0:
            return paid, None
        free = [k for k in program.members[b] if k not in state.fixed]
        packed[b] = Knapsack(gain, program.weight[0], free, room, sum(gain[k] for k in inside))
    return paid, packed


@dataclass(frozen=True)
class Knapsack:
    """The best content of a bin: `base` is in, the `free` choices fit into `room`.

    Tables hold, for each capacity ``0..size`` in units of the weights' greatest common divisor, the best gain of some
    of the choices that are `worth` it: those that gain, and fit.
    """

    gain: Sequence[int]
    weight: list[int]
    free: list[int]
    room: int
    base: int

    @cached_property
    def unit(self) -> int:
        """Greatest common divisor of the weights."""
        return gcd(*(self.weight[k] for k in self.free)) or 1

    @cached_property
    def worth(self) -> list[int]:
        """Choices that may be in a best content."""
        return [k for k in self.free if self.gain[k] > 0 and self.weight[k] <= self.room]

    @cached_property
    def size(self) -> int:
        """Capacity, in units; never more than all that is worth it needs."""
        size = min(self.room, sum(self.weight[k] for k in self.worth)) // self.unit
        if len(self.worth) * size > MOST_WORK:
            raise Unreadable(f"packs {len(self.worth)} choices into {size}, more work than {MOST_WORK}")
        return size

    def tables(self, choices: Sequence[int]) -> list[list[int]]:
        """Best gains of none of these choices, of the first, of the first two, and so on."""
        found = [[0] * (self.size + 1)]
        for k in choices:
            w, c, last = self.weight[k] // self.unit, self.gain[k], found[-1]
            found.append(last[:w] + [a if a > b + c else b + c for a, b in zip(last[w:], last, strict=False)])
        return found

    @cached_property
    def before(self) -> list[list[int]]:
        """Best gains of the first few that are worth it: of none, of one, up to all."""
        return self.tables(self.worth)

    @property
    def top(self) -> list[int]:
        """Best gains of all that is worth it."""
        return self.before[-1]

    @property
    def best(self) -> int:
        """``V_b``."""
        return self.base + self.top[-1]

    @cached_property
    def around(self) -> dict[int, tuple[list[int], list[int]]]:
        """For each choice that is worth it: the tables of those before it, and of those after it."""
        after = self.tables(self.worth[::-1])
        return dict(zip(self.worth, zip(self.before, after[-2::-1], strict=False), strict=True))

    def change_with(self, k: int) -> int | None:
        """What is gained (at most 0) if `k` must be in; None if it does not fit."""
        if self.weight[k] > self.room:
            return None
        if k in self.around:
            before, after = self.around[k]
            left = self.size - self.weight[k] // self.unit
            rest = max(map(int.__add__, before[: left + 1], after[left::-1]))
        else:
            rest = self.top[min(self.size, (self.room - self.weight[k]) // self.unit)]
        return rest + self.gain[k] - self.top[-1]

    @cached_property
    def _without(self) -> dict[int, int]:
        return {}

    def change_without(self, k: int) -> int:
        """What is gained (at most 0) if `k` must be out."""
        if k not in self.around:
            return 0
        if k not in self._without:
            before, after = self.around[k]
            self._without[k] = max(map(int.__add__, before, after[::-1])) - self.top[-1]
        return self._without[k]
