"""The shipped slide instances are what their script makes, and each of them is solved and proved."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

import edgeopt

LIBRARY = Path(__file__).parent.parent / "instances"


def _options() -> dict[str, dict[str, Any]]:
    spec = importlib.util.spec_from_file_location("make_slide", LIBRARY / "make_slide.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.library())


OPTIONS = _options()


def test_the_files_are_the_ones_of_the_script() -> None:
    assert {path.name.partition(".json")[0] for path in (LIBRARY / "slide").iterdir()} == set(OPTIONS)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_shipped_instance_is_made_again_solved_and_proved(name: str) -> None:
    (path,) = (LIBRARY / "slide").glob(f"{name}.json*")
    instance = edgeopt.read(path)
    assert instance.digest == edgeopt.generate("slide", name=name, **OPTIONS[name]).digest
    result = edgeopt.solve(instance, "slide")
    proved = edgeopt.certify(instance, result)
    assert (str(proved.value_evidence), proved.evidence, proved.violations) == ("checked", "proved", ())
    assert proved.ratio == 1
    assert 0 < result.value < len(instance.users)
    # the certificate's verifier has checked all of it; the raw fields of thousands are slow
    assert len(instance.users) > 1000 or not edgeopt.violations(instance, result.solution)
    assert edgeopt.solve(instance, "dai").value <= result.value
