"""The bound by prices in compiled code: the integers of `edgeopt.certify.verify.proof_prices`, and who uses what.

`path_bounds` bounds each mode by its critical path. `priced_bounds` runs the dynamic program of each task and mode
over cells of time and adds what the best of each task occupies to the usage of the slots, a subgradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeopt.instances.decomposition.compiled import UNREACHABLE
from edgeopt.solvers.decomposition.list_kernel import _transfer_ticks
from edgeopt.solvers.decomposition.place_kernel import _laid
from edgeopt.solvers.jit import compiled, kernel

FAR = 1 << 60
"""More than every cost and time."""
REWARD, LATENCY, ON_TIME = 0, 1, 2


@compiled
def _gain(a: Any, factors: Any, task: Any, end: Any) -> Any:
    """What an end is worth without the correctness, in units of ``2^-bits``; `-FAR` where it is not allowed."""
    kind, tick_factor, one = factors
    if kind == ON_TIME:
        return one if end <= a.due[task] else 0
    if end > a.due[task]:
        return -FAR
    late = end - a.origin[task]
    return -late * one if kind == LATENCY else -tick_factor * late * one


@kernel
def path_bounds(a: Any, factors: Any, right_gain: Any, mode_right: Any, single_gain: Any, end_gain: Any) -> Any:
    """Bounds by the path.

    Parameters
    ----------
    a : Arrays
    factors : (int, int, int)
        Kind, ``B``, and 1 in units of ``2^-bits``.
    right_gain : (O,) int64
        What the correctness of an option gains, for modes of one step.
    mode_right : (M,) int64
        What the best correctness of a mode gains, at most.
    single_gain : (M,) int64
        Filled: the bound of each mode.
    end_gain : (M,) int64
        Filled: what its end alone gains at most.
    """
    ends = np.zeros(len(a.option_node), dtype=np.int64)
    for task in range(len(a.release)):
        device = a.device[task]
        for mode in range(a.mode_start[task], a.mode_start[task + 1]):
            home = a.release[task]
            single = a.step_start[mode + 1] - a.step_start[mode] == 1
            best = -FAR
            for place in range(a.step_start[mode], a.step_start[mode + 1]):
                step = a.order[place]
                back = -1
                soonest = FAR
                for option in range(a.option_start[step], a.option_start[step + 1]):
                    at, ready = a.option_node[option], a.release[task]
                    for edge in range(a.step_edge[step], a.step_edge[step + 1]):
                        if a.edge_to[edge] != step:
                            back = edge
                            continue
                        before, there = a.edge_from[edge], FAR
                        if before < 0:
                            if a.channel[device, at] != UNREACHABLE:
                                there = a.release[task] + _transfer_ticks(a, edge, device, at)
                        else:
                            for other in range(a.option_start[before], a.option_start[before + 1]):
                                source = a.option_node[other]
                                if a.channel[source, at] != UNREACHABLE:
                                    there = min(there, ends[other] + _transfer_ticks(a, edge, source, at))
                        ready = max(ready, there)
                    ticks = a.option_ticks[option, 0]
                    if a.context[step] >= 0:
                        ticks = min(ticks, a.option_ticks[option, 1])
                    ends[option] = min(FAR, ready + ticks)
                    if back >= 0:
                        end = FAR
                        if a.channel[at, device] != UNREACHABLE:
                            end = min(FAR, ends[option] + _transfer_ticks(a, back, at, device))
                        soonest = min(soonest, end)
                        if single and end < FAR:
                            gain = _gain(a, factors, task, end)
                            if gain > -FAR:
                                best = max(best, gain + right_gain[option])
                if back >= 0:
                    home = max(home, soonest)
            gain = _gain(a, factors, task, home) if home < FAR else -FAR
            end_gain[mode] = gain
            if gain == -FAR:
                single_gain[mode] = -FAR
            elif single:
                single_gain[mode] = best
            else:
                single_gain[mode] = gain + mode_right[mode]


@compiled
def _until(price: Any, paid: Any, begin: Any, slot: Any, resource: Any, time: Any) -> Any:
    passed = time - begin
    if passed <= 0:
        return 0
    place = passed // slot
    if place >= price.shape[1]:
        return paid[resource, price.shape[1]]
    return paid[resource, place] + price[resource, place] * (passed - place * slot)


@compiled
def _price_at(price: Any, paid: Any, begin: Any, slot: Any, resource: Any, start: Any, ticks: Any) -> Any:
    return _until(price, paid, begin, slot, resource, start + ticks) - _until(price, paid, begin, slot, resource, start)


@compiled
def _charge(
    out: Any,
    price: Any,
    paid: Any,
    begin: Any,
    slot: Any,
    resource: Any,
    ticks: Any,
    release: Any,
    cell: Any,
    cells: Any,
) -> Any:
    """Least price of so many ticks that begin in a cell; False where nothing is charged."""
    count = price.shape[1]
    if resource < 0 or ticks == 0 or paid[resource, count] == 0:
        return False
    before = _price_at(price, paid, begin, slot, resource, release, ticks)
    for j in range(cells):
        after = _price_at(price, paid, begin, slot, resource, release + (j + 1) * cell, ticks)
        out[j] = min(before, after)
        before = after
    for turn in range(2):
        shift = ticks if turn else 0
        first = max(0, -((-(release + shift - begin)) // slot))
        last = min(count, (release + shift + cells * cell - 1 - begin) // slot)
        for s in range(first, last + 1):
            start = begin + s * slot - shift
            j = (start - release) // cell
            out[j] = min(out[j], _price_at(price, paid, begin, slot, resource, start, ticks))
    out[cells] = 0
    return True


@compiled
def _cheapest(
    price: Any, paid: Any, begin: Any, slot: Any, resource: Any, ticks: Any, release: Any, cell: Any, j: Any
) -> Any:
    """A start in a cell at the least price."""
    start = release + j * cell
    best, at = _price_at(price, paid, begin, slot, resource, start, ticks), start
    other = _price_at(price, paid, begin, slot, resource, start + cell, ticks)
    if other < best:
        best, at = other, start + cell
    for turn in range(2):
        shift = ticks if turn else 0
        first = max(0, -((-(start + shift - begin)) // slot))
        last = min(price.shape[1], (start + shift + cell - 1 - begin) // slot)
        for s in range(first, last + 1):
            other = _price_at(price, paid, begin, slot, resource, begin + s * slot - shift, ticks)
            if other < best:
                best, at = other, begin + s * slot - shift
    return at


@compiled
def _shift(out: Any, where: Any, cost: Any, charge: Any, charged: Any, ticks: Any, cell: Any, cells: Any) -> Any:
    """Least cost after so many ticks, by cell, and the cell where they began."""
    later = min(ticks // cell, cells)
    best, at = FAR, 0
    for j in range(later):
        out[j], where[j] = FAR, 0
    for i in range(cells + 1):
        own = cost[i] + (charge[i] if charged else 0)
        if own < best:
            best, at = own, i
        if i + later < cells:
            out[i + later], where[i + later] = best, at
    out[cells], where[cells] = best, at


@compiled
def _occupied(usage: Any, begin: Any, slot: Any, resource: Any, start: Any, ticks: Any) -> Any:
    """Add an interval to the usage of the slots."""
    count = usage.shape[1]
    end = start + ticks
    place = max(0, (start - begin) // slot)
    while place < count and begin + place * slot < end:
        low, high = max(start, begin + place * slot), min(end, begin + (place + 1) * slot)
        if high > low:
            usage[resource, place] += high - low
        place += 1


@compiled
def _dynamic(
    a: Any,
    factors: Any,
    kept: Any,
    gain: Any,
    price: Any,
    paid: Any,
    begin: Any,
    slot: Any,
    cell: Any,
    cells: Any,
    task: Any,
    mode: Any,
    tables: Any,
) -> Any:
    """The dynamic program of a task in a mode; its bound, and the best cell of the end."""
    done, began, variant, source_of, cell_of, apart, beside, moved, charge, trial, where = tables
    first_option = a.option_start[a.step_start[mode]]
    first_edge = a.edge_start[mode]
    release, device = a.release[task], a.device[task]
    for place in range(a.step_start[mode], a.step_start[mode + 1]):
        step = a.order[place]
        context = a.context[step]
        tied = context >= 0 and kept[context]
        for option in range(a.option_start[step], a.option_start[step + 1]):
            at, target = a.option_node[option], option - a.option_start[step]
            apart[: cells + 1] = 0
            beside[: cells + 1] = 0
            for edge in range(a.step_edge[step], a.step_edge[step + 1]):
                if a.edge_to[edge] != step or not kept[edge]:
                    continue
                e = edge - first_edge
                for side in range(2):
                    if side == 1 and not tied:
                        break
                    only = 0
                    if edge == context:
                        only = 2 if side == 1 else 1
                    _move(
                        a, price, paid, begin, slot, cell, cells, task, edge, at, only, first_option, done, moved,
                        source_of[e, target, side], cell_of[e, target, side], charge, trial, where,
                    )  # fmt: skip
                    for j in range(cells + 1):
                        if side == 0:
                            apart[j] = min(FAR, apart[j] + moved[j])
                        else:
                            beside[j] = min(FAR, beside[j] + moved[j])
            own = option - first_option
            ticks, worth = a.option_ticks[option, 0], gain[option, 0]
            if context >= 0 and not tied:
                ticks, worth = min(ticks, a.option_ticks[option, 1]), max(worth, gain[option, 1])
            charged = _charge(charge, price, paid, begin, slot, at, ticks, release, cell, cells)
            _shift(done[own], began[own], apart, charge, charged, ticks, cell, cells)
            for j in range(cells + 1):
                if done[own, j] < FAR:
                    done[own, j] -= worth
                variant[own, j] = 0
            if tied:
                ticks, worth = a.option_ticks[option, 1], gain[option, 1]
                charged = _charge(charge, price, paid, begin, slot, at, ticks, release, cell, cells)
                _shift(trial, where, beside, charge, charged, ticks, cell, cells)
                for j in range(cells + 1):
                    if trial[j] < FAR and trial[j] - worth < done[own, j]:
                        done[own, j], began[own, j], variant[own, j] = trial[j] - worth, where[j], 1
    apart[: cells + 1] = 0
    for edge in range(first_edge, a.edge_start[mode + 1]):
        if a.edge_to[edge] >= 0 or not kept[edge]:
            continue
        e = edge - first_edge
        _move(
            a, price, paid, begin, slot, cell, cells, task, edge, device, 0, first_option, done, moved,
            source_of[e, 0, 0], cell_of[e, 0, 0], charge, trial, where,
        )  # fmt: skip
        for j in range(cells + 1):
            apart[j] = min(FAR, apart[j] + moved[j])
    best, at_cell = -FAR, -1
    for j in range(cells + 1):
        own_gain = _gain(a, factors, task, release + j * cell)
        if own_gain > -FAR and apart[j] < FAR and own_gain - apart[j] > best:
            best, at_cell = own_gain - apart[j], j
    return best, at_cell


@compiled
def _move(
    a: Any,
    price: Any,
    paid: Any,
    begin: Any,
    slot: Any,
    cell: Any,
    cells: Any,
    task: Any,
    edge: Any,
    at: Any,
    only: Any,
    first_option: Any,
    done: Any,
    moved: Any,
    source_of: Any,
    cell_of: Any,
    charge: Any,
    trial: Any,
    where: Any,
) -> Any:
    """Least cost of having what an edge carries at a node, by cell, its source and its cell there.

    `only` 1: from other nodes; 2: from this node.
    """
    release, device = a.release[task], a.device[task]
    before = a.edge_from[edge]
    for j in range(cells + 1):
        moved[j], source_of[j], cell_of[j] = FAR, -1, 0
    if before < 0:
        first, last = 0, 1
    else:
        first, last = a.option_start[before], a.option_start[before + 1]
    for option in range(first, last):
        source = device if before < 0 else a.option_node[option]
        if a.channel[source, at] == UNREACHABLE or (only == 1 and source == at) or (only == 2 and source != at):
            continue
        if before < 0:
            trial[: cells + 1] = 0
            cost = trial
        else:
            cost = done[option - first_option]
        if source == at:
            for j in range(cells + 1):
                if cost[j] < moved[j]:
                    moved[j], source_of[j], cell_of[j] = cost[j], option, j
            continue
        ticks = _transfer_ticks(a, edge, source, at)
        charged = _charge(charge, price, paid, begin, slot, a.channel[source, at], ticks, release, cell, cells)
        later = min(ticks // cell, cells)
        best, begun = FAR, 0
        for i in range(cells + 1):
            own = cost[i] + (charge[i] if charged else 0)
            if own < best:
                best, begun = own, i
            j = i + later
            if j < cells and best < moved[j]:
                moved[j], source_of[j], cell_of[j] = best, option, begun
        if best < moved[cells]:
            moved[cells], source_of[cells], cell_of[cells] = best, option, begun


@compiled
def _use(
    a: Any,
    kept: Any,
    price: Any,
    paid: Any,
    begin: Any,
    slot: Any,
    cell: Any,
    cells: Any,
    task: Any,
    mode: Any,
    at_cell: Any,
    tables: Any,
    usage: Any,
    places: Any,
) -> Any:
    """Walk back from the end and note what the best of a task occupies, and its nodes."""
    began, variant, source_of, cell_of = tables[1], tables[2], tables[3], tables[4]
    first_option, first_edge = a.option_start[a.step_start[mode]], a.edge_start[mode]
    release, device = a.release[task], a.device[task]
    stack = np.empty((a.step_start[mode + 1] - a.step_start[mode] + 2, 3), dtype=np.int64)
    top = 0
    for edge in range(first_edge, a.edge_start[mode + 1]):
        if a.edge_to[edge] >= 0 or not kept[edge]:
            continue
        top = _fetch(
            a, price, paid, begin, slot, cell, cells, release, edge, device,
            source_of[edge - first_edge, 0, 0, at_cell], cell_of[edge - first_edge, 0, 0, at_cell], device, usage,
            stack, top,
        )  # fmt: skip
        while top > 0:
            top -= 1
            step, option, j = stack[top]
            own = option - first_option
            side, i = variant[own, j], began[own, j]
            places[step] = a.option_node[option]
            ticks = a.option_ticks[option, side]
            context = a.context[step]
            if context >= 0 and not kept[context]:
                ticks = min(ticks, a.option_ticks[option, 1])
            if i < cells and ticks > 0:
                start = _cheapest(price, paid, begin, slot, a.option_node[option], ticks, release, cell, i)
                _occupied(usage, begin, slot, a.option_node[option], start, ticks)
            for into in range(a.step_edge[step], a.step_edge[step + 1]):
                if a.edge_to[into] != step or not kept[into]:
                    continue
                e, target = into - first_edge, option - a.option_start[step]
                tied = context >= 0 and kept[context]
                s = side if tied else 0
                top = _fetch(
                    a, price, paid, begin, slot, cell, cells, release, into, a.option_node[option],
                    source_of[e, target, s, i], cell_of[e, target, s, i], device, usage, stack, top,
                )  # fmt: skip


@compiled
def _fetch(
    a: Any,
    price: Any,
    paid: Any,
    begin: Any,
    slot: Any,
    cell: Any,
    cells: Any,
    release: Any,
    edge: Any,
    at: Any,
    option: Any,
    i: Any,
    device: Any,
    usage: Any,
    stack: Any,
    top: Any,
) -> Any:
    """Note a transfer, and push the step that it comes from."""
    before = a.edge_from[edge]
    source = device if before < 0 else a.option_node[option]
    if source != at and a.channel[source, at] >= 0 and i < cells:
        ticks = _transfer_ticks(a, edge, source, at)
        if ticks > 0:
            start = _cheapest(price, paid, begin, slot, a.channel[source, at], ticks, release, cell, i)
            _occupied(usage, begin, slot, a.channel[source, at], start, ticks)
    if before >= 0:
        stack[top, 0], stack[top, 1], stack[top, 2] = before, option, i
        top += 1
    return top


@compiled
def _place_value(
    a: Any, factors: Any, price: Any, paid: Any, begin: Any, slot: Any, cell: Any, cells: Any, task: Any, mode: Any,
    number: Any, least: Any, worth: Any, above: Any, work: Any, usage: Any, places: Any, note: Any,
) -> Any:  # fmt: skip
    """Most that a placement gains at prices, or `above` where that is not more; with `note`, what it occupies.

    The end is in some cell at or after the least one; then each operation pays the least price between its earliest
    start and the latest that lets it end in time.
    """
    node, side, ticks, head, tail, row, until, low, from_cell, charge, has, charged = work
    first, steps = a.step_start[mode], a.step_start[mode + 1] - a.step_start[mode]
    first_edge = a.edge_start[mode]
    size = steps + a.edge_start[mode + 1] - first_edge
    release = a.release[task]
    _laid(a, task, mode, number, node, side, ticks, head, tail)
    for k in range(size):
        has[k] = False
        if ticks[k] <= 0:
            continue
        if k < steps:
            row[k] = 2 * (node[k] - a.option_start[first]) + side[k]
            has[k] = charged[row[k]]
        else:
            row[k] = len(charge) - size + k
            resource = _resource(a, task, mode, k, node)
            has[k] = _charge(charge[row[k]], price, paid, begin, slot, resource, ticks[k], release, cell, cells)
        from_cell[k] = min(cells, (head[k] - release) // cell)
        until[k], low[k] = from_cell[k], FAR
    best, best_j = above, -1
    j = min(cells, (least - release) // cell)
    while j <= cells:
        gain = _gain(a, factors, task, max(least, release + j * cell))
        if gain == -FAR or gain + worth <= best:
            break
        cost = 0
        for k in range(size):
            if not has[k]:
                continue
            last = cells if j == cells else min(cells, ((j + 1) * cell - ticks[k] - tail[k]) // cell)
            while until[k] <= last:
                if charge[row[k], until[k]] < low[k]:
                    low[k] = charge[row[k], until[k]]
                until[k] += 1
            cost += low[k]
        if gain + worth - cost > best:
            best, best_j = gain + worth - cost, j
        j += 1
    if note and best_j >= 0:
        for k in range(size):
            if k < steps:
                places[first + k] = a.option_node[node[k]]
            if ticks[k] <= 0:
                continue
            resource = _resource(a, task, mode, k, node)
            if resource < 0:
                continue
            if not has[k]:
                _occupied(usage, begin, slot, resource, head[k], ticks[k])
                continue
            last = cells if best_j == cells else min(cells, ((best_j + 1) * cell - ticks[k] - tail[k]) // cell)
            found = from_cell[k]
            for i in range(from_cell[k], last + 1):
                if charge[row[k], i] < charge[row[k], found]:
                    found = i
            if found < cells:
                start = _cheapest(price, paid, begin, slot, resource, ticks[k], release, cell, found)
                _occupied(usage, begin, slot, resource, start, ticks[k])
    return best


@compiled
def _charge_options(
    a: Any, price: Any, paid: Any, begin: Any, slot: Any, cell: Any, cells: Any, task: Any, mode: Any, work: Any
) -> None:
    """What each option of a mode pays by cell, apart from its context and beside it."""
    charge, charged = work[9], work[11]
    first, last = a.option_start[a.step_start[mode]], a.option_start[a.step_start[mode + 1]]
    for option in range(first, last):
        for side in range(2):
            row = 2 * (option - first) + side
            charged[row] = _charge(
                charge[row], price, paid, begin, slot, a.option_node[option], a.option_ticks[option, side],
                a.release[task], cell, cells,
            )  # fmt: skip


@compiled
def _cheapest_options(a: Any, mode: Any, far: Any, work: Any) -> Any:
    """Least that each option of a mode pays in the cells up to one."""
    charge, charged = work[9], work[11]
    first, last = a.option_start[a.step_start[mode]], a.option_start[a.step_start[mode + 1]]
    found = np.zeros(last - first, dtype=np.int64)
    for option in range(last - first):
        found[option] = FAR
        for side in range(2):
            row = 2 * option + side
            if not charged[row]:
                found[option] = 0
                continue
            for j in range(far + 1):
                found[option] = min(found[option], charge[row, j])
    return found


@compiled
def _resource(a: Any, task: Any, mode: Any, k: Any, node: Any) -> Any:
    """What a step or an edge of a placement uses."""
    first, steps = a.step_start[mode], a.step_start[mode + 1] - a.step_start[mode]
    if k < steps:
        return a.option_node[node[k]]
    edge = a.edge_start[mode] + k - steps
    source, target = a.edge_from[edge], a.edge_to[edge]
    one = a.device[task] if source < 0 else a.option_node[node[source - first]]
    other = a.device[task] if target < 0 else a.option_node[node[target - first]]
    return a.channel[one, other]


@kernel
def priced_bounds(
    a: Any,
    factors: Any,
    kept: Any,
    logs: Any,
    linear: Any,
    points: Any,
    point_start: Any,
    point_level: Any,
    worth: Any,
    price: Any,
    paid: Any,
    begin: Any,
    slot: Any,
    cell: Any,
    cells: Any,
    path: Any,
    end_gain: Any,
    place_start: Any,
    place_right: Any,
    place_end: Any,
    place_code: Any,
    usage: Any,
    choice: Any,
    places: Any,
    claims: Any,
) -> Any:
    """Bound each task at prices, and note who uses what.

    Parameters
    ----------
    a : Arrays
    factors : (int, int, int)
        As in `path_bounds`.
    kept : (E,) bool
        Edges that are not dropped.
    logs : (O, 2) int64
        Logarithm of the correctness; gains themselves where `linear`.
    linear : (M,) bool
        Whether the gains of the mode's steps add up as they are.
    points, point_level : (Q,) int64
        For each mode levels of the logarithm, rising, and the correctness there.
    point_start : (M + 1,) int64
    worth : int
        What a millionth of correctness is worth.
    price, paid : (R, T), (R, T + 1) int64
        Price of a tick by slot, and its sum until the slot.
    begin, slot, cell, cells : int
    path, end_gain : (M,) int64
        From `path_bounds`.
    place_start : (M + 1,) int64
    place_right, place_end, place_code : (P,) int64
        From `enumerate_places`, those of a mode by falling gain without prices; a mode that has none takes the
        dynamic program.
    usage : (R, T) int64
        Added to: ticks that the best of each task occupies.
    choice : (N,) int64
        Filled: the best mode of each task.
    places : (S,) int64
        Filled for these: the node of each step.
    claims : (N,) int64
        Filled: the bound of each task.

    Returns
    -------
    bool
        Whether every task has a bound; their sum may take more than 64 bits.
    """
    most_options, most_edges, most_own, most_steps = 1, 1, 1, 1
    for mode in range(len(a.step_start) - 1):
        first, last = a.step_start[mode], a.step_start[mode + 1]
        most_steps = max(most_steps, last - first)
        most_options = max(most_options, a.option_start[last] - a.option_start[first])
        most_edges = max(most_edges, a.edge_start[mode + 1] - a.edge_start[mode])
        for step in range(first, last):
            most_own = max(most_own, a.option_start[step + 1] - a.option_start[step])
    width = cells + 1
    tables = (
        np.empty((most_options, width), dtype=np.int64),
        np.zeros((most_options, width), dtype=np.int32),
        np.zeros((most_options, width), dtype=np.int8),
        np.zeros((most_edges, most_own, 2, width), dtype=np.int64),
        np.zeros((most_edges, most_own, 2, width), dtype=np.int32),
        np.zeros(width, dtype=np.int64),
        np.zeros(width, dtype=np.int64),
        np.zeros(width, dtype=np.int64),
        np.zeros(width, dtype=np.int64),
        np.zeros(width, dtype=np.int64),
        np.zeros(width, dtype=np.int32),
    )
    gain = np.zeros((len(a.option_node), 2), dtype=np.int64)
    size = most_steps + most_edges
    work = (
        np.zeros(size, dtype=np.int64),
        np.zeros(size, dtype=np.int64),
        np.zeros(size, dtype=np.int64),
        np.zeros(size, dtype=np.int64),
        np.zeros(size, dtype=np.int64),
        np.zeros(size, dtype=np.int64),
        np.zeros(size, dtype=np.int64),
        np.zeros(size, dtype=np.int64),
        np.zeros(size, dtype=np.int64),
        np.zeros((2 * most_options + size, width), dtype=np.int64),
        np.zeros(size, dtype=np.bool_),
        np.zeros(2 * most_options, dtype=np.bool_),
    )
    for task in range(len(a.release)):
        best, best_mode, best_point = -FAR, -1, -1
        last_mode, last_point, last_cell, best_cell, best_place = -1, -1, -1, -1, -1
        charged_mode = -1
        for mode in range(a.mode_start[task], a.mode_start[task + 1]):
            if path[mode] == -FAR or path[mode] <= best:
                continue
            if place_start[mode + 1] > place_start[mode]:
                _charge_options(a, price, paid, begin, slot, cell, cells, task, mode, work)
                charged_mode = mode
                far = 0  # the last cell that an end better than the best may be in
                most = worth * 1000000
                while far < cells:
                    ahead = _gain(a, factors, task, a.release[task] + (far + 1) * cell)
                    if ahead == -FAR or ahead + most <= best:
                        break
                    far += 1
                cheapest = _cheapest_options(a, mode, far, work)
                for place in range(place_start[mode], place_start[mode + 1]):
                    if place_end[place] == FAR:
                        break
                    own_gain = _gain(a, factors, task, place_end[place])
                    if own_gain == -FAR:
                        continue
                    if own_gain + worth * place_right[place] <= best:
                        break
                    rest, least_cost = place_code[place], 0
                    for step in range(a.step_start[mode], a.step_start[mode + 1]):
                        count = a.option_start[step + 1] - a.option_start[step]
                        option = a.option_start[step] + rest % count - a.option_start[a.step_start[mode]]
                        rest //= count
                        least_cost += cheapest[option]
                    if own_gain + worth * place_right[place] - least_cost <= best:
                        continue
                    own = _place_value(
                        a, factors, price, paid, begin, slot, cell, cells, task, mode, place_code[place],
                        place_end[place], worth * place_right[place], best, work, usage, places, False,
                    )  # fmt: skip
                    if own > best:
                        best, best_mode, best_place = own, mode, place
                continue
            if linear[mode]:
                _fill(a, gain, logs, mode, 1)
                own, at_cell = _dynamic(
                    a, factors, kept, gain, price, paid, begin, slot, cell, cells, task, mode, tables
                )
                point = -1
                last_mode, last_point, last_cell = mode, point, at_cell
            else:
                own, point, at_cell = -FAR, -1, -1
                for upper in range(point_start[mode + 1] - 1, point_start[mode], -1):
                    high, low = point_level[upper], point_level[upper - 1]
                    if end_gain[mode] + worth * high <= own:
                        continue
                    width_of = points[upper] - points[upper - 1]
                    slope = -((-worth * (high - low)) // width_of)
                    _fill(a, gain, logs, mode, slope)
                    found, found_cell = _dynamic(
                        a, factors, kept, gain, price, paid, begin, slot, cell, cells, task, mode, tables
                    )
                    last_mode, last_point, last_cell = mode, upper, found_cell
                    if found > -FAR:
                        found += worth * low - slope * points[upper - 1]
                        if found > own:
                            own, point, at_cell = found, upper, found_cell
            own = min(own, path[mode])
            if own > best:
                best, best_mode, best_point, best_cell, best_place = own, mode, point, at_cell, -1
        if best_mode < 0:
            return False
        choice[task], claims[task] = best_mode - a.mode_start[task], best
        if best_place >= 0:
            if charged_mode != best_mode:
                _charge_options(a, price, paid, begin, slot, cell, cells, task, best_mode, work)
            _place_value(
                a, factors, price, paid, begin, slot, cell, cells, task, best_mode, place_code[best_place],
                place_end[best_place], worth * place_right[best_place], -FAR, work, usage, places, True,
            )  # fmt: skip
            continue
        if (last_mode, last_point, last_cell) != (best_mode, best_point, best_cell):
            if linear[best_mode]:
                _fill(a, gain, logs, best_mode, 1)
            else:
                width_of = points[best_point] - points[best_point - 1]
                slope = -((-worth * (point_level[best_point] - point_level[best_point - 1])) // width_of)
                _fill(a, gain, logs, best_mode, slope)
            _, best_cell = _dynamic(
                a, factors, kept, gain, price, paid, begin, slot, cell, cells, task, best_mode, tables
            )
        if best_cell >= 0:
            _use(a, kept, price, paid, begin, slot, cell, cells, task, best_mode, best_cell, tables, usage, places)
    return True


@compiled
def _fill(a: Any, gain: Any, logs: Any, mode: Any, slope: Any) -> Any:
    for option in range(a.option_start[a.step_start[mode]], a.option_start[a.step_start[mode + 1]]):
        gain[option, 0], gain[option, 1] = slope * logs[option, 0], slope * logs[option, 1]
