"""Decisions in compiled code: simple policies, closed loops over episodes, rollouts, the published look-ahead."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np

from edgeopt.solvers.jit import compiled, kernel
from edgeopt.solvers.offloading.queue_kernel import (
    INFINITY,
    advance,
    clear,
    copy_state,
    look,
    send,
    unit,
)

LOCAL, RANDOM, ROUND_ROBIN, SHORTEST, GREEDY, EARLIEST = range(6)


@compiled
def published_cost(place, local, upload, work, wait, count):
    """One-step cost of a place (ticks), as published.

    ``C(0) = w_loc + d / (f_loc D / rho)``, ``C(j) = w_net + d/r + (q_j + d) / (f_j D / ((n_j + 1) rho))``; here
    ``(q_j + d) rho / (f_j D)`` is the backlog of the server and the work of the task, in time of the server alone.
    """
    if place == 0:
        return wait[0] + local
    j = place - 1
    return wait[1] + upload[j] + (wait[2 + j] + work[j]) * (count[2 + j] + 1)


@compiled
def predicted_end(place, local, upload, work, wait, count, ahead, shared):
    """When a task would end (ticks from now) if nothing came after it; where servers are shared, about when."""
    if place == 0:
        return wait[0] + local
    j = place - 1
    ready = wait[1] + upload[j]
    if shared:  # another task holds it up by no more than its own work, and than what is left of the other
        return ready + work[j] + min(max(ahead[j] - ready, 0.0), (count[2 + j] + 1) * work[j])
    return max(ready, ahead[j]) + work[j]


@compiled
def choose(code, device, local, upload, work, slack, penalty, wait, count, ahead, shared, turn, rng):
    """The place that a simple policy takes."""
    places = upload.shape[0] + 1
    best, chosen = INFINITY, -1
    allowed = 0
    for place in range(places):
        if (local if place == 0 else upload[place - 1]) >= 0:
            allowed += 1
    pick = int(unit(rng) * allowed) if code == RANDOM else turn % allowed
    if code == LOCAL and local >= 0:
        return 0
    for place in range(places):
        if (local if place == 0 else upload[place - 1]) < 0:
            continue
        if code in (RANDOM, ROUND_ROBIN):
            if pick == 0:
                return place
            pick -= 1
            continue
        if code == SHORTEST:
            value = float(count[0] if place == 0 else count[1 + place])
            value += 1e-9 * (local if place == 0 else upload[place - 1] + work[place - 1])
        elif code == GREEDY:
            value = published_cost(place, local, upload, work, wait, count)
        else:
            value = predicted_end(place, local, upload, work, wait, count, ahead, shared)
            if value > slack:
                value = slack + penalty + 1e-3 * value
        if value < best:
            best, chosen = value, place
    return chosen


@kernel
def reset_all(ids, val, que, tim):
    """Empty all episodes."""
    for e in range(ids.shape[0]):
        clear(ids[e], que[e], tim[e])
        val[e] = 0.0


@kernel
def advance_all(active, until, shared, devices, penalty, ids, val, que, tim, acc, cost, lost):
    """Bring the episodes `active` each to its time."""
    for b in range(active.shape[0]):
        e = active[b]
        advance(until[b], shared, devices, penalty[e], ids[e], val[e], que[e], tim[e], acc[e], cost[e], lost[e], True)


@kernel
def send_all(
    active,
    task,
    place,
    device,
    arrival,
    due,
    local,
    upload,
    work,
    shared,
    devices,
    penalty,
    ids,
    val,
    que,
    tim,
    acc,
    cost,
    lost,
):
    """Send the task of each active episode to its place; the first for which there is no row, or -1."""
    for b in range(active.shape[0]):
        e, i, p = active[b], task[b], place[b]
        sent = upload[e, i, p - 1] if p else 0.0
        done = work[e, i, p - 1] if p else local[e, i]
        good = send(
            i,
            device[e, i],
            p,
            arrival[e, i],
            due[e, i],
            sent,
            done,
            shared,
            devices,
            penalty[e],
            ids[e],
            val[e],
            que[e],
            tim[e],
            acc[e],
            cost[e],
            lost[e],
            True,
        )
        if not good:
            return b
    return -1


@kernel
def look_all(active, device, now, upload, shared, devices, ids, val, que, tim, wait, count, ahead):
    """What the devices of the active episodes see."""
    for b in range(active.shape[0]):
        e = active[b]
        look(device[b], now[b], upload[b], shared, devices, ids[e], val[e], que[e], tim[e], wait[b], count[b], ahead[b])


@kernel
def choose_all(code, device, local, upload, work, slack, penalty, wait, count, ahead, shared, turn, rng):
    """The places that a simple policy takes."""
    chosen = np.empty(device.shape[0], dtype=np.int64)
    for b in range(device.shape[0]):
        chosen[b] = choose(
            code,
            device[b],
            local[b],
            upload[b],
            work[b],
            slack[b],
            penalty[b],
            wait[b],
            count[b],
            ahead[b],
            shared,
            turn[b],
            rng[b],
        )
    return chosen


@kernel
def run_all(
    code,
    tasks,
    device,
    arrival,
    due,
    local,
    upload,
    work,
    shared,
    devices,
    penalty,
    ids,
    val,
    que,
    tim,
    acc,
    cost,
    lost,
    place,
    rng,
):
    """Whole episodes of a simple policy."""
    servers = upload.shape[2]
    wait, count, ahead = np.zeros(2 + servers), np.zeros(2 + servers, dtype=np.int64), np.zeros(servers)
    for e in range(tasks.shape[0]):
        clear(ids[e], que[e], tim[e])
        for i in range(tasks[e]):
            now = arrival[e, i]
            advance(now, shared, devices, penalty[e], ids[e], val[e], que[e], tim[e], acc[e], cost[e], lost[e], True)
            k = device[e, i]
            look(k, now, upload[e, i], shared, devices, ids[e], val[e], que[e], tim[e], wait, count, ahead)
            p = choose(
                code,
                k,
                local[e, i],
                upload[e, i],
                work[e, i],
                due[e, i] - now,
                penalty[e],
                wait,
                count,
                ahead,
                shared,
                i,
                rng[e],
            )
            place[e, i] = p
            send(
                i,
                k,
                p,
                now,
                due[e, i],
                upload[e, i, p - 1] if p else 0.0,
                work[e, i, p - 1] if p else local[e, i],
                shared,
                devices,
                penalty[e],
                ids[e],
                val[e],
                que[e],
                tim[e],
                acc[e],
                cost[e],
                lost[e],
                True,
            )
        advance(INFINITY, shared, devices, penalty[e], ids[e], val[e], que[e], tim[e], acc[e], cost[e], lost[e], True)


@kernel
def follow_all(
    tasks,
    device,
    arrival,
    due,
    local,
    upload,
    work,
    shared,
    devices,
    penalty,
    ids,
    val,
    que,
    tim,
    acc,
    cost,
    lost,
    place,
):
    """Whole episodes of given plans (E, N)."""
    for e in range(tasks.shape[0]):
        clear(ids[e], que[e], tim[e])
        for i in range(tasks[e]):
            p, now = place[e, i], arrival[e, i]
            advance(now, shared, devices, penalty[e], ids[e], val[e], que[e], tim[e], acc[e], cost[e], lost[e], True)
            send(
                i,
                device[e, i],
                p,
                now,
                due[e, i],
                upload[e, i, p - 1] if p else 0.0,
                work[e, i, p - 1] if p else local[e, i],
                shared,
                devices,
                penalty[e],
                ids[e],
                val[e],
                que[e],
                tim[e],
                acc[e],
                cost[e],
                lost[e],
                True,
            )
        advance(INFINITY, shared, devices, penalty[e], ids[e], val[e], que[e], tim[e], acc[e], cost[e], lost[e], True)


@kernel
def rollouts_all(
    active,
    task,
    last,
    base,
    rollouts,
    least,
    depth,
    confidence,
    slot,
    source,
    seen,
    rate,
    t_device,
    t_life,
    t_local,
    t_upload,
    t_work,
    device,
    arrival,
    due,
    local,
    upload,
    work,
    shared,
    devices,
    penalty,
    ids,
    val,
    que,
    tim,
    rng,
):
    """Mean cost of all tasks of a simulated future (ticks), for each place (B, 1 + M); infinite where none is allowed.

    The tasks that arrive together with the one in question, up to `last`, are known; those of `depth` further slots are
    drawn from the first `seen` of the source's tasks, `rate` a slot, the same for every place. They all go where the
    simple policy `base` says, and the queues run until they are empty. A place is given up when the mean of its
    differences to the best one is more than `confidence` standard errors, and no more futures are drawn for one place.
    """
    servers = upload.shape[2]
    places = servers + 1
    score = np.full((active.shape[0], places), INFINITY)
    used = np.zeros(active.shape[0], dtype=np.int64)
    most = 4 * devices * (depth + 1) + 64
    rows = ids.shape[1] + most
    ids2 = np.zeros((rows, 3), dtype=np.int64)
    val2 = np.zeros((rows, 5))
    que2, tim2 = np.zeros(que.shape[1:], dtype=np.int64), np.zeros(tim.shape[1])
    wait, count, ahead = np.zeros(2 + servers), np.zeros(2 + servers, dtype=np.int64), np.zeros(servers)
    acc, no_cost, no_lost = np.zeros(2), np.zeros(1), np.zeros(1, dtype=np.bool_)
    when, which = np.zeros(most), np.zeros(most, dtype=np.int64)
    found = np.zeros((places, rollouts))
    alive = np.zeros(places, dtype=np.bool_)
    behind = np.zeros(places)
    for b in range(active.shape[0]):
        e, i, s = active[b], task[b], source[b]
        now = arrival[e, i]
        open_places = 0
        for p in range(places):
            alive[p] = (local[e, i] if p == 0 else upload[e, i, p - 1]) >= 0
            open_places += alive[p]
        for n in range(rollouts):
            drawn = 0
            for step in range(1, depth + 1):
                for _ in range(devices):
                    if unit(rng[e]) * devices < rate[b] and drawn < most - 1:
                        when[drawn] = now + step * slot
                        which[drawn] = min(int(unit(rng[e]) * seen[b]), seen[b] - 1)
                        drawn += 1
            for p in range(places):
                if not alive[p]:
                    continue
                copy_state(ids[e], val[e], que[e], tim[e], ids2, val2, que2, tim2)
                acc[0] = acc[1] = 0.0
                send(
                    -1,
                    device[e, i],
                    p,
                    now,
                    due[e, i],
                    upload[e, i, p - 1] if p else 0.0,
                    work[e, i, p - 1] if p else local[e, i],
                    shared,
                    devices,
                    penalty[e],
                    ids2,
                    val2,
                    que2,
                    tim2,
                    acc,
                    no_cost,
                    no_lost,
                    False,
                )
                for other in range(i + 1, last[b] + 1):
                    k = device[e, other]
                    look(k, now, upload[e, other], shared, devices, ids2, val2, que2, tim2, wait, count, ahead)
                    c = choose(
                        base,
                        k,
                        local[e, other],
                        upload[e, other],
                        work[e, other],
                        due[e, other] - now,
                        penalty[e],
                        wait,
                        count,
                        ahead,
                        shared,
                        other,
                        rng[e],
                    )
                    send(
                        -1,
                        k,
                        c,
                        now,
                        due[e, other],
                        upload[e, other, c - 1] if c else 0.0,
                        work[e, other, c - 1] if c else local[e, other],
                        shared,
                        devices,
                        penalty[e],
                        ids2,
                        val2,
                        que2,
                        tim2,
                        acc,
                        no_cost,
                        no_lost,
                        False,
                    )
                for d in range(drawn):
                    w = which[d]
                    k = t_device[s, w]
                    advance(when[d], shared, devices, penalty[e], ids2, val2, que2, tim2, acc, no_cost, no_lost, False)
                    look(k, when[d], t_upload[s, w], shared, devices, ids2, val2, que2, tim2, wait, count, ahead)
                    c = choose(
                        base,
                        k,
                        t_local[s, w],
                        t_upload[s, w],
                        t_work[s, w],
                        t_life[s, w],
                        penalty[e],
                        wait,
                        count,
                        ahead,
                        shared,
                        d,
                        rng[e],
                    )
                    send(
                        -1,
                        k,
                        c,
                        when[d],
                        when[d] + t_life[s, w],
                        t_upload[s, w, c - 1] if c else 0.0,
                        t_work[s, w, c - 1] if c else t_local[s, w],
                        shared,
                        devices,
                        penalty[e],
                        ids2,
                        val2,
                        que2,
                        tim2,
                        acc,
                        no_cost,
                        no_lost,
                        False,
                    )
                advance(INFINITY, shared, devices, penalty[e], ids2, val2, que2, tim2, acc, no_cost, no_lost, False)
                found[p, n] = acc[0]
            used[b] = n + 1
            if open_places == 1:
                break
            if n + 1 < least or n + 1 == rollouts:
                continue
            best, leader = INFINITY, -1
            for p in range(places):
                if alive[p]:
                    mean = found[p, : n + 1].mean()
                    if mean < best:
                        best, leader = mean, p
            for p in range(places):
                if alive[p] and p != leader:
                    gap, square = 0.0, 0.0
                    for m in range(n + 1):
                        difference = found[p, m] - found[leader, m]
                        gap += difference
                        square += difference * difference
                    gap /= n + 1
                    variance = max(square / (n + 1) - gap * gap, 0.0) * (n + 1) / n
                    if gap > confidence * np.sqrt(variance / (n + 1)) and gap > 0:
                        alive[p] = False
                        open_places -= 1
                        behind[p] = gap
            if open_places == 1:
                break
        best = INFINITY
        for p in range(places):
            if alive[p]:
                score[b, p] = found[p, : used[b]].mean()
                best = min(best, score[b, p])
        # those given up saw other futures: only their distance to the best place then says something
        for p in range(places):
            if behind[p] > 0 and not alive[p]:
                score[b, p] = best + behind[p]
            behind[p] = 0.0
    return score, used


@kernel
def lacs_all(
    active, task, draws, weight, device, arrival, local, upload, work, shared, devices, ids, val, que, tim, rng
):
    """Published look-ahead ``C(a) + lambda F(a)`` (ticks), for each place (B, 1 + M); infinite where it is not allowed.

    ``F`` is the mean over independent next tasks, of 0.5 to 1.5 times the size, of their least one-step cost in the one
    state that the decision leaves behind: no time passes, and no queue moves.
    """
    servers = upload.shape[2]
    places = servers + 1
    score = np.full((active.shape[0], places), INFINITY)
    wait, count, ahead = np.zeros(2 + servers), np.zeros(2 + servers, dtype=np.int64), np.zeros(servers)
    size = np.zeros(draws)
    for b in range(active.shape[0]):
        e, i = active[b], task[b]
        k = device[e, i]
        look(k, arrival[e, i], upload[e, i], shared, devices, ids[e], val[e], que[e], tim[e], wait, count, ahead)
        for n in range(draws):
            size[n] = 0.5 + unit(rng[e])
        for p in range(places):
            if (local[e, i] if p == 0 else upload[e, i, p - 1]) < 0:
                continue
            now_cost = published_cost(p, local[e, i], upload[e, i], work[e, i], wait, count)
            total = 0.0
            for n in range(draws):
                best = INFINITY
                for c in range(places):
                    own, sent = local[e, i], 0.0 if c == 0 else upload[e, i, c - 1]
                    if (own if c == 0 else sent) < 0:
                        continue
                    if c == 0:
                        value = wait[0] + own * size[n] + (own if p == 0 else 0.0)
                    else:
                        behind = work[e, i, c - 1] if c == p else 0.0
                        queue = wait[1 + c] + behind
                        number = count[1 + c] + (1 if c == p else 0)
                        value = wait[1] + sent * size[n] + (queue + work[e, i, c - 1] * size[n]) * (number + 1)
                    best = min(best, value)
                total += best
            score[b, p] = now_cost + weight * total / draws
    return score
