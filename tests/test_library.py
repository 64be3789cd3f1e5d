"""The shipped instances are what their script makes, and each of them is solved and checked."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

import edgeopt
from edgeopt.certify.verify.certificate import verify
from edgeopt.result import ValueEvidence

LIBRARY = Path(__file__).parent.parent / "instances"


def _options() -> dict[str, dict[str, Any]]:
    spec = importlib.util.spec_from_file_location("make", LIBRARY / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.library())


OPTIONS = _options()


def test_the_files_are_the_ones_of_the_script() -> None:
    assert {path.name.partition(".json")[0] for path in (LIBRARY / "batching").iterdir()} == set(OPTIONS)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_shipped_instance_is_made_again_and_solved(name: str) -> None:
    (path,) = (LIBRARY / "batching").glob(f"{name}.json*")
    instance = edgeopt.read(path)
    assert instance.digest == edgeopt.generate("batching", name=name, **OPTIONS[name]).digest
    result = edgeopt.solve(instance, "gah")
    assert result.value_evidence is ValueEvidence.CHECKED
    assert result.value is not None
    assert result.value > 0
    if len(instance.requests) <= 200:
        assert not edgeopt.violations(instance, result.solution)


def test_the_way_of_an_instance_through_the_house(tmp_path: Path) -> None:
    """Read, solve, certify, print, write: the snippet that shows what a person does with edgeopt."""
    instance = edgeopt.read(LIBRARY / "batching" / "bloom3b-3nodes-100.json")
    result = edgeopt.solve(instance, "gah")
    proof = edgeopt.certify(instance, result)
    assert str(proof) == "gah 41 (checked) of at most 43 (proved): ratio >= 0.953; guarantee 1/2 holds"
    edgeopt.write(proof, tmp_path / "proof.json")
    assert verify(str(tmp_path / "proof.json"))[-1].startswith("VERIFIED  value 41, the optimum is at most 43")
