"""The best-known table: for each instance file the best checked value and proved bound, which only ever improve."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgeopt import __version__
from edgeopt.certify.audit import audit
from edgeopt.certify.certificate import Certificate, matches, read_certificate, write_certificate
from edgeopt.certify.parts import has_parts
from edgeopt.certify.proved import prove, solution_of
from edgeopt.certify.verify import certificate as verifier
from edgeopt.certify.verify.reading import Refuted
from edgeopt.errors import AssumptionError, BackendError, InstanceError
from edgeopt.instances.base import Instance, exact_solver, sense_of
from edgeopt.instances.io import read_bytes, write_bytes
from edgeopt.result import Result, Termination
from edgeopt.solvers.base import Control, Progress, solve, solvers

TABLE, CERTIFICATES = "best_known.csv", "certificates"
"""In the directory of the instances."""
MOST_BYTES = 300_000
"""A packed certificate above this is not stored beside the entry."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the table.

    Attributes
    ----------
    file : str
        Instance file, relative to the table.
    problem : str
    value : int or None
        Best checked value.
    bound : int or None
        Best proved bound.
    evidence : str
        Label of the bound; ``checked`` without one.
    solver, version, date : str
        What found the last improvement, with which edgeopt, and when.
    certificate : str
        Path of the certificate, relative to the table; empty where none is stored, `note` says why.
    digest : str
        Of the instance that the entry is about.
    note : str
    """

    file: str
    problem: str
    value: int | None
    bound: int | None
    evidence: str
    solver: str
    version: str
    date: str
    certificate: str
    digest: str
    note: str = ""

    @property
    def closed(self) -> bool:
        """Whether the value meets the bound."""
        return self.value is not None and self.value == self.bound


def read_table(path: Path) -> dict[str, Entry]:
    """The table by instance file; empty if there is no file yet.

    Raises
    ------
    InstanceError
        If the file is not a best-known table.
    """
    if not path.exists():
        return {}
    reader = csv.DictReader(io.StringIO(read_bytes(path).decode()))
    columns = [field.name for field in dataclasses.fields(Entry)]
    if reader.fieldnames != columns:
        raise InstanceError(f"{path}: the columns must be {', '.join(columns)}")
    found = {}
    for line in reader:
        try:
            numbers = {name: int(line[name]) if line[name] else None for name in ("value", "bound")}
        except (TypeError, ValueError):
            raise InstanceError(f"{path}, line {reader.line_num}: value and bound must be whole numbers") from None
        found[line["file"]] = Entry(**{**line, **numbers})  # type: ignore[arg-type]
    return found


def write_table(entries: Iterable[Entry], path: Path) -> None:
    """Write the table, sorted by file, whole or not at all."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in dataclasses.fields(Entry)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(dataclasses.asdict(entry) for entry in sorted(entries, key=lambda entry: entry.file))
    write_bytes(text.getvalue().encode(), path)


def refresh(
    directory: Path,
    file: Path,
    instance: Instance,
    old: Entry | None,
    *,
    date: str,
    names: Sequence[str] | None = None,
    time_limit: float | None = None,
    seed: int = 0,
    force: bool = False,
    most_bytes: int = MOST_BYTES,
    progress: Callable[[Progress], Any] | None = None,
) -> Entry | None:
    """Look for a better entry; the old one comes back unless value or bound or what is stored of them is better.

    Parameters
    ----------
    directory : Path
        Of the table.
    file : Path
        The instance's file, below `directory`.
    instance : Instance
    old : Entry or None
        Dropped where it is about another instance, or its certificate is damaged.
    date : str
        Of today.
    names : sequence of str, optional
        Solvers to run, those that the problem has; ``close`` when not given, else the exact solver.
    time_limit : float, optional
        Of every solver run, and of computing proofs (s).
    seed : int
    force : bool
        Whether to run the solvers on an instance whose entry is closed.
    most_bytes : int
        A packed certificate that is larger is not stored.
    progress : callable, optional

    Returns
    -------
    Entry or None
        None where there is nothing to enter: no solution and no bound.
    """
    if not has_parts(instance):
        raise InstanceError(f"{file}: {instance.problem} has no proofs of bounds")
    if old is not None and old.digest != instance.digest:
        old = None
    stored = _stored(directory, instance, old)
    if old is not None and old.certificate and stored is None:
        old = None
    if old is not None and old.closed and not force:
        return old
    found = _run(instance, names, stored, time_limit, seed, progress)
    made = _proved(instance, found, file, time_limit)
    if made is None:
        return old
    best = made if stored is None else better_of(made, stored, sense_of(instance))
    if best is stored:
        return old
    entry = Entry(
        file=file.relative_to(directory).as_posix(),
        problem=instance.problem,
        value=best.value,
        bound=best.bound,
        evidence="checked" if best.bound is None else "proved",
        solver=best.content["producer"]["solver"],
        version=__version__,
        date=date,
        certificate=f"{CERTIFICATES}/{file.name.partition('.')[0]}.json.gz",
        digest=instance.digest,
    )
    if old is not None and stored is None:  # numbers are all that is left of the old one
        return _beside(entry, old, best, sense_of(instance), directory, most_bytes)
    size = _store(best, directory / entry.certificate, most_bytes)
    if size <= most_bytes:
        return entry
    return old or replace(entry, certificate="", note=_too_large(entry, size))


