"""``edgeopt bench PROBLEM``: registered solvers side by side on generated instances."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeopt.cli.guard import Outcome
from edgeopt.cli.solve import solver_options

if TYPE_CHECKING:
    from edgeopt.solvers.base import SolverInfo

Measured = dict[str, Any]


def bench(
    problem: Annotated[str, typer.Argument(metavar="PROBLEM")],
    sizes: Annotated[str, typer.Option(metavar="N,...", help="Sizes of the instances.")] = "30,100,300",
    solver: Annotated[
        str | None, typer.Option("--solvers", metavar="S,...", help="All registered solvers without.")
    ] = None,
    vary: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Option of 'generate' that the sizes are for; the problem's without."),
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Other options of 'generate', e.g. nodes=1.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Instances a size.")] = 3,
    repeat: Annotated[int, typer.Option(min=1, help="Runs an instance, after one that warms up.")] = 3,
    time_limit: Annotated[float, typer.Option(metavar="S", help="Limit of every run (s).")] = 10.0,
    csv: Annotated[Path | None, typer.Option(help="File for the numbers.")] = None,
) -> None:
    """Time solvers on the same generated instances: medians, and ratios to the fastest of each size.

    A solver that refuses an instance, lacks a library, or needs an option of its own, is left out of that size.
    """
    from edgeopt.cli import rows
    from edgeopt.errors import InstanceError
    from edgeopt.instances.base import problem as family
    from edgeopt.solvers import base

    varied = vary or family(problem).size
    if varied is None:
        raise InstanceError(f"bench {problem}: name the option of generate that the sizes are for with --vary")
    known = base.solvers(problem)
    infos = [base.solver(problem, name.strip()) for name in solver.split(",")] if solver else list(known.values())
    try:
        counts = [int(size) for size in sizes.split(",")]
    except ValueError:
        raise InstanceError(f"--sizes {sizes}: must be whole numbers, separated by commas") from None
    options = solver_options(option or [])
    lines: list[Measured] = []
    outcome = Outcome()
    for size in counts:
        lines += _measure(problem, {**options, varied: size}, size, infos, seeds, repeat, time_limit, outcome)
    if csv is not None:
        _write_csv(lines, csv)
    from rich import box
    from rich.table import Table

    table = Table("size", "solver", "median s", "ratio", "value", "finished", box=box.SIMPLE_HEAD, show_edge=False)
    for column in table.columns:
        column.justify = "left" if column.header == "solver" else "right"
    for line in lines:
        done = f"{line['finished']}/{line['runs']}"
        ratio = f"{line['ratio']:.3g}"
        table.add_row(str(line["size"]), line["solver"], f"{line['seconds']:.3g}", ratio, f"{line['value']:g}", done)
    rows.console().print(table, markup=False)
    outcome.exit()


def _measure(
    problem: str,
    options: dict[str, Any],
    size: int,
    infos: list[SolverInfo],
    seeds: int,
    repeat: int,
    time_limit: float,
    outcome: Outcome,
) -> list[Measured]:
    """One line a solver, fastest first; ratios are to the fastest."""
    from edgeopt.cli.guard import complain
    from edgeopt.errors import AssumptionError, BackendError, InstanceError
    from edgeopt.instances.base import generate
    from edgeopt.result import Termination
    from edgeopt.solvers.base import solve

    cases = [generate(problem, seed=seed, **options) for seed in range(seeds)]
    lines: list[Measured] = []
    for info in infos:
        results = []
        try:
            solve(cases[0], info.name, time_limit=time_limit)
            for case in cases:
                for _ in range(repeat):
                    results.append(solve(case, info.name, time_limit=time_limit))
                    if results[-1].termination is Termination.INTERRUPTED:
                        raise KeyboardInterrupt
                    if results[-1].seconds > time_limit / 2:
                        break
        except (AssumptionError, BackendError, InstanceError) as error:
            typer.echo(f"{info.name} left out at {size}: {error}", err=True)
            continue
        for result in results:
            if result.termination is Termination.ERROR:
                complain(result)
                outcome.violated = True
        lines.append(
            {
                "problem": problem,
                "size": size,
                "solver": info.name,
                "seconds": median(result.seconds for result in results),
                "value": median(result.value or 0 for result in results),
                "finished": sum(result.termination is Termination.COMPLETE for result in results),
                "runs": len(results),
            }
        )
    lines.sort(key=lambda line: float(line["seconds"]))
    return [{**line, "ratio": line["seconds"] / max(lines[0]["seconds"], 1e-9)} for line in lines]


def _write_csv(lines: list[Measured], path: Path) -> None:
    import csv
    import io

    from edgeopt.instances.io import write_bytes

    text = io.StringIO()
    writer = csv.DictWriter(
        text, ["problem", "size", "solver", "seconds", "ratio", "value", "finished", "runs"], lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(lines)
    write_bytes(text.getvalue().encode(), path)
