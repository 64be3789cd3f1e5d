"""What is said about one instance and one solver: a JSON object for programs, a table row for people."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from edgeopt.certify.compare import Comparison
    from edgeopt.result import Result

Row = dict[str, Any]

FIELDS = (
    "instance", "file", "problem", "solver", "value", "value_evidence", "bound", "bound_source", "ratio",
    "evidence", "reference", "reference_solver", "guarantee", "guarantee_holds", "termination", "seconds",
    "violations", "certificate", "message",
)  # fmt: skip
"""Every JSON object has all of these; what is not known is null."""


def row(**known: Any) -> Row:
    """A row with null for whatever is not given."""
    return {**dict.fromkeys(FIELDS), "violations": [], "message": "", **known}


def of_result(file: Path, result: Result) -> Row:
    """What a solver said, checked in the compiled integers."""
    from edgeopt.certify.compare import quality
    from edgeopt.result import ValueEvidence

    ratio = None
    if result.value_evidence is ValueEvidence.CHECKED and result.value is not None and result.bound is not None:
        ratio = quality(result.sense, result.value, result.bound)
    return row(
        **_of_solver(file, result),
        value=stands_for(result.value, result.digits),
        value_evidence=_text(result.value_evidence),
        bound=stands_for(result.bound, result.digits),
        bound_source=None if result.bound is None else result.solver,
        ratio=below(ratio),
        evidence=result.evidence,
        message=result.message,
    )


def of_comparison(file: Path, comparison: Comparison) -> Row:
    """What exact checks and the best bound say."""
    digits = comparison.result.digits
    return row(
        **_of_solver(file, comparison.result),
        value=stands_for(comparison.value, digits),
        value_evidence=_text(comparison.value_evidence),
        bound=stands_for(comparison.bound, digits),
        bound_source=comparison.bound_source,
        ratio=below(comparison.ratio),
        evidence=comparison.evidence,
        reference=stands_for(comparison.reference, digits),
        reference_solver=comparison.reference_solver,
        guarantee=_text(comparison.guarantee),
        guarantee_holds=comparison.guarantee_holds,
        violations=list(comparison.violations),
        message=comparison.message,
    )


def _of_solver(file: Path, result: Result) -> Row:
    return {
        "instance": result.instance,
        "file": str(file),
        "problem": result.problem,
        "solver": result.solver,
        "termination": str(result.termination),
        "seconds": result.seconds,
    }


def stands_for(value: float | None, digits: int) -> float | None:
    """A value or bound as the number that it stands for; see `edgeopt.result.Result.digits`."""
    from edgeopt.result import amount

    return None if value is None else amount(value, digits)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def below(ratio: Fraction | None) -> float | None:
    """The largest float that is not above a ratio."""
    if ratio is None:
        return None
    near = float(ratio)
    return near if Fraction(near) <= ratio else math.nextafter(near, -math.inf)


def console(*, error: bool = False) -> Console:
    """A console; into a file or pipe it writes wide lines instead of folding them at 80 columns."""
    from rich.console import Console

    plain = Console(stderr=error, highlight=False, soft_wrap=False)
    return plain if plain.is_terminal else Console(stderr=error, highlight=False, width=160)


COLUMNS = (
    ("instance", "left"), ("solver", "left"), ("value", "right"), ("bound", "right"), ("ratio", "right"),
    ("evidence", "left"), ("reference", "right"), ("seconds", "right"), ("note", "left"),
)  # fmt: skip


class Printer:
    """Prints rows as they come: JSON objects, one a line, or a table that grows."""

    def __init__(self, table: Table | None, refresh: Any) -> None:
        self.table = table
        self.refresh = refresh

    def add(self, row: Row) -> None:
        """Show a row now."""
        if self.table is None:
            typer.echo(json.dumps(row, allow_nan=False))
            return
        self.table.add_row(*_cells(row))
        self.refresh()


@contextmanager
def printing(as_json: bool) -> Iterator[Printer]:
    """A printer for rows; a table is complete when the block ends, however it ends."""
    if as_json:
        yield Printer(None, None)
        return
    from rich import box
    from rich.live import Live
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for name, side in COLUMNS:
        table.add_column(name, justify="right" if side == "right" else "left", overflow="fold")
    screen = console()
    if screen.is_terminal:
        with Live(console=screen, auto_refresh=False, vertical_overflow="ellipsis") as live:
            yield Printer(table, lambda: live.update(table, refresh=True))
        return
    try:
        yield Printer(table, lambda: None)
    finally:
        if table.row_count:
            screen.print(table)


def _cells(row: Row) -> list[str]:
    from rich.markup import escape

    from edgeopt.result import number

    reference = "" if row["reference"] is None else f"{row['reference_solver']} {number(row['reference'])}"
    stopped = [] if row["termination"] in (None, "complete") else [row["termination"].replace("_", " ")]
    violated = [f"violated: {item}" for item in row["violations"]]
    broken = row["value_evidence"] == "claimed"
    return [
        escape(cell)
        for cell in (
            row["instance"],
            row["solver"],
            "-" if row["value"] is None else number(row["value"]) + ("?" if broken else ""),
            "-" if row["bound"] is None else number(row["bound"]),
            ratio_text(row["ratio"]),
            row["evidence"] or "-",
            reference,
            "" if row["seconds"] is None else f"{row['seconds']:.3f}",
            "; ".join([*violated, *stopped, *filter(None, [row["message"]])]),
        )
    ]


def ratio_text(ratio: float | None) -> str:
    """Four digits of a ratio, rounded down."""
    if ratio is None:
        return "-"
    return "1" if ratio == 1 else f"{math.floor(ratio * 1e4) / 1e4:.4f}"
