"""Compiled kernel of `ot-paper`: the depth-first searches of Algorithm 2, one after another, resumable.

A run lives in the caller's arrays, so that the kernel can pause after a chunk of work anywhere, amid a tree
as well, and go on later. It visits the same nodes in the same order as `ot_paper.search_python`.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

from edgeopt.solvers.jit import compiled, kernel

# Slots of `state`: the pair (z, d), visited nodes, opened trees, depth in the open tree, and whether the
# node at that depth is still to be visited.
Z, D, NODES, TREES, DEPTH, ARRIVED = range(6)
STATE_SLOTS = 6
NO_TREE = -1
"""Value of the slot `DEPTH` between two trees."""
# What a call ends with.
PAUSED, FOUND, REFUTED, LIMIT = range(4)


@compiled
def open_tree(kinds, uplinks, cheapest, window, left, prefix):
    """Fill `left` and `prefix` for the candidates among the first `window` requests."""
    classes = len(left) - 1
    for k in range(classes + 1):
        left[k] = 0
    place, last = 0, -1
    for j in range(len(cheapest)):
        i = cheapest[j]
        if i >= window:
            continue
        while last < kinds[i]:
            last += 1
            prefix[place] = 0
            place += 1
        prefix[place] = prefix[place - 1] + uplinks[i]
        place += 1
        left[last] += 1
    while last < classes - 1:
        last += 1
        prefix[place] = 0
        place += 1
    for k in range(classes - 1, -1, -1):
        left[k] += left[k + 1]


@kernel
def search_trees(
    kinds, uplinks, budgets, cheapest, tokens, memory, compute,
    uplink_capacity, downlink_capacity, memory_capacity,
    forced, first_d, leaf_at_d, pruning, limit, chunk,
    state, count, taken, left, prefix,
):  # fmt: skip
    """Search on from `state` until a batch is found, all is refuted, the limit is met, or a chunk is done.

    Parameters
    ----------
    kinds, uplinks, budgets, cheapest : (I,) int64
        As in `ot_paper.Sorted`.
    tokens, memory, compute : (N,) int64
        Demands of the classes.
    forced, first_d, leaf_at_d : bool
        As in `ot_paper.Variant`.
    pruning : int
        0 none, 1 by the undecided classes, 2 as published.
    limit : int
        Most nodes to visit.
    chunk : int
        Visited nodes, plus requests scanned to open trees, after which the kernel pauses.
    state : (STATE_SLOTS,) int64
        See the slots above.
    count, taken : (N + 1,) int64
        The path: requests taken of class ``k``, and of the classes before ``k``. At the current depth,
        ``count`` is the index of the child last visited.
    left : (N + 1,) int64
        Candidates in the classes ``k, k+1, ...`` of the open tree.
    prefix : (I + N,) int64
        Uplink sums of the cheapest 0, 1, ... candidates of each class of the open tree, class by class.
    """
    size, classes = len(kinds), len(tokens)
    z, d, nodes, trees, depth = state[0], state[1], state[2], state[3], state[4]
    arrived = state[5] == 1
    work = 0
    verdict = PAUSED
    while verdict == PAUSED and work < chunk:
        if depth == NO_TREE:
            if z == 0:
                verdict = REFUTED
                break
            open_tree(kinds, uplinks, cheapest, d if first_d else d - 1, left, prefix)
            work += size
            trees += 1
            depth = 0
            taken[0] = 0
            arrived = True
        target = (d if leaf_at_d else z) - (1 if forced else 0)
        while depth != NO_TREE and work < chunk:
            if arrived:
                if nodes >= limit:
                    verdict = LIMIT
                    break
                nodes += 1
                work += 1
                arrived = False
                missing = target - taken[depth]
                if missing == 0:
                    uplink, downlink, cached, operations = 0, 0, 0, 0
                    if forced:
                        k = kinds[d - 1]
                        uplink, downlink, cached, operations = uplinks[d - 1], tokens[k], memory[k], compute[k]
                    for k in range(depth):
                        uplink += prefix[left[0] - left[k] + k + count[k]]
                        downlink += count[k] * tokens[k]
                        cached += count[k] * memory[k]
                        operations += count[k] * compute[k]
                    if (
                        uplink <= uplink_capacity
                        and downlink <= downlink_capacity
                        and cached <= memory_capacity
                        and operations <= budgets[d - 1]
                    ):
                        verdict = FOUND
                        break
                    depth -= 1
                    continue
                if depth == classes:
                    depth -= 1
                    if pruning == 2:
                        count[depth] = 0  # line 22: the lower siblings of a dead leaf are dead too
                    continue
                count[depth] = min(missing, left[depth] - left[depth + 1]) + 1
            # the next child of the node at `depth`, or back to its parent
            count[depth] -= 1
            missing = target - taken[depth] - count[depth]
            if (
                count[depth] < 0
                or (pruning == 1 and missing > left[depth + 1])
                or (pruning == 2 and missing > left[depth])
            ):
                depth -= 1
            else:
                taken[depth + 1] = taken[depth] + count[depth]
                depth += 1
                arrived = True
        if depth == NO_TREE:
            d += 1
            if d > size:
                z -= 1
                d = z
    state[0], state[1], state[2], state[3], state[4], state[5] = z, d, nodes, trees, depth, arrived
    return verdict
