"""A store's runs as tables for the terminal."""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import fmean, median
from typing import Any

from rich import box
from rich.table import Table

from edgeopt.result import number
from edgeopt.studies.quality import label, rated
from edgeopt.studies.store import Store
from edgeopt.studies.task import DONE


def by_solver(store: Store) -> Table:
    """A row for each problem and solver (with its options)."""
    table = _table("problem", "solver", "runs", "answers", "mean of best", "mean value", "median s", "ended otherwise")
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    rows = list(store.rows())
    for row in rows:
        problem = f"{row['problem']} (simulated)" if row["kind"] == "simulate" else row["problem"]
        groups[problem, label(row)].append(row)
    ratios: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one in rated(rows):
        if one.ratio is not None:
            ratios[one.row["problem"], one.label].append(one.ratio)
    for (problem, name), own in sorted(groups.items()):
        done = [row for row in own if row["status"] == DONE]
        values = [row["value"] for row in done if row["value"] is not None]
        others = Counter(row["status"] for row in own if row["status"] != DONE)
        found = ratios.get((problem, name))
        table.add_row(
            problem or "-",
            name,
            str(len(own)),
            str(len(done)),
            f"{fmean(found):.4f}" if found else "-",
            f"{fmean(values):.5g}" if values else "-",
            f"{median(row['seconds'] for row in done):.3g}" if done else "-",
            ", ".join(f"{count} {status}" for status, count in sorted(others.items())),
        )
    return table


def by_run(store: Store) -> Table:
    """A row for each run."""
    table = _table("instance", "solver", "seed", "status", "value", "bound", "seconds", "message")
    for row in store.rows():
        value, bound = (None if row[name] is None else number(row[name]) for name in ("value", "bound"))
        seconds = "-" if row["seconds"] is None else f"{row['seconds']:.3g}"
        fields = (
            row["instance"][:60],
            label(row),
            str(row["seed"]),
            row["status"],
            value or "-",
            bound or "-",
            seconds,
        )
        table.add_row(*fields, (row["message"] or "")[:80])
    return table


def _table(*columns: str) -> Table:
    table = Table(*columns, box=box.SIMPLE_HEAD, show_edge=False)
    for column in table.columns:
        left = column.header in ("problem", "instance", "solver", "status", "message", "ended otherwise")
        column.justify = "left" if left else "right"
        column.overflow = "fold"
    return table
