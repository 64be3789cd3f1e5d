"""Over-the-air all-reduce in physical units: devices that share the layers of a language model, and their channels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgeopt.errors import InstanceError
from edgeopt.system.catalogue import lookup

if TYPE_CHECKING:
    from edgeopt.instances.aircomp.compiled import CompiledAirComp
    from edgeopt.system.transformer import TransformerModel

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
DesignClass = Literal["zero-forcing", "linear"]
DESIGNS: tuple[DesignClass, ...] = get_args(DesignClass)

LEAST, MOST = 1e-30, 1e30
"""Range of every positive field; beyond it a number is a mistake, and products of fields could leave the floats."""
MOST_ANTENNAS = 256
MOST_COUNT = 2**40
"""Largest vector length and number of parameters of a layer."""
SHARE_TOLERANCE = Fraction(1, 10**9)
"""How far the sum of given shares may be from 1; they are read as proportions, so that the exact ones sum to 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Devices:
    """All devices ``n``, as columns.

    Parameters
    ----------
    id : (N,) tuple of str
        Distinct.
    power_w : (N,) float64
        Budget ``P_n`` (W) for computing and sending together.
    w_per_parameter : (N,) float64
        ``e_n`` (W): what computing takes of the budget for each parameter of a layer that the device holds.
    memory_bytes : (N,) float64
        Memory for weights (byte); infinite without a limit.
    compute_flops : (N,) float64
        Speed (FLOP/s), for latencies.
    memory_bandwidth_bytes : (N,) float64
        Speed of the memory (byte/s), for latencies.
    x_m, y_m : (N,) float64
        Position (m), the server being at 0; where the channels come from, not used otherwise.
    """

    id: tuple[str, ...]
    power_w: FloatArray
    w_per_parameter: FloatArray
    memory_bytes: FloatArray
    compute_flops: FloatArray
    memory_bandwidth_bytes: FloatArray
    x_m: FloatArray
    y_m: FloatArray

    def __len__(self) -> int:
        return len(self.id)

    def columns(self) -> dict[str, FloatArray]:
        """The array fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "id"}

    @classmethod
    def of(
        cls,
        *,
        power_w: ArrayLike,
        id: Sequence[str] | None = None,
        w_per_parameter: ArrayLike = 0.0,
        memory_bytes: ArrayLike = np.inf,
        compute_flops: ArrayLike = 1e13,
        memory_bandwidth_bytes: ArrayLike = 1e11,
        x_m: ArrayLike = 0.0,
        y_m: ArrayLike = 0.0,
    ) -> Devices:
        """Devices from any sequences; a single number stands for all of them.

        Parameters
        ----------
        power_w : (N,) array_like
            Says how many devices there are.
        id : sequence of str, optional
            ``d0``, ``d1``, ... when not given.
        """
        count = len(np.atleast_1d(np.asarray(power_w)))

        def column(value: ArrayLike) -> FloatArray:
            given = np.asarray(value, dtype=np.float64)
            return given.copy() if given.ndim else np.full(count, given)

        return cls(
            id=tuple(f"d{index}" for index in range(count)) if id is None else tuple(id),
            power_w=column(power_w),
            w_per_parameter=column(w_per_parameter),
            memory_bytes=column(memory_bytes),
            compute_flops=column(compute_flops),
            memory_bandwidth_bytes=column(memory_bandwidth_bytes),
            x_m=column(x_m),
            y_m=column(y_m),
        )


@dataclass(frozen=True, eq=False)
class AirCompInstance:
    """Devices, the model they share, and draws of their channels; validated on construction.

    Device ``n`` holds the part ``m_n`` of every layer. After each sub-layer it sends its partial sums through
    ``B_n``, the server receives the superposition through ``A``, and the mean squared error, averaged over the
    channel draws, is minimised within each device's budget ``e_n m_n s + (L0/L) tr(B_n B_n^H) <= P_n``.

    Parameters
    ----------
    name : str
    channels : (C, N, Nr, Nt) complex128
        Draws of the matrices ``H_n`` from a device to the server (amplitude, no unit).
    noise_w : float
        Noise power ``sigma^2`` at each antenna of the server (W).
    devices : Devices
    layer_parameters : int
        Parameters ``s`` of a layer.
    vector_length : int
        Length ``L0`` of the vector that is summed.
    streams : int
        Entries ``L`` sent at a time, at most the antennas of a device.
    shares : (N,) float64 or None
        Part ``m_n`` of every layer that each device holds, if it is given; None where it is to be chosen, once
        for all draws. Read as proportions: the exact shares are these divided by their sum.
    design : {"zero-forcing", "linear"}
        Which transceivers are allowed: those without error but noise, or all linear ones.
    layers : int
        Layers of the model, each with two sums.
    bytes_per_parameter : float
        Size of a weight (byte).
    bandwidth_hz : float
        Band (Hz), for latencies.
    model : str
        Name of the model, in words.
    source : str
        Where the instance comes from, in words.

    Raises
    ------
    InstanceError
        Naming field, index, value and unit of the first thing that is wrong.
    """

    problem: ClassVar[str] = "aircomp"

    name: str
    channels: ComplexArray
    noise_w: float
    devices: Devices
    layer_parameters: int
    vector_length: int
    streams: int
    shares: FloatArray | None = None
    design: DesignClass = "zero-forcing"
    layers: int = 1
    bytes_per_parameter: float = 2.0
    bandwidth_hz: float = 1e7
    model: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        from edgeopt.instances.aircomp.validate import validate

        for field in ("noise_w", "bytes_per_parameter", "bandwidth_hz"):
            if isinstance(getattr(self, field), (int, np.integer, np.floating)):
                object.__setattr__(self, field, float(getattr(self, field)))
        object.__setattr__(self, "channels", _typed(self.channels, np.complex128, "channels"))
        if self.shares is not None:
            object.__setattr__(self, "shares", _typed(self.shares, np.float64, "shares"))
        columns = {
            name: _typed(column, np.float64, f"devices.{name}") for name, column in self.devices.columns().items()
        }
        object.__setattr__(self, "devices", replace(self.devices, **columns))
        validate(self)
        for column in (self.channels, *self.devices.columns().values()):
            column.setflags(write=False)
        if self.shares is not None:
            self.shares.setflags(write=False)

    @property
    def draws(self) -> int:
        """Number ``C`` of channel draws."""
        return len(self.channels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Devices, antennas of the server, antennas of a device: ``(N, Nr, Nt)``."""
        _, devices, server, device = self.channels.shape
        return devices, server, device

    @property
    def sense(self) -> str:
        """Always minimised."""
        return "min"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content; the same for every file form of the same instance."""
        from edgeopt.instances.aircomp.file import header

        digest = hashlib.sha256(header(self))
        columns: dict[str, Any] = {"channels": self.channels, **self.devices.columns()}
        if self.shares is not None:
            columns["shares"] = self.shares
        for name, column in columns.items():
            clean = column + 0.0  # one bit pattern for zero
            digest.update(name.encode() + clean.astype(clean.dtype.newbyteorder("<")).tobytes())
        return digest.hexdigest()

    @cached_property
    def compiled(self) -> CompiledAirComp:
        """The problem in exact numbers, which is the problem for every solver and model."""
        from edgeopt.instances.aircomp.compiled import compile_aircomp

        return compile_aircomp(self)

    def with_channels(self, channels: ArrayLike, *, name: str | None = None) -> AirCompInstance:
        """The same devices with other draws of their channels, (C, N, Nr, Nt) or one draw (N, Nr, Nt)."""
        given = np.asarray(channels, dtype=np.complex128)
        return replace(self, name=name or self.name, channels=given[None] if given.ndim == 3 else given)

    def with_shares(self, shares: ArrayLike | None, *, name: str | None = None) -> AirCompInstance:
        """The same with given shares, or None for shares to choose."""
        given = None if shares is None else np.array(shares, dtype=np.float64)
        return replace(self, name=name or self.name, shares=given)

    def with_design(self, design: DesignClass, *, name: str | None = None) -> AirCompInstance:
        """The same with another class of transceivers."""
        return replace(self, name=name or self.name, design=design)


def shape_of(model: str | TransformerModel, tokens: int = 1) -> dict[str, Any]:
    """What an instance says of a model of the catalogue.

    Each of a layer's two sums adds up vectors of the hidden dimension, one a token; the parameters are those of the
    matrices.

    Parameters
    ----------
    model : str or TransformerModel
        A name of `edgeopt.system.catalogue`, or a shape.
    tokens : int
        Tokens summed at a time: 1 when decoding, the prompt when prefilling.

    Raises
    ------
    UnknownNameError
        If there is no such model.
    """
    shape = lookup(model) if isinstance(model, str) else model
    return {
        "model": shape.name,
        "layers": shape.layers,
        "layer_parameters": shape.matrix_parameters_per_layer,
        "vector_length": shape.hidden * tokens,
    }


def _typed(value: Any, kind: type, where: str) -> Any:
    try:
        given = np.asarray(value)
        if given.dtype.kind not in ("iuf" if kind is np.float64 else "iufc"):
            raise TypeError(f"holds {given.dtype}")
    except (TypeError, ValueError) as error:
        raise InstanceError(f"{where}: must be an array of numbers ({error})") from error
    return np.array(given, dtype=kind, order="C")
