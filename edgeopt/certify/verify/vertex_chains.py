"""Chains: where each choice is at least as good as the next in every respect, take the first few of each.

The budgets are relaxed first: whoever is in the bin has a budget of at least the window's lower end ``T``, and the
last resource sums to at most its upper end. In what remains, exchanging a chosen choice for an earlier one of
its chain that is not chosen gains no less and uses no more of anything. So some best set holds of every chain the
first few, and only such sets need be looked at. An exchange may change how many of some choices are in, so nothing may
be known of that yet. (Below, `choice` vertices decide how many: see there.)
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

from .reading import Refuted, fields, items, whole
from .state import Proof, State
from .vertex_leaf import Children, Combine


def chains(proof: Proof, state: State, vertex: Any) -> tuple[Children, Combine]:
    """Check that the chains are chains; the bound of what remains is the bound."""
    _, listed, then = fields(vertex, "chains", "kind", "chains", "then")
    if state.grouped or state.chains is not None:
        raise Refuted("chains belong directly below one bin on its own")
    program, (b,) = proof.program, state.bins
    if state.counts.get(b):
        raise Refuted("chains may not stand below a count of their bin, which an exchange would change")
    place: dict[int, tuple[list[int], int]] = {}
    for chain in items(listed, "chains"):
        for position, k in enumerate(items(chain, "a chain")):
            if not 0 <= whole(k, "a chain") < len(program.bin) or program.bin[k] != b:
                raise Refuted(f"has choice {k} in a chain, which is not there")
            late = program.budget is None or program.budget[k] >= state.window[b][0]
            if k in place or k in state.fixed or not late:
                raise Refuted(f"has choice {k} in a chain, which is in another one or decided already")
            place[k] = chain, position
        for k, after in pairwise(chain):
            lighter = all(column[k] <= column[after] for column in program.weight)
            if not lighter or state.gain[k] < state.gain[after]:
                raise Refuted(f"has choice {k} before {after} in a chain, but it is not as good")
    return [(then, replace(state, chains=place))], lambda bounds: bounds[0]