def better_of(new: Certificate, old: Certificate, sense: str) -> Certificate:
    """The old certificate if the new one is nowhere better; else the better value with the better bound of the two."""
    sign = 1 if sense == "max" else -1
    if not _above(new.value, old.value, sign) and not _tighter(new.bound, old.bound, sign):
        return old
    solved = old if _above(old.value, new.value, sign) else new
    proved = old if _tighter(old.bound, new.bound, sign) else new
    return solved if solved is proved else recombined(solved, proved)


def recombined(solved: Certificate, proved: Certificate) -> Certificate:
    """The solution of one certificate with the proof of another one of the same program.

    Raises
    ------
    InstanceError
        If the solution is none of that program.
    """
    content = {**proved.content, "solution": solved.content["solution"], "producer": solved.content["producer"]}
    try:
        found = verifier.replay(content["program"], content["solution"], content["proof"])
    except Refuted as error:
        raise InstanceError(f"{content['instance']['name']}: {error}") from error
    ratio = verifier.ratio(found.sense, found.value, found.bound)
    content["claim"] = {
        "value": found.value,
        "bound": verifier.INFEASIBLE if found.bound is None else found.bound,
        "ratio": None if ratio is None else str(ratio),
        "guarantee": solved.content["claim"]["guarantee"],
    }
    content["seal"] = verifier.seal(content)
    made = Certificate(content)
    made.verify()
    return made


def _above(new: int | None, old: int | None, sign: int) -> bool:
    return new is not None and (old is None or sign * new > sign * old)


def _tighter(new: int | None, old: int | None, sign: int) -> bool:
    """Of proved bounds, where None says that there is no solution."""
    return old is not None and (new is None or sign * new < sign * old)


def _stored(directory: Path, instance: Instance, old: Entry | None) -> Certificate | None:
    """The certificate of an entry, if it verifies and is about this instance."""
    if old is None or not old.certificate:
        return None
    try:
        stored = read_certificate(directory / old.certificate)
    except InstanceError:
        return None
    return None if matches(stored, instance) else stored


def _run(
    instance: Instance,
    names: Sequence[str] | None,
    stored: Certificate | None,
    time_limit: float | None,
    seed: int,
    progress: Callable[[Progress], Any] | None,
) -> list[Result]:
    """What solvers find, starting from the solution that is there; a solver that refuses the instance is left out."""
    there = solvers(instance.problem)
    wanted = names or ["close" if "close" in there else exact_solver(instance)]
    start = None if stored is None else solution_of(stored, instance)
    found = []
    for name in (name for name in wanted if name in there):
        try:
            result = solve(instance, name, time_limit=time_limit, seed=seed, start=start, progress=progress)
        except (AssumptionError, BackendError):
            continue
        if result.termination is Termination.INTERRUPTED:
            raise KeyboardInterrupt
        found.append(result)
    return found


def _proved(instance: Instance, found: Sequence[Result], file: Path, time_limit: float | None) -> Certificate | None:
    """A certificate with the best checked solution and the best bound that the results' proofs give."""
    sign = 1 if sense_of(instance) == "max" else -1
    if not found:
        return None
    values = [audit(instance, result).checked for result in found]
    best = max(range(len(found)), key=lambda i: -math.inf if values[i] is None else sign * (values[i] or 0))
    others = [*found[:best], *found[best + 1 :]]
    control = Control(time_limit=time_limit)
    return prove(instance, found[best], others, control, feasible=values[best] is not None, file=file)[0]


def _beside(entry: Entry, old: Entry, best: Certificate, sense: str, directory: Path, most_bytes: int) -> Entry:
    """The better numbers of two, where the old ones have no certificate to show."""
    sign = 1 if sense == "max" else -1
    if not _above(old.value, entry.value, sign) and not _tighter(old.bound, entry.bound, sign):
        size = _store(best, directory / entry.certificate, most_bytes)
        if size <= most_bytes:
            return entry
    value = entry.value if _above(entry.value, old.value, sign) else old.value
    bound = entry.bound if _tighter(entry.bound, old.bound, sign) else old.bound
    if (value, bound) == (old.value, old.bound):
        return old
    return replace(entry, value=value, bound=bound, certificate="", note=old.note)


def _store(made: Certificate, path: Path, most_bytes: int) -> int:
    """Size of a certificate (bytes), which is stored if that is not too much."""
    path.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as directory:
        draft = Path(directory) / path.name
        write_certificate(made, draft)
        size = draft.stat().st_size
        if size <= most_bytes:
            draft.replace(path)
    return size


def _too_large(entry: Entry, size: int) -> str:
    again = f"edgeopt certify {entry.file} --solver {entry.solver} --out DIR"
    return f"a certificate of {size} bytes was verified but is too large to store; {again} makes one"
