"""The compiled search of `mdkp`: depth first over groups, options by ascending loss, totals in int64."""

from __future__ import annotations

from edgeopt.instances.assignment.instance import IntArray
from edgeopt.solvers.jit import kernel


@kernel
def search(
    start: IntArray,
    loss_of: IntArray,
    profit_of: IntArray,
    weight_of: IntArray,
    least: IntArray,
    most: IntArray,
    gain: IntArray,
    y: IntArray,
    scale: int,
    top: int,
    nodes: int,
    place: IntArray,
    left: IntArray,
    loss: IntArray,
    profit: IntArray,
    best: IntArray,
    state: IntArray,
) -> bool:
    """Go on searching for at most so many nodes; True when nothing is left.

    Parameters
    ----------
    start, loss_of, profit_of, weight_of
        Options, see `mdkp._Options`.
    least, most, gain
        Suffix sums, see `mdkp._suffixes`.
    y : (D,) int64
        Multipliers times `scale`.
    scale, top : int
        ``S``, and ``S UB(y)``.
    nodes : int
    place, left, loss, profit : (G + 1, ...) int64
        Stack: next option of each depth; what is left of the capacities; loss and profit so far.
    best : (G,) int64
        Options of the incumbent, written in place.
    state : (3,) int64
        Depth, incumbent's profit, nodes visited; written in place.
    """
    groups, dimensions = len(start) - 1, len(y)
    depth, incumbent = state[0], state[1]
    stop_at = state[2] + nodes
    while depth >= 0 and state[2] < stop_at:
        if depth == groups:
            if profit[depth] > incumbent:
                incumbent = profit[depth]
                for group in range(groups):
                    best[group] = place[group] - 1
            depth -= 1
            continue
        option = place[depth]
        # losses ascend, so the first option that loses too much ends the group
        if option == start[depth + 1] or (top - loss[depth] - loss_of[option]) // scale <= incumbent:
            depth -= 1
            continue
        place[depth] = option + 1
        state[2] += 1
        below = depth + 1
        unused = 0
        feasible = True
        for d in range(dimensions):
            room = left[depth, d] - weight_of[option, d]
            left[below, d] = room
            if room < least[below, d]:
                feasible = False
                break
            if room > most[below, d]:
                unused += y[d] * (room - most[below, d])
        if not feasible:
            continue
        loss[below] = loss[depth] + loss_of[option]
        profit[below] = profit[depth] + profit_of[option]
        if (top - loss[below] - unused) // scale <= incumbent or profit[below] + gain[below] <= incumbent:
            continue
        if below < groups:
            place[below] = start[below]
        depth = below
    state[0], state[1] = depth, incumbent
    return bool(depth < 0)
