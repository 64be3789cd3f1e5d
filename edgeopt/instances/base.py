"""What a problem is to the rest of the house: a name, its instances, its solutions, its exact check."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from edgeopt.errors import InstanceError, UnknownNameError

if TYPE_CHECKING:
    from edgeopt.instances.program import Program


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken constraint, in exact numbers.

    Attributes
    ----------
    constraint : str
        Name and equation of the constraint, e.g. ``uplink (12a)``.
    where : str
        Node, request or pair it concerns.
    demand, capacity : str
        Exact left and right side with unit.
    """

    constraint: str
    where: str
    demand: str
    capacity: str

    def __str__(self) -> str:
        return f"{self.constraint} at {self.where}: {self.demand} exceeds {self.capacity}"


class Instance(Protocol):
    """What every problem's instance offers to the verbs of edgeopt."""

    @property
    def problem(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...


@dataclass(frozen=True, slots=True)
class TextFormat:
    """A published file format of others that a problem reads besides its own.

    Attributes
    ----------
    decode : callable
        File content, file name for errors, and keyword options of the format, to an instance.
    fits : callable
        Whether a file's content looks like this format, for files whose format is not named.
    """

    decode: Callable[..., Any]
    fits: Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Problem:
    """The functions that make a package under `edgeopt.instances` a problem.

    Attributes
    ----------
    name : str
        The one name of the problem, everywhere.
    sense : {"max", "min"}
        Of every instance, unless an instance has a field `sense` of its own; see `sense_of`.
    objective : str
        What the value counts, in words.
    decode, encode, encode_arrays : callable
        File content (bytes, file name for errors) to instance, and back to bytes as JSON or as the
        compact array form.
    decode_solution, encode_solution : callable
        Plain JSON data to a solution of an instance, and back.
    value : callable
        Exact objective of a solution.
    compiled_violations : callable
        Check in the compiled integers: fast, done after every solve.
    violations : callable
        Check from the raw physical fields in exact arithmetic, sharing no code with compile or models.
    generate : callable
        Keyword options and a seed to an instance.
    schema : callable
        JSON Schema of the instance file.
    program : callable or None
        The instance in the common form that proofs speak of, where the problem has one.
    formats : mapping of str to TextFormat
        Published formats of others, by name.
    default_solver, exact_solver : str or callable
        What ``solve`` runs and what ``certify`` compares with when nothing is named; where it depends on the
        instance, a function of it. See `default_solver` and `exact_solver`.
    size : str or None
        Option of `generate` that says how large an instance is, for ``edgeopt bench``.
    """

    name: str
    sense: str
    objective: str
    decode: Callable[[bytes, str], Any]
    encode: Callable[[Any], bytes]
    encode_arrays: Callable[[Any], bytes]
    decode_solution: Callable[[Any, Any, str], Any]
    encode_solution: Callable[[Any, Any], Any]
    value: Callable[[Any, Any], float]
    compiled_violations: Callable[[Any, Any], Sequence[Violation]]
    violations: Callable[[Any, Any], list[Violation]]
    generate: Callable[..., Any]
    schema: Callable[[], Mapping[str, Any]]
    default_solver: str | Callable[[Any], str]
    exact_solver: str | Callable[[Any], str]
    size: str | None = None
    program: Callable[[Any], Program] | None = None
    formats: Mapping[str, TextFormat] = field(default_factory=dict)


def default_solver(instance: Instance) -> str:
    """The solver that ``solve`` runs on an instance when none is named."""
    found = problem(instance.problem).default_solver
    return found if isinstance(found, str) else found(instance)


def exact_solver(instance: Instance) -> str:
    """The solver that ``certify`` compares with on an instance when none is named."""
    found = problem(instance.problem).exact_solver
    return found if isinstance(found, str) else found(instance)


def problem_names() -> list[str]:
    """Names of all problems: the packages beside this file."""
    here = str(Path(__file__).parent)
    return sorted(module.name for module in pkgutil.iter_modules([here]) if module.ispkg)


def problem(name: str) -> Problem:
    """The problem of that name.

    Raises
    ------
    UnknownNameError
        If there is none.
    """
    try:
        found: Problem = import_module(f"edgeopt.instances.{name}").PROBLEM
    except ModuleNotFoundError as error:
        if error.name != f"edgeopt.instances.{name}":
            raise
        raise UnknownNameError(f"no problem {name!r}; there are: {', '.join(problem_names())}") from None
    return found


def sense_of(instance: Instance) -> str:
    """``max`` or ``min``: the instance's own sense where the problem leaves it to the instance, else the problem's."""
    own: str | None = getattr(instance, "sense", None)
    return own or problem(instance.problem).sense


def digits_of(instance: Instance) -> int:
    """Digits ``d`` after the point that its file had: values and bounds then count in units of ``10**-d``."""
    return getattr(instance, "profit_digits", 0)


def violations(instance: Instance, solution: Any) -> list[Violation]:
    """Every constraint that a solution breaks, from the raw fields in exact arithmetic.

    An empty list means feasible. Shares no code with the models and the compiled form.
    """
    return problem(instance.problem).violations(instance, solution)


def generate(problem_name: str, /, *, seed: int = 0, **options: Any) -> Any:
    """Make an instance of a problem from a seed; the same on every machine.

    Raises
    ------
    UnknownNameError
        If there is no such problem.
    InstanceError
        If an option is unknown or out of range.
    """
    make = problem(problem_name).generate
    try:
        return make(seed=seed, **options)
    except TypeError as error:
        raise InstanceError(f"generate {problem_name}: {error}") from error
