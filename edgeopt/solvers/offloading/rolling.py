"""Rolling horizon: at every slot, the exact model of the tasks that are present, by CP-SAT.

What is under way keeps its place; the tasks that have just arrived are decided together, exactly, with their queues,
uploads and drops. With `depth`, tasks of so many further slots are drawn from the past and are part of the model.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edgeopt.errors import AssumptionError
from edgeopt.instances.offloading.compiled import NEVER, CompiledOffloading
from edgeopt.instances.offloading.instance import IntArray
from edgeopt.solvers.offloading.closed_loop import simple_places
from edgeopt.solvers.offloading.episodes import States, random_streams
from edgeopt.solvers.offloading.policies import at_least
from edgeopt.solvers.offloading.policy_kernel import EARLIEST
from edgeopt.solvers.offloading.queue_kernel import DUE, HEAD, NEXT, PLACE, UPLOAD, WORK


@dataclass(slots=True)
class Rolling:
    """CP-SAT on what is known, decision by decision.

    Parameters
    ----------
    depth : int
        Slots of drawn tasks that are part of the model.
    branches : int
        Limit of a decision, in branches of the search, so that the same seed gives the same decision.

    Raises
    ------
    AssumptionError
        If servers are shared: there is no exact model.
    """

    depth: int = 0
    branches: int = 2000
    name: str = "rolling"
    decided: dict[tuple[int, int], int] = field(default_factory=dict, init=False, repr=False)
    rng: list[np.random.Generator] = field(default_factory=list, init=False, repr=False)
    seed: int = field(default=0, init=False, repr=False)
    unsolved: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        at_least("depth", self.depth, 0)
        at_least("branches", self.branches, 1)

    def start(self, episodes: int, seed: int) -> None:
        """New episodes."""
        self.decided, self.seed, self.unsolved = {}, seed, 0
        self.rng = [np.random.default_rng([seed, 11, episode]) for episode in range(episodes)]

    def decide(self, states: States) -> IntArray:
        """Places of the states' tasks."""
        if states.shared:
            raise AssumptionError("the policy rolling knows the discipline fifo; shared servers have no exact model")
        usual = simple_places(EARLIEST, states, random_streams(self.seed, len(states._episodes)))
        found = np.empty(len(states), dtype=np.int64)
        for b, (episode, task) in enumerate(zip(states.episode.tolist(), states.task.tolist(), strict=True)):
            if (episode, task) not in self.decided:
                self._solve(states, b, episode, task, int(states.last[b]), int(usual[b]))
            found[b] = self.decided.pop((episode, task))
        return found

    def _solve(self, states: States, b: int, episode: int, first: int, last: int, usual: int) -> None:
        from ortools.sat.python import cp_model

        from edgeopt.models.offloading.cpsat_fifo import CpSatLanguage
        from edgeopt.models.offloading.horizon import Horizon

        horizon, placed = self._horizon(states, b, episode, first, last)
        allowed = horizon.allowed()
        places = [[placed[i]] if i < len(placed) else np.flatnonzero(allowed[i]).tolist() for i in range(len(horizon))]
        language = CpSatLanguage()
        stated = Horizon(language, horizon, places)
        new = range(len(placed), len(placed) + last - first + 1)
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = self.seed % 2**31
        solver.parameters.cp_model_presolve = False
        solver.parameters.max_number_of_conflicts = self.branches
        for i in new:
            if usual in places[i]:
                for place, one in zip(places[i], stated.x[i], strict=True):
                    language.model.add_hint(one, place == usual)
        status = solver.solve(language.model)
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            self.unsolved += 1
            self.decided[episode, first] = usual  # the others ask again
            return
        for task, i in zip(range(first, last + 1), new, strict=True):
            taken = [place for place, one in zip(places[i], stated.x[i], strict=True) if solver.boolean_value(one)]
            self.decided[episode, task] = taken[0]

    def _horizon(
        self, states: States, b: int, episode: int, first: int, last: int
    ) -> tuple[CompiledOffloading, list[int]]:
        """The tasks that are present, as far as they have got, then the new ones, then drawn ones; and fixed places."""
        known, queues = states._episodes, states._queues
        ids, val, que, tim = (array[episode] for array in queues.state)
        now, servers = float(states.now[b]), known.servers
        rows: list[tuple[int, float, float, float, list[float], list[float]]] = []
        placed: list[int] = []
        # servers first: they have been sent, so their upload takes no time; then the radios and own processors
        order = [*range(2 * known.devices, len(tim)), *range(2 * known.devices)]
        for queue in order:
            row, head = int(que[queue, HEAD]), True
            while row >= 0:
                left = float(tim[queue]) - now
                upload, work = float(val[row, UPLOAD]), float(val[row, WORK])
                device = queue % known.devices if queue < 2 * known.devices else 0
                if queue >= 2 * known.devices:
                    upload, work = 0.0, left if head else work
                elif queue >= known.devices:
                    upload = left if head else upload
                else:
                    work = left if head else work
                place, due = int(ids[row, PLACE]), float(val[row, DUE])
                if due > now and work > 0:
                    sent, done = [float(NEVER)] * servers, [float(NEVER)] * servers
                    if place:
                        sent[place - 1], done[place - 1] = upload, work
                    rows.append((device, now, due, work if not place else NEVER, sent, done))
                    placed.append(place)
                row, head = int(ids[row, NEXT]), False
        rows += [self._task(states, episode, task, now) for task in range(first, last + 1)]
        slot = float(states.slot[b])
        rate = (last + 1) / ((now - float(known.arrival[episode, 0])) / slot + 1) / known.devices
        for step in range(1, self.depth + 1):
            for _ in range(int(self.rng[episode].binomial(known.devices, min(1.0, rate)))):
                task = int(self.rng[episode].integers(0, last + 1))
                rows.append(self._task(states, episode, task, round(now + step * slot)))
        whole = [np.rint(np.array([row[n] for row in rows], dtype=np.float64)).astype(np.int64) for n in range(6)]
        horizon = CompiledOffloading(
            known.devices, servers, whole[0], whole[1], whole[2], whole[3], whole[4].reshape(len(rows), servers),
            whole[5].reshape(len(rows), servers), int(states.penalty[b]), "fifo", slot,
        )  # fmt: skip
        return horizon, placed

    @staticmethod
    def _task(
        states: States, episode: int, task: int, time: float
    ) -> tuple[int, float, float, float, list[float], list[float]]:
        """A known task as if it arrived at a time."""
        known = states._episodes
        return (
            int(known.device[episode, task]),
            time,
            time + float(known.due[episode, task] - known.arrival[episode, task]),
            float(known.local[episode, task]),
            known.upload[episode, task].tolist(),
            known.work[episode, task].tolist(),
        )
