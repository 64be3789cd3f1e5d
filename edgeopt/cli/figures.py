"""``edgeopt figures PROBLEM``: the figures of a problem as pictures, each with its numbers as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgeopt.cli.solve import solver_options

ALL = "all"


def figures(
    problem: Annotated[str, typer.Argument(metavar="PROBLEM")],
    figure: Annotated[str, typer.Option(metavar="NAME", help="Which figure; a wrong name lists them.")] = ALL,
    seeds: Annotated[int, typer.Option(min=1, help="Instances a point.")] = 20,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Directory for pictures and tables.")] = Path("figures"),
    option: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Option of 'generate' or 'simulate', e.g. users=40."),
    ] = None,
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Real traffic to draw on, for problems that simulate it.")
    ] = None,
    formats: Annotated[str, typer.Option("--format", metavar="F,...", help="Of the pictures: pdf, png.")] = "pdf,png",
) -> None:
    """Draw the figures of a problem: means over seeds with confidence bands, a CSV beside every picture."""
    from edgeopt.errors import UnknownNameError
    from edgeopt.plots import base

    there = base.figures_of(problem)
    if figure != ALL and figure not in there:
        raise UnknownNameError(f"no figure {figure!r} of {problem}; there are: {', '.join([*there, ALL])}")
    endings = [name.strip() for name in formats.split(",")]
    for name in endings:
        if name not in base.FORMATS:
            raise UnknownNameError(f"no picture format {name!r}; there are: {', '.join(base.FORMATS)}")
    base.require_directory(out)
    base.require_matplotlib()
    given = {} if trace is None else {"trace": str(trace)}
    makers = list(there.values()) if figure == ALL else [there[figure]]
    settings = base.settings(makers, base.Setting(seeds, solver_options(option or []) | given))
    for maker, setting in zip(makers, settings, strict=True):
        made = maker.make(setting)
        paths = base.save(made, out, prefix=problem, formats=endings)
        typer.echo(f"{maker.name}: {', '.join(str(path) for path in paths)}")
        for sentence in made.findings:
            typer.echo(f"  {sentence}")
