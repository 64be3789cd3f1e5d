"""Where finished runs are kept: one SQLite file in WAL mode, a transaction a run, keyed by content."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from edgeopt.errors import InstanceError
from edgeopt.studies.task import Identity, Task

FORMAT = 1
"""Version of the tables; a store of another one is refused."""

COLUMNS = (
    "key", "study", "kind", "problem", "instance", "digest", "size", "sense", "source", "solver", "options", "seed",
    "time_limit_s", "version", "status", "value", "value_evidence", "bound", "bound_evidence", "termination", "metrics",
    "message", "seconds", "finished", "environment",
)  # fmt: skip
TIMING = ("seconds", "finished", "environment")
"""Columns that differ from one execution to the next; all others are the same for the same run."""

_SCHEMA = f"""
create table if not exists run ({", ".join(f"{name} text primary key" if name == "key" else name for name in COLUMNS)});
create table if not exists source (spec text primary key, digest, name, problem, sense, size);
create table if not exists study (name text primary key, text, total, begun);
create table if not exists folder (study text primary key, path);
create table if not exists environment (id integer primary key, content text unique);
create index if not exists run_order on run (kind, problem, instance, solver);
"""


class Store:
    """An open store; a context manager.

    Parameters
    ----------
    path : Path
    create : bool
        Whether a file that is not there is made.

    Raises
    ------
    InstanceError
        If the file is not there, or no store.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if not create and not path.exists():
            raise InstanceError(f"{path}: there is no such store; 'edgeopt study run' makes one")
        if path.is_dir() or not path.parent.is_dir():
            raise InstanceError(f"{path}: must be a file in a directory that exists")
        self.path = path
        try:
            self.connection = sqlite3.connect(path, isolation_level=None, timeout=30.0)
            # A killed process loses nothing that was committed; only a crash of the machine may lose the last runs.
            self.connection.execute("pragma journal_mode = wal")
            self.connection.execute("pragma synchronous = normal")
            found = self.connection.execute("pragma user_version").fetchone()[0]
            if found not in (0, FORMAT):
                raise InstanceError(f"{path}: a store of version {found}; this edgeopt knows version {FORMAT}")
            self.connection.executescript(_SCHEMA)
            self.connection.execute(f"pragma user_version = {FORMAT}")
        except sqlite3.Error as error:
            raise InstanceError(f"{path}: not a store of studies: {error}") from error

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; its log is folded into it."""
        self.connection.close()

    def begin(self, name: str, text: str, total: int, folder: Path) -> None:
        """Note a study, and where its files are named from; the same one may be noted again."""
        self.connection.execute("insert or replace into study values (?, ?, ?, ?)", (name, text, total, _now()))
        # Seen from the store, so that both can be moved together.
        path = os.path.relpath(folder.resolve(), self.path.resolve().parent)
        self.connection.execute("insert or replace into folder values (?, ?)", (name, path))

    def folder(self, study: str) -> str:
        """Where a study's files are named from; the working directory for stores that were made before it was kept."""
        row = self.connection.execute("select path from folder where study = ?", (study,)).fetchone()
        return "" if row is None else str(self.path.resolve().parent / row[0])

    def environment(self, content: Mapping[str, Any]) -> int:
        """Number of the set of versions that runs are made with."""
        text = json.dumps(content, sort_keys=True)
        self.connection.execute("insert or ignore into environment (content) values (?)", (text,))
        found: int = self.connection.execute("select id from environment where content = ?", (text,)).fetchone()[0]
        return found

    def identity(self, spec: str) -> Identity | None:
        """What a source is known to be."""
        row = self.connection.execute(
            "select digest, name, problem, sense, size from source where spec = ?", (spec,)
        ).fetchone()
        return None if row is None else Identity(*row)

    def learn(self, spec: str, identity: Identity) -> None:
        """Remember what a source is."""
        fields = (identity.digest, identity.name, identity.problem, identity.sense, identity.size)
        self.connection.execute("insert or replace into source values (?, ?, ?, ?, ?, ?)", (spec, *fields))

    def status(self, key: str) -> str | None:
        """How the run of a key ended; None where there is none."""
        row = self.connection.execute("select status from run where key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def add(self, study: str, task: Task, identity: Identity, found: Mapping[str, Any], environment: int) -> None:
        """Keep a finished run: one transaction."""
        values = {
            "key": task.key(identity.digest), "study": study, "kind": task.kind, "problem": identity.problem,
            "instance": identity.name, "digest": identity.digest, "size": identity.size, "sense": identity.sense,
            "source": json.dumps(task.source, sort_keys=True), "solver": task.solver,
            "options": json.dumps(task.options, sort_keys=True), "seed": task.seed,
            "time_limit_s": task.time_limit_s, "version": _version(), "finished": _now(), "environment": environment,
            **found, "metrics": json.dumps(found.get("metrics", {}), sort_keys=True),
        }  # fmt: skip
        marks = ", ".join("?" * len(COLUMNS))
        self.connection.execute(
            f"insert or replace into run ({', '.join(COLUMNS)}) values ({marks})",
            [values.get(name) for name in COLUMNS],
        )

    def rows(self, study: str | None = None, kind: str | None = None) -> Iterator[dict[str, Any]]:
        """Runs in an order that does not depend on when they were made."""
        where = [f"{name} = ?" for name, value in (("study", study), ("kind", kind)) if value is not None]
        text = f"select {', '.join(COLUMNS)} from run {'where ' + ' and '.join(where) if where else ''}"
        text += " order by kind, problem, instance, digest, solver, options, seed, key"
        with closing(self.connection.execute(text, [v for v in (study, kind) if v is not None])) as found:
            for row in found:
                yield dict(zip(COLUMNS, row, strict=True))

    def counts(self) -> dict[str, int]:
        """Number of runs by how they ended."""
        return dict(self.connection.execute("select status, count(*) from run group by status order by status"))

    def studies(self) -> list[tuple[str, str, int, str]]:
        """Name, text, number of tasks and last begin of each study."""
        return list(self.connection.execute("select name, text, total, begun from study order by name"))

    def environments(self) -> dict[int, dict[str, Any]]:
        """The sets of versions that runs were made with."""
        found = self.connection.execute("select id, content from environment order by id")
        return {number: json.loads(content) for number, content in found}


def _version() -> str:
    from edgeopt import __version__

    return __version__


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
