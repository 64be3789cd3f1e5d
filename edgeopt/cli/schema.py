"""``edgeopt schema PROBLEM``: the JSON Schema of its instance files, or of certificates."""

from __future__ import annotations

from typing import Annotated

import typer

CERTIFICATE = "certificate"


def schema(
    problem: Annotated[str, typer.Argument(metavar="PROBLEM", help="Its instance files; 'certificate': those.")],
) -> None:
    """Print the JSON Schema of a problem's instance files, or of certificates."""
    import json

    from edgeopt.certify.certificate import schema as of_certificates
    from edgeopt.instances.base import problem as family

    typer.echo(json.dumps(of_certificates() if problem == CERTIFICATE else family(problem).schema(), indent=2))
