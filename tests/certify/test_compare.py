"""`certify`: no claim is believed, each label has what it says behind it, in both senses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.certify import compare
from edgeopt.certify.audit import audit
from edgeopt.certify.bounds import Bound, agreed, best
from edgeopt.certify.certificate import matches, read_certificate
from edgeopt.certify.compare import Comparison, certify, quality, rounded_down
from edgeopt.errors import AssumptionError, InstanceError, UnknownNameError
from edgeopt.instances.batching import BatchingInstance, Schedule
from edgeopt.instances.result_file import read_result
from edgeopt.proof import ChoiceSplit, Leaf
from edgeopt.result import Answer, BoundEvidence, Result, Termination, ValueEvidence
from edgeopt.solvers.base import Control, SolverInfo, register, solvers

Register = Callable[..., str]


@pytest.fixture(scope="module")
def instance() -> BatchingInstance:
    return eo.generate("batching", seed=3, nodes=2, requests=30, regime="both")


@pytest.fixture(scope="module")
def single() -> BatchingInstance:
    return eo.generate("batching", seed=4, nodes=1, requests=30, regime="all")


@pytest.fixture
def stub() -> Iterator[Register]:
    """Registers solvers that answer as told, and forgets them afterwards."""
    names = []

    def add(name: str, answer: Answer | Exception, *, exact: bool = False, guarantee: str | None = None) -> str:
        def function(instance: BatchingInstance, control: Control) -> Answer:
            if isinstance(answer, Exception):
                raise answer
            return answer

        register(SolverInfo(name, "batching", function, exact, guarantee))
        names.append(name)
        return name

    yield add
    for name in names:
        solvers("batching").pop(name)


@pytest.fixture
def no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "prove", lambda *_, **__: (None, []))


def feasible(instance: BatchingInstance, count: int) -> Schedule:
    """A feasible schedule of that many requests: part of what gah finds."""
    batches = [batch.tolist() for batch in eo.solve(instance, "gah").solution.batches]
    while sum(map(len, batches)) > count:
        max(batches, key=len).pop()
    assert sum(map(len, batches)) == count
    return Schedule.of(batches)


def most(instance: BatchingInstance) -> int:
    return int(eo.solve(instance, "gah").value)


def test_a_single_node_is_proved(single: BatchingInstance) -> None:
    found = certify(single, "gah")
    assert (found.bound_evidence, found.value_evidence) == (BoundEvidence.PROVED, ValueEvidence.CHECKED)
    assert found.ratio == 1
    assert found.references == ()  # the proof met the value, so no exact solver was asked
    assert found.guarantee_holds
    assert str(found) == f"gah {found.value} (checked), optimal (proved): ratio 1; guarantee 1/2 holds"


def test_multipliers_of_the_solver_are_replayed_not_believed(single: BatchingInstance) -> None:
    solved = eo.solve(single, "ot")
    assert certify(single, solved, against=()).bound == solved.value
    lie = replace(solved, bound=solved.value + 5, bound_evidence=BoundEvidence.PROVED, proof=solved.proof * 1e9)
    found = certify(single, lie, against=())
    assert (found.bound, found.bound_evidence) == (solved.value, BoundEvidence.PROVED)  # without the prices of the lie


def test_the_sum_of_node_bounds_is_proved(instance: BatchingInstance) -> None:
    found = certify(instance, "gah", against=())
    nodes = instance.compiled.nodes
    assert found.bound_evidence is BoundEvidence.PROVED
    assert found.bound <= len({int(request) for node in nodes for request in node.request})
    assert found.ratio == Fraction(found.value) / Fraction(found.bound)


@pytest.mark.usefixtures("no_proof")
def test_one_solver_claims_and_two_agree(instance: BatchingInstance, stub: Register) -> None:
    value = most(instance)
    best_answer = Answer(feasible(instance, value), bound=value)
    one, two = stub("one", best_answer, exact=True), stub("two", best_answer, exact=True)
    short = stub("short", Answer(feasible(instance, value - 1)))
    claimed = certify(instance, short, against=one)
    assert (claimed.bound, claimed.bound_evidence, claimed.bound_source) == (value, BoundEvidence.CLAIMED, "one")
    assert claimed.ratio == Fraction(value - 1, value)
    assert (claimed.reference, claimed.reference_solver) == (value, "one")
    together = certify(instance, short, against=f"{one}, {two}")
    assert (together.bound, together.bound_evidence) == (value, BoundEvidence.AGREED)
    assert together.bound_source == "one and two"
    assert not together.violations


@pytest.mark.usefixtures("no_proof")
def test_no_agreement_of_a_solver_with_itself(instance: BatchingInstance, stub: Register) -> None:
    value = most(instance)
    one = stub("one", Answer(feasible(instance, value), bound=value), exact=True)
    register(replace(solvers("batching")[one], name="two"))
    try:
        assert certify(instance, one, against="two").bound_evidence is BoundEvidence.CLAIMED
    finally:
        solvers("batching").pop("two")


@pytest.mark.usefixtures("no_proof")
@pytest.mark.parametrize(
    "spoil",
    [
        lambda answer: replace(answer, termination=Termination.TIME_LIMIT),
        lambda answer: replace(answer, bound=answer.bound + 1),
    ],
    ids=["stopped", "gap"],
)
def test_an_open_run_agrees_with_nobody(
    instance: BatchingInstance, stub: Register, spoil: Callable[[Answer], Answer]
) -> None:
    value = most(instance)
    answer = Answer(feasible(instance, value), bound=value)
    one, two = stub("one", answer, exact=True), stub("two", spoil(answer), exact=True)
    found = certify(instance, one, against=two)
    assert (found.bound, found.bound_evidence) == (value, BoundEvidence.CLAIMED)


@pytest.mark.usefixtures("no_proof")
def test_no_bound_is_none(instance: BatchingInstance, stub: Register) -> None:
    found = certify(instance, stub("alone", Answer(feasible(instance, 2))), against=())
    assert (found.bound, found.bound_evidence, found.ratio, found.evidence) == (None, None, None, "checked")
    assert str(found) == "alone 2 (checked), no bound"


@pytest.mark.usefixtures("no_proof")
def test_a_refuted_bound_is_named_and_dropped(instance: BatchingInstance, stub: Register) -> None:
    value = most(instance)
    liar = stub("liar", Answer(feasible(instance, 1), bound=1), exact=True)
    found = certify(instance, "gah", against=liar)
    assert found.bound is None
    assert f"liar claims the bound 1, but a checked solution of gah has {value}" in found.violations


def test_a_broken_guarantee_is_named(instance: BatchingInstance, stub: Register) -> None:
    value = most(instance)
    lazy = stub("lazy", Answer(feasible(instance, 1)), guarantee="1/2")
    good = stub("good", Answer(feasible(instance, value)))
    found = certify(instance, lazy, against=good)
    assert found.guarantee_holds is False
    assert found.violations == (
        f"the guarantee 1/2 of lazy is broken: it has 1, a checked solution of good has {value}",
    )
    assert "guarantee 1/2 is broken" in str(found)


def test_a_stopped_run_has_no_guarantee(instance: BatchingInstance, stub: Register) -> None:
    stopped = Answer(feasible(instance, 1), termination=Termination.TIME_LIMIT)
    found = certify(instance, stub("lazy", stopped, guarantee="1/2"), against="gah", time_limit=60)
    assert (found.guarantee, found.guarantee_holds, found.violations) == (None, None, ())


@pytest.mark.usefixtures("no_proof")
def test_a_checked_value_is_no_bound(instance: BatchingInstance, stub: Register) -> None:
    """Against a heuristic's value there is a reference but no ratio."""
    good = stub("good", Answer(feasible(instance, 5)))
    found = certify(instance, stub("lazy", Answer(feasible(instance, 4)), guarantee="1/2"), against=good)
    assert (found.ratio, found.reference, found.guarantee_holds) == (None, 5, None)
    assert "guarantee 1/2 is neither shown nor refuted" in str(found)


