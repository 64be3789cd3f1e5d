"""``edgeopt solvers``: what can be run."""

from __future__ import annotations

from typing import Annotated

import typer

from edgeopt.cli.solve import AsJson


def solvers(
    problem: Annotated[str | None, typer.Argument(metavar="PROBLEM", help="Only the solvers of this one.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the registered solvers, ours and those of plug-ins."""
    import json

    from edgeopt.instances.base import problem_names
    from edgeopt.solvers.base import solvers as registered

    found = [info for name in ([problem] if problem else problem_names()) for info in registered(name).values()]
    if as_json:
        for info in found:
            fields = ("problem", "name", "exact", "guarantee", "description")
            typer.echo(json.dumps({field: getattr(info, field) for field in fields}))
        return
    from rich import box
    from rich.table import Table

    from edgeopt.cli.rows import console

    table = Table("problem", "solver", "kind", "what it does", box=box.SIMPLE_HEAD, show_edge=False)
    for info in found:
        kind = "exact" if info.exact else f">= {info.guarantee}" if info.guarantee else "heuristic"
        table.add_row(info.problem, info.name, kind, info.description)
    console().print(table, markup=False)
