"""`certify`: a row an instance and solver, with the evidence; exit codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import edgeopt as eo
from edgeopt.certify import compare
from edgeopt.cli.rows import ratio_text
from edgeopt.instances.batching import Schedule
from edgeopt.result import Answer, Termination

FIELDS = {
    "instance", "file", "problem", "solver", "value", "value_evidence", "bound", "bound_source", "ratio", "evidence",
    "reference", "reference_solver", "guarantee", "guarantee_holds", "termination", "seconds", "violations",
    "certificate", "message",
}  # fmt: skip


def test_without_options_the_default_solver_is_certified(run: Any, single: Path) -> None:
    ran = run("certify", single, "--json")
    assert (ran.code, ran.err) == (0, "")
    (row,) = ran.rows
    assert set(row) == FIELDS
    assert (row["solver"], row["evidence"], row["ratio"], row["value_evidence"]) == ("gah", "proved", 1.0, "checked")
    assert (row["guarantee"], row["guarantee_holds"]) == ("1/2", True)


def test_a_table_for_people(run: Any, single: Path, several: Path) -> None:
    ran = run("certify", single, several, "--solver", "gah,gah+", "--against", "gah")
    assert ran.code == 0
    lines = [line.split() for line in ran.out.splitlines()[2:]]
    assert [line[:2] for line in lines] == [
        ["single", "gah"], ["single", "gah+"], ["several", "gah"], ["several", "gah+"]
    ]  # fmt: skip


def test_each_solver_runs_once_an_instance(run: Any, single: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = compare.solve

    def counted(instance: Any, name: str, **settings: Any) -> Any:
        asked.append(name)
        return real(instance, name, **settings)

    monkeypatch.setattr(compare, "solve", counted)
    ran = run("certify", single, "--solver", "gah,ot", "--against", "ot,gah+", "--json")
    assert sorted(asked) == ["gah", "gah+", "ot"]
    assert [row["reference_solver"] for row in ran.rows] == ["ot", "gah+"]


def test_independent_exact_solvers_agree(run: Any, several: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "prove", lambda *_, **__: (None, []))
    ran = run("certify", several, "--solver", "gah", "--against", "highs,cpsat", "--json")
    (row,) = ran.rows
    assert (ran.code, row["evidence"], row["bound"]) == (0, "agreed", row["reference"])
    one = run("certify", several, "--json").rows[0]
    assert (one["evidence"], one["bound_source"], one["bound"]) == ("claimed", "close", row["bound"])


def test_a_refusal_is_a_row_and_an_error(run: Any, several: Path) -> None:
    ran = run("certify", several, "--solver", "ot,gah", "--against", "gah+", "--json")
    assert ran.code == 2
    refused, certified = ran.rows
    assert set(refused) == FIELDS
    assert (refused["value"], refused["ratio"]) == (None, None)
    assert "one node" in refused["message"]
    assert certified["value"] > 0


def test_a_broken_guarantee_ends_with_one(run: Any, single: Path, stub: Any, tmp_path: Path) -> None:
    stub("lazy", Answer(Schedule.of([[]])), guarantee="1/2")
    ran = run("certify", single, tmp_path / "missing.json", "--solver", "lazy", "--against", "gah", "--json")
    assert ran.code == 1  # counts more than the missing file
    assert any("guarantee 1/2 of lazy is broken" in item for item in ran.rows[0]["violations"])
    shown = run("certify", single, "--solver", "lazy", "--against", "gah").out
    assert "violated: the guarantee" in " ".join(shown.split())


def test_bad_files_and_names(run: Any, single: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("[]")
    ran = run("certify", tmp_path / "bad.json", single, "--json")
    assert (ran.code, len(ran.rows)) == (2, 1)
    for words in (["--solver", "gha"], ["--against", "hghs"]):
        ran = run("certify", single, *words)
        assert (ran.code, ran.out) == (2, "")
        assert "there are: brute-force" in ran.err


def test_after_an_interrupt_the_rest_is_left(run: Any, single: Path, several: Path, stub: Any) -> None:
    stub("stopped", Answer(Schedule.of([[]]), termination=Termination.INTERRUPTED))
    ran = run("certify", single, several, "--solver", "stopped", "--json")
    assert (ran.code, len(ran.rows)) == (130, 1)
    assert ran.rows[0]["termination"] == "interrupted"


def test_ratios_in_tables_are_rounded_down() -> None:
    assert [ratio_text(ratio) for ratio in (None, 1.0, 0.99999, 0.5, 0.0)] == ["-", "1", "0.9999", "0.5000", "0.0000"]


def test_ratio_in_json_is_not_above_the_exact_one(run: Any, several: Path, stub: Any) -> None:
    from fractions import Fraction

    instance = eo.read(several)
    batches = [batch.tolist() for batch in eo.solve(instance, "gah").solution.batches]
    stub("three", Answer(Schedule.of([batches[0][:3], []])))
    row = run("certify", several, "--solver", "three", "--json").rows[0]
    assert Fraction(row["ratio"]) <= Fraction(row["value"], row["bound"])
    assert row["ratio"] == pytest.approx(row["value"] / row["bound"])


def test_a_solver_of_another_problem_passes_over_the_file(run: Any, single: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    eo.write(eo.generate("assignment", seed=1, items=6, bins=2), other)
    for verb in ("solve", "certify"):
        ran = run(verb, other, single, "--solver", "gah", "--json")
        assert (ran.code, [row["instance"] for row in ran.rows]) == (2, ["single"])
        assert f"{other}: no solver 'gah' for assignment" in ran.err
        ran = run(verb, other, single, "--solver", "gha", "--json")
        assert (ran.code, ran.out, ran.err.count("no solver 'gha'")) == (2, "", 1)
    ran = run("certify", single, other, "--against", "next-bin", "--solver", "highs", "--json")
    assert (ran.code, len(ran.rows)) == (2, 1)
