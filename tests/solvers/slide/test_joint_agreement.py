"""Exact models against the algorithm: the joint models know the recursion and nothing of least shares."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt
from edgeopt.instances.base import violations
from edgeopt.instances.slide import LayerTable, Models, SlideInstance, Users
from edgeopt.instances.slide.pair import Pair
from edgeopt.models.slide.least_share import least_share
from edgeopt.result import Termination
from edgeopt.testing.profiles import few
from edgeopt.testing.slide import slide_instances

pytestmark = pytest.mark.child
needs_scip = pytest.mark.skipif(
    find_spec("pyscipopt") is None or find_spec("cvxpy") is None, reason="needs the extras convex and scip"
)
TIE = 1e-6
GRID_TIE = 0.25
ALL = [
    "highs",
    "cpsat",
    "joint-highs",
    "joint-cpsat",
    pytest.param("joint-scip", marks=needs_scip),
]


def stretched(pair: Pair, by: float) -> Pair:
    """The pair with deadline, energy budget and rate changed by a relative amount."""
    factor = 1 + Fraction(by)
    return replace(
        pair,
        deadline=int(pair.deadline * factor),
        rate=pair.rate * factor,
        energy=None if pair.energy is None else pair.energy * factor,
    )


def user_shares(instance: SlideInstance, by: float = 0.0) -> list[Fraction]:
    """The least share of each user that the band is enough for, ascending."""
    found = []
    for user in range(len(instance.users)):
        pairs = (instance.compiled.pair(user, i) for i in instance.compiled.models_of(user).tolist())
        shares = [share.high for pair in pairs if (share := least_share(stretched(pair, by))) is not None]
        if shares:
            found.append(min(shares))
    return sorted(found)


def optimum(instance: SlideInstance, by: float) -> int:
    """How many can be served where everything is easier, or harder, by a relative amount."""
    total, count = Fraction(0), 0
    for share in user_shares(instance, by):
        total += share
        count += total <= 1
    return count


@st.composite
def joint_instances(draw: st.DrawFn) -> SlideInstance:
    """2 to 5 users, 1 to 3 models, 1 to 5 layers; data on no grid; the band near what some number of users needs."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(2, 5))
    tables = []
    for index in range(draw(st.integers(1, 3))):
        layers = draw(st.integers(1, 5))
        bits = rng.integers(0, 2_000_003, layers)
        bits[rng.integers(layers)] += 1
        work = rng.integers(0, 3_000_017, layers) * rng.integers(
            0, 2 if draw(st.booleans()) else 1, layers, endpoint=True
        )
        overhead = rng.uniform(0, 0.05, layers) * draw(st.integers(0, 1))
        tables.append(
            LayerTable.of(
                f"m{index}", bits=bits, flop_per_sample=work, overhead_s=overhead, accuracy=float(rng.uniform())
            )
        )
    frequency, coefficient = rng.uniform(3e7, 6e7, count), rng.uniform(1e-25, 3e-25, count)
    full = np.maximum(coefficient * np.mean([t.flop_per_sample.sum() for t in tables]) * frequency**2, 1e-12)
    budget = {
        "none": np.full(count, np.inf),
        "loose": rng.uniform(1, 3, count),
        "tight": rng.uniform(0.05, 0.9, count),
        "mixed": np.where(rng.random(count) < 0.4, np.inf, rng.uniform(0.1, 1.2, count)),
    }
    instance = SlideInstance(
        name="joint",
        bandwidth_hz=1e12,
        models=Models.of(tables),
        users=Users.of(
            deadline_s=rng.uniform(0.5, 2.5, count),
            frequency_hz=frequency,
            cycles_per_flop=rng.uniform(0.8, 2.5, count),
            batch=rng.integers(1, 3, count),
            energy_j=budget[draw(st.sampled_from(sorted(budget)))] * full,
            energy_coefficient=coefficient,
            spectral_efficiency=rng.uniform(0.5, 4, count),
            min_accuracy=rng.uniform(0, 0.4, count),
        ),
    )
    shares = [float(share) for share in user_shares(instance)]
    if not shares:
        return instance
    wanted = sum(shares[: draw(st.integers(1, len(shares)))])
    off = 10.0 ** -draw(st.integers(1, 4)) * draw(st.sampled_from([-1, 1]))
    return replace(instance, bandwidth_hz=1e12 * wanted * (1 + off * float(rng.uniform(0.3, 1.0))))


@pytest.mark.parametrize("name", ALL)
@few(10)
@given(instance=joint_instances() | slide_instances())
def test_all_agree_with_the_algorithm(name: str, instance: SlideInstance) -> None:
    best = edgeopt.solve(instance, "slide").value
    assert best is not None
    result = edgeopt.solve(instance, name)
    assert result.termination in (Termination.COMPLETE, Termination.NODE_LIMIT), result
    assert result.value is not None
    assert result.bound is not None
    assert violations(instance, result.solution) == []
    tie = GRID_TIE if name == "joint-cpsat" else TIE
    assert optimum(instance, -tie) <= result.value <= best <= result.bound <= optimum(instance, tie)


@few(25)
@given(instance=joint_instances() | slide_instances())
def test_brute_force_agrees(instance: SlideInstance) -> None:
    assert (
        edgeopt.solve(instance, "brute-force").value == edgeopt.solve(instance, "slide").value == optimum(instance, 0)
    )


@few(10)
@given(instance=joint_instances(), bits=st.integers(6, 9))
def test_a_coarse_grid_stays_on_both_sides(instance: SlideInstance, bits: int) -> None:
    best = edgeopt.solve(instance, "slide").value
    result = edgeopt.solve(instance, "joint-cpsat", grid_bits=bits)
    assert violations(instance, result.solution) == []
    assert result.value is not None
    assert result.bound is not None
    assert best is not None
    assert result.value <= best <= result.bound
