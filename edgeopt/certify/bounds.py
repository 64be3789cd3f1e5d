"""Bounds on the optimum from several sources: refuted ones named, the best kept with its strongest label."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from edgeopt.certify.audit import Audit
from edgeopt.errors import UnknownNameError
from edgeopt.result import BoundEvidence, Result, Termination, number
from edgeopt.solvers.base import SolverInfo, solver

STRENGTH = (BoundEvidence.CLAIMED, BoundEvidence.AGREED, BoundEvidence.PROVED)


@dataclass(frozen=True, slots=True)
class Bound:
    """No solution is better than `value`, says `source`, with what `evidence`."""

    value: float
    evidence: BoundEvidence
    source: str


def registered(result: Result) -> SolverInfo | None:
    """The registry's line of a result's solver, or None for a solver that is not registered here."""
    try:
        return solver(result.problem, result.solver)
    except UnknownNameError:
        return None


def claims(sense: str, audits: Sequence[tuple[Result, Audit]]) -> tuple[list[Bound], list[str]]:
    """The bounds that results hand out, and what is wrong with those that a checked value refutes.

    A result's own label is not believed: it is one solver's word, until `agreed` finds a second.
    """
    found, refuted = [], []
    for result, _ in audits:
        if result.termination is Termination.INFEASIBLE and (better := beaten(sense, None, audits)) is not None:
            refuted.append(f"{result.solver} says that there is no solution, {better}")
        if result.bound is None or not math.isfinite(result.bound) or result.termination is Termination.ERROR:
            continue
        better = beaten(sense, result.bound, audits)
        if better is None:
            found.append(Bound(result.bound, BoundEvidence.CLAIMED, result.solver))
        else:
            refuted.append(f"{result.solver} claims the bound {number(result.bound)}, {better}")
    return found, refuted


def beaten(sense: str, bound: float | None, audits: Iterable[tuple[Result, Audit]]) -> str | None:
    """Which checked solution is better than a bound (any is, if the bound is that there is none), in words, or None."""
    for result, check in audits:
        value = check.checked
        if value is not None and (bound is None or (value > bound if sense == "max" else value < bound)):
            return f"but a checked solution of {result.solver} has {number(value)}"
    return None


def agreed(audits: Sequence[tuple[Result, Audit]]) -> list[Bound]:
    """Optima on which two independent exact solvers agree, each with a checked value that meets its bound.

    Solvers from one module are not independent, nor is an outside solver from a back end of ours with the same engine.
    """
    homes: dict[float, dict[Any, str]] = {}
    for result, check in audits:
        info = registered(result)
        closed = check.checked is not None and check.checked == result.bound
        if info is not None and info.exact and closed and result.termination is Termination.COMPLETE:
            assert result.bound is not None
            homes.setdefault(result.bound, {}).setdefault(_engine(info, result), result.solver)
    return [
        Bound(value, BoundEvidence.AGREED, " and ".join(names.values()))
        for value, names in homes.items()
        if len(names) >= 2
    ]


def _engine(info: SolverInfo, result: Result) -> Any:
    """What a solver's word rests on: the outside program that it runs or is told to run, else its module."""
    factory = str(result.options.get("factory", ""))
    home = info.load.partition(":")[0] if isinstance(info.load, str) else info.load
    for engine in ("highs", "cpsat", "scip"):
        if any(engine in str(word) for word in (factory, info.name, home)):
            return engine
    return (home, factory) if factory else home


def best(sense: str, bounds: Iterable[Bound]) -> Bound | None:
    """The tightest bound; among equal ones the one with most behind it."""
    sign = 1 if sense == "max" else -1
    return min(bounds, key=lambda bound: (sign * bound.value, -STRENGTH.index(bound.evidence)), default=None)
