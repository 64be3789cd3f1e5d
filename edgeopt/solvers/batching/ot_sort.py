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


@inlined
def radix_pass(word, other, place, shift, width):
    """Stable counting sort of `word` into `other` by the `width` bits from `shift` on."""
    cells = 1 << width
    for j in range(cells):
        place[j] = 0
    for i in range(len(word)):
        place[(word[i] >> shift) & (cells - 1)] += 1
    total = 0
    for j in range(cells):
        here = place[j]
        place[j] = total
        total += here
    for i in range(len(word)):
        cell = (word[i] >> shift) & (cells - 1)
        to = place[cell]
        place[cell] = to + 1
        other[to] = word[i]


@inlined
def finish(word, most):
    """Insertion sort of nearly sorted words; False (words still a permutation) after `most` moves."""
    for i in range(1, len(word)):
        here = word[i]
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
def sort_by(key, order, largest):
    """Sort `order`, which lists 0, 1, ... ascending or was sorted here, by ``key[order]``, stably.

    Key and position share one word. Long keys are sorted by two leading digits first and finished by
    insertion, which is nearly always enough; otherwise all their digits are sorted.
    """
    size = len(order)
    word = np.empty(size, np.int64)
    other = np.empty(size, np.int64)
    width = 8 if size < 2048 else 11
    place = np.empty(1 << width, np.int64)
    low = bit_length(size)
    total = bit_length(largest)
    fresh = True
    for i in range(1, size):
        fresh = fresh and order[i] > order[i - 1]
    step = WORD_BITS - low
    for begin in range(0, max(1, total), step):
        mask = (np.int64(1) << min(step, total - begin)) - 1
        for i in range(size):
            word[i] = (((key[order[i]] >> begin) & mask) << low) | order[i]
        top = low + min(step, total - begin)
        shift = top - 2 * width if fresh and 3 * width < total <= step else low
        quick = shift > low
        while True:
            while shift < top:
                radix_pass(word, other, place, shift, min(width, top - shift))
                word, other = other, word
                shift += width
            if not quick or finish(word, 4 * size):
                break
            quick = False
            shift = low
        for i in range(size):
            order[i] = word[i] & ((np.int64(1) << low) - 1)
