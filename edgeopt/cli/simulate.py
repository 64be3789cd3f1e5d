"""``edgeopt simulate``: batching over epochs of live traffic, one policy beside the other."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from edgeopt.cli.guard import guarded
from edgeopt.cli.options import given, options_of, parameter, with_options
from edgeopt.cli.solve import solver_options

# The options are those of a scenario, so they are read when the verb runs: `edgeopt --help` loads no numpy.
COMMAND: dict[str, Any] = {
    "add_help_option": False,
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    "options_metavar": "[--policy P,...] [--seeds N] [OPTIONS]",
}
EVERY_S = 3.0
"""Time between two lines of progress (s)."""
DEFAULT_POLICIES = "gah,static,no-batching"
STATES = "expired", "late", "refused"
"""How requests end that are not completed."""

PARAMETERS = (
    parameter("policy", str, help="static, no-batching, or solvers of batching. [default: gah,static,no-batching]"),
    parameter("seeds", int, min=1, help="Runs a policy, of the seeds 1 to N, on the same traffic. [default: 3]"),
    parameter("option", list[str], metavar="KEY=VALUE", help="Option of the solvers; may be repeated."),
    parameter("csv", Path, metavar="FILE", help="Also write a row a run to a file."),
    parameter("as_json", bool, "--json", help="One JSON object a run, a line each."),
)


def simulate(context: typer.Context) -> None:
    """Simulate batching over epochs of live traffic (--help lists the options of a scenario)."""
    _app()(args=context.args, prog_name="edgeopt simulate")


def _app() -> typer.Typer:
    from edgeopt.simulation.scenario import scenario

    app = typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    options = options_of(scenario, skip=["seed"])

    def run(**values: Any) -> None:
        own = {known.name: values.pop(known.name) for known in PARAMETERS}
        _run(given(options, values), **own)

    run.__doc__ = "Simulate batching over epochs of live traffic; the OT-GAH paper's setting unless told otherwise."
    parameters = [*PARAMETERS, *(single for option in options for single in option.parameters)]
    app.command()(guarded(with_options(run, parameters)))
    return app


def _run(
    options: Mapping[str, Any],
    policy: str | None,
    seeds: int | None,
    option: Sequence[str] | None,
    csv: Path | None,
    as_json: bool | None,
) -> None:
    from edgeopt.simulation import scenario
    from edgeopt.simulation import simulate as run
    from edgeopt.simulation.policies import NO_BATCHING, STATIC

    names = [name.strip() for name in (policy or DEFAULT_POLICIES).split(",")]
    solver = solver_options(list(option or []))
    lines: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    told = time.monotonic()
    interrupted = False
    try:
        for seed in range(1, (seeds or 3) + 1):
            live = scenario(seed=seed, **options)
            for name in names:
                if time.monotonic() - told > EVERY_S:
                    told = time.monotonic()
                    typer.echo(f"{sum(map(len, lines.values()))} of {len(names) * (seeds or 3)} runs", err=True)
                outcome = run(live, name, options=None if name in (NO_BATCHING, STATIC) else solver)
                line = {"seed": seed, **outcome.summary(), "traffic": live.traffic.source}
                lines[name].append(line)
                if as_json:
                    typer.echo(json.dumps({key: _finite(value) for key, value in line.items()}, allow_nan=False))
    except KeyboardInterrupt:
        interrupted = True
    done = {name: found for name, found in lines.items() if found}
    if csv is not None and done:
        _write_csv([line for found in done.values() for line in found], csv)
    if not as_json and done:
        _print(done)
    if interrupted:
        raise KeyboardInterrupt


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _print(lines: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    from rich import box
    from rich.table import Table

    from edgeopt.cli.rows import console

    columns = ("policy", "arrivals", "completed", "95 % interval", "per epoch", "expired", "late", "refused", "p95 s")
    table = Table(*columns, box=box.SIMPLE_HEAD, show_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for policy, found in lines.items():
        table.add_row(policy, *_cells(found))
    console().print(table, markup=False)


def _cells(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Means over seeds; the interval is over seeds too, or over parts of the time where there is one seed only."""
    from edgeopt.plots.statistics import mean_of

    arrivals = sum(line["arrivals"] for line in found)
    full = [line for line in found if line["arrivals"]]
    if not full:
        return [str(arrivals), *["-"] * 7]
    mean = mean_of([line["completion_rate"] for line in full], least=0, most=1)
    low, high = (mean.low, mean.high) if len(full) > 1 else (full[0]["low"], full[0]["high"])
    interval = "-" if low is None or high is None else f"{low:.4f} - {high:.4f}"
    shares = [f"{sum(line[state] / line['arrivals'] for line in full) / len(full):.4f}" for state in STATES]
    latencies = [line["latency_p95_s"] for line in found if not math.isnan(line["latency_p95_s"])]
    p95 = f"{sum(latencies) / len(latencies):.3f}" if latencies else "-"
    per_epoch = sum(line["completed_per_epoch"] for line in found) / len(found)
    return [str(arrivals), f"{mean.mean:.4f}", interval, f"{per_epoch:.2f}", *shares, p95]


def _write_csv(lines: Sequence[Mapping[str, Any]], path: Path) -> None:
    import csv
    import io

    from edgeopt.instances.io import write_bytes

    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    write_bytes(text.getvalue().encode(), path)
