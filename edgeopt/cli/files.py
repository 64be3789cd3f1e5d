"""Files named on the command line: directories opened up, formats of others, bad files reported and passed over."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from edgeopt.cli.options import parameter, with_options
from edgeopt.errors import InstanceError, SeveralInstancesError, UnknownNameError

if TYPE_CHECKING:
    from edgeopt.cli.guard import Outcome

ENDINGS = (".json", ".json.gz", ".npz")

Files = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="Instance files; of a directory, all that lie below it.")
]


@dataclass(frozen=True, slots=True)
class Reading:
    """How the instance files of a command are read.

    Attributes
    ----------
    format : str or None
        A published format of others; guessed from each file's content without.
    options : dict
        Options of that format.
    """

    format: str | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def read(self, file: Path) -> Any:
        """The instance in a file."""
        from edgeopt.instances.io import read

        return read(file, format=self.format, **self.options)

    def files(self, paths: Sequence[Path], outcome: Outcome) -> Iterator[Path]:
        """The files themselves, and below a directory those that are instances; one without any is reported.

        Raises
        ------
        UnknownNameError
            If there is no such format.
        """
        from edgeopt.instances.io import text_formats

        if self.format is not None and self.format not in text_formats():
            raise UnknownNameError(f"no format {self.format!r}; there are: {', '.join(text_formats())}")
        for path in paths:
            if not path.is_dir():
                yield path
                continue
            found = sorted(inner for inner in path.rglob("*") if self._may_be_instance(inner))
            if not found:
                kind = "" if self.format is None else f" in the format {self.format}"
                outcome.refuse(InstanceError(f"{path}: no instance file{kind} in this directory"))
            yield from found

    def instances(self, paths: Sequence[Path], outcome: Outcome) -> Iterator[tuple[Path, Any]]:
        """Each file with each instance in it; what cannot be read is reported, and the rest goes on."""
        for file in self.files(paths, outcome):
            yield from self._of_file(file, outcome)

    def _of_file(self, file: Path, outcome: Outcome) -> Iterator[tuple[Path, Any]]:
        try:
            instance = self.read(file)
        except SeveralInstancesError as error:
            for number in range(1, error.count + 1):
                yield from self.numbered(number)._of_file(file, outcome)
        except InstanceError as error:
            outcome.refuse(error)
        else:
            yield file, instance

    def numbered(self, number: int) -> Reading:
        """How one of the instances in a file that holds several is read."""
        return replace(self, options={**self.options, "problem": number})

    def _may_be_instance(self, path: Path) -> bool:
        """Whether a file in a directory is an instance or a broken one, rather than a result or something else."""
        from edgeopt.instances.io import read_bytes, text_formats

        if path.name.startswith(".") or not path.is_file():
            return False
        if self.format is None:
            return path.name.endswith(ENDINGS) and _may_be_ours(path)
        try:
            return text_formats()[self.format].fits(read_bytes(path))
        except InstanceError:
            return True


def _may_be_ours(path: Path) -> bool:
    import msgspec

    from edgeopt.instances.base import problem_names
    from edgeopt.instances.io import read_bytes

    if path.name.endswith(".npz"):
        return True
    try:
        content = msgspec.json.decode(read_bytes(path), type=msgspec.Raw | dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, InstanceError):
        return True
    kind = content.get("edgeopt") if isinstance(content, dict) else None
    return kind is not None and msgspec.json.decode(kind) in problem_names()


FORMAT_OPTIONS = (
    parameter("format", str, metavar="NAME", help="Published format of the files; guessed from their content without."),
    parameter("sense", str, metavar="[max|min]", help="Of a format that leaves it open."),
    parameter("pick", str, metavar="[at-most-one|exactly-one]", help="Of a format that leaves it open."),
    parameter("problem", int, metavar="K", help="Which problem of a file with several, from 1; all without."),
)
"""Options for reading the formats of others; together they are all that the formats take."""


def reads_formats(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb with a parameter ``reading`` the options `FORMAT_OPTIONS` in its place."""
    hints = get_type_hints(verb, include_extras=True)
    own = [
        known.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, known in inspect.signature(verb).parameters.items()
        if name != "reading"
    ]

    def run(**values: Any) -> None:
        format = values.pop("format")
        found = {option.name: values.pop(option.name) for option in FORMAT_OPTIONS if option.name != "format"}
        given = {name: value for name, value in found.items() if value is not None}
        verb(reading=Reading(format, given), **values)

    run.__name__, run.__doc__ = verb.__name__, verb.__doc__
    return with_options(run, [*own, *FORMAT_OPTIONS])
