"""``edgeopt check FILE RESULT``: is what a result file claims so?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from edgeopt.cli.guard import Outcome
from edgeopt.cli.solve import AsJson


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Instance file.")],
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="Result file, as 'solve -o' writes it.")],
    as_json: AsJson = False,
) -> None:
    """Recompute a result from the raw fields of its instance; exit code 1 if a claim does not hold."""
    from edgeopt.certify.compare import certify
    from edgeopt.cli import rows
    from edgeopt.instances.io import read
    from edgeopt.instances.result_file import read_result

    instance = read(file)
    claimed = read_result(instance, result)
    found = []
    if claimed.digest != instance.digest:
        found.append(f"the result is one of another instance: its digest is {claimed.digest}, not {instance.digest}")
    comparison = certify(instance, replace(claimed, digest=instance.digest), against=())
    comparison = replace(comparison, violations=(*found, *comparison.violations))
    if as_json:
        import json

        typer.echo(json.dumps(rows.of_comparison(file, comparison) | {"result": str(result)}))
    else:
        typer.echo(f"{claimed.instance}: {replace(comparison, violations=())}")
        for item in comparison.violations:
            typer.echo(f"violated: {item}", err=True)
    outcome = Outcome()
    outcome.violated = bool(comparison.violations)
    outcome.exit()
