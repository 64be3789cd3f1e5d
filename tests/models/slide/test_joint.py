"""The joint models: what is rounded is rounded the right way, and one user alone agrees with the algebra."""

from __future__ import annotations

from fractions import Fraction
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edgeopt.instances.slide import SlideInstance
from edgeopt.instances.slide.pair import TICKS_PER_S, Pair
from edgeopt.models.slide.joint_grid import Grid, add_pair, joint_grid
from edgeopt.models.slide.joint_tangents import Columns, Tangent, first_tangents, joint_tangents, tangents_at
from edgeopt.models.slide.least_share import least_share, speeds
from edgeopt.models.slide.scaled import hopeless, scaled
from edgeopt.testing.profiles import few
from edgeopt.testing.slide import slide_instances

needs_cvxpy = pytest.mark.skipif(find_spec("cvxpy") is None, reason="needs the extra convex")


@st.composite
def drawn_pairs(draw: st.DrawFn) -> Pair:
    """A pair of a drawn instance."""
    instance = draw(slide_instances(min_users=1))
    user = draw(st.integers(0, len(instance.users) - 1))
    models = instance.compiled.models_of(user).tolist()
    assume(models)
    return instance.compiled.pair(user, draw(st.sampled_from(models)))


@given(drawn_pairs())
def test_hopeless_pairs_have_no_least_share(pair: Pair) -> None:
    assert not (hopeless(pair) and least_share(pair) is not None)


@given(drawn_pairs())
def test_demands_are_rounded_down(pair: Pair) -> None:
    assume(not hopeless(pair))
    low = scaled(pair, "down")
    need = Fraction(pair.bits[-1] * TICKS_PER_S) / (pair.rate * pair.deadline)
    assert need * (1 - Fraction(1, 2**50)) <= Fraction(low.need) <= need
    for layer in range(len(pair)):
        full = pair.work[layer] * pair.flop_ticks
        assert Fraction(low.part[layer]) <= Fraction(pair.bits[layer], pair.bits[-1])
        assert Fraction(low.overhead[layer]) <= Fraction(pair.overhead[layer], pair.deadline)
        assert Fraction(low.work[layer]) <= full / pair.deadline
        if pair.energy is not None and low.drain is not None:
            assert Fraction(low.drain[layer]) <= full / pair.energy


def held(tangent: Tangent, point: dict[int, Fraction]) -> bool:
    """Whether a tangent holds at a point, exactly."""
    terms = zip(tangent.coefficient, tangent.position, strict=True)
    return sum((Fraction(factor) * point[position] for factor, position in terms), Fraction(0)) >= 0


def feasible_point(own: Columns, pair: Pair, share: Fraction, speed: list[Fraction]) -> dict[int, Fraction]:
    """Values of the convex part of a pair's variables that an allocation has."""
    need = Fraction(pair.bits[-1] * TICKS_PER_S) / (pair.rate * pair.deadline)
    point = {own.x: Fraction(1), own.eta: share / need, own.v: need / share}
    for place, layer in enumerate(own.busy.tolist()):
        point[own.z + place] = speed[layer]
        point[own.delta + place] = 1 / speed[layer]
    return point


@few(20)
@given(drawn_pairs(), st.data())
def test_no_tangent_cuts_off_the_least_share_or_one_near_it(pair: Pair, data: st.DataObject) -> None:
    found = None if hopeless(pair) else least_share(pair)
    assume(found is not None)
    assert found is not None
    low = scaled(pair, "down")
    own = Columns(low, 0, np.flatnonzero(low.work > 0))
    exact = feasible_point(own, pair, found.high, speeds(pair, found.high) or [])
    values = np.zeros(own.end)
    for position, value in exact.items():
        values[position] = float(value) * data.draw(st.sampled_from([0.0, 0.5, 0.999, 1 - 1e-12, 1.0, 1.5]))
    tangents = [*first_tangents(own), *tangents_at(own, values, 0.0)]
    assert all(held(tangent, exact) for tangent in tangents)


@few(20)
@given(drawn_pairs(), st.data())
def test_tangents_cut_off_the_values_that_they_are_made_for(pair: Pair, data: st.DataObject) -> None:
    assume(not hopeless(pair))
    low = scaled(pair, "down")
    own = Columns(low, 0, np.flatnonzero(low.work > 0))
    values = np.array(data.draw(st.lists(st.floats(0.01, 2.0), min_size=own.end, max_size=own.end)))
    values[own.x] = 1.0
    tangents = tangents_at(own, values, 1e-9)
    broken = float(values[own.v] * values[own.eta]) < 1 - 1e-9
    broken |= bool((values[own.z : own.delta] * values[own.delta : own.end] < 1 - 1e-9).any())
    if low.drain is not None:
        broken |= float(low.drain[own.busy] @ values[own.z : own.delta] ** 2) > 1 + 1e-9
    assert bool(tangents) == broken
    for tangent in tangents:
        assert float(np.array(tangent.coefficient) @ values[tangent.position]) < 0


@few(25)
@given(slide_instances(max_users=3, max_models=2))
def test_variables_come_in_the_order_of_the_columns(instance: SlideInstance) -> None:
    joint = joint_tangents(instance)
    assert len(joint.model.variables) == (joint.columns[-1].end if joint.columns else 0)
    binaries = [place for place, variable in enumerate(joint.model.variables) if variable.is_binary()]
    assert binaries == [own.x for own in joint.columns]


