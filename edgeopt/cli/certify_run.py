"""One instance of ``edgeopt certify``: every solver on it, in this process or in one of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeopt.cli.files import Reading

if TYPE_CHECKING:
    from edgeopt.certify.compare import Comparison
    from edgeopt.cli.rows import Row
    from edgeopt.result import Result
    from edgeopt.solvers.base import Progress

TARGET = "edgeopt.cli.certify_run:run"


@dataclass(frozen=True, slots=True)
class Job:
    """An instance file and what is to be done with it.

    Attributes
    ----------
    file : Path
    reading : Reading
    names : tuple of str or None
        Solvers to certify; the problem's default when None.
    against : tuple of str or None
        Solvers to compare with; see `edgeopt.certify.compare.certify`.
    options : dict
        Options of the solvers to certify.
    settings : dict
        Limit, seed and workers of every solver run.
    out : Path or None
        Directory for the certificates.
    force : bool
        Whether what is there already is made again.
    """

    file: Path
    reading: Reading
    names: tuple[str, ...] | None
    against: tuple[str, ...] | None
    options: dict[str, Any]
    settings: dict[str, Any]
    out: Path | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """What a job reports: a row, or a bad input, or both.

    Attributes
    ----------
    row : dict or None
        For the table or as JSON.
    refused : str or None
        What is wrong with the input.
    interrupted : bool
        Whether the user ended it.
    record : dict or None
        What the log of the directory remembers of the row.
    """

    row: Row | None = None
    refused: str | None = None
    interrupted: bool = False
    record: dict[str, Any] | None = field(default=None)


def run(job: Job, seconds: float | None, emit: Callable[[Said | Progress], None], stop: threading.Event) -> None:
    """Do a job in a child process; see `edgeopt.solvers.child`. Ctrl-C ends the child, rows it sent are kept."""
    work(job, emit, emit)


def work(job: Job, say: Callable[[Said], None], listen: Callable[[Progress], None]) -> bool:
    """A row a solver; whatever has run on this instance is not run again. False if the user has ended it."""
    from edgeopt import __version__
    from edgeopt.certify.store import Store
    from edgeopt.cli import rows
    from edgeopt.errors import AssumptionError, BackendError, InstanceError, SeveralInstancesError, UnknownNameError
    from edgeopt.instances.base import default_solver, digits_of
    from edgeopt.solvers.base import known_somewhere
    from edgeopt.solvers.base import solver as registered

    try:
        instance = job.reading.read(job.file)
    except SeveralInstancesError as error:
        parts = (replace(job, reading=job.reading.numbered(number)) for number in range(1, error.count + 1))
        return all(work(part, say, listen) for part in parts)
    except InstanceError as error:
        say(Said(refused=str(error)))
        return True
    names = job.names or (default_solver(instance),)
    try:
        for name in [*names, *(job.against or ())]:
            registered(instance.problem, name)
    except UnknownNameError as error:
        if not known_somewhere(name):
            raise
        say(Said(refused=f"{job.file}: {error}"))
        return True
    store = None if job.out is None else Store(job.out)
    known: dict[str, Result] = {}
    for name in names:
        key = {
            "digest": instance.digest, "solver": name, "options": job.options, "against": job.against, **job.settings,
            "version": __version__, "digits": digits_of(instance),
        }  # fmt: skip
        kept = None if store is None or job.force else store.kept(key)
        if kept is not None:
            say(Said({**kept, "message": "; ".join(filter(None, ["kept", kept["message"]]))}))
            continue
        try:
            comparison = _comparison(job, instance, name, known, listen)
        except (AssumptionError, BackendError, InstanceError) as error:
            row = rows.row(
                instance=instance.name, file=str(job.file), problem=instance.problem, solver=name, message=str(error)
            )
            say(Said(row, refused=f"{job.file}: {name}: {error}" if isinstance(error, BackendError) else str(error)))
            continue
        path = None
        if store is not None and comparison.certificate is not None:
            path = store.add(instance, name, comparison)
        row = rows.of_comparison(job.file, comparison) | {"certificate": None if path is None else str(path)}
        say(Said(row, interrupted=comparison.interrupted, record=None if path is None else {"key": key, "row": row}))
        known.update((result.solver, result) for result in (comparison.result, *comparison.references))
        if comparison.interrupted:
            return False
    return True


def _comparison(
    job: Job, instance: Any, name: str, known: dict[str, Result], listen: Callable[[Progress], None]
) -> Comparison:
    from edgeopt.certify.compare import certify
    from edgeopt.solvers.base import solve

    references = None if job.against is None else [known.get(other, other) for other in job.against if other != name]
    answer: Result | str = known.get(name, name)
    if job.options:
        answer = solve(instance, name, progress=listen, **job.settings, **job.options)
    return certify(instance, answer, against=references, progress=listen, file=job.file, **job.settings)
