"""The shipped decomposition instances are what their script makes, and their entries hold."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

import edgeopt
from edgeopt.certify.best_known import TABLE, read_table

LIBRARY = Path(__file__).parent.parent / "instances"


def _options() -> dict[str, dict[str, Any]]:
    spec = importlib.util.spec_from_file_location("make_decomposition", LIBRARY / "make_decomposition.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.library())


OPTIONS = _options()


def test_the_files_are_the_ones_of_the_script() -> None:
    assert {path.name.partition(".json")[0] for path in (LIBRARY / "decomposition").iterdir()} == set(OPTIONS)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_shipped_instance_is_made_again_and_no_better_than_its_bound(name: str) -> None:
    (path,) = (LIBRARY / "decomposition").glob(f"{name}.json*")
    instance = edgeopt.read(path)
    assert instance.digest == edgeopt.generate("decomposition", name=name, **OPTIONS[name]).digest
    entry = read_table(LIBRARY / TABLE)[path.relative_to(LIBRARY).as_posix()]
    assert entry.digest == instance.digest
    result = edgeopt.solve(instance, "list")
    if result.value is not None:
        assert entry.bound is not None
        sign = -1 if instance.sense == "min" else 1
        assert sign * result.value <= sign * entry.bound
