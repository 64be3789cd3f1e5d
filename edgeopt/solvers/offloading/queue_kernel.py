"""The queues of one episode, event by event, in compiled code: what simulator, policies and rollouts have in common.

Time is continuous, in ticks: what arrives, ends or is dropped happens at its own time, and decisions are taken when
tasks arrive. The state of an episode are arrays:

- ``ids`` (Q, 3) int64: of each task that is present, its index (negative in rollouts), place, and the one behind it in
  the queue (or in the list of free rows);
- ``val`` (Q, 5) float64: its arrival, due time, time on the radio, on the processor, and left on a shared server;
- ``que`` (R, 3) int64: head, tail and length of each queue; devices' own, radios, servers, ``R = 2 K + M``; a row more
  holds the first free row of tasks;
- ``tim`` (R,) float64: when the head ends, or for a shared server, until when `left` is up to date.

A function takes ``state = (ids, val, que, tim)``, ``system = (shared, devices, penalty)`` and
``out = (acc, cost, lost)``: ``acc`` (3,) has the sum of costs, the number of drops and the weight of drawn costs;
``cost`` and ``lost`` get what each task with an index costs and whether it was dropped, nothing where they are empty.

All is exact in doubles but the shares of processor sharing, whose ends are rounded up to ticks with `EPSILON`, and what
doubles of that size leave unsaid, to spare.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np

from edgeopt.solvers.jit import compiled

INFINITY = 1e300
EPSILON, ROUNDING = 1e-6, 4e-16
MOST_FLIGHT = 64
"""Tasks on their way to servers that a device looks at; more are passed over."""
TASK, PLACE, NEXT = 0, 1, 2
DRAWN = -2
"""Index of a task that is drawn in a rollout."""
ARRIVAL, DUE, UPLOAD, WORK, LEFT = 0, 1, 2, 3, 4
HEAD, TAIL, LENGTH = 0, 1, 2


@compiled
def unit(rng):
    """A uniform number in [0, 1) (SplitMix64)."""
    z = rng[0] + np.uint64(0x9E3779B97F4A7C15)
    rng[0] = z
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.float64(z >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@compiled
def clear(state):
    """No tasks."""
    ids, _, que, tim = state
    for r in range(que.shape[0]):
        que[r, HEAD] = que[r, TAIL] = -1
        que[r, LENGTH] = 0
    for r in range(tim.shape[0]):
        tim[r] = 0.0
    for q in range(ids.shape[0]):
        ids[q, NEXT] = q + 1 if q + 1 < ids.shape[0] else -1
    que[que.shape[0] - 1, HEAD] = 0


@compiled
def leave(q, end, done, penalty, state, out):
    """A task ends, done or dropped; its row is free again."""
    ids, val, que, _ = state
    acc, cost, lost = out
    charge = end - val[q, ARRIVAL] if done else val[q, DUE] - val[q, ARRIVAL] + penalty
    acc[0] += acc[2] * charge if ids[q, TASK] == DRAWN else charge
    if not done:
        acc[1] += 1.0
    if 0 <= ids[q, TASK] < cost.shape[0]:
        cost[ids[q, TASK]] = charge
        lost[ids[q, TASK]] = not done
    free = que.shape[0] - 1
    ids[q, NEXT] = que[free, HEAD]
    que[free, HEAD] = q


@compiled
def pop(r, ids, que):
    """Take the head off a queue."""
    q = que[r, HEAD]
    que[r, HEAD] = ids[q, NEXT]
    que[r, LENGTH] -= 1
    if que[r, HEAD] < 0:
        que[r, TAIL] = -1
    return q


@compiled
def append(q, r, ids, que):
    """Put a task at the end of a queue."""
    ids[q, NEXT] = -1
    if que[r, TAIL] >= 0:
        ids[que[r, TAIL], NEXT] = q
    else:
        que[r, HEAD] = q
    que[r, TAIL] = q
    que[r, LENGTH] += 1


@compiled
def begin(r, time, system, state, out):
    """The head of a queue begins; those that were due while they waited are dropped."""
    ids, val, que, tim = state
    _, devices, penalty = system
    while que[r, HEAD] >= 0:
        q = que[r, HEAD]
        if val[q, DUE] <= time:
            pop(r, ids, que)
            leave(q, time, False, penalty, state, out)
            continue
        tim[r] = time + (val[q, UPLOAD] if devices <= r < 2 * devices else val[q, WORK])
        return


@compiled
def progress(r, time, state):
    """Bring what is left on a shared server up to date."""
    ids, val, que, tim = state
    if que[r, LENGTH] > 0 and time > tim[r]:
        step = (time - tim[r]) / que[r, LENGTH]
        q = que[r, HEAD]
        while q >= 0:
            val[q, LEFT] -= step
            q = ids[q, NEXT]
    tim[r] = time


@compiled
def enter(q, r, time, system, state, out):
    """A task joins a queue."""
    ids, val, que, _ = state
    shared, devices, _ = system
    if shared and r >= 2 * devices:
        progress(r, time, state)
        val[q, LEFT] = val[q, WORK]
        append(q, r, ids, que)
        return
    append(q, r, ids, que)
    if que[r, LENGTH] == 1:
        begin(r, time, system, state, out)


@compiled
def sweep(r, time, penalty, state, out):
    """Take those off a shared server that have ended or are due."""
    ids, val, que, _ = state
    spare = EPSILON + ROUNDING * time  # less, and a task whose end is `time` might never be found to have ended
    q, before = que[r, HEAD], -1
    while q >= 0:
        after = ids[q, NEXT]
        done = val[q, LEFT] <= spare
        if done or val[q, DUE] <= time:
            if before < 0:
                que[r, HEAD] = after
            else:
                ids[before, NEXT] = after
            if after < 0:
                que[r, TAIL] = before
            que[r, LENGTH] -= 1
            end = min(np.ceil(time - spare), val[q, DUE]) if done else time
            leave(q, end, done, penalty, state, out)
        else:
            before = q
        q = after


@compiled
def advance(until, system, state, out):
    """All events up to a time, that time included."""
    ids, val, que, tim = state
    shared, devices, penalty = system
    while True:
        best, where, first = INFINITY, -1, 0
        for r in range(que.shape[0] - 1):
            q = que[r, HEAD]
            if q < 0:
                continue
            radio = devices <= r < 2 * devices
            if shared and r >= 2 * devices:
                time = INFINITY
                while q >= 0:
                    time = min(time, min(tim[r] + val[q, LEFT] * que[r, LENGTH], val[q, DUE]))
                    q = ids[q, NEXT]
            else:
                time = min(tim[r], val[q, DUE])
            # of uploads that end at the same time the one of the earlier task is first
            if time < best or (time == best and radio and devices <= where < 2 * devices and ids[q, TASK] < first):
                best, where = time, r
                if radio:
                    first = ids[que[r, HEAD], TASK]
        if where < 0 or best > until:
            return
        r = where
        if shared and r >= 2 * devices:
            progress(r, best, state)
            sweep(r, best, penalty, state, out)
            continue
        q = pop(r, ids, que)
        end = tim[r]
        if not devices <= r < 2 * devices:
            leave(q, end, end <= val[q, DUE], penalty, state, out)
        elif end < val[q, DUE]:
            enter(q, 2 * devices + ids[q, PLACE] - 1, end, system, state, out)
        else:
            leave(q, end, False, penalty, state, out)
        begin(r, best, system, state, out)


@compiled
def send(task, device, place, arrival, due, local, upload, work, system, state, out):
    """A task, with its times at all places, arrives and goes to one; False where there is no row left for it."""
    ids, val, que, _ = state
    free = que.shape[0] - 1
    q = que[free, HEAD]
    if q < 0:
        return False
    que[free, HEAD] = ids[q, NEXT]
    ids[q, TASK], ids[q, PLACE] = task, place
    val[q, ARRIVAL], val[q, DUE] = arrival, due
    val[q, UPLOAD] = upload[place - 1] if place else 0.0
    val[q, WORK] = val[q, LEFT] = work[place - 1] if place else local
    enter(q, device if place == 0 else system[1] + device, arrival, system, state, out)
    return True


@compiled
def waiting(r, now, devices, state):
    """What is left to do in a queue (ticks), of those not yet due; and their number."""
    ids, val, que, tim = state
    total, count = 0.0, 0
    q = que[r, HEAD]
    radio = devices <= r < 2 * devices
    if q >= 0:
        total, count = min(tim[r], val[q, DUE]) - now, 1
        q = ids[q, NEXT]
    while q >= 0:
        if val[q, DUE] > now:
            total += val[q, UPLOAD] if radio else val[q, WORK]
            count += 1
        q = ids[q, NEXT]
    return total, count


@compiled
def shared_waiting(r, now, state):
    """The same for a shared server."""
    ids, val, que, tim = state
    n = que[r, LENGTH]
    total = 0.0
    q = que[r, HEAD]
    while q >= 0:
        total += val[q, LEFT] - (now - tim[r]) / n
        q = ids[q, NEXT]
    return max(total, 0.0), n


@compiled
def look(device, now, upload, system, state, seen):
    """What a device sees that has to send a task, to ``seen = (wait, count, ahead)``.

    Waits and tasks at its own processor, its radio, the servers (2 + M); and until when, from now, each server is busy
    with what reaches it no later than the task would (M,).
    """
    ids, val, que, tim = state
    shared, devices, _ = system
    wait, count, ahead = seen
    servers = ahead.shape[0]
    wait[0], count[0] = waiting(device, now, devices, state)
    wait[1], count[1] = waiting(devices + device, now, devices, state)
    for j in range(servers):
        r = 2 * devices + j
        if shared:
            wait[2 + j], count[2 + j] = shared_waiting(r, now, state)
        else:
            wait[2 + j], count[2 + j] = waiting(r, now, devices, state)
        ahead[j] = wait[2 + j]
    # tasks on their way, by the time at which they reach their servers: a short list, sorted by insertion
    ready, where, work = np.empty(MOST_FLIGHT), np.empty(MOST_FLIGHT, dtype=np.int64), np.empty(MOST_FLIGHT)
    flights = 0
    for k in range(devices):
        q = que[devices + k, HEAD]
        time = 0.0
        while q >= 0 and flights < MOST_FLIGHT:
            time = tim[devices + k] - now if q == que[devices + k, HEAD] else time + val[q, UPLOAD]
            j = ids[q, PLACE] - 1
            if now + time < val[q, DUE] and time <= wait[1] + upload[j]:
                n = flights
                while n > 0 and ready[n - 1] > time:
                    ready[n], where[n], work[n] = ready[n - 1], where[n - 1], work[n - 1]
                    n -= 1
                ready[n], where[n], work[n] = time, j, val[q, WORK]
                flights += 1
            q = ids[q, NEXT]
    for n in range(flights):
        ahead[where[n]] = max(ahead[where[n]], ready[n]) + work[n]


@compiled
def copy_state(state, other):
    """A copy with more free rows."""
    rows = state[0].shape[0]
    ids, _, que, _ = other
    ids[:rows] = state[0]
    other[1][:rows] = state[1]
    que[:] = state[2]
    other[3][:] = state[3]
    free = que.shape[0] - 1
    for q in range(rows, ids.shape[0]):
        ids[q, NEXT] = que[free, HEAD]
        que[free, HEAD] = q
