"""Compiled kernel: local search on plans, each change simulated from the task on that it moves.

What happens before a task arrives does not depend on where it goes, so the state of the queues at its arrival is kept
and only the rest of the horizon is run again.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np

from edgeopt.solvers.jit import compiled, kernel
from edgeopt.solvers.offloading.queue_kernel import INFINITY, advance, clear, send


@compiled
def rest(
    begin, limit, place, device, arrival, due, local, upload, work, shared, devices, penalty, ids, val, que, tim, acc,
    cost, lost,
):
    """Run the tasks from `begin` on to the end, or until the cost is more than `limit`."""
    for i in range(begin, device.shape[0]):
        p, now = place[i], arrival[i]
        advance(now, shared, devices, penalty, ids, val, que, tim, acc, cost, lost, False)
        if acc[0] >= limit:
            return acc[0]
        sent = upload[i, p - 1] if p else 0.0
        done = work[i, p - 1] if p else local[i]
        send(
            i, device[i], p, now, due[i], sent, done, shared, devices, penalty, ids, val, que, tim, acc, cost, lost,
            False,
        )
    advance(INFINITY, shared, devices, penalty, ids, val, que, tim, acc, cost, lost, False)
    return acc[0]


@kernel
def descend(
    place, allowed, order, device, arrival, due, local, upload, work, shared, devices, penalty, ids, val, que, tim
):
    """Improve a plan by moves of single tasks and swaps of neighbours until none helps; its cost."""
    count, places = allowed.shape
    ids0, val0, que0, tim0 = ids.copy(), val.copy(), que.copy(), tim.copy()
    acc, acc0, cost, lost = np.zeros(2), np.zeros(2), np.zeros(1), np.zeros(1, dtype=np.bool_)
    clear(ids, que, tim)
    acc[:] = 0.0
    best = rest(
        0, INFINITY, place, device, arrival, due, local, upload, work, shared, devices, penalty, ids, val, que, tim,
        acc, cost, lost,
    )
    improved = True
    while improved:
        improved = False
        # the state before each task, kept as the sweep goes forward
        clear(ids0, que0, tim0)
        acc0[:] = 0.0
        for i in range(count):
            advance(arrival[i], shared, devices, penalty, ids0, val0, que0, tim0, acc0, cost, lost, False)
            if acc0[0] >= best:
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
                    ids[:], val[:], que[:], tim[:], acc[:] = ids0, val0, que0, tim0, acc0
                    found = rest(
                        i, best, place, device, arrival, due, local, upload, work, shared, devices, penalty, ids, val,
                        que, tim, acc, cost, lost,
                    )
                    if found < best:
                        best, improved = found, True
                    else:
                        place[i], place[other] = old, old_other
            p = place[i]
            send(
                i, device[i], p, arrival[i], due[i], upload[i, p - 1] if p else 0.0, work[i, p - 1] if p else local[i],
                shared, devices, penalty, ids0, val0, que0, tim0, acc0, cost, lost, False,
            )
    return best
