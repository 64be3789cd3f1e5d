"""What errors on the air do to a model: a small decoder in numpy whose layers are shared, every sum over the air.

The stack is a decoder as in the LLaMA family: RMS norms, causal attention, a gated feed-forward network. Heads and
columns of the network are split over the devices in proportion to their shares (tensor parallelism), so that each
sub-layer ends in a sum of what the devices have computed, exact or through the transceivers of a plan. Weights are
random.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.aircomp.instance import AirCompInstance, FloatArray
from edgeopt.instances.aircomp.plan import Plan
from edgeopt.instances.aircomp.transmission import Transceivers, transceivers, transmit

Sum = Callable[[FloatArray], FloatArray]
"""Partial sums (N, tokens, hidden) to their sum (tokens, hidden)."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Weights of one layer.

    Attributes
    ----------
    queries, keys, values : (heads, hidden, head_dim) float64
    output : (heads, head_dim, hidden) float64
    gate, up : (hidden, ffn) float64
    down : (ffn, hidden) float64
    """

    queries: FloatArray
    keys: FloatArray
    values: FloatArray
    output: FloatArray
    gate: FloatArray
    up: FloatArray
    down: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Decoder:
    """A stack of layers with random weights.

    Attributes
    ----------
    layers : tuple of Layer
    """

    layers: tuple[Layer, ...]

    @classmethod
    def random(cls, rng: np.random.Generator, *, layers: int, hidden: int, heads: int, ffn: int) -> Decoder:
        """A stack whose weights keep the size of what passes through.

        Raises
        ------
        InstanceError
            If `heads` does not divide `hidden`, or a count is below 1.
        """
        if min(layers, hidden, heads, ffn) < 1 or hidden % heads:
            raise InstanceError(f"heads = {heads}: must divide hidden = {hidden}, and all counts be 1 or more")
        size = hidden // heads

        def weights(*shape: int, inputs: int) -> FloatArray:
            found: FloatArray = rng.standard_normal(shape) / np.sqrt(inputs)
            return found

        return cls(
            tuple(
                Layer(
                    queries=weights(heads, hidden, size, inputs=hidden),
                    keys=weights(heads, hidden, size, inputs=hidden),
                    values=weights(heads, hidden, size, inputs=hidden),
                    output=weights(heads, size, hidden, inputs=hidden),
                    gate=weights(hidden, ffn, inputs=hidden),
                    up=weights(hidden, ffn, inputs=hidden),
                    down=weights(ffn, hidden, inputs=ffn),
                )
                for _ in range(layers)
            )
        )

    def run(self, tokens: FloatArray, shares: FloatArray, total: Sum | None = None) -> FloatArray:
        """Pass token vectors (tokens, hidden) through the stack, each sub-layer computed in parts and summed.

        Parameters
        ----------
        tokens : (T, hidden) float64
        shares : (N,) float64
            Of the devices.
        total : callable, optional
            How partial sums are added; exactly when not given.
        """
        add: Sum = total or (lambda parts: parts.sum(axis=0))
        stream = tokens
        for layer in self.layers:
            stream = stream + add(_attention(layer, _normed(stream), shares))
            stream = stream + add(_feed_forward(layer, _normed(stream), shares))
        return stream


def parts_of(count: int, shares: FloatArray) -> list[slice]:
    """Heads or columns 0 to ``count - 1`` cut in proportion to the shares."""
    ends = np.rint(np.cumsum(shares) / np.sum(shares) * count).astype(int)
    return [slice(int(a), int(b)) for a, b in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True)]


def air_sum(instance: AirCompInstance, plan: Plan, rng: np.random.Generator, draw: int = 0) -> Sum:
    """Sums through the transceivers of a plan.

    The vectors are brought to variance 1 by one common factor, sent ``L`` entries at a time, and brought back.
    """
    made = transceivers(instance, plan, draw)
    return lambda parts: _sent(instance, made, parts, draw, rng)


def _sent(
    instance: AirCompInstance, made: Transceivers, parts: FloatArray, draw: int, rng: np.random.Generator
) -> FloatArray:
    devices, streams = len(parts), instance.streams
    flat = parts.reshape(devices, -1)
    size = float(np.sqrt((flat**2).mean(axis=1).max())) or 1.0
    padded = np.zeros((devices, -(-flat.shape[1] // streams) * streams))
    padded[:, : flat.shape[1]] = flat / size
    received = transmit(instance, made, padded.reshape(devices, -1, streams).transpose(0, 2, 1), draw, rng)
    found: FloatArray = received.real.T.reshape(-1)[: flat.shape[1]].reshape(parts.shape[1:]) * size
    return found


def output_error(exact: FloatArray, noisy: FloatArray) -> float:
    """Relative error of an output, ``||noisy - exact|| / ||exact||``."""
    return float(np.linalg.norm(noisy - exact) / np.linalg.norm(exact))


def _normed(stream: FloatArray) -> FloatArray:
    found: FloatArray = stream / np.sqrt((stream**2).mean(axis=-1, keepdims=True) + 1e-6)
    return found


def _attention(layer: Layer, tokens: FloatArray, shares: FloatArray) -> FloatArray:
    queries, keys, values = (tokens @ weights for weights in (layer.queries, layer.keys, layer.values))
    scores = queries @ keys.transpose(0, 2, 1) / np.sqrt(queries.shape[-1])
    scores = np.where(np.tril(np.ones(scores.shape[1:], dtype=bool)), scores, -np.inf)
    seen = np.exp(scores - scores.max(axis=-1, keepdims=True))
    mixed = (seen / seen.sum(axis=-1, keepdims=True)) @ values @ layer.output
    return np.stack([mixed[part].sum(axis=0) for part in parts_of(len(mixed), shares)])


def _feed_forward(layer: Layer, tokens: FloatArray, shares: FloatArray) -> FloatArray:
    gate = tokens @ layer.gate
    inner = gate / (1 + np.exp(-gate)) * (tokens @ layer.up)
    return np.stack([inner[:, part] @ layer.down[part] for part in parts_of(inner.shape[1], shares)])
