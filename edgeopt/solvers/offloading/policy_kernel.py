"""Decisions in compiled code: simple policies, closed loops over episodes, rollouts, the published look-ahead.

``tasks`` is a tuple of arrays of all episodes, ``(device, arrival, due, local, upload, work, penalty)``, and ``state``,
``out`` and ``seen`` are those of `queue_kernel` with one more axis, the episodes.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np

from edgeopt.solvers.jit import compiled, kernel
from edgeopt.solvers.offloading.queue_kernel import DRAWN, INFINITY, advance, clear, copy_state, look, send, unit

LOCAL, RANDOM, ROUND_ROBIN, SHORTEST, GREEDY, EARLIEST = range(6)


@compiled
def of(arrays, e):
    """The arrays of an episode."""
    return arrays[0][e], arrays[1][e], arrays[2][e], arrays[3][e]


@compiled
def out_of(out, e):
    """The outcome of an episode."""
    return out[0][e], out[1][e], out[2][e]


@compiled
def published_cost(place, local, upload, work, seen):
    """One-step cost of a place (ticks), as published.

    ``C(0) = w_loc + d / (f_loc D / rho)``, ``C(j) = w_net + d/r + (q_j + d) / (f_j D / ((n_j + 1) rho))``; here
    ``(q_j + d) rho / (f_j D)`` is the backlog of the server and the work of the task, in time of the server alone.
    """
    wait, count, _ = seen
    if place == 0:
        return wait[0] + local
    j = place - 1
    return wait[1] + upload[j] + (wait[2 + j] + work[j]) * (count[2 + j] + 1)


@compiled
def predicted_end(place, local, upload, work, shared, seen):
    """When a task would end (ticks from now) if nothing came after it; where servers are shared, about when."""
    wait, count, ahead = seen
    if place == 0:
        return wait[0] + local
    j = place - 1
    ready = wait[1] + upload[j]
    if shared:  # another task holds it up by no more than its own work, and than what is left of the other
        return ready + work[j] + min(max(ahead[j] - ready, 0.0), (count[2 + j] + 1) * work[j])
    return max(ready, ahead[j]) + work[j]


@compiled
def choose(code, local, upload, work, slack, shared, penalty, seen, turn, rng):
    """The place that a simple policy takes."""
    places = upload.shape[0] + 1
    if code == LOCAL and local >= 0:
        return 0
    pick = -1
    if code in (RANDOM, ROUND_ROBIN):
        allowed = 0
        for place in range(places):
            allowed += (local if place == 0 else upload[place - 1]) >= 0
        pick = int(unit(rng) * allowed) if code == RANDOM else turn % allowed
    best, shortest, chosen = INFINITY, INFINITY, -1
    for place in range(places):
        if (local if place == 0 else upload[place - 1]) < 0:
            continue
        if code in (RANDOM, ROUND_ROBIN):
            if pick == 0:
                return place
            pick -= 1
            continue
        if code == SHORTEST:
            value = float(seen[1][0] if place == 0 else seen[1][1 + place])
            own = local if place == 0 else upload[place - 1] + work[place - 1]
            if value == best and own < shortest:  # of places with as many tasks, where this one takes least
                shortest, chosen = own, place
            elif value < best:
                shortest = own
        elif code == GREEDY:
            value = published_cost(place, local, upload, work, seen)
        else:
            value = predicted_end(place, local, upload, work, shared, seen)
            if value > slack:
                value = slack + penalty + 1e-3 * value
        if value < best:
            best, chosen = value, place
    return chosen


@compiled
def arrive(code, task, device, now, life, local, upload, work, system, state, out, seen, turn, rng):
    """A task arrives and goes where a simple policy says."""
    advance(now, system, state, out)
    look(device, now, upload, system, state, seen)
    place = choose(code, local, upload, work, life, system[0], system[2], seen, turn, rng)
    send(task, device, place, now, now + life, local, upload, work, system, state, out)
    return place


@compiled
def eyes(servers):
    """Room for what a device sees."""
    return np.zeros(2 + servers), np.zeros(2 + servers, dtype=np.int64), np.zeros(servers)


@kernel
def reset_all(state):
    """Empty all episodes."""
    for e in range(state[0].shape[0]):
        clear(of(state, e))


@kernel
def advance_all(active, until, shared, devices, penalty, state, out):
    """Bring the episodes `active` each to its time."""
    for b in range(active.shape[0]):
        e = active[b]
        advance(until[b], (shared, devices, penalty[e]), of(state, e), out_of(out, e))


@kernel
def send_all(active, task, place, shared, devices, tasks, state, out):
    """Send the task of each active episode to its place; the first for which there is no row, or -1."""
    device, arrival, due, local, upload, work, penalty = tasks
    for b in range(active.shape[0]):
        e, i = active[b], task[b]
        if not send(
            i,
            device[e, i],
            place[b],
            arrival[e, i],
            due[e, i],
            local[e, i],
            upload[e, i],
            work[e, i],
            (shared, devices, penalty[e]),
            of(state, e),
            out_of(out, e),
        ):
            return b
    return -1


@kernel
def look_all(active, device, now, upload, shared, devices, state, wait, count, ahead):
    """What the devices of the active episodes see."""
    for b in range(active.shape[0]):
        seen = wait[b], count[b], ahead[b]
        look(device[b], now[b], upload[b], (shared, devices, 0.0), of(state, active[b]), seen)


@kernel
def choose_all(code, local, upload, work, slack, shared, penalty, wait, count, ahead, turn, rng):
    """The places that a simple policy takes."""
    chosen = np.empty(local.shape[0], dtype=np.int64)
    for b in range(local.shape[0]):
        seen = wait[b], count[b], ahead[b]
        chosen[b] = choose(code, local[b], upload[b], work[b], slack[b], shared, penalty[b], seen, turn[b], rng[b])
    return chosen


@kernel
def run_all(code, number, shared, devices, tasks, state, out, place, rng):
    """Whole episodes of a simple policy; with a negative code, of the plans in `place` (E, N)."""
    device, arrival, due, local, upload, work, penalty = tasks
    seen = eyes(upload.shape[2])
    for e in range(number.shape[0]):
        system, own, result = (shared, devices, penalty[e]), of(state, e), out_of(out, e)
        clear(own)
        for i in range(number[e]):
            now = arrival[e, i]
            if code >= 0:
                place[e, i] = arrive(
                    code,
                    i,
                    device[e, i],
                    now,
                    due[e, i] - now,
                    local[e, i],
                    upload[e, i],
                    work[e, i],
                    system,
                    own,
                    result,
                    seen,
                    i,
                    rng[e],
                )
            else:
                advance(now, system, own, result)
                send(
                    i,
                    device[e, i],
                    place[e, i],
                    now,
                    due[e, i],
                    local[e, i],
                    upload[e, i],
                    work[e, i],
                    system,
                    own,
                    result,
                )
        advance(INFINITY, system, own, result)


@compiled
def behind(found, p, leader, number):
    """Mean by which a place costs more than the leader in the same futures, and its standard error."""
    gap, square = 0.0, 0.0
    for m in range(number):
        difference = found[p, m] - found[leader, m]
        gap += difference
        square += difference * difference
    gap /= number
    return gap, np.sqrt(max(square / number - gap * gap, 0.0) / (number - 1))


@kernel
def rollouts_all(
    active,
    task,
    last,
    base,
    weight,
    rollouts,
    least,
    depth,
    confidence,
    slot,
    source,
    known,
    rate,
    templates,
    shared,
    devices,
    tasks,
    state,
    rng,
):
    """Mean cost of all tasks of a simulated future (ticks), for each place (B, 1 + M); infinite where none is allowed.

    The tasks that arrive together with the one in question, up to `last`, are known; those of `depth` further slots are
    drawn from the first `known` of the source's templates, `rate` a slot, the same for every place. Their costs count
    `weight` times. All go where the simple policy `base` says, and the queues run until they are empty. A place is
    given up when the mean of its differences to the best one is more than `confidence` standard errors, and no more
    futures are drawn where one place is left. Returns the number of futures too (B,).
    """
    device, arrival, due, local, upload, work, penalty = tasks
    t_device, t_life, t_local, t_upload, t_work = templates
    places = upload.shape[2] + 1
    score = np.full((active.shape[0], places), INFINITY)
    used = np.zeros(active.shape[0], dtype=np.int64)
    most = devices * depth + 1
    rows = state[0].shape[1] + most + devices + task.shape[0]
    copy = (
        np.zeros((rows, 3), dtype=np.int64),
        np.zeros((rows, 5)),
        np.zeros(state[2].shape[1:], dtype=np.int64),
        np.zeros(state[3].shape[1]),
    )
    seen = eyes(places - 1)
    acc = np.zeros(3)
    result = acc, np.zeros(0), np.zeros(0, dtype=np.bool_)
    when, which = np.zeros(most), np.zeros(most, dtype=np.int64)
    found, alive, lag = np.zeros((places, rollouts)), np.zeros(places, dtype=np.bool_), np.zeros(places)
    for b in range(active.shape[0]):
        e, i, s = active[b], task[b], source[b]
        now, system = arrival[e, i], (shared, devices, penalty[e])
        open_places = 0
        for p in range(places):
            alive[p] = (local[e, i] if p == 0 else upload[e, i, p - 1]) >= 0
            open_places += alive[p]
        for n in range(rollouts):
            drawn = 0
            for step in range(1, depth + 1):
                for _ in range(devices):
                    if unit(rng[e]) * devices < rate[b]:
                        when[drawn] = now + step * slot[b]
                        which[drawn] = min(int(unit(rng[e]) * known[b]), known[b] - 1)
                        drawn += 1
            together = last[b] - i
            for p in range(places):
                if not alive[p]:
                    continue
                copy_state(of(state, e), copy)
                acc[0], acc[1], acc[2] = 0.0, 0.0, weight
                send(-1, device[e, i], p, now, due[e, i], local[e, i], upload[e, i], work[e, i], system, copy, result)
                for d in range(together + drawn):
                    if d < together:
                        o = i + 1 + d
                        arrive(
                            base,
                            -1,
                            device[e, o],
                            now,
                            due[e, o] - now,
                            local[e, o],
                            upload[e, o],
                            work[e, o],
                            system,
                            copy,
                            result,
                            seen,
                            o,
                            rng[e],
                        )
                    else:
                        w, at = which[d - together], when[d - together]
                        arrive(
                            base,
                            DRAWN,
                            t_device[s, w],
                            at,
                            t_life[s, w],
                            t_local[s, w],
                            t_upload[s, w],
                            t_work[s, w],
                            system,
                            copy,
                            result,
                            seen,
                            d,
                            rng[e],
                        )
                advance(INFINITY, system, copy, result)
                found[p, n] = acc[0]
            used[b] = n + 1
            if open_places == 1:
                break
            if n + 1 < least:
                continue
            leader, best = -1, INFINITY
            for p in range(places):
                if alive[p] and found[p, : n + 1].mean() < best:
                    leader, best = p, found[p, : n + 1].mean()
            for p in range(places):
                if alive[p] and p != leader:
                    gap, error = behind(found, p, leader, n + 1)
                    if gap > confidence * error and gap > 0:
                        alive[p], lag[p] = False, gap
                        open_places -= 1
            if open_places == 1:
                break
        best = INFINITY
        for p in range(places):
            if alive[p]:
                score[b, p] = found[p, : used[b]].mean()
                best = min(best, score[b, p])
        # those given up saw other futures: only their distance to the best place then says something
        for p in range(places):
            if lag[p] > 0:
                score[b, p] = best + lag[p]
            lag[p] = 0.0
    return score, used


@kernel
def lacs_all(active, task, draws, weight, shared, devices, tasks, state, rng):
    """Published look-ahead ``C(a) + lambda F(a)`` (ticks), for each place (B, 1 + M); infinite where none is allowed.

    ``F`` is the mean over independent next tasks, of 0.5 to 1.5 times the size, of their least one-step cost in the one
    state that the decision leaves behind: no time passes, and no queue moves.
    """
    device, arrival, _, local, upload, work, _ = tasks
    places = upload.shape[2] + 1
    score = np.full((active.shape[0], places), INFINITY)
    seen = eyes(places - 1)
    wait, count, _ = seen
    size = np.zeros(draws)
    for b in range(active.shape[0]):
        e, i = active[b], task[b]
        own = local[e, i]
        look(device[e, i], arrival[e, i], upload[e, i], (shared, devices, 0.0), of(state, e), seen)
        for n in range(draws):
            size[n] = 0.5 + unit(rng[e])
        for p in range(places):
            if (own if p == 0 else upload[e, i, p - 1]) < 0:
                continue
            total = 0.0
            for n in range(draws):
                best = INFINITY
                for c in range(places):
                    if (own if c == 0 else upload[e, i, c - 1]) < 0:
                        continue
                    if c == 0:
                        value = wait[0] + own * size[n] + (own if p == 0 else 0.0)
                    else:
                        sent, done = upload[e, i, c - 1], work[e, i, c - 1]
                        queue = wait[1 + c] + (done if c == p else 0.0)
                        number = count[1 + c] + (1 if c == p else 0)
                        value = wait[1] + sent * size[n] + (queue + done * size[n]) * (number + 1)
                    best = min(best, value)
                total += best
            score[b, p] = published_cost(p, own, upload[e, i], work[e, i], seen) + weight * total / draws
    return score
