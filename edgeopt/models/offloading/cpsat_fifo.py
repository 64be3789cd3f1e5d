"""The horizon with servers first come, first served, for CP-SAT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ortools.sat.python import cp_model

from edgeopt.models.base import Model
from edgeopt.models.offloading.horizon import FifoFormulation, Horizon, Sum, Term

weighted_sum = cp_model.LinearExpr.weighted_sum


class CpSatLanguage:
    """The constraints in CP-SAT, which knows maxima and implications."""

    def __init__(self) -> None:
        self.model = cp_model.CpModel()

    def binary(self) -> Any:
        """A literal."""
        return self.model.new_bool_var("")

    def whole(self, most: int) -> Any:
        """An integer from 0 to `most`."""
        return self.model.new_int_var(0, most, "")

    def rows(self, terms: Sequence[Term], low: int | None, high: int | None) -> None:
        """``low <= sum(terms) <= high``."""
        self._rows(terms, low, high)

    def implied(self, literal: Any, true: bool, terms: Sequence[Term], low: int | None, high: int | None) -> None:
        """The same where a literal is true, or false."""
        for row in self._rows(terms, low, high):
            row.only_enforce_if(literal if true else literal.negated())

    def _rows(self, terms: Sequence[Term], low: int | None, high: int | None) -> list[Any]:
        total = _sum((terms, 0))
        if low == high:
            return [self.model.add(total == low)]
        rows = [] if low is None else [self.model.add(total >= low)]
        return rows if high is None else [*rows, self.model.add(total <= high)]

    def largest(self, target: Any, of: Sequence[Sum]) -> None:
        """A maximum."""
        self.model.add_max_equality(target, [_sum(one) for one in of])

    def least(self, target: Any, of: Sequence[Sum]) -> None:
        """A minimum."""
        self.model.add_min_equality(target, [_sum(one) for one in of])

    def product(self, variable: Any, literal: Any, most: int) -> Any:
        """The variable where the literal is true, else 0."""
        found = self.whole(most)
        self.model.add(found == variable).only_enforce_if(literal)
        self.model.add(found == 0).only_enforce_if(literal.negated())
        return found

    def minimize(self, terms: Sequence[Term], constant: int) -> None:
        """The objective."""
        self.model.minimize(_sum((terms, constant)))


def _sum(one: Sum) -> Any:
    terms, constant = one
    return weighted_sum([variable for _, variable in terms], [coefficient for coefficient, _ in terms]) + constant


class CpSatFifo(FifoFormulation):
    """Literals ``x_ij``."""

    def build(self) -> Model:
        """The CP-SAT model."""
        language = CpSatLanguage()
        stated = Horizon(language, self.compiled, self.places)
        return Model(language.model, [one for own in stated.x for one in own])