def test_an_exact_solver_that_misses_the_optimum_is_named(instance: BatchingInstance, stub: Register) -> None:
    found = certify(instance, stub("liar", Answer(feasible(instance, 1)), exact=True), against="gah")
    assert any("the guarantee 1 of liar is broken" in item for item in found.violations)


def test_an_infeasible_solution_has_no_ratio(instance: BatchingInstance, stub: Register) -> None:
    everything = Schedule.of([range(30), []])
    found = certify(instance, stub("liar", Answer(everything, claimed_value=30)), against=())
    assert (found.value_evidence, found.ratio) == (ValueEvidence.CLAIMED, None)
    assert any("(12a)" in item for item in found.violations)


def test_a_wrong_value_is_named_and_its_bound_not_used(instance: BatchingInstance, stub: Register) -> None:
    liar = stub("liar", Answer(feasible(instance, 3), claimed_value=4, bound=4), exact=True)
    found = certify(instance, liar, against=())
    assert any("claimed the value 4, its solution has 3" in item for item in found.violations)
    assert found.bound_source != "liar"


def test_a_lying_reference_is_named(instance: BatchingInstance, stub: Register) -> None:
    liar = stub("liar", Answer(Schedule.of([range(30), range(30)]), claimed_value=60, bound=60), exact=True)
    found = certify(instance, "gah", against=liar)
    assert found.reference is None
    assert any(item.startswith("liar") for item in found.violations)


