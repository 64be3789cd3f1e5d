"""Fixtures of the command line: a runner, small instance files, solvers that answer as told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import edgeopt as eo
from edgeopt.cli import app
from edgeopt.result import Answer
from edgeopt.solvers.base import SolverInfo, register, solvers


@dataclass
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ran]
Register = Callable[..., str]


@pytest.fixture(autouse=True)
def no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress depends on the machine's speed; the tests of progress itself ask for it."""
    monkeypatch.setattr("edgeopt.cli.progress.FIRST_S", 1e6)


@pytest.fixture
def run() -> Run:
    """Run a command in this process."""

    def invoke(*words: object) -> Ran:
        result = CliRunner().invoke(app, [str(word) for word in words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return invoke


@pytest.fixture
def single(tmp_path: Path) -> Path:
    """A file with one node and 20 requests."""
    path = tmp_path / "single.json"
    eo.write(eo.generate("batching", seed=4, nodes=1, requests=20, regime="all", name="single"), path)
    return path


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """A file with two nodes and 20 requests."""
    path = tmp_path / "several.json.gz"
    eo.write(eo.generate("batching", seed=3, nodes=2, requests=20, regime="both", name="several"), path)
    return path


@pytest.fixture
def stub() -> Iterator[Register]:
    """Registers solvers that give an answer or raise, and forgets them afterwards."""
    names = []

    def add(name: str, answer: Answer | Exception, **settings: Any) -> str:
        def function(instance: Any, control: Any, *, strength: int = 0) -> Answer:
            if isinstance(answer, Exception):
                raise answer
            return answer

        register(SolverInfo(name, "batching", function, **settings))
        names.append(name)
        return name

    yield add
    for name in names:
        solvers("batching").pop(name)
