"""``edgeopt verify``: the stand-alone verifier on certificate files; no solver and no numpy is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from edgeopt.cli.guard import BAD_INPUT, VIOLATED
from edgeopt.errors import InstanceError


def verify(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="CERT... [INSTANCE]",
            help="Certificate files; of a directory, all that lie below it. After a single one, its instance file.",
        ),
    ],
    instance: Annotated[Path | None, typer.Option(metavar="FILE", help="Instance file of the certificate.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per certificate, a line each.")] = False,
) -> None:
    """Replay certificates in exact arithmetic, by the standard library alone.

    Exit code 0: verified; 1: one says what is not so; 2: one cannot be read.
    """
    import json

    from edgeopt.certify.verify.certificate import check
    from edgeopt.certify.verify.reading import Refuted, Unreadable, parsed, unpacked

    if instance is None and len(files) == 2 and not any(file.is_dir() for file in files) and _is_other(files[1]):
        files, instance = files[:1], files[1]
    found = list(_certificates(files))
    if instance is not None and len(found) != 1:
        raise InstanceError(f"{instance}: the instance of one certificate, but there are {len(found)}")
    worst = 0
    for file in found:
        lines: list[str] = []
        try:
            lines = check(parsed(unpacked(str(file)), str(file)), None if instance is None else str(instance))
            verdict, code = "verified", 0
        except Refuted as error:
            verdict, code, lines = "refuted", VIOLATED, [f"REFUTED   {error}"]
        except Unreadable as error:
            verdict, code, lines = "unreadable", BAD_INPUT, [f"UNREADABLE  {error}"]
        worst = code if worst == 0 or code == VIOLATED else worst
        if as_json:
            typer.echo(json.dumps({"certificate": str(file), "verdict": verdict, "lines": lines}))
        elif len(found) == 1:
            typer.echo("\n".join(lines), err=code != 0)
        else:
            typer.echo(f"{file}: {lines[-1]}", err=code != 0)
    if worst:
        raise typer.Exit(worst)


def _certificates(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        inside = sorted(inner for ending in ("*.json", "*.json.gz") for inner in path.rglob(ending) if inner.is_file())
        others = [inner for inner in inside if _is_other(inner)]
        if len(others) == len(inside):
            raise InstanceError(f"{path}: no certificate in this directory")
        if others:
            names = ", ".join(str(inner) for inner in others[:5]) + (", ..." if len(others) > 5 else "")
            typer.echo(f"{path}: {len(others)} files that are no certificates were passed over: {names}", err=True)
        yield from (inner for inner in inside if inner not in others)


def _is_other(path: Path) -> bool:
    """Whether a file that can be read does not say of itself that it is a certificate."""
    from edgeopt.certify.verify.reading import Unreadable, unpacked

    try:
        data = unpacked(str(path))
    except Unreadable:
        return False
    return b'"certificate"' not in data
