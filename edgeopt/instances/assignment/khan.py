"""MMKP files in the format of Khan et al. (Studia Informatica Universalis 2(1), 161-182, 2002), I01 to I13."""

from __future__ import annotations

from decimal import Decimal
from pathlib import PurePath

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.assignment.instance import AssignmentInstance, Pick, Sense
from edgeopt.instances.assignment.tokens import Tokens, count_of, whole


def decode(data: bytes, where: str, *, sense: Sense = "max", pick: Pick = "exactly-one") -> AssignmentInstance:
    """``n l m``, resources (m); then for each group its number, and for each of its l items value and m demands.

    What follows the last group must not be a number: the published files end with words about solutions.

    Raises
    ------
    InstanceError
        Naming file, line, token and value.
    """
    tokens = Tokens(data, where)
    if not tokens.all:
        raise InstanceError(f"{where}: the file is empty")
    groups, size = tokens.count("number of groups n"), tokens.count("items a group l")
    resources = tokens.count("number of resources m")
    capacity = tokens.numbers(resources, f"{resources} resources")
    rows: list[list[Decimal | int]] = []
    for group in range(groups):
        if tokens.count(f"number of group {group + 1}") != group + 1:
            raise tokens.error(tokens.at - 1, f"must be {group + 1}, the number of the group that begins here")
        rows += [
            tokens.numbers(1 + resources, f"value and demands of item {item + 1} of group {group + 1}")
            for item in range(size)
        ]
    if tokens.at < len(tokens) and tokens.all[tokens.at].lstrip("+-.")[:1].isdigit():
        tokens.end()
    [profits], profit_digits = whole([[row[0] for row in rows]], "values", where)
    columns = [[value for row in rows for value in row[1:]], capacity]
    [weights, capacities], weight_digits = whole(columns, "demands", where)
    try:
        return AssignmentInstance(
            name=PurePath(where).name.partition(".")[0] or "instance",
            groups=groups,
            group=np.repeat(np.arange(groups, dtype=np.int64), size),
            bin=np.zeros(groups * size, dtype=np.int64),
            profit=profits,
            weight=weights.reshape(-1, resources),
            capacity=capacities.reshape(1, -1),
            sense=sense,
            pick=pick,
            profit_digits=profit_digits,
            weight_digits=weight_digits,
            source=f"MMKP file {PurePath(where).name}",
        )
    except InstanceError as error:
        raise InstanceError(f"{where}: {error}") from error


def fits(data: bytes) -> bool:
    """Whether group numbers stand where the format has them."""
    tokens = Tokens(data, "").all
    sizes = [size for token in tokens[:3] if (size := count_of(token))]
    if len(sizes) < 3:
        return False
    groups, size, resources = sizes
    block = 1 + size * (1 + resources)
    end = 3 + resources + groups * block
    if end > len(tokens):
        return False
    numbered = all(tokens[3 + resources + group * block] == str(group + 1) for group in range(groups))
    return numbered and (end == len(tokens) or not tokens[end].lstrip("+-.")[:1].isdigit())
