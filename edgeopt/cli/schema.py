"""``edgeopt schema PROBLEM``: the JSON Schema of its instance files."""

from __future__ import annotations

from typing import Annotated

import typer


def schema(problem: Annotated[str, typer.Argument(metavar="PROBLEM")]) -> None:
    """Print the JSON Schema of a problem's instance files."""
    import json

    from edgeopt.instances.base import problem as family

    typer.echo(json.dumps(family(problem).schema(), indent=2))
