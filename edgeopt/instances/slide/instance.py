"""The slide problem in physical units: users who download a model and run it while its later layers still arrive."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgeopt.errors import InstanceError
from edgeopt.instances.slide.columns import accept_columns, canonical, typed

if TYPE_CHECKING:
    from edgeopt.instances.slide.compiled import CompiledSlide
    from edgeopt.system.layers.table import Layers

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
AcceptSet = tuple[str, ...] | None
Variant = Literal["plain", "weighted", "multicast", "multicast-many", "time-varying", "concave"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
MULTICAST = ("multicast", "multicast-many")
"""Users of a broadcast share it: one a model, or several."""

LEAST, MOST = 1e-40, 1e40
"""Range of every positive field; beyond it a number is a mistake, and products of fields could leave the floats."""
MOST_SECONDS = 1e6
"""Longest deadline and layer overhead (s): times are counted in 64-bit integers of 1 ps."""
MOST_TOTAL = 2**62
"""Largest sum over the layers of a model, of bits, of FLOP, and of overheads in ps."""
MOST_EFFICIENCY = 1024.0
"""Largest spectral efficiency (bit/s/Hz)."""
MOST_COUNT = 2**31
"""Largest batch and weight."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerTable:
    """One model: what is sent and computed of each layer, in order.

    Parameters
    ----------
    name : str
    accuracy : float
        Of the model, from 0 to 1.
    bits : (L,) int64
        Size ``S_l`` of each layer as sent (bit), >= 0 with a positive sum.
    flop_per_sample : (L,) int64
        Work ``W_l`` (FLOP per sample), >= 0.
    overhead_s : (L,) float64
        Fixed cost ``V_l`` of data movement and instantiation (s), >= 0.
    """

    name: str
    accuracy: float
    bits: IntArray
    flop_per_sample: IntArray
    overhead_s: FloatArray

    def __len__(self) -> int:
        return len(self.bits)

    @classmethod
    def of(
        cls,
        name: str,
        *,
        bits: ArrayLike,
        flop_per_sample: ArrayLike,
        overhead_s: ArrayLike = 0.0,
        accuracy: float = 1.0,
    ) -> LayerTable:
        """A model from any sequences; one overhead may stand for all layers."""
        sizes, costs = np.asarray(bits), np.asarray(overhead_s, dtype=np.float64)
        each = costs if costs.ndim else np.full(sizes.shape, costs)
        return cls(name, accuracy, sizes, np.asarray(flop_per_sample), each)

    @classmethod
    def of_layers(cls, layers: Layers, *, accuracy: float = 1.0, overhead_s: float = 0.0) -> LayerTable:
        """A model from a published layer table; `overhead_s` where the table has none of its own."""
        return cls.of(
            layers.name,
            bits=layers.bits,
            flop_per_sample=layers.flop_per_sample,
            overhead_s=layers.overhead_s or overhead_s,
            accuracy=accuracy,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """All layer tables ``i``, one behind the other.

    Parameters
    ----------
    name : (I,) tuple of str
    accuracy : (I,) float64
    start : (I + 1,) int64
        The layers of model ``i`` are the rows ``start[i]`` to ``start[i + 1] - 1``.
    bits, flop_per_sample : (N,) int64
    overhead_s : (N,) float64
        As in `LayerTable`.
    """

    name: tuple[str, ...]
    accuracy: FloatArray
    start: IntArray
    bits: IntArray
    flop_per_sample: IntArray
    overhead_s: FloatArray

    def __len__(self) -> int:
        return len(self.name)

    def __getitem__(self, model: int) -> LayerTable:
        """The table of one model."""
        rows = slice(int(self.start[model]), int(self.start[model + 1]))
        return LayerTable(
            self.name[model],
            float(self.accuracy[model]),
            self.bits[rows],
            self.flop_per_sample[rows],
            self.overhead_s[rows],
        )

    @property
    def layers(self) -> IntArray:
        """Number of layers of each model (I,)."""
        return np.diff(self.start)

    def columns(self) -> dict[str, NDArray[np.int64] | NDArray[np.float64]]:
        """The array fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "name"}

    @classmethod
    def of(cls, tables: Sequence[LayerTable]) -> Models:
        """The tables of some models.

        Raises
        ------
        InstanceError
            If a table has no layers, or its columns differ in length.
        """
        for index, table in enumerate(tables):
            if not len(table):
                raise InstanceError(f"models[{index}].bits = []: must hold at least one layer")
            for field in ("flop_per_sample", "overhead_s"):
                found = len(getattr(table, field))
                if found != len(table):
                    raise InstanceError(
                        f"models[{index}].{field} has {found} entries: must have {len(table)}, one a layer as bits"
                    )

        def joined(field: str, kind: type) -> NDArray[Any]:
            columns = [np.asarray(getattr(table, field)) for table in tables]
            return np.concatenate(columns) if columns else np.zeros(0, dtype=kind)

        return cls(
            name=tuple(table.name for table in tables),
            accuracy=np.array([table.accuracy for table in tables], dtype=np.float64),
            start=np.concatenate([[0], np.cumsum([len(table) for table in tables])]).astype(np.int64),
            bits=joined("bits", np.int64),
            flop_per_sample=joined("flop_per_sample", np.int64),
            overhead_s=joined("overhead_s", np.float64),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Users:
    """All users ``k``, as columns.

    The channel of a user is its spectral efficiency, or the power and gain that it follows from:
    ``R_k = log2(1 + P_k h_k / (N0 B))``; what is not given is NaN.

    Parameters
    ----------
    id : (K,) tuple of str
        Distinct.
    deadline_s : (K,) float64
        End-to-end deadline ``T_k`` (s).
    frequency_hz : (K,) float64
        Greatest speed ``f_k`` of the device (cycle/s).
    cycles_per_flop : (K,) float64
        ``kappa_k``. With 1, `frequency_hz` is the device's FLOP/s.
    batch : (K,) int64
        Samples ``b_k`` of the task.
    energy_j : (K,) float64
        Energy budget ``E_k`` (J); infinite without a limit.
    energy_coefficient : (K,) float64
        ``c_k`` (J s^2/cycle^3): a cycle at speed ``s`` takes ``c_k s^2``. Positive where there is a budget.
    spectral_efficiency : (K,) float64
        ``R_k`` (bit/s/Hz), or NaN.
    power_w, gain : (K,) float64
        Transmit power ``P_k`` (W) and channel power gain ``h_k`` (no unit), or NaN.
    min_accuracy : (K,) float64
        Accuracy that a model must have, from 0 to 1.
    weight : (K,) int64
        Worth of serving the user, in the variant ``weighted``.
    accepts : (K,) int64
        Which of `accept_sets` names the models the user accepts.
    accept_sets : tuple of (tuple of str or None)
        Sets of model names; None accepts every model.
    """

    id: tuple[str, ...]
    deadline_s: FloatArray
    frequency_hz: FloatArray
    cycles_per_flop: FloatArray
    batch: IntArray
    energy_j: FloatArray
    energy_coefficient: FloatArray
    spectral_efficiency: FloatArray
    power_w: FloatArray
    gain: FloatArray
    min_accuracy: FloatArray
    weight: IntArray
    accepts: IntArray
    accept_sets: tuple[AcceptSet, ...]

    def __len__(self) -> int:
        return len(self.id)

    def columns(self) -> dict[str, NDArray[np.int64] | NDArray[np.float64]]:
        """The array fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name not in _NO_COLUMNS}

    @classmethod
    def of(
        cls,
        *,
        deadline_s: ArrayLike,
        frequency_hz: ArrayLike,
        id: Sequence[str] | None = None,
        cycles_per_flop: ArrayLike = 1.0,
        batch: ArrayLike = 1,
        energy_j: ArrayLike = np.inf,
        energy_coefficient: ArrayLike = 0.0,
        spectral_efficiency: ArrayLike = np.nan,
        power_w: ArrayLike = np.nan,
        gain: ArrayLike = np.nan,
        min_accuracy: ArrayLike = 0.0,
        weight: ArrayLike = 1,
        models: Sequence[Sequence[str] | None] | None = None,
    ) -> Users:
        """Users from any sequences; a single number stands for all users.

        Parameters
        ----------
        deadline_s : (K,) array_like
            Says how many users there are.
        id : sequence of str, optional
            ``u0``, ``u1``, ... when not given.
        models : sequence of (sequence of str or None), optional
            The models each user accepts; None accepts all.
        """
        count = len(np.atleast_1d(np.asarray(deadline_s)))

        def column(value: ArrayLike) -> NDArray[Any]:
            given = np.asarray(value)
            return given.copy() if given.ndim else np.full(count, given)

        accepts, accept_sets = accept_columns([None if s is None else tuple(s) for s in models or [None] * count])
        return cls(
            id=tuple(f"u{index}" for index in range(count)) if id is None else tuple(id),
            deadline_s=column(deadline_s),
            frequency_hz=column(frequency_hz),
            cycles_per_flop=column(cycles_per_flop),
            batch=column(batch),
            energy_j=column(energy_j),
            energy_coefficient=column(energy_coefficient),
            spectral_efficiency=column(spectral_efficiency),
            power_w=column(power_w),
            gain=column(gain),
            min_accuracy=column(min_accuracy),
            weight=column(weight),
            accepts=accepts,
            accept_sets=accept_sets,
        )


