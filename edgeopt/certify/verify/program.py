"""The problem that a proof speaks of, in integers, and what a solution of it is.

Choice ``k`` puts an item of group ``group[k]`` into bin ``bin[k]``. A set of choices is a solution iff

- each group has at most one choice in it (exactly one, where `exactly_one`);
- in every bin, the ``weight[d][k]`` of its choices sum to at most ``capacity[b][d]``, for every resource ``d``;
- if there are budgets: in every bin, the *last* resource sums to at most the least ``budget[k]`` of its choices.

Its value is the sum of its ``profit[k]``, to be as large (``max``) or small (``min``) as possible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .reading import Refuted, Unreadable, fields, items, whole, wholes


@dataclass(frozen=True)
class Program:
    """A program as read, and its choices by bin (by falling budget) and by group."""

    sign: int
    """1 for max, -1 for min: the proof always maximises ``sign * profit``."""
    exactly_one: bool
    groups: int
    group: list[int]
    bin: list[int]
    profit: list[int]
    weight: list[list[int]]
    capacity: list[list[int]]
    budget: list[int] | None
    members: list[list[int]]
    mates: dict[int, list[int]]


def read_program(content: Any) -> Program:
    """The program in a certificate."""
    names = "sense", "exactly_one", "groups", "group", "bin", "profit", "weight", "capacity", "budget"
    sense, exactly_one, groups, group, bins, profit, weight, capacity, budget = fields(content, "program", *names)
    if sense not in ("max", "min") or type(exactly_one) is not bool:
        raise Unreadable("program.sense must be max or min, program.exactly_one true or false")
    count = len(wholes(group, "program.group", least=0))
    wholes(bins, "program.bin", count, least=0)
    wholes(profit, "program.profit", count)
    for column in items(weight, "program.weight"):
        wholes(column, "a column of program.weight", count, least=0)
    if not weight:
        raise Unreadable("program.weight must have a column for each resource")
    for row in items(capacity, "program.capacity"):
        wholes(row, "a row of program.capacity", len(weight), least=0)
    if budget is not None:
        wholes(budget, "program.budget", count, least=0)
    if whole(groups, "program.groups") < 0 or (count and (max(group) >= groups or max(bins) >= len(capacity))):
        raise Unreadable("program.group or program.bin names one that does not exist")
    members: list[list[int]] = [[] for _ in capacity]
    mates: dict[int, list[int]] = {}
    for k in range(count):
        members[bins[k]].append(k)
        mates.setdefault(group[k], []).append(k)
    if budget is not None:
        for row in members:
            row.sort(key=lambda k: -budget[k])
    sign = 1 if sense == "max" else -1
    return Program(sign, exactly_one, groups, group, bins, profit, weight, capacity, budget, members, mates)


def value_of(program: Program, solution: list[int]) -> int:
    """Value of a solution; refuted if it is none."""
    if any(not 0 <= k < len(program.group) for k in solution):
        raise Refuted("solution: a choice does not exist")
    chosen = [program.group[k] for k in solution]
    if len(set(chosen)) < len(chosen):
        raise Refuted("solution: two choices are of one group, or one is named twice")
    if program.exactly_one and len(chosen) < program.groups:
        raise Refuted("solution: a group has no choice")
    for b, capacity in enumerate(program.capacity):
        inside = [k for k in solution if program.bin[k] == b]
        load = [sum(column[k] for k in inside) for column in program.weight]
        for d, (used, most) in enumerate(zip(load, capacity, strict=True)):
            if used > most:
                raise Refuted(f"solution: bin {b} holds {used} of resource {d}, its capacity is {most}")
        if program.budget is not None and inside:
            k = min(inside, key=program.budget.__getitem__)
            used, most = load[-1], program.budget[k]
            if used > most:
                raise Refuted(f"solution: bin {b} holds {used} of the last resource, choice {k} allows {most}")
    return sum(program.profit[k] for k in solution)
