"""Files in the formats of others on the command line, and models for the solvers of others."""

from __future__ import annotations

import gzip
import inspect
from pathlib import Path
from typing import Any

import pytest

from edgeopt.cli.files import FORMAT_OPTIONS
from edgeopt.instances.io import text_formats

GAP = "2 3\n 4 1 7\n 5 2 1\n 3 3 3\n 2 2 2\n 6 4\n"


@pytest.fixture
def gap(tmp_path: Path) -> Path:
    """Three items, two agents: least cost 6, largest 14 with each item assigned."""
    path = tmp_path / "tiny"
    path.write_text(GAP)
    return path


def test_every_option_of_a_format_is_one_of_the_command_line() -> None:
    taken = {name for form in text_formats().values() for name in list(inspect.signature(form.decode).parameters)[2:]}
    assert taken == {option.name for option in FORMAT_OPTIONS} - {"format"}


@pytest.mark.parametrize("given", [[], ["--format", "orlib-gap"]])
@pytest.mark.parametrize(("sense", "value"), [("min", 6), ("max", 14)])
def test_the_sense_is_an_option(run: Any, gap: Path, given: list[str], sense: str, value: int) -> None:
    for verb in ("solve", "certify"):
        ran = run(verb, gap, *given, "--sense", sense, "--solver", "brute-force", "--json")
        assert (ran.code, [row["value"] for row in ran.rows]) == (0, [value]), ran.err


