"""`edgeopt simulate`, `edgeopt study` and `edgeopt report` on the command line."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from edgeopt.simulation import scenario, simulate

SHORT = ["--epochs", 3, "--warmup", 1, "--rate", 8]


def test_a_row_a_run(run: Any) -> None:
    ran = run("simulate", "--policy", "gah,static", "--seeds", 2, "--json", *SHORT)
    assert ran.code == 0, ran.err
    assert [(row["policy"], row["seed"]) for row in ran.rows] == [
        ("gah", 1), ("static", 1), ("gah", 2), ("static", 2)
    ]  # fmt: skip
    own = simulate(scenario(seed=2, epochs=3, warmup=1, rate=8.0), "gah").summary()
    assert ran.rows[2]["completed"] == own["completed"]
    assert ran.rows[2]["completion_rate"] == own["completion_rate"]


def test_a_table_and_a_file(run: Any, tmp_path: Path) -> None:
    ran = run("simulate", "--seeds", 1, "--csv", tmp_path / "runs.csv", "--waiting", "actual", *SHORT)
    assert ran.code == 0, ran.err
    assert "no-batching" in ran.out
    assert "95 % interval" in ran.out
    with (tmp_path / "runs.csv").open() as file:
        assert [row["policy"] for row in csv.DictReader(file)] == ["gah", "static", "no-batching"]


def test_options_reach_the_solver_and_the_scenario(run: Any) -> None:
    words = ["simulate", "--seeds", 1, "--json", *SHORT, "--deadline-min", 1, "--deadline-max", 1]
    ran = run(*words, "--policy", "gah", "--option", "order=best")
    assert ran.code == 0, ran.err
    ran = run(*words, "--policy", "gah", "--option", "order=odd")
    assert ran.code == 2
    assert "order = 'odd'" in ran.err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--policy", "gahh"], "no policy 'gahh'"),
        (["--epochs", "0"], "epochs = 0: must be 1 or more"),
        (["--trace", "none.csv"], "none.csv"),
    ],
)
def test_refusals(run: Any, words: list[str], text: str) -> None:
    ran = run("simulate", *words)
    assert ran.code == 2
    assert text in ran.err


def test_ctrl_c_keeps_the_runs_that_are_done(run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from dataclasses import replace

    from edgeopt.result import Termination
    from edgeopt.simulation import policies

    solved = []

    def solve(*words: Any, **options: Any) -> Any:
        solved.append(1)
        result = real(*words, **options)
        return result if len(solved) < 5 else replace(result, termination=Termination.INTERRUPTED)

    real = policies.solve
    monkeypatch.setattr(policies, "solve", solve)
    ran = run("simulate", "--policy", "gah", "--seeds", 9, "--csv", tmp_path / "runs.csv", *SHORT[:4], "--rate", 2)
    assert ran.code == 130
    assert "interrupted" in ran.err
    assert len((tmp_path / "runs.csv").read_text().splitlines()) == 2
    assert "gah" in ran.out


def test_help_lists_the_scenario(run: Any) -> None:
    ran = run("simulate", "--help")
    assert ran.code == 0
    assert "--rate-scale" in ran.out
    assert "--adapt-every" in ran.out


def test_studies_on_the_command_line(run: Any, tmp_path: Path) -> None:
    ran = run("study", "show", tmp_path / "none.sqlite")
    assert ran.code == 2
    assert "there is no such store" in ran.err
    (tmp_path / "bad.toml").write_text("name = 1")
    ran = run("study", "run", tmp_path / "bad.toml")
    assert ran.code == 2
    assert ran.err.startswith(f"error: {tmp_path / 'bad.toml'}: ")


@pytest.mark.parametrize("name", ["s.sqlite", "s.html"])
def test_a_report_does_not_replace_its_store(run: Any, tmp_path: Path, name: str) -> None:
    from edgeopt.studies.store import Store

    pytest.importorskip("matplotlib")
    store = tmp_path / name
    Store(store, create=True).close()
    before = store.read_bytes()
    ran = run("report", store, *(["-o", store] if name == "s.sqlite" else []))
    assert ran.code == 2
    assert ran.err == f"error: {store}: is the store itself; give another file with --output\n"
    assert store.read_bytes() == before


@pytest.mark.parametrize("limit", ["nan", "-1", "0"])
def test_a_limit_of_certificates_must_be_positive(run: Any, tmp_path: Path, limit: str) -> None:
    ran = run("report", tmp_path / "s.sqlite", "--time-limit", limit)
    assert ran.code == 2
    assert ran.err == f"error: --time-limit {limit} (s): must be > 0\n"


@pytest.mark.child
def test_a_study_with_failed_runs_says_so_in_its_exit_code(run: Any, tmp_path: Path) -> None:
    study = tmp_path / "s.toml"
    study.write_text(
        "name = 's'\n[[instances]]\ngenerate = 'batching'\nset = {nodes = 2}\nvary = {requests = [4, -4]}\n"
        "[[solvers]]\nname = 'gah'\n[[solvers]]\nname = 'ot'\n"  # which refuses two nodes; that is an answer
    )
    for kept in ("", " (4 kept)"):
        ran = run("study", "run", study)
        assert ran.code == 1
        assert f"4 of 4 runs{kept}, 2 without an answer" in ran.out
    study.write_text(study.read_text().replace(", -4", ""))
    assert run("study", "run", study).code == 0


@pytest.mark.child
def test_run_show_export_report(run: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    study = tmp_path / "s.toml"
    study.write_text(
        "name = 'tiny'\n[[instances]]\ngenerate = 'batching'\nset = {nodes = 1, requests = 6}\n"
        "[[solvers]]\nname = 'gah'\n[[solvers]]\nname = 'ot'\n"
    )
    ran = run("study", "run", study)
    assert ran.code == 0, ran.err
    store = tmp_path / "s.sqlite"
    assert ran.out.startswith(f"{store}: 2 of 2 runs")
    for words, text in (
        (["study", "show", store], "mean of best"),
        (["study", "show", store, "--all"], "paper-1nodes-6-seed1"),
        (["study", "export", store, "-o", tmp_path / "t.csv"], "2 runs"),
        (["report", store, "--worst", 1], "s.html"),
    ):
        ran = run(*words)
        assert ran.code == 0, ran.err
        assert text in ran.out
    assert "data:application/gzip" in (tmp_path / "s.html").read_text()
