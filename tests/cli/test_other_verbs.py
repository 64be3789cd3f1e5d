"""`solvers`, `schema`, `bench`, `versions`, progress, and how the program ends."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgeopt import __version__
from edgeopt.cli.progress import line
from edgeopt.result import Answer
from edgeopt.solvers import base
from edgeopt.solvers.base import solvers

ROOT = Path(__file__).parents[2]


def test_solvers(run: Any) -> None:
    ran = run("solvers")
    assert ran.code == 0
    for name in solvers("batching"):
        assert f" {name} " in ran.out
    rows = run("solvers", "batching", "--json").rows
    assert {row["name"] for row in rows} == set(solvers("batching"))
    gah = next(row for row in rows if row["name"] == "gah")
    assert (gah["guarantee"], gah["exact"], gah["problem"]) == ("1/2", False, "batching")
    ran = run("solvers", "bathing")
    assert ran.code == 2
    assert ran.err.startswith("error: no problem 'bathing'; there are: ")


def test_schema_accepts_our_files(run: Any, single: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    ran = run("schema", "batching")
    assert ran.code == 0
    jsonschema.validate(json.loads(single.read_text()), json.loads(ran.out))
    assert run("schema", "bathing").code == 2


def test_schema_of_certificates_has_each_name_once(run: Any) -> None:
    found = json.loads(run("schema", "certificate").out)
    parts = [json.loads(path.read_text()) for path in sorted((ROOT / "edgeopt/certify/schemas").glob("*.json"))]
    names = [name for part in parts for name in part["$defs"]]
    assert len(names) == len(set(names))
    assert set(found["$defs"]) == set(names)
    for field in ("program", "solution", "proof"):
        referred = [entry["$ref"].split("/")[-1] for entry in found["properties"][field]["anyOf"] if "$ref" in entry]
        assert referred
        assert set(referred) <= set(names)


def test_bench(run: Any, stub: Any, tmp_path: Path) -> None:
    stub("idle", Answer(None))
    target = tmp_path / "bench.csv"
    ran = run(
        "bench", "batching", "--sizes", "5,8", "--solvers", "ot,gah,idle", "--set", "nodes=1", "--seeds", 1,
        "--repeat", 1, "--csv", target,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    with target.open() as file:
        lines = list(csv.DictReader(file))
    assert sorted((row["size"], row["solver"]) for row in lines) == [
        (size, name) for size in ("5", "8") for name in ("gah", "idle", "ot")
    ]
    assert min(float(row["ratio"]) for row in lines) == 1
    ran = run("bench", "batching", "--sizes", "5", "--solvers", "ot,gah", "--seeds", 1, "--repeat", 1)
    assert ran.code == 0
    assert "ot left out at 5: ot solves one node" in ran.err
    assert run("bench", "batching", "--sizes", "a,b").code == 2
    assert "error: generate batching" in run("bench", "batching", "--vary", "size").err


def test_bench_knows_what_varies_and_leaves_out_who_needs_an_option(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No solvers named: all of them, each problem's own size, and `pyomo` that cannot run without a factory."""
    for problem, size in (("slide", 4), ("batching", 4), ("assignment", 4)):
        known = base.solvers(problem)
        few = {name: known[name] for name in ("brute-force", "pyomo", {"slide": "dai"}.get(problem, "highs"))}
        monkeypatch.setitem(base._registered, problem, few)
        ran = run("bench", problem, "--sizes", size, "--seeds", 1, "--repeat", 1)
        assert ran.code == 0, ran.err
        assert "pyomo left out at 4: solver pyomo needs the option factory" in ran.err
        assert "brute-force" in ran.out


def test_a_lying_solver_shows_in_the_bench(run: Any, stub: Any) -> None:
    stub("empty", Answer(None, bound=2))
    stub("liar", Answer(None, claimed_value=3, bound=2))
    words = ["bench", "batching", "--sizes", "5", "--seeds", 1, "--repeat", 1, "--solvers"]
    assert run(*words, "empty").code == 0  # no solution, nothing to refute
    assert run(*words, "liar").code == 1  # a value without a solution
    from edgeopt.instances.batching import Schedule

    stub("worse", Answer(Schedule.of([[], [], []]), claimed_value=3))
    assert run(*words, "worse").code == 1


def test_version(run: Any) -> None:
    assert run("--version").out == f"edgeopt {__version__}\n"


@pytest.mark.child
def test_versions(run: Any) -> None:
    ran = run("versions", "--json")
    assert ran.code == 0
    parts = {row["name"]: row for row in ran.rows}
    assert parts["edgeopt"]["version"] == __version__
    for name in ("highspy", "ortools", "pyomo", "numba", "highspy + ortools + pyomo"):
        assert parts[name]["works"] is True, parts[name]


def test_a_back_end_that_is_missing_or_broken_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from edgeopt import versions

    monkeypatch.setattr(versions, "_version", lambda name: None)
    assert versions._try("pyscipopt") == versions.Part(
        "pyscipopt", None, None, "not installed: pip install 'edgeopt[scip]'"
    )
    assert versions._try("highspy").works is False
    monkeypatch.setattr(versions, "_version", lambda name: "1")

    def dies(*_: Any, **__: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], -11, "", "")

    monkeypatch.setattr(versions.subprocess, "run", dies)
    assert versions._try("highspy") == versions.Part("highspy", "1", False, "ended with code -11")


@pytest.mark.parametrize(
    ("value", "bound", "new", "shown"),
    [
        (None, None, False, "      2.0s            -            -        -"),
        (40, 50.0, True, "*     2.0s           40           50   25.00%"),
        (1234567, 1234567, False, "      2.0s      1234567  1.23457e+06    0.00%"),
        (1, 500, False, "      2.0s            1          500    large"),
    ],
)
def test_progress_rows(value: float | None, bound: float | None, new: bool, shown: str) -> None:
    assert line(2.0, value, bound, new) == shown


@pytest.mark.child
def test_a_closed_pipe_is_no_error() -> None:
    program = f"'{sys.executable}' -m edgeopt.cli schema batching"
    ran = subprocess.run(
        ["bash", "-c", f"{program} | head -c 1 > /dev/null; echo ${{PIPESTATUS[0]}}"], capture_output=True, text=True
    )
    assert ran.stdout.strip() in ("141", "0")  # 0 when the pipe held it all
    assert ran.stderr == ""


@pytest.mark.child
def test_a_full_disk_behind_the_output_is_one_line() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "edgeopt.cli", "schema", "batching"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert ran.returncode == 2
    assert ran.stderr == "error: cannot write: No space left on device\n"


@pytest.mark.child
def test_errors_are_one_line_without_traceback(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "edgeopt.cli", "solve", str(tmp_path / "no.json")], capture_output=True, text=True
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"error: {tmp_path / 'no.json'}: No such file or directory\n"
