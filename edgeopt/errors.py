"""The errors a user can meet, each naming what is wrong, where, and how to mend it."""

from __future__ import annotations


class EdgeoptError(Exception):
    """Base of every error that edgeopt raises on purpose."""


class InstanceError(EdgeoptError, ValueError):
    """An instance, solution or file is not what it should be (command line: exit code 2)."""


class UnknownNameError(EdgeoptError, LookupError):
    """A problem, solver, model or catalogue entry that is not registered."""


class AssumptionError(EdgeoptError, ValueError):
    """A solver was given an instance outside the assumptions of its theorem; the text names which."""


class BackendError(EdgeoptError, RuntimeError):
    """An outside solver is missing, died, or said something that the exact check refutes."""
