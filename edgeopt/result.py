"""What a solver answers and what edgeopt has checked of it: value and bound, labelled apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Any

MOST_SHOWN = 12
"""Longest decimal number that is shown as it is."""


def amount(value: float, digits: int = 0) -> float:
    """A value that counts in units of ``10**-digits`` as the number that it stands for, whole or the nearest float."""
    if not digits:
        return value
    exact = Fraction(value) / 10**digits
    return int(exact) if exact.denominator == 1 else float(exact)


def number(value: float, digits: int = 0) -> str:
    """A value that counts in units of ``10**-digits`` in words: all digits, if they are not too many."""
    value = amount(value, digits)
    if value == value // 1:
        return str(int(value))
    return repr(value) if len(repr(value)) <= MOST_SHOWN else f"{value:.6g}"


class ValueEvidence(StrEnum):
    """What stands behind a value."""

    CLAIMED = "claimed"
    """The solver said so; its solution failed the exact check or there is none."""
    CHECKED = "checked"
    """Exactly feasible, objective recomputed in exact arithmetic."""


class BoundEvidence(StrEnum):
    """What stands behind a bound."""

    CLAIMED = "claimed"
    """One solver's word."""
    AGREED = "agreed"
    """Two independent exact solvers said the same with both gaps 0."""
    PROVED = "proved"
    """Replayed in exact arithmetic."""


class Termination(StrEnum):
    """Why a solver stopped."""

    COMPLETE = "complete"
    """It ran to its end: an exact solver searched everything, a heuristic finished."""
    TIME_LIMIT = "time_limit"
    NODE_LIMIT = "node_limit"
    INTERRUPTED = "interrupted"
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a solver function returns; `edgeopt.solve` turns it into a `Result` by checking it.

    Attributes
    ----------
    solution : object or None
        The incumbent, of the problem's solution type.
    claimed_value : int or float or None
        The objective the solver reports for `solution`; None when it reports none.
    bound : int or float or None
        No solution is better than this; None when the solver has no bound. A claim, until `edgeopt.certify` finds
        more behind it.
    termination : Termination
    effort : mapping of str to int or float
        Counts of the work done (nodes visited, linear programs, ...).
    proof : object or None
        What `edgeopt.certify` replays to turn the bound into a theorem.
    message : str
        What a person should know, e.g. the words of an outside solver that failed.
    guarantee : str or None
        Ratio that theory promises of this run, where options decide it (``0``: none); None where the registry's
        line says it.
    """

    solution: Any | None
    claimed_value: float | None = None
    bound: float | None = None
    termination: Termination = Termination.COMPLETE
    effort: Mapping[str, float] = field(default_factory=dict)
    proof: Any | None = None
    message: str = ""
    guarantee: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A solver's answer after the exact check.

    Attributes
    ----------
    problem, instance, digest : str
        Problem name, instance name, and SHA-256 of the instance's content.
    solver : str
        Registered name of the solver.
    sense : {"max", "min"}
        Whether the problem maximises or minimises.
    solution : object or None
        Checked solution, or None.
    value : int or float or None
        Objective of `solution`, recomputed; None without a solution.
    value_evidence : ValueEvidence or None
    bound : int or float or None
        Bound on the optimum; None when there is none (never 0 for lack of one).
    bound_evidence : BoundEvidence or None
    termination : Termination
    seconds : float
        Wall-clock time of the solver, without the check.
    effort : mapping
    options : mapping
        The options the solver was called with.
    proof : object or None
    message : str
        What went wrong, if anything did.
    guarantee : str or None
        Ratio that theory promises of this run, where its options decide it.
    digits : int
        Value and bound count in units of ``10**-digits``: the digits after the point that an instance file had.
        Printed is what they stand for.
    """

    problem: str
    instance: str
    digest: str
    solver: str
    sense: str
    solution: Any | None
    value: float | None
    value_evidence: ValueEvidence | None
    bound: float | None
    bound_evidence: BoundEvidence | None
    termination: Termination
    seconds: float
    effort: Mapping[str, float] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    proof: Any | None = None
    message: str = ""
    guarantee: str | None = None
    digits: int = 0

    @property
    def evidence(self) -> str | None:
        """Label of the bound, ``checked`` where there is no bound, None where nothing was checked."""
        if self.bound_evidence is not None:
            return str(self.bound_evidence)
        return None if self.value_evidence is None else str(self.value_evidence)

    @property
    def closed(self) -> bool:
        """Whether a checked value meets the bound of a solver that was not caught in a contradiction."""
        sound = self.value_evidence is ValueEvidence.CHECKED and self.termination is not Termination.ERROR
        return sound and self.value is not None and self.value == self.bound

    def summary(self) -> str:
        """One line a person can read, with the evidence behind each number."""
        if self.value is None:
            text = f"{self.solver}: no solution ({self.termination})"
        else:
            text = f"{self.solver} {number(self.value, self.digits)} ({self.value_evidence})"
        if self.bound is not None:
            if self.closed:
                text += f", optimal ({self.bound_evidence})"
            else:
                side = "most" if self.sense == "max" else "least"
                text += f" of at {side} {number(self.bound, self.digits)} ({self.bound_evidence})"
        if self.termination is not Termination.COMPLETE and self.value is not None:
            text += f", stopped: {self.termination}"
        return f"{text}, {self.seconds:.3g} s" + (f"; {self.message}" if self.message else "")

    def __str__(self) -> str:
        return self.summary()
