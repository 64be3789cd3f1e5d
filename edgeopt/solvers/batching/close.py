"""`close`: batching over many nodes to proved optimality, anytime, with a proof tree."""

from __future__ import annotations

import numpy as np

from edgeopt.instances.batching import BatchingInstance, Schedule
from edgeopt.instances.batching.program import program
from edgeopt.instances.program import IntArray, Program
from edgeopt.result import Answer
from edgeopt.solvers.base import Control
from edgeopt.solvers.batching.gah import gah, gah_plus
from edgeopt.solvers.pricebranch import solve

GAH_SHARE = 0.2
"""Most of the time left that each of the first solutions may take."""


class _Part(Control):
    """A share of the time of a control; it stops when the whole does."""

    def __init__(self, whole: Control) -> None:
        limit = whole.remaining()
        super().__init__(whole.solver, None if limit is None else GAH_SHARE * limit, whole.seed)
        self.whole = whole

    def stop(self) -> bool:
        """Whether the share is used up or the whole is to stop."""
        return self.whole.stop() or super().stop()


def close(instance: BatchingInstance, control: Control, *, vertex_limit: int | None = None) -> Answer:
    """Close the gap between schedule and bound: `gah+` to start from, then price and branch.

    Parameters
    ----------
    vertex_limit : int, optional
        Most vertices of the proof tree.
    """
    common = program(instance)
    outcome = solve(common, control, start=_start(instance, control, common), vertex_limit=vertex_limit)
    chosen = np.zeros(0, dtype=np.int64) if outcome.chosen is None else outcome.chosen
    return Answer(
        solution=Schedule(tuple(common.group[chosen[common.bin[chosen] == bin]] for bin in range(common.bins))),
        claimed_value=outcome.value,
        bound=outcome.bound,
        termination=outcome.termination,
        effort=outcome.effort,
        proof=outcome.tree,
    )


def _start(instance: BatchingInstance, control: Control, common: Program) -> IntArray:
    """The best of the given start, one pass of `gah`, and `gah+` within its share of the time."""
    schedules = [] if control.start is None else [control.start]
    for heuristic in (gah, gah_plus):
        found = heuristic(instance, _Part(control)).solution
        if found is not None:
            schedules.append(found)
    best = max(schedules, key=lambda schedule: schedule.value)
    return choices(common, best)


def choices(common: Program, schedule: Schedule) -> IntArray:
    """The choices of the common form that a schedule makes."""
    taken = np.zeros((common.bins, max(1, common.groups)), dtype=bool)
    for bin, batch in enumerate(schedule.batches):
        taken[bin, batch] = True
    return np.flatnonzero(taken[common.bin, common.group])
