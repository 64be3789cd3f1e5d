"""The numbers behind the figures of slide, recomputed in another way."""

from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeopt as eo
from edgeopt.errors import InstanceError
from edgeopt.instances.slide.pair import TICKS_PER_S
from edgeopt.instances.slide.timeline import finish_times
from edgeopt.instances.slide.timeline import timeline as timeline_of
from edgeopt.plots.base import Setting, table_bytes
from edgeopt.plots.slide import FIGURES
from edgeopt.plots.slide.latency import saved
from edgeopt.plots.slide.served import BAND, DEADLINE, ENERGY, LINES, Sweep, sweep
from edgeopt.plots.slide.timeline import of_user, sequential_latency, timeline

SHIPPED = Path(__file__).parent.parent.parent / "docs" / "figures"
SMALL = {"users": 6, "model": ["resnet18", "vit_b_32"], "bandwidth_hz": 3e7}


def test_a_point_of_a_sweep_is_what_the_solvers_serve() -> None:
    what = Sweep("band", "bandwidth_mhz", "band (MHz)", (5, 30), 30, BAND.options)
    found = sweep(what, Setting(3, SMALL))
    rows = {(row[0], row[1]): row for row in found.rows}
    assert len(rows) == 2 * len(LINES) == len(found.rows)
    instances = [eo.generate("slide", seed=seed, **SMALL) for seed in (1, 2, 3)]
    for line in LINES:
        served = [eo.solve(one, line.solver, seed=seed, **line.options).value for seed, one in enumerate(instances, 1)]
        row = rows[30, line.label]
        assert row[2] == 3
        assert row[3] == pytest.approx(sum(served) / 3)
        ours = rows[30, "slide"][3]
        assert row[3] <= ours
        assert row[6] == (pytest.approx(ours / row[3] - 1) if row[3] else None)


@pytest.mark.parametrize("what", [BAND, DEADLINE, ENERGY], ids=lambda what: what.name)
def test_the_default_of_a_sweep_is_the_one_of_the_generator(what: Sweep) -> None:
    assert what.default in what.values
    drawn = eo.generate("slide", seed=5, **what.options(what.default))
    assert drawn.digest == eo.generate("slide", seed=5).digest


def test_the_timeline_is_the_one_of_the_solution() -> None:
    found = timeline(Setting())
    instance = eo.generate("slide", seed=1)
    solution = eo.solve(instance, "slide").solution
    own = timeline_of(instance, solution, found.findings[0].partition(" ")[0])
    assert [row[1:5] for row in found.rows] == [
        (float(a), float(b), float(c), float(d)) for (a, b), (c, d) in zip(own.download, own.compute, strict=True)
    ]
    assert own.latency <= own.deadline
    place = solution.user.tolist().index(instance.users.id.index(own.user))
    assert [row[5] for row in found.rows] == list(map(float, solution.exact_speeds(instance, place) or []))


def test_a_timeline_of_nobody_is_refused() -> None:
    with pytest.raises(InstanceError, match="nobody of plain-no-users-20-seed1 can be served"):
        timeline(Setting(options={"corner": "no-users"}))


def test_the_picture_of_a_timeline_shows_every_layer() -> None:
    figure = pytest.importorskip("matplotlib.figure")
    instance = eo.generate("slide", seed=2, users=3, layers=4)
    own = timeline_of(instance, eo.solve(instance, "slide").solution, "u0")
    made = of_user(own, [Fraction(1)] * 4)
    axes = figure.Figure().add_subplot()
    made.draw(axes)
    bars = sorted((bar.get_y() > 0.5, bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches)
    lanes = ((False, own.compute), (True, own.download))
    expected = [(lane, *map(float, ends)) for lane, intervals in lanes for ends in intervals]
    assert bars == [pytest.approx(bar) for bar in expected]
    marks = {line.get_xdata()[0] for line in axes.lines}
    assert marks == {float(own.deadline), sequential_latency(own)}


@given(seed=st.integers(0, 2**32), users=st.integers(1, 5), layers=st.integers(1, 6))
def test_saved_latency_by_the_recursion(seed: int, users: int, layers: int) -> None:
    instance = eo.generate("slide", seed=seed, users=users, layers=layers)
    found = saved(instance)
    for user in range(users):
        pair = instance.compiled.pair(user, user)
        arrival, times = pair.download_ticks(Fraction(1, users)), pair.compute_ticks()
        together = arrival[-1] + sum(times)
        (own,) = found[f"m{user}"]
        assert own.part == pytest.approx(float(1 - finish_times(arrival, times)[-1] / together), abs=1e-9)
        assert own.most == pytest.approx(float(min(arrival[-1], sum(times)) / together))
        assert -1e-12 <= own.part <= own.most + 1e-12
        assert own.most <= 0.5
    assert instance.compiled.deadline[0] < 4 * TICKS_PER_S


@pytest.mark.parametrize("name", FIGURES)
def test_the_shipped_tables_have_the_columns_and_points_of_the_figures(name: str) -> None:
    with (SHIPPED / f"slide_{name}.csv").open() as file:
        rows = list(csv.DictReader(file))
    if name == "timeline":
        assert (SHIPPED / "slide_timeline.csv").read_bytes() == table_bytes(timeline(Setting()))
        return
    assert {row["seeds"] for row in rows} == {"20"}
    sweeps = {one.name: one for one in (BAND, DEADLINE, ENERGY)}
    if name in sweeps:
        what = sweeps[name]
        only = Sweep(name, what.column, what.label, (what.default,), what.default, what.options)
        made = table_bytes(sweep(only, Setting())).decode().splitlines()
        shipped = (SHIPPED / f"slide_{name}.csv").read_text().splitlines()
        assert set(made) <= set(shipped)
        assert len(shipped) == 1 + len(what.values) * len(LINES)
