"""Proof by machine time for the offloading problem: what a task costs at least, when time on every machine has a price.

Machines are the processor and the radio of each device and the processor of each server. A price ``pi`` of a machine's
time holds for a stretch of `width` ticks; it is a whole number of ``2^-bits`` and not negative. Whatever happens to
task ``i``, its cost and the price of the time that it uses is at least the least ``v_i`` of

- its deadline and the penalty, where it is dropped (using nothing);
- ``e - a_i`` and the price of ``[e - l_i, e)`` on its own processor, for some end ``e`` of a run that cannot be broken;
- ``e - a_i``, the price of ``[g, g + u_ij)`` on the radio with ``g >= a_i``, and that of its time at server ``j``: of
  ``[e - p_ij, e)`` with ``e - p_ij >= g + u_ij`` where servers are first come, first served, and where they are shared,
  of any ``p_ij`` ticks from ``a_i + u_ij`` to ``e``.

A machine does at most one tick of work a tick, so all tasks together pay at most the sum ``P`` of all prices, and no
plan costs less than ``sum_i v_i - P``. Prices are linear within a stretch, so minima lie where a run begins or ends at
the border of one.

A second bound pools all machines into one of the speed of all together, preemptive, without radio. Shortest remaining
time first has the fewest tasks present at every time, so with ``k`` tasks dropped at least ``N(t) - k`` of the others
are. The better of the two bounds counts.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .reading import Refuted, Replay, Unreadable, fields, items, whole, wholes

MOST_BITS = 64
NEVER = -1


@dataclass(frozen=True)
class Task:
    """A task: device, arrival, due time, time on its own processor, on the radio and at each server (-1: not there)."""

    device: int
    arrival: int
    due: int
    local: int
    upload: list[int]
    work: list[int]


@dataclass(frozen=True)
class Program:
    """Tasks in the order of their arrival."""

    shared: bool
    devices: int
    servers: int
    penalty: int
    tasks: list[Task]


@dataclass(frozen=True)
class Price:
    """Prices of a machine: a stretch each, and their sums up to its beginning."""

    width: int
    each: list[int]
    sums: list[int]

    def until(self, time: int) -> int:
        """Price of ``[0, time)``."""
        stretch = time // self.width
        if stretch >= len(self.each):
            return self.sums[-1]
        return self.sums[stretch] + self.each[stretch] * (time - stretch * self.width)


def replay(program: Any, solution: Any, proof: Any) -> Replay:
    """Check the solution, and prove a bound anew."""
    known = read_program(program)
    value = None if solution is None else cost(known, wholes(solution, "solution", len(known.tasks)))
    _, bits, width, servers, own, radio, speeds = fields(
        proof, "proof", "kind", "bits", "width", "servers", "own", "radio", "speeds"
    )
    if not 0 <= whole(bits, "proof.bits") <= MOST_BITS or whole(width, "proof.width") < 1:
        raise Unreadable(f"proof.bits must be from 0 to {MOST_BITS}, proof.width at least 1")
    machines = [
        [read_price(price, f"{where}[{n}]", width) for n, price in enumerate(items(prices, where, count))]
        for where, prices, count in (
            ("proof.servers", servers, known.servers),
            ("proof.own", own, known.devices),
            ("proof.radio", radio, known.devices),
        )
    ]
    paid = sum(price.sums[-1] for prices in machines for price in prices)
    total = sum(least(known, task, machines, 1 << bits) for task in known.tasks) - paid
    by_prices = max(0, -(-total // (1 << bits)))
    by_pool = pooled(known, wholes(speeds, "proof.speeds", known.servers + known.devices, least=1))
    bound = max(by_prices, by_pool)
    kind = "shared" if known.shared else "first come, first served"
    lines = [
        f"program   {len(known.tasks)} tasks, {known.devices} devices, {known.servers} servers ({kind}), min",
        "solution  none given" if value is None else f"solution  a plan, its tasks cost {value} ticks",
        f"proof     prices: at least {by_prices} ticks; all machines as one: at least {by_pool}",
    ]
    return Replay("min", value, bound, lines)


def read_program(content: Any) -> Program:
    """The horizon in a certificate."""
    discipline, devices, servers, penalty, tasks = fields(
        content, "program", "discipline", "devices", "servers", "penalty", "tasks"
    )
    if discipline not in ("fifo", "ps"):
        raise Unreadable("program.discipline must be fifo or ps")
    if min(whole(devices, "devices"), whole(servers, "servers"), whole(penalty, "penalty")) < 0:
        raise Unreadable("program: devices, servers and penalty must not be negative")
    found: list[Task] = []
    for i, task in enumerate(items(tasks, "program.tasks")):
        where = f"program.tasks[{i}]"
        device, arrival, due, local, upload, work = fields(
            task, where, "device", "arrival", "due", "local", "upload", "work"
        )
        wholes([device, arrival, due], where, 3, least=0)
        wholes([local, *wholes(upload, where, servers), *wholes(work, where, servers)], where, least=NEVER)
        if device >= devices or due < arrival or (found and arrival < found[-1].arrival):
            raise Unreadable(f"{where} has no such device, is due before it arrives, or comes before the one before it")
        pairs = zip(upload, work, strict=True)
        if local == 0 or any((sent == NEVER) != (done == NEVER) or done == 0 for sent, done in pairs):
            raise Unreadable(f"{where} has work that takes no time, or an upload without work")
        found.append(Task(device, arrival, due, local, upload, work))
    return Program(discipline == "ps", devices, servers, penalty, found)


def read_price(content: Any, where: str, width: int) -> Price:
    """Prices of a machine, none negative."""
    each = wholes(content, where, least=0)
    sums = [0]
    for price in each:
        sums.append(sums[-1] + price * width)
    return Price(width, each, sums)


def cost(program: Program, places: list[int]) -> int:
    """What a plan costs; refuted if a task cannot go where it is sent."""
    own, radio = [0] * program.devices, [0] * program.devices
    queues: list[list[tuple[int, int]]] = [[] for _ in range(program.servers)]
    total = 0
    for i, (task, place) in enumerate(zip(program.tasks, places, strict=True)):
        if not 0 <= place <= program.servers:
            raise Refuted(f"solution[{i}]: there is no place {place}")
        need = task.upload[place - 1] if place else task.local
        if need == NEVER:
            raise Refuted(f"solution[{i}]: task {i} cannot go to place {place}")
        free = radio if place else own
        done = max(task.arrival, free[task.device]) + need
        free[task.device] = max(free[task.device], min(done, task.due))
        if place and done < task.due:
            queues[place - 1].append((done, i))
        else:
            late = done > task.due or place > 0
            total += (task.due - task.arrival + program.penalty) if late else done - task.arrival
    for j, queue in enumerate(queues):
        tasks = [(ready, program.tasks[i].work[j], program.tasks[i]) for ready, i in sorted(queue)]
        ends = shared_ends(tasks) if program.shared else ends_in_turn(tasks)
        for (_, _, task), end in zip(tasks, ends, strict=True):
            total += task.due - task.arrival + program.penalty if end is None else end - task.arrival
    return total


def ends_in_turn(tasks: list[tuple[int, int, Task]]) -> list[int | None]:
    """When each task ends, first come, first served; None where it is dropped."""
    free, ends = 0, []
    for ready, need, task in tasks:
        done = max(ready, free) + need
        ends.append(done if done <= task.due else None)
        free = max(free, min(done, task.due))
    return ends


def shared_ends(tasks: list[tuple[int, int, Task]]) -> list[int | None]:
    """When each task ends, rounded up to ticks, on a shared server; None where it is dropped."""
    left: dict[int, Fraction] = {}
    ends: list[int | None] = [None] * len(tasks)
    now, coming = Fraction(0), 0
    while coming < len(tasks) or left:
        steps = [tasks[coming][0] - now] if coming < len(tasks) else []
        steps += [min(left.values()) * len(left), min(tasks[n][2].due for n in left) - now] if left else []
        step = min(steps)
        left = {n: work - step / len(left) for n, work in left.items()}
        now += step
        for n in [n for n, work in left.items() if work == 0]:
            ends[n] = -(-now.numerator // now.denominator)
            del left[n]
        left = {n: work for n, work in left.items() if tasks[n][2].due > now}
        while coming < len(tasks) and tasks[coming][0] == now:
            left[coming] = Fraction(tasks[coming][1])
            coming += 1
    return ends


def least(program: Program, task: Task, machines: list[list[Price]], unit: int) -> int:
    """``v_i``: the least cost of a task and of the time that it uses, in ``1/unit`` ticks."""
    servers, own, radio = machines
    best = (task.due - task.arrival + program.penalty) * unit
    if task.local != NEVER:
        best = run(task, 0, task.local, None, own[task.device], unit, best)
    for sent, work, price in zip(task.upload, task.work, servers, strict=True):
        if sent != NEVER:
            way = shared_run if program.shared else run
            best = way(task, sent, work, radio[task.device], price, unit, best)
    return best


def run(task: Task, sent: int, work: int, radio: Price | None, price: Price, unit: int, best: int) -> int:
    """The least of `best` and of all uploads and runs that are not broken."""
    low, high, width = task.arrival + sent, task.due - work, price.width
    times = {low, high}
    for shift in (0, -work, sent):
        begin = low - shift
        times.update(range(begin + (-begin) % width + shift, high + 1, width))
    cheapest = None if radio is not None else 0
    for start in sorted(time for time in times if low <= time <= high):
        delay = (start + work - task.arrival) * unit
        if delay >= best:
            break  # as later ones, it costs that much even where time is free
        if radio is not None:
            upload = radio.until(start) - radio.until(start - sent)
            cheapest = upload if cheapest is None else min(cheapest, upload)
        assert cheapest is not None
        best = min(best, delay + price.until(start + work) - price.until(start) + cheapest)
    return best


def shared_run(task: Task, sent: int, work: int, radio: Price | None, price: Price, unit: int, best: int) -> int:
    """The least of `best` and of all uploads and any ticks of a shared server, the last of which is before the end.

    The end goes stretch by stretch: in each, the dearest ticks before are given up for it while that pays.
    """
    first, due, born = task.arrival, task.due, task.arrival
    low, width = first + sent, price.width
    cheapest: int | None = None
    taken: list[list[int]] = []  # price and number of the cheapest ticks so far, ascending, at most `work` of them
    amount = 0
    upload = first
    assert radio is not None
    begin = low
    while begin < due and (begin - born) * unit < best:
        end = min(due, begin - begin % width + width)
        own = price.each[begin // width] if begin // width < len(price.each) else 0
        # the cheapest upload that leaves time for the work before the end of this stretch
        last = end - work - sent
        while upload <= last:
            paid = radio.until(upload + sent) - radio.until(upload)
            cheapest = paid if cheapest is None else min(cheapest, paid)
            nearest = min(upload - upload % width + width, upload + width - (upload + sent) % width)
            upload = min(nearest, last) if upload < last else last + 1
        if amount + end - begin >= work and cheapest is not None:
            # as few ticks of this stretch as are needed, then more while one saves more than a tick
            used = max(0, work - amount)
            spent = sum(p * n for p, n in taken) + own * used
            stack = [entry[:] for entry in taken]
            while used < end - begin and stack and stack[-1][0] - own > unit:
                step = min(stack[-1][1], end - begin - used)
                spent -= (stack[-1][0] - own) * step
                used += step
                stack[-1][1] -= step
                if not stack[-1][1]:
                    stack.pop()
            best = min(best, (begin + used - born) * unit + spent + cheapest)
        taken.append([own, end - begin])
        taken.sort()
        amount += end - begin
        while amount > work:
            step = min(taken[-1][1], amount - work)
            taken[-1][1] -= step
            amount -= step
            if not taken[-1][1]:
                taken.pop()
        begin = end
    return best


def pooled(program: Program, speeds: list[int]) -> int:
    """The bound of one machine of the speed of all: shortest remaining time first, some tasks dropped.

    Time is counted in ``1/sum(speeds)`` ticks. A task's work is the least that it can be in ticks times speed.
    """
    pool = sum(speeds)
    lives = sorted(task.due - task.arrival + program.penalty for task in program.tasks)
    steps: list[tuple[int, int]] = []  # how long so many tasks were present
    present: list[int] = []
    now, coming = 0, 0
    while coming < len(program.tasks) or present:
        until = program.tasks[coming].arrival * pool if coming < len(program.tasks) else None
        if present and (until is None or now + present[0] <= until):
            work = heapq.heappop(present)
            steps.append((work, len(present) + 1))
            now += work
            continue
        assert until is not None
        if present:
            steps.append((until - now, len(present)))
            heapq.heapreplace(present, present[0] - (until - now))
        now = until
        task = program.tasks[coming]
        own = [] if task.local == NEVER else [task.local * speeds[program.servers + task.device]]
        ways = own + [work * speed for work, speed in zip(task.work, speeds, strict=False) if work != NEVER]
        if ways:
            heapq.heappush(present, min(ways))
        coming += 1
    best: int | None = None
    gone = 0
    for dropped in range(len(lives) + 1):
        rest = sum(length * max(0, count - dropped) for length, count in steps)
        bound = gone + -(-rest // pool)
        best = bound if best is None else min(best, bound)
        if rest == 0:
            break
        gone += lives[dropped]
    return best or 0
