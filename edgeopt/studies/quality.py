"""How good runs are against each other: ratios to the best that is known of an instance, and performance profiles."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgeopt.studies.task import DONE

Row = Mapping[str, Any]

LAST_DIGITS = 1e-9


def label(row: Row) -> str:
    """A solver with its options, as it is called in tables."""
    options = json.loads(row["options"])
    return str(row["solver"]) + "".join(f" {name}={value}" for name, value in options.items())


@dataclass(frozen=True, slots=True)
class Rated:
    """A run with an answer, against the best that is known of its instance.

    Attributes
    ----------
    row : mapping
    label : str
    best : float
        The best checked value of all runs on the instance.
    bound : float or None
        The tightest bound of all runs that no checked value refutes.
    """

    row: Row
    label: str
    best: float
    bound: float | None

    @property
    def ratio(self) -> float | None:
        """Value over best value (the other way when minimising): 1 is as good as any."""
        return _ratio(self.row["sense"], self.row["value"], self.best)

    @property
    def reached(self) -> bool:
        """Whether the best is reached, but for the last digits of values that are no whole numbers."""
        return self.ratio is not None and self.ratio >= 1 - LAST_DIGITS

    @property
    def proved(self) -> float | None:
        """Value over bound (the other way when minimising): at least so good, as far as the bound holds."""
        return None if self.bound is None else _ratio(self.row["sense"], self.row["value"], self.bound)


def _ratio(sense: str, value: float, other: float) -> float | None:
    least, most = (value, other) if sense == "max" else (other, value)
    if least == most:
        return 1.0
    return least / most if most > 0 and least >= 0 else None


def rated(rows: Iterable[Row]) -> list[Rated]:
    """Runs with a checked value, each against the others on the same instance."""
    by_instance: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row["kind"] == "solve" and row["status"] == DONE:
            by_instance[row["problem"], row["digest"]].append(row)
    found = []
    for group in by_instance.values():
        sign = 1.0 if group[0]["sense"] == "max" else -1.0
        checked = [row for row in group if row["value_evidence"] == "checked" and row["termination"] != "error"]
        if not checked:
            continue
        best = max(sign * row["value"] for row in checked)
        bounds = [
            sign * row["bound"]
            for row in group
            if row["bound"] is not None and row["termination"] != "error" and sign * row["bound"] >= best
        ]
        bound = sign * min(bounds) if bounds else None
        found += [Rated(row, label(row), sign * best, bound) for row in checked]
    return found


def profile(costs: Mapping[str, Mapping[Any, float | None]]) -> dict[str, list[tuple[float, float]]]:
    """Performance profiles (Dolan, More 2002, doi 10.1007/s101070100263).

    Parameters
    ----------
    costs : mapping of solver to mapping of task to cost
        Positive; None or absent where the solver did not solve the task. Tasks that nobody solved do not count.

    Returns
    -------
    dict
        For each solver the steps ``(tau, share)``: on this share of the tasks it costs at most ``tau`` times the least.
    """
    tasks = {task for own in costs.values() for task, cost in own.items() if cost is not None}
    least = {task: min(cost for own in costs.values() if (cost := own.get(task)) is not None) for task in tasks}
    found = {}
    for solver, own in costs.items():
        ratios = sorted(cost / least[task] for task in tasks if (cost := own.get(task)) is not None)
        found[solver] = [(ratio, (place + 1) / len(tasks)) for place, ratio in enumerate(ratios)]
    return found


def share_within(steps: Sequence[tuple[float, float]], tau: float) -> float:
    """Share of the tasks on which a solver costs at most `tau` times the least."""
    return max((share for ratio, share in steps if ratio <= tau), default=0.0)
