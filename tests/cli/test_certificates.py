"""`certify --out`, `verify`, `check` of certificates: files that stand alone, runs that go on where they were."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import edgeopt as eo
from edgeopt.certify import compare
from edgeopt.certify.verify.certificate import seal
from edgeopt.instances.batching import Schedule
from edgeopt.result import Answer


def content_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    return found


def tampered(path: Path, target: Path) -> Path:
    """A better value and bound with a seal that fits."""
    content = content_of(path)
    content["claim"]["value"] += 1
    content["claim"]["bound"] += 1
    content["seal"] = seal(content)
    target.write_text(json.dumps(content))
    return target


@pytest.fixture
def made(run: Any, single: Path, tmp_path: Path) -> Path:
    ran = run("certify", single, "--solver", "ot", "--out", tmp_path / "out", "--json")
    assert ran.code == 0, ran.err
    return Path(ran.rows[0]["certificate"])


def test_a_certificate_an_instance_and_solver(run: Any, single: Path, several: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    ran = run("certify", single, several, "--solver", "gah,gah+", "--against", "", "--out", out, "--json")
    assert ran.code == 0, ran.err
    assert len({row["certificate"] for row in ran.rows}) == 4 == len(list(out.glob("*.json.gz")))
    for row in ran.rows:
        claim = content_of(Path(row["certificate"]))["claim"]
        assert (row["evidence"], claim["value"], claim["bound"]) == ("proved", row["value"], row["bound"])
        assert claim["guarantee"] == "1/2"
    checked = run("verify", out)
    assert (checked.code, checked.out.count("VERIFIED")) == (0, 4)


def test_a_second_run_does_what_is_missing(
    run: Any, single: Path, several: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    real = compare.solve

    def counted(instance: Any, name: str, **settings: Any) -> Any:
        asked.append((instance.name, name))
        return real(instance, name, **settings)

    monkeypatch.setattr(compare, "solve", counted)
    words = ["certify", single, several, "--against", "", "--out", tmp_path, "--json", "--solver"]
    first = run(*words, "gah").rows
    again = run(*words, "gah,gah+").rows
    assert asked == [("single", "gah"), ("several", "gah"), ("single", "gah+"), ("several", "gah+")]
    kept = [row for row in again if row["solver"] == "gah"]
    assert [{**row, "message": ""} for row in kept] == [{**row, "message": ""} for row in first]
    assert {row["message"] for row in kept} == {"kept"}
    asked.clear()
    run(*words, "gah", "--force")
    assert len(asked) == 2


def test_what_does_not_verify_any_more_is_made_again(run: Any, single: Path, several: Path, tmp_path: Path) -> None:
    words = ["certify", single, several, "--against", "", "--out", tmp_path, "--json"]
    paths = [Path(row["certificate"]) for row in run(*words).rows]
    tampered(paths[0], tmp_path / "worse.json")
    paths[0].write_bytes((tmp_path / "worse.json").read_bytes())
    (tmp_path / "certify.jsonl").write_text((tmp_path / "certify.jsonl").read_text() + '{"key": {"dig')
    assert [row["message"] for row in run(*words).rows] == ["", "kept"]
    assert run("verify", *paths).code == 0


def test_other_limits_are_tried_where_a_gap_is_left(run: Any, several: Path, single: Path, tmp_path: Path) -> None:
    words = ["certify", single, several, "--against", "", "--out", tmp_path, "--json", "--time-limit"]
    ratios = [row["ratio"] for row in run(*words, 5).rows]
    messages = [row["message"] for row in run(*words, 6).rows]
    assert messages == ["kept" if ratio == 1 else "" for ratio in ratios]


def test_the_same_name_with_other_content_is_another_certificate(run: Any, tmp_path: Path) -> None:
    for seed in (1, 2):
        (tmp_path / str(seed)).mkdir()
        eo.write(eo.generate("batching", seed=seed, nodes=1, requests=5, name="same"), tmp_path / f"{seed}/same.json")
    ran = run("certify", tmp_path / "1", tmp_path / "2", "--out", tmp_path / "out", "--json")
    assert len({row["certificate"] for row in ran.rows}) == 2
    assert run("verify", tmp_path / "out").code == 0


def test_a_lie_gets_a_certificate_of_what_is_so(run: Any, single: Path, stub: Any, tmp_path: Path) -> None:
    stub("liar", Answer(Schedule.of([[]]), claimed_value=9, bound=1, proof=object()), exact=True)
    ran = run("certify", single, "--solver", "liar", "--against", "gah", "--out", tmp_path, "--json")
    (row,) = ran.rows
    assert ran.code == 1
    assert (row["value"], row["evidence"]) == (0, "proved")
    assert content_of(Path(row["certificate"]))["claim"]["value"] == 0


def test_instances_in_parallel(run: Any, single: Path, several: Path, tmp_path: Path) -> None:
    words = ["certify", single, several, tmp_path / "missing.json", "--out", tmp_path / "out", "--json"]
    ran = run(*words, "--jobs", 2)
    assert ran.code == 2
    assert "missing.json" in ran.err
    assert sorted(row["instance"] for row in ran.rows) == ["several", "single"]
    again = run(*words, "--jobs", 2)
    assert {row["instance"] for row in again.rows if row["message"].startswith("kept")} >= {"single"}


DEADLY = """
import os, signal
from edgeopt.cli import certify_run

