"""Many episodes side by side: compiled instances stacked into arrays, and the state of their queues."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeopt.errors import InstanceError
from edgeopt.instances.offloading import OffloadingInstance
from edgeopt.instances.offloading.compiled import NEVER
from edgeopt.instances.offloading.instance import FloatArray, IntArray
from edgeopt.solvers.offloading import policy_kernel
from edgeopt.solvers.offloading.queue_kernel import INFINITY

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Episodes:
    """Episodes with as many devices and servers each, and one discipline; times in ticks, as floats.

    Attributes
    ----------
    tasks : (E,) int64
        How many tasks each has; rows beyond them hold nothing.
    device : (E, N) int64
    arrival, due, local : (E, N) float64
        `local` is -1 where the device computes nothing.
    upload, work : (E, N, M) float64
        -1 where the server is not reached.
    penalty, slot : (E,) float64
    devices, servers : int
    shared : bool
        Whether servers share their speed among their tasks.
    """

    tasks: IntArray
    device: IntArray
    arrival: FloatArray
    due: FloatArray
    local: FloatArray
    upload: FloatArray
    work: FloatArray
    penalty: FloatArray
    slot: FloatArray
    devices: int
    servers: int
    shared: bool

    def __len__(self) -> int:
        return len(self.tasks)

    @classmethod
    def of(cls, instances: Sequence[OffloadingInstance]) -> Episodes:
        """Episodes of instances.

        Raises
        ------
        InstanceError
            If there are none, or they differ in their number of devices or servers, or in their discipline.
        """
        if not instances:
            raise InstanceError("episodes: there must be at least one instance")
        every = [instance.compiled for instance in instances]
        first = every[0]
        for instance, one in zip(instances, every, strict=True):
            shape = (one.devices, one.servers, one.discipline)
            wanted = (first.devices, first.servers, first.discipline)
            if shape != wanted:
                text = "{} devices, {} servers, {}".format
                raise InstanceError(
                    f"episodes: {instance.name} has {text(*shape)}, {instances[0].name} has {text(*wanted)}; "
                    "they run side by side only where these are the same"
                )
        most = max(len(one) for one in every)

        def stacked(field: str, filling: float, kind: type = np.float64) -> NDArray[Any]:
            columns = [getattr(one, field) for one in every]
            found = np.full((len(every), most, *columns[0].shape[1:]), filling, dtype=kind)
            for e, column in enumerate(columns):
                found[e, : len(column)] = column
            return found

        return cls(
            tasks=np.array([len(one) for one in every], dtype=np.int64),
            device=stacked("device", 0, np.int64),
            arrival=stacked("arrival", INFINITY),
            due=stacked("due", INFINITY),
            local=stacked("local", NEVER),
            upload=stacked("upload", NEVER),
            work=stacked("work", NEVER),
            penalty=np.array([one.penalty for one in every], dtype=np.float64),
            slot=np.array([one.slot for one in every], dtype=np.float64),
            devices=first.devices,
            servers=first.servers,
            shared=first.discipline == "ps",
        )

    @property
    def kernel(self) -> tuple[NDArray[Any], ...]:
        """The arrays that kernels take."""
        return self.device, self.arrival, self.due, self.local, self.upload, self.work, self.penalty

    def last_together(self) -> IntArray:
        """Index of the last task that arrives at the same time as each task (E, N)."""
        found = np.broadcast_to(np.arange(self.device.shape[1]), self.device.shape).copy()
        for i in range(self.device.shape[1] - 2, -1, -1):
            same = self.arrival[:, i] == self.arrival[:, i + 1]
            found[:, i] = np.where(same, found[:, i + 1], i)
        most: IntArray = np.minimum(found, self.tasks[:, None] - 1)
        return most

    def rows(self) -> int:
        """Tasks that may be present at once in an episode: those that wait for no longer than twice a deadline."""
        most = 1
        for e, count in enumerate(self.tasks.tolist()):
            arrival, due = self.arrival[e, :count], self.due[e, :count]
            life = float((due - arrival).max(initial=0.0))
            ends = np.searchsorted(arrival, due + life, side="right")
            most = max(most, int((ends - np.arange(count)).max(initial=1)))
        return min(most, int(self.tasks.max())) + 1


@dataclass(slots=True, eq=False)
class Queues:
    """State of the queues of all episodes, as `queue_kernel` describes it, and what has become of the tasks.

    Attributes
    ----------
    ids, val, que, tim : arrays
    acc : (E, 3) float64
        Cost so far, drops, and a weight that only rollouts use.
    cost : (E, N) float64
        Of each task (ticks); NaN while it is present.
    lost : (E, N) bool
    place : (E, N) int64
        Where it was sent; -1 before.
    """

    ids: IntArray
    val: FloatArray
    que: IntArray
    tim: FloatArray
    acc: FloatArray
    cost: FloatArray
    lost: BoolArray
    place: IntArray

    @classmethod
    def empty(cls, episodes: Episodes) -> Queues:
        """Nobody there."""
        count, rows = len(episodes), episodes.rows()
        resources = 2 * episodes.devices + episodes.servers
        shape = episodes.device.shape
        found = cls(
            ids=np.zeros((count, rows, 3), dtype=np.int64),
            val=np.zeros((count, rows, 5)),
            que=np.zeros((count, resources + 1, 3), dtype=np.int64),
            tim=np.zeros((count, resources)),
            acc=np.zeros((count, 3)),
            cost=np.full(shape, np.nan),
            lost=np.zeros(shape, dtype=np.bool_),
            place=np.full(shape, -1, dtype=np.int64),
        )
        policy_kernel.reset_all(found.state)
        return found

    @property
    def state(self) -> tuple[IntArray, FloatArray, IntArray, FloatArray]:
        """The arrays that kernels take."""
        return self.ids, self.val, self.que, self.tim

    @property
    def record(self) -> tuple[FloatArray, FloatArray, BoolArray]:
        """The arrays that kernels write costs to."""
        return self.acc, self.cost, self.lost


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """What a policy is told: one task that has arrived in each of some episodes, and what its device sees. Ticks.

    Nothing here is later than `now`; of `_episodes` and `_queues` a policy in this package reads only what is not.

    Attributes
    ----------
    episode, task, device : (B,) int64
    last : (B,) int64
        Last task that has arrived at the same time and waits for its decision too.
    now, slack, penalty : (B,) float64
        `slack` is the time to the deadline.
    local : (B,) float64
    upload, work : (B, M) float64
        Time that the task takes; -1 where it cannot go.
    wait : (B, 2 + M) float64
        What is left to do on the own processor, on the radio, at each server.
    count : (B, 2 + M) int64
        Tasks there.
    ahead : (B, M) float64
        Until when each server is busy with what is there or reaches it no later than the task would.
    slot : (B,) float64
    shared : bool
    """

    episode: IntArray
    task: IntArray
    device: IntArray
    last: IntArray
    now: FloatArray
    slack: FloatArray
    penalty: FloatArray
    local: FloatArray
    upload: FloatArray
    work: FloatArray
    wait: FloatArray
    count: IntArray
    ahead: FloatArray
    slot: FloatArray
    shared: bool
    _episodes: Episodes
    _queues: Queues

    def __len__(self) -> int:
        return len(self.episode)

    @property
    def allowed(self) -> BoolArray:
        """Where each task can go (B, 1 + M): the device itself first."""
        return np.column_stack([self.local >= 0, self.upload >= 0])


def random_streams(seed: int, count: int) -> NDArray[np.uint64]:
    """A stream of random numbers for each episode (count, 1)."""
    return np.random.default_rng([seed, 7]).integers(0, 2**64, (count, 1), dtype=np.uint64)
