"""The shipped instances are what their scripts make, and what is said of each problem's holds."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import edgeopt
from edgeopt.certify.best_known import TABLE, Entry, read_table
from edgeopt.certify.certificate import matches, read_certificate
from edgeopt.certify.proved import solution_of
from edgeopt.certify.verify.certificate import verify
from edgeopt.instances.base import exact_solver
from edgeopt.result import ValueEvidence

LIBRARY = Path(__file__).parent.parent / "instances"
SCRIPTS = {
    "aircomp": "make_aircomp.py",
    "batching": "make.py",
    "decomposition": "make_decomposition.py",
    "offloading": "make_offloading.py",
    "slide": "make_slide.py",
}


def _options(script: str) -> dict[str, dict[str, Any]]:
    spec = importlib.util.spec_from_file_location(Path(script).stem, LIBRARY / script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.library())


OPTIONS = {problem: _options(script) for problem, script in SCRIPTS.items()}
BEST = read_table(LIBRARY / TABLE)


def aircomp(instance: Any, entry: Entry) -> None:
    """The certificate beside it is about it."""
    stored = read_certificate(LIBRARY / entry.certificate)
    assert matches(stored, instance) == []
    plan = solution_of(stored, instance)
    assert plan is not None
    if instance.draws == 1 and len(instance.devices) < 8:  # the slow second path, on the small ones
        assert not edgeopt.violations(instance, plan)
    assert entry.value is not None
    assert entry.bound is not None
    assert 0 < entry.bound <= entry.value <= 1.08 * entry.bound


def batching(instance: Any, entry: Entry) -> None:
    """It is solved and checked."""
    result = edgeopt.solve(instance, "gah")
    assert result.value_evidence is ValueEvidence.CHECKED
    assert result.value is not None
    assert result.value > 0
    if len(instance.requests) <= 200:
        assert not edgeopt.violations(instance, result.solution)


def decomposition(instance: Any, entry: Entry) -> None:
    """It is no better than its bound."""
    assert entry.digest == instance.digest
    result = edgeopt.solve(instance, "list")
    if result.value is not None:
        assert entry.bound is not None
        sign = -1 if instance.sense == "min" else 1
        assert sign * result.value <= sign * entry.bound


def offloading(instance: Any, entry: Entry) -> None:
    """It has a proved bound."""
    proved = edgeopt.certify(instance, edgeopt.solve(instance, "earliest"), against=())
    assert (str(proved.value_evidence), proved.evidence, proved.violations) == ("checked", "proved", ())
    assert proved.ratio is not None
    assert proved.ratio > 0.7


def slide(instance: Any, entry: Entry) -> None:
    """It is solved and proved."""
    result = edgeopt.solve(instance, exact_solver(instance))
    proved = edgeopt.certify(instance, result)
    assert (str(proved.value_evidence), proved.evidence, proved.violations) == ("checked", "proved", ())
    assert proved.ratio == 1
    assert 0 < len(result.solution) < len(instance.users)
    assert (entry.value, entry.bound) == (result.value, result.bound)
    # the certificate's verifier has checked all of it; the raw fields of thousands are slow
    assert len(instance.users) > 1000 or not edgeopt.violations(instance, result.solution)
    if instance.variant == "plain":
        assert edgeopt.solve(instance, "dai").value <= result.value


HOLDS: dict[str, Callable[[Any, Entry], None]] = {
    "aircomp": aircomp,
    "batching": batching,
    "decomposition": decomposition,
    "offloading": offloading,
    "slide": slide,
}


@pytest.mark.parametrize("problem", SCRIPTS)
def test_the_files_are_the_ones_of_the_script(problem: str) -> None:
    assert {path.name.partition(".json")[0] for path in (LIBRARY / problem).iterdir()} == set(OPTIONS[problem])
    assert sum(entry.problem == problem for name, entry in BEST.items() if name.startswith(f"{problem}/")) == len(
        OPTIONS[problem]
    )


@pytest.mark.parametrize(("problem", "name"), [(problem, name) for problem in OPTIONS for name in OPTIONS[problem]])
def test_a_shipped_instance_is_made_again(problem: str, name: str) -> None:
    (path,) = (LIBRARY / problem).glob(f"{name}.json*")
    instance = edgeopt.read(path)
    assert instance.digest == edgeopt.generate(problem, name=name, **OPTIONS[problem][name]).digest
    HOLDS[problem](instance, BEST[path.relative_to(LIBRARY).as_posix()])


def test_the_way_of_an_instance_through_the_house(tmp_path: Path) -> None:
    """Read, solve, certify, print, write: the snippet that shows what a person does with edgeopt."""
    instance = edgeopt.read(LIBRARY / "batching" / "bloom3b-3nodes-100.json")
    result = edgeopt.solve(instance, "gah")
    proof = edgeopt.certify(instance, result)
    assert str(proof) == "gah 41 (checked) of at most 43 (proved): ratio >= 0.953; guarantee 1/2 holds"
    edgeopt.write(proof, tmp_path / "proof.json")
    assert verify(str(tmp_path / "proof.json"))[-1].startswith("VERIFIED  value 41, the optimum is at most 43")
