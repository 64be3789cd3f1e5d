"""The learned policy: a small transformer over the tokens of a decision's places, in numpy.

It has no notion of position, so any number of servers, in any order, is read by the same weights. It is trained with
PyTorch by `edgeopt.simulation.offloading.train`; the weights that are shipped are read here, and PyTorch is not needed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.io import read_arrays, read_bytes
from edgeopt.instances.offloading.instance import FloatArray, IntArray
from edgeopt.solvers.offloading.episodes import States
from edgeopt.solvers.offloading.serialise import FEATURES, Tokens, read_texts, texts, tokens

WEIGHTS = Path(__file__).parent / "weights"
HEADS = 4
FAR = -1e9
"""Score of a place that is not there."""


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Weights by name, as `edgeopt.simulation.offloading.train.Transformer` calls them.

    The end that is predicted for each place is a feature, and its negative, scaled, a part of the score: the network
    learns by how much to deviate from it.
    """

    weight: dict[str, FloatArray]

    @property
    def layers(self) -> int:
        """Number of blocks."""
        return sum(name.endswith(".attend.weight") for name in self.weight)

    def scores(self, read: Tokens) -> FloatArray:
        """Score of each token (B, P), the largest to be taken."""
        w, present = self.weight, read.present
        x = read.value @ w["embed.weight"].T + w["embed.bias"]
        hide = np.where(present, 0.0, FAR)[:, None, None, :]
        for layer in range(self.layers):
            name = f"blocks.{layer}"
            x = x + self._attention(_normed(x, w, f"{name}.norm1"), name, hide)
            inner = _normed(x, w, f"{name}.norm2") @ w[f"{name}.widen.weight"].T + w[f"{name}.widen.bias"]
            x = x + np.maximum(inner, 0.0) @ w[f"{name}.narrow.weight"].T + w[f"{name}.narrow.bias"]
        found = (_normed(x, w, "norm") @ w["head.weight"].T + w["head.bias"])[..., 0]
        found = found - w["slope"] * np.expm1(read.value[..., 1])
        return np.where(present, found, FAR)

    def _attention(self, x: FloatArray, name: str, hide: FloatArray) -> FloatArray:
        batch, places, size = x.shape
        mixed = x @ self.weight[f"{name}.attend.weight"].T + self.weight[f"{name}.attend.bias"]
        parts = mixed.reshape(batch, places, 3, HEADS, size // HEADS).transpose(2, 0, 3, 1, 4)
        query, key, value = parts
        weight = query @ key.swapaxes(2, 3) / np.sqrt(size // HEADS) + hide
        weight = np.exp(weight - weight.max(axis=3, keepdims=True))
        weight /= weight.sum(axis=3, keepdims=True)
        seen = (weight @ value).transpose(0, 2, 1, 3).reshape(batch, places, size)
        found: FloatArray = seen @ self.weight[f"{name}.merge.weight"].T + self.weight[f"{name}.merge.bias"]
        return found


def _normed(x: FloatArray, weight: dict[str, FloatArray], name: str) -> FloatArray:
    mean = x.mean(axis=2, keepdims=True)
    spread = x.var(axis=2, keepdims=True)
    found: FloatArray = (x - mean) / np.sqrt(spread + 1e-5) * weight[f"{name}.weight"] + weight[f"{name}.bias"]
    return found


def weights_file(name: str) -> str:
    """The file of shipped weights, or the one of that name."""
    if name.endswith(".npz"):
        return name
    shipped = sorted(path.stem for path in WEIGHTS.glob("*.npz"))
    if name not in shipped:
        raise InstanceError(f"weights = {name!r}: must be a file (.npz) or one of {', '.join(shipped)}")
    return str(WEIGHTS / f"{name}.npz")


def read_network(path: str) -> Network:
    """The weights in a file that training wrote.

    Raises
    ------
    InstanceError
        If it cannot be read, or holds no such weights.
    """
    network = Network(_weights(path))
    _tried(network.scores, path, "a policy")
    return network


def _weights(path: str) -> dict[str, FloatArray]:
    arrays = read_arrays(read_bytes(path), path)
    for name, array in arrays.items():
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise InstanceError(f"{path}: {name}: must hold finite numbers")
    return {name: np.asarray(array, dtype=np.float64) for name, array in arrays.items()}


def _tried(scores: Callable[[Tokens], FloatArray], path: str, whose: str) -> None:
    """Read two tokens, which fails where weights are missing or of other shapes."""
    read = Tokens(np.ones((1, 2, FEATURES)), np.arange(2)[None])
    with suppress(KeyError, ValueError):
        if scores(read).shape == (1, 2):
            return
    raise InstanceError(f"{path}: holds no weights of {whose} of this version; train it again")


@dataclass(slots=True)
class Learned:
    """The policy of a network: the place with the best score.

    Parameters
    ----------
    weights : str
        A file that training wrote, or of those that are shipped: ``look-ahead``; ``supervised``, before reinforcement;
        ``one-step``, reinforced without looking ahead.
    text : bool
        Go the way over text, as a language model would.
    digits : int
        Digits after the point in the text.
    """

    weights: str = "look-ahead"
    text: bool = False
    digits: int = 3
    name: str = "learned"
    network: Network = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.network = read_network(weights_file(self.weights))

    def start(self, episodes: int, seed: int) -> None:
        """Nothing to forget."""

    def decide(self, states: States) -> IntArray:
        """Places of the states' tasks."""
        if not self.text:
            read = tokens(states)
            best = np.argmax(self.network.scores(read), axis=1)
            return np.asarray(read.place[np.arange(len(states)), best], dtype=np.int64)
        read, names = read_texts(texts(states, digits=self.digits))
        best = np.argmax(self.network.scores(read), axis=1)
        chosen = [own[index] for own, index in zip(names, best.tolist(), strict=True)]
        return np.array([0 if name == "local" else int(name[1:]) for name in chosen], dtype=np.int64)


def dqn_values(weight: dict[str, FloatArray], read: Tokens) -> FloatArray:
    """Value of each token (B, P), as `edgeopt.simulation.offloading.train_dqn.Values`."""
    w, value, there = weight, read.value, read.present[..., None]
    count = there.sum(axis=1)
    mean = np.where(there, value, 0.0).sum(axis=1) / count
    both = np.concatenate([mean, np.where(there, value, -FAR).min(axis=1)], axis=1)
    wide = np.broadcast_to(both[:, None, :], (*value.shape[:2], both.shape[1]))
    x = np.concatenate([value, wide], axis=2)
    x = np.maximum(x @ w["first.weight"].T + w["first.bias"], 0.0)
    x = np.maximum(x @ w["second.weight"].T + w["second.bias"], 0.0)
    own = x @ w["last.weight"].T + w["last.bias"]
    own = own - np.where(there, own, 0.0).sum(axis=1, keepdims=True) / count[:, None, :]
    level = np.maximum(both @ w["whole.weight"].T + w["whole.bias"], 0.0) @ w["level.weight"].T + w["level.bias"]
    return np.where(read.present, own[..., 0] + level, FAR)


@dataclass(slots=True)
class Dqn:
    """The DQN baseline: the place of most value.

    Parameters
    ----------
    weights : str
        A file that `edgeopt.simulation.offloading.train_dqn` wrote, or ``dqn``, which is shipped.
    """

    weights: str = "dqn"
    name: str = "dqn"
    weight: dict[str, FloatArray] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        path = weights_file(self.weights)
        self.weight = _weights(path)
        _tried(lambda read: dqn_values(self.weight, read), path, "a DQN")

    def start(self, episodes: int, seed: int) -> None:
        """Nothing to forget."""

    def decide(self, states: States) -> IntArray:
        """Places of the states' tasks."""
        read = tokens(states)
        best = np.argmax(dqn_values(self.weight, read), axis=1)
        return np.asarray(read.place[np.arange(len(states)), best], dtype=np.int64)
