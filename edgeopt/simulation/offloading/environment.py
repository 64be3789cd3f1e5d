"""A Gymnasium environment (extra ``gym``): one decision a step, any agent, with the optimality gap at the end."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from edgeopt.errors import BackendError, InstanceError
from edgeopt.instances.base import generate
from edgeopt.instances.offloading import OffloadingInstance
from edgeopt.simulation.offloading.compare import audit, bounds
from edgeopt.solvers.offloading.closed_loop import Loop
from edgeopt.solvers.offloading.episodes import Episodes, States
from edgeopt.solvers.offloading.serialise import FEATURES, tokens

try:
    import gymnasium
    from gymnasium import spaces
except ModuleNotFoundError as missing:
    raise BackendError("the environment needs Gymnasium: pip install 'edgeopt[gym]' (the extra gym)") from missing

MOST = 30.0
"""Largest feature: the logarithm of ten million million slots."""


class OffloadingEnv(gymnasium.Env[Any, Any]):  # type: ignore[misc]
    """Decide for one task after the other.

    An observation has a row a place (the device itself first), the features of `edgeopt.solvers.offloading.serialise`,
    and ``mask``, which places the task can go to. The action is a place; one that the task cannot go to counts as the
    first one that it can, and ``info["barred"]`` says so. The reward is the negative cost (slots) of the tasks that
    have left since the last decision, so that the rewards of an episode sum to its negative cost. At the end, ``info``
    has ``cost`` and ``bound`` (slots), and ``gap``, cost over bound less 1: no policy whatever can be below 0, and a
    `BackendError` is raised where one seems to be.

    Parameters
    ----------
    instance : OffloadingInstance, optional
        The episode; a new one is drawn at every reset without.
    bound : bool
        Whether to compute the bound at the end of an episode.
    **options
        Of the generator, for drawn episodes.

    Raises
    ------
    InstanceError
        If there is an instance and options too, or a seed among these.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as Gymnasium has it

    def __init__(self, instance: OffloadingInstance | None = None, *, bound: bool = True, **options: Any) -> None:
        if instance is not None and options:
            raise InstanceError(f"an environment of {instance.name} draws nothing; leave out {', '.join(options)}")
        if "seed" in options:
            raise InstanceError("seed: episodes are drawn anew at every reset; give it to reset")
        self.instance, self.bound, self.options = instance, bound, options
        drawn = instance if instance is not None else generate("offloading", **options)
        places = len(drawn.server_id) + 1
        self.action_space = spaces.Discrete(places)
        self.observation_space = spaces.Dict(
            {
                "places": spaces.Box(-MOST, MOST, (places, FEATURES), dtype=np.float32),
                "mask": spaces.MultiBinary(places),
            }
        )
        self.current = drawn
        self.loop: Loop | None = None
        self.states: States | None = None
        self.paid = 0.0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        super().reset(seed=seed)
        if self.instance is None:
            self.current = generate("offloading", **{**self.options, "seed": int(self.np_random.integers(2**31))})
        self.loop, self.paid = Loop(Episodes.of([self.current])), 0.0
        self.states = self.loop.states()
        return self._observation(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Send the task of the present decision to a place."""
        if self.loop is None or self.states is None:
            raise BackendError("step: no episode is under way; call reset first")
        allowed = self.states.allowed[0]
        if not self.action_space.contains(action):
            raise BackendError(f"step: the action {action!r} is none of the places 0 to {len(allowed) - 1}")
        place = int(action)
        barred = not allowed[place]
        self.loop.send(self.states, np.array([int(np.argmax(allowed)) if barred else place]))
        before = self._observation()
        self.states = self.loop.states()
        info: dict[str, Any] = {"barred": barred}
        ended = self.states is None
        if ended:
            self.loop.finish()
        slot = float(self.loop.episodes.slot[0])
        cost = float(self.loop.queues.acc[0, 0]) / slot
        reward, self.paid = self.paid - cost, cost
        if ended:
            info["cost"] = cost
            if self.bound:
                lower = bounds([self.current])
                audit([self.current], "(an agent)", self.loop.record(), lower)
                info["bound"] = float(lower[0]) / slot
                info["gap"] = cost / info["bound"] - 1 if lower[0] else math.inf if cost else 0.0
            return before, reward, True, False, info
        return self._observation(), reward, False, False, info

    def _observation(self) -> dict[str, Any]:
        assert self.states is not None
        read = tokens(self.states)
        value = np.clip(read.value[0], -MOST, MOST).astype(np.float32)
        return {"places": value, "mask": read.present[0].astype(np.int8)}
