"""``edgeopt certify``: how good is each solver's answer, and who says so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeopt.cli.files import Files, instances
from edgeopt.cli.guard import Outcome
from edgeopt.cli.solve import AsJson, Seed, Workers

if TYPE_CHECKING:
    from edgeopt.cli.rows import Printer
    from edgeopt.result import Result


def certify(
    files: Files,
    solver: Annotated[
        str | None, typer.Option(metavar="S,...", help="Solvers to certify; the problem's default without.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="S,...",
            help="Exact solvers to compare with; without, the problem's exact solver where no proof closes the gap.",
        ),
    ] = None,
    time_limit: Annotated[float, typer.Option(metavar="S", help="Limit of every solver run (s).")] = 60.0,
    seed: Seed = 0,
    workers: Workers = 1,
    as_json: AsJson = False,
) -> None:
    """Check answers exactly and print value, bound, ratio and the evidence for them.

    The ratio is value over bound, rounded down. Evidence: proved (replayed in exact arithmetic), agreed (two
    independent exact solvers), claimed (one solver's word), checked (no bound). Exit code 1 if a solver claims
    what exact arithmetic refutes, or breaks its guarantee.
    """
    from edgeopt.cli import rows
    from edgeopt.instances.base import problem

    outcome = Outcome()
    settings = {"time_limit": time_limit, "seed": seed, "workers": workers}
    with rows.printing(as_json) as printer:
        for file, instance in instances(files, outcome):
            names = [name.strip() for name in (solver or problem(instance.problem).default_solver).split(",")]
            _certify_instance(file, instance, names, against, settings, printer, outcome)
            if outcome.interrupted:
                break
    outcome.exit()


def _certify_instance(
    file: Path,
    instance: Any,
    names: list[str],
    against: str | None,
    settings: dict[str, Any],
    printer: Printer,
    outcome: Outcome,
) -> None:
    """A row a solver; whatever has run on this instance is not run again."""
    from edgeopt.certify.compare import certify as compare
    from edgeopt.cli import rows
    from edgeopt.cli.progress import ProgressPrinter
    from edgeopt.errors import AssumptionError
    from edgeopt.solvers.base import solver as registered

    known: dict[str, Result] = {}
    wanted = None if against is None else [name.strip() for name in against.split(",") if name.strip()]
    for name in [*names, *(wanted or [])]:
        registered(instance.problem, name)
    for name in names:
        references = None if wanted is None else [known.get(other, other) for other in wanted if other != name]
        try:
            with ProgressPrinter(instance.name) as progress:
                comparison = compare(instance, known.get(name, name), against=references, progress=progress, **settings)
        except AssumptionError as error:
            outcome.refuse(error)
            printer.add(
                rows.row(
                    instance=instance.name, file=str(file), problem=instance.problem, solver=name, message=str(error)
                )
            )
            continue
        printer.add(rows.of_comparison(file, comparison))
        outcome.violated |= bool(comparison.violations)
        ran = [comparison.result, *comparison.references]
        known.update((result.solver, result) for result in ran)
        if comparison.interrupted:
            outcome.interrupted = True
            return
