"""The best-known table: it only ever improves, and each entry has a certificate that says the same."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import edgeopt as eo
from edgeopt.certify import best_known as table
from edgeopt.certify.best_known import Entry, better_of, read_table, recombined, write_table
from edgeopt.certify.certificate import certificate, read_certificate
from edgeopt.cli import app
from edgeopt.errors import InstanceError
from edgeopt.instances.assignment import Assignment
from edgeopt.result import Answer
from edgeopt.solvers.base import Control, SolverInfo, register, solvers

LIBRARY = Path(__file__).parent.parent.parent / "instances"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Two instances: one small enough for anybody, one of the assignment problem."""
    (tmp_path / "deep").mkdir()
    eo.write(eo.generate("batching", seed=3, nodes=2, requests=20, regime="both", name="two"), tmp_path / "two.json")
    eo.write(
        eo.generate("assignment", seed=1, bins=3, items=12, kind="gap-c", sense="max", pick="at-most-one", name="gap"),
        tmp_path / "deep" / "gap.json",
    )
    return tmp_path


@pytest.fixture
def stub() -> Iterator[Any]:
    """A solver of the assignment problem that takes these choices and hands out no proof."""
    names = []

    def add(name: str, take: Any) -> str:
        def function(instance: Any, control: Control) -> Answer:
            return Answer(take(instance, control))

        register(SolverInfo(name, "assignment", function))
        names.append(name)
        return name

    yield add
    for name in names:
        solvers("assignment").pop(name)


def refresh(directory: Path, *words: object) -> dict[str, Entry]:
    ran = CliRunner().invoke(app, ["best-known", str(directory), *map(str, words)])
    assert ran.exit_code == 0, ran.output
    return read_table(directory / "best_known.csv")


def test_each_entry_has_a_certificate_that_says_the_same(library: Path) -> None:
    found = refresh(library)
    assert set(found) == {"two.json", "deep/gap.json"}
    for entry in found.values():
        stored = read_certificate(library / entry.certificate)
        assert (stored.value, stored.bound) == (entry.value, entry.bound)
        assert (entry.evidence, entry.note) == ("proved", "")
        assert entry.date
    again = (library / "best_known.csv").read_bytes()
    assert refresh(library, "--force") == found
    assert (library / "best_known.csv").read_bytes() == again


def test_a_worse_answer_changes_nothing_and_a_better_one_does(library: Path, stub: Any) -> None:
    key = "deep/gap.json"

    def some(share: float) -> Any:
        def take(instance: Any, control: Control) -> Assignment:
            best = eo.solve(instance, "close").solution.taken
            return Assignment.of(instance, best[: int(share * len(best))])

        return take

    first = refresh(library, "--solver", stub("half", some(0.5)))[key]
    assert first.value is not None
    assert first.value < first.bound
    assert refresh(library, "--solver", stub("third", some(0.3)))[key] == first
    better = refresh(library, "--solver", stub("most", some(0.8)))[key]
    assert better.value > first.value
    assert better.solver == "most"
    closed = refresh(library)[key]
    assert closed.value == closed.bound
    assert refresh(library, "--solver", "half", "--force")[key] == closed


def test_a_problem_whose_program_names_no_sense_improves_too(tmp_path: Path) -> None:
    eo.write(eo.generate("slide", seed=2, users=60), tmp_path / "slide.json")
    poor = refresh(tmp_path, "--solver", "random-admission")["slide.json"]
    best = refresh(tmp_path)["slide.json"]
    assert poor.value < best.value == best.bound <= poor.bound
    assert read_certificate(tmp_path / best.certificate).value == best.value
    assert refresh(tmp_path, "--force")["slide.json"] == best


def test_a_solver_starts_from_the_best_that_is_there(library: Path, stub: Any) -> None:
    seen = []

    def look(instance: Any, control: Control) -> Assignment:
        seen.append(control.start)
        return Assignment.of(instance, [])

    best = refresh(library)["deep/gap.json"]
    refresh(library, "--solver", stub("look", look), "--force")
    assert seen[0] is not None
    assert eo.read(library / "deep" / "gap.json").profit[seen[0].taken].sum() == best.value


