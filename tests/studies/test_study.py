"""Study files, tasks, the store and its exports."""

from __future__ import annotations

import csv
import sqlite3
from pathlib import Path
from typing import Any

import pytest

import edgeopt as eo
from edgeopt.errors import InstanceError, UnknownNameError
from edgeopt.studies.export import export
from edgeopt.studies.local import LocalPool
from edgeopt.studies.runner import Progress, duration, run_study
from edgeopt.studies.store import COLUMNS, TIMING, Store
from edgeopt.studies.study import read_study
from edgeopt.studies.task import DONE, FAILED, REFUSED, Task, execute, identify, size_of


def written(folder: Path, text: str) -> Path:
    path = folder / "study.toml"
    path.write_text(text)
    return path


def test_tasks_are_the_cross_product(tmp_path: Path) -> None:
    instance = eo.generate("batching", nodes=1, requests=4, seed=9)
    eo.write(instance, tmp_path / "mine.json")
    path = written(
        tmp_path,
        """
        name = "cross"
        seeds = [5, 7]
        solver_seeds = [0, 1]
        time_limit_s = 3
        [[instances]]
        files = ["*.json"]
        [[instances]]
        generate = "batching"
        set = { nodes = 2 }
        vary = { requests = [3, 6], rate = [1.0] }
        [[solvers]]
        name = "gah"
        vary = { order = ["given", "best"] }
        [[solvers]]
        name = "cpsat"
        [[simulations]]
        policies = ["gah", "static"]
        vary = { rate = [1.0, 2.0, 3.0] }
        """,
    )
    study = read_study(path)
    tasks = list(study.tasks())
    assert len(tasks) == study.total == (1 + 2 * 2) * (2 + 1) * 2 + 3 * 2 * 2
    assert study.kill_after_s == 36
    assert tasks[0].source["file"] == "mine.json"
    assert {task.options.get("order") for task in tasks if task.solver == "gah" and task.kind == "solve"} == {
        "given",
        "best",
    }
    generated = {str(task.source) for task in tasks if "generate" in task.source}
    assert len(generated) == 4
    identity = identify(tasks[0].source, tasks[0].folder)
    assert identity.digest == instance.digest
    assert identity.size == 4
    keys = {task.key(identify(task.source, task.folder).digest) for task in tasks}
    assert len(keys) == len(tasks)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("name = 3", r"Expected `str`, got `int` - at `\$.name`"),
        ("nme = 'x'", "unknown field `nme`"),
        ("name = ", "not TOML"),
        ("name = 'x'", r"there must be \[\[instances\]\] or \[\[simulations\]\]"),
        ("name = 'x'\n[[instances]]\ngenerate = 'batching'", "need each other"),
        ("name = 'x'\n[[instances]]\n[[solvers]]\nname = 'gah'", "must have either 'files' or 'generate'"),
        ("name = 'x'\n[[instances]]\ngenerate = 'knitting'\n[[solvers]]\nname = 'gah'", "'knitting': must be one of"),
        (
            "name = 'x'\n[[instances]]\ngenerate = 'batching'\nset = {nodes = 1}\nvary = {nodes = [1]}\n"
            "[[solvers]]\nname = 'gah'",
            "nodes is in 'set' and in 'vary'",
        ),
        ("name = 'x'\n[[simulations]]\npolicies = ['gahh']", "no 'gahh'; there are: static"),
        ("name = 'x'\nseeds = 0\n[[simulations]]\npolicies = ['gah']", "seeds = 0: must be one or more"),
        ("name = 'x'\ntime_limit_s = -1\n[[simulations]]\npolicies = ['gah']", "time_limit_s = -1.0"),
        ("name = 'x'\n[[simulations]]\npolicies = ['gah']\nvary = {rate = []}", "rate has no values"),
        ("name = 'x'\nseeds = 99999999999999\n[[simulations]]\npolicies = ['gah']", "seeds = 99999999999999: must be"),
        (f"name = 'x'\nseeds = [{10**20}]\n[[simulations]]\npolicies = ['gah']", r"seeds = \[10+\]: must be"),
        (
            f"name = 'x'\nsolver_seeds = [{10**20}]\n[[simulations]]\npolicies = ['gah']",
            r"solver_seeds = \[10+\]: must",
        ),
        (f"name = 'x'\nseeds = {'1' * 5000}\n[[simulations]]\npolicies = ['gah']", "not TOML: .* digits"),
        (
            "name = 'x'\n[[instances]]\ngenerate = 'batching'\nset = {requests = 2024-01-01}\n"
            "[[solvers]]\nname = 'gah'",
            r"instances\[0\]: requests = 2024-01-01: no option is a date",
        ),
        (
            "name = 'x'\n[[instances]]\ngenerate = 'batching'\n"
            "[[solvers]]\nname = 'gah'\nvary = {order = [[12:00:00]]}",
            r"solvers\[0\]: order = .*: no option is a date",
        ),
        ("name = 'x'\n[[simulations]]\npolicies = ['gah']\nset = {seed = 5}", "seed is no option"),
        ("name = 'x'\n[[simulations]]\npolicies = ['gah']\nset = {trace = 5}", "trace = 5: must be the path"),
        ("name = 'x'\n[[simulations]]\npolicies = ['gah']\nvary = {trace = ['a', 5]}", "trace = 5: must be the path"),
    ],
)
def test_bad_studies_are_refused_by_name(tmp_path: Path, text: str, error: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InstanceError, match=error) as raised:
        read_study(path)
    assert str(raised.value).startswith(str(path))


