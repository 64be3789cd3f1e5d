"""`solve` and `check`: exact answers in files, claims held against them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import edgeopt as eo
from edgeopt.errors import AssumptionError, InstanceError
from edgeopt.instances.batching import Schedule
from edgeopt.instances.result_file import read_result, write_result
from edgeopt.result import Answer, BoundEvidence, ValueEvidence

FIELDS = {"instance", "solver", "value", "bound", "ratio", "evidence", "seconds"}


def test_solve_prints_a_table(run: Any, single: Path, several: Path) -> None:
    ran = run("solve", single, several)
    assert ran.code == 0
    lines = [line.split() for line in ran.out.splitlines()]
    assert lines[0] == ["instance", "solver", "value", "bound", "ratio", "evidence", "reference", "seconds", "note"]
    assert [line[:2] for line in lines[2:]] == [["single", "gah"], ["several", "gah"]]


def test_solve_json_is_one_object_a_line(run: Any, single: Path, several: Path) -> None:
    ran = run("solve", single, several, "--json")
    assert (ran.code, ran.err) == (0, "")
    for row in ran.rows:
        assert set(row) >= FIELDS
        assert (row["solver"], row["evidence"], row["bound"], row["ratio"]) == ("gah", "checked", None, None)
    exact = run("solve", single, "--solver", "ot", "--json").rows[0]
    assert (exact["evidence"], exact["ratio"]) == ("claimed", 1.0)
    assert exact["value"] == exact["bound"] == eo.solve(eo.read(single), "ot").value


def test_a_result_goes_through_its_file(run: Any, single: Path, tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    assert run("solve", single, "--solver", "ot", "-o", target).code == 0
    content = json.loads(target.read_text())
    assert (content["edgeopt"], content["version"], content["problem"]) == ("result", 1, "batching")
    instance = eo.read(single)
    assert content["digest"] == instance.digest
    back = read_result(instance, target)
    assert back.solution == eo.solve(instance, "ot").solution
    assert (back.value_evidence, back.bound_evidence) == (ValueEvidence.CLAIMED, BoundEvidence.CLAIMED)
    ran = run("check", single, target)
    assert ran.code == 0
    assert f"ot {back.value} (checked), optimal (proved)" in ran.out


def test_results_of_several_go_to_a_directory(run: Any, single: Path, several: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("solve", single, several, "-o", out).code == 2
    out.mkdir()
    assert run("solve", single, several, "-o", out).code == 0
    assert sorted(path.name for path in out.iterdir()) == ["several.result.json", "single.result.json"]
    assert run("check", several, out / "several.result.json").code == 0


def test_one_bad_file_does_not_lose_the_others(run: Any, single: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"edgeopt": "batching"')
    ran = run("solve", bad, tmp_path / "missing.json", single, "--json")
    assert ran.code == 2
    assert [row["instance"] for row in ran.rows] == ["single"]
    assert ran.err.count("error: ") == 2
    assert f"error: {bad}: not valid JSON" in ran.err


def test_a_directory_stands_for_its_instances(run: Any, single: Path, several: Path, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    eo.write(eo.generate("batching", requests=2, name="deep"), tmp_path / "deep" / "x.npz")
    (tmp_path / "table.json").write_text('[{"value": 3}]')
    (tmp_path / "notes.txt").write_text("hello")
    run("solve", single, "-o", tmp_path / "z.json")
    assert [row["instance"] for row in run("solve", tmp_path, "--json").rows] == ["deep", "several", "single"]
    (tmp_path / "broken.json").write_text("{")
    ran = run("solve", tmp_path, "--json")
    assert (ran.code, len(ran.rows)) == (2, 3)
    (tmp_path / "empty").mkdir()
    assert "no instance file in this directory" in run("solve", tmp_path / "empty").err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--solver", "gha"], "error: no solver 'gha' for batching; there are: brute-force, close, cpsat, gah"),
        (["--option", "strength"], "error: --option strength: must be KEY=VALUE"),
        (["--solver", "ot", "--option", "speed=3"], "error: solver ot has no option 'speed'; it has: node_limit"),
        (["--time-limit", "-1"], "error: time_limit = -1.0 (s): must be 0 or more"),
        (["--workers", "0"], "error: workers = 0: must be 1 or more"),
        (["--time", "3"], "--time-limit"),
        (["-o", "result.txt"], "error: result.txt: the ending of a result must be .json"),
        (["-o", "no/such/folder/r.json"], "there is no directory"),
    ],
)
def test_bad_options(run: Any, single: Path, words: list[str], said: str) -> None:
    ran = run("solve", single, *words)
    assert ran.code == 2
    assert said in " ".join(ran.err.split())


def test_no_file_and_unknown_verb(run: Any) -> None:
    assert run("solve").code == 2
    ran = run("slove")
    assert ran.code == 2
    assert "solve" in ran.err


def test_solver_options_are_read_as_json(run: Any, several: Path, stub: Any) -> None:
    seen = run("solve", several, "--solver", "gah", "--option", "order=best", "--json").rows[0]
    assert seen["value"] >= run("solve", several, "--json").rows[0]["value"]
    stub("flexible", Answer(None))
    assert run("solve", several, "--solver", "flexible", "--option", "strength=3").code == 0


def test_a_solver_that_refuses_is_reported(run: Any, several: Path, single: Path) -> None:
    ran = run("solve", several, single, "--solver", "ot", "--json")
    assert ran.code == 2
    assert "error: ot solves one node" in ran.err
    assert [row["instance"] for row in ran.rows] == ["single"]


def test_a_lying_solver_ends_with_one(run: Any, single: Path, stub: Any) -> None:
    stub("liar", Answer(Schedule.of([[]]), claimed_value=7))
    ran = run("solve", single, "--solver", "liar", "--json")
    assert ran.code == 1
    assert "liar claimed the value 7, its solution has 0" in ran.rows[0]["message"]


def tampered(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"value": 19}, "ot claims the value 19, its solution has"),
        ({"bound": 1}, "ot claims the bound 1, but a checked solution of ot has"),
        ({"digest": "0" * 64}, "another instance"),
        ({"solution": None}, "without a solution"),
        ({"solution": {"batches": {"server": list(range(20))}}, "value": 20}, "uplink (12a) at node server"),
        ({"solution": {"batches": {"server": [1, 1]}}, "value": 2}, "a request runs at most once"),
    ],
)
def test_a_violated_claim_is_named_and_ends_with_one(
    run: Any, single: Path, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    target = tmp_path / "result.json"
    run("solve", single, "--solver", "ot", "-o", target)
    tampered(target, **changes)
    ran = run("check", single, target)
    assert ran.code == 1
    assert f"violated: {said}" in ran.err or said in ran.err
    ran = run("check", single, target, "--json")
    assert ran.code == 1
    assert any(said in item for item in ran.rows[0]["violations"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": 2}, "version = 2"),
        ({"extra": 1}, "extra"),
        ({"edgeopt": "batching"}, "a result has 'result' there"),
        ({"problem": "slide"}, "problem = 'slide': the instance is one of 'batching'"),
        ({"seconds": "long"}, 'seconds = "long"'),
        ({"termination": "tired"}, 'termination = "tired"'),
        ({"solution": {"batches": {"uav": []}}}, "solution.batches.uav: no such node; there are: server"),
        ({"solution": {"batches": {"server": [99]}}}, "solution.batches.server[0] = 99"),
        ({"solution": 3}, "solution.batches must map"),
    ],
)
def test_a_result_file_that_is_none(run: Any, single: Path, tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    target = tmp_path / "result.json"
    run("solve", single, "--solver", "ot", "-o", target)
    tampered(target, **changes)
    ran = run("check", single, target)
    assert ran.code == 2
    assert f"error: {target}: " in ran.err
    assert said in ran.err


def test_a_result_survives_a_failing_write(single: Path, tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    instance = eo.read(single)
    result = eo.solve(instance, "ot")
    write_result(instance, result, target)
    before = target.read_bytes()
    with pytest.raises(InstanceError, match="ending"):
        write_result(instance, result, tmp_path / "result.npz")
    assert target.read_bytes() == before
    write_result(instance, result, tmp_path / "result.json.gz")
    assert read_result(instance, tmp_path / "result.json.gz").value == result.value


def test_refusals_of_the_problem_reach_the_user(run: Any, single: Path, stub: Any) -> None:
    stub("picky", AssumptionError("picky wants two nodes"))
    ran = run("solve", single, "--solver", "picky")
    assert (ran.code, ran.err) == (2, "error: picky wants two nodes\n")


@pytest.mark.child
@pytest.mark.parametrize(
    ("solver", "options"), [("ot-paper", ["compiled=false", "prune=false"]), ("cpsat", []), ("highs", [])]
)
def test_ctrl_c_returns_the_best_so_far(tmp_path: Path, solver: str, options: list[str]) -> None:
    """The first SIGINT ends the search, not the program: the result is printed and written."""
    path, target = tmp_path / "long.json", tmp_path / "result.json"
    nodes = 1 if solver == "ot-paper" else 3
    eo.write(eo.generate("batching", seed=1, nodes=nodes, requests=600, regime="all", name="long"), path)
    words = ["solve", str(path), "--solver", solver, "-o", str(target), "--json"]
    words += [word for option in options for word in ("--option", option)]
    child = subprocess.Popen(
        [sys.executable, "-m", "edgeopt.cli", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stderr is not None
    # The progress header appears once the solver has run for two seconds.
    assert "long" in child.stderr.readline()
    assert "incumbent" in child.stderr.readline()
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    row = json.loads(out)
    assert row["termination"] == "interrupted", err
    assert child.returncode == 0
    result = read_result(eo.read(path), target)
    assert result.termination == "interrupted"


def test_results_of_names_with_dots_and_of_equal_names_are_kept_apart(run: Any, tmp_path: Path) -> None:
    names = ["load-0.3.json", "load-0.5.json", "deep/load-0.5.json"]
    (tmp_path / "deep").mkdir()
    (tmp_path / "out").mkdir()
    for seed, name in enumerate(names):
        eo.write(eo.generate("batching", seed=seed, nodes=1, requests=4), tmp_path / name)
    ran = run("solve", *(tmp_path / name for name in names), "-o", tmp_path / "out")
    assert ran.code == 0
    found = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert len(found) == 3
    assert found[0] == "load-0.3.result.json"


@pytest.mark.parametrize("target", ["missing/result.json", "result.txt"])
def test_a_target_that_cannot_be_written_is_refused_before_solving(run: Any, single: Path, target: str) -> None:
    ran = run("solve", single, "-o", single.parent / target)
    assert ran.code == 2
    assert str(single.parent / target) in ran.err
    assert ran.out == ""