_NO_COLUMNS = ("id", "accept_sets")


@dataclass(frozen=True, eq=False)
class SlideInstance:
    """Users, models and a downlink band that they share; validated on construction.

    As many users as possible (or as much weight) are served: each gets one model that it accepts and a share
    ``y_k`` of the band, ``sum y_k <= 1``, so that it has computed the last layer by its deadline within its energy.

    Parameters
    ----------
    name : str
    bandwidth_hz : float
        Band ``B`` (Hz).
    models : Models
    users : Users
    variant : {"plain", "weighted", "multicast", "multicast-many", "time-varying", "concave"}
        The problem of the paper, or one of those beyond it.
    noise_w_per_hz : float or None
        Noise power density ``N0`` (W/Hz), needed where a user's channel is given by power and gain.
    source : str
        Where the instance comes from, in words.

    Raises
    ------
    InstanceError
        Naming field, index, value and unit of the first thing that is wrong.
    """

    problem: ClassVar[str] = "slide"

    name: str
    bandwidth_hz: float
    models: Models
    users: Users
    variant: Variant = "plain"
    noise_w_per_hz: float | None = None
    source: str = ""

    def __post_init__(self) -> None:
        for field in ("bandwidth_hz", "noise_w_per_hz"):
            if isinstance(getattr(self, field), (int, np.integer, np.floating)):
                object.__setattr__(self, field, float(getattr(self, field)))
        object.__setattr__(self, "models", typed(self.models, "models"))
        object.__setattr__(self, "users", typed(self.users, "users"))
        from edgeopt.instances.slide.validate import validate

        validate(self)
        object.__setattr__(self, "users", canonical(self.users))
        for columns in (self.models.columns(), self.users.columns()):
            for column in columns.values():
                column.setflags(write=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content; the same for every file form of the same instance."""
        from edgeopt.instances.slide.file import header

        digest = hashlib.sha256(header(self))
        for owner in (self.models, self.users):
            for name, column in owner.columns().items():
                # NaN marks "not given"; one bit pattern for it, and one for zero, so that equal content hashes equal.
                clean = np.where(np.isnan(column), np.nan, column + 0.0) if column.dtype.kind == "f" else column
                digest.update(name.encode() + clean.astype(clean.dtype.newbyteorder("<")).tobytes())
        return digest.hexdigest()

    @cached_property
    def compiled(self) -> CompiledSlide:
        """The problem in scaled numbers, which is the problem for every solver and model."""
        from edgeopt.instances.slide.compiled import compile_slide

        return compile_slide(self)
