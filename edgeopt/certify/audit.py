"""Exact check of one result: from the raw fields, and in the compiled integers, which must agree."""

from __future__ import annotations

from dataclasses import dataclass

from edgeopt.instances.base import Instance, problem
from edgeopt.result import Result, Termination, ValueEvidence, number

MOST_NAMED = 5
"""Broken constraints named in words; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What an exact check finds in a result.

    Attributes
    ----------
    value : int or float or None
        The recomputed objective; None without a solution.
    evidence : ValueEvidence or None
        ``checked`` iff the solution breaks nothing; None without a solution.
    violations : tuple of str
        Every claim of the result that does not hold.
    """

    value: float | None
    evidence: ValueEvidence | None
    violations: tuple[str, ...]

    @property
    def checked(self) -> float | None:
        """The value of a solution that was found feasible, or None."""
        return self.value if self.evidence is ValueEvidence.CHECKED else None


def audit(instance: Instance, result: Result) -> Audit:
    """Recompute what a result claims about its solution.

    The raw physical fields decide; the compiled integers must say the same, or that is a violation too.
    """
    found = [f"{result.solver}: {result.message}"] if result.termination is Termination.ERROR else []
    if result.solution is None:
        if result.value is not None:
            found.append(f"{result.solver} claims the value {number(result.value)} without a solution")
        return Audit(None, None, tuple(found))
    family = problem(instance.problem)
    broken = family.violations(instance, result.solution)
    compiled = family.compiled_violations(instance, result.solution)
    found += [f"{result.solver} breaks {item}" for item in broken[:MOST_NAMED]]
    if len(broken) > MOST_NAMED:
        found.append(f"{result.solver} breaks {len(broken) - MOST_NAMED} more constraints")
    if bool(broken) != bool(compiled):
        says = f"breaks {compiled[0]}" if compiled else "is feasible"
        found.append(f"{result.solver}: the compiled form disagrees with the raw fields, there the solution {says}")
    value = family.value(instance, result.solution)
    if result.value is not None and result.value != value:
        found.append(f"{result.solver} claims the value {number(result.value)}, its solution has {number(value)}")
    feasible = not broken and not compiled
    return Audit(value, ValueEvidence.CHECKED if feasible else ValueEvidence.CLAIMED, tuple(found))
