"""The logistic function rounded down to whole units, for certain."""

from __future__ import annotations

import math
from decimal import ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from functools import lru_cache

UNITS = 10**6
"""Units of correctness: 1 is a million."""
_CONTEXT = Context(prec=60)
_ERROR = Decimal(10) ** -50
"""More than what 60 digits lose, for logits of at most 100."""


_CLEAR = 1e-4
"""A double this far (units) from a whole number says which numbers it is between: it is off by less than 1e-7."""


def logistic_units(logit: Fraction) -> int:
    """``floor(UNITS / (1 + exp(-logit)))``.

    It is no integer except at a logit of 0, so some number of digits decides it; the 50 that are certain here do,
    else the lower of the two candidates is taken, which is the safe side.
    """
    if logit == 0:
        return UNITS // 2
    near = UNITS / (1 + math.exp(-float(logit)))
    if abs(near - round(near)) > _CLEAR:
        return int(near)
    return _exactly(logit)


@lru_cache(maxsize=4096)
def _exactly(logit: Fraction) -> int:
    power = _CONTEXT.exp(_CONTEXT.divide(Decimal(-logit.numerator), Decimal(logit.denominator)))
    value = _CONTEXT.divide(Decimal(UNITS), _CONTEXT.add(Decimal(1), power))
    return int(_CONTEXT.subtract(value, _ERROR).to_integral_value(rounding=ROUND_FLOOR))
