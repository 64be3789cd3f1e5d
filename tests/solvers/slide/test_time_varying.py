"""Time-varying shares: who can be served together, and as many as possible, against brute force and linear programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import combinations, pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from scipy.optimize import linprog

from edgeopt.errors import AssumptionError, InstanceError
from edgeopt.instances.base import problem, violations
from edgeopt.instances.slide import Allocation, LayerTable, Models, SlideInstance, Users
from edgeopt.instances.slide.edf import Demand, demand, overloaded, schedule
from edgeopt.instances.slide.pair import TICKS_PER_S, Pair
from edgeopt.instances.slide.timeline import timeline
from edgeopt.models.base import find, load
from edgeopt.models.slide.time_varying import Option, TimeVaryingFormulation, allocation
from edgeopt.result import Termination
from edgeopt.solvers import cpsat, highs
from edgeopt.solvers.base import Control, checked, solve
from edgeopt.solvers.slide.edf_bound import relaxation
from edgeopt.solvers.slide.edf_greedy import Load, insertion, total, with_removals
from edgeopt.system.exact import as_fraction
from edgeopt.testing.profiles import few
from edgeopt.testing.slide import slide_instances

MOST = settings.default.max_examples if settings.default is not None else 60


def downloads(users: Sequence[Sequence[tuple[int, int]]]) -> SlideInstance:
    """Users who need so many band-seconds by such times (s): pairs (by when, how many in all), rising."""
    tables = []
    for index, steps in enumerate(users):
        sent = [need for _, need in steps]
        due = [time for time, _ in steps]
        tables.append(
            LayerTable.of(
                f"m{index}",
                bits=np.diff([0, *sent]),
                flop_per_sample=np.zeros(len(steps), dtype=np.int64),
                overhead_s=np.diff([*due, due[-1]]),
            )
        )
    return SlideInstance(
        "downloads",
        1.0,
        Models.of(tables),
        Users.of(
            deadline_s=[steps[-1][0] for steps in users],
            frequency_hz=1e9,
            spectral_efficiency=1.0,
            models=[[f"m{index}"] for index in range(len(users))],
        ),
        variant="time-varying",
    )


@st.composite
def time_varying_instances(
    draw: DrawFn, *, max_users: int = 5, max_models: int = 2, max_layers: int = 4
) -> SlideInstance:
    """Drawn instances with a part of the band that serves all whom some band serves, with their first model."""
    drawn = draw(slide_instances(max_users=max_users, max_models=max_models, max_layers=max_layers, energy=False))
    wide = with_band(replace(drawn, variant="time-varying"), Fraction(1024))
    options = {option.user: option for option in reversed(TimeVaryingFormulation(wide).options)}.values()
    points = {step.due for option in options for step in option.demand}
    need = max((sum(option.need_by(point) for option in options) / point for point in points), default=Fraction(1))
    part = draw(st.sampled_from((Fraction(1), Fraction(3, 4), Fraction(1, 2), Fraction(1, 3))))
    return with_band(wide, need * part)


def with_band(instance: SlideInstance, factor: Fraction) -> SlideInstance:
    """So many times the band, with the same spectral efficiencies."""
    assert instance.noise_w_per_hz is not None
    return replace(
        instance,
        bandwidth_hz=float(as_fraction(instance.bandwidth_hz) * factor),
        noise_w_per_hz=float(as_fraction(instance.noise_w_per_hz) / factor),
    )


def together(pairs: Sequence[Pair]) -> bool:
    """By definition: whether at every due time the band-ticks needed by then are at most the time."""
    points = {due for pair in pairs for due in pair.room()}
    if any(due < 0 for due in points):
        return False
    return all(
        sum(
            Fraction(max((bits for bits, due in zip(pair.bits, pair.room(), strict=True) if due <= point), default=0))
            * TICKS_PER_S
            / pair.rate
            for pair in pairs
        )
        <= point
        for point in points
    )


def brute_force(instance: SlideInstance) -> int:
    """Most users that can be served together, over all choices of a model or none for every user."""
    compiled = instance.compiled
    options = [
        [None, *(compiled.pair(user, model) for model in compiled.models_of(user).tolist())]
        for user in range(compiled.users)
    ]
    best = 0
    for choice in product(*options):
        taken = [pair for pair in choice if pair is not None]
        if len(taken) > best and together(taken):
            best = len(taken)
    return best


def assert_feasible(instance: SlideInstance, solution: Allocation) -> None:
    assert problem("slide").compiled_violations(instance, solution) == []
    assert violations(instance, solution) == []


def taking(instance: SlideInstance, users: Sequence[int], models: Sequence[int]) -> Allocation:
    """These users with these models, each at the average share it needs, or half of the band where it cannot."""
    shares = []
    for user, model in zip(users, models, strict=True):
        steps = demand(instance.compiled.pair(user, model))
        shares.append(steps[-1].need / steps[-1].due if steps else Fraction(1, 2))
    return Allocation(np.array(users, dtype=np.int64), np.array(models, dtype=np.int64), tuple(shares))


@pytest.mark.child
@settings(max_examples=MOST // 2)
@given(time_varying_instances())
def test_optimal(instance: SlideInstance) -> None:
    result = solve(instance, "time-varying")
    assert result.termination is Termination.COMPLETE, result.message
    assert_feasible(instance, result.solution)
    assert result.value == result.bound == brute_force(instance)


@few(25)
@given(time_varying_instances())
def test_greedy_is_feasible_and_its_bound_holds(instance: SlideInstance) -> None:
    result = solve(instance, "edf-greedy")
    assert_feasible(instance, result.solution)
    assert result.value <= brute_force(instance) <= result.bound


@pytest.mark.child
@settings(max_examples=MOST // 12)
@given(time_varying_instances())
def test_exact_models(instance: SlideInstance) -> None:
    best = brute_force(instance)
    for backend in (highs, cpsat):
        result = checked(instance, "exact", backend.solve(instance, Control("exact"), form="time-varying"), 0.0)
        if result.termination is Termination.COMPLETE:
            assert result.value == result.bound == best
        else:  # CP-SAT has no cuts: what fits only because demands are rounded down is refused
            assert backend is cpsat
            assert "breaks" in result.message
            assert best <= result.bound <= brute_force(with_band(instance, 1 + Fraction(1, 10**6)))


@few(25)
@given(time_varying_instances(), st.data())
def test_both_checks_are_the_definition(instance: SlideInstance, data: st.DataObject) -> None:
    """On all users, whatever their efficiency; the raw fields may allow a little more than the compiled numbers."""
    compiled = instance.compiled
    users = [user for user in range(compiled.users) if len(compiled.models_of(user)) and data.draw(st.booleans())]
    models = [data.draw(st.sampled_from(compiled.models_of(user).tolist())) for user in users]
    solution = taking(instance, users, models)
    pairs = [compiled.pair(user, model) for user, model in zip(users, models, strict=True)]
    fits = together(pairs)
    demands = [demand(pair) for pair in pairs]
    whole: list[Demand] = [steps for steps in demands if steps is not None]
    assert fits == (len(whole) == len(demands) and overloaded(whole) is None)
    assert fits == (problem("slide").compiled_violations(instance, solution) == [])
    if fits:
        assert violations(instance, solution) == []
    else:
        better = [replace(pair, rate=pair.rate * Fraction(1001, 1000), deadline=pair.deadline + 9) for pair in pairs]
        assert violations(instance, solution) or together(better)


@few(25)
@given(time_varying_instances(max_users=4, max_models=1, max_layers=3))
def test_edf_is_a_linear_program(instance: SlideInstance) -> None:
    """Band-seconds for each user between each two due times, enough by all due times: feasible as the check says."""
    compiled = instance.compiled
    pairs = [compiled.pair(user, 0) for user in range(compiled.users) if len(compiled.models_of(user))]
    demands = [demand(pair) for pair in pairs]
    whole = [steps for steps in demands if steps is not None]
    points = sorted({step.due for steps in whole for step in steps})
    if not points:
        return
    unit = points[-1]
    lengths = np.diff([0.0, *(float(point / unit) for point in points)])
    count, slots = len(whole), len(points)
    rows, sides = [], []
    for slot in range(slots):
        row = np.zeros((count, slots))
        row[:, slot] = 1
        rows.append(row.reshape(-1))
        sides.append(lengths[slot])
    needs = []
    for place, steps in enumerate(whole):
        for step in steps:
            row = np.zeros((count, slots))
            row[place, : points.index(step.due) + 1] = -1
            rows.append(row.reshape(-1))
            sides.append(0.0)
            needs.append((len(sides) - 1, float(step.need / unit)))
    # the largest factor on all needs for which there is a schedule
    column = np.zeros(len(sides))
    for row_index, need in needs:
        column[row_index] = need
    found = linprog(
        [*np.zeros(count * slots), -1.0],
        A_ub=np.column_stack([np.array(rows), column]),
        b_ub=sides,
        bounds=[(0, None)] * (count * slots) + [(0, 2)],
    )
    assert found.status == 0
    factor = found.x[-1]
    if factor > 1 + 1e-7:
        assert overloaded(whole) is None
    elif factor < 1 - 1e-7:
        assert overloaded(whole) is not None


@few(25)
@given(time_varying_instances())
def test_the_schedule_is_in_time_where_nothing_is_overloaded(instance: SlideInstance) -> None:
    result = solve(instance, "edf-greedy")
    pairs = zip(result.solution.user.tolist(), result.solution.model.tolist(), strict=True)
    demands = [demand(instance.compiled.pair(user, model)) for user, model in pairs]
    whole = [steps for steps in demands if steps is not None]
    slots = schedule(whole)
    now = Fraction(0)
    arrived: dict[tuple[int, int], Fraction] = {}
    for slot in slots:
        assert slot.begin == now <= slot.end
        now = slot.end
        for layer in range(slot.first, slot.last + 1):
            arrived[slot.place, layer] = slot.end
    for place, (user, model) in enumerate(
        zip(result.solution.user.tolist(), result.solution.model.tolist(), strict=True)
    ):
        pair = instance.compiled.pair(user, model)
        for layer, (bits, due) in enumerate(zip(pair.bits, pair.room(), strict=True)):
            assert not bits or arrived.get((place, layer), arrived[place, whole[place][-1].layer]) <= due


@few(25)
@given(time_varying_instances(), st.data())
def test_cuts_refute_exactly_what_is_overloaded(instance: SlideInstance, data: st.DataObject) -> None:
    formulation = TimeVaryingFormulation(instance)
    count = len(formulation.options)
    values = np.array(data.draw(st.lists(st.sampled_from((0.0, 1.0)), min_size=count, max_size=count)))
    cuts = formulation.cuts(values)
    solution = formulation.extract(values)
    assert bool(cuts) == bool(problem("slide").compiled_violations(instance, solution))
    for cut in cuts:
        assert values[cut.positions].sum() > cut.at_most
    served = np.array(data.draw(st.lists(st.sampled_from((0.0, 1.0)), min_size=count, max_size=count)))
    if not formulation.cuts(served):  # no cut cuts off what is feasible
        assert all(served[cut.positions].sum() <= cut.at_most for cut in cuts)
        assert (formulation.start(formulation.extract(served)) == served).all()


@few(25)
@given(time_varying_instances())
def test_rows_keep_all_that_is_feasible(instance: SlideInstance) -> None:
    formulation = TimeVaryingFormulation(instance)
    rows = formulation.rows(formulation.points)
    for size in range(len(formulation.options) + 1):
        for chosen in combinations(range(len(formulation.options)), size):
            if len({formulation.options[place].user for place in chosen}) < size:
                continue
            inside = [
                sum(c for p, c in zip(r.places, r.coefficients, strict=True) if p in chosen) <= r.capacity for r in rows
            ]
            fits = overloaded([formulation.options[place].demand for place in chosen]) is None
            if fits or all(row.exact for row in rows):
                assert all(inside) == fits
    assert relaxation(formulation, Control("relaxation")).bound >= brute_force(instance)


@few(25)
@given(time_varying_instances(max_models=1, max_layers=1))
def test_moore_hodgson_is_optimal_with_one_layer(instance: SlideInstance) -> None:
    result = solve(instance, "moore-hodgson")
    assert_feasible(instance, result.solution)
    assert result.value == result.bound == brute_force(instance)


@few(25)
@given(time_varying_instances(max_models=1))
def test_moore_hodgson_when_all_is_downloaded_first(instance: SlideInstance) -> None:
    result = solve(instance, "moore-hodgson", download_first=True)
    assert result.bound is None
    assert_feasible(instance, result.solution)
    compiled = instance.compiled
    pairs = [compiled.pair(user, 0) for user in range(compiled.users) if len(compiled.models_of(user))]
    dai = [replace(pair, bits=(pair.bits[-1],) * len(pair)) for pair in pairs]
    best = max(len(chosen) for n in range(len(dai) + 1) for chosen in combinations(dai, n) if together(chosen))
    assert result.value == best <= brute_force(instance)


def test_shortest_first_serves_one_where_two_fit() -> None:
    instance = downloads([[(2, 2), (10, 3)], [(2, 1), (10, 6)], [(2, 1), (10, 4)]])
    options = TimeVaryingFormulation(instance).options
    assert len(insertion(options, np.argsort(total(options), kind="stable"), Control("greedy"))) == 1
    result = solve(instance, "time-varying")
    assert result.value == result.bound == brute_force(instance) == 2
    assert result.solution.user.tolist() == [1, 2]


@pytest.mark.child
@pytest.mark.parametrize(
    ("numbers", "exists"), [((1, 2, 3, 4), True), ((1, 1, 1, 5), False), ((3, 5, 6, 7, 8, 9), True)]
)
def test_partition_into_two_halves_of_equal_size(numbers: tuple[int, ...], exists: bool) -> None:
    """Serving n of 2n users is to choose n numbers that make half of the sum: NP-hard."""
    n, half = len(numbers) // 2, sum(numbers) // 2
    assert exists == any(sum(chosen) == half for chosen in combinations(numbers, n))
    most = sum(numbers) + 1
    instance = downloads([[(n * most + half, most + x), (3 * n * most - half, 3 * most - x)] for x in numbers])
    result = solve(instance, "time-varying")
    assert result.value == result.bound
    assert (result.value == n) == exists
    assert_feasible(instance, result.solution)
    exact = checked(instance, "cpsat", cpsat.solve(instance, Control("cpsat"), form="time-varying"), 0.0)
    assert exact.value == exact.bound == result.value


def test_band_freed_by_a_download_goes_to_the_others() -> None:
    """Two users that need half of the band each on average, and the whole of it one after the other."""
    instance = downloads([[(1, 1)], [(2, 1)]])
    result = solve(instance, "time-varying")
    assert result.value == 2
    assert result.solution.share.tolist() == [1.0, 0.5]
    assert solve(replace(instance, variant="plain"), "slide").value == 1
    assert_feasible(instance, result.solution)
    late = replace(instance, users=replace(instance.users, deadline_s=np.array([1.0, 1.999])))
    assert next(item.constraint for item in violations(late, result.solution)).startswith(("time", "share"))
    assert solve(late, "time-varying").value == 1


def test_a_share_below_the_average_is_refused() -> None:
    instance = downloads([[(4, 1)]])
    good = Allocation(np.array([0]), np.array([0]), np.array([0.25]))
    assert_feasible(instance, good)
    bad = replace(good, share=np.array([0.2499]))
    assert violations(instance, bad)
    assert problem("slide").compiled_violations(instance, bad)


def test_logarithms_are_refined_until_decided() -> None:
    """log2(3) is irrational: the raw check encloses it; the deadline is within 1e-18 of the time needed."""
    exact = "0.630929753571457437099527114342760854299585640131880"  # 1 / log2(3)
    for digits, fits in (("0.6309297535714575", True), ("0.6309297535714574", False)):
        users = Users.of(deadline_s=[float(digits)], frequency_hz=1e9, power_w=[2.0], gain=[1.0])
        table = LayerTable.of("m", bits=[1], flop_per_sample=[0])
        instance = SlideInstance("log", 1.0, Models.of([table]), users, variant="time-varying", noise_w_per_hz=1.0)
        assert (Fraction(digits) > Fraction(exact)) == fits
        alone = Allocation(np.array([0]), np.array([0]), np.array([1.0]))
        assert (violations(instance, alone) == []) == fits


def test_ties_among_known_rates_are_decided_beside_a_logarithm() -> None:
    """Users 1 and 2 fill the band to the last bit until 2 s; user 0, due later, has an irrational rate."""
    users = Users.of(
        deadline_s=[9.0, 1.0, 2.0],
        frequency_hz=1e9,
        spectral_efficiency=[np.nan, 1.0, 1.0],
        power_w=[2.0, np.nan, np.nan],
        gain=[1.0, np.nan, np.nan],
    )
    table = LayerTable.of("m", bits=[1], flop_per_sample=[0])
    instance = SlideInstance("mixed", 1.0, Models.of([table]), users, variant="time-varying", noise_w_per_hz=1.0)
    assert_feasible(instance, taking(instance, [0, 1, 2], [0, 0, 0]))


def test_other_variants_are_refused() -> None:
    instance = downloads([[(4, 1)]])
    for name in ("time-varying", "edf-greedy", "moore-hodgson"):
        with pytest.raises(AssumptionError, match="time-varying"):
            solve(replace(instance, variant="plain"), name)
    with pytest.raises(AssumptionError, match="time-varying"):
        solve(instance, "slide")
    with pytest.raises(AssumptionError, match="time-varying"):
        load(find("slide", "time-varying", "cpsat"))(replace(instance, variant="plain"))


def test_moore_hodgson_refuses_several_due_times_and_models() -> None:
    with pytest.raises(AssumptionError, match="2 due times"):
        solve(downloads([[(2, 2), (10, 3)]]), "moore-hodgson")
    instance = downloads([[(2, 2)]])
    quick = LayerTable.of("quick", bits=[1], flop_per_sample=[0], overhead_s=0.5)
    both = replace(
        instance,
        models=Models.of([instance.models[0], quick]),
        users=replace(instance.users, accept_sets=(None,), accepts=np.zeros(1, dtype=np.int64)),
    )
    with pytest.raises(AssumptionError, match="none is due last and needs least"):
        solve(both, "moore-hodgson")


def test_timelines_show_the_band_handed_on() -> None:
    instance = downloads([[(1, 1)], [(2, 1)]])
    solution = solve(instance, "time-varying").solution
    assert timeline(instance, solution, "u0").download == ((0, 1),)
    assert timeline(instance, solution, "u1").download == ((1, 2),)
    with pytest.raises(InstanceError, match="even alone"):
        timeline(downloads([[(1, 2)]]), Allocation(np.array([0]), np.array([0]), np.array([1.0])), "u0")


@few(25)
@given(time_varying_instances())
def test_timelines_of_solutions_are_in_time(instance: SlideInstance) -> None:
    solution = solve(instance, "edf-greedy").solution
    busy = []
    for user in solution.user.tolist():
        found = timeline(instance, solution, user)
        assert found.latency <= found.deadline
        assert all(begin >= end for (_, end), (begin, _) in zip(found.download, found.compute, strict=True))
        busy += [own for own in found.download if own[0] < own[1]]
    busy.sort()
    assert all(one[1] <= other[0] for one, other in pairwise(busy))  # the band does one thing at a time


def test_a_cover_that_just_fits_is_no_cut() -> None:
    formulation = TimeVaryingFormulation(downloads([[(4, 2)]] * 4))
    (cut,) = formulation.cuts(np.array([1.0, 1.0, 1.0, 0.0]))
    assert (cut.positions.tolist(), cut.at_most) == ([0, 1, 2, 3], 2)


def test_layers_due_at_the_same_time_are_one_step() -> None:
    instance = downloads([[(4, 1), (4, 3)], [(5, 2)]])
    assert [len(option.demand) for option in TimeVaryingFormulation(instance).options] == [1, 1]
    assert solve(instance, "moore-hodgson").value == 2


def test_no_time_leaves_a_bound() -> None:
    result = solve(downloads([[(4, 1)]] * 3), "time-varying", time_limit=0.0)
    assert result.termination is Termination.TIME_LIMIT
    assert result.bound == 3
    assert_feasible(downloads([[(4, 1)]] * 3), result.solution)


def test_removal_takes_out_who_needs_most() -> None:
    """The rule of Moore and Hodgson: a large early download gives way to two small later ones."""
    instance = downloads([[(4, 4)], [(5, 2)], [(5, 3)]])
    options = TimeVaryingFormulation(instance).options
    assert with_removals(options, Control("greedy")) == {1, 2}
    assert solve(instance, "moore-hodgson").solution.user.tolist() == [1, 2]


def test_load_keeps_count() -> None:
    options = [
        Option(user, user, demand(pair) or ())
        for user, pair in enumerate(
            Pair((2, 3), (0, 0), (3, 0), 10, Fraction(TICKS_PER_S), Fraction(0), None) for _ in range(3)
        )
    ]
    load_of = Load(options)
    assert load_of.points.tolist() == [7, 10]
    load_of.add(0)
    load_of.add(1)
    assert load_of.used.tolist() == [4, 6]
    assert load_of.overloaded() is None
    assert load_of.add_if_it_fits(2)
    load_of.remove(0)
    assert load_of.used.tolist() == [4, 6]
    assert allocation([options[place] for place in load_of.chosen]).user.tolist() == [1, 2]