def test_unknown_solvers_and_missing_files_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "name = 'x'\n[[instances]]\ngenerate = 'batching'\n[[solvers]]\nname = 'gahh'")
    with pytest.raises(UnknownNameError, match="no solver 'gahh'"):
        read_study(path)
    path = written(tmp_path, "name = 'x'\n[[instances]]\nfiles = ['no*.json']\n[[solvers]]\nname = 'gah'")
    with pytest.raises(InstanceError, match="no such file"):
        list(read_study(path).tasks())
    with pytest.raises(InstanceError, match="cannot be read"):
        read_study(tmp_path / "none.toml")


@pytest.mark.parametrize("pattern", ["", "**x", "."])
def test_patterns_that_are_none_are_refused(tmp_path: Path, pattern: str) -> None:
    path = written(tmp_path, f"name = 'x'\n[[instances]]\nfiles = ['{pattern}']\n[[solvers]]\nname = 'gah'")
    with pytest.raises(InstanceError, match=r"instances.files = '.*': no pattern of files"):
        list(read_study(path).tasks())


def test_a_trace_that_no_file_can_be_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, 'name = "x"\n[[simulations]]\npolicies = ["gah"]\nset = {trace = "a\\u0000"}')
    with pytest.raises(InstanceError, match="cannot be read: embedded null byte"):
        list(read_study(path).tasks())


def test_whatever_goes_wrong_in_a_run_is_an_entry() -> None:
    source = {"generate": "batching", "options": {"nodes": 2, "requests": 3}, "seed": 1}
    assert execute(Task("solve", source, "ot", {}, 0, None, None))["status"] == REFUSED  # it solves one node
    assert execute(Task("solve", source, "gah", {"order": "odd"}, 0, None, None))["status"] == FAILED
    assert execute(Task("solve", source | {"seed": -1}, "gah", {}, 0, None, None))["status"] == FAILED
    found = execute(Task("solve", source, "gah", {}, 0, None, None))
    assert (found["status"], found["value_evidence"]) == (DONE, "checked")
    assert found["value"] == eo.solve(eo.generate("batching", nodes=2, requests=3, seed=1), "gah").value


def test_sizes_of_all_problems() -> None:
    assert size_of(eo.generate("batching", requests=7)) == 7
    assert size_of(eo.generate("slide", users=6)) == 6
    assert size_of(object()) is None


