"""Rows of the Pyomo models of the variants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyomo.core.expr.numeric_expr import LinearExpression


def linear(coefficients: Sequence[float], variables: Sequence[Any]) -> LinearExpression:
    """``sum(coefficient * variable)``, built without Pyomo's operators."""
    return LinearExpression(constant=0, linear_coefs=list(coefficients), linear_vars=list(variables))
