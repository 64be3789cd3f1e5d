"""``edgeopt best-known DIR``: the table of the best value and bound that is known of each instance file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from edgeopt.cli.files import Reading
from edgeopt.cli.guard import Outcome
from edgeopt.cli.solve import Seed


def best_known(
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Directory with instance files and the table best_known.csv.")
    ] = Path("instances"),
    solver: Annotated[
        str | None,
        typer.Option(metavar="S,...", help="Solvers to run; 'close' without, or the problem's exact solver."),
    ] = None,
    time_limit: Annotated[float, typer.Option(metavar="S", help="Limit of every solver run (s).")] = 60.0,
    seed: Seed = 0,
    force: Annotated[bool, typer.Option("--force", help="Run on instances whose gap is closed, too.")] = False,
    most_bytes: Annotated[
        int | None, typer.Option(metavar="N", help="A packed certificate that is larger is not stored.")
    ] = None,
) -> None:
    """Refresh DIR/best_known.csv: an entry changes only when value or bound gets better.

    Beside each entry lies its certificate, in DIR/certificates, which 'edgeopt verify' confirms.
    """
    from datetime import UTC, datetime

    from edgeopt.certify import best_known as table
    from edgeopt.cli.progress import ProgressPrinter
    from edgeopt.errors import InstanceError

    if not directory.is_dir():
        raise InstanceError(f"{directory}: must be a directory with instance files")
    outcome = Outcome()
    files = list(Reading().files([directory], outcome))
    stems = [file.name.partition(".")[0] for file in files]
    for file, stem in zip(files, stems, strict=True):
        if stems.count(stem) > 1:
            raise InstanceError(f"{file}: another file is called {stem}, too; their certificates would clash")
    entries = table.read_table(directory / table.TABLE)
    names = [name.strip() for name in solver.split(",") if name.strip()] if solver else None
    _all_known(names or [])
    for file in files:
        key = file.relative_to(directory).as_posix()
        old = entries.get(key)
        try:
            with ProgressPrinter(file.name) as progress:
                entry = table.refresh(
                    directory,
                    file,
                    Reading().read(file),
                    old,
                    date=datetime.now(UTC).date().isoformat(),
                    names=names,
                    time_limit=time_limit,
                    seed=seed,
                    force=force,
                    most_bytes=table.MOST_BYTES if most_bytes is None else most_bytes,
                    progress=progress,
                )
        except InstanceError as error:
            outcome.refuse(error)
            continue
        if entry is None:
            typer.echo(f"{key}: nothing found")
            continue
        change = "as before" if entry == old else "new" if old is None else "better"
        typer.echo(f"{key}: {change}: {entry.value} of {entry.bound}")
        if entry != old:  # written at once: a run that is stopped has lost nothing
            entries[key] = entry
            table.write_table(entries.values(), directory / table.TABLE)
    outcome.exit()


def _all_known(names: Sequence[str]) -> None:
    """Each name must be a solver of some problem; which instances it takes is another question."""
    from edgeopt.errors import UnknownNameError
    from edgeopt.instances.base import problem_names
    from edgeopt.solvers.base import known_somewhere, solvers

    for name in names:
        if not known_somewhere(name):
            known = {other for problem in problem_names() for other in solvers(problem)}
            raise UnknownNameError(f"no solver {name!r}; there are: {', '.join(sorted(known))}")
