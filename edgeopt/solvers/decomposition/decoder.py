"""From decisions to a schedule: the compiled list scheduler with its arguments, and what it left in its arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeopt.instances.decomposition.compiled import CompiledDecomposition, IntArray
from edgeopt.instances.decomposition.schedule import Schedule
from edgeopt.solvers.decomposition.list_kernel import LATENCY, ON_TIME, REWARD, list_schedule

KINDS = {"reward": REWARD, "latency": LATENCY, "on-time": ON_TIME}


class Decoder:
    """Schedules of one instance by list scheduling.

    Parameters
    ----------
    compiled : CompiledDecomposition
    price : float
        What a millionth of correctness of a task is worth in ticks, in the objective ``latency``.
    """

    def __init__(self, compiled: CompiledDecomposition, price: float = 0.0) -> None:
        self.compiled, a = compiled, compiled.arrays
        self.steps, self.edges = len(a.option_start) - 1, len(a.edge_from)
        self.lanes = _lanes(compiled)
        # the undo list holds a task's intervals, a lane at most one a step or transfer of every task
        modes = np.diff(a.step_start) + np.diff(a.edge_start)
        most = np.maximum.reduceat(modes, a.mode_start[:-1]) if compiled.tasks else np.zeros(0, np.int64)
        self.width = int(most.sum()) + 1
        self.factors = self._factors(price)
        self.mode = np.zeros(compiled.tasks, dtype=np.int64)
        self.node = np.zeros(self.steps, dtype=np.int64)
        self.start = np.zeros((self.steps, 3), dtype=np.int64)
        self.transfer = np.zeros(self.edges, dtype=np.int64)
        self.no_mode = np.full(compiled.tasks, -1, dtype=np.int64)
        self.no_want = np.full(self.steps, -1, dtype=np.int64)

    def set_price(self, price: float) -> None:
        """Change what correctness is worth, in the objective ``latency``."""
        self.factors = self._factors(price)

    def _factors(self, price: float) -> tuple[int, float, float]:
        kind = KINDS[self.compiled.kind]
        if kind == REWARD:
            return kind, float(self.compiled.right_factor), float(self.compiled.tick_factor)
        return kind, price, 1.0

    def run(
        self,
        order: IntArray,
        want_mode: IntArray | None = None,
        want: IntArray | None = None,
        *,
        thorough: bool = True,
    ) -> float:
        """Schedule the tasks in an order; the sum of the gains. What was found is in the arrays of this object."""
        return float(
            list_schedule(
                self.compiled.arrays,
                self.lanes,
                self.factors,
                self.compiled.aggregation == "product",
                order,
                self.no_mode if want_mode is None else want_mode,
                self.no_want if want is None else want,
                self.width,
                thorough,
                self.mode,
                self.node,
                self.start,
                self.transfer,
            )
        )

    def schedule(self) -> Schedule:
        """The schedule of the last run."""
        a = self.compiled.arrays
        chosen = a.mode_start[:-1] + self.mode
        steps, edges = rows(a.step_start, chosen), rows(a.edge_start, chosen)
        return Schedule(self.mode.copy(), self.node[steps], self.start[steps, 0], self.transfer[edges])

    def by_arrival(self) -> IntArray:
        """Tasks by arrival; of those that come at once the one with less work first."""
        a = self.compiled.arrays
        found: IntArray = np.lexsort((self._work(), a.release)).astype(np.int64)
        return found

    def _work(self) -> NDArray[np.int64]:
        """Least execution time of a task's first mode (ticks)."""
        a = self.compiled.arrays
        if not self.compiled.tasks:
            return np.zeros(0, dtype=np.int64)
        least = np.minimum.reduceat(a.option_ticks[:, 0], a.option_start[:-1])
        work = np.add.reduceat(least, a.step_start[:-1])
        return np.asarray(work[a.mode_start[:-1]])


def rows(start: IntArray, chosen: IntArray) -> IntArray:
    """The rows ``start[k]`` to ``start[k + 1] - 1`` of each chosen ``k``, one after the other."""
    length = start[chosen + 1] - start[chosen]
    ends = np.cumsum(length)
    total = int(ends[-1]) if len(ends) else 0
    found: IntArray = np.arange(total) + np.repeat(start[chosen] - (ends - length), length)
    return found


def _lanes(compiled: CompiledDecomposition) -> IntArray:
    """First lane and number of lanes of each resource; a node with a slot for every step needs none."""
    a = compiled.arrays
    own = np.diff(a.step_start)
    most = int(np.maximum.reduceat(own, a.mode_start[:-1]).sum()) if compiled.tasks else 0
    number = np.where(a.slots >= most, 0, a.slots)
    number[compiled.nodes :] = 1
    first = np.cumsum(number) - number
    return np.ascontiguousarray(np.stack([first, number], axis=1), dtype=np.int64)