def test_a_changed_instance_starts_anew(library: Path) -> None:
    key, file = "deep/gap.json", library / "deep" / "gap.json"
    old = refresh(library)[key]
    instance = eo.read(file)
    eo.write(replace(instance, capacity=instance.capacity // 3), file)
    new = refresh(library)[key]
    assert new.value < old.value


def test_a_certificate_that_is_damaged_is_made_again(library: Path) -> None:
    entry = refresh(library)["two.json"]
    (library / entry.certificate).write_bytes(b"{}")
    again = refresh(library)["two.json"]
    assert read_certificate(library / again.certificate).value == again.value == entry.value


def test_a_certificate_too_large_is_not_stored_and_says_so(library: Path) -> None:
    found = refresh(library, "--most-bytes", 10)
    for entry in found.values():
        assert entry.certificate == ""
        assert "too large to store" in entry.note
        assert not list((library / "certificates").glob("*.json.gz"))
    assert refresh(library, "--most-bytes", 10, "--force") == found
    stored = refresh(library, "--force")
    assert all(entry.certificate and not entry.note for entry in stored.values())
    assert refresh(library, "--most-bytes", 10, "--force") == stored  # what is stored stays


def test_the_better_value_goes_with_the_better_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = eo.generate("assignment", seed=5, bins=3, items=12, kind="gap-c", sense="max", pick="at-most-one")
    solved = eo.solve(instance, "highs")
    nothing = replace(solved, solution=Assignment.of(instance, []))
    good, poor = certificate(instance, solved), certificate(instance, nothing)
    smaller = certificate(replace(instance, capacity=instance.capacity // 2), nothing)
    monkeypatch.setattr("edgeopt.certify.assignment_proof.lp_proof", lambda *_: None)
    loose = certificate(instance, solved)
    assert loose.bound > good.bound
    for new, old in ((loose, poor), (poor, loose)):
        both = better_of(new, old, instance.sense)
        assert (both.value, both.bound) == (good.value, good.bound)
        both.verify()
    assert better_of(loose, good, instance.sense) is good
    assert better_of(good, loose, instance.sense) is good
    with pytest.raises(InstanceError):  # a proof of another instance
        recombined(good, smaller)


def test_a_table_of_other_columns_is_refused(library: Path) -> None:
    columns = "file,problem,value,bound,evidence,solver,version,date,certificate,digest,note"
    for content in ("file,value\n", f"{columns}\na,b,x,,,,,,,,\n"):
        (library / "best_known.csv").write_text(content)
        ran = CliRunner().invoke(app, ["best-known", str(library)])
        assert ran.exit_code == 2
        assert "best_known.csv" in ran.output


def test_files_of_one_name_are_refused(library: Path) -> None:
    shutil.copy(library / "two.json", library / "deep" / "two.json")
    ran = CliRunner().invoke(app, ["best-known", str(library)])
    assert ran.exit_code == 2
    assert "clash" in ran.output


def test_the_table_goes_through_its_file(tmp_path: Path) -> None:
    entry = Entry("a.json", "batching", None, -3, "proved", "x", "1", "2026-01-02", "", "0", "a, b")
    write_table([entry], tmp_path / "t.csv")
    assert read_table(tmp_path / "t.csv") == {"a.json": entry}


@pytest.mark.skipif(not (LIBRARY / table.TABLE).exists(), reason="the library has no table yet")
def test_the_shipped_table_is_about_the_shipped_instances() -> None:
    found = read_table(LIBRARY / table.TABLE)
    files = {
        path.relative_to(LIBRARY).as_posix()
        for kind in LIBRARY.iterdir()
        if kind.is_dir() and kind.name != table.CERTIFICATES
        for path in kind.iterdir()
        if path.name.endswith((".json", ".json.gz"))
    }
    assert set(found) == files
    for entry in found.values():
        assert bool(entry.certificate) != bool(entry.note)
        if entry.certificate:
            stored = read_certificate(LIBRARY / entry.certificate)
            assert (stored.value, stored.bound) == (entry.value, entry.bound)
            assert stored.content["instance"]["digest"] == eo.read(LIBRARY / entry.file).digest
