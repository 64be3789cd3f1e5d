"""Each bin on its own: a group pays its price and may then be chosen in every bin, so bins no longer meet.

A sum over bins of bounds for each of them, plus the prices, is a bound (Lagrangian relaxation of "one choice a
group"; with the best prices it is the bound of column generation over the contents of bins).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .reading import Refuted, fields, items
from .state import Proof, State, rounded
from .vertex_leaf import Children, Combine


def bins(proof: Proof, state: State, vertex: Any) -> tuple[Children, Combine]:
    """One part a bin; the bounds of the parts and the prices add up."""
    _, prices, parts = fields(vertex, "bins", "kind", "prices", "parts")
    if not state.grouped:
        raise Refuted("takes apart bins that are apart already")
    paid, gain = proof.priced(state, prices)
    bin_of = proof.program.bin
    children: Children = []
    for b, part in enumerate(items(parts, "bins.parts", len(state.bins))):
        fixed = {k: inside for k, inside in state.fixed.items() if bin_of[k] == b}
        children.append((part, replace(state, gain=gain, bins=(b,), grouped=False, fixed=fixed)))

    def total(bounds: list[int | None]) -> int | None:
        known = [bound for bound in bounds if bound is not None]
        return rounded(paid + sum(known), state.gain) if len(known) == len(bounds) else None

    return children, total
