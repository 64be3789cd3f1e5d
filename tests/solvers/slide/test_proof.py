"""Exchange proofs: what a solver hands out proves its bound in exact numbers, as single entries and as columns."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given

import edgeopt
from edgeopt.instances.slide import SlideInstance
from edgeopt.instances.slide.pair import Pair
from edgeopt.solvers.slide.proof import KINDS, Evidence, ExchangeProof, prefix_bound, slope_bound
from edgeopt.testing.profiles import few
from edgeopt.testing.slide import slide_instances

NUMBERS = Pair(
    bits=(1, 3),
    work=(2, 2),
    overhead=(1, 2),
    deadline=12,
    rate=Fraction(10**12),
    flop_ticks=Fraction(1),
    energy=Fraction(1),
)


def proof_of(instance: SlideInstance) -> ExchangeProof:
    found = edgeopt.solve(instance, "slide").proof
    assert isinstance(found, ExchangeProof)
    return found


@few(25)
@given(slide_instances(max_users=6, max_layers=6))
def test_the_evidence_proves_the_bound(instance: SlideInstance) -> None:
    """One more than `most` needs more than the band, by the exact bounds of the evidence alone."""
    proof, compiled = proof_of(instance), instance.compiled
    if not proof.needed:
        assert proof.most == compiled.users
        return
    least: list[Fraction] = []
    for user in range(compiled.users):
        pairs = range(int(compiled.pair_start[user]), int(compiled.pair_start[user + 1]))
        bounds = [proof.evidence(p).bound(compiled.pair(user, int(compiled.pair_model[p]))) for p in pairs]
        finite = [bound for bound in bounds if bound is not None]
        if finite:
            least.append(min(finite))
    assert len(least) <= proof.most or sum(sorted(least)[: proof.most + 1]) > 1


@few(25)
@given(slide_instances(max_layers=6))
def test_columns_say_what_the_entries_say(instance: SlideInstance) -> None:
    proof, compiled = proof_of(instance), instance.compiled
    columns = proof.columns()
    for pair in range(len(compiled.pair_model)):
        one = columns.exact.get(pair)
        if one is None:
            slopes = columns.slope[columns.slope_start[pair] : columns.slope_start[pair + 1]].tolist()
            layer = int(columns.layer[pair])
            one = Evidence(KINDS[columns.kind[pair]], layer if layer >= 0 else None, tuple(slopes) or None)
        assert one == proof.evidence(pair)
        layers = int(compiled.start[compiled.pair_model[pair] + 1] - compiled.start[compiled.pair_model[pair]])
        assert (one.kind == "slopes") == (one.slopes is not None)
        assert one.slopes is None or len(one.slopes) == layers
        assert (one.kind in ("prefix", "late")) == (one.layer is not None)
        assert one.layer is None or 0 <= one.layer < layers
    assert len(columns.slope) == columns.slope_start[-1]


@few(25)
@given(slide_instances(max_layers=6))
def test_late_evidence_leaves_no_share(instance: SlideInstance) -> None:
    proof, compiled = proof_of(instance), instance.compiled
    for user in range(compiled.users):
        for pair in range(int(compiled.pair_start[user]), int(compiled.pair_start[user + 1])):
            numbers = compiled.pair(user, int(compiled.pair_model[pair]))
            evidence = proof.evidence(pair)
            if evidence.kind == "late":
                assert evidence.bound(numbers) is None
                assert numbers.least_share() is None


def test_all_kinds_occur() -> None:
    instance = edgeopt.generate("slide", users=60, corner="infeasible-users", energy_budget=(0.05, 0.8))
    proof = proof_of(instance)
    assert set(np.unique(proof.columns().kind).tolist()) == {KINDS.index(kind) for kind in ("prefix", "late", "slopes")}
    easy = proof_of(edgeopt.generate("slide", users=3, bandwidth_hz=1e12, deadline_s=(50.0, 60.0), energy=False))
    assert {easy.evidence(pair).kind for pair in range(len(easy.shares.low))} == {"none"}


def test_the_prefix_bound_is_the_formula() -> None:
    assert prefix_bound(NUMBERS, 0) == Fraction(1, 12 - 3 - 4)
    assert prefix_bound(NUMBERS, 1) == Fraction(3, 12 - 2 - 2)


def test_the_slope_bound_is_the_formula() -> None:
    """energy >= 3 (2/16 + 2/4) - 2 (1/64) (9 - 1/y) - 2 (1/8 - 1/64) (10 - 3/y), which is 1 at the bound."""
    bound = slope_bound(NUMBERS, [Fraction(1, 4), Fraction(1, 2)])
    assert bound is not None
    power = 3 * (Fraction(2, 16) + Fraction(2, 4))
    at_bound = power - Fraction(2, 64) * (9 - 1 / bound) - 2 * Fraction(7, 64) * (10 - 3 / bound)
    assert at_bound == 1


def test_slopes_that_exceed_the_budget_at_every_share_leave_none() -> None:
    tight = Pair(NUMBERS.bits, NUMBERS.work, NUMBERS.overhead, 12, NUMBERS.rate, NUMBERS.flop_ticks, Fraction(1, 10))
    assert slope_bound(tight, [Fraction(2, 5), Fraction(2, 5)]) is None


@pytest.mark.parametrize("slopes", [[0.5], [0.5, 0.25], [-0.5, 0.5], [0.1, 0.2, 0.3]])
def test_other_slopes_prove_nothing(slopes: list[float]) -> None:
    with pytest.raises(ValueError, match="slopes must be one a layer, nonnegative and nowhere falling"):
        slope_bound(NUMBERS, slopes)


def test_without_a_limit_slopes_prove_nothing() -> None:
    free = Pair(NUMBERS.bits, NUMBERS.work, NUMBERS.overhead, 12, NUMBERS.rate, NUMBERS.flop_ticks, None)
    with pytest.raises(ValueError, match="for a pair with an energy limit"):
        slope_bound(free, [0.5, 0.5])