class Here:
    """A pool without processes."""

    room = 3

    def __init__(self) -> None:
        self.todo: list[tuple[int, Task]] = []
        self.runs = 0

    def submit(self, number: int, task: Task) -> None:
        self.todo.append((number, task))

    def outcomes(self, timeout_s: float) -> Any:
        assert len(self.todo) <= self.room
        number, task = self.todo.pop()
        self.runs += 1
        yield number, execute(task)


def study_of(folder: Path, solvers: str = "['gah']", seeds: int = 2) -> Any:
    names = "\n".join(f"[[solvers]]\nname = {name}" for name in solvers.strip("[]").split(","))
    return read_study(
        written(
            folder,
            f"name = 'x'\nseeds = {seeds}\n[[instances]]\ngenerate = 'batching'\nset = {{nodes = 1, requests = 4}}\n"
            f"{names}\n",
        )
    )


def test_nothing_is_run_twice(tmp_path: Path) -> None:
    heard: list[Progress] = []
    with Store(tmp_path / "s.sqlite", create=True) as store:
        first, second, third = Here(), Here(), Here()
        run_study(study_of(tmp_path), store, first, listen=lambda progress: heard.append(progress))
        assert first.runs == 2
        run_study(study_of(tmp_path), store, second)
        assert second.runs == 0
        progress = run_study(study_of(tmp_path, "['gah','ot']", 3), store, third)
        assert (third.runs, progress.kept, progress.done) == (4, 2, 4)
        assert store.counts() == {"done": 6}
        # the same content from a file is the same run
        eo.write(eo.generate("batching", nodes=1, requests=4, seed=1), tmp_path / "one.json")
        text = "name = 'y'\n[[instances]]\nfiles = ['one.json', 'one.json']\n[[solvers]]\nname = 'gah'"
        fourth = Here()
        progress = run_study(read_study(written(tmp_path, text)), store, fourth)
        assert (fourth.runs, progress.kept, progress.total) == (0, 2, 2)
        assert [name for name, *_ in store.studies()] == ["x", "y"]
    assert heard[-1].line().startswith("2 of 2 runs, ")


TRACE = "TIMESTAMP,ContextTokens,GeneratedTokens\n" + "".join(
    f"2024-05-10 00:00:{second:02}.000000,{200 + second},{20 + second}\n" for second in range(60)
)
ON_A_TRACE = (
    "name = 'x'\n[[simulations]]\npolicies = ['static']\n"
    "set = {epochs = 3, warmup = 0, trace = 'tr.csv', padded_prompt_tokens = 8000}"
)


def test_a_trace_that_changed_is_simulated_anew(tmp_path: Path) -> None:
    trace = tmp_path / "tr.csv"
    trace.write_text(TRACE)
    study = read_study(written(tmp_path, ON_A_TRACE))
    with Store(tmp_path / "s.sqlite", create=True) as store:
        assert run_study(study, store, Here()).done == 1
        assert run_study(study, store, Here()).kept == 1
        trace.write_text(TRACE.replace(",2", ",9"))
        progress = run_study(study, store, Here())
        assert (progress.kept, progress.done) == (0, 1)
        assert store.counts() == {"done": 2}
    trace.unlink()
    with pytest.raises(InstanceError, match=r"tr.csv: cannot be read"):
        list(study.tasks())


def test_a_file_that_changes_under_way_is_not_taken_for_the_one_that_was_read(tmp_path: Path) -> None:
    (tmp_path / "tr.csv").write_text(TRACE)
    eo.write(eo.generate("batching", nodes=1, requests=4, seed=1), tmp_path / "one.json")
    files = "\n[[instances]]\nfiles = ['one.json']\n[[solvers]]\nname = 'gah'"
    tasks = list(read_study(written(tmp_path, ON_A_TRACE + files)).tasks())
    (tmp_path / "tr.csv").write_text(TRACE.replace(",2", ",9"))
    eo.write(eo.generate("batching", nodes=1, requests=4, seed=2), tmp_path / "one.json")
    for task in tasks:
        found = execute(task)
        assert found["status"] == FAILED
        assert "the file has changed since" in found["message"]


