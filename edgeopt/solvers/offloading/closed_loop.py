"""The closed loop: tasks arrive, a policy sends them, the queues run on. Vectorised over episodes."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edgeopt.errors import BackendError
from edgeopt.instances.offloading.instance import FloatArray, IntArray
from edgeopt.solvers.offloading import policy_kernel
from edgeopt.solvers.offloading.episodes import BoolArray, Episodes, Queues, States, random_streams
from edgeopt.solvers.offloading.queue_kernel import INFINITY


class Policy(Protocol):
    """A rule that sends tasks where they go; the one signature of all of them.

    It is told what is known when a task arrives, and nothing later.
    """

    @property
    def name(self) -> str: ...

    def start(self, episodes: int, seed: int) -> None:
        """Forget everything: so many new episodes begin."""
        ...

    def decide(self, states: States) -> IntArray:
        """The place of the task of each state (B,): 0 for the device itself, ``j`` for the ``j``-th server."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """What became of the tasks of some episodes.

    Attributes
    ----------
    tasks : (E,) int64
    cost : (E, N) float64
        Latency, or deadline and penalty of a dropped task (ticks); NaN beyond an episode's tasks.
    dropped : (E, N) bool
    place : (E, N) int64
        Where each task went; -1 beyond an episode's tasks.
    seconds_deciding : float
        Time that the policy took (s); 0 where decisions are a part of the compiled loop.
    """

    tasks: IntArray
    cost: FloatArray
    dropped: BoolArray
    place: IntArray
    seconds_deciding: float = 0.0

    @property
    def total(self) -> FloatArray:
        """Cost of each episode (ticks)."""
        total: FloatArray = np.nansum(self.cost, axis=1)
        return total


class Loop:
    """Episodes on their way from decision to decision; `simulate` and the environment drive it."""

    def __init__(self, episodes: Episodes) -> None:
        self.episodes = episodes
        self.queues = Queues.empty(episodes)
        self.next = np.zeros(len(episodes), dtype=np.int64)
        self.last = episodes.last_together()

    def states(self) -> States | None:
        """The next decision of every episode that has one left; None when all have ended."""
        known, queues = self.episodes, self.queues
        active = np.flatnonzero(self.next < known.tasks)
        if not len(active):
            return None
        task = self.next[active]
        now = known.arrival[active, task]
        self._advance(active, now)
        wait = np.zeros((len(active), 2 + known.servers))
        count = np.zeros((len(active), 2 + known.servers), dtype=np.int64)
        ahead = np.zeros((len(active), known.servers))
        device = known.device[active, task]
        policy_kernel.look_all(
            active,
            device,
            now,
            known.upload[active, task],
            known.shared,
            known.devices,
            queues.state,
            wait,
            count,
            ahead,
        )
        return States(
            episode=active,
            task=task,
            device=device,
            last=self.last[active, task],
            now=now,
            slack=known.due[active, task] - now,
            penalty=known.penalty[active],
            local=known.local[active, task],
            upload=known.upload[active, task],
            work=known.work[active, task],
            wait=wait,
            count=count,
            ahead=ahead,
            slot=known.slot[active],
            shared=known.shared,
            _episodes=known,
            _queues=queues,
        )

    def send(self, states: States, place: IntArray) -> None:
        """Send the task of every state to its place.

        Raises
        ------
        BackendError
            If a place is none that its task can go to.
        """
        known, queues = self.episodes, self.queues
        place = np.asarray(place)
        good = place.shape == (len(states),) and place.dtype.kind in "iu"
        good = good and bool(((place >= 0) & (place <= known.servers)).all())
        if not good or not states.allowed[np.arange(len(states)), place].all():
            raise BackendError(f"a policy returned the places {place!r}: must be one a task that it can go to")
        place = place.astype(np.int64)
        full = policy_kernel.send_all(
            states.episode, states.task, place, known.shared, known.devices, known.kernel, queues.state, queues.record
        )
        if full >= 0:
            raise BackendError(f"episode {states.episode[full]} has more tasks at once than there is room for")
        queues.place[states.episode, states.task] = place
        self.next[states.episode] += 1

    def finish(self) -> Record:
        """Run the queues until they are empty."""
        every = np.arange(len(self.episodes))
        self._advance(every, np.full(len(every), INFINITY))
        return self.record()

    def record(self, seconds: float = 0.0) -> Record:
        """What has become of the tasks so far."""
        return Record(self.episodes.tasks, self.queues.cost, self.queues.lost, self.queues.place, seconds)

    def _advance(self, active: IntArray, until: FloatArray) -> None:
        known, queues = self.episodes, self.queues
        policy_kernel.advance_all(
            active, until, known.shared, known.devices, known.penalty, queues.state, queues.record
        )


def simulate(episodes: Episodes, policy: Policy, *, seed: int = 0, stop: Callable[[], bool] | None = None) -> Record:
    """Run episodes to their end under a policy.

    Parameters
    ----------
    episodes : Episodes
    policy : Policy
    seed : int
        Of the policy's own random numbers.
    stop : callable, optional
        Asked before every decision; when it is true, the rest goes where it ends earliest.

    Raises
    ------
    BackendError
        If the policy returns something else than places that the tasks can go to.
    """
    import time

    code = getattr(policy, "code", None)
    if code is not None and stop is None:
        return _compiled_loop(episodes, code, seed)
    loop = Loop(episodes)
    policy.start(len(episodes), seed)
    seconds = 0.0
    while (states := loop.states()) is not None:
        begun = time.perf_counter()
        if stop is not None and stop():
            place = simple_places(policy_kernel.EARLIEST, states, random_streams(seed, len(episodes)))
        else:
            place = policy.decide(states)
        seconds += time.perf_counter() - begun
        loop.send(states, place)
    loop.finish()
    return loop.record(seconds)


def simple_places(code: int, states: States, rng: np.ndarray[tuple[int, ...], np.dtype[np.uint64]]) -> IntArray:
    """Where a simple policy sends the tasks of some states."""
    own = rng[states.episode]
    found: IntArray = policy_kernel.choose_all(
        code, states.local, states.upload, states.work, states.slack, states.shared, states.penalty, states.wait,
        states.count, states.ahead, states.task, own,
    )  # fmt: skip
    rng[states.episode] = own
    return found


def _compiled_loop(episodes: Episodes, code: int, seed: int) -> Record:
    """The closed loop of a simple policy, in compiled code throughout."""
    queues = Queues.empty(episodes)
    policy_kernel.run_all(
        code, episodes.tasks, episodes.shared, episodes.devices, episodes.kernel, queues.state, queues.record,
        queues.place, random_streams(seed, len(episodes)),
    )  # fmt: skip
    return Record(episodes.tasks, queues.cost, queues.lost, queues.place)


def follow(episodes: Episodes, place: IntArray) -> Record:
    """What becomes of the tasks under given plans (E, N)."""
    queues = Queues.empty(episodes)
    policy_kernel.run_all(
        -1, episodes.tasks, episodes.shared, episodes.devices, episodes.kernel, queues.state, queues.record, place,
        random_streams(0, len(episodes)),
    )  # fmt: skip
    return Record(episodes.tasks, queues.cost, queues.lost, place)
