"""The shipped offloading instances are what their script makes, and each has a proved bound."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

import edgeopt

LIBRARY = Path(__file__).parent.parent / "instances"


def _options() -> dict[str, dict[str, Any]]:
    spec = importlib.util.spec_from_file_location("make_offloading", LIBRARY / "make_offloading.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.library())


OPTIONS = _options()


def test_the_files_are_the_ones_of_the_script() -> None:
    assert {path.name.partition(".json")[0] for path in (LIBRARY / "offloading").iterdir()} == set(OPTIONS)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_shipped_instance_is_made_again_and_bounded(name: str) -> None:
    (path,) = (LIBRARY / "offloading").glob(f"{name}.json*")
    instance = edgeopt.read(path)
    assert instance.digest == edgeopt.generate("offloading", name=name, **OPTIONS[name]).digest
    proved = edgeopt.certify(instance, edgeopt.solve(instance, "earliest"), against=())
    assert (str(proved.value_evidence), proved.evidence, proved.violations) == ("checked", "proved", ())
    assert proved.ratio is not None
    assert proved.ratio > 0.7
