"""`hindsight`: a good plan of a horizon that is known from its beginning, and a bound on all plans, for any size.

Simple policies give a first plan; local search moves single tasks and swaps pairs, and simulates each change; where it
is stuck, a few tasks near each other in time are moved at random. The bound is by prices (`proof`).
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import numpy as np

from edgeopt.instances.offloading import OffloadingInstance, Plan
from edgeopt.instances.offloading.instance import IntArray
from edgeopt.instances.offloading.plan import value
from edgeopt.result import Answer, Termination
from edgeopt.solvers.base import Control
from edgeopt.solvers.offloading import search_kernel
from edgeopt.solvers.offloading.closed_loop import simulate
from edgeopt.solvers.offloading.episodes import Episodes, Queues
from edgeopt.solvers.offloading.policies import SIMPLE, policy
from edgeopt.solvers.offloading.proof import prices

FIRST = ("earliest", "greedy", "shortest-queue", "local")


def first_plan(instance: OffloadingInstance) -> Plan:
    """The best plan of the simple policies."""
    episodes = Episodes.of([instance])
    records = [simulate(episodes, policy(name)) for name in FIRST if name in SIMPLE]
    return Plan(min(records, key=lambda record: float(record.total[0])).place[0].copy())


def hindsight(instance: OffloadingInstance, control: Control, *, rounds: int = 8, steps: int = 400) -> Answer:
    """Search for a good plan, and bound all plans.

    Parameters
    ----------
    instance : OffloadingInstance
    control : Control
        Limits, seed, and a plan to start from.
    rounds : int
        Local searches, each from the best plan with some tasks moved.
    steps : int
        Subgradient steps of the bound.
    """
    start = control.start if isinstance(control.start, Plan) else first_plan(instance)
    searched = 0
    best, total = start.place.copy(), float(value(instance, start))
    episodes = Episodes.of([instance])
    queues = Queues.empty(episodes)
    allowed = instance.compiled.allowed()
    rng = np.random.default_rng(control.seed)
    first = True
    while (searched < rounds or first) and not control.stop():
        trial = best.copy()
        if not first:
            _shake(trial, allowed, rng)
        found = search_kernel.descend(trial, allowed, episodes.shared, episodes.devices, episodes.kernel, queues.state)
        searched += 1
        if found < total or first:
            best, total = (trial, found) if found <= total else (best, total)
            control.report(total)
        first = False
    plan = Plan(best)
    exact = value(instance, plan)
    proof = prices(instance.compiled, exact, control, steps=steps)
    bound = max(0, int(np.ceil(proof.bound * (1 - 1e-12) - 1e-3)))
    return Answer(
        plan,
        exact,
        min(bound, exact),
        control.stopped_by() if control.stop() else Termination.COMPLETE,
        effort={"searches": searched},
        proof=proof,
    )


def _shake(place: IntArray, allowed: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], rng: np.random.Generator) -> None:
    """Move a few tasks near each other in time at random."""
    count = len(place)
    middle, span = int(rng.integers(count)), min(count, 8)
    begin = max(0, min(middle, count - span))
    for i in rng.permutation(np.arange(begin, begin + span))[: rng.integers(2, 5)].tolist():
        place[i] = rng.choice(np.flatnonzero(allowed[i]))
