"""List scheduling in compiled code: tasks in an order, each placed into the gaps that those before it have left.

A resource with ``c`` slots is ``c`` lanes; a lane holds disjoint intervals in order of time. A task is tried in each of
its modes by several rules, and keeps what gains most.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeopt.instances.decomposition.compiled import FINE_BITS, UNREACHABLE, Arrays
from edgeopt.solvers.jit import compiled, kernel

REWARD, LATENCY, ON_TIME = 0, 1, 2
"""What a task gains: weighed correctness less latency; the same with a price of correctness; being on time first."""
SOONEST, SCORE, ONE_NODE = 0, 1, 2
"""Rules for a free step: earliest finish; the paper's score; a given node where that is allowed, else the score."""
LATE = -1e15
"""Gain of a task that misses a deadline that is a limit."""
ON_TIME_GAIN = 1e12


@compiled
def _transfer_ticks(a: Arrays, edge: Any, source: Any, target: Any) -> Any:
    size = a.edge_bytes[edge]
    if source == target or size == 0:
        return 0
    frames = (size + a.frame[source, target] - 1) // a.frame[source, target]
    fine = frames * a.overhead[source, target] + size * a.byte[source, target]
    return (fine + a.rest[0]) >> FINE_BITS


@compiled
def _gap(begin: Any, end: Any, count: Any, lane: Any, ready: Any, ticks: Any) -> Any:
    """Earliest start in a lane, not before `ready`."""
    if ticks == 0:
        return ready
    low, high = 0, count[lane]
    while low < high:  # the first interval that ends after `ready`
        middle = (low + high) // 2
        if end[lane, middle] > ready:
            high = middle
        else:
            low = middle + 1
    start = ready
    while low < count[lane] and begin[lane, low] < start + ticks:
        if end[lane, low] > start:
            start = end[lane, low]
        low += 1
    return start


@compiled
def _earliest(begin: Any, end: Any, count: Any, first: Any, number: Any, ready: Any, ticks: Any) -> Any:
    """Earliest start on a resource, and its lane; -1 for a resource that is never full."""
    if number == 0:
        return ready, -1
    best, lane = _gap(begin, end, count, first, ready, ticks), first
    for other in range(first + 1, first + number):
        if best == ready:
            break
        start = _gap(begin, end, count, other, ready, ticks)
        if start < best:
            best, lane = start, other
    return best, lane


@compiled
def _occupy(begin: Any, end: Any, count: Any, lane: Any, start: Any, ticks: Any, undo: Any, done: Any) -> Any:
    """Put an interval into a lane and note how to take it out again; the new number of notes."""
    if lane < 0 or ticks == 0:
        return done
    low, high = 0, count[lane]
    while low < high:
        middle = (low + high) // 2
        if begin[lane, middle] > start:
            high = middle
        else:
            low = middle + 1
    for place in range(count[lane], low, -1):
        begin[lane, place] = begin[lane, place - 1]
        end[lane, place] = end[lane, place - 1]
    begin[lane, low], end[lane, low] = start, start + ticks
    count[lane] += 1
    undo[done, 0], undo[done, 1] = lane, low
    return done + 1


@compiled
def _take_out(begin: Any, end: Any, count: Any, undo: Any, done: Any) -> Any:
    while done > 0:
        done -= 1
        lane, low = undo[done, 0], undo[done, 1]
        count[lane] -= 1
        for place in range(low, count[lane]):
            begin[lane, place] = begin[lane, place + 1]
            end[lane, place] = end[lane, place + 1]


@compiled
def _arrival_at(
    a: Any,
    lanes: Any,
    begin: Any,
    end: Any,
    count: Any,
    task: Any,
    edge: Any,
    source: Any,
    target: Any,
    ready: Any,
    commit: Any,
    transfer: Any,
    undo: Any,
    done: Any,
) -> Any:
    """When what an edge carries is at its target; with `commit` the transfer takes its place."""
    if source == target:
        if commit:
            transfer[edge] = -1
        return ready, done
    ticks = _transfer_ticks(a, edge, source, target)
    channel = a.channel[source, target]
    start, lane = ready, -1
    if channel >= 0:
        start, lane = _earliest(begin, end, count, lanes[channel, 0], lanes[channel, 1], ready, ticks)
    if commit:
        transfer[edge] = start
        done = _occupy(begin, end, count, lane, start, ticks, undo, done)
    return start + ticks, done


