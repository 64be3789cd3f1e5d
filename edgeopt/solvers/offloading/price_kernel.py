"""Compiled kernel: prices of machines' time by subgradients, for the bound that `edgeopt.certify` proves (ours).

The Lagrangian relaxation of the limits "a tick of work a tick" of all machines, constant in stretches of a width: each
task on its own takes the cheapest way through the system, which `proof_machine_time` of the verifier computes again in
whole numbers. Here all numbers are floats, in ticks.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np

from edgeopt.solvers.jit import compiled, kernel

HUGE = 1e300


@compiled
def until(price, sums, width, time):
    """Price of ``[0, time)``."""
    stretch = int(time // width)
    if stretch >= price.shape[0]:
        return sums[price.shape[0]]
    return sums[stretch] + price[stretch] * (time - stretch * width)


@compiled
def add(use, width, begin, end):
    """Use all of ``[begin, end)``."""
    stretch = int(begin // width)
    while stretch < use.shape[0] and stretch * width < end:
        use[stretch] += min(end, (stretch + 1) * width) - max(begin, stretch * width)
        stretch += 1


@compiled
def run(first, due, sent, work, born, radio, radio_sums, with_radio, price, sums, width, limit):
    """The cheapest upload and unbroken run: cost, begin of the upload, begin of the run; or a cost above `limit`."""
    low, high = first + sent, due - work
    best, best_upload, best_start = HUGE, -1.0, -1.0
    cheapest, cheapest_upload = HUGE, -1.0
    if low > high:
        return best, best_upload, best_start
    at = low
    one, two, three = low, low, low  # next s at a border, with s + work at one, with s - sent at one
    while True:
        if with_radio:
            value = until(radio, radio_sums, width, at) - until(radio, radio_sums, width, at - sent)
            if value < cheapest:
                cheapest, cheapest_upload = value, at - sent
        total = at + work - born + until(price, sums, width, at + work) - until(price, sums, width, at)
        if with_radio:
            total += cheapest
        if total < best:
            best, best_upload, best_start = total, cheapest_upload, at
        if at >= high or at + work - born >= min(best, limit):  # later ones cost more even where time is free
            return best, best_upload, best_start
        one = (np.floor(at / width) + 1) * width
        two = (np.floor((at + work) / width) + 1) * width - work
        three = (np.floor((at - sent) / width) + 1) * width + sent
        at = min(min(one, two), min(three, high))


@compiled
def shared_run(first, due, sent, work, born, radio, radio_sums, price, width, own, size, limit):
    """The cheapest upload and ticks of a shared server: cost, begin of the upload, end; or a cost above `limit`."""
    low = first + sent
    best, best_upload, best_end = HUGE, -1.0, -1.0
    cheapest, cheapest_upload = HUGE, -1.0
    taken, amount = 0, 0.0
    upload, begin = first, low
    while begin < due and begin - born < min(best, limit):
        stretch = int(begin // width)
        end = min(due, (stretch + 1) * width)
        here = price[stretch] if stretch < price.shape[0] else 0.0
        last = end - work - sent
        while upload <= last:
            value = until(radio, radio_sums, width, upload + sent) - until(radio, radio_sums, width, upload)
            if value < cheapest:
                cheapest, cheapest_upload = value, upload
            nearest = (np.floor(upload / width) + 1) * width
            nearest = min(nearest, (np.floor((upload + sent) / width) + 1) * width - sent)
            upload = min(nearest, last) if upload < last else last + 1
        length = end - begin
        if amount + length >= work and last >= first:
            used = max(0.0, work - amount)
            spent = here * used
            for n in range(taken):
                spent += own[n] * size[n]
            top, rest = taken - 1, size[taken - 1] if taken else 0.0
            while used < length and top >= 0 and own[top] - here > 1.0:
                step = min(rest, length - used)
                spent -= (own[top] - here) * step
                used += step
                rest -= step
                if rest <= 0:
                    top -= 1
                    rest = size[top] if top >= 0 else 0.0
            total = begin + used - born + spent + cheapest
            if total < best:
                best, best_upload, best_end = total, cheapest_upload, begin + used
        n = taken
        while n > 0 and own[n - 1] > here:
            own[n], size[n] = own[n - 1], size[n - 1]
            n -= 1
        own[n], size[n] = here, length
        taken += 1
        amount += length
        while amount > work:
            step = min(size[taken - 1], amount - work)
            size[taken - 1] -= step
            amount -= step
            if size[taken - 1] <= 0:
                taken -= 1
        begin = end
    return best, best_upload, best_end


@compiled
def add_cheapest(use, price, width, begin, end, work):
    """Use the cheapest `work` ticks of ``[begin, end)``."""
    first, last = int(begin // width), int((end - 1e-9) // width)
    left, seen = work, 0
    done = np.zeros(last - first + 1, dtype=np.bool_)
    while left > 1e-9 and seen <= last - first:
        pick, low = -1, HUGE
        for stretch in range(first, last + 1):
            here = price[stretch] if stretch < price.shape[0] else 0.0
            if not done[stretch - first] and here < low:
                pick, low = stretch, here
        done[pick - first] = True
        seen += 1
        room = min(end, (pick + 1) * width) - max(begin, pick * width)
        if pick < use.shape[0]:
            use[pick] += min(room, left)
        left -= room


@kernel
def improve(price, use, devices, servers, shared, penalty, width, tasks, target, steps):
    """Subgradient steps on prices (M + 2 K, B), servers, own processors, radios; the best prices stay in `price`.

    `target` is a value that the bound does not exceed. Returns the best bound.
    """
    device, arrival, due, local, upload, work = tasks
    machines, stretches = price.shape
    count = device.shape[0]
    now = price.copy()
    sums = np.zeros((machines, stretches + 1))
    own, size = np.empty(stretches + 2), np.empty(stretches + 2)
    best = -HUGE
    factor, since = 1.0, 0
    for _ in range(steps):
        for m in range(machines):
            for b in range(stretches):
                sums[m, b + 1] = sums[m, b] + now[m, b] * width
                use[m, b] = -width
        total = 0.0
        for m in range(machines):
            total -= sums[m, stretches]
        for i in range(count):
            k, a, d = device[i], arrival[i], due[i]
            value, chosen = d - a + penalty, -1
            up, start = -1.0, -1.0
            radio = servers + devices + k
            if local[i] >= 0:
                m = servers + k
                found, _, at = run(a, d, 0.0, local[i], a, now[m], sums[m], False, now[m], sums[m], width, value)
                if found < value:
                    value, chosen, start = found, 0, at
            for j in range(servers):
                if upload[i, j] < 0:
                    continue
                if shared:
                    found, g, at = shared_run(
                        a, d, upload[i, j], work[i, j], a, now[radio], sums[radio], now[j], width, own, size, value
                    )
                else:
                    found, g, at = run(
                        a, d, upload[i, j], work[i, j], a, now[radio], sums[radio], True, now[j], sums[j], width, value
                    )
                if found < value:
                    value, chosen, up, start = found, j + 1, g, at
            total += value
            if chosen == 0:
                add(use[servers + k], width, start, start + local[i])
            elif chosen > 0:
                j = chosen - 1
                add(use[radio], width, up, up + upload[i, j])
                if shared:
                    add_cheapest(use[j], now[j], width, a + upload[i, j], start, work[i, j])
                else:
                    add(use[j], width, start, start + work[i, j])
        if total > best:
            best, since = total, 0
            price[:] = now
        else:
            since += 1
            if since >= 15:
                factor, since = 0.6 * factor, 0
                now[:] = price
                if factor < 1e-3:
                    break
                continue
        norm = 0.0
        for m in range(machines):
            for b in range(stretches):
                if not (now[m, b] <= 0.0 and use[m, b] < 0.0):
                    norm += use[m, b] * use[m, b]
        if norm <= 0.0 or target - total <= 0.0:
            break
        step = factor * (target - total) / norm
        for m in range(machines):
            for b in range(stretches):
                now[m, b] = max(0.0, now[m, b] + step * use[m, b])
    return best
