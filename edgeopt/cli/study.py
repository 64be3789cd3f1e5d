"""``edgeopt study run|show|export`` and ``edgeopt report``: many runs, kept in a store."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeopt.cli.guard import INTERRUPTED, guarded

if TYPE_CHECKING:
    from edgeopt.studies.runner import Progress

WITHOUT_ANSWER = 1
"""Exit code of a study with runs that failed, died or overran."""
EVERY_S = 2.0
"""Time between two lines of progress (s)."""

app = typer.Typer(
    help="Run many solvers on many instances, once, and keep what came of it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

StoreFile = Annotated[Path, typer.Argument(metavar="STORE", help="Store that 'study run' has made.")]


def run(
    file: Annotated[Path, typer.Argument(metavar="STUDY", help="Study file (.toml).")],
    store: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Store; the study's name with .sqlite beside it without.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, metavar="N", help="Local processes.")] = 1,
    scheduler: Annotated[
        str | None, typer.Option(metavar="tcp://HOST:PORT", help="Run on this Dask cluster instead.")
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Do runs again that ended without an answer.")] = False,
) -> None:
    """Do what is left of a study; Ctrl-C or a crash loses nothing that was finished.

    The exit code is 1 if some run has no answer.
    """
    from edgeopt.studies.cluster import DaskPool
    from edgeopt.studies.environment import versions
    from edgeopt.studies.local import LocalPool
    from edgeopt.studies.runner import run_study
    from edgeopt.studies.store import Store
    from edgeopt.studies.study import read_study

    study = read_study(file)
    path = file.with_suffix(".sqlite") if store is None else store
    printer = _Printer()
    with Store(path, create=True) as kept:
        pool = LocalPool(workers) if scheduler is None else DaskPool(scheduler)
        try:
            with pool:
                progress = run_study(study, kept, pool, retry=retry, environment=versions(), listen=printer)
        except KeyboardInterrupt:
            typer.echo(f"{path}: stopped; run it again to go on", err=True)
            raise typer.Exit(INTERRUPTED) from None
        typer.echo(f"{path}: {progress.line()}")
    if progress.failed:
        raise typer.Exit(WITHOUT_ANSWER)


class _Printer:
    """Progress on stderr, a line every few seconds."""

    def __init__(self) -> None:
        self.latest = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self.latest >= EVERY_S:
            self.latest = now
            print(progress.line(), file=sys.stderr, flush=True)


def show(
    store: StoreFile,
    every: Annotated[bool, typer.Option("--all", help="A row a run instead of a row a solver.")] = False,
) -> None:
    """Print what a store has: a row for each problem and solver, or for each run."""
    from edgeopt.cli.rows import console
    from edgeopt.studies.store import Store
    from edgeopt.studies.table import by_run, by_solver

    with Store(store) as kept:
        console().print(by_run(kept) if every else by_solver(kept), markup=False)


def export(
    store: StoreFile,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="File to write: .csv or .parquet.")],
    timing: Annotated[
        bool, typer.Option("--timing/--no-timing", help="Columns that differ from one execution to the next.")
    ] = True,
) -> None:
    """Write all runs of a store as CSV or Parquet."""
    from edgeopt.studies.export import export as write
    from edgeopt.studies.store import Store

    with Store(store) as kept:
        typer.echo(f"wrote {output}: {write(kept, output, timing=timing)} runs")


def report(
    store: StoreFile,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="File to write; STORE with .html without.")
    ] = None,
    worst: Annotated[int, typer.Option(min=0, metavar="N", help="Worst instances of a problem to certify.")] = 5,
    time_limit: Annotated[float, typer.Option(metavar="S", help="Limit of each certificate (s).")] = 20.0,
) -> None:
    """Write one self-contained HTML page about a store: profiles, ratios, scaling, worst instances."""
    from edgeopt.errors import InstanceError
    from edgeopt.instances.io import write_bytes
    from edgeopt.studies.report import report as page
    from edgeopt.studies.store import Store

    if not time_limit > 0:  # not a number is none either
        raise InstanceError(f"--time-limit {time_limit:g} (s): must be > 0")
    with Store(store) as kept:
        target = kept.apart(store.with_suffix(".html") if output is None else output)
        text = page(kept, worst=worst, certify_s=time_limit, say=lambda words: typer.echo(words, err=True))
    write_bytes(text.encode(), target)
    typer.echo(f"wrote {target}: {len(text.encode()) / 1e6:.2f} MB")


app.command()(guarded(run))
app.command()(guarded(show))
app.command()(guarded(export))
