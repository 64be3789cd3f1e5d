"""The policies, by name: simple rules, slot matching, look-ahead as published, and true rollouts."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeopt.errors import InstanceError, UnknownNameError
from edgeopt.instances.offloading.instance import FloatArray, IntArray
from edgeopt.solvers.offloading import policy_kernel
from edgeopt.solvers.offloading.closed_loop import Policy, simple_places
from edgeopt.solvers.offloading.episodes import Episodes, States, random_streams

SIMPLE = {
    "local": policy_kernel.LOCAL,
    "random": policy_kernel.RANDOM,
    "round-robin": policy_kernel.ROUND_ROBIN,
    "shortest-queue": policy_kernel.SHORTEST,
    "greedy": policy_kernel.GREEDY,
    "earliest": policy_kernel.EARLIEST,
}
"""Simple policies and their codes in the kernel.

``local`` keeps every task (or, where the device computes nothing, sends it where it ends earliest); ``random`` and
``round-robin`` do not look; ``shortest-queue`` joins the place with the fewest tasks; ``greedy`` takes the least
published one-step cost; ``earliest`` the place where the task would end first if nothing came after it.
"""


@dataclass(slots=True)
class Simple:
    """A simple policy; see `SIMPLE`."""

    name: str
    rng: NDArray[np.uint64] = field(default_factory=lambda: random_streams(0, 1), repr=False)

    @property
    def code(self) -> int:
        """What the kernel calls it."""
        return code_of(self.name)

    def start(self, episodes: int, seed: int) -> None:
        """New episodes."""
        self.rng = random_streams(seed, episodes)

    def decide(self, states: States) -> IntArray:
        """Places of the states' tasks."""
        return simple_places(self.code, states, self.rng)


def code_of(name: str) -> int:
    """The kernel's code of a simple policy.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    """
    if name not in SIMPLE:
        raise UnknownNameError(f"no simple policy {name!r}; there are: {', '.join(SIMPLE)}")
    return SIMPLE[name]


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """Tasks that are known to be typical, which rollouts draw the future from; without it they draw from the past.

    Attributes
    ----------
    episodes : Episodes
        Of the past; their first one is drawn from.
    rate : float
        Tasks a slot of all devices.
    """

    episodes: Episodes
    rate: float

    def fits(self, known: Episodes) -> None:
        """Refuse a traffic of another system.

        Raises
        ------
        InstanceError
            If it has other devices or servers, or counts other ticks a slot.
        """
        text = "{0.devices} devices, {0.servers} servers, {1:g} ticks a slot".format
        own, wanted = text(self.episodes, self.episodes.slot[0]), {text(known, slot) for slot in known.slot.tolist()}
        if {own} != wanted:
            raise InstanceError(f"traffic of {own} in a system of {sorted(wanted)[0]}; they must be the same")

    @classmethod
    def of(cls, instance: Any) -> Traffic:
        """The traffic of a past instance."""
        episodes = Episodes.of([instance])
        count = int(episodes.tasks[0])
        span = (episodes.arrival[0, count - 1] - episodes.arrival[0, 0]) / episodes.slot[0] + 1
        return cls(episodes, count / float(span))


