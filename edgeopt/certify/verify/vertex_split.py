"""Two cases that together leave nothing out: a choice out or in, a least budget late or early, a count low or high."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .reading import Refuted, fields, whole, wholes
from .state import Count, Proof, State
from .vertex_leaf import Children, Combine


def choice(proof: Proof, state: State, vertex: Any) -> tuple[Children, Combine]:
    """Every set is `without` the choice or `with` it.

    Where one choice a group is demanded, with it the others of its group are out. In a chain only the
    first few are in: without the choice those after it are out, with it those before it are in.
    """
    _, k, without, with_ = fields(vertex, "choice", "kind", "choice", "without", "with")
    program = proof.program
    if not 0 <= whole(k, "choice") < len(program.bin) or program.bin[k] not in state.bins:
        raise Refuted(f"splits on choice {k}, which is not there")
    if k in state.fixed:
        raise Refuted(f"splits on choice {k}, which is decided already")
    out, others_out, others_in = {k: False}, {}, {}
    if state.grouped:
        others_out = {mate: False for mate in program.mates[program.group[k]] if mate != k}
    if state.chains is not None and k in state.chains:
        chain, place = state.chains[k]
        out.update((after, False) for after in chain[place + 1 :])
        others_in = {before: True for before in chain[:place]}
    return [
        (without, replace(state, fixed=state.fixed | out)),
        (with_, replace(state, fixed=state.fixed | others_out | others_in | {k: True})),
    ], largest


def threshold(proof: Proof, state: State, vertex: Any) -> tuple[Children, Combine]:
    """The least budget in the bin is at least the threshold (`late`), or less (`early`); empty bins fit in both.

    If it is less, it is at most the largest budget below the threshold that there is in the bin.
    """
    _, b, t, late, early = fields(vertex, "threshold", "kind", "bin", "threshold", "late", "early")
    budget = proof.program.budget
    if whole(b, "bin") not in state.bins or whole(t, "threshold") < 0 or budget is None or state.chains is not None:
        raise Refuted("splits on a least budget where there is none")
    low, high = state.window[b]
    below = max((budget[k] for k in proof.program.members[b] if budget[k] < t), default=-1)
    return [
        (late, replace(state, window=state.window | {b: (max(low, t), high)})),
        (early, replace(state, window=state.window | {b: (low, min(high, below))})),
    ], largest


def count(proof: Proof, state: State, vertex: Any) -> tuple[Children, Combine]:
    """At most `most` of some choices of a bin are in (`few`), or at least one more than that (`many`)."""
    _, b, listed, most, few, many = fields(vertex, "count", "kind", "bin", "choices", "most", "few", "many")
    if whole(b, "bin") not in state.bins or state.chains is not None:
        raise Refuted("counts in a bin that is not there, or whose choices form chains")
    chosen = frozenset(wholes(listed, "count.choices"))
    if len(chosen) < len(listed) or not chosen.issubset(proof.program.members[b]):
        raise Refuted("counts a choice twice, or one that is not in the bin")
    known = state.counts.get(b, ())
    return [
        (few, replace(state, counts=state.counts | {b: (*known, Count(chosen, 1, whole(most, "most")))})),
        (many, replace(state, counts=state.counts | {b: (*known, Count(chosen, -1, -(most + 1)))})),
    ], largest


def largest(bounds: list[int | None]) -> int | None:
    """Bound of two cases; None where neither has a set."""
    return max((bound for bound in bounds if bound is not None), default=None)
