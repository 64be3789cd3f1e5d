"""The errors a user can meet, each naming what is wrong, where, and how to mend it."""

from __future__ import annotations


class EdgeoptError(Exception):
    """Base of every error that edgeopt raises on purpose."""


class InstanceError(EdgeoptError, ValueError):
    """An instance, solution or file is not what it should be (command line: exit code 2)."""


class SeveralInstancesError(InstanceError):
    """A file holds several instances, and none of them was chosen.

    Attributes
    ----------
    count : int
        How many; they are numbered from 1.
    """

    def __init__(self, text: str, count: int) -> None:
        super().__init__(text, count)
        self.count = count

    def __str__(self) -> str:
        return str(self.args[0])


class UnknownNameError(EdgeoptError, LookupError):
    """A problem, solver, model or catalogue entry that is not registered."""


class AssumptionError(EdgeoptError, ValueError):
    """A solver was given an instance outside the assumptions of its theorem; the text names which."""


class BackendError(EdgeoptError, RuntimeError):
    """An outside solver is missing, died, or said something that the exact check refutes."""
