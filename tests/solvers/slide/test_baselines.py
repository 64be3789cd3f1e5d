"""What the baselines do, recomputed in fractions; `slide` is never worse than any of them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt
from edgeopt.errors import AssumptionError, InstanceError
from edgeopt.instances.slide import LayerTable, Models, SlideInstance, Users
from edgeopt.instances.slide.pair import TICKS_PER_S, Pair
from edgeopt.instances.slide.timeline import timeline
from edgeopt.solvers.slide.brute_force import option
from edgeopt.testing import assert_solver
from edgeopt.testing.profiles import few
from edgeopt.testing.slide import slide_instances

BASELINES = ("dai", "full-speed", "equal-split", "random-admission")


@pytest.mark.parametrize("name", BASELINES)
def test_feasible_repeatable_and_never_above_the_optimum(name: str) -> None:
    assert_solver(name, problem="slide", strategy=slide_instances(), examples=few(25).max_examples)


def test_equal_split_among_the_served() -> None:
    assert_solver(
        "equal-split", problem="slide", strategy=slide_instances(), among="served", examples=few(25).max_examples
    )


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("users", [0, 1, 20, 150])
def test_slide_is_never_worse(name: str, users: int) -> None:
    for seed in range(4):
        instance = edgeopt.generate("slide", seed=seed, users=users)
        found, best = edgeopt.solve(instance, name, seed=seed), edgeopt.solve(instance, "slide")
        assert found.value <= best.value
        assert found.bound is None
        assert not edgeopt.violations(instance, found.solution)


def longest(shares: list[Fraction]) -> int:
    """How many of these shares fit into the band at most."""
    rising = sorted(shares)
    return max(n for n in range(len(rising) + 1) if sum(rising[:n]) <= 1)


def pairs(instance: SlideInstance) -> list[list[Pair]]:
    compiled = instance.compiled
    return [
        [compiled.pair(user, model) for model in compiled.models_of(user).tolist()] for user in range(compiled.users)
    ]


def one_layer(pair: Pair) -> Pair:
    """The whole model as one layer: what download-then-infer makes of it, without energy limits."""
    return replace(pair, bits=pair.bits[-1:], work=(sum(pair.work),), overhead=(sum(pair.overhead),))


@few(25)
@given(slide_instances(energy=False))
def test_dai_is_the_optimum_of_download_then_infer(instance: SlideInstance) -> None:
    """``y = S / (B R (T - sum_l T_l))``: the brackets of all layers but the first are looser."""
    least = []
    for own in pairs(instance):
        shares = [
            Fraction(pair.bits[-1] * TICKS_PER_S) / (pair.rate * (pair.deadline - sum(pair.compute_ticks())))
            for pair in own
            if pair.deadline > sum(pair.compute_ticks())
        ]
        least += [min(shares)] if shares else []
    assert edgeopt.solve(instance, "dai").value == longest(least)


@few(25)
@given(slide_instances())
def test_dai_with_energy_limits_is_slide_on_models_of_one_layer(instance: SlideInstance) -> None:
    """All layers arrive together, so one speed for all is best, as in one layer of all the work."""
    least = [
        min(found.high for found in options)
        for own in pairs(instance)
        if (options := [found for pair in own if (found := option(one_layer(pair), 0)) is not None])
    ]
    assert edgeopt.solve(instance, "dai").value == longest(least)


@few(25)
@given(slide_instances())
def test_dai_computes_when_everything_is_there(instance: SlideInstance) -> None:
    """Its shares leave room for waiting for the last layer."""
    solution = edgeopt.solve(instance, "dai").solution
    for place, user in enumerate(solution.user.tolist()):
        pair = instance.compiled.pair(user, int(solution.model[place]))
        download = pair.download_ticks(solution.exact_share(place))[-1]
        busy = sum(pair.compute_ticks(solution.exact_speeds(instance, place)))
        assert download + busy <= pair.deadline
        assert timeline(instance, solution, user).latency <= (download + busy) / TICKS_PER_S


@few(25)
@given(slide_instances(max_layers=1))
def test_with_one_layer_dai_is_slide(instance: SlideInstance) -> None:
    assert edgeopt.solve(instance, "dai").value == edgeopt.solve(instance, "slide").value


@few(25)
@given(slide_instances())
def test_full_speed_slows_nobody(instance: SlideInstance) -> None:
    least = []
    for own in pairs(instance):
        within = [pair for pair in own if pair.energy is None or pair.energy_used() <= pair.energy]
        shares = [share for pair in within if (share := pair.least_share()) is not None]
        least += [min(shares)] if shares else []
    result = edgeopt.solve(instance, "full-speed")
    assert result.value == longest(least)
    assert result.solution.speed is None or all(z == 1 for z in result.solution.speed)


@few(25)
@given(slide_instances(max_users=4))
def test_equal_split_serves_whom_an_equal_share_serves(instance: SlideInstance) -> None:
    least = []
    for own in pairs(instance):
        options = [found.high for pair in own if (found := option(pair, 0)) is not None]
        least += [min(options)] if options else []
    users = len(instance.users)
    all_of_them = edgeopt.solve(instance, "equal-split")
    assert all_of_them.value == sum(share * users <= 1 for share in least)
    shares = {all_of_them.solution.exact_share(place) for place in range(len(all_of_them.solution))}
    assert len(shares) <= 1
    assert all(Fraction(1, users) * (1 - Fraction(1, 2**50)) <= share <= Fraction(1, users) for share in shares)
    some = edgeopt.solve(instance, "equal-split", among="served")
    assert some.value == max(n for n in range(users + 1) if sum(share * n <= 1 for share in least) >= n)


def test_equal_split_of_exact_tenths() -> None:
    """The double nearest to 1/10 is too much for ten; the fraction is not."""
    for count, everyone in ((10, 10), (20, 0)):
        instance = edgeopt.generate("slide", users=count, corner="even-split")
        assert edgeopt.solve(instance, "equal-split").value == everyone
        assert edgeopt.solve(instance, "equal-split", among="served").value == 10


def test_equal_split_keeps_within_the_band() -> None:
    """Users content with less than a tenth get a double below 1/10: ten of the nearest one are too much."""
    instance = edgeopt.generate("slide", users=10, corner="even-split")
    easy = replace(instance, users=replace(instance.users, deadline_s=np.full(10, 2.0)))
    for among in ("all", "served"):
        solution = edgeopt.solve(easy, "equal-split", among=among).solution
        assert len(solution) == 10
        assert not edgeopt.violations(easy, solution)


@few(20)
@given(slide_instances(), st.integers(0, 3))
def test_random_admission_leaves_nobody_who_fits(instance: SlideInstance, seed: int) -> None:
    result = edgeopt.solve(instance, "random-admission", seed=seed)
    served = set(result.solution.user.tolist())
    used = sum((result.solution.exact_share(place) for place in range(len(served))), Fraction(0))
    for user, own in enumerate(pairs(instance)):
        options = [found.high for pair in own if (found := option(pair, 0)) is not None]
        if user not in served and options:
            # it counts in doubles that are rounded up
            assert used + min(options) > 1 - Fraction(1, 2**45)


def test_random_admission_knows_users_at_the_border() -> None:
    """u1 computes without a pause from the start to its deadline, which only exact numbers see: 3/11 of the band do."""
    instance = SlideInstance(
        "border",
        220_000.0,
        Models.of([LayerTable.of("m", bits=[0, 60], flop_per_sample=[10**6, 10**6])]),
        Users.of(
            deadline_s=[0.0025, 0.002],
            frequency_hz=1e9,
            spectral_efficiency=1.0,
        ),
    )
    for seed in range(4):
        result = edgeopt.solve(instance, "random-admission", seed=seed)
        assert result.value == edgeopt.solve(instance, "slide").value == 2
        assert not edgeopt.violations(instance, result.solution)


def test_random_admission_depends_on_the_seed() -> None:
    instance = edgeopt.generate("slide", seed=1, users=100)
    chosen = [
        tuple(edgeopt.solve(instance, "random-admission", seed=seed).solution.user.tolist()) for seed in (0, 1, 2, 0)
    ]
    assert len(set(chosen)) == 3
    assert chosen[0] == chosen[3]


def test_overlap_and_slowing_are_worth_something() -> None:
    """On the defaults each baseline loses users, and random admission and equal shares the most."""
    counts = {name: 0 for name in (*BASELINES, "slide")}
    for seed in range(6):
        instance = edgeopt.generate("slide", seed=seed, users=100)
        for name in counts:
            counts[name] += edgeopt.solve(instance, name).value
    assert counts["dai"] < counts["slide"]
    assert counts["full-speed"] < counts["slide"]
    assert max(counts["equal-split"], counts["random-admission"]) < counts["dai"]


def test_overlap_serves_two_where_waiting_serves_one() -> None:
    """Layer 1 computes for 0.8 s of 2.5 s while layer 2 arrives: a share of 11/24 instead of 11/16."""
    instance = edgeopt.generate("slide", users=1, corner="even-split")
    table = LayerTable.of("long", bits=[10**6, 10**7], flop_per_sample=[8 * 10**8, 10**8])
    users = replace(instance.users, deadline_s=np.full(10, 2.5))
    overlap = replace(instance, models=Models.of([table]), users=users)
    assert overlap.compiled.pair(0, 0).least_share() == Fraction(11, 24)
    assert edgeopt.solve(overlap, "slide").value == 2
    assert edgeopt.solve(overlap, "dai").value == 1


@pytest.mark.parametrize("name", BASELINES)
def test_other_variants_are_refused(name: str) -> None:
    with pytest.raises(AssumptionError, match="weighted"):
        edgeopt.solve(edgeopt.generate("slide", users=2, variant="weighted"), name)


def test_an_option_of_something_else_is_refused() -> None:
    with pytest.raises(InstanceError, match="among"):
        edgeopt.solve(edgeopt.generate("slide", users=2), "equal-split", among="none")