def test_a_study_is_the_same_from_every_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "studies"
    folder.mkdir()
    (folder / "tr.csv").write_text(TRACE)
    eo.write(eo.generate("batching", nodes=1, requests=4, seed=1), tmp_path / "one.json")
    files = "\n[[instances]]\nfiles = ['../one.json']\n[[solvers]]\nname = 'gah'"
    written(folder, ON_A_TRACE + files)
    tables = []
    for here, there in ((tmp_path, Path("studies")), (folder, Path()), (Path("/"), folder)):
        monkeypatch.chdir(here)
        store_file = tmp_path / f"{len(tables)}.sqlite"
        with Store(store_file, create=True) as store, Store(tmp_path / "all.sqlite", create=True) as shared:
            assert run_study(read_study(there / "study.toml"), store, Here()).failed == 0
            assert run_study(read_study(there / "study.toml"), shared, Here()).kept == (2 if tables else 0)
            export(store, tmp_path / "table.csv", timing=False)
        tables.append((tmp_path / "table.csv").read_bytes())
    assert tables[0] == tables[1] == tables[2]


def test_an_instance_that_cannot_be_made_is_a_failed_run(tmp_path: Path) -> None:
    text = "name = 'x'\n[[instances]]\ngenerate = 'batching'\nvary = {requests = [3, -3]}\n[[solvers]]\nname = 'gah'"
    study = read_study(written(tmp_path, text))
    with Store(tmp_path / "s.sqlite", create=True) as store:
        progress = run_study(study, store, Here())
        assert (progress.done, progress.failed) == (2, 1)
        assert store.counts() == {"done": 1, "failed": 1}
        assert run_study(study, store, Here()).kept == 2
        assert run_study(study, store, Here(), retry=True).failed == 1


def test_store_files(tmp_path: Path) -> None:
    with pytest.raises(InstanceError, match="no such store"):
        Store(tmp_path / "none.sqlite")
    with pytest.raises(InstanceError, match="in a directory that exists"):
        Store(tmp_path / "no" / "s.sqlite", create=True)
    (tmp_path / "text.sqlite").write_text("no database, but long enough to be taken for one " * 10)
    with pytest.raises(InstanceError, match="not a store of studies"):
        Store(tmp_path / "text.sqlite")
    with Store(tmp_path / "s.sqlite", create=True) as store:
        assert store.connection.execute("pragma journal_mode").fetchone()[0] == "wal"
        store.connection.execute("pragma user_version = 99")
    with pytest.raises(InstanceError, match="a store of version 99"):
        Store(tmp_path / "s.sqlite")
    with sqlite3.connect(tmp_path / "s.sqlite") as connection:
        assert connection.execute("pragma user_version").fetchone()[0] == 99
    connection.close()


def test_a_foreign_database_is_left_as_it_is(tmp_path: Path) -> None:
    for version in (0, 1):
        file = tmp_path / f"{version}.db"
        with sqlite3.connect(file) as connection:
            connection.execute("create table mine (x)")
            connection.execute(f"pragma user_version = {version}")
        connection.close()
        before = file.read_bytes()
        for create in (False, True):
            with pytest.raises(InstanceError, match=r"\.db: not a store of studies"):
                Store(file, create=create)
        assert file.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"0.db", "1.db"}


def test_a_store_that_is_read_is_left_as_it_is(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite", create=True) as store:
        run_study(study_of(tmp_path), store, Here())
        store.connection.execute("drop table folder")  # as in stores made before it
    before = (tmp_path / "s.sqlite").read_bytes()
    with Store(tmp_path / "s.sqlite") as store:
        assert store.folder("x") == ""
        assert len(list(store.rows())) == 2
        with pytest.raises(InstanceError, match=r"s\.sqlite: cannot be written"):
            store.begin("y", "", 1, tmp_path)
    assert (tmp_path / "s.sqlite").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"s.sqlite", "study.toml"}


