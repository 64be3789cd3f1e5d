"""`local-search`: ruin and recreate. Some tasks forget mode and places, and are placed anew in another order."""

from __future__ import annotations

import math

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.decomposition.compiled import IntArray
from edgeopt.instances.decomposition.instance import DecompositionInstance
from edgeopt.instances.decomposition.schedule import Schedule, placed, value
from edgeopt.result import Answer, Termination
from edgeopt.solvers.base import Control
from edgeopt.solvers.decomposition.decoder import Decoder
from edgeopt.solvers.decomposition.listing import cheapest_price, feasible
from edgeopt.solvers.decomposition.priced import better_of, bound_of, started
from edgeopt.solvers.decomposition.prices import PriceProof, Search, critical_path

MOST_ROUNDS, WORK = 3000, 200_000
"""Rounds without a limit: at most so many, and so many placed tasks in all."""
MOST_RUINED = 8
ACCEPT = 0.01
"""Temperature at the beginning, as a part of a task's mean gain; it falls to a hundredth of it."""
BOUND_STEPS = 40
REPRICE = 5
"""Rounds between two looks at a floor of the correctness."""
CHEAPER, DEARER = 0.85, 1.2
"""What becomes of its price where the floor is reached, and where it is not."""


def local_search(
    instance: DecompositionInstance, control: Control, *, rounds: int | None = None, bound: bool = True
) -> Answer:
    """Improve list scheduling by ruin and recreate, with simulated annealing.

    Anytime: at a limit or Ctrl-C the best so far comes back. With a time limit it searches until half of it is gone,
    and spends the rest on the bound.

    Parameters
    ----------
    instance : DecompositionInstance
    control : Control
        A start is taken where it is better than list scheduling.
    rounds : int, optional
        Rounds; as many as the work allows when not given, or until the limit.
    bound : bool
        Whether to compute the bound by prices; that of the critical paths is always there.

    Raises
    ------
    InstanceError
        If `rounds` is negative.
    """
    if rounds is not None and rounds < 0:
        raise InstanceError(f"rounds = {rounds}: must be 0 or more")
    proof: PriceProof = critical_path(instance.compiled)
    search = _Search(instance, control, proof.bound)
    done = search.run(rounds, bound)
    if bound and not search.closed and not control.stop():
        proof = bound_of(instance, search.best, control, Search(steps=BOUND_STEPS))
    if proof.bound is None:
        return Answer(None, termination=Termination.INFEASIBLE, proof=proof)
    termination = control.stopped_by() if control.stop() else Termination.COMPLETE
    effort = {"rounds": done}
    if search.best is None:
        words = "no schedule found that keeps every limit"
        return Answer(None, bound=proof.bound, termination=termination, effort=effort, proof=proof, message=words)
    return Answer(search.best, search.value, proof.bound, termination, effort, proof)


