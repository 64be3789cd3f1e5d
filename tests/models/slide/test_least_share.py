"""Least shares in exact rationals, and the MILP that is given them."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import edgeopt
from edgeopt.instances.base import violations
from edgeopt.instances.slide import LayerTable, Models, SlideInstance, Users
from edgeopt.instances.slide.pair import Pair
from edgeopt.models.slide.formulation import LeastShareFormulation
from edgeopt.models.slide.least_share import MOST_BITS, LeastShare, fits, least_share, refined, speeds
from edgeopt.models.slide.pyomo_share import PyomoShare
from edgeopt.solvers import cpsat, highs, pyomo_factory
from edgeopt.solvers.base import Control, checked
from edgeopt.testing.profiles import few
from edgeopt.testing.slide import slide_instances

LEAST = Fraction(1, 2**130)


def pair(**fields: object) -> Pair:
    """One layer of 10 bit and 4 ticks of work, a deadline of 10 ticks, a rate of 2 bit a tick."""
    given: dict[str, object] = {
        "bits": (10,),
        "work": (4,),
        "overhead": (0,),
        "deadline": 10,
        "rate": Fraction(2 * 10**12),
        "flop_ticks": Fraction(1),
        "energy": None,
    }
    return Pair(**{**given, **fields})  # type: ignore[arg-type]


@few(25)
@given(slide_instances(min_users=1), st.data())
def test_what_is_enough_is_enough_and_what_is_less_is_not(instance: SlideInstance, data: st.DataObject) -> None:
    user = data.draw(st.integers(0, len(instance.users) - 1))
    models = instance.compiled.models_of(user).tolist()
    assume(models)
    own = instance.compiled.pair(user, data.draw(st.sampled_from(models)))
    found = least_share(own)
    if found is None:
        assert speeds(own, Fraction(1)) is None
        return
    assert found.low <= found.high <= found.low * (1 + Fraction(1, 2**119))
    assert own.allows(found.high, speeds(own, found.high))
    assert speeds(own, found.low * (1 - LEAST)) is None
    nearer = refined(own, found, 300)
    assert found.low <= nearer.low <= nearer.high <= found.high
    assert own.allows(nearer.high, speeds(own, nearer.high))


@pytest.mark.parametrize("layers", [1, 3])
def test_layers_that_arrive_together_run_at_one_speed(layers: int) -> None:
    # all bits in the first layer, 10 ticks at half of the band: 20 of 30 ticks are left, in equal parts
    own = pair(bits=(10,) * layers, work=(4,) * layers, overhead=(0,) * layers, deadline=30)
    assert speeds(own, Fraction(1, 2)) == [Fraction(4 * layers, 20)] * layers


def test_a_layer_without_work_holds_up_the_next_one_by_its_overhead() -> None:
    # bits arrive after 5 ticks, their layer takes 5 more without any work: 10 of 20 are left for 4 ticks of work
    own = pair(bits=(10, 10), work=(0, 4), overhead=(5, 0), deadline=20)
    found = speeds(own, Fraction(1))
    assert found is not None
    assert found[1] == Fraction(2, 5)
    assert own.allows(Fraction(1), found)


def test_a_rational_share_at_a_binding_budget_is_found_exactly() -> None:
    # 4 ticks of work may take energy 1: speed 1/2, 8 ticks; 2 of 10 are left to download 10 bit at 2 y a tick: y = 5/2
    assert least_share(pair(energy=Fraction(1))) is None
    found = least_share(pair(energy=Fraction(1), bits=(2,)))
    assert found == LeastShare(Fraction(1, 2), Fraction(1, 2), MOST_BITS)
    assert speeds(pair(energy=Fraction(1), bits=(2,)), Fraction(1, 2)) == [Fraction(1, 2)]


def test_an_irrational_share_is_enclosed_ever_more_tightly() -> None:
    # two layers, budget 1: no rational share spends it exactly
    own = pair(bits=(1, 3), work=(2, 3), overhead=(0, 0), energy=Fraction(1), deadline=17)
    found = least_share(own)
    assert found is not None
    assert found.low < found.high
    assert refined(own, found, 400).high - refined(own, found, 400).low < Fraction(1, 2**395)


def test_shares_that_fill_the_band_exactly_fit() -> None:
    tenth = pair(bits=(2,), work=(0,))
    known = least_share(tenth)
    assert known == LeastShare(Fraction(1, 10), Fraction(1, 10), MOST_BITS)
    assert fits([tenth] * 10, [known] * 10)
    assert not fits([tenth] * 11, [known] * 11)
    more = pair(bits=(2,), work=(0,), rate=Fraction(2 * 10**12) * (1 - Fraction(1, 10**90)))
    other = least_share(more)
    assert other is not None
    assert not fits([tenth] * 9 + [more], [known] * 9 + [other])


@few(25)
@given(slide_instances(max_users=4, max_models=2))
def test_cuts_refute_exactly_what_breaks_and_keep_every_feasible_choice(instance: SlideInstance) -> None:
    formulation = LeastShareFormulation(instance)
    assume(len(formulation.pairs) <= 8)
    feasible, cuts = [], []
    for chosen in product((0.0, 1.0), repeat=len(formulation.pairs)):
        values = np.array(chosen)
        found = formulation.cuts(values)
        if not found:
            solution = formulation.extract(values)
            assert violations(instance, solution) == []
            assert formulation.start(solution).tolist() == values.tolist()
            feasible.append(values)
            assert values @ np.array(formulation.demand, dtype=object) <= formulation.band
        for cut in found:
            assert values[cut.positions].sum() > cut.at_most
        cuts += found
    assert all(values[cut.positions].sum() <= cut.at_most for values in feasible for cut in cuts)
    best = edgeopt.solve(instance, "brute-force").value
    assert max(values.sum() for values in feasible) == best


def nearly_tenths(excess: float) -> SlideInstance:
    """Twelve users of whom ten need a tenth of the band each, and a little more."""
    table = LayerTable.of("tenth", bits=[10**6], flop_per_sample=[0])
    users = Users.of(deadline_s=[1.0] * 12, frequency_hz=1e9, spectral_efficiency=1.0)
    return SlideInstance("tenths", 1e7 * (1 - excess), Models.of([table]), users)


@pytest.mark.child
@pytest.mark.parametrize("solver", [highs.solve, cpsat.solve])
@pytest.mark.parametrize(("excess", "best"), [(0.0, 10), (2.0**-52, 9), (1e-12, 9), (-1e-12, 10)])
def test_back_ends_decide_what_floats_cannot(solver: object, excess: float, best: int) -> None:
    instance = nearly_tenths(excess)
    assert edgeopt.solve(instance, "slide").value == best
    result = checked(instance, "back end", solver(instance, Control("back end")), 0.0)  # type: ignore[operator]
    assert result.closed, result
    assert result.value == best


@pytest.mark.child
def test_any_solver_of_pyomo_takes_the_form() -> None:
    instance = edgeopt.generate("slide", users=6, layers=4, seed=3)
    answer = pyomo_factory.solve(instance, Control("pyomo"), factory="appsi_highs")
    result = checked(instance, "pyomo", answer, 0.0)
    assert result.closed
    assert result.value == edgeopt.solve(instance, "slide").value


def test_variables_come_in_the_order_of_the_pairs() -> None:
    formulation = PyomoShare(edgeopt.generate("slide", users=8, seed=2, bandwidth_hz=1e9))
    built = formulation.build()
    assert len(built.variables) == len(formulation.pairs) > 8
    assert [v.index() for v in built.variables] == list(range(len(formulation.pairs)))
    assert sorted(zip(formulation.user, formulation.model, strict=True)) == list(
        zip(formulation.user, formulation.model, strict=True)
    )
