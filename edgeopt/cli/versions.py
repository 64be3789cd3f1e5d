"""``edgeopt versions``: what is installed, and which back ends work."""

from __future__ import annotations

from edgeopt.cli.solve import AsJson


def versions(as_json: AsJson = False) -> None:
    """Show installed versions; each solver library solves a tiny problem in a child process."""
    import json

    import typer

    from edgeopt.versions import report

    found = report()
    if as_json:
        for part in found:
            typer.echo(json.dumps({"name": part.name, "version": part.version, "works": part.works, "note": part.note}))
        return
    from rich import box
    from rich.table import Table

    from edgeopt.cli.rows import console

    table = Table("part", "version", "works", "note", box=box.SIMPLE_HEAD, show_edge=False)
    for part in found:
        works = {True: "yes", False: "NO", None: ""}[part.works]
        table.add_row(part.name, part.version or "-", works, part.note)
    console().print(table, markup=False)
