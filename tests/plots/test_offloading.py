"""Figures of the offloading problem."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from edgeopt.instances.offloading.generate import generate
from edgeopt.plots.base import Setting
from edgeopt.plots.offloading import FIGURES
from edgeopt.plots.offloading.policies import COLUMNS, LOAD, SERVERS, Line, Sweep, sweep
from edgeopt.solvers.offloading.closed_loop import simulate
from edgeopt.solvers.offloading.episodes import Episodes
from edgeopt.solvers.offloading.policies import policy

SHIPPED = Path(__file__).parent.parent.parent / "docs" / "figures"


def test_a_point_of_a_sweep_is_what_the_policies_do() -> None:
    lines = (Line("greedy", "greedy"), Line("earliest", "earliest"))
    what = Sweep("load", "load", "load", (0.3, 0.9), lambda load: {"load": load}, lines)
    found = sweep(what, Setting(3, {"slots": 15, "devices": 3, "servers": 2}))
    rows = {(row[0], row[1]): row for row in found.rows}
    assert len(rows) == 4
    instances = [generate(seed=s, slots=15, devices=3, servers=2, load=0.9) for s in (1, 2, 3)]
    episodes = Episodes.of(instances)
    mean = {name: simulate(episodes, policy(name)).total / episodes.tasks / 100 for name in ("greedy", "earliest")}
    row = rows[0.9, "earliest"]
    assert row[3] == pytest.approx(mean["earliest"].mean())
    assert row[11] == pytest.approx((mean["earliest"] - mean["greedy"]).mean())
    assert row[10] >= 1
    figure = pytest.importorskip("matplotlib.figure")
    axes = figure.Figure().add_subplot()
    found.draw(axes)
    assert len(axes.lines) == 3


def test_a_dqn_is_shown_where_it_can_be_run() -> None:
    from edgeopt.plots.offloading.policies import _policies

    assert "DQN" in _policies(SERVERS, 6)
    assert "DQN" not in _policies(SERVERS, 5)


@pytest.mark.parametrize("name", FIGURES)
def test_the_shipped_tables_have_the_columns_and_points_of_the_figures(name: str) -> None:
    with (SHIPPED / f"offloading_{name}.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0])[1:] == COLUMNS
    assert all(float(row["over_bound"]) >= 1 for row in rows)
    if name == "load":
        assert len(rows) == len(LOAD.values) * len(LOAD.lines)


def test_no_line_is_left_out() -> None:
    figure = pytest.importorskip("matplotlib.figure")
    from edgeopt.plots.lines import draw_lines
    from edgeopt.plots.statistics import mean_of

    axes = figure.Figure().add_subplot()
    draw_lines(axes, [1, 2], {f"line {n}": [mean_of([n, n + 1.0])] * 2 for n in range(11)}, xlabel="x", ylabel="y")
    assert len(axes.lines) == 11
