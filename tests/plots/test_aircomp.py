"""The figures of the AirComp problem are made, and say what they should."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from edgeopt.plots import base
from edgeopt.plots.aircomp import error

# the package has the figures under the names of these modules
convergence = import_module("edgeopt.plots.aircomp.convergence")
latency = import_module("edgeopt.plots.aircomp.latency")

SMALL: dict[str, Any] = {"server_antennas": 4, "antennas": 2}


def made(name: str, monkeypatch: pytest.MonkeyPatch, **options: Any) -> base.Figure:
    monkeypatch.setattr(error, "DEVICES", (1, 2))
    monkeypatch.setattr(error, "ANTENNAS", (2, 4))
    monkeypatch.setattr(error, "SNRS_DB", (0.0, 20.0))
    monkeypatch.setattr(convergence, "STEPS", (0, 5, 10))
    monkeypatch.setattr(convergence, "DRAWS", 2)
    small = {"antennas": 2} if name == "antennas" else SMALL
    return base.figures_of("aircomp")[name](base.Setting(1, {**small, **options}))


@pytest.mark.parametrize("name", ["devices", "antennas", "power"])
def test_no_line_is_below_its_bound(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    options = {} if name == "devices" else {"devices": 2}
    figure = made(name, monkeypatch, **options)
    assert len(figure.rows) == 10
    values = {(row[0], row[1]): row[3] for row in figure.rows}
    for place in {row[0] for row in figure.rows}:
        assert values[place, error.PAPER] >= values[place, error.FORCED_BOUND]
        assert values[place, error.FORCED] >= values[place, error.FORCED_BOUND]
        assert values[place, error.FORCED] >= values[place, error.LINEAR] >= values[place, error.LINEAR_BOUND]
    paths = base.save(figure, tmp_path, prefix="aircomp", formats=["png"])
    assert all(path.stat().st_size for path in paths)


def test_latency_meets_the_numbers_it_is_fitted_to(tmp_path: Path) -> None:
    figure = latency.latency(base.Setting(1, SMALL))
    rows = {(row[0], row[1]): row for row in figure.rows}
    assert len(rows) == 7 * 4
    for count in (1, 2):
        row = rows["llama-2-7b", count]
        assert row[2] == pytest.approx(row[3])
    assert rows["llama-2-13b", 4][2] == pytest.approx(81.3, rel=0.15)
    for row in figure.rows:
        assert row[1] == 1 or row[2] < min(row[4], row[5])
    assert base.save(figure, tmp_path, prefix="aircomp", formats=["png"])
    assert "fitted" in figure.findings[0]


def test_convergence_ends_below_equal_shares(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    figure = made("convergence", monkeypatch, devices=2)
    assert len(figure.rows) == 6
    for first, last in ((0, 2), (3, 5)):
        assert figure.rows[first][0] == figure.rows[last][0]
        assert figure.rows[last][3] < figure.rows[first][3]
    assert all(row[3] >= 1 - 1e-5 and row[5] <= 1 + 1e-9 for row in figure.rows)
    assert base.save(figure, tmp_path, prefix="aircomp", formats=["png"])
