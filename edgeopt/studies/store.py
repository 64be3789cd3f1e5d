"""Where finished runs are kept: one SQLite file in WAL mode, a transaction a run, keyed by content."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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

_SCHEMA = (
    f"create table if not exists run ({', '.join(f'{n} text primary key' if n == 'key' else n for n in COLUMNS)})",
    "create table if not exists source (spec text primary key, digest, name, problem, sense, size)",
    "create table if not exists study (name text primary key, text, total, begun)",
    "create table if not exists folder (study text primary key, path)",
    "create table if not exists asked (study text, key text, primary key (study, key)) without rowid",
    "create table if not exists environment (id integer primary key, content text unique)",
    "create index if not exists run_order on run (kind, problem, instance, solver)",
)
_CAUSES = {
    "SQLITE_NOTADB": "not a store of studies",
    "SQLITE_CORRUPT": "the store is damaged",
    "SQLITE_READONLY": "cannot be written",
    "SQLITE_FULL": "cannot be written",
    "SQLITE_IOERR": "cannot be read or written",
    "SQLITE_CANTOPEN": "cannot be opened",
    "SQLITE_BUSY": "in use by another program",
}
"""What the errors of SQLite mean here, by how their names begin."""


class Store:
    """An open store; a context manager.

    Parameters
    ----------
    path : Path
    create : bool
        Whether it is to be written, and a file that is not there is made; without, nothing in it is changed.

    Raises
    ------
    InstanceError
        If the file is not there, or no store; later, if it cannot be read or written.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if not create and not path.exists():
            raise InstanceError(f"{path}: there is no such store; 'edgeopt study run' makes one")
        if path.is_dir() or not path.parent.is_dir():
            raise InstanceError(f"{path}: must be a file in a directory that exists")
        self.path = path
        with self._named():
            self.connection = self._connect("mode=rwc" if create else "mode=rw")
            try:
                if create:
                    self._make()
                else:
                    self._look()
            except BaseException:
                self.connection.close()
                raise

    def _connect(self, how: str) -> sqlite3.Connection:
        return sqlite3.connect(f"{self.path.resolve().as_uri()}?{how}", uri=True, isolation_level=None, timeout=30.0)

    def _make(self) -> None:
        """Tables that are missing: all or none, so that a file is a store or empty wherever the process is killed."""
        self.connection.execute("begin immediate")
        self._check(empty=True)
        for statement in _SCHEMA:
            self.connection.execute(statement)
        self.connection.execute(f"pragma user_version = {FORMAT}")
        self.connection.execute("commit")
        # A killed process loses nothing that was committed; only a crash of the machine may lose the last runs.
        self.connection.execute("pragma journal_mode = wal")
        self.connection.execute("pragma synchronous = normal")

    def _look(self) -> None:
        # Not opened as read only: that leaves the log's files behind.
        self.connection.execute("pragma query_only = on")
        try:
            self._check(empty=False)
        except sqlite3.OperationalError as error:
            file = self.path.resolve()
            log = file.with_name(file.name + "-wal")
            if not error.sqlite_errorname.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")) or log.exists():
                raise
            # No log can be made here, so nobody writes either.
            self.connection.close()
            self.connection = self._connect("immutable=1")
            self._check(empty=False)

    def _check(self, *, empty: bool) -> None:
        """Whether this is a store, or may become one."""
        found = self.connection.execute("pragma user_version").fetchone()[0]
        tables = {name for (name,) in self.connection.execute("select name from sqlite_master")}
        if found == 0 and not tables and empty:
            return
        if found == 0 or (found == FORMAT and not {"run", "study"} <= tables):
            raise InstanceError(f"{self.path}: not a store of studies" + ("" if tables else ": it is empty"))
        if found != FORMAT:
            raise InstanceError(f"{self.path}: a store of version {found}; this edgeopt knows version {FORMAT}")

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Errors of SQLite with the file and what they mean."""
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            cause = next(
                (words for start, words in _CAUSES.items() if name.startswith(start)), "not a store of studies"
            )
            raise InstanceError(f"{self.path}: {cause}: {error}") from error

    def _do(self, text: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Do a statement; what it found."""
        with self._named():
            return self.connection.execute(text, values).fetchall()

    def apart(self, target: Path) -> Path:
        """A file to write.

        Raises
        ------
        InstanceError
            If it is the store.
        """
        if target.resolve() == self.path.resolve():
            raise InstanceError(f"{target}: is the store itself; give another file with --output")
        return target

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
        self._do("insert or replace into study values (?, ?, ?, ?)", (name, text, total, _now()))
        # Seen from the store, so that both can be moved together.
        path = os.path.relpath(folder.resolve(), self.path.resolve().parent)
        self._do("insert or replace into folder values (?, ?)", (name, path))

    def folder(self, study: str) -> str:
        """Where a study's files are named from; the working directory for stores that were made before it was kept."""
        if not self._has("folder"):
            return ""
        rows = self._do("select path from folder where study = ?", (study,))
        return str(self.path.resolve().parent / rows[0][0]) if rows else ""

    def _has(self, table: str) -> bool:
        """Whether there is a table that stores had not from the beginning; one that is only read gets none."""
        return bool(self._do("select 1 from sqlite_master where name = ?", (table,)))

    def environment(self, content: Mapping[str, Any]) -> int:
        """Number of the set of versions that runs are made with."""
        text = json.dumps(content, sort_keys=True)
        self._do("insert or ignore into environment (content) values (?)", (text,))
        found: int = self._do("select id from environment where content = ?", (text,))[0][0]
        return found

    def identity(self, spec: str) -> Identity | None:
        """What a source is known to be."""
        rows = self._do("select digest, name, problem, sense, size from source where spec = ?", (spec,))
        return Identity(*rows[0]) if rows else None

    def learn(self, spec: str, identity: Identity) -> None:
        """Remember what a source is."""
        fields = (identity.digest, identity.name, identity.problem, identity.sense, identity.size)
        self._do("insert or replace into source values (?, ?, ?, ?, ?, ?)", (spec, *fields))

    def ask(self, study: str, key: str) -> None:
        """Note that a study asks for a run, whoever made or makes it."""
        self._do("insert or ignore into asked values (?, ?)", (study, key))

    def asked(self, study: str) -> set[str]:
        """Keys of the runs that a study asked for; none in stores that were made before this was kept."""
        if not self._has("asked"):
            return set()
        return {key for (key,) in self._do("select key from asked where study = ?", (study,))}

    def status(self, key: str) -> str | None:
        """How the run of a key ended; None where there is none."""
        rows = self._do("select status from run where key = ?", (key,))
        return str(rows[0][0]) if rows else None

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
        self._do(
            f"insert or replace into run ({', '.join(COLUMNS)}) values ({marks})",
            [values.get(name) for name in COLUMNS],
        )

    def rows(self, study: str | None = None, kind: str | None = None) -> Iterator[dict[str, Any]]:
        """Runs in an order that does not depend on when they were made."""
        where = [f"{name} = ?" for name, value in (("study", study), ("kind", kind)) if value is not None]
        text = f"select {', '.join(COLUMNS)} from run {'where ' + ' and '.join(where) if where else ''}"
        text += " order by kind, problem, instance, digest, solver, options, seed, key"
        for row in self._do(text, [v for v in (study, kind) if v is not None]):
            yield dict(zip(COLUMNS, row, strict=True))

    def counts(self) -> dict[str, int]:
        """Number of runs by how they ended."""
        return dict(self._do("select status, count(*) from run group by status order by status"))

    def studies(self) -> list[tuple[str, str, int, str]]:
        """Name, text, number of tasks and last begin of each study."""
        found = self._do("select name, text, total, begun from study order by name")
        return [(name, text, total, begun) for name, text, total, begun in found]

    def environments(self) -> dict[int, dict[str, Any]]:
        """The sets of versions that runs were made with."""
        found = self._do("select id, content from environment order by id")
        return {number: json.loads(content) for number, content in found}


def _version() -> str:
    from edgeopt import __version__

    return __version__


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
