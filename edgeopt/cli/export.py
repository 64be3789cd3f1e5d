"""``edgeopt export FILE -o MODEL``: an instance as MPS or LP, for any other solver."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgeopt.cli.files import Reading, reads_formats


@reads_formats
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Instance file.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="MODEL", help="File to write: .mps, .lp, or one of these and .gz.")
    ],
    reading: Reading,
    form: Annotated[str | None, typer.Option(help="Formulation; the problem's default without.")] = None,
) -> None:
    """Write an instance's exact model, so that any other solver can be run on it."""
    from edgeopt.models.export import write_model

    instance = reading.read(file)
    write_model(instance, output, form)
    typer.echo(f"wrote {output}: {instance.name}")