@few(20)
@given(drawn_pairs(), st.integers(6, 12), st.data())
def test_the_lower_grid_holds_the_floor_of_every_feasible_pair(pair: Pair, bits: int, data: st.DataObject) -> None:
    found = None if hopeless(pair) else least_share(pair)
    assume(found is not None)
    assert found is not None
    part = Fraction(data.draw(st.integers(0, 8)), 8)
    share = found.high + part * (1 - found.high)
    speed = speeds(pair, share)
    assert speed is not None
    grid = Grid.of(bits, up=False)
    need = Fraction(pair.bits[-1] * TICKS_PER_S) / (pair.rate * pair.deadline)
    n, v = int(share * grid.shares), int(need / share * grid.times)
    assert (n + 1) * (v + 1) > need * grid.shares * grid.times - 1
    for work, z in zip(pair.work, speed, strict=True):
        full = work * pair.flop_ticks / pair.deadline
        q, d = int(z * grid.speeds), int(full / z * grid.times)
        assert (q + 1) * (d + 1) >= int(full * grid.times * grid.speeds) + 1


@few(15)
@given(drawn_pairs(), st.integers(6, 10))
def test_what_the_upper_grid_serves_is_feasible_as_it_is(pair: Pair, bits: int) -> None:
    from ortools.sat.python import cp_model

    assume(not hopeless(pair))
    for up in (True, False):
        model = cp_model.CpModel()
        own = add_pair(model, Grid.of(bits, up=up), pair, 0, 0)
        model.add(own.x == 1)
        model.minimize(own.n)
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.cp_model_presolve = False
        status = solver.solve(model)
        exact = least_share(pair)
        if up and status == cp_model.OPTIMAL:
            speed = [Fraction(1) if q is None else Fraction(solver.value(q), 2 ** (bits - 4)) for q in own.q]
            assert pair.allows(Fraction(solver.value(own.n), 2**bits), speed)
        if not up and exact is not None:
            assert status == cp_model.OPTIMAL
            assert solver.value(own.n) <= exact.high * 2**bits


@needs_cvxpy
@few(15)
@given(drawn_pairs())
def test_one_user_by_the_cone_program_agrees_with_the_algebra(pair: Pair) -> None:
    from edgeopt.models.slide.joint_cone import least_share_by_cone

    assume(not hopeless(pair))
    exact = least_share(pair)
    point = least_share_by_cone(scaled(pair))
    if exact is None:
        # feasible within the tolerance only where a little more of everything is feasible exactly
        assert point is None or point.share >= 1 - 1e-4 or _easier(pair)
        return
    assert point is None or abs(point.share / float(exact.high) - 1) < 1e-4 or _easier(pair)
    assert point is not None or exact.high > 1 - Fraction(1, 10**4) or _harder(pair)


def _near(pair: Pair, by: float) -> Fraction | None:
    from dataclasses import replace

    factor = 1 + Fraction(by)
    budget = None if pair.energy is None else pair.energy * factor
    moved = replace(pair, deadline=int(pair.deadline * factor), rate=pair.rate * factor, energy=budget)
    found = least_share(moved)
    return None if found is None else found.high


def _easier(pair: Pair) -> bool:
    """Whether a part in a million decides this pair: its least share moves by more than 1 in 10^4, or there is none."""
    one, other = _near(pair, 1e-6), _near(pair, -1e-6)
    return one is not None and (other is None or other > one * (1 + Fraction(1, 10**4)))


def _harder(pair: Pair) -> bool:
    return _near(pair, -1e-6) is None


@pytest.mark.parametrize(("up", "least"), [(True, 33), (False, 31)])
def test_a_download_a_little_longer_than_a_step_rounds_its_share(up: bool, least: int) -> None:
    # a hair more than 1/8 of the band: 32 of 256 steps are too few, and 31 already stand for all below 32
    from ortools.sat.python import cp_model

    rate = Fraction(8 * 10**12) * (1 - Fraction(1, 10**12))
    pair = Pair((10,), (0,), (0,), 10, rate, Fraction(1), None)
    model = cp_model.CpModel()
    own = add_pair(model, Grid.of(8, up=up), pair, 0, 0)
    model.add(own.x == 1)
    model.minimize(own.n)
    solver = cp_model.CpSolver()
    assert solver.solve(model) == cp_model.OPTIMAL
    assert solver.value(own.n) == least


def test_grids_round_in_the_direction_that_they_say() -> None:
    value = Fraction(7, 2)
    up, down = Grid.of(8, up=True), Grid.of(8, up=False)
    assert (up.demand(value), up.room(value), down.demand(value), down.room(value)) == (4, 3, 3, 4)
    assert (up.shares, up.times, up.speeds) == (256, 1024, 16)


def test_nothing_to_serve_is_a_model_too() -> None:
    import edgeopt

    nobody = edgeopt.generate("slide", corner="no-users")
    assert joint_grid(nobody, Grid.of(8, up=True)).pairs == []
    assert joint_tangents(nobody).columns == []
