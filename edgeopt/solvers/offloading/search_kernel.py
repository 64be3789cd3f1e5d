"""Compiled kernel: local search on plans, each change simulated from the task on that it moves.

What happens before a task arrives does not depend on where it goes, so the state of the queues at its arrival is kept
and only the rest of the horizon is run again.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np

from edgeopt.solvers.jit import compiled, kernel
from edgeopt.solvers.offloading.policy_kernel import of
from edgeopt.solvers.offloading.queue_kernel import INFINITY, advance, clear, send


@compiled
def rest(begin, limit, place, tasks, system, state, out):
    """Run the tasks from `begin` on to the end, or until the cost is `limit`; the cost."""
    device, arrival, due, local, upload, work = tasks
    for i in range(begin, device.shape[0]):
        advance(arrival[i], system, state, out)
        if out[0][0] >= limit:
            return out[0][0]
        send(i, device[i], place[i], arrival[i], due[i], local[i], upload[i], work[i], system, state, out)
    advance(INFINITY, system, state, out)
    return out[0][0]


@kernel
def descend(place, allowed, shared, devices, all_tasks, all_state):
    """Improve a plan of the first episode by moves of tasks and swaps of neighbours until none helps; its cost."""
    tasks = (
        all_tasks[0][0],
        all_tasks[1][0],
        all_tasks[2][0],
        all_tasks[3][0],
        all_tasks[4][0],
        all_tasks[5][0],
    )
    device, arrival, due, local, upload, work = tasks
    system, state = (shared, devices, all_tasks[6][0]), of(all_state, 0)
    before = state[0].copy(), state[1].copy(), state[2].copy(), state[3].copy()
    nothing, never = np.zeros(0), np.zeros(0, dtype=np.bool_)
    out, out_before = (np.zeros(3), nothing, never), (np.zeros(3), nothing, never)
    count, places = allowed.shape
    clear(state)
    best = rest(0, INFINITY, place, tasks, system, state, out)
    improved = True
    while improved:
        improved = False
        clear(before)
        out_before[0][:] = 0.0
        for i in range(count):
            advance(arrival[i], system, before, out_before)
            if out_before[0][0] >= best:
                break
            for other in range(i, min(count, i + 4)):
                for p in range(places):
                    old, old_other = place[i], place[other]
                    if other == i:
                        if p == old or not allowed[i, p]:
                            continue
                        place[i] = p
                    else:  # swap
                        if p > 0 or old == old_other or not allowed[i, old_other] or not allowed[other, old]:
                            continue
                        place[i], place[other] = old_other, old
                    state[0][:], state[1][:] = before[0], before[1]
                    state[2][:], state[3][:] = before[2], before[3]
                    out[0][:] = out_before[0]
                    found = rest(i, best, place, tasks, system, state, out)
                    if found < best:
                        best, improved = found, True
                    else:
                        place[i], place[other] = old, old_other
            send(i, device[i], place[i], arrival[i], due[i], local[i], upload[i], work[i], system, before, out_before)
    return best
