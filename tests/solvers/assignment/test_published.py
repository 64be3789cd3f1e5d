"""Published generalised assignment files: both exact back ends meet the published optima."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import edgeopt

FOLDER = Path(__file__).parents[4] / "shared" / "data" / "gap"
PUBLISHED = list(csv.DictReader((FOLDER / "optima.csv").open())) if (FOLDER / "optima.csv").exists() else []

pytestmark = pytest.mark.skipif(not PUBLISHED, reason="the published files are not here")


def test_all_files_are_there() -> None:
    assert len(PUBLISHED) == 36


@pytest.mark.parametrize("solver", ["highs", "cpsat"])
@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: row["file"])
def test_the_published_minimum_is_met(row: dict[str, str], solver: str) -> None:
    instance = edgeopt.read(FOLDER / row["file"], sense="min")
    assert (instance.groups, instance.bins) == (int(row["items"]), int(row["agents"]))
    result = edgeopt.solve(instance, solver)
    assert result.closed
    assert result.value == int(row["optimum_min"])
    assert not edgeopt.violations(instance, result.solution)


@pytest.mark.parametrize("row", [row for row in PUBLISHED if row["optimum_max_computed"]][::3], ids=lambda r: r["file"])
def test_the_computed_maximum_is_met(row: dict[str, str]) -> None:
    instance = edgeopt.read(FOLDER / row["file"], sense="max", format="orlib-gap")
    result = edgeopt.solve(instance, "cpsat")
    assert result.closed
    assert result.value == int(row["optimum_max_computed"])