@pytest.mark.usefixtures("no_proof")
def test_a_reference_that_refuses_is_a_note(instance: BatchingInstance, stub: Register) -> None:
    found = certify(instance, "gah", against=stub("picky", AssumptionError("one node only")))
    assert "picky gave no answer: one node only" in found.message
    assert not found.violations


def test_the_solver_to_certify_may_refuse(instance: BatchingInstance, stub: Register) -> None:
    with pytest.raises(AssumptionError, match="one node only"):
        certify(instance, stub("picky", AssumptionError("one node only")))


def test_unknown_reference(instance: BatchingInstance) -> None:
    with pytest.raises(UnknownNameError, match=r"no solver 'hghs' for batching; there are: .*highs"):
        certify(instance, "gah", against="gah+,hghs")


def test_a_result_of_another_instance_is_refused(instance: BatchingInstance, single: BatchingInstance) -> None:
    with pytest.raises(InstanceError, match=f"not of {instance.name}"):
        certify(instance, eo.solve(single, "gah"))


def test_no_solution(instance: BatchingInstance, stub: Register) -> None:
    found = certify(instance, stub("empty", Answer(None, termination=Termination.TIME_LIMIT)), against=(), time_limit=1)
    assert (found.value, found.ratio) == (None, None)
    assert str(found).startswith("empty: no solution (time_limit)")


def test_after_an_interrupt_nothing_more_runs(instance: BatchingInstance, stub: Register) -> None:
    stopped = stub("stopped", Answer(feasible(instance, 2), termination=Termination.INTERRUPTED))
    never = stub("never", RuntimeError("ran"))
    found = certify(instance, stopped, against=never)
    assert (found.value, found.references, found.interrupted) == (2, (), True)