def test_pick_and_problem_are_options(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "two"
    path.write_text(f"2\n{GAP}{GAP.replace('4 1 7', '9 9 9')}")
    words = ["solve", path, "--solver", "brute-force", "--json", "--sense", "min"]
    assert [run(*words, "--problem", k).rows[0]["value"] for k in (1, 2)] == [6, 12]
    assert run(*words, "--problem", 1, "--pick", "at-most-one").rows[0]["value"] == 0
    for wrong, says in ((["--problem", 3], "problem"), (["--pick", "two", "--problem", 1], "pick")):
        ran = run(*words, *wrong)
        assert (ran.code, ran.out) == (2, "")
        assert says in ran.err


def test_every_problem_of_a_file_with_several(run: Any, tmp_path: Path) -> None:
    path, bad, out = tmp_path / "two", tmp_path / "bad", tmp_path / "out"
    path.write_text(f"2\n{GAP}{GAP.replace('4 1 7', '9 9 9')}")
    bad.write_text(f"3\n{GAP}{GAP.replace('6 4', '-6 4')}{GAP}")
    words = ["--solver", "brute-force", "--json", "--sense", "min"]
    for verb in ("solve", "certify"):
        ran = run(verb, path, *words)
        assert (ran.code, ran.err) == (0, "")
        assert [(row["instance"], row["value"]) for row in ran.rows] == [("two-1", 6), ("two-2", 12)]
        ran = run(verb, bad, *words)
        assert (ran.code, [row["instance"] for row in ran.rows]) == (2, ["bad-1", "bad-3"])
        assert ran.err.count("error: ") == 1
    for note in ("", "kept"):
        ran = run("certify", path, *words, "--out", out, "--jobs", 2)
        assert [(row["instance"], row["message"]) for row in ran.rows] == [("two-1", note), ("two-2", note)]
    assert run("solve", path, *words, "-o", out).code == 0
    assert len(list(out.glob("two*.result.json"))) == 2
    ran = run("solve", path, *words, "-o", tmp_path / "one.json")
    assert ran.code == 2
    assert "must be a directory" in ran.err


def test_options_for_files_that_take_none(run: Any, single: Path, gap: Path) -> None:
    ran = run("solve", single, "--sense", "min")
    assert ran.code == 2
    assert "take no options" in ran.err
    ran = run("solve", gap, "--format", "khan-mmkp", "--problem", 2)
    assert ran.code == 2
    assert "no option 'problem'" in ran.err


@pytest.mark.parametrize("verb", ["solve", "certify", "check", "export"])
def test_unknown_format(run: Any, gap: Path, verb: str) -> None:
    more = {"check": [gap], "export": ["-o", "x.mps"]}.get(verb, [])
    ran = run(verb, gap, *more, "--format", "orlib")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: no format 'orlib'; there are: ")


def test_a_directory_holds_files_of_the_named_format(run: Any, gap: Path, single: Path) -> None:
    (gap.parent / "notes.txt").write_text("1 2 3 notes\n")
    (gap.parent / "optima.csv").write_text("file,optimum\ntiny,6\n")
    words = ["solve", gap.parent, "--solver", "highs", "--json"]
    ran = run(*words, "--format", "orlib-gap", "--sense", "min")
    assert (ran.code, [row["instance"] for row in ran.rows]) == (0, ["tiny"])
    assert [row["instance"] for row in run(*words).rows] == ["single"]
    ran = run(*words, "--format", "khan-mmkp")
    assert (ran.code, ran.out) == (2, "")
    assert "no instance file in the format khan-mmkp" in ran.err


def test_a_result_and_a_certificate_of_a_foreign_file(run: Any, gap: Path, tmp_path: Path) -> None:
    reading = ["--format", "orlib-gap", "--sense", "min"]
    assert run("solve", gap, *reading, "--solver", "close", "-o", tmp_path / "result.json").code == 0
    assert run("check", gap, tmp_path / "result.json", *reading).code == 0
    ran = run("certify", gap, *reading, "--solver", "close", "--out", tmp_path / "out", "--json")
    (row,) = ran.rows
    assert (ran.code, row["evidence"], row["ratio"]) == (0, "proved", 1.0)
    assert run("verify", row["certificate"], gap).code == 0
    assert run("check", gap, row["certificate"], *reading).code == 0
    assert run("check", gap, row["certificate"], "--sense", "max").code == 1


def test_export(run: Any, gap: Path, single: Path, tmp_path: Path) -> None:
    target = tmp_path / "tiny.mps"
    ran = run("export", gap, "--sense", "max", "-o", target)
    assert (ran.code, ran.out) == (0, f"wrote {target}: tiny\n")
    assert "OBJSENSE" in target.read_text()
    assert run("export", single, "-o", tmp_path / "single.lp.gz").code == 0
    assert gzip.decompress((tmp_path / "single.lp.gz").read_bytes()).count(b"x1") > 0
    for wrong in (["-o", tmp_path / "x.json"], ["-o", target, "--form", "square"], []):
        assert run("export", single, *wrong).code == 2


def test_values_are_in_the_units_of_the_file(run: Any, tmp_path: Path) -> None:
    """The second problem of OR-Library's mknap1 has the published optimum 8706.1; the integers count tenths."""
    path = tmp_path / "tenths.txt"
    path.write_text("3 1 8706.1\n 8000.1 706 600.1\n 1 1 2\n 2\n")
    words = [path, "--solver", "highs", "--json"]
    (row,) = run("solve", *words).rows
    assert (row["value"], row["bound"], row["ratio"]) == (8706.1, 8706.1, 1.0)
    out = tmp_path / "out"
    for note in ("", "kept"):
        (row,) = run("certify", *words, "--out", out, "--against", "close").rows
        assert (row["value"], row["bound"], row["evidence"], row["message"]) == (8706.1, 8706.1, "proved", note)
        assert row["reference"] in (8706.1, None)
    (checked,) = run("check", path, row["certificate"], "--json").rows
    assert (checked["value"], checked["bound"]) == (8706.1, 8706.1)
    assert " 8706.1 " in run("solve", path, "--solver", "close").out
    assert run("solve", path, "--solver", "close", "-o", tmp_path / "result.json").code == 0
    ran = run("check", path, tmp_path / "result.json")
    assert (ran.code, ran.out) == (0, "tenths: close 8706.1 (checked), optimal (proved): ratio 1\n")


def test_whole_values_stay_whole_numbers(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "halves.txt"
    path.write_text("2 1 0\n 1.5 2.5\n 1 1\n 2\n")
    assert '"value": 4,' in run("solve", path, "--format", "orlib-mknap", "--solver", "brute-force", "--json").out
