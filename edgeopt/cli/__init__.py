"""The command line: a file a verb, each importing what it needs when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from edgeopt import __version__
from edgeopt.cli import (
    bench,
    best_known,
    certify,
    check,
    export,
    figures,
    generate,
    schema,
    simulate,
    solve,
    solvers,
    study,
    verify,
    versions,
)
from edgeopt.cli.guard import guarded

# Without markup typer does not import rich for help and errors, which halves the start of the program.
app = typer.Typer(
    name="edgeopt",
    help="Optimisation for AI at the wireless edge: exact models, fast algorithms, proved answers.",
    epilog="Exit codes: 0 fine, 1 a claim or guarantee is violated or a run failed, 2 bad input.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edgeopt {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """See the help of `app`."""


app.command(**generate.COMMAND)(guarded(generate.generate))
app.command()(guarded(solve.solve))
app.command()(guarded(check.check))
app.command()(guarded(certify.certify))
app.command()(guarded(verify.verify))
app.command()(guarded(export.export))
app.command()(guarded(solvers.solvers))
app.command()(guarded(bench.bench))
app.command()(guarded(best_known.best_known))
app.command(**simulate.COMMAND)(guarded(simulate.simulate))
app.add_typer(study.app, name="study")
app.command()(guarded(study.report))
app.command()(guarded(figures.figures))
app.command()(guarded(schema.schema))
app.command()(guarded(versions.versions))


def main() -> None:
    """Entry point of the program ``edgeopt``."""
    app(prog_name="edgeopt")
