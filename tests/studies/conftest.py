"""Studies in processes of their own, that can be killed."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgeopt.studies.export import export
from edgeopt.studies.store import Store

ROOT = Path(__file__).parent.parent.parent

STUDY = """
name = "small"
seeds = 12
time_limit_s = 20

[[instances]]
generate = "batching"
set = { nodes = 1, regime = "all" }
vary = { requests = [8, 40] }

[[solvers]]
name = "gah"
vary = { order = ["given", "best"] }

[[solvers]]
name = "ot"

[[simulations]]
policies = ["gah"]
set = { epochs = 5, warmup = 0 }
"""
RUNS = 12 * 2 * 3 + 12


def edgeopt(*words: object) -> subprocess.Popen[str]:
    """Start a command of ours."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    return subprocess.Popen(
        [sys.executable, "-m", "edgeopt.cli", *map(str, words)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for a command, which must end well."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


def rows(store: Path) -> int:
    """Runs that are committed by now."""
    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
            found: int = connection.execute("select count(*) from run").fetchone()[0]
        connection.close()
    except sqlite3.Error:
        return 0
    return found


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def lab() -> SimpleNamespace:
    """The tools of this file."""
    return SimpleNamespace(
        edgeopt=edgeopt, finish=finish, rows=rows, wait_for=wait_for, final_table=final_table, runs=RUNS
    )


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study file."""
    path = tmp_path / "small.toml"
    path.write_text(STUDY)
    return path


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The table of the study when nothing happens to it."""
    folder = tmp_path_factory.mktemp("calm")
    (folder / "small.toml").write_text(STUDY)
    out = finish(edgeopt("study", "run", folder / "small.toml"))
    assert f"{RUNS} of {RUNS} runs" in out
    return final_table(folder / "small.sqlite")


def final_table(store: Path) -> bytes:
    """What a store exports, without times."""
    target = store.with_suffix(".csv")
    with Store(store) as kept:
        export(kept, target, timing=False)
    return target.read_bytes()