def run(job, *rest):
    if job.file.name == "single.json":
        os.kill(os.getpid(), signal.SIGKILL)
    certify_run.run(job, *rest)
"""


@pytest.mark.child
def test_a_process_that_dies_costs_one_instance(
    run: Any, single: Path, several: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deadly_worker.py").write_text(DEADLY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("edgeopt.cli.certify_run.TARGET", "deadly_worker:run")
    ran = run("certify", single, several, "--against", "", "--jobs", 2, "--json")
    rows = {row["file"]: row for row in ran.rows}
    assert ran.code == 2
    assert "SIGKILL" in rows[str(single)]["message"]
    assert rows[str(several)]["evidence"] == "proved"


def test_options_of_the_solver(run: Any, single: Path, tmp_path: Path) -> None:
    words = ["certify", single, "--against", "", "--out", tmp_path, "--json", "--solver", "gah"]
    assert run(*words, "--option", "order=random").rows[0]["message"] == ""
    assert run(*words).rows[0]["message"] == ""
    assert run(*words).rows[0]["message"] == "kept"
    ran = run(*words, "--option", "speed=9")
    assert (ran.code, ran.rows[0]["value"]) == (2, None)
    assert "no option 'speed'" in ran.err


def test_verify_says_what_it_found(run: Any, made: Path, single: Path, several: Path, tmp_path: Path) -> None:
    ran = run("verify", made)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[-1].startswith("VERIFIED  value ")
    assert "not checked" in ran.out
    for words in ([made, single], [made, "--instance", single]):
        ran = run("verify", *words)
        assert (ran.code, "not checked" in ran.out) == (0, False)
    ran = run("verify", made, several)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("REFUTED   instance: ")
    ran = run("verify", tampered(made, tmp_path / "worse.json"))
    assert (ran.code, ran.out) == (1, "")
    assert "REFUTED   claim.value" in ran.err


def test_verify_many(run: Any, made: Path, tmp_path: Path) -> None:
    worse = tampered(made, tmp_path / "worse.json")
    broken = tmp_path / "broken.json"
    broken.write_text('{"edgeopt": "certificate"')
    ran = run("verify", made, broken, worse, "--json")
    assert (ran.code, [row["verdict"] for row in ran.rows]) == (1, ["verified", "unreadable", "refuted"])
    assert run("verify", made, broken).code == 2
    assert run("verify", made.parent).code == 0  # its log is no certificate
    assert "no certificate" in run("verify", Path(__file__).parent).err
    assert run("verify", made, made, "--instance", made).code == 2
    assert run("verify", tmp_path / "none.json").code == 2


@pytest.mark.child
def test_verify_loads_no_solver(made: Path) -> None:
    code = (
        f"import sys\nsys.argv = ['edgeopt', 'verify', {str(made)!r}]\nfrom edgeopt.cli import main\n"
        "try: main()\nexcept SystemExit as end: assert not end.code\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "VERIFIED" in ran.stdout
    heavy = {"numpy", "scipy", "numba", "highspy", "ortools", "pyomo", "msgspec", "rich"}
    assert not set(ran.stdout.splitlines()[-1].split()) & heavy


def test_check_compares_with_the_instance(run: Any, made: Path, single: Path, several: Path, tmp_path: Path) -> None:
    ran = run("check", single, made, "--json")
    (row,) = ran.rows
    assert (ran.code, row["evidence"], row["ratio"], row["violations"]) == (0, "proved", 1.0, [])
    ran = run("check", several, made)
    assert ran.code == 1
    assert "violated: digest is " in ran.err
    content = content_of(made)
    content["program"]["weight"][0][0] -= 1  # one request a little lighter
    content["seal"] = seal(content)
    (tmp_path / "lighter.json").write_text(json.dumps(content))
    assert run("verify", tmp_path / "lighter.json").code == 0
    ran = run("check", single, tmp_path / "lighter.json")
    assert ran.code == 1
    assert "program.weight is not what the instance compiles to" in ran.err
    assert run("check", single, tampered(made, tmp_path / "worse.json")).code == 1
    (tmp_path / "broken.json").write_text('{"edgeopt": "certificate"')
    assert run("check", single, tmp_path / "broken.json").code == 2


def test_a_certificate_of_another_problem_is_not_about_the_instance(run: Any, made: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    eo.write(eo.generate("slide", seed=1, users=4), other)
    ran = run("check", other, made)
    assert ran.code == 1
    assert "problem is 'batching', the instance's is 'slide'" in ran.err
