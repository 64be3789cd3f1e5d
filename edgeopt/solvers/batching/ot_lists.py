"""Compiled class lists of `ot`: per length class the requests that may make the difference, cheapest uplink first.

Whatever the prices, a batch takes a prefix of each class. Where the last one taken lies is known in advance on many
requests, from a sample: a *window* of uplinks, class by class. Only the requests in it are listed and sorted. Those
below (the *base*) are taken, those above left out, and what turns out to lie outside is looked at again.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"

from __future__ import annotations

import numpy as np

from edgeopt.solvers.batching.ot_sort import WORD_BITS, bit_length, sort_by, sort_words
from edgeopt.solvers.jit import compiled, inlined

NO_LIMIT = 2**62
"""Upper end of a window that leaves nothing out."""
STRETCH = 64
"""Requests that are taken from a list at once."""


@inlined
def list_requests(kinds, uplinks, upto, low, high, rank, cheap, start):
    """List those of the first `upto` requests with an uplink from `low` to `high` of their class, by class and uplink.

    `rank` and `cheap` hold deadline rank and uplink class by class, class ``k`` from ``start[k]`` on.
    """
    classes = len(low)
    for k in range(classes + 1):
        start[k] = 0
    size, largest = 0, np.int64(0)
    for i in range(upto):  # no branch: which are listed is hard to predict
        k = kinds[i]
        rank[size] = i
        size += (uplinks[i] >= low[k]) & (uplinks[i] <= high[k])
    for t in range(size):
        i = rank[t]
        cheap[i] = uplinks[i]
        largest = max(largest, uplinks[i])
        start[kinds[i] + 1] += 1
    for k in range(classes):
        start[k + 1] += start[k]
    place, bits = bit_length(len(uplinks)), bit_length(largest)
    word = np.empty(size, np.uint64)
    if bit_length(classes) + bits + place <= WORD_BITS:
        for t in range(size):
            i = rank[t]
            word[t] = np.uint64((((kinds[i] << bits) | uplinks[i]) << place) | i)
        sort_words(word, place, bit_length(classes) + bits, size > 0)
        position, digits = np.uint64((1 << place) - 1), np.uint64((1 << bits) - 1)
        for t in range(size):
            rank[t], cheap[t] = word[t] & position, (word[t] >> np.uint64(place)) & digits
        return
    sort_by(cheap, rank[:size], largest)
    for t in range(size):
        word[t] = rank[t]
    key = cheap[:size].copy()
    for t in range(size):
        i = np.int64(word[t])
        at = start[kinds[i]]
        rank[at], cheap[at] = i, key[t]
        start[kinds[i]] += 1
    for k in range(classes, 0, -1):
        start[k] = start[k - 1]
    start[0] = 0


@compiled
def count_below(kinds, uplinks, limit, number, total):
    """Count per class the requests with an uplink below the `limit` of the class, and add up their uplinks."""
    classes = len(limit)
    numbers, totals = np.zeros(2 * classes, np.int64), np.zeros(2 * classes, np.int64)
    for i in range(len(kinds)):  # no branch: which are below is hard to predict
        cell = 2 * kinds[i] + (uplinks[i] < limit[kinds[i]])
        numbers[cell] += 1
        totals[cell] += uplinks[i]
    for k in range(classes):
        number[k], total[k] = numbers[2 * k + 1], totals[2 * k + 1]


@compiled
def move_base(kinds, uplinks, low, end, base_end, base, base_uplink):
    """Bring the requests below their window, counted per class among the first `base_end`, to the first `end`."""
    number, total = np.zeros(len(base), np.int64), np.zeros(len(base), np.int64)
    begin, behind = min(end, base_end), max(end, base_end)
    none = True
    for k in range(len(base)):
        none = none and low[k] == 0
    if none:  # all are in the windows
        return
    count_below(kinds[begin:behind], uplinks[begin:behind], low, number, total)
    sign = 1 if end > base_end else -1
    for k in range(len(base)):
        base[k] += sign * number[k]
        base_uplink[k] += sign * total[k]


@compiled
def shrink_base(rank, cheap, start, low, base_end, base, base_uplink):
    """Take those out of the base that were below the lower ends `low` of the windows before, and are listed now."""
    for k in range(len(base)):
        t = start[k]
        while t < start[k + 1] and cheap[t] < low[k]:
            if rank[t] < base_end:
                base[k] -= 1
                base_uplink[k] -= cheap[t]
            t += 1


@compiled
def fill_lists(end, capacity, rank, cheap, start, base_uplink, value, prefix, offset, length, beyond):
    """Take the first `end` requests from the lists, with prefix sums.

    A list stops after the first request that takes the sum of its class over the capacity: no batch reaches it,
    but the linear program may take a fraction of it. Then nothing is `beyond` it.
    ``prefix[offset[k] + k + v]`` is the uplink of the cheapest ``v`` of class ``k``, and cannot overflow.
    """
    at = 0
    for k in range(len(length)):
        offset[k] = at
        shift = offset[k] + k
        total, count, t = 0, 0, start[k]
        prefix[shift] = 0
        while t < start[k + 1] and total + base_uplink[k] <= capacity:
            begin, t = t, min(t + STRETCH, start[k + 1])
            for each in range(begin, t):  # no branch: which are among the first is hard to predict
                value[at] = cheap[each]
                at += rank[each] < end
            while count < at - offset[k] and total + base_uplink[k] <= capacity:
                total += value[offset[k] + count]
                count += 1
                prefix[shift + count] = total
        length[k] = count
        if total + base_uplink[k] > capacity:
            beyond[k] = 0


@inlined
def subtract_base(room, demand, base, base_uplink, rest):
    """Subtract the requests below the windows from the capacities; False if they do not fit."""
    for r in range(len(room)):
        rest[r] = room[r]
    for k in range(len(base)):
        rest[0] -= base_uplink[k]
        for r in range(1, len(room)):
            if base[k] > 0 and demand[r, k] > rest[r] // base[k]:
                return False
            rest[r] -= demand[r, k] * base[k]
    return rest[0] >= 0


@inlined
def within(gain, per_uplink, low, high, beyond):
    """Whether these prices want all requests below the windows and none above."""
    for k in range(len(gain)):
        if low[k] > 0 and gain[k] - per_uplink * low[k] < -1e-9:
            return False
        if beyond[k] and gain[k] - per_uplink * high[k] > 1e-9:
            return False
    return True


@inlined
def set_windows(value, offset, length, count, per_uplink, spread, windows):
    """Set the windows around the class counts of a sample, `spread` times as wide as is usually enough.

    Prices tell the last uplink that pays far better than the sampled count does; without a price of
    the uplink only the count is left.
    """
    classes = len(length)
    for k in range(classes):
        reach = spread * (4 + count[k] // 32 if per_uplink > 0.0 else 4 + int(np.sqrt(length[k])))
        least, most = offset[k] + count[k] - reach, offset[k] + count[k] + reach
        windows[k] = value[least] if least >= offset[k] else 0
        windows[classes + k] = value[most] if most < offset[k] + length[k] else NO_LIMIT


@compiled
def set_cheapest(start_sampled, cheap_sampled, spread, windows):
    """Set windows of the cheapest requests of each class by a sample: a 32nd, or `spread` times as many."""
    classes = len(start_sampled) - 1
    for k in range(classes):
        size = start_sampled[k + 1] - start_sampled[k]
        most = spread * (4 + size // 32)
        windows[k] = 0
        windows[classes + k] = cheap_sampled[start_sampled[k] + most] if most < size else NO_LIMIT


@compiled
def nearest(centres, known, top):
    """The last of the thresholds with windows that are closest to `top`."""
    best = 0
    for c in range(1, known):
        if abs(centres[c] - top) <= abs(centres[best] - top):
            best = c
    return best


@compiled
def unite(window, low, high):
    """Widen the windows to cover others."""
    for k in range(len(low)):
        low[k] = min(low[k], window[k])
        high[k] = max(high[k], window[len(low) + k])
