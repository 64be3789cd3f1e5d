"""Figures of the decomposition problem: the numbers in their tables, and that they draw."""

from __future__ import annotations

import pytest

from edgeopt.plots.base import Setting, figures_of, save

SMALL = {"tasks": 3, "aps": 2, "devices": 2, "steps": (2, 2), "tick_s": 0.01}


def test_without_tasks_nothing_is_said() -> None:
    assert figures_of("decomposition")["tradeoff"](Setting(2, {**SMALL, "tasks": 0})).findings == ()


@pytest.mark.parametrize("name", ["schedule", "tradeoff", "front"])
def test_figures(name: str, tmp_path: object) -> None:
    pytest.importorskip("matplotlib")
    figure = figures_of("decomposition")[name](Setting(2, SMALL))
    save(figure, tmp_path, prefix="d", formats=["png"])  # type: ignore[arg-type]
    assert (tmp_path / f"d_{name}.png").stat().st_size > 1000  # type: ignore[operator]
    assert figure.findings
    rows = [dict(zip(figure.columns, row, strict=True)) for row in figure.rows]
    if name == "schedule":
        assert {row["task"] for row in rows} == {"t0", "t1", "t2"}
        assert all(row["start_s"] <= row["end_s"] for row in rows)
    if name == "tradeoff":
        by_name = {row["solver"]: row for row in rows}
        ours, nearest = by_name["local-search"], by_name["nearest-edge"]
        assert ours["reward"] >= nearest["reward"]
        assert 0 <= ours["gap"] <= nearest["gap"]
        assert all(row["latency_low"] <= row["latency_s"] <= row["latency_high"] for row in rows)
    if name == "front":
        line = [(row["latency_s"], row["correctness"]) for row in rows if row["series"] == "front"]
        assert line == sorted(line)
