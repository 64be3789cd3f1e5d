"""Multicast: a broadcast counts once and is decoded at the worst efficiency; solver and exact models on brute force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import combinations, product
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from edgeopt.certify.compare import certify
from edgeopt.errors import AssumptionError, InstanceError
from edgeopt.instances.base import problem, violations
from edgeopt.instances.slide import Allocation, LayerTable, Models, SlideInstance, Users
from edgeopt.instances.slide.columns import accept_columns
from edgeopt.instances.slide.instance import MULTICAST, Variant
from edgeopt.instances.slide.timeline import timeline
from edgeopt.models.base import find, load
from edgeopt.models.slide.least_share import least_share, refined
from edgeopt.models.slide.multicast import MulticastFormulation
from edgeopt.result import Termination
from edgeopt.solvers import cpsat, highs
from edgeopt.solvers.base import Control, checked, solve
from edgeopt.solvers.slide.broadcast import cheapest, cheapest_several, least_band
from edgeopt.system.exact import as_fraction
from edgeopt.testing.profiles import few
from edgeopt.testing.slide import slide_instances

MOST = settings.default.max_examples if settings.default is not None else 60
BITS = 400
"""Enclosures of least shares in the brute force."""


def broadcasts(
    need: Sequence[str], efficiency: Sequence[float], *, band: float = 1.0, models: Sequence[int] | None = None
) -> SlideInstance:
    """Users who need these bit rates (decimals, in bit/s): 1 bit each, nothing to compute."""
    model = models or [0] * len(need)
    tables = [LayerTable.of(f"m{i}", bits=[1], flop_per_sample=[0]) for i in range(max(model, default=0) + 1)]
    users = Users.of(
        deadline_s=[float(1 / Fraction(r)) for r in need],
        frequency_hz=1e9,
        spectral_efficiency=list(efficiency),
        models=[[f"m{i}"] for i in model],
    )
    return SlideInstance("broadcasts", band, Models.of(tables), users, variant="multicast")


@st.composite
def multicast_instances(
    draw: DrawFn, *, max_users: int = 6, sole: bool = True, variant: Variant = "multicast"
) -> SlideInstance:
    """Drawn instances with one model a user, and a part of the band that broadcasts to all take."""
    drawn = draw(slide_instances(max_users=max_users, max_models=3, max_layers=3))
    users = drawn.users
    if sole:
        own = []
        for user in range(len(users)):
            models = drawn.compiled.models_of(user).tolist()
            own.append((drawn.models.name[draw(st.sampled_from(models))],) if models else ())
        accepts, sets = accept_columns(own)
        users = replace(users, accepts=accepts, accept_sets=sets)
    wide = with_band(replace(drawn, users=users, variant="multicast"), Fraction(1024))
    formulation = MulticastFormulation(wide)
    need = sum(formulation._shares(list(range(len(formulation.pairs))), high=True).values(), Fraction(0))
    part = draw(st.sampled_from((Fraction(1), Fraction(3, 4), Fraction(1, 2), Fraction(1, 3))))
    return replace(with_band(wide, (need or Fraction(1)) * part), variant=variant)


def with_band(instance: SlideInstance, factor: Fraction) -> SlideInstance:
    """So many times the band, with the same spectral efficiencies."""
    assert instance.noise_w_per_hz is not None
    return replace(
        instance,
        bandwidth_hz=float(as_fraction(instance.bandwidth_hz) * factor),
        noise_w_per_hz=float(as_fraction(instance.noise_w_per_hz) / factor),
    )


def partitions(group: list[Any]) -> list[list[list[Any]]]:
    """All ways to part a group."""
    if not group:
        return [[]]
    found = []
    for rest in partitions(group[1:]):
        found.append([[group[0]], *rest])
        found += [[*rest[:at], [group[0], *rest[at]], *rest[at + 1 :]] for at in range(len(rest))]
    return found


def brute_force(instance: SlideInstance) -> tuple[int, int]:
    """Most users served, over all choices of a model or none for every user: surely, and at most."""
    compiled = instance.compiled
    options: list[list[tuple[int, Fraction, Fraction, Fraction] | None]] = []
    for user in range(compiled.users):
        own: list[tuple[int, Fraction, Fraction, Fraction] | None] = [None]
        for model in compiled.models_of(user).tolist():
            pair = compiled.pair(user, model)
            found = least_share(pair)
            if found is not None:
                found = refined(pair, found, BITS)
                own.append((model, found.low * pair.rate, found.high * pair.rate, pair.rate))
        options.append(own)
    surely = most = 0
    for choice in product(*options):
        taken = [option for option in choice if option is not None]
        if len(taken) <= surely:
            continue
        low = high = Fraction(0)
        for model in {option[0] for option in taken}:
            group = [option for option in taken if option[0] == model]
            ways = partitions(group) if instance.variant == "multicast-many" else [[group]]
            low += min(sum(max(own[1] for own in part) / min(own[3] for own in part) for part in way) for way in ways)
            high += min(sum(max(own[2] for own in part) / min(own[3] for own in part) for part in way) for way in ways)
        if low <= 1:
            most = max(most, len(taken))
        if high <= 1:
            surely = max(surely, len(taken))
    return surely, most


def assert_feasible(instance: SlideInstance, solution: Allocation) -> None:
    assert problem("slide").compiled_violations(instance, solution) == []
    assert violations(instance, solution) == []


@few(20)
@given(multicast_instances(max_users=5))
def test_optimal(instance: SlideInstance) -> None:
    result = solve(instance, "multicast")
    surely, most = brute_force(instance)
    assert result.termination is Termination.COMPLETE, result.message
    assert_feasible(instance, result.solution)
    assert surely <= result.value <= result.bound <= most
    if surely == most:
        assert result.value == result.bound


@few(20)
@given(multicast_instances(max_users=5, variant="multicast-many"))
def test_optimal_with_several_broadcasts_of_a_model(instance: SlideInstance) -> None:
    test_optimal.hypothesis.inner_test(instance)  # type: ignore[attr-defined]
    one = solve(replace(instance, variant="multicast"), "multicast").value
    assert one is not None
    assert solve(instance, "multicast").value >= one


@few(20)
@given(multicast_instances(max_users=4, sole=False), st.sampled_from(MULTICAST), st.integers(1, 3))
def test_greedy_is_feasible_bounded_and_keeps_its_guarantee(
    instance: SlideInstance, variant: Variant, seeds: int
) -> None:
    instance = replace(instance, variant=variant)
    result = solve(instance, "multicast-greedy", seeds=seeds)
    surely, most = brute_force(instance)
    assert result.termination is Termination.COMPLETE, result.message
    assert_feasible(instance, result.solution)
    assert result.value is not None
    assert result.value <= most
    assert result.bound is not None
    assert surely <= result.bound
    if variant == "multicast-many" and seeds == 3:
        assert result.guarantee == "63/100"
        assert 100 * result.value >= 63 * surely
    proof = certify(instance, result, against=()).certificate
    assert proof is not None
    assert surely <= proof.bound <= len(instance.users)


@few(15)
@given(multicast_instances(sole=False))
def test_least_share_model_is_feasible_and_has_no_bound(instance: SlideInstance) -> None:
    result = solve(instance, "multicast", provision="least")
    assert result.bound is None
    assert_feasible(instance, result.solution)
    assert result.value <= brute_force(instance)[1]


@pytest.mark.child
@settings(max_examples=MOST // 10)
@given(multicast_instances(max_users=4, sole=False), st.sampled_from(MULTICAST))
def test_exact_models(instance: SlideInstance, variant: Variant) -> None:
    instance = replace(instance, variant=variant)
    surely, most = brute_force(instance)
    for backend in (highs, cpsat):
        answer = backend.solve(instance, Control("exact"))  # the variant names the form
        result = checked(instance, "exact", answer, 0.0)
        assert result.bound is not None
        assert surely <= result.bound <= brute_force(with_band(instance, 1 + Fraction(1, 10**6)))[1]
        assert result.value <= most
        if result.termination is Termination.COMPLETE:
            assert_feasible(instance, result.solution)
            assert surely <= result.value
        else:  # CP-SAT has no cuts: what fits only because needs are rounded down is refused
            assert backend is cpsat
            assert "breaks" in result.message


@few(25)
@given(multicast_instances(max_users=4, sole=False), st.data())
def test_cuts_refute_exactly_what_does_not_fit(instance: SlideInstance, data: st.DataObject) -> None:
    instance = replace(instance, variant=data.draw(st.sampled_from(MULTICAST)))
    formulation = MulticastFormulation(instance)
    places: int = len(formulation.pairs)
    x = data.draw(st.lists(st.sampled_from((0.0, 1.0)), min_size=places, max_size=places))
    shares = len(formulation.broadcasts)
    values = np.array([*x, *([0.0] * shares)])
    cuts = formulation.cuts(values)
    solution = formulation.extract(values)
    assert bool(cuts) == bool(problem("slide").compiled_violations(instance, solution))
    for cut in cuts:
        assert values[cut.positions].sum() > cut.at_most
    if not cuts:
        assert formulation.cuts(formulation.start(solution)) == []


def test_a_slow_user_makes_the_broadcast_dear() -> None:
    """The largest least share is not what a group needs: 0.1 and 0.1 together need all of the band."""
    instance = broadcasts(["0.1", "1"], [1.0, 10.0])
    least = [least_share(instance.compiled.pair(user, 0)) for user in range(2)]
    assert [share.high for share in least if share is not None] == pytest.approx([0.1, 0.1], rel=1e-9)
    result = solve(instance, "multicast")
    assert result.value == result.bound == 2
    assert result.solution.share.tolist() == pytest.approx([1.0, 1.0], rel=1e-9)
    cheap = replace(result.solution, share=np.array([0.1, 0.1]) * 1.001)
    assert violations(instance, cheap)
    assert problem("slide").compiled_violations(instance, cheap)
    assert solve(replace(instance, bandwidth_hz=0.99), "multicast").value == 1


def test_who_needs_little_may_be_too_slow_to_listen() -> None:
    """The two smallest bit rates are not the cheapest group of two: user 0 would make it dear."""
    instance = broadcasts(["0.1", "1", "1"], [1.0, 10.0, 10.0], band=0.2)
    result = solve(instance, "multicast")
    assert result.value == result.bound == 2
    assert result.solution.user.tolist() == [1, 2]
    assert_feasible(instance, result.solution)


def test_timelines_are_those_of_the_broadcast() -> None:
    """The fast user waits for the rate that the slow one can decode."""
    instance = broadcasts(["0.1", "1"], [1.0, 10.0])
    solution = solve(instance, "multicast").solution
    assert [float(timeline(instance, solution, user).latency) for user in range(2)] == pytest.approx([1.0, 1.0])


@pytest.mark.child
@pytest.mark.parametrize("backend", [highs, cpsat])
def test_exact_models_know_who_listens_together(backend: ModuleType) -> None:
    instance = broadcasts(["0.1", "1"], [1.0, 10.0], band=0.99)
    result = checked(instance, "exact", backend.solve(instance, Control("exact"), form="multicast"), 0.0)
    assert result.value == result.bound == 1
    built = load(find("slide", "multicast", "cpsat" if backend is cpsat else "pyomo"))(instance)
    assert [float(need.share) for need in built.needs()] == pytest.approx([0.1 / 0.99, 0.1 / 0.99, 1 / 0.99])


def test_a_broadcast_counts_once() -> None:
    instance = broadcasts(["1"] * 50, [1.0] * 50)
    result = solve(instance, "multicast")
    assert result.value == result.bound == 50
    assert_feasible(instance, result.solution)


def test_broadcasts_of_exactly_a_tenth_all_fit() -> None:
    """Doubles cannot tell; fractions can."""
    instance = broadcasts(["1"] * 30, [1.0] * 30, band=10.0, models=[index % 10 for index in range(30)])
    result = solve(instance, "multicast")
    assert result.value == result.bound == 30
    assert result.effort["exact_users"] == 30
    assert_feasible(instance, result.solution)
    one_more = broadcasts(["1"] * 33, [1.0] * 33, band=10.0, models=[index % 11 for index in range(33)])
    assert solve(one_more, "multicast").bound == 30


def test_unequal_shares_of_one_broadcast_are_refused() -> None:
    instance = broadcasts(["0.1", "0.1"], [1.0, 1.0])
    both = Allocation(np.array([0, 1]), np.array([0, 0]), np.array([0.5, 0.6]))
    assert any(item.constraint == "one share a broadcast" for item in violations(instance, both))
    assert problem("slide").compiled_violations(instance, both)
    assert_feasible(instance, replace(both, share=np.array([0.9, 0.9])))


@pytest.mark.parametrize("slow", [0, 1])
def test_the_check_takes_the_worst_of_given_and_derived_efficiencies(slow: int) -> None:
    """User 0 has power and gain (log2(1 + 3) = 2 bit/s/Hz), user 1 a given efficiency."""
    users = Users.of(
        deadline_s=[1.0, 1.0],
        frequency_hz=1e9,
        spectral_efficiency=[np.nan, 1.0 if slow else 4.0],
        power_w=[3.0, np.nan],
        gain=[1.0, np.nan],
    )
    table = LayerTable.of("m", bits=[1], flop_per_sample=[0])
    instance = SlideInstance("mixed", 1.0, Models.of([table]), users, variant="multicast", noise_w_per_hz=1.0)
    least = 1.0 if slow else 0.5
    enough = Allocation(np.array([0, 1]), np.array([0, 0]), np.full(2, least))
    assert_feasible(instance, enough)
    short = replace(enough, share=np.full(2, least * 0.999))
    assert violations(instance, short)
    assert problem("slide").compiled_violations(instance, short)


def test_refuses_users_with_several_models_and_other_variants() -> None:
    instance = broadcasts(["1", "1"], [1.0, 1.0], models=[0, 1])
    several = replace(instance, users=replace(instance.users, accepts=np.zeros(2, dtype=np.int64), accept_sets=(None,)))
    with pytest.raises(AssumptionError, match="may take 2 models"):
        solve(several, "multicast")
    with pytest.raises(AssumptionError, match="multicast"):
        solve(replace(instance, variant="plain"), "multicast")
    with pytest.raises(AssumptionError, match="multicast"):
        solve(instance, "slide")
    with pytest.raises(AssumptionError, match="multicast"):
        load(find("slide", "multicast", "pyomo"))(replace(instance, variant="plain"))


def test_no_time_leaves_a_bound() -> None:
    instance = broadcasts(["1"] * 4, [1.0] * 4)
    result = solve(instance, "multicast", time_limit=0.0)
    assert result.termination is Termination.TIME_LIMIT
    assert result.value == 0
    assert result.bound == 4


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=6), st.booleans())
def test_cheapest_broadcasts(users: list[tuple[int, int]], exact: bool) -> None:
    """For every number of users the least ``max r / min rho`` over all groups of so many."""
    kind = object if exact else np.float64
    convert = Fraction if exact else float
    need, rate = (np.array([convert(user[part]) for user in users], dtype=kind) for part in (0, 1))
    found = cheapest(need, rate, convert(1))
    several = cheapest_several(need, rate, convert(1), lambda: False)
    exactly = [(Fraction(r), Fraction(rho)) for r, rho in users]
    for count in range(len(users) + 1):
        ways = [
            sum((max(r for r, _ in part) / min(rho for _, rho in part) for part in way), Fraction(0))
            for group in combinations(exactly, count)
            for way in partitions(list(group))
        ]
        if min(ways) <= 1:
            assert float(several.cost[count]) == pytest.approx(float(min(ways)))
            groups = several.groups(count)
            assert len({place for group in groups for place in group}) == sum(map(len, groups)) == count
            named = sum(max(need[group]) / min(rate[group]) for group in groups)
            assert float(named) <= float(several.cost[count]) * (1 + 1e-12)
        else:
            assert len(several.cost) <= count
    best: dict[int, Fraction] = {0: Fraction(0)}
    for chosen in product((False, True), repeat=len(users)):
        group = [user for user, taken in zip(users, chosen, strict=True) if taken]
        if group:
            share = Fraction(max(r for r, _ in group), min(rho for _, rho in group))
            if share <= 1:
                best[len(group)] = min(share, best.get(len(group), share))
    assert len(found.cost) == len(best)
    assert [float(cost) for cost in found.cost] == pytest.approx([float(best[n]) for n in range(len(best))])
    band = least_band([found, found], convert(1), lambda: False)
    for count in range(len(band.band)):
        one, other = band.counts(count)
        assert one + other == count
        assert band.band[count] == found.cost[one] + found.cost[other]
        pairs = [(a, count - a) for a in range(len(found.cost)) if 0 <= count - a < len(found.cost)]
        assert band.band[count] == min(found.cost[a] + found.cost[b] for a, b in pairs)


def test_several_broadcasts_may_be_cheaper_than_one() -> None:
    """One to both takes 10 / 1 of the band, one each 0.1 / 1 + 10 / 100."""
    instance = broadcasts(["0.1", "10"], [1.0, 100.0], band=0.25)
    assert solve(instance, "multicast").value == 1
    many = replace(instance, variant="multicast-many")
    result = solve(many, "multicast")
    assert result.value == result.bound == 2
    assert_feasible(many, result.solution)
    assert result.solution.groups.tolist() == [0, 1]
    assert violations(instance, result.solution)
    assert problem("slide").compiled_violations(instance, result.solution)
    together = replace(result.solution, broadcast=np.zeros(2, dtype=np.int64))
    assert any(item.constraint == "one share a broadcast" for item in violations(many, together))
    assert problem("slide").compiled_violations(many, together)
    plain = replace(instance, variant="plain")
    assert any(item.constraint == "no broadcasts" for item in violations(plain, result.solution))
    assert problem("slide").compiled_violations(plain, result.solution)


def test_users_of_one_broadcast_have_one_model() -> None:
    instance = replace(broadcasts(["0.1", "0.1"], [1.0, 1.0], models=[0, 1]), variant="multicast-many")
    wrong = Allocation(np.array([0, 1]), np.array([0, 1]), np.full(2, 0.2), broadcast=np.zeros(2, dtype=np.int64))
    assert any(item.constraint == "one model a broadcast" for item in violations(instance, wrong))
    assert problem("slide").compiled_violations(instance, wrong)
    short = replace(wrong, broadcast=np.zeros(1, dtype=np.int64))
    assert [item.constraint for item in violations(instance, short)] == ["one entry a user"]
    assert [item.constraint for item in problem("slide").compiled_violations(instance, short)] == ["one entry a user"]


def test_broadcasts_are_written_and_read_back() -> None:
    instance = replace(broadcasts(["0.1", "10"], [1.0, 100.0], band=0.25), variant="multicast-many")
    found = solve(instance, "multicast").solution
    family = problem("slide")
    data = family.encode_solution(instance, found)
    assert sorted(entry["broadcast"] for entry in data["users"]) == [0, 1]
    assert family.decode_solution(instance, data, "file") == found
    for wrong in (-1, 1.0, True, "0", 2**31):
        data["users"][0]["broadcast"] = wrong
        with pytest.raises(InstanceError, match=r"users\[0\]\.broadcast"):
            family.decode_solution(instance, data, "file")
    del data["users"][0]["broadcast"]
    with pytest.raises(InstanceError, match="for all users or for none"):
        family.decode_solution(instance, data, "file")


def test_greedy_replaces_a_small_broadcast_by_a_larger_one() -> None:
    """By users a share the broadcast to user 0 alone comes first; one to all three is enough for the model."""
    instance = broadcasts(["0.1", "1", "1"], [1.0, 1.0, 1.0], band=1.1)
    result = solve(instance, "multicast-greedy")
    assert result.value == result.bound == 3
    assert_feasible(instance, result.solution)
