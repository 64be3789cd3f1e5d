"""The horizon with servers first come, first served, as a Pyomo MILP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.core.expr.numeric_expr import LinearExpression

from edgeopt.errors import AssumptionError
from edgeopt.instances.offloading import OffloadingInstance, Plan
from edgeopt.models.base import FloatArray, Model
from edgeopt.models.offloading.horizon import FifoFormulation, Horizon, Sum, Term

MOST_TICKS = 200_000
"""Solvers take a binary within 1e-6 of a whole number for one, so that a row is off by that times its big number."""


class PyomoLanguage:
    """The constraints as linear rows: maxima choose one of their terms by binaries, implications have a big number.

    Each big number is the least that does: what the row can be off by within the bounds of its variables.
    """

    def __init__(self) -> None:
        self.model = pyo.ConcreteModel(name="offloading")
        self.model.binary = pyo.VarList(domain=pyo.Binary)
        self.model.whole = pyo.VarList(domain=pyo.NonNegativeIntegers)
        self.model.row = pyo.ConstraintList()

    def binary(self) -> Any:
        """A binary."""
        return self.model.binary.add()

    def whole(self, most: int) -> Any:
        """An integer from 0 to `most`."""
        variable = self.model.whole.add()
        variable.setub(most)
        return variable

    def rows(self, terms: Sequence[Term], low: int | None, high: int | None) -> None:
        """``low <= sum(terms) <= high``."""
        self.model.row.add((low, _linear(terms), high))

    def implied(self, literal: Any, true: bool, terms: Sequence[Term], low: int | None, high: int | None) -> None:
        """The same where a binary is 1, or 0."""
        sign = 1 if true else -1
        if low is not None:
            slack = max(0, low - _bounds(terms)[0])
            # sum + slack (1 - literal) >= low, and with a literal that is to be 0: sum + slack literal >= low
            self.rows([*terms, (-sign * slack, literal)], low - (slack if true else 0), None)
        if high is not None:
            slack = max(0, _bounds(terms)[1] - high)
            self.rows([*terms, (sign * slack, literal)], None, high + (slack if true else 0))

    def largest(self, target: Any, of: Sequence[Sum]) -> None:
        """A maximum."""
        self._one_of(target, of, 1)

    def least(self, target: Any, of: Sequence[Sum]) -> None:
        """A minimum."""
        self._one_of(target, of, -1)

    def _one_of(self, target: Any, of: Sequence[Sum], sign: int) -> None:
        """``sign target >= sign sum`` for each sum, with equality for one of them."""
        chosen = [None if len(of) == 1 else self.binary() for _ in of]
        if len(of) > 1:
            self.rows([(1, one) for one in chosen], 1, 1)
        for (terms, constant), one in zip(of, chosen, strict=True):
            difference = [(sign, target), *((-sign * coefficient, variable) for coefficient, variable in terms)]
            self.rows(difference, sign * constant, None)
            if one is None:
                self.rows(difference, None, sign * constant)
            else:
                self.implied(one, True, difference, None, sign * constant)

    def product(self, variable: Any, literal: Any, most: int) -> Any:
        """The variable where the binary is 1, else 0."""
        found = self.whole(most)
        self.rows([(1, found), (-most, literal)], None, 0)
        self.rows([(1, found), (-1, variable)], None, 0)
        self.rows([(1, variable), (-1, found), (most, literal)], None, most)
        return found

    def minimize(self, terms: Sequence[Term], constant: int) -> None:
        """The objective."""
        self.model.cost = pyo.Objective(expr=_linear(terms, constant), sense=pyo.minimize)


def _bounds(terms: Sequence[Term]) -> tuple[int, int]:
    """Least and largest value of a sum within the bounds of its variables, whose least is 0."""
    ends = [coefficient * int(variable.ub) for coefficient, variable in terms]
    return sum(min(0, end) for end in ends), sum(max(0, end) for end in ends)


def _linear(terms: Sequence[Term], constant: int = 0) -> LinearExpression:
    coefficients, variables = [coefficient for coefficient, _ in terms], [variable for _, variable in terms]
    return LinearExpression(constant=constant, linear_coefs=coefficients, linear_vars=variables)


class PyomoFifo(FifoFormulation):
    """Binaries ``x_ij``, then the variables that follow from them.

    Raises
    ------
    AssumptionError
        If its servers are shared, or its horizon has so many ticks that a solver's tolerance is one of them.
    """

    def __init__(self, instance: OffloadingInstance) -> None:
        super().__init__(instance)
        latest = int(self.compiled.due.max())
        if latest > MOST_TICKS:
            raise AssumptionError(
                f"{instance.name}: a horizon of {latest:,} ticks is too long for the linear form, whose big numbers "
                f"are sound up to {MOST_TICKS:,}; take a longer tick_s (it is {instance.tick_s:g} s), or cpsat"
            )

    def build(self) -> Model:
        """The Pyomo model."""
        language = PyomoLanguage()
        stated = Horizon(language, self.compiled, self.places)
        x = [one for own in stated.x for one in own]
        known = {id(one) for one in x}
        every = [*language.model.binary.values(), *language.model.whole.values()]
        return Model(language.model, [*x, *(one for one in every if id(one) not in known)])

    def start(self, solution: Plan) -> FloatArray:
        """The binaries ``x_ij`` of a plan; the rest is left to the solver."""
        counting = _Counting()
        Horizon(counting, self.compiled, self.places)
        chosen = super().start(solution)
        return np.concatenate([chosen, np.zeros(counting.variables - len(chosen))])


class _Count:
    ub = 1


class _Counting(PyomoLanguage):
    """Counts the variables that the linear rows need, without Pyomo."""

    def __init__(self) -> None:
        self.variables = 0

    def binary(self) -> Any:
        """One more."""
        self.variables += 1
        return _Count()

    def whole(self, most: int) -> Any:
        """One more."""
        return self.binary()

    def rows(self, terms: Sequence[Term], low: int | None, high: int | None) -> None:
        """Nothing to count."""

    def minimize(self, terms: Sequence[Term], constant: int) -> None:
        """Nothing to count."""
