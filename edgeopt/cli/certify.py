"""``edgeopt certify``: how good is each solver's answer, and who says so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeopt.cli.files import Files, Reading, reads_formats
from edgeopt.cli.guard import Outcome
from edgeopt.cli.solve import AsJson, Seed, SolverOptions, Workers, solver_options

if TYPE_CHECKING:
    from edgeopt.certify.store import Store
    from edgeopt.cli.certify_run import Job, Said
    from edgeopt.cli.rows import Printer


@reads_formats
def certify(
    files: Files,
    reading: Reading,
    solver: Annotated[
        str | None, typer.Option(metavar="S,...", help="Solvers to certify; the problem's default without.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="S,...",
            help="Exact solvers to compare with; without, the problem's exact solver where no proof closes the gap.",
        ),
    ] = None,
    option: SolverOptions = None,
    time_limit: Annotated[float, typer.Option(metavar="S", help="Limit of every solver run (s).")] = 60.0,
    seed: Seed = 0,
    workers: Workers = 1,
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="Instances at a time, each in its own process.")] = 1,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Directory for the certificates; a second run does what is missing."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Make certificates again that are there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check answers exactly and print value, bound, ratio and the evidence for them.

    The ratio is value over bound, rounded down. Evidence: proved (confirmed by the stand-alone verifier), agreed (two
    independent exact solvers), claimed (one solver's word), checked (no bound). Exit code 1 if a solver claims
    what exact arithmetic refutes, or breaks its guarantee.
    """
    from edgeopt.certify.store import Store
    from edgeopt.cli import rows
    from edgeopt.cli.certify_run import Job

    outcome = Outcome()
    settings = {"time_limit": time_limit, "seed": seed, "workers": workers}
    options = solver_options(option or [])
    store = None if out is None else Store(out)
    names, references = _names(solver) or None, None if against is None else _names(against)
    pending = [
        Job(file, reading, names, references, options, settings, out, force) for file in reading.files(files, outcome)
    ]
    with rows.printing(as_json) as printer:
        if jobs == 1:
            _one_by_one(pending, printer, outcome, store)
        else:
            from edgeopt.cli.parallel import side_by_side

            side_by_side(pending, jobs, lambda said: _hear(said, printer, outcome, store), outcome)
    outcome.exit()


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def _one_by_one(pending: Sequence[Job], printer: Printer, outcome: Outcome, store: Store | None) -> None:
    from edgeopt.cli.certify_run import work
    from edgeopt.cli.progress import ProgressPrinter

    for job in pending:
        with ProgressPrinter(job.file.name) as progress:
            work(job, lambda said: _hear(said, printer, outcome, store), progress)
        if outcome.interrupted:
            return


def _hear(said: Said, printer: Printer, outcome: Outcome, store: Store | None) -> None:
    if said.refused is not None:
        outcome.refuse(said.refused)
    if said.row is not None:
        printer.add(said.row)
        outcome.violated |= bool(said.row["violations"])
    if said.record is not None and store is not None:
        store.log(said.record)
    outcome.interrupted |= said.interrupted
