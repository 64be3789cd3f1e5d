"""The executable specification: violations and costs from the raw fields, tick by tick of nothing but fractions.

This is the second, independent path. It moves every task through its stages event by event, as the words of the
problem say it, on durations that it rounds to ticks by itself, and shares no code with `compiled`, `queues`, the models
or the solvers, so that a mistake there shows here.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from edgeopt.instances.base import Violation
from edgeopt.instances.offloading.instance import OffloadingInstance
from edgeopt.instances.offloading.plan import Plan


def _decimal(value: float) -> Fraction:
    """The decimal that a field of the file says."""
    return Fraction(repr(float(value)))


def _rate(instance: OffloadingInstance, task: int, server: int) -> float:
    """The rate that the task's device has to a server when the task arrives."""
    row = max(s for s, start in enumerate(instance.channel_start_s) if start <= instance.arrival_s[task])
    return float(instance.rate_bit_per_s[row, instance.task_device[task], server])


def violations(instance: OffloadingInstance, solution: Plan) -> list[Violation]:
    """Every constraint that a plan breaks; empty iff it is feasible."""
    tasks, servers = len(instance.task_device), len(instance.server_id)
    if len(solution.place) != tasks:
        return [Violation("one place a task", "solution", f"{len(solution.place)} places", f"{tasks} tasks")]
    found = []
    for task, place in enumerate(int(one) for one in solution.place):
        if not 0 <= place <= servers:
            found.append(Violation("known place", f"task {task}", f"place {place}", f"{servers} servers"))
        elif place == 0 and not instance.device_hz[instance.task_device[task]] > 0:
            found.append(Violation("device computes", f"task {task}", "local", "a speed of 0 cycle/s"))
        elif place and not _rate(instance, task, place - 1) > 0:
            name = instance.server_id[place - 1]
            found.append(Violation("server reached", f"task {task}", f"server {name}", "a rate of 0 bit/s"))
    return found


@dataclass
class _Task:
    """A task on its way: what it has still to go through, where it is, and since when."""

    arrival: int
    due: int
    steps: list[tuple[tuple[str, int], int]]
    left: Fraction = Fraction(0)
    at: tuple[str, int] = ("", 0)
    since: Fraction = Fraction(0)


def costs(instance: OffloadingInstance, solution: Plan) -> list[tuple[int, bool]]:
    """Cost (ticks) of each task under a feasible plan, and whether it is dropped, moved event by event."""
    tick = _decimal(instance.tick_s)
    penalty = ceil(_decimal(instance.drop_penalty_s) / tick)
    tasks: list[_Task] = []
    for index, place in enumerate(int(one) for one in solution.place):
        device = int(instance.task_device[index])
        born = _decimal(instance.arrival_s[index])
        arrival = ceil(born / tick)
        due = max(arrival, floor((born + _decimal(instance.deadline_s[index])) / tick))
        cycles = _decimal(instance.cycles[index])
        if place == 0:
            steps = [(("own", device), ceil(cycles / (_decimal(instance.device_hz[device]) * tick)))]
        else:
            sent = _decimal(instance.bits[index]) / (_decimal(_rate(instance, index, place - 1)) * tick)
            done = cycles / (_decimal(instance.server_hz[place - 1]) * tick)
            steps = [(("radio", device), ceil(sent)), (("server", place - 1), ceil(done))]
        tasks.append(_Task(arrival, due, steps))
    queues: dict[tuple[str, int], list[int]] = {}
    found: list[tuple[int, bool]] = [(0, False)] * len(tasks)

    def shares(queue: tuple[str, int]) -> list[tuple[int, Fraction]]:
        """Who is worked on in a queue, and how fast."""
        members = queues[queue]
        if queue[0] == "server" and instance.discipline == "ps":
            return [(i, Fraction(1, len(members))) for i in members]
        return [(i, Fraction(1)) for i in members[:1]]

    def join(i: int) -> None:
        task = tasks[i]
        queue, need = task.steps.pop(0)
        task.left, task.at, task.since = Fraction(need), queue, now
        members = queues.setdefault(queue, [])
        members.append(i)
        members.sort(key=lambda k: (tasks[k].since, k))

    def leave(i: int) -> None:
        queues[tasks[i].at].remove(i)

    now, born_so_far = Fraction(0), 0
    while born_so_far < len(tasks) or any(queues.values()):
        work = [(i, speed) for queue, members in queues.items() if members for i, speed in shares(queue)]
        times = [now + tasks[i].left / speed for i, speed in work]
        times += [Fraction(tasks[i].due) for members in queues.values() for i in members]
        if born_so_far < len(tasks):
            times.append(Fraction(tasks[born_so_far].arrival))
        step = min(times) - now
        now += step
        for i, speed in work:
            tasks[i].left -= step * speed
        ended = sorted(i for i, _ in work if tasks[i].left == 0)
        if ended:
            for i in ended:
                leave(i)
                if not tasks[i].steps:
                    found[i] = (ceil(now) - tasks[i].arrival, False)
                elif now >= tasks[i].due:
                    found[i] = (tasks[i].due - tasks[i].arrival + penalty, True)
                else:
                    join(i)
            continue
        late = [i for members in queues.values() for i in members if tasks[i].due == now]
        if late:
            for i in late:
                leave(i)
                found[i] = (tasks[i].due - tasks[i].arrival + penalty, True)
            continue
        i = born_so_far
        born_so_far += 1
        if tasks[i].due == tasks[i].arrival:
            found[i] = (penalty, True)
        else:
            join(i)
    return found