@dataclass(slots=True)
class Rollouts:
    """True rollouts: each place is tried on futures in which the queues evolve, the same futures for all places.

    One-step policy improvement over the policy `base`: the mean cost of **all** tasks of the simulated future.

    Parameters
    ----------
    rollouts : int
        Most futures a decision.
    depth : int
        Slots in which further tasks arrive in a future.
    base : str
        Simple policy that all further tasks follow.
    weight : float
        What the costs of drawn tasks count, ``lambda``; 1 is policy improvement as in theory, less is less noise.
    least : int
        Futures before places are given up or the decision is taken early.
    confidence : float
        Standard errors of a difference at which a place is given up; infinite for never.
    traffic : Traffic, optional
        What the future is drawn from; the tasks that have arrived in the episode so far, and their rate, without it.
    """

    rollouts: int = 32
    depth: int = 4
    base: str = "earliest"
    weight: float = 1.0
    least: int = 6
    confidence: float = 2.5
    traffic: Traffic | None = None
    name: str = "rollouts"
    used: int = field(default=0, init=False)
    decisions: int = field(default=0, init=False)
    rng: NDArray[np.uint64] = field(default_factory=lambda: random_streams(0, 1), init=False, repr=False)

    def __post_init__(self) -> None:
        at_least("rollouts", self.rollouts, 1)
        at_least("depth", self.depth, 0)
        at_least("least", self.least, 2)
        code_of(self.base)
        if not self.weight >= 0:
            raise InstanceError(f"weight = {self.weight}: must be 0 or more")
        if not self.confidence > 0:
            raise InstanceError(f"confidence = {self.confidence}: must be > 0 (standard errors)")

    def start(self, episodes: int, seed: int) -> None:
        """New episodes."""
        self.rng = random_streams(seed, episodes)
        self.used = self.decisions = 0

    def scores(self, states: States) -> FloatArray:
        """Mean cost of the simulated futures (ticks) for each place (B, 1 + M); infinite where a task cannot go."""
        known, queues = states._episodes, states._queues
        if self.traffic is None:
            source, templates = states.episode, known
            seen = states.last + 1
            elapsed = (states.now - known.arrival[states.episode, 0]) / states.slot + 1
            rate = seen / elapsed
        else:
            templates = self.traffic.episodes
            self.traffic.fits(known)
            source = np.zeros(len(states), dtype=np.int64)
            seen = np.full(len(states), templates.tasks[0])
            rate = np.full(len(states), self.traffic.rate)
        life = templates.due - templates.arrival
        score, used = policy_kernel.rollouts_all(
            states.episode, states.task, states.last, code_of(self.base), float(self.weight), self.rollouts, self.least,
            self.depth, float(self.confidence), states.slot, source, seen, np.minimum(rate, known.devices),
            (templates.device, life, templates.local, templates.upload, templates.work),
            known.shared, known.devices, known.kernel, queues.state, self.rng,
        )  # fmt: skip
        self.used += int(used.sum())
        self.decisions += len(states)
        found: FloatArray = score
        return found

    def decide(self, states: States) -> IntArray:
        """Places of the states' tasks."""
        return np.asarray(np.argmin(self.scores(states), axis=1), dtype=np.int64)


@dataclass(slots=True)
class PublishedLookAhead:
    """LACS as in the authors' code: ``C(a) + lambda F(a)`` with independent next tasks in one unchanged state.

    Parameters
    ----------
    weight : float
        ``lambda``.
    draws : int
        ``K`` next tasks, of 0.5 to 1.5 times the size of the present one.
    """

    weight: float = 0.3
    draws: int = 3
    name: str = "lacs"
    rng: NDArray[np.uint64] = field(default_factory=lambda: random_streams(0, 1), init=False, repr=False)

    def __post_init__(self) -> None:
        at_least("draws", self.draws, 1)
        if not self.weight >= 0:
            raise InstanceError(f"weight = {self.weight}: must be 0 or more")

    def start(self, episodes: int, seed: int) -> None:
        """New episodes."""
        self.rng = random_streams(seed, episodes)

    def scores(self, states: States) -> FloatArray:
        """``C(a) + lambda F(a)`` (ticks) of each place (B, 1 + M); infinite where a task cannot go."""
        known, queues = states._episodes, states._queues
        found: FloatArray = policy_kernel.lacs_all(
            states.episode, states.task, self.draws, float(self.weight), known.shared, known.devices, known.kernel,
            queues.state, self.rng,
        )  # fmt: skip
        return found

    def decide(self, states: States) -> IntArray:
        """Places of the states' tasks."""
        return np.asarray(np.argmin(self.scores(states), axis=1), dtype=np.int64)


def at_least(option: str, value: int, least: int) -> None:
    """Refuse an option that is no whole number of at least `least`.

    Raises
    ------
    InstanceError
        If it is not.
    """
    if not isinstance(value, (int, np.integer)) or value < least:
        raise InstanceError(f"{option} = {value!r}: must be a whole number of at least {least}")


def policy(name: str, **options: Any) -> Policy:
    """A policy by name.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    InstanceError
        If an option is out of range.
    """
    if name not in SIMPLE and name not in MAKERS:
        raise UnknownNameError(f"no policy {name!r}; there are: {', '.join([*SIMPLE, *MAKERS])}")
    if name in SIMPLE:
        if options:
            raise InstanceError(f"policy {name}: has no options, so not {', '.join(options)}")
        return Simple(name)
    module, _, attribute = MAKERS[name].partition(":")
    from importlib import import_module

    try:
        made: Policy = getattr(import_module(module), attribute)(**options)
    except TypeError as error:
        raise InstanceError(f"policy {name}: {error}") from error
    return made


_HERE = "edgeopt.solvers.offloading"
MAKERS = {
    "matching": f"{_HERE}.matching:Matching",
    "lacs": f"{_HERE}.policies:PublishedLookAhead",
    "rollouts": f"{_HERE}.policies:Rollouts",
    "rolling": f"{_HERE}.rolling:Rolling",
    "learned": f"{_HERE}.learned:Learned",
    "dqn": f"{_HERE}.learned:Dqn",
    "llm": f"{_HERE}.llm:LanguageModel",
}
"""The other policies and where they live."""
