"""Slot matching: the joint decision of the tasks that arrive together, as an assignment problem.

Tasks that begin on empty machines in any order are ``R || sum C_j``, which a matching on (machine, position from the
last) solves (Horn 1973; Bruno, Coffman, Sethi 1974): task ``i`` at position ``k`` from the last of server ``j`` adds
``k p_ij`` to the sum of the ends. Here servers are busy and uploads take time, so the cost is

    k p_ij + max(b_j, u_i)        servers first come, first served, ``b_j`` until when the server is busy
    (2 k - 1) p_ij + b_j'         shared servers, ``b_j'`` how much what is there holds a task up

with ``u_i`` the time until task ``i`` has been sent. It is exact when uploads are equal or all end before every backlog
does; for shared servers, without backlog and uploads. Else it is neither a lower nor an upper bound in general: with
unequal uploads it is an upper bound if uploads and work sort tasks alike on every server. Drops are not covered.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edgeopt.instances.offloading.instance import FloatArray, IntArray
from edgeopt.solvers.offloading.episodes import States
from edgeopt.solvers.offloading.queue_kernel import HEAD, NEXT, UPLOAD


def match(offset: FloatArray, work: FloatArray, coefficient: FloatArray) -> tuple[IntArray, float]:
    """Least sum of ``coefficient[k] work[i, m] + offset[i, m]`` over assignments of tasks to machines and positions.

    Parameters
    ----------
    offset, work : (n, m) float64
        Infinite where a task cannot go.
    coefficient : (n,) float64
        Of positions from the last, ascending.

    Returns
    -------
    machine : (n,) int64
    total : float
    """
    from scipy.optimize import linear_sum_assignment

    tasks, machines = work.shape
    cost = np.where(np.isfinite(work), work, 0.0)[:, :, None] * coefficient + offset[:, :, None]
    cost = np.where(np.isfinite(work)[:, :, None], cost, np.inf).reshape(tasks, machines * len(coefficient))
    row, column = linear_sum_assignment(cost)
    machine = np.empty(tasks, dtype=np.int64)
    machine[row] = column // len(coefficient)
    return machine, float(cost[row, column].sum())


def lower_bounds(backlog: FloatArray, upload: FloatArray, work: FloatArray) -> tuple[float, float]:
    """Two lower bounds on the sum of the ends of tasks that arrive together at FIFO servers, without drops.

    The matching on ``k p_ij + b_j``, and ``sum_i min_j [max(b_j, u_i) + p_ij]``.

    Parameters
    ----------
    backlog : (m,) float64
    upload, work : (n, m) float64
    """
    position = np.arange(1.0, len(work) + 1)
    _, matched = match(np.broadcast_to(backlog, work.shape), work, position)
    return matched, float((np.maximum(backlog, upload) + work).min(axis=1).sum())


@dataclass(slots=True)
class Matching:
    """Decides about all tasks that have arrived together when the first of them asks, and keeps to it.

    The devices' own processors and the servers are the machines; of two tasks of one slot at one server, the one that
    is sent first begins first.
    """

    name: str = "matching"
    decided: dict[tuple[int, int], int] = field(default_factory=dict, init=False, repr=False)

    def start(self, episodes: int, seed: int) -> None:
        """New episodes."""
        self.decided = {}

    def decide(self, states: States) -> IntArray:
        """Places of the states' tasks."""
        found = np.empty(len(states), dtype=np.int64)
        for b, (episode, task) in enumerate(zip(states.episode.tolist(), states.task.tolist(), strict=True)):
            if (episode, task) not in self.decided:
                self._together(states, b, episode, task, int(states.last[b]))
            found[b] = self.decided.pop((episode, task))
        return found

    def _together(self, states: States, b: int, episode: int, first: int, last: int) -> None:
        known, queues = states._episodes, states._queues
        rows = np.arange(first, last + 1)
        device = known.device[episode, rows]
        servers, devices = known.servers, known.devices
        radio = np.array([_radio(queues.ids[episode], queues.val[episode], queues.que[episode], queues.tim[episode],
                                 devices + k, float(states.now[b])) for k in device.tolist()])  # fmt: skip
        upload, work = known.upload[episode, rows], known.work[episode, rows]
        ready = radio[:, None] + upload
        busy = np.maximum(states.ahead[b], states.wait[b, 2:])
        # each task's own device is a machine that no other task can use
        own = np.full((len(rows), len(rows)), np.inf)
        own_offset = np.zeros((len(rows), len(rows)))
        machine_of = {k: n for n, k in enumerate(dict.fromkeys(device.tolist()))}
        for n, k in enumerate(device.tolist()):
            if known.local[episode, rows[n]] >= 0:
                own[n, machine_of[k]] = known.local[episode, rows[n]]
                own_offset[n, machine_of[k]] = _own(queues.ids[episode], queues.val[episode], queues.que[episode],
                                                    queues.tim[episode], k, float(states.now[b]))  # fmt: skip
        reach = upload >= 0
        position = np.arange(1.0, len(rows) + 1)
        if known.shared:
            held = np.minimum(np.maximum(busy - ready, 0.0), (states.count[b, 2:] + 1) * work)
            offset, position = ready + held, 2 * position - 1
        else:
            offset = np.maximum(busy, ready)
        machine, _ = match(
            np.hstack([np.where(reach, offset, 0.0), own_offset]),
            np.hstack([np.where(reach, work, np.inf), own]),
            position,
        )
        for task, chosen in zip(rows.tolist(), machine.tolist(), strict=True):
            self.decided[episode, task] = chosen + 1 if chosen < servers else 0


def _radio(ids: IntArray, val: FloatArray, que: IntArray, tim: FloatArray, queue: int, now: float) -> float:
    """What is left to send in a radio's queue (ticks)."""
    return _left(ids, val, que, tim, queue, now, UPLOAD)


def _own(ids: IntArray, val: FloatArray, que: IntArray, tim: FloatArray, queue: int, now: float) -> float:
    """What is left to compute in a device's own queue (ticks)."""
    return _left(ids, val, que, tim, queue, now, UPLOAD + 1)


def _left(ids: IntArray, val: FloatArray, que: IntArray, tim: FloatArray, queue: int, now: float, column: int) -> float:
    row = int(que[queue, HEAD])
    if row < 0:
        return 0.0
    total = float(tim[queue]) - now
    row = int(ids[row, NEXT])
    while row >= 0:
        total += float(val[row, column])
        row = int(ids[row, NEXT])
    return max(total, 0.0)
