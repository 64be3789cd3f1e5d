"""The shipped AirComp instances are what their script makes, and the certificates beside them are about them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

import edgeopt as eo
from edgeopt.certify.best_known import read_table
from edgeopt.certify.certificate import matches, read_certificate
from edgeopt.certify.proved import solution_of

LIBRARY = Path(__file__).parent.parent / "instances"


def _options() -> dict[str, dict[str, Any]]:
    spec = importlib.util.spec_from_file_location("make_aircomp", LIBRARY / "make_aircomp.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.library())


OPTIONS = _options()
TABLE = {key: entry for key, entry in read_table(LIBRARY / "best_known.csv").items() if entry.problem == "aircomp"}


def test_the_files_are_the_ones_of_the_script() -> None:
    assert {path.name.partition(".json")[0] for path in (LIBRARY / "aircomp").iterdir()} == set(OPTIONS)
    assert len(TABLE) == len(OPTIONS)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_shipped_instance_is_made_again_and_its_certificate_holds(name: str) -> None:
    (path,) = (LIBRARY / "aircomp").glob(f"{name}.json*")
    instance = eo.read(path)
    assert instance.digest == eo.generate("aircomp", name=name, **OPTIONS[name]).digest
    entry = TABLE[path.relative_to(LIBRARY).as_posix()]
    stored = read_certificate(LIBRARY / entry.certificate)
    assert matches(stored, instance) == []
    plan = solution_of(stored, instance)
    assert plan is not None
    if instance.draws == 1 and len(instance.devices) < 8:  # the slow second path, on the small ones
        assert not eo.violations(instance, plan)
    assert entry.value is not None
    assert entry.bound is not None
    assert 0 < entry.bound <= entry.value
    if instance.streams == instance.shape[2]:
        assert entry.value <= 1.08 * entry.bound