@compiled
def _try(
    a: Any,
    lanes: Any,
    begin: Any,
    end: Any,
    count: Any,
    task: Any,
    step: Any,
    option: Any,
    node: Any,
    start: Any,
    transfer: Any,
    undo: Any,
) -> Any:
    """Finish of a step on an option if it were placed now, back at the device if it is the last; -1: no link."""
    at, ready = a.option_node[option], a.release[task]
    shared = 0
    back = -1
    for edge in range(a.step_edge[step], a.step_edge[step + 1]):
        if a.edge_to[edge] != step:
            back = edge
            continue
        before = a.edge_from[edge]
        source = a.device[task] if before < 0 else node[before]
        if a.channel[source, at] == UNREACHABLE:
            return -1
        have = a.release[task] if before < 0 else start[before, 1]
        there, _ = _arrival_at(a, lanes, begin, end, count, task, edge, source, at, have, False, transfer, undo, 0)
        ready = max(ready, there)
        if edge == a.context[step] and source == at:
            shared = 1
    ticks = a.option_ticks[option, shared]
    begun, _ = _earliest(begin, end, count, lanes[at, 0], lanes[at, 1], ready, ticks)
    finish = begun + ticks
    if back >= 0:
        if a.channel[at, a.device[task]] == UNREACHABLE:
            return -1
        finish, _ = _arrival_at(
            a, lanes, begin, end, count, task, back, at, a.device[task], finish, False, transfer, undo, 0
        )
    return finish


@compiled
def _place(
    a: Any,
    lanes: Any,
    begin: Any,
    end: Any,
    count: Any,
    factors: Any,
    task: Any,
    mode: Any,
    rule: Any,
    prefer: Any,
    want: Any,
    product: Any,
    node: Any,
    start: Any,
    transfer: Any,
    undo: Any,
) -> Any:
    """Place a task in a mode; its gain, and the number of notes in `undo`. A gain of `2 LATE`: no links."""
    kind, right_factor, tick_factor = factors
    done = 0
    finished = a.release[task]
    for place in range(a.step_start[mode], a.step_start[mode + 1]):
        step = a.order[place]
        chosen, best = -1, 0.0
        wanted = want[step]
        if wanted < 0 and rule == ONE_NODE:
            wanted = prefer
        for turn in range(2):  # where the wanted node is not to be had, any will do
            for option in range(a.option_start[step], a.option_start[step + 1]):
                if turn == 0 and wanted >= 0 and a.option_node[option] != wanted:
                    continue
                finish = _try(a, lanes, begin, end, count, task, step, option, node, start, transfer, undo)
                if finish < 0:
                    continue
                score = -float(finish)
                if rule != SOONEST and kind != ON_TIME:
                    score = right_factor * a.option_right[option, 0] - tick_factor * (finish - a.origin[task])
                if chosen < 0 or score > best:
                    chosen, best = option, score
            if chosen >= 0 or wanted < 0:
                break
            wanted = -1
        if chosen < 0:
            _take_out(begin, end, count, undo, done)
            return 2 * LATE, 0
        at, ready, shared, back = a.option_node[chosen], a.release[task], 0, -1
        node[step] = at
        for edge in range(a.step_edge[step], a.step_edge[step + 1]):
            if a.edge_to[edge] != step:
                back = edge
                continue
            before = a.edge_from[edge]
            source = a.device[task] if before < 0 else node[before]
            have = a.release[task] if before < 0 else start[before, 1]
            there, done = _arrival_at(
                a, lanes, begin, end, count, task, edge, source, at, have, True, transfer, undo, done
            )
            ready = max(ready, there)
            if edge == a.context[step] and source == at:
                shared = 1
        ticks = a.option_ticks[chosen, shared]
        begun, lane = _earliest(begin, end, count, lanes[at, 0], lanes[at, 1], ready, ticks)
        done = _occupy(begin, end, count, lane, begun, ticks, undo, done)
        start[step, 0], start[step, 1], start[step, 2] = begun, begun + ticks, a.option_right[chosen, shared]
        finish = begun + ticks
        if back >= 0:
            finish, done = _arrival_at(
                a, lanes, begin, end, count, task, back, at, a.device[task], finish, True, transfer, undo, done
            )
        finished = max(finished, finish)
    right, weight = (1.0, 1.0) if product else (0.0, 0.0)
    for step in range(a.step_start[mode], a.step_start[mode + 1]):
        if product:
            right *= start[step, 2] * 1e-6
        else:
            right += a.weight[step] * start[step, 2] * 1e-6
            weight += a.weight[step]
    if not product:
        right /= weight
    if kind == ON_TIME:
        return (ON_TIME_GAIN if finished <= a.due[task] else 0.0) - (finished - a.origin[task]), done
    gain = right_factor * right * 1e6 - tick_factor * (finished - a.origin[task])
    return gain + (LATE - (finished - a.due[task]) if finished > a.due[task] else 0.0), done