def test_an_empty_file_may_become_a_store(tmp_path: Path) -> None:
    """It is what is left of a study that was killed before it had begun."""
    file = tmp_path / "s.sqlite"
    file.touch()
    with pytest.raises(InstanceError, match=r"not a store of studies: it is empty"):
        Store(file)
    with Store(file, create=True) as store:
        assert store.counts() == {}


def test_a_damaged_store_is_named(tmp_path: Path) -> None:
    file = tmp_path / "s.sqlite"
    with Store(file, create=True) as store:
        run_study(study_of(tmp_path), store, Here())
    head = file.read_bytes()[:4096]
    file.write_bytes(head + b"\xff" * (file.stat().st_size - len(head)))
    with Store(file) as store, pytest.raises(InstanceError, match=r"s\.sqlite: the store is damaged: "):
        list(store.rows())


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    study = study_of(tmp_path, seeds=200)
    with Store(tmp_path / "s.sqlite", create=True) as store:
        store.connection.execute("pragma max_page_count = 20")
        with pytest.raises(InstanceError, match=r"s\.sqlite: cannot be written: database or disk is full"):
            run_study(study, store, Here())


def test_an_export_does_not_replace_its_store(tmp_path: Path) -> None:
    with Store(tmp_path / "s.csv", create=True) as store:
        run_study(study_of(tmp_path), store, Here())
        with pytest.raises(InstanceError, match=r"is the store itself"):
            export(store, tmp_path / ".." / tmp_path.name / "s.csv")
        assert store.counts() == {"done": 2}


def test_exports(tmp_path: Path) -> None:
    study = study_of(tmp_path, "['gah','ot']", 3)
    tables = []
    for name in ("a", "b"):
        with Store(tmp_path / f"{name}.sqlite", create=True) as store:
            run_study(study, store, Here(), environment={"edgeopt": name})
            assert export(store, tmp_path / f"{name}.csv", timing=False) == 6
            tables.append((tmp_path / f"{name}.csv").read_bytes())
            export(store, tmp_path / f"{name}.full.csv")
            with pytest.raises(InstanceError, match=r"must be .csv or .parquet"):
                export(store, tmp_path / "table.xls")
    assert tables[0] == tables[1]
    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [name for name in COLUMNS if name not in TIMING] == list(rows[0])
    assert {row["status"] for row in rows} == {"done"}
    with (tmp_path / "a.full.csv").open() as file:
        assert float(next(csv.DictReader(file))["seconds"]) >= 0


def test_parquet(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    with Store(tmp_path / "a.sqlite", create=True) as store:
        run_study(study_of(tmp_path), store, Here())
        export(store, tmp_path / "a.parquet")
        rows = list(store.rows())
    found = parquet.read_table(tmp_path / "a.parquet").to_pylist()
    assert [row["value"] for row in found] == [float(row["value"]) for row in rows]
    assert [row["bound"] for row in found] == [None, None]
    assert [row["instance"] for row in found] == [row["instance"] for row in rows]


def test_progress_in_words() -> None:
    assert [duration(seconds) for seconds in (3.2, 61, 7300)] == ["3 s", "1 min", "2 h 2 min"]
    line = Progress(100, kept=20, done=30, failed=2, seconds=60.0).line()
    assert line == "50 of 100 runs (20 kept), 2 without an answer, 0.5 runs/s, 2 min left"


@pytest.mark.child
def test_local_processes_pass_errors_on(tmp_path: Path) -> None:
    study = study_of(tmp_path, seeds=4)

    def stop(progress: Progress) -> None:
        if progress.done:
            raise KeyboardInterrupt

    def run_and_stop() -> None:
        with Store(tmp_path / "a.sqlite", create=True) as store, LocalPool(1) as pool:
            run_study(study, store, pool, listen=stop)

    with pytest.raises(KeyboardInterrupt):
        run_and_stop()
    with Store(tmp_path / "a.sqlite") as store:
        assert 1 <= store.counts()["done"] < 4
