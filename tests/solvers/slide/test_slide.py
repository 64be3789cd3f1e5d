"""The optimal algorithm against every choice tried, against download-then-infer, and on every corner."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

import edgeopt
from edgeopt.errors import AssumptionError
from edgeopt.instances.slide import PROBLEM, SlideInstance
from edgeopt.instances.slide.corners import CORNERS
from edgeopt.instances.slide.instance import VARIANTS
from edgeopt.result import Termination, ValueEvidence
from edgeopt.testing.profiles import few
from edgeopt.testing.slide import slide_instances


@few(30)
@given(slide_instances())
def test_it_serves_what_brute_force_serves(instance: SlideInstance) -> None:
    found, best = edgeopt.solve(instance, "slide"), edgeopt.solve(instance, "brute-force")
    assert best.closed
    assert found.closed, found.summary()
    assert found.value == best.value
    assert not edgeopt.violations(instance, found.solution)


@few(25)
@given(slide_instances(max_users=8, max_layers=8, max_models=4))
def test_what_it_returns_breaks_nothing_and_is_never_worse_than_download_then_infer(instance: SlideInstance) -> None:
    found, dai = edgeopt.solve(instance, "slide"), edgeopt.solve(instance, "dai")
    assert found.value_evidence is ValueEvidence.CHECKED
    assert found.termination is Termination.COMPLETE
    assert not edgeopt.violations(instance, found.solution)
    assert not PROBLEM.compiled_violations(instance, found.solution)
    assert found.value is not None
    assert dai.value is not None
    assert found.value >= dai.value
    assert found.bound == found.value


@pytest.mark.parametrize("corner", [None, *CORNERS])
@pytest.mark.parametrize("seed", range(2))
def test_every_corner_is_closed_and_feasible(corner: str | None, seed: int) -> None:
    instance = edgeopt.generate("slide", users=40, seed=seed, corner=corner)
    result = edgeopt.solve(instance, "slide")
    assert result.closed, result.summary()
    assert not edgeopt.violations(instance, result.solution)
    again = edgeopt.solve(instance, "slide")
    assert (again.solution, again.bound) == (result.solution, result.bound)


def test_more_band_more_time_and_more_energy_serve_no_fewer() -> None:
    def value(**options: object) -> float:
        base: dict[str, object] = {"users": 80, "seed": 3, "bandwidth_hz": 1e8, "energy_budget": (0.05, 0.4)}
        found = edgeopt.solve(edgeopt.generate("slide", **(base | options)), "slide").value
        assert found is not None
        return found

    base = value()
    assert value(bandwidth_hz=2e8) > base
    assert value(deadline_s=(2.0, 8.0)) > base
    assert value(energy=False) >= base


def test_the_least_shares_are_served_in_order() -> None:
    instance = edgeopt.generate("slide", users=50, seed=2)
    result = edgeopt.solve(instance, "slide")
    proof = result.proof
    outside = np.setdiff1d(np.arange(50), result.solution.user)
    assert proof is not None
    assert len(outside)
    assert result.solution.share.max() <= proof.shares.user_low[outside].min()


@pytest.mark.parametrize("variant", [variant for variant in VARIANTS if variant != "plain"])
def test_other_variants_are_refused(variant: str) -> None:
    instance = edgeopt.generate("slide", users=5, variant=variant)
    with pytest.raises(AssumptionError, match=f"slide solves the variant 'plain', .* is '{variant}'"):
        edgeopt.solve(instance, "slide")
