"""A decision as text, and the text as tokens: what learned and language-model policies read.

One line names the task, one the device itself, and one every server that can be reached, each with ``name=value``
fields in slots and tasks. Nothing depends on how many servers there are, or on their order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.offloading.instance import FloatArray, IntArray
from edgeopt.solvers.offloading.episodes import BoolArray, States

TASK_FIELDS = ("deadline", "together")
PLACE_FIELDS = ("upload", "compute", "radio", "wait", "tasks", "ahead")
FEATURES = 2 + len(TASK_FIELDS) + len(PLACE_FIELDS)
"""Numbers of a token: whether it is the device itself, when the task would end, and the fields."""
ALIASES = {
    "due": "deadline", "time_left": "deadline", "pending": "together", "simultaneous": "together",
    "transmission": "upload", "tx": "upload", "uplink": "upload", "work": "compute", "processing": "compute",
    "service": "compute", "radio_wait": "radio", "uplink_wait": "radio", "queue": "wait", "backlog": "wait",
    "load": "tasks", "count": "tasks", "busy": "ahead", "busy_until": "ahead",
}  # fmt: skip
"""Other names that fields are known by."""


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """Decisions as tokens.

    Attributes
    ----------
    value : (B, P, FEATURES) float64
        A token a place, the device itself first where it is there; zeros beyond a decision's places.
    place : (B, P) int64
        Which place a token is; -1 beyond a decision's places.
    """

    value: FloatArray
    place: IntArray

    @property
    def present(self) -> BoolArray:
        """Which tokens there are (B, P)."""
        return np.asarray(self.place >= 0)


def tokens(states: States) -> Tokens:
    """The decisions of some states as tokens, without the way over text."""
    count, servers = states.upload.shape
    fields = np.zeros((count, servers + 1, len(PLACE_FIELDS)))
    fields[:, 0, 1], fields[:, 0, 3], fields[:, 0, 4] = states.local, states.wait[:, 0], states.count[:, 0]
    fields[:, 0, 5] = states.wait[:, 0]
    fields[:, 1:, 0], fields[:, 1:, 1], fields[:, 1:, 2] = states.upload, states.work, states.wait[:, 1:2]
    fields[:, 1:, 3], fields[:, 1:, 4], fields[:, 1:, 5] = states.wait[:, 2:], states.count[:, 2:], states.ahead
    slots = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 1.0])
    scale = np.where(slots > 0, states.slot[:, None, None], 1.0)
    task = np.column_stack([states.slack / states.slot, states.last - states.task])
    place = np.where(states.allowed, np.arange(servers + 1), -1)
    return Tokens(_values(fields / scale, task, place), place)


def _values(fields: FloatArray, task: FloatArray, place: IntArray) -> FloatArray:
    """Fields in slots (B, P, 6) and of the tasks (B, 2) as the numbers of tokens."""
    own = (place == 0).astype(np.float64)
    ready = fields[..., 0] + fields[..., 2]
    end = np.where(place == 0, fields[..., 3], np.maximum(ready, fields[..., 5])) + fields[..., 1]
    wide = np.broadcast_to(task[:, None, :], (*place.shape, 2))
    numbers = np.concatenate([end[..., None], wide, fields], axis=2)
    value = np.concatenate([own[..., None], np.sign(numbers) * np.log1p(np.abs(numbers))], axis=2)
    value[place < 0] = 0.0
    return value


def texts(states: States, *, digits: int = 3) -> list[str]:
    """The decisions of some states as text, with so many digits after the point.

    The example shows a device that has 10 slots, and two servers::

        task deadline=10 together=0
        local upload=0 compute=4.158 radio=0 wait=0 tasks=0 ahead=0
        s1 upload=2.5 compute=0.306 radio=1.2 wait=0 tasks=0 ahead=0
        s2 upload=2.5 compute=0.433 radio=1.2 wait=0.8 tasks=1 ahead=2.9
    """
    found = []
    for b in range(len(states)):
        slot = float(states.slot[b])
        lines = [_line("task", TASK_FIELDS, (states.slack[b] / slot, states.last[b] - states.task[b]), digits)]
        if states.local[b] >= 0:
            wait = states.wait[b, 0] / slot
            numbers = (0.0, states.local[b] / slot, 0.0, wait, states.count[b, 0], wait)
            lines.append(_line("local", PLACE_FIELDS, numbers, digits))
        for j in np.flatnonzero(states.upload[b] >= 0).tolist():
            times = (states.upload[b, j], states.work[b, j], states.wait[b, 1], states.wait[b, 2 + j])
            numbers = (*(time / slot for time in times), states.count[b, 2 + j], states.ahead[b, j] / slot)
            lines.append(_line(f"s{j + 1}", PLACE_FIELDS, numbers, digits))
        found.append("\n".join(lines))
    return found


def _line(name: str, fields: Sequence[str], numbers: Sequence[float], digits: int) -> str:
    words = (f"{field}={round(float(number), digits):g}" for field, number in zip(fields, numbers, strict=True))
    return " ".join([name, *words])


_FIELD = re.compile(r"([A-Za-z_][\w-]*)\s*[=:]\s*(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)")


def read_texts(found: Sequence[str]) -> tuple[Tokens, list[list[str]]]:
    """Texts as tokens, with the name of the place of each token.

    Lines of places may come in any order, with fields in any order, under any of `ALIASES`, and with numbers rounded.

    Raises
    ------
    InstanceError
        If a text names no place, or a field that is missing or unknown.
    """
    names: list[list[str]] = []
    rows: list[tuple[list[float], list[list[float]]]] = []
    for index, text in enumerate(found):
        lines = [line for line in text.splitlines() if line.strip()]
        task: dict[str, float] = {}
        places: dict[str, list[float]] = {}
        for line in lines:
            head = line.split()[0].rstrip(":")
            fields = _fields(line[len(line.split()[0]) :], f"text {index}: {head}")
            if head == "task":
                task = fields
                continue
            missing = [field for field in PLACE_FIELDS if field not in fields]
            if missing:
                raise InstanceError(f"text {index}: {head} has no field {missing[0]!r}")
            places[head] = [fields[field] for field in PLACE_FIELDS]
        if not places:
            raise InstanceError(f"text {index}: names no place; a line each, such as 'local upload=0 compute=4 ...'")
        missing = [field for field in TASK_FIELDS if field not in task]
        if missing:
            raise InstanceError(f"text {index}: task has no field {missing[0]!r}")
        names.append(list(places))
        rows.append(([task[field] for field in TASK_FIELDS], list(places.values())))
    most = max(len(own) for own in names)
    fields_of = np.zeros((len(rows), most, len(PLACE_FIELDS)))
    place = np.full((len(rows), most), -1, dtype=np.int64)
    for b, (_, own) in enumerate(rows):
        fields_of[b, : len(own)] = own
        place[b, : len(own)] = [0 if name == "local" else n + 1 for n, name in enumerate(names[b])]
    task_of = np.array([first for first, _ in rows], dtype=np.float64)
    return Tokens(_values(fields_of, task_of, place), place), names


def _fields(text: str, where: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, number in _FIELD.findall(text):
        field = ALIASES.get(name.lower(), name.lower())
        if field not in TASK_FIELDS and field not in PLACE_FIELDS:
            raise InstanceError(f"{where}: no field {name!r}; there are: {', '.join((*TASK_FIELDS, *PLACE_FIELDS))}")
        if not math.isfinite(float(number)):
            raise InstanceError(f"{where}: {name} = {number}: must be a finite number (slots)")
        found[field] = float(number)
    return found
