"""``edgeopt check FILE CLAIM``: is what a result file or a certificate says of an instance so?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeopt.cli.files import Reading, reads_formats
from edgeopt.cli.guard import Outcome
from edgeopt.cli.solve import AsJson

if TYPE_CHECKING:
    from edgeopt.cli.rows import Row


@reads_formats
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Instance file.")],
    claim: Annotated[Path, typer.Argument(metavar="RESULT|CERT", help="Result file of 'solve -o', or certificate.")],
    reading: Reading,
    as_json: AsJson = False,
) -> None:
    """Recompute a claim from the raw fields of its instance; exit code 1 if it does not hold.

    Of a certificate, the instance is compiled anew and every coefficient compared, the proof is replayed, and
    the solution checked from the raw fields.
    """
    from edgeopt.instances.io import read_bytes

    instance = reading.read(file)
    if b'"certificate"' in read_bytes(claim)[:200]:
        row, text = _certificate(file, instance, claim)
    else:
        row, text = _result(file, instance, claim)
    if as_json:
        import json

        typer.echo(json.dumps(row))
    else:
        typer.echo(text)
        for item in row["violations"]:
            typer.echo(f"violated: {item}", err=True)
    outcome = Outcome()
    outcome.violated = bool(row["violations"])
    outcome.exit()


def _result(file: Path, instance: Any, path: Path) -> tuple[Row, str]:
    from edgeopt.certify.compare import certify
    from edgeopt.cli import rows
    from edgeopt.instances.result_file import read_result

    claimed = read_result(instance, path)
    found = []
    if claimed.digest != instance.digest:
        found.append(f"the result is one of another instance: its digest is {claimed.digest}, not {instance.digest}")
    comparison = certify(instance, replace(claimed, digest=instance.digest), against=())
    comparison = replace(comparison, violations=(*found, *comparison.violations))
    row = rows.of_comparison(file, comparison) | {"result": str(path)}
    return row, f"{claimed.instance}: {replace(comparison, violations=())}"


def _certificate(file: Path, instance: Any, path: Path) -> tuple[Row, str]:
    """A certificate that is not confirmed has neither value nor bound."""
    from edgeopt.certify.certificate import Certificate, matches
    from edgeopt.certify.compare import quality
    from edgeopt.certify.proved import solution_of
    from edgeopt.certify.verify.certificate import check as verified
    from edgeopt.certify.verify.reading import Refuted, Unreadable, parsed, unpacked
    from edgeopt.cli import rows
    from edgeopt.errors import InstanceError
    from edgeopt.instances.base import digits_of, sense_of, violations

    row = rows.row(instance=instance.name, file=str(file), problem=instance.problem, certificate=str(path))
    try:
        content = parsed(unpacked(str(path)), str(path))
        verdict = verified(content)[-1]
    except Unreadable as error:
        raise InstanceError(str(error)) from error
    except Refuted as error:
        return row | {"violations": [str(error)]}, f"{instance.name}: the certificate is refuted"
    made = Certificate(content)
    found = matches(made, instance)
    if found:
        return row | {"violations": found}, f"{instance.name}: the certificate is not about this instance"
    held = solution_of(made, instance)
    broken = [] if held is None else [f"the solution breaks {item}" for item in violations(instance, held)]
    if broken:
        return row | {"violations": broken}, f"{instance.name}: the raw fields refute the solution"
    ratio = None
    if made.value is not None and made.bound is not None:
        ratio = quality(sense_of(instance), made.value, made.bound)
    digits = digits_of(instance)
    row |= {
        "solver": content["producer"].get("solver"), "value": rows.stands_for(made.value, digits),
        "bound": rows.stands_for(made.bound, digits), "bound_source": "proof",
        "value_evidence": None if made.value is None else "checked", "ratio": rows.below(ratio), "evidence": "proved",
    }  # fmt: skip
    return row, f"{instance.name}: {verdict}"