class _Search:
    """Decisions and the best schedule so far."""

    def __init__(self, instance: DecompositionInstance, control: Control, bound: int | None) -> None:
        self.instance, self.control, self.compiled, self.bound = instance, control, instance.compiled, bound
        self.sign = -1 if instance.sense == "min" else 1
        self.best: Schedule | None = None
        self.value: int | None = None
        price = 0.0
        if self.compiled.kind == "latency" and self.compiled.floor_units > 0:
            self.best, price = cheapest_price(instance, thorough=True)
            price = price if math.isfinite(price) else 0.0
        self.floored = self.compiled.kind == "latency" and self.compiled.floor_units > 0
        self.price = price or 1e-6
        self.decoder = Decoder(self.compiled, price)
        self.order = self.decoder.by_arrival()
        self.mode = self.decoder.no_mode.copy()
        self.want = self.decoder.no_want.copy()
        self.gain = self.decoder.run(self.order)
        self.best = better_of(instance, self.best, feasible(instance, self.decoder.schedule()))
        start = started(instance, control)
        self.best = better_of(instance, self.best, start)
        if self.best is not None:
            self.value = value(instance, self.best)
        self._keep()
        if start is not None and self.best is start:
            self._adopt(start)
        self.top = self.gain
        control.report(self.value)

    @property
    def closed(self) -> bool:
        """Whether the best meets the bound of the critical paths."""
        return self.value is not None and self.value == self.bound

    def _keep(self) -> None:
        """What the decoder did last becomes the decisions."""
        a = self.compiled.arrays
        self.mode[:] = self.decoder.mode
        self.want[:] = -1
        chosen = (a.mode_start[:-1] + self.mode).tolist()
        for mode in chosen:
            own = slice(int(a.step_start[mode]), int(a.step_start[mode + 1]))
            self.want[own] = self.decoder.node[own]

    def _adopt(self, start: Schedule) -> None:
        """The decisions of a schedule, tasks in the order of their first start."""
        a = self.compiled.arrays
        self.want[:] = -1
        first = []
        for found in placed(self.compiled, start):
            self.mode[found.task] = found.mode - a.mode_start[found.task]
            self.want[found.first_step : found.first_step + len(found.node)] = found.node
            first.append(min(found.start))
        self.order = np.argsort(np.array(first), kind="stable").astype(np.int64)
        self.gain = self.decoder.run(self.order, self.mode, self.want)

    def run(self, rounds: int | None, bound: bool) -> int:
        """Rounds until the limit; how many were done."""
        tasks, control = self.compiled.tasks, self.control
        if tasks == 0:
            return 0
        limit = control.time_limit
        most = rounds if rounds is not None else max(100, min(MOST_ROUNDS, WORK // tasks))
        share = 0.5 if bound else 1.0
        rng = np.random.default_rng(control.seed)
        heat = ACCEPT * (abs(self.gain) / tasks + 1.0)
        done = 0
        while not self.closed and not control.stop():
            progress = done / most if most else 1.0
            if limit is not None:
                spent = control.seconds() / (share * limit)
                progress = spent if rounds is None else max(progress, spent)
            if progress >= 1.0:
                break
            self._round(rng, heat * 100.0**-progress)
            done += 1
            if self.floored and done % REPRICE == 0:
                self._reprice()
        return done

    def _round(self, rng: np.random.Generator, heat: float) -> None:
        a, tasks = self.compiled.arrays, self.compiled.tasks
        ruined = self._ruined(rng)
        mode, want = self.mode.copy(), self.want.copy()
        for task in ruined.tolist():
            first, last = a.step_start[a.mode_start[task]], a.step_start[a.mode_start[task + 1]]
            want[first:last] = -1
            mode[task] = -1
            if rng.random() < 0.3:  # any mode, and a step or two anywhere
                mode[task] = rng.integers(a.mode_start[task + 1] - a.mode_start[task])
                chosen = a.mode_start[task] + mode[task]
                for step in rng.integers(a.step_start[chosen], a.step_start[chosen + 1], 2).tolist():
                    want[step] = a.option_node[rng.integers(a.option_start[step], a.option_start[step + 1])]
        order = self._moved(rng, ruined) if tasks > 1 else self.order
        gain = self.decoder.run(order, mode, want)
        if gain >= self.gain or rng.random() < math.exp(max(-700.0, (gain - self.gain) / heat)):
            self.order, self.gain = order, gain
            self._keep()
            if gain > self.top or self.best is None:
                self._offer(gain)

    def _reprice(self) -> None:
        """Let the price of the correctness waver around what just reaches the floor; offer what does reach it."""
        self.decoder.run(self.order, self.mode, self.want)
        found = feasible(self.instance, self.decoder.schedule())
        if found is not None:
            own = value(self.instance, found)
            if self.value is None or self.sign * own > self.sign * self.value:
                self.best, self.value = found, own
                self.control.report(own)
        self.price *= CHEAPER if found is not None else DEARER
        self.decoder.set_price(self.price)
        self.gain = self.top = self.decoder.run(self.order, self.mode, self.want)

    def _ruined(self, rng: np.random.Generator) -> IntArray:
        """Some tasks, neighbours in the order two times out of three."""
        tasks = self.compiled.tasks
        count = int(rng.integers(1, min(MOST_RUINED, tasks) + 1))
        if rng.random() < 2 / 3:
            place = int(rng.integers(tasks))
            near = np.argsort(np.abs(np.arange(tasks) - place) + rng.random(tasks) * count, kind="stable")[:count]
            return self.order[near]
        return rng.choice(tasks, count, replace=False).astype(np.int64)

    def _moved(self, rng: np.random.Generator, ruined: IntArray) -> IntArray:
        """The order with the ruined tasks somewhere near their places."""
        key = np.empty(self.compiled.tasks)
        key[self.order] = np.arange(self.compiled.tasks)
        width = 2.0 * MOST_RUINED if rng.random() < 0.5 else 1.0
        key[ruined] += rng.normal(0.0, width, len(ruined))
        found: IntArray = np.argsort(key, kind="stable").astype(np.int64)
        return found

    def _offer(self, gain: float) -> None:
        """Keep a schedule that is better and breaks nothing."""
        self.top = max(self.top, gain)
        found = feasible(self.instance, self.decoder.schedule())
        if found is None:
            return
        own = value(self.instance, found)
        if self.value is None or self.sign * own > self.sign * self.value:
            self.best, self.value = found, own
            self.control.report(own)
