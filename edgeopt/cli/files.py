"""Instance files named on the command line: directories opened up, bad files reported and passed over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeopt.errors import InstanceError

if TYPE_CHECKING:
    from edgeopt.cli.guard import Outcome

ENDINGS = (".json", ".json.gz", ".npz")

Files = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="Instance files; of a directory, all that lie below it.")
]


def instances(paths: Sequence[Path], outcome: Outcome) -> Iterator[tuple[Path, Any]]:
    """Each path with the instance read from it; what cannot be read is reported, and the rest goes on."""
    from edgeopt.instances.io import read

    for path in paths:
        if path.is_dir():
            found = sorted(inner for inner in path.rglob("*") if _may_be_instance(inner))
            if not found:
                outcome.refuse(InstanceError(f"{path}: no instance file in this directory"))
        else:
            found = [path]
        for file in found:
            try:
                instance = read(file)
            except InstanceError as error:
                outcome.refuse(error)
                continue
            yield file, instance


def _may_be_instance(path: Path) -> bool:
    """Whether a file in a directory is an instance or a broken one, rather than a result or some other JSON."""
    import msgspec

    from edgeopt.instances.base import problem_names
    from edgeopt.instances.io import read_bytes

    if not path.name.endswith(ENDINGS) or path.name.startswith(".") or not path.is_file():
        return False
    if path.name.endswith(".npz"):
        return True
    try:
        content = msgspec.json.decode(read_bytes(path), type=msgspec.Raw | dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, InstanceError):
        return True
    kind = content.get("edgeopt") if isinstance(content, dict) else None
    return kind is not None and msgspec.json.decode(kind) in problem_names()
