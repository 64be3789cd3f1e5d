"""Proof by exchange for the slide problem: no more users fit into the band than the cheapest ones do.

Whoever serves ``n`` users gives each at least its least share, so the ``n`` smallest least shares fit into the band.
Each share is at least the rate that the evidence shows (`slide`), over the rate of the whole band.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from .reading import Replay, fields
from .slide import ONE, Model, User, fit, least_rates, least_shares, meet, read_program, read_solution


def replay(program: Any, solution: Any, proof: Any) -> Replay:
    """Check the solution, and prove a bound anew."""
    users, models = read_program(program, "plain")
    value = None if solution is None else len(served(users, models, solution))
    _, bits, evidence = fields(proof, "proof", "kind", "bits", "users")
    least = [share for share in least_shares(users, least_rates(users, models, bits, evidence)) if share is not None]
    return counted("exchange", len(users), len(models), value, least)


def served(users: list[User], models: list[Model], solution: Any) -> list[int]:
    """The users of a solution; refuted if it is none."""
    entries = read_solution(users, models, solution)
    for entry in entries:
        user = users[entry.user]
        meet(user, models[entry.model], user.rate * entry.share, entry)
    fit([entry.share for entry in entries])
    return [entry.user for entry in entries]


def counted(kind: str, users: int, models: int, value: int | None, least: list[int]) -> Replay:
    """What shares that users need at least, in units of ``1 / ONE``, say of how many can be served."""
    bound = sum(total <= ONE for total in accumulate(sorted(least)))
    lines = [
        f"program   {users} users, {models} models, max",
        "solution  none given" if value is None else f"solution  feasible, {value} users served",
        f"proof     {kind}: the {min(bound + 1, len(least))} cheapest of {len(least)} users "
        + ("exceed the band" if bound < len(least) else "are all there are"),
    ]
    return Replay("max", value, bound, lines)
