"""What a formulation is to the back ends: variables in a fixed order, and the way from values to a solution.

A back end finds a formulation by problem, form and language, and knows nothing else about the problem:
`edgeopt.models.<problem>.FORMULATIONS` maps form to language to ``module:Class``, the first form being
the default unless a function ``default_form`` beside it names one for the instance. A new problem adds such a table and
touches no back end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeopt.errors import UnknownNameError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Language = Literal["pyomo", "cpsat"]


@dataclass(frozen=True, slots=True)
class Model:
    """A built model.

    Attributes
    ----------
    model : object
        The model in its language: a Pyomo ``ConcreteModel`` or a CP-SAT ``CpModel``.
    variables : sequence of object
        Its variables in the order in which a formulation reads and writes values.
    """

    model: Any
    variables: Sequence[Any]


class Cut(NamedTuple):
    """At most `at_most` of the binaries at `positions` of the model's variables are 1."""

    positions: IntArray
    at_most: int


class Formulation(Protocol):
    """An instance as a model in one language, and values of its variables as a solution.

    Everything but `build` works without the modelling language, so it can run in another process. Where the objective
    is held from one side only, so that values which are not optimal may say less than their solution has, the class
    sets ``understates = True``.
    """

    def __init__(self, instance: Any) -> None: ...

    def build(self) -> Model:
        """The model of the instance."""
        ...

    def extract(self, values: FloatArray) -> Any:
        """The solution that the variables' values (in the order of `Model.variables`) describe."""
        ...

    def start(self, solution: Any) -> FloatArray:
        """Values of the variables that describe a solution: the way back of `extract`."""
        ...

    def cuts(self, values: FloatArray) -> list[Cut]:
        """Cuts that every exactly feasible solution satisfies and `values` breaks.

        Empty iff the solution is feasible in exact integers. A solver whose arithmetic has tolerances
        adds them and solves on when its incumbent is refuted.
        """
        ...


def forms(problem: str) -> Mapping[str, Mapping[str, str]]:
    """Form to language to ``module:Class`` for a problem; the first form is the default.

    Raises
    ------
    UnknownNameError
        If the problem has no formulations.
    """
    name = f"edgeopt.models.{problem}"
    try:
        table: Mapping[str, Mapping[str, str]] = import_module(name).FORMULATIONS
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise UnknownNameError(f"problem {problem!r} has no formulations") from None
    return table


def form_of(instance: Any, form: str | None) -> str | None:
    """The form that is asked for; else what the problem's formulations name for the instance, by ``default_form``."""
    if form is not None:
        return form
    forms(instance.problem)
    chosen: Callable[[Any], str] | None = getattr(
        import_module(f"edgeopt.models.{instance.problem}"), "default_form", None
    )
    return None if chosen is None else chosen(instance)


def find(problem: str, form: str | None, language: Language) -> str:
    """The ``module:Class`` of a form (the problem's default when None) in a language.

    Raises
    ------
    UnknownNameError
        If there is none; the text names those there are.
    """
    table = {name: languages[language] for name, languages in forms(problem).items() if language in languages}
    chosen = next(iter(table), "") if form is None else form
    if chosen not in table:
        raise UnknownNameError(f"no form {form!r} of {problem} for {language}; there are: {', '.join(table) or 'none'}")
    return table[chosen]


def load(path: str) -> type[Formulation]:
    """The formulation class at ``module:Class``, imported now."""
    module, _, name = path.partition(":")
    found: type[Formulation] = getattr(import_module(module), name)
    return found