def test_an_interrupted_proof_ends_the_work(
    instance: BatchingInstance, stub: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(compare, "prove", interrupted)
    found = certify(instance, "gah", against=stub("never", RuntimeError("ran")))
    assert (found.bound, found.references, found.interrupted) == (None, (), True)


def test_nothing_of_nothing_is_ratio_one() -> None:
    empty = eo.generate("batching", nodes=2, corner="no-requests")
    found = certify(empty, "gah")
    assert (found.value, found.bound, found.ratio) == (0, 0, 1)


@pytest.mark.parametrize(
    ("sense", "value", "bound", "ratio"),
    [
        ("max", 41, 43, Fraction(41, 43)),
        ("min", 43, 41, Fraction(41, 43)),
        ("max", 0, 0, 1),
        ("min", 0, 0, 1),
        ("max", 0, 3, 0),
        ("min", 3, 0, 0),
        ("max", -5, -5, 1),
        ("max", -5, 3, None),
        ("min", 3, -5, None),
        ("max", 0.1, 0.3, Fraction(0.1) / Fraction(0.3)),
    ],
)
def test_ratio_in_both_senses(sense: str, value: float, bound: float, ratio: Fraction | None) -> None:
    assert quality(sense, value, bound) == ratio


@given(st.integers(0, 10**9), st.integers(1, 10**9), st.integers(1, 6))
def test_ratios_are_rounded_down(value: int, more: int, digits: int) -> None:
    shown = Fraction(rounded_down(Fraction(value, value + more), digits))
    assert shown <= Fraction(value, value + more) < shown + Fraction(1, 10**digits)


def test_best_bound_is_the_tightest_then_the_strongest() -> None:
    claimed, proved = Bound(7, BoundEvidence.CLAIMED, "one"), Bound(7, BoundEvidence.PROVED, "proof")
    loose = Bound(9, BoundEvidence.PROVED, "proof")
    assert best("max", [claimed, proved, loose]) is proved
    assert best("max", [claimed, loose]) is claimed
    assert best("min", [claimed, loose]) is loose
    assert best("max", []) is None


@pytest.mark.child
@pytest.mark.parametrize(
    "first",
    [
        "import edgeopt.certify",
        "import edgeopt.certify.compare",
        "from edgeopt.certify.compare import certify",
        "import edgeopt",
        "import edgeopt.certify.compare as compare",
    ],
)
def test_certify_is_verb_and_package_in_every_import_order(first: str) -> None:
    code = (
        f"{first}\nimport edgeopt as eo, sys\n"
        "i = eo.generate('batching', seed=1, nodes=1, requests=3, corner='zero-compute')\n"
        "assert eo.certify(i, eo.solve(i, 'gah'), against=()).ratio == 1\n"
        "import edgeopt.certify.audit\n"
        "assert eo.certify(i, 'gah', against=()).ratio == 1\n"
        "from edgeopt.certify import compare\n"
        "assert eo.certify is sys.modules['edgeopt.certify'] and eo.certify.compare is compare\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_summary_of_an_open_gap(instance: BatchingInstance) -> None:
    solved = eo.solve(instance, "gah")
    found = Comparison(
        result=replace(solved, termination=Termination.COMPLETE),
        value=41,
        value_evidence=ValueEvidence.CHECKED,
        bound=43,
        bound_evidence=BoundEvidence.PROVED,
        bound_source="proof",
        ratio=Fraction(41, 43),
        reference=None,
        reference_solver=None,
        references=(),
        guarantee=Fraction(1, 2),
        guarantee_holds=True,
        violations=(),
    )
    assert str(found) == "gah 41 (checked) of at most 43 (proved): ratio >= 0.953; guarantee 1/2 holds"


def test_result_labels_are_not_believed(single: BatchingInstance) -> None:
    solved: Result = eo.solve(single, "gah")
    lie = replace(solved, bound=solved.value, bound_evidence=BoundEvidence.PROVED)
    instance = eo.generate("batching", seed=3, nodes=2, requests=30, regime="both")
    assert certify(single, lie, against=()).bound_evidence is BoundEvidence.PROVED  # by our own replay
    other = eo.solve(instance, "gah")
    loose = certify(instance, other, against=())
    forged = certify(instance, replace(other, bound=other.value, bound_evidence=BoundEvidence.PROVED), against=())
    if loose.ratio != 1:
        assert forged.bound_evidence is BoundEvidence.CLAIMED


def test_a_literal_reading_of_algorithm_2_promises_nothing(tmp_path: Path) -> None:
    instance = eo.generate("batching", nodes=1, requests=60, regime="all", seed=3)
    wrong = eo.solve(instance, "ot-paper", variant="literal-sum-d")
    eo.write(wrong, tmp_path / "wrong.json", instance=instance)
    comparison = eo.certify(instance, read_result(instance, tmp_path / "wrong.json"), against="ot")
    assert comparison.reference is not None
    assert wrong.value is not None
    assert comparison.reference > wrong.value
    assert comparison.guarantee is None
    assert comparison.violations == ()


def test_a_guarantee_of_zero_promises_nothing() -> None:
    """A result file may say so."""
    instance = eo.generate("batching", nodes=2, requests=20, regime="all", seed=3)
    result = replace(eo.solve(instance, "gah"), guarantee="0")
    assert eo.certify(instance, result, against=()).guarantee is None


def test_the_own_word_of_a_solver_does_not_show_its_guarantee() -> None:
    instance = eo.generate("batching", nodes=2, requests=40, regime="all", seed=3)
    poor = replace(
        eo.solve(instance, "gah"),
        solution=Schedule.of([[], []]),
        value=0,
        bound=0,
        bound_evidence=BoundEvidence.CLAIMED,
    )
    comparison = eo.certify(instance, poor, against=())
    assert comparison.guarantee_holds is None
    good = eo.solve(instance, "gah")
    assert eo.certify(instance, good, against="highs").guarantee_holds is True


def test_a_comparison_is_written_as_its_certificate(
    single: BatchingInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = certify(single, "gah")
    eo.write(found, tmp_path / "proof.json")
    stored = read_certificate(tmp_path / "proof.json")
    assert (stored.value, stored.bound, stored.content["claim"]["guarantee"]) == (found.value, found.bound, "1/2")
    assert matches(stored, single) == []
    monkeypatch.setattr(compare, "prove", lambda *_, **__: (None, []))
    with pytest.raises(InstanceError, match="no proved bound"):
        eo.write(certify(single, "gah", against=()), tmp_path / "none.json")


def test_infeasible_is_a_claim_that_a_solution_refutes(instance: BatchingInstance, stub: Register) -> None:
    liar = stub("liar", Answer(None, termination=Termination.INFEASIBLE), exact=True)
    found = certify(instance, liar, against="gah")
    assert any(item.startswith("liar says that there is no solution, but a checked") for item in found.violations)


@pytest.mark.parametrize(
    "proof",
    [object(), Leaf(np.zeros(3), ()), ChoiceSplit(-1, Leaf(np.zeros(1), ()), Leaf(np.zeros(1), ()))],
    ids=["object", "leaf", "split"],
)
def test_a_proof_that_is_none_does_no_harm(instance: BatchingInstance, stub: Register, proof: object) -> None:
    liar = stub("liar", Answer(feasible(instance, 1), bound=1, proof=proof), exact=True)
    found = certify(instance, "gah", against=liar)
    assert found.bound_evidence is BoundEvidence.PROVED
    assert found.certificate is not None
    assert found.bound == certify(instance, "gah", against=()).bound
    if isinstance(proof, Leaf | ChoiceSplit):
        assert found.violations


def test_the_sense_is_the_instance_s(instance: BatchingInstance) -> None:
    turned = replace(eo.solve(instance, "gah"), sense="min")
    assert certify(instance, turned, against=()).bound == certify(instance, "gah", against=()).bound


def test_a_guarantee_that_options_decide_comes_from_the_answer(instance: BatchingInstance, stub: Register) -> None:
    modest = stub("modest", Answer(feasible(instance, 3), guarantee="1/100"), guarantee="1/2")
    found = certify(instance, modest, against="gah")
    assert (found.guarantee, found.guarantee_holds) == (Fraction(1, 100), True)


def test_a_tighter_claim_does_not_hide_what_is_proved() -> None:
    instance = eo.generate("batching", nodes=3, requests=60, regime="all", seed=1)
    result = eo.solve(instance, "gah")
    exact = eo.solve(instance, "close")
    assert exact.bound is not None
    claim = replace(exact, solver="highs", proof=None)
    found = certify(instance, result, against=claim)
    assert found.bound_evidence is BoundEvidence.CLAIMED
    assert found.certificate is not None
    assert found.certificate.bound > exact.bound
    assert f"proved: at most {found.certificate.bound}" in str(found)


def test_one_engine_by_two_names_does_not_agree_with_itself() -> None:
    instance = eo.generate("assignment", items=8, bins=2, seed=1)
    one = eo.solve(instance, "highs")
    two = replace(one, solver="pyomo", options={"factory": "appsi_highs"})
    other = replace(one, solver="pyomo", options={"factory": "cbc"})
    assert not agreed([(result, audit(instance, result)) for result in (one, two)])
    (found,) = agreed([(result, audit(instance, result)) for result in (one, other)])
    assert found.value == one.value


def test_another_model_on_the_same_engine_does_not_agree() -> None:
    instance = eo.generate("slide", seed=1)
    one = eo.solve(instance, "slide")
    results = [replace(one, solver=name) for name in ("highs", "joint-highs", "cpsat")]
    pairs = [(result, audit(instance, result)) for result in results]
    assert not agreed(pairs[:2])
    assert [found.source for found in agreed(pairs)] == ["highs and cpsat"]
