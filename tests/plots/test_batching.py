"""The figures of batching: their numbers are those of the simulator and the searches, and their tables are shipped."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeopt.errors import InstanceError
from edgeopt.instances.base import generate
from edgeopt.plots.base import Setting, figures_of, table_bytes
from edgeopt.plots.batching import completion, pruning, quantized
from edgeopt.plots.batching.sweep import (
    COLUMNS_AFTER,
    EPOCHS,
    TRACE_PROMPT_TOKENS,
    WARMUP,
    findings,
    run,
    trace_rate,
)
from edgeopt.plots.statistics import Mean
from edgeopt.simulation import scenario, simulate
from edgeopt.solvers.batching import ot

SHIPPED = Path(__file__).parent.parent.parent / "docs" / "figures"
SHORT = {"epochs": 2, "warmup": 0}
SWEEPS = {
    "figure8": (completion.RATE, [*completion.LINES, *completion.COUNTED]),
    "figure9": (completion.EPOCH, completion.LINES),
    "figure10": (completion.EPOCH, [*completion.LINES, *completion.COUNTED]),
    "figure11": (completion.DEADLINE, [*completion.LINES, *completion.COUNTED]),
    "figure12": (completion.RATE, quantized.PRECISION_LINES),
    "figure13": (quantized.ACCURACY, [*quantized.METHOD_LINES, *quantized.REFERENCE_LINES]),
}


def test_the_figures_are_those_of_the_paper() -> None:
    assert list(figures_of("batching")) == ["8", "9", "10", "11", "12", "13", "table3"]


def test_a_point_is_what_the_simulator_says() -> None:
    sweep = replace(completion.RATE, values=(5.0,))
    points, rows = run(sweep, completion.LINES[:3], Setting(2, SHORT))
    for point, line, row in zip(points, completion.LINES, rows, strict=False):
        outcomes = [simulate(scenario(seed=seed, rate=5.0, **SHORT, **line.options), line.policy) for seed in (1, 2)]
        assert point.completion.mean == pytest.approx(np.mean([one.completion_rate for one in outcomes]))
        assert row[:3] == (5.0, line.label, line.policy)
        assert row[7] == 2  # seeds
        assert row[8] == np.mean([one.arrivals for one in outcomes])


def test_deadlines_schemes_and_settings_reach_the_scenario() -> None:
    sweep = replace(completion.DEADLINE, values=(3.0,))
    _, rows = run(sweep, completion.COUNTED[:1], Setting(1, SHORT | {"latency": "roofline"}))
    assert rows[0][5:7] == ("actual", "roofline")
    line = next(line for line in quantized.PRECISION_LINES if "W8A8" in line.label)
    _, rows = run(replace(completion.RATE, values=(5.0,)), [line], Setting(1, SHORT))
    assert rows[0][4] == "w8a8"


def test_real_traffic_takes_the_place_of_the_process(tmp_path: Path) -> None:
    lines = ["TIMESTAMP,ContextTokens,GeneratedTokens"]
    lines += [f"2023-11-16 18:{k // 60:02d}:{k % 60:02d}.5,{100 + 40 * (k % 50)},{10 + k % 90}" for k in range(600)]
    lines.append("2023-11-16 18:59:00.0,9000,3")
    path = tmp_path / "trace.csv"
    path.write_text("\n".join(lines))
    assert trace_rate(str(path)) == pytest.approx(601 / 3539.5)
    sweep = replace(completion.RATE, values=(20.0,))
    points, rows = run(sweep, completion.LINES[:1], Setting(1, {"trace": str(path), **SHORT}))
    assert 0 < points[0].completion.mean <= 1
    assert rows[0][8] == pytest.approx(480, rel=0.3)  # one a second, 118 times as fast, for 4 s
    live = scenario(trace=str(path), padded_prompt_tokens=TRACE_PROMPT_TOKENS, rate_scale=10.0, epochs=500, warmup=1)
    assert live.end_s == 352.0  # whole epochs of the trace only
    with pytest.raises(InstanceError, match="no epoch of 2 s is left after 3 of warm-up"):
        scenario(trace=str(path), rate_scale=1000.0, epochs=5, warmup=3)


@pytest.mark.parametrize("name", SWEEPS)
def test_the_shipped_tables(name: str) -> None:
    sweep, lines = SWEEPS[name]
    text = (SHIPPED / f"batching_{name}.csv").read_text().splitlines()
    assert len(text) == 1 + len(sweep.values) * len(lines)
    first = replace(sweep, values=sweep.values[:1])
    setting = Setting(3)
    made = completion.Figure(name, (), run(first, lines[:1], setting)[1], lambda axes: None)
    assert table_bytes(made).decode().splitlines()[1] in text
    assert (EPOCHS, WARMUP) == (30, 3)


def test_seeds_without_arrivals_do_not_count() -> None:
    sweep = replace(completion.RATE, values=(5.0,), options=lambda rate: {"rate": 0.3})
    setting = Setting(8, {"epochs": 1, "warmup": 0})
    lives = [scenario(seed=seed, rate=0.3, epochs=1, warmup=0) for seed in range(1, 9)]
    outcomes = [simulate(live, "gah") for live in lives]
    some = [one for one in outcomes if one.arrivals]
    assert 0 < len(some) < len(outcomes)
    points, rows = run(sweep, completion.LINES[:1], setting)
    assert points[0].completion.mean == pytest.approx(np.mean([one.completion_rate for one in some]))
    assert points[0].per_epoch.mean == pytest.approx(np.mean([one.completed_per_epoch for one in outcomes]))
    row = dict(zip((completion.RATE.column, *COLUMNS_AFTER), rows[0], strict=True))
    assert row["completion_rate"] + row["expired"] + row["late"] + row["refused"] == pytest.approx(1)


@pytest.mark.parametrize("name", ["9", "10", "11", "13"])
def test_points_without_arrivals_have_no_value_and_no_sentence(name: str) -> None:
    made = figures_of("batching")[name](Setting(1, {"rate": 0.0, "epochs": 1, "warmup": 0}))
    assert made.findings == ("no requests arrive at any point, so that nothing can be compared",)
    assert b"nan" not in table_bytes(made)


def test_a_value_without_arrivals_is_left_out_of_the_sentences() -> None:
    points, _ = run(replace(completion.EPOCH, values=(1.0, 2.0, 3.0)), completion.LINES, Setting(1, SHORT))
    nothing = [
        point._replace(completion=Mean(math.nan, None, None), per_epoch=Mean(0.0, None, None))
        if point.value == 1.0
        else point
        for point in points
    ]
    assert findings(nothing, completion._counts) == findings(points[len(completion.LINES) :], completion._counts)
    assert "of 1 steps" in findings(nothing, completion._counts)[0]
    assert "in an epoch of 2 s" in findings(nothing, completion._counts)[0]
    assert findings(nothing, completion._beats) == findings(points[len(completion.LINES) :], completion._beats)


def test_intervals_end_at_what_can_be() -> None:
    sweep = replace(completion.RATE, values=(5.0,))
    points, rows = run(sweep, completion.LINES, Setting(2, SHORT))
    for point in points:
        assert 0 <= point.completion.low <= point.completion.mean <= point.completion.high <= 1
        assert 0 <= point.per_epoch.low <= point.per_epoch.mean
    assert any(point.per_epoch.low == 0 < point.per_epoch.mean for point in points)
    assert len(rows) == len(points)


def test_pictures_are_drawn() -> None:
    matplotlib = pytest.importorskip("matplotlib.figure")
    sweep = replace(completion.RATE, values=(5.0, 50.0))
    for draw_name, lines in (("figure8", completion.LINES), ("figure12", quantized.PRECISION_LINES)):
        points, _ = run(sweep, lines, Setting(1, {"epochs": 1, "warmup": 0}))
        axes = matplotlib.Figure().add_subplot()
        completion.draw(axes, sweep, points, lambda point: point.completion, draw_name)
        assert [line.get_label() for line in axes.lines] == [line.label for line in lines]
        for line, drawn in zip(lines, axes.lines, strict=True):
            assert drawn.get_ydata().tolist() == completion.curve(points, line.label)


def test_findings_say_what_does_not_hold() -> None:
    points, _ = run(replace(completion.RATE, values=(5.0,)), completion.LINES, Setting(1, SHORT))
    rising = [*points, *(point._replace(value=9.0, completion=point.completion._replace(mean=1.0)) for point in points)]
    assert all("does not hold at every step" in text for text in completion._falls(rising, "rate"))
    worse = [
        point._replace(completion=point.completion._replace(mean=0.5 if "OT-GAH" in point.line.label else 0.9))
        for point in points
    ]
    assert all("not at 5" in text for text in completion._beats(worse))


def test_table3_counts_and_caps() -> None:
    made = pruning.table3(Setting(2, {"rates": [5, 10], "cap": 3000}))
    rows: list[dict[str, Any]] = [dict(zip(made.columns, row, strict=True)) for row in made.rows]
    assert [(row["rate_per_s"], row["seed"]) for row in rows] == [(5, 0), (5, 1), (10, 0), (10, 1)]
    for row in rows:
        node = generate("batching", nodes=1, rate=row["rate_per_s"], seed=row["seed"]).compiled.nodes[0]
        assert row["served"] == len(ot.solve_node(node).batch)
        assert row["pruned_nodes"] <= row["published_nodes"] <= row["unpruned_nodes"]
    assert {row["unpruned_over_cap"] for row in rows if row["rate_per_s"] == 10} == {1}
    assert any("over the cap of 3,000 nodes" in text for text in made.findings)


def test_options_of_one_figure_do_not_disturb_another() -> None:
    assert pruning.table3(Setting(1, {"rates": [5], "epochs": 2})).rows
    sweep = replace(completion.RATE, values=(5.0,))
    assert run(sweep, completion.LINES[:1], Setting(1, SHORT | {"cap": 10}))[1]
    with pytest.raises(InstanceError, match=r"unexpected keyword argument 'epoch_count'; 'edgeopt simulate --help'"):
        run(sweep, completion.LINES[:1], Setting(1, {"epoch_count": 10}))


def test_the_shipped_table3_has_exact_counts() -> None:
    with (SHIPPED / "batching_table3.csv").open() as file:
        shipped = {(float(row["rate_per_s"]), int(row["seed"])): row for row in csv.DictReader(file)}
    assert len(shipped) == 3 * len(pruning.RATES)
    made = dict(zip(pruning.COLUMNS, pruning.row(20.0, 1, pruning.CAP), strict=True))
    for name in ("requests", "served", "unpruned_nodes", "published_nodes", "pruned_nodes"):
        assert int(shipped[20.0, 1][name]) == made[name]
