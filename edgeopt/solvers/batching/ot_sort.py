"""Compiled sorting of integer keys, the largest single cost of `ot` on many requests."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np

from edgeopt.solvers.jit import compiled, inlined

WORD_BITS = 62


@compiled
def bit_length(value):
    """Binary digits of a non-negative integer."""
    bits = 0
    while (value >> bits) > 0:
        bits += 1
    return bits


@compiled
def scatter(word, other, place, shift, mask):
    """Move words, stably, to where the counts in `place` say that their digit from `shift` on begins."""
    total = 0
    for cell in range(len(place)):
        here = place[cell]
        place[cell] = total
        total += here
    for i in range(len(word)):
        cell = (word[i] >> shift) & mask
        to = place[cell]
        place[cell] = to + 1
        other[to] = word[i]


@inlined
def finish(word, most):
    """Insertion sort of nearly sorted words; False (words still a permutation) after `most` moves."""
    before = word[0] if len(word) > 0 else np.uint64(0)
    for i in range(1, len(word)):
        here = word[i]
        if before <= here:
            before = here
            continue
        j = i
        while j > 0 and word[j - 1] > here:
            word[j] = word[j - 1]
            j -= 1
        word[j] = here
        most -= i - j
        if most < 0:
            return False
    return True


@compiled
def sort_words(word, low, bits, quick):
    """Sort words, stably, by the `bits` from `low` on.

    With `quick`, words that differ and may be sorted as a whole, long ones are sorted by two leading digits first and
    finished by insertion, which is nearly always enough; otherwise all their digits are sorted. Two digits are
    counted at once. Unsigned words make good indices: numba need not ask whether they count from the end.
    """
    size = len(word)
    other = np.empty(size, np.uint64)
    width = 8 if size < 2048 else 10
    first = np.empty(1 << width, np.uint64)
    second = np.empty(1 << width, np.uint64)
    mask = np.uint64((1 << width) - 1)
    top = low + bits
    quick = quick and bits > 2 * width
    shift = top - 2 * width if quick else low
    while True:
        while shift < top:
            here, there = np.uint64(shift), np.uint64(min(shift + width, 63))  # words have no digit there
            for cell in range(1 << width):
                first[cell] = 0
                second[cell] = 0
            for i in range(size):
                first[(word[i] >> here) & mask] += 1
                second[(word[i] >> there) & mask] += 1
            scatter(word, other, first, here, mask)
            scatter(other, word, second, there, mask)
            shift += 2 * width
        if not quick or finish(word, 4 * size):
            break
        quick = False
        shift = low


@compiled
def sort_by(key, order, largest):
    """Sort `order`, positions in `key` that ascend, by ``key[order]``, stably, and put the sorted keys into `key`.

    Key and position share one word; keys too long for that are sorted in steps.
    """
    size = len(order)
    word = np.empty(size, np.uint64)
    low, total = bit_length(len(key)), bit_length(largest)
    step = WORD_BITS - low
    position = np.uint64((1 << low) - 1)
    for begin in range(0, max(1, total), step):
        bits = min(step, total - begin)
        digits = (1 << bits) - 1
        for i in range(size):
            word[i] = np.uint64((((key[order[i]] >> begin) & digits) << low) | order[i])
        sort_words(word, low, bits, total <= step)
        for i in range(size):
            order[i] = word[i] & position
    if total <= step:
        for i in range(size):
            key[i] = word[i] >> np.uint64(low)
    else:
        for i in range(size):
            word[i] = key[order[i]]
        for i in range(size):
            key[i] = word[i]


@compiled
def extent(value):
    """Largest and least value."""
    most, least = value[0], value[0]
    for i in range(len(value)):
        most = max(most, value[i])
        least = min(least, value[i])
    return most, least


@inlined
def pack(kind, budget, latest, class_bits, low, word):
    """One word for each request: how much its budget is below the latest, position and class."""
    for i in range(len(budget)):
        word[i] = np.uint64((((latest - budget[i]) << low) | (i << class_bits)) | kind[i])


@inlined
def unpack(word, uplink, class_bits, kinds, uplinks):
    """Classes and uplinks of the requests in the words."""
    place, last_bits = np.uint64(class_bits), np.uint64((1 << class_bits) - 1)
    position = np.uint64((1 << bit_length(len(uplink))) - 1)
    for i in range(len(word)):
        kinds[i] = word[i] & last_bits
        uplinks[i] = uplink[(word[i] >> place) & position]


@inlined
def sort_deadlines(kind, uplink, budget, classes, latest, earliest, order, kinds, uplinks, budgets):
    """Sort requests by falling deadline budget; ties keep their order."""
    size = len(budget)
    class_bits = bit_length(classes)
    low, total = bit_length(size) + class_bits, bit_length(latest - earliest)
    if low + total <= WORD_BITS:
        word = np.empty(size, np.uint64)
        pack(kind, budget, latest, class_bits, low, word)
        sort_words(word, low, total, low + total <= WORD_BITS)  # numba compiles a literal True apart
        unpack(word, uplink, class_bits, kinds, uplinks)
        position = (1 << (low - class_bits)) - 1
        for i in range(size):
            order[i] = np.int64(word[i] >> np.uint64(class_bits)) & position
            budgets[i] = latest - np.int64(word[i] >> np.uint64(low))
        return
    for i in range(size):
        budgets[i] = latest - budget[i]
        order[i] = i
    sort_by(budgets, order, latest - earliest)
    for i in range(size):
        budgets[i] = latest - budgets[i]
        kinds[i], uplinks[i] = kind[order[i]], uplink[order[i]]
