"""`edgeopt figures`: pictures with their tables, and clear refusals."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SMALL = ["--seeds", 2, "--set", "users=4", "--set", "layers=3"]


def test_one_figure(run: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "out"
    ran = run("figures", "slide", "--figure", "band", "--out", out, "--format", "png", *SMALL)
    assert ran.code == 0, ran.err
    assert sorted(path.name for path in out.iterdir()) == ["slide_band.csv", "slide_band.png"]
    with (out / "slide_band.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["seeds"] for row in rows} == {"2"}
    assert "dai (download then infer)" in {row["solver"] for row in rows}
    assert "slide over dai" in ran.out
    assert "published 40% to 60%" in ran.out


def test_all_figures(run: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    ran = run("figures", "slide", "--out", tmp_path, *SMALL)
    assert ran.code == 0, ran.err
    stems = {path.name for path in tmp_path.iterdir()}
    for name in ("timeline", "band", "deadline", "energy", "latency"):
        assert {f"slide_{name}.csv", f"slide_{name}.pdf", f"slide_{name}.png"} <= stems
    assert "published 32.5%" in ran.out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["figures", "slides"], "no problem 'slides'; there are: "),
        (["figures", "assignment"], "no figures of 'assignment'; there are figures of: "),
        (["figures", "slide", "--figure", "bnad"], "no figure 'bnad' of slide; there are: timeline, band, "),
        (["figures", "slide", "--format", "gif"], "no picture format 'gif'; there are: pdf, png"),
        (["figures", "slide", "--set", "users"], "users: must be KEY=VALUE"),
        (["figures", "slide", "--set", "users=-1"], "users = -1: must be from 0"),
        (["figures", "slide", "--set", "users=x"], "users = x: must be a whole number"),
        (
            ["figures", "slide", "--set", "bandwidth_hz=5e7"],
            "bandwidth_hz = 50000000.0: figure band has it on its axis",
        ),
        (["figures", "aircomp", "--figure", "devices", "--set", "devices=nan"], "devices = nan: figure devices has it"),
        (["figures", "decomposition", "--figure", "front", "--set", "seed=3"], "--seeds says how many"),
        (["figures", "offloading", "--figure", "load", "--set", "slots=nan"], "slots = nan: must be a whole number"),
        (["figures", "batching", "--figure", "9", "--set", "epoch=1"], "epoch = 1: figure 9 has it on its axis"),
        (["figures", "batching", "--figure", "8", "--set", "rate=10"], "rate = 10: figure 8 has it on its axis"),
        (["figures", "batching", "--figure", "8", "--set", "model=opt-13b"], "model = opt-13b: figure 8 has lines for"),
        (["figures", "batching", "--figure", "8", "--set", "epochs=x"], "epochs = x: must be a whole number"),
        (["figures", "batching", "--figure", "8", "--set", "deadline=3"], "deadline = 3: must be 2 numbers"),
        (["figures", "batching", "--figure", "8", "--set", "epoch_count=3"], "epoch_count = 3: no option of figure 8;"),
        (
            ["figures", "batching", "--figure", "table3", "--trace", "x.csv"],
            "trace = x.csv: no option of figure table3",
        ),
        (
            ["figures", "batching", "--figure", "table3", "--set", "rates=abc"],
            "rates = abc: must be numbers with commas",
        ),
        (["figures", "batching", "--figure", "table3", "--set", "rates=nan,5"], "rates = nan,5: must be numbers with"),
        (
            ["figures", "batching", "--figure", "table3", "--set", "rates=0"],
            "rates = 0 (1/s): must be one or more above",
        ),
        (["figures", "batching", "--figure", "table3", "--set", "cap=nan"], "cap = nan: must be a whole number"),
        (["figures", "batching", "--figure", "table3", "--set", "cap=0"], "cap = 0 (nodes): must be 1 or more"),
    ],
)
def test_refusals(run: Any, tmp_path: Path, words: list[str], text: str) -> None:
    ran = run(*words, "--out", tmp_path / "out")
    assert ran.code == 2
    assert text in ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_directory_may_not_be_a_file(run: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    ran = run("figures", "slide", "--out", tmp_path / "file", *SMALL)
    assert (ran.code, ran.err) == (2, f"error: {tmp_path / 'file'}: must be a directory\n")
    assert (tmp_path / "file").read_text() == "mine"


def test_the_directory_may_not_be_inside_a_file(run: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    ran = run("figures", "slide", "--out", tmp_path / "file" / "x", *SMALL)
    assert (ran.code, ran.err) == (2, f"error: {tmp_path / 'file'}: must be a directory\n")


@pytest.mark.parametrize(("rates", "found"), [("5", ["5"]), ("5,10", ["5", "10"]), ("[5, 10]", ["5", "10"])])
def test_rates_with_commas(run: Any, tmp_path: Path, rates: str, found: list[str]) -> None:
    pytest.importorskip("matplotlib")
    words = ["--figure", "table3", "--seeds", 1, "--set", f"rates={rates}", "--set", "cap=100", "--format", "png"]
    ran = run("figures", "batching", *words, "--out", tmp_path)
    assert ran.code == 0, ran.err
    with (tmp_path / "batching_table3.csv").open() as file:
        assert [row["rate_per_s"] for row in csv.DictReader(file)] == found


@pytest.mark.child
def test_help_and_refusals_load_no_matplotlib() -> None:
    code = (
        "import sys\nfrom edgeopt.cli import main\n"
        "sys.argv = ['edgeopt', 'figures', {words}]\n"
        "try: main()\nexcept SystemExit: pass\n"
        "sys.exit('matplotlib' in sys.modules)"
    )
    for words in ("'--help'", "'slide', '--figure', 'none'"):
        done = subprocess.run([sys.executable, "-c", code.format(words=words)], capture_output=True, check=False)
        assert done.returncode == 0
