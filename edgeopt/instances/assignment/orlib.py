"""OR-Library files (Beasley 1990): generalised assignment (gap) and multi-dimensional knapsack (mknap, mknapcb).

Both come as one problem a file, or as a file that begins with the number of problems in it.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import PurePath

import numpy as np

from edgeopt.errors import InstanceError, SeveralInstancesError
from edgeopt.instances.assignment.instance import AssignmentInstance, Pick, Sense
from edgeopt.instances.assignment.tokens import Tokens, count_of, whole

Skip = Callable[[list[str], int], int | None]
"""Tokens and the place where a problem begins, to the place after it; None if there is none."""


def decode_gap(
    data: bytes,
    where: str,
    *,
    sense: Sense = "min",
    pick: Pick = "exactly-one",
    problem: int | None = None,
) -> AssignmentInstance:
    """Generalised assignment: ``m n``, costs (m, n), weights (m, n), capacities (m).

    Parameters
    ----------
    data : bytes
    where : str
    sense : {"min", "max"}
        The files do not say it: OR-Library's gap1-12 are published as maximisation, gapa-gape and the files that
        Chu and Beasley solved as minimisation.
    pick : {"exactly-one", "at-most-one"}
        Whether every item must be assigned.
    problem : int, optional
        Which problem, from 1, in a file with several.

    Raises
    ------
    InstanceError
        Naming file, line, token and value.
    """
    tokens, name = _at_problem(data, where, skip_gap, problem)
    bins, items = tokens.count("number of agents m"), tokens.count("number of items n")
    profit = tokens.numbers(bins * items, f"costs, {items} for each of {bins} agents")
    weight = tokens.numbers(bins * items, f"weights, {items} for each of {bins} agents")
    capacity = tokens.numbers(bins, f"capacities of {bins} agents")
    [profits], profit_digits = whole([profit], "costs", where)
    [weights, capacities], weight_digits = whole([weight, capacity], "weights", where)
    item, bin_ = np.divmod(np.arange(items * bins, dtype=np.int64), bins)
    return _instance(
        where,
        name=name,
        groups=items,
        group=item,
        bin=bin_,
        profit=profits.reshape(bins, items).T.reshape(-1).copy(),
        weight=weights.reshape(bins, items).T.reshape(-1, 1).copy(),
        capacity=capacities.reshape(-1, 1),
        sense=sense,
        pick=pick,
        profit_digits=profit_digits,
        weight_digits=weight_digits,
        source=f"OR-Library generalised assignment file {name}",
    )


def decode_mknap(
    data: bytes, where: str, *, sense: Sense = "max", pick: Pick = "at-most-one", problem: int | None = None
) -> AssignmentInstance:
    """Multi-dimensional knapsack: ``n m optimum``, profits (n), weights (m, n), capacities (m).

    An optimum of 0 means unknown; another is told in the instance's ``source``. Parameters as of `decode_gap`.

    Raises
    ------
    InstanceError
        Naming file, line, token and value.
    """
    tokens, name = _at_problem(data, where, skip_mknap, problem)
    items, rows = tokens.count("number of items n"), tokens.count("number of constraints m")
    [published] = tokens.numbers(1, "published optimum, 0 if unknown")
    profit = tokens.numbers(items, f"profits of {items} items")
    weight = tokens.numbers(rows * items, f"weights, {items} for each of {rows} constraints")
    capacity = tokens.numbers(rows, f"{rows} right-hand sides")
    [profits], profit_digits = whole([profit], "profits", where)
    [weights, capacities], weight_digits = whole([weight, capacity], "weights", where)
    known = f"; published optimum {published}" if Decimal(published) else ""
    return _instance(
        where,
        name=name,
        groups=items,
        group=np.arange(items, dtype=np.int64),
        bin=np.zeros(items, dtype=np.int64),
        profit=profits,
        weight=weights.reshape(rows, items).T.copy(),
        capacity=capacities.reshape(1, rows),
        sense=sense,
        pick=pick,
        profit_digits=profit_digits,
        weight_digits=weight_digits,
        source=f"OR-Library multi-dimensional knapsack file {name}{known}",
    )


def fits_gap(data: bytes) -> bool:
    """Whether the count of numbers is that of a gap file."""
    return _fits(data, skip_gap)


def fits_mknap(data: bytes) -> bool:
    """Whether the count of numbers is that of a mknap file."""
    return _fits(data, skip_mknap)


def skip_gap(tokens: list[str], at: int) -> int | None:
    """Where a gap problem ends."""
    sizes = _sizes(tokens, at)
    return None if sizes is None else at + 2 + 2 * sizes[0] * sizes[1] + sizes[0]


def skip_mknap(tokens: list[str], at: int) -> int | None:
    """Where a mknap problem ends."""
    sizes = _sizes(tokens, at)
    return None if sizes is None else at + 3 + sizes[0] + sizes[0] * sizes[1] + sizes[1]


def _sizes(tokens: list[str], at: int) -> tuple[int, int] | None:
    sizes = [size for token in tokens[at : at + 2] if (size := count_of(token))]
    return (sizes[0], sizes[1]) if len(sizes) == 2 else None


def _several(tokens: list[str], skip: Skip) -> list[int] | None:
    """Where the problems begin in a file that starts with their number; None if it does not fit."""
    number = count_of(tokens[0]) if tokens else None
    if number is None:
        return None
    starts, at = [], 1
    for _ in range(number):
        starts.append(at)
        after = skip(tokens, at)
        if after is None or after > len(tokens):
            return None
        at = after
    return starts if at == len(tokens) else None


def _fits(data: bytes, skip: Skip) -> bool:
    tokens = Tokens(data, "").all
    return skip(tokens, 0) == len(tokens) or _several(tokens, skip) is not None


def _at_problem(data: bytes, where: str, skip: Skip, problem: int | None) -> tuple[Tokens, str]:
    """The tokens of the chosen problem, and its name.

    Where the numbers are too few or too many for either layout, the first line tells which one was meant.
    """
    tokens = Tokens(data, where)
    if not tokens.all:
        raise InstanceError(f"{where}: the file is empty")
    name = PurePath(where).name.partition(".")[0] or "instance"
    starts = [0] if skip(tokens.all, 0) == len(tokens) else _several(tokens.all, skip)
    if starts is None:
        if len(tokens.text.lstrip().split("\n", 1)[0].split()) == 1:
            _hear_what_is_wrong(tokens, skip)
        starts = [0]
        end = skip(tokens.all, 0)
        if end is not None and end < len(tokens):
            tokens.at = end
            tokens.end()
    if problem is None and len(starts) > 1:
        raise SeveralInstancesError(
            f"{where}: holds {len(starts)} problems: choose one with problem = 1 to {len(starts)}", len(starts)
        )
    if problem is not None and not 1 <= problem <= len(starts):
        raise InstanceError(f"{where}: problem = {problem}: must be from 1 to {len(starts)}")
    tokens.at = starts[(problem or 1) - 1]
    return tokens, name if len(starts) == 1 else f"{name}-{problem}"


def _hear_what_is_wrong(tokens: Tokens, skip: Skip) -> None:
    """Walk over the problems of a file that does not add up, to the place where it goes wrong."""
    number = tokens.count("number of problems")
    for index in range(number):
        what = f"problem {index + 1} of {number}"
        begin = tokens.at
        tokens.count(f"first size of {what}")
        tokens.count(f"second size of {what}")
        end = skip(tokens.all, begin)
        tokens.at = begin
        if end is not None:
            tokens.numbers(end - begin, what)
    tokens.end()


def _instance(where: str, **fields: object) -> AssignmentInstance:
    try:
        return AssignmentInstance(**fields)  # type: ignore[arg-type]
    except InstanceError as error:
        raise InstanceError(f"{where}: {error}") from error
