"""What a plan costs, exactly, in the compiled ticks: the queues of devices, radios and servers.

First come, first served needs no events: with ``free`` the time until which a queue is busy, a task that reaches it at
``r``, needs ``p`` and is dropped at ``due`` ends at ``e = min(max(r, free) + p, due)``, and leaves ``max(free, e)``.
Sharing is exact in fractions: all tasks of a server have the same virtual time, which runs at 1/n; what ends between
two ticks counts as ended at the later one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from edgeopt.instances.offloading.compiled import CompiledOffloading


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the tasks.

    Attributes
    ----------
    end : list of int
        When each task left, done or dropped (tick).
    dropped : list of bool
    total : int
        Sum of the costs (ticks).
    """

    end: list[int]
    dropped: list[bool]
    total: int


def cost(compiled: CompiledOffloading, place: Sequence[int]) -> Outcome:
    """What becomes of the tasks under a plan.

    Parameters
    ----------
    compiled : CompiledOffloading
    place : (N,) sequence of int
        Each one that its task can go to.
    """
    count = len(compiled)
    arrival, due, device = compiled.arrival.tolist(), compiled.due.tolist(), compiled.device.tolist()
    local, upload, work = compiled.local.tolist(), compiled.upload.tolist(), compiled.work.tolist()
    own, radio = [0] * compiled.devices, [0] * compiled.devices
    end, dropped = [0] * count, [False] * count
    reaching: list[list[tuple[int, int]]] = [[] for _ in range(compiled.servers)]
    for i in range(count):
        k, j = device[i], place[i]
        free, need = (own, local[i]) if j == 0 else (radio, upload[i][j - 1])
        done = max(arrival[i], free[k]) + need
        end[i] = min(done, due[i])
        free[k] = max(free[k], end[i])
        dropped[i] = done > due[i]
        if j and done >= due[i]:
            dropped[i] = True
        elif j:
            reaching[j - 1].append((done, i))
    serve = _fifo if compiled.discipline == "fifo" else _shared
    for j, queue in enumerate(reaching):
        queue.sort()
        serve([(ready, work[i][j], due[i], i) for ready, i in queue], end, dropped)
    costs = (end[i] - arrival[i] + (compiled.penalty if dropped[i] else 0) for i in range(count))
    return Outcome(end, dropped, sum(costs))


def _fifo(queue: list[tuple[int, int, int, int]], end: list[int], dropped: list[bool]) -> None:
    free = 0
    for ready, need, due, i in queue:
        done = max(ready, free) + need
        end[i], dropped[i] = min(done, due), done > due
        free = max(free, end[i])


def _shared(queue: list[tuple[int, int, int, int]], end: list[int], dropped: list[bool]) -> None:
    """Event by event: the next arrival, the next end of a task, the next deadline."""
    present: dict[int, tuple[Fraction, int]] = {}  # task: virtual time of its end, deadline
    now, virtual = Fraction(0), Fraction(0)
    waiting = list(reversed(queue))
    while waiting or present:
        arrive = Fraction(waiting[-1][0]) if waiting else None
        first = min(present, key=lambda i: (present[i][0], i), default=None)
        leave = None if first is None else now + (present[first][0] - virtual) * len(present)
        lost = min(present, key=lambda i: (present[i][1], i), default=None)
        limit = None if lost is None else Fraction(present[lost][1])
        time = min(t for t in (arrive, leave, limit) if t is not None)
        if present:
            virtual += (time - now) / len(present)
        now = time
        if leave is not None and leave == time and first is not None:
            # ended by the deadline, which is a whole tick, so the tick after the end is not later
            end[first], dropped[first] = -(-time.numerator // time.denominator), False
            del present[first]
        elif limit is not None and limit == time and lost is not None:
            end[lost], dropped[lost] = present[lost][1], True
            del present[lost]
        else:
            _, need, due, i = waiting.pop()
            present[i] = (virtual + need, due)
