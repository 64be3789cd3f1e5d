"""Hypothesis strategy for the assignment problem: small instances with all their corners."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from edgeopt.instances.assignment import AssignmentInstance
from edgeopt.instances.assignment.instance import Pick, Sense

_SCALES = (1, 1, 1, 1, 10**6, 10**12)
"""Large numbers show where floats are trusted too far."""


@st.composite
def assignment_instances(
    draw: DrawFn,
    *,
    min_bins: int = 1,
    max_bins: int = 3,
    max_groups: int = 5,
    max_choices: int = 4,
    max_dimensions: int = 3,
    senses: Sequence[Sense] = ("max", "min"),
    picks: Sequence[Pick] = ("at-most-one", "exactly-one"),
) -> AssignmentInstance:
    """Instances of the assignment problem.

    Among them: no groups, groups without a choice, several choices of a group in one bin, choices that never fit,
    zero weights and capacities, ties, profits of both signs, infeasible ones, weights up to 1e13.

    Parameters
    ----------
    min_bins, max_bins, max_groups, max_choices, max_dimensions : int
        `max_choices` is per group.
    senses, picks : sequence of str
    """
    bins, dimensions = draw(st.integers(min_bins, max_bins)), draw(st.integers(1, max_dimensions))
    groups = draw(st.sampled_from([*range(max_groups + 1), *[max_groups] * 4]))
    sizes = st.sampled_from([*range(max_choices + 1), *[max_choices] * 4])
    counts = draw(st.lists(sizes, min_size=groups, max_size=groups))
    group = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    count = len(group)
    least_profit = draw(st.sampled_from((1, 1, 0, -3)))
    most_profit = draw(st.sampled_from((max(1, least_profit), 9, 100)))
    most_weight = draw(st.sampled_from((1, 3, 10)))
    scale = draw(st.sampled_from(_SCALES))

    def column(values: st.SearchStrategy[int], length: int) -> list[int]:
        return draw(st.lists(values, min_size=length, max_size=length))

    weight = np.array(column(st.sampled_from(range(most_weight + 1)), count * dimensions), dtype=np.int64)
    # mostly room for about one heavy choice a bin, so that rows bind
    tight = st.sampled_from(range(most_weight // 2, most_weight + most_weight // 2 + 1))
    room = tight if draw(st.integers(0, 3)) else st.integers(0, 3 * most_weight)
    capacity = np.array(column(room, bins * dimensions), dtype=np.int64)
    places = np.array(draw(st.permutations(range(count))), dtype=np.int64)
    return AssignmentInstance(
        name="generated",
        groups=len(counts),
        group=group[places] if count else group,
        bin=np.array(column(st.integers(0, bins - 1), count), dtype=np.int64),
        profit=np.array(column(st.integers(least_profit, most_profit), count), dtype=np.int64),
        weight=weight.reshape(count, dimensions) * scale,
        capacity=capacity.reshape(bins, dimensions) * scale + (draw(st.integers(0, 1)) if scale > 1 else 0),
        sense=draw(st.sampled_from(senses)),
        pick=draw(st.sampled_from(picks)),
    )
