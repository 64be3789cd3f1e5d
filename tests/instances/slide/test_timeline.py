"""The recursion of the paper, its max-plus form, and the timelines made of it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.errors import InstanceError
from edgeopt.instances.slide import Allocation, LayerTable, Models, SlideInstance, Users
from edgeopt.instances.slide.pair import Pair
from edgeopt.instances.slide.timeline import finish_times, timeline, unrolled_finish
from edgeopt.testing.profiles import few
from edgeopt.testing.slide import slide_instances

TIMES = st.fractions(0, 100, max_denominator=60)
LAYERS = st.lists(st.tuples(TIMES, TIMES), min_size=1, max_size=8)


@given(LAYERS)
def test_the_recursion_is_the_max_plus_form(layers: list[tuple[Fraction, Fraction]]) -> None:
    arrival = [sum((own for own, _ in layers[: index + 1]), Fraction(0)) for index in range(len(layers))]
    compute = [own for _, own in layers]
    assert finish_times(arrival, compute)[-1] == unrolled_finish(arrival, compute)


@given(LAYERS)
def test_the_forms_agree_on_arrivals_in_any_order(layers: list[tuple[Fraction, Fraction]]) -> None:
    arrival, compute = [a for a, _ in layers], [t for _, t in layers]
    assert finish_times(arrival, compute)[-1] == unrolled_finish(arrival, compute)


def test_the_recursion_by_hand() -> None:
    """Layer 2 waits for its download, layer 3 for layer 2; then the last download is late."""
    arrival = [Fraction(1), Fraction(4), Fraction(5), Fraction(20)]
    compute = [Fraction(2), Fraction(3), Fraction(1), Fraction(1)]
    assert finish_times(arrival, compute) == [3, 7, 8, 21]


SPEEDS = st.sampled_from([Fraction(1), Fraction(1, 2), Fraction(1, 3), Fraction(9, 10)])


@few(25)
@given(slide_instances(min_users=1), st.fractions(Fraction(1, 100), 1, max_denominator=100), st.data())
def test_a_share_is_enough_iff_the_recursion_ends_in_time(
    instance: SlideInstance, share: Fraction, data: st.DataObject
) -> None:
    """`Pair.least_share` is the max-plus form solved for the share; the recursion knows nothing of it."""
    pairs = [
        instance.compiled.pair(user, int(model))
        for user in range(len(instance.users))
        for model in instance.compiled.models_of(user)
    ]
    for pair in pairs:
        speed = data.draw(st.none() | st.lists(SPEEDS, min_size=len(pair), max_size=len(pair)))
        least = pair.least_share(speed)
        assert in_time(pair, share, speed) == (least is not None and least <= share)
        if least is not None:
            assert in_time(pair, least, speed)
            assert not in_time(pair, least * Fraction(10**9 - 1, 10**9), speed)


def in_time(pair: Pair, share: Fraction, speed: list[Fraction] | None) -> bool:
    return finish_times(pair.download_ticks(share), pair.compute_ticks(speed))[-1] <= pair.deadline


@few(25)
@given(slide_instances(min_users=1), st.data())
def test_timelines(instance: SlideInstance, data: st.DataObject) -> None:
    compiled = instance.compiled
    served = [user for user in range(compiled.users) if len(compiled.models_of(user))]
    assume(served)
    model = np.array([data.draw(st.sampled_from(compiled.models_of(user).tolist())) for user in served])
    share = data.draw(st.lists(st.sampled_from([0.1, 0.5, 1.0]), min_size=len(served), max_size=len(served)))
    layers = int(instance.models.layers[model].sum())
    speed = data.draw(st.none() | st.lists(st.sampled_from([0.25, 1.0]), min_size=layers, max_size=layers))
    allocation = Allocation(
        np.array(served), model, np.array(share), None if speed is None else np.array(speed, dtype=np.float64)
    )
    for place, user in enumerate(served):
        found = timeline(instance, allocation, instance.users.id[user])
        pair = compiled.pair(user, int(model[place]))
        assert found == timeline(instance, allocation, user)
        assert (found.user, found.model) == (instance.users.id[user], instance.models.name[model[place]])
        assert len(found.download) == len(found.compute) == len(pair)
        assert found.download[0][0] == 0
        for before, after in pairwise(found.download):
            assert before[1] == after[0]
        for before, after in pairwise(found.compute):
            assert before[1] <= after[0]
        for sent, run in zip(found.download, found.compute, strict=True):
            assert sent[0] <= sent[1] <= run[0] <= run[1]
        least = pair.least_share(allocation.exact_speeds(instance, place))
        assert (found.latency <= found.deadline) == (least is not None and least <= Fraction(share[place]))
        busy = sum(end - begin for begin, end in found.compute)
        assert found.stall == found.latency - busy >= 0


def test_a_timeline_by_hand() -> None:
    """8 bit at 4 bit/s take 2 s; 4 FLOP at half of 8 FLOP/s take 1 s, after 0.5 s of overhead."""
    instance = SlideInstance(
        "hand",
        8.0,
        Models.of([LayerTable.of("m", bits=[8, 4], flop_per_sample=[4, 8], overhead_s=[0.5, 0.0])]),
        Users.of(deadline_s=[5.0, 9.0], frequency_hz=8.0, spectral_efficiency=1.0, id=["late", "ann"]),
    )
    allocation = Allocation(np.array([1]), np.array([0]), np.array([0.5]), np.array([0.5, 1.0]))
    found = timeline(instance, allocation, "ann")
    assert found.download == ((0, 2), (2, 3))
    assert found.compute == ((2, Fraction(7, 2)), (Fraction(7, 2), Fraction(9, 2)))
    assert (found.latency, found.deadline, found.stall) == (Fraction(9, 2), 9, 2)
    for absent in ("late", "bob", 7):
        with pytest.raises(InstanceError, match="does not serve the user"):
            timeline(instance, allocation, absent)


def test_a_user_named_like_a_number_is_found_by_name() -> None:
    instance = eo.generate("slide", users=1, corner="even-split")
    named = replace(instance, users=replace(instance.users, id=("7", *instance.users.id[1:])))
    allocation = Allocation(np.array([0]), np.array([0]), (Fraction(1, 10),))
    assert timeline(named, allocation, "7").latency == 1


@pytest.mark.parametrize(
    ("deadline", "share"), [(5, Fraction(1, 2)), (4, Fraction(2, 3)), (3, Fraction(1)), (2, None), (1, None)]
)
def test_layers_that_need_no_download(deadline: int, share: Fraction | None) -> None:
    """Layer 1 is there at once and computes for 2 s; layer 2 downloads for 2 s at the whole band, and computes for 1 s.

    At 3 s everything runs without a pause; with less even that is too late, whatever the share.
    """
    pair = Pair(
        bits=(0, 2),
        work=(2, 1),
        overhead=(0, 0),
        deadline=deadline,
        rate=Fraction(10**12),
        flop_ticks=Fraction(1),
        energy=None,
    )
    assert pair.least_share() == share
    assert in_time(pair, share or Fraction(1), None) == (share is not None)
