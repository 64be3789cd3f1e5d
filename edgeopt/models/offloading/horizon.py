"""A horizon of known tasks with servers first come, first served, as constraints in any language.

With binaries ``x_ij`` (task ``i`` goes to place ``j``, 0 its own device), arrivals ``a``, due times ``d``, uploads
``u``, work ``p``, all in ticks, the stages of a task are

    B_i = max(a_i, G_<i)          its radio is free,              G: until when the radio is busy
    R_i = min(B_i + u_i, d_i)     it has reached its server, or is dropped
    S_i = max(Z_i, E_k of all k that are before i at its place),  Z_i = R_i, or a_i and the own queue where i stays
    C_i = S_i + p_i,  E_i = min(C_i, d_i)
    cost_i = E_i - a_i + penalty [C_i > d_i]

and ``k`` is before ``i`` at a server iff ``(R_k, k) < (R_i, i)``. The recursion of a dropped task holds its server
until ``d_i`` only, and not at all where it never began: ``E_i = d_i <= S_i`` is then no later than an end before it.
All are equations, so that a model cannot hold a task back to have it dropped; a sequence of maxima needs no big numbers
in a language that knows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from edgeopt.errors import AssumptionError
from edgeopt.instances.offloading import OffloadingInstance, Plan
from edgeopt.instances.offloading.compiled import CompiledOffloading
from edgeopt.models.base import Cut, FloatArray

Term = tuple[int, Any]
"""Coefficient and variable."""
Sum = tuple[Sequence[Term], int]
"""Terms and a constant."""


class Language(Protocol):
    """What a modelling language must say; values are whole numbers from 0 to a bound."""

    def binary(self) -> Any:
        """A variable of 0 and 1."""
        ...

    def whole(self, most: int) -> Any:
        """A whole variable from 0 to `most`."""
        ...

    def rows(self, terms: Sequence[Term], low: int | None, high: int | None) -> None:
        """``low <= sum(terms) <= high``."""
        ...

    def implied(self, literal: Any, true: bool, terms: Sequence[Term], low: int | None, high: int | None) -> None:
        """The same where `literal` is 1 (with `true`), or 0."""
        ...

    def largest(self, target: Any, of: Sequence[Sum]) -> None:
        """``target`` is the largest of the sums."""
        ...

    def least(self, target: Any, of: Sequence[Sum]) -> None:
        """``target`` is the least of them."""
        ...

    def product(self, variable: Any, literal: Any, most: int) -> Any:
        """A variable that is ``variable`` (at most `most`) where `literal` is 1, and 0 where it is 0."""
        ...

    def minimize(self, terms: Sequence[Term], constant: int) -> None:
        """The objective."""
        ...


class FifoFormulation:
    """The horizon of an instance; subclasses build it.

    Parameters
    ----------
    instance : OffloadingInstance

    Raises
    ------
    AssumptionError
        If its servers are shared.
    """

    def __init__(self, instance: OffloadingInstance) -> None:
        if instance.discipline != "fifo":
            raise AssumptionError(
                f"the form fifo knows the discipline fifo, {instance.name} is {instance.discipline}: its servers are "
                "shared; the optimum of one discipline is no bound for the other"
            )
        self.instance = instance
        self.compiled = instance.compiled
        allowed = self.compiled.allowed()
        self.places = [np.flatnonzero(row).tolist() for row in allowed]
        self.offset = np.concatenate([[0], np.cumsum([len(own) for own in self.places])]).astype(int).tolist()

    def extract(self, values: FloatArray) -> Plan:
        """The plan that the binaries ``x_ij``, task by task, say."""
        chosen = [
            own[int(np.argmax(values[begin : begin + len(own)]))]
            for own, begin in zip(self.places, self.offset, strict=False)
        ]
        return Plan(np.array(chosen, dtype=np.int64))

    def start(self, solution: Plan) -> FloatArray:
        """Values of the binaries that describe a plan."""
        taken = zip(self.places, solution.place.tolist(), strict=True)
        return np.array([float(place == chosen) for own, chosen in taken for place in own])

    def cuts(self, values: FloatArray) -> list[Cut]:
        """One place a task; every other constraint only defines times, which the exact check computes anew."""
        found = []
        for own, begin in zip(self.places, self.offset, strict=False):
            if (values[begin : begin + len(own)] > 0.5).sum() > 1:
                found.append(Cut(np.arange(begin, begin + len(own)), 1))
        return found


class Horizon:
    """States the horizon in a language.

    Attributes
    ----------
    x : list of list
        The binaries ``x_ij``, a list a task, in the order of `places`.
    """

    def __init__(self, language: Language, compiled: CompiledOffloading, places: Sequence[Sequence[int]]) -> None:
        self.language, self.compiled, self.places = language, compiled, places
        self.arrival, self.due = compiled.arrival.tolist(), compiled.due.tolist()
        self.device = compiled.device.tolist()
        # what takes longer than the task may last is as good as what just does, and keeps the numbers small
        life = compiled.due - compiled.arrival + 1
        self.local = np.minimum(compiled.local, life).tolist()
        self.upload = np.minimum(compiled.upload, life[:, None]).tolist()
        self.work = np.minimum(compiled.work, life[:, None]).tolist()
        self.latest = max(self.due)
        tasks = range(len(compiled))
        self.x = [[language.binary() for _ in places[i]] for i in tasks]
        for own in self.x:
            language.rows([(1, one) for one in own], 1, 1)
        self.reach = [language.whole(due) for due in self.due]
        self.end = [language.whole(due) for due in self.due]
        self._radios()
        waits: list[list[Sum]] = [[([(1, turn)], 0)] for turn in self._turns()]
        for i in tasks:
            for k in range(i + 1, len(compiled)):
                self._in_turn(i, k, waits)
        self._ends(waits)

    def _sent(self, i: int) -> list[Term]:
        """Upload of a task, in terms of its binaries."""
        return [(self.upload[i][p - 1], one) for p, one in zip(self.places[i], self.x[i], strict=True) if p]

    def _after(self, i: int, queue: Any) -> Any:
        """When a task can begin in a queue of its device: not before it arrives, nor while the queue is busy."""
        begin = self.language.whole(self.latest)
        self.language.largest(begin, [([], self.arrival[i]), *([] if queue is None else [([(1, queue)], 0)])])
        return begin

    def _busy(self, queue: Any, end: Any) -> Any:
        """Until when a queue is busy after one that ends at `end`."""
        busy = self.language.whole(self.latest)
        self.language.largest(busy, [([(1, end)], 0), *([] if queue is None else [([(1, queue)], 0)])])
        return busy

    def _radios(self) -> None:
        """``B_i``, ``R_i`` and ``G_i``: the radio of each device, in the order of arrival."""
        radio: list[Any] = [None] * self.compiled.devices
        for i, k in enumerate(self.device):
            sent = self._sent(i)
            if sent:
                begin = self._after(i, radio[k])
                self.language.least(self.reach[i], [([(1, begin), *sent], 0), ([], self.due[i])])
                radio[k] = self._busy(radio[k], self.reach[i])

    def _turns(self) -> list[Any]:
        """``Z_i``, before which a task cannot begin: it has reached its server, or its device has time for it."""
        language = self.language
        own: list[Any] = [None] * self.compiled.devices
        turns = []
        for i, k in enumerate(self.device):
            if self.places[i][0] != 0:
                turns.append(self.reach[i])
                continue
            stays = self.x[i][0]
            begin, turn = self._after(i, own[k]), language.whole(self.latest)
            language.implied(stays, True, [(1, turn), (-1, begin)], 0, 0)
            if self._sent(i):
                language.implied(stays, False, [(1, turn), (-1, self.reach[i])], 0, 0)
            own[k] = self._busy(own[k], language.product(self.end[i], stays, self.due[i]))
            turns.append(turn)
        return turns

    def _in_turn(self, i: int, k: int, waits: list[list[Sum]]) -> None:
        """Of two tasks at one server, the one that reaches it later waits for the other to end."""
        language = self.language
        common = sorted(set(self.places[i]) & set(self.places[k]) - {0})
        if not common or self._apart(i, k) or self._apart(k, i):
            return
        same = language.binary()
        for place, one in zip(self.places[i], self.x[i], strict=True):
            other = [(-1, self.x[k][self.places[k].index(place)])] if place in common else []
            language.implied(one, True, [(1, same), *other], 0, 0)
        if self.device[i] == self.device[k]:
            first = same
        else:
            first, second = language.binary(), language.binary()
            language.rows([(1, first), (1, second), (-1, same)], 0, 0)
            language.implied(first, True, [(1, self.reach[k]), (-1, self.reach[i])], 0, None)
            language.implied(second, True, [(1, self.reach[i]), (-1, self.reach[k])], 1, None)
            waits[i].append(([(1, language.product(self.end[k], second, self.due[k]))], 0))
        waits[k].append(([(1, language.product(self.end[i], first, self.due[i]))], 0))

    def _apart(self, i: int, k: int) -> bool:
        """Whether task `i` is gone by the time that task `k` can have reached a server."""
        least = min(self.upload[k][p - 1] for p in self.places[k] if p)
        return bool(self.due[i] <= min(self.arrival[k] + least, self.due[k]))

    def _ends(self, waits: Sequence[Sequence[Sum]]) -> None:
        """``S_i``, ``C_i`` and ``E_i``, and the objective."""
        language = self.language
        terms: list[Term] = []
        for i, due in enumerate(self.due):
            needed = [self.work[i][p - 1] if p else self.local[i] for p in self.places[i]]
            start, done = language.whole(self.latest), language.whole(self.latest + max(needed))
            language.largest(start, waits[i])
            language.rows(
                [(1, done), (-1, start), *((-n, one) for n, one in zip(needed, self.x[i], strict=True))], 0, 0
            )
            language.least(self.end[i], [([(1, done)], 0), ([], due)])
            lost = language.binary()
            language.implied(lost, True, [(1, done)], due + 1, None)
            language.implied(lost, False, [(1, done)], None, due)
            terms += [(1, self.end[i]), (self.compiled.penalty, lost)]
        language.minimize(terms, -sum(self.arrival))
