"""``edgeopt solve``: run one solver on instance files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeopt.cli.files import Files, Reading, reads_formats
from edgeopt.cli.guard import Outcome
from edgeopt.errors import InstanceError

TimeLimit = Annotated[float | None, typer.Option(metavar="S", help="Limit of every solver run (s).")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
SolverOptions = Annotated[
    list[str] | None, typer.Option("--option", metavar="KEY=VALUE", help="Option of the solver; may be repeated.")
]
Workers = Annotated[int, typer.Option(help="Threads for solvers that can use them.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object per instance and solver, a line each.")]


@reads_formats
def solve(
    files: Files,
    reading: Reading,
    solver: Annotated[
        str | None, typer.Option(metavar="S", help="See 'solvers'; the problem's default without.")
    ] = None,
    time_limit: TimeLimit = None,
    seed: Seed = 0,
    workers: Workers = 1,
    option: SolverOptions = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File for the result; a directory with several instances."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a solver; the answer is checked exactly. Ctrl-C returns the best so far."""
    from edgeopt.cli import rows
    from edgeopt.cli.progress import ProgressPrinter
    from edgeopt.errors import AssumptionError, BackendError, UnknownNameError
    from edgeopt.instances.result_file import write_result
    from edgeopt.result import Termination
    from edgeopt.solvers import base

    options = solver_options(option or [])
    several = len(files) > 1 or files[0].is_dir()
    if several and output is not None and not output.is_dir():
        raise InstanceError(f"{output}: with several instances, --output must be a directory that exists")
    if output is not None and not output.is_dir():
        _check_target(output)
    written: set[Path] = set()
    outcome = Outcome()
    found = reading.instances(files, outcome)
    with rows.printing(as_json) as printer:
        for file, instance in found:
            if written and output is not None and not output.is_dir():
                raise InstanceError(f"{file} holds several instances: --output must be a directory that exists")
            try:
                with ProgressPrinter(instance.name) as progress:
                    result = base.solve(
                        instance,
                        solver,
                        time_limit=time_limit,
                        seed=seed,
                        workers=workers,
                        progress=progress,
                        **options,
                    )
            except AssumptionError as error:
                outcome.refuse(error)
                continue
            except UnknownNameError as error:
                if solver is None or not base.known_somewhere(solver):
                    raise
                outcome.refuse(f"{file}: {error}")
                continue
            except BackendError as error:
                outcome.refuse(BackendError(f"{file}: {error}"))
                continue
            printer.add(rows.of_result(file, result))
            if result.termination is Termination.ERROR:
                outcome.violated = True
            if output is not None:
                target = output / f"{_stem(file)}.result.json" if output.is_dir() else output
                if target in written:  # files of one name in several directories
                    target = target.with_name(f"{_stem(file)}.{instance.digest[:8]}.result.json")
                write_result(instance, result, target)
                written.add(target)
            if result.termination is Termination.INTERRUPTED:
                outcome.interrupted = next(found, None) is not None
                break
    outcome.exit()


def _check_target(output: Path) -> None:
    """Refuse a result file that cannot be written before the work is done, not after."""
    if not output.name.endswith((".json", ".json.gz")):
        raise InstanceError(f"{output}: the ending of a result must be .json or .json.gz")
    if not output.parent.is_dir():
        raise InstanceError(f"{output}: there is no directory {output.parent}; make it first")


def _stem(file: Path) -> str:
    """Name of an instance file without its ending, which may have two parts."""
    return re.sub(r"(\.json(\.gz)?|\.npz)$", "", file.name)


def solver_options(texts: list[str]) -> dict[str, Any]:
    """``key=value`` as keywords; a value that is JSON (a number, true, null, a list) is read as such.

    Raises
    ------
    InstanceError
        If there is no ``=``.
    """
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InstanceError(f"--option {text}: must be KEY=VALUE")
        try:
            found[key.replace("-", "_")] = json.loads(value)
        except json.JSONDecodeError:
            found[key.replace("-", "_")] = value
    return found