@kernel
def list_schedule(
    a: Any,
    lanes: Any,
    factors: Any,
    product: Any,
    order: Any,
    want_mode: Any,
    want: Any,
    width: Any,
    thorough: Any,
    mode: Any,
    node: Any,
    start: Any,
    transfer: Any,
) -> Any:
    """Schedule all tasks in an order.

    Parameters
    ----------
    a : Arrays
    lanes : (R, 2) int64
        First lane of each resource and their number; 0 lanes: never full.
    factors : (int, float, float)
        Kind of the objective, and what a millionth of correctness and a tick of latency are worth.
    product : bool
        How the steps' correctness makes that of the task.
    order : (N,) int64
    want_mode : (N,) int64
        Mode that a task must take (within the task), or -1.
    want : (S,) int64
        Node that a step shall be on, or -1.
    width : int
        Most intervals of a lane.
    thorough : bool
        Try the earliest finish, and each node for all steps of a task, besides the paper's score.
    mode : (N,), node : (S,), start : (S, 3), transfer : (E,) int64
        Filled: mode; for the steps of the chosen modes their node, start, end, correctness; start of transfers or -1.

    Returns
    -------
    float
        Sum of the gains.
    """
    rows = lanes[-1, 0] + lanes[-1, 1] if len(lanes) else 0
    begin, end = np.empty((rows, width), dtype=np.int64), np.empty((rows, width), dtype=np.int64)
    count = np.zeros(rows, dtype=np.int64)
    undo = np.empty((width, 2), dtype=np.int64)
    nodes = len(a.channel)
    total = 0.0
    for task in order:
        first, last = a.mode_start[task], a.mode_start[task + 1]
        if want_mode[task] >= 0:
            first = a.mode_start[task] + want_mode[task]
            last = first + 1
        best, best_mode, best_rule, best_prefer = 4 * LATE, first, SCORE, -1
        trials = 0
        for candidate in range(first, last):
            free = 0
            for step in range(a.step_start[candidate], a.step_start[candidate + 1]):
                free += want[step] < 0
            one = a.step_start[candidate + 1] - a.step_start[candidate] == 1
            for turn in range(nodes + 2):
                if turn > 0 and (free == 0 or one or not thorough):
                    break
                rule, prefer = SCORE, -1
                if turn == 1:
                    rule = SOONEST
                elif turn > 1:
                    rule, prefer = ONE_NODE, turn - 2
                    if a.channel[prefer, a.device[task]] == UNREACHABLE:
                        continue
                gain, done = _place(
                    a, lanes, begin, end, count, factors, task, candidate, rule, prefer, want, product, node, start,
                    transfer, undo,
                )  # fmt: skip
                trials += 1
                if gain > best or trials == 1:
                    best, best_mode, best_rule, best_prefer = gain, candidate, rule, prefer
                _take_out(begin, end, count, undo, done)
        gain, done = _place(
            a, lanes, begin, end, count, factors, task, best_mode, best_rule, best_prefer, want, product, node, start,
            transfer, undo,
        )  # fmt: skip
        mode[task] = best_mode - a.mode_start[task]
        total += gain
    return total
