"""Killing a study, its workers, or a Dask worker: the final table is that of a calm run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edgeopt.studies.guard import Guard
from edgeopt.studies.local import LocalPool
from edgeopt.studies.runner import run_study
from edgeopt.studies.store import Store
from edgeopt.studies.study import read_study
from edgeopt.studies.task import Task

MOMENTS = [(signal.SIGKILL, 0.02), (signal.SIGINT, 0.5)]
"""How a study is ended, and at what share of its runs; at more moments before a release."""
if os.environ.get("HYPOTHESIS_PROFILE") == "thorough":
    MOMENTS = [(signal.SIGKILL, share / 20) for share in range(1, 19)] + [(signal.SIGINT, 0.95)]
ROOT = Path(__file__).parent.parent.parent


@pytest.mark.child
def test_killed_and_interrupted_studies_end_like_calm_ones(lab: Any, study: Path, expected: bytes) -> None:
    store = study.with_suffix(".sqlite")
    for kind, share in MOMENTS:
        process = lab.edgeopt("study", "run", study)
        lab.wait_for(lambda share=share: lab.rows(store) >= share * lab.runs)
        process.send_signal(kind)
        _, err = process.communicate(timeout=60)
        assert process.returncode == (130 if kind == signal.SIGINT else -signal.SIGKILL)
        assert kind != signal.SIGINT or "run it again to go on" in err
        assert 0 < lab.rows(store) < lab.runs
    kept = lab.rows(store)
    out = lab.finish(lab.edgeopt("study", "run", study))
    assert f"{lab.runs} of {lab.runs} runs ({kept} kept)" in out
    assert lab.final_table(store) == expected


def misbehaving(name: str, kill_after_s: float | None) -> Task:
    """A task whose process does something else than to answer."""
    source = {"generate": "batching", "options": {"nodes": 1, "requests": 3}, "seed": 1}
    return Task("solve", source, name, {}, 0, None, kill_after_s)


@pytest.mark.child
def test_a_worker_that_dies_or_overruns_costs_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plug-in solvers `hangs` and `dies` run among others; theirs are the only runs without an answer."""
    plugin = tmp_path / "plugin"
    plugin.mkdir()
    (plugin / "sitecustomize.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(plugin))  # children get the path of this process
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(plugin), str(ROOT)]))
    path = tmp_path / "study.toml"
    path.write_text(
        'name = "wild"\nseeds = 3\nkill_after_s = 60.0\n[[instances]]\ngenerate = "batching"\n'
        'set = { nodes = 1, requests = 4 }\n[[solvers]]\nname = "ot"\n'
    )
    study = read_study(path)
    tasks = list(study.tasks())
    wild = [misbehaving("dies", None), tasks[0], misbehaving("hangs", 1.5), *tasks[1:]]
    study.tasks = lambda: iter(wild)  # type: ignore[method-assign]
    with Store(tmp_path / "store.sqlite", create=True) as store:
        with LocalPool(1) as pool:
            progress = run_study(study, store, pool)
        found = {(row["solver"], row["seed"], row["instance"]): row for row in store.rows()}
        assert store.counts() == {"died": 1, "done": 3, "overrun": 1}
        with LocalPool(1) as pool:
            assert run_study(study, store, pool).kept == 5
    assert (progress.total, progress.done, progress.failed) == (5, 5, 2)
    messages = {row["solver"]: row["message"] for row in found.values() if row["status"] != "done"}
    assert "SIGKILL" in messages["dies"]
    assert "killed after 1.5 s" in messages["hangs"]


PLUGIN = """
import os, signal, time

def dies(instance, control):
    os.kill(os.getpid(), signal.SIGKILL)

def hangs(instance, control):
    time.sleep(600)

class Late:
    def find_spec(self, name, path=None, target=None):
        if name == "edgeopt.studies.task":
            import sys
            sys.meta_path.remove(self)
            from edgeopt.solvers.base import SolverInfo, register
            for function in (dies, hangs):
                register(SolverInfo(function.__name__, "batching", function))
        return None

import sys
sys.meta_path.insert(0, Late())
"""


@pytest.mark.child
def test_a_guard_that_is_stopped_has_no_outcome() -> None:
    guard = Guard()
    guard.stop()
    assert guard.do(misbehaving("ot", None)) is None
    guard.close()


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and two worker processes on loopback; the address, and the workers."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    file = folder / "scheduler.json"
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    local = ["--host", "127.0.0.1", "--no-dashboard"]
    boot = [sys.executable, "-m"]
    processes = [
        subprocess.Popen(
            [*boot, "distributed.cli.dask_scheduler", *local, "--port", "0", "--scheduler-file", str(file)], **quiet
        )
    ]
    try:
        worker = [*boot, "distributed.cli.dask_worker", "--scheduler-file", str(file), *local, "--nthreads", "1"]
        worker += ["--no-nanny", "--local-directory", str(folder)]
        processes += [subprocess.Popen(worker, **quiet) for _ in range(2)]
        end = time.monotonic() + 60
        while not file.exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        yield json.loads(file.read_text())["address"], processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.mark.child
def test_a_dask_worker_that_is_killed_costs_nothing(lab: Any, study: Path, tmp_path: Path, expected: bytes) -> None:
    pytest.importorskip("distributed")
    store = study.with_suffix(".sqlite")
    with cluster(tmp_path) as (address, workers):
        process = lab.edgeopt("study", "run", study, "--scheduler", address)
        lab.wait_for(lambda: lab.rows(store) >= 10)
        workers[0].send_signal(signal.SIGKILL)
        out = lab.finish(process)
    assert f"{lab.runs} of {lab.runs} runs" in out
    assert "without an answer" not in out
    assert lab.final_table(store) == expected


@pytest.mark.child
def test_a_scheduler_that_is_not_there_is_named(lab: Any, study: Path) -> None:
    pytest.importorskip("distributed")
    process = lab.edgeopt("study", "run", study, "--scheduler", "nowhere://127.0.0.1:1")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err.startswith("error: no Dask scheduler at nowhere://127.0.0.1:1")
