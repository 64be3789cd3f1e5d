"""The table of a network's layers, and how it is made from parameters and multiply-accumulates."""

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple, Protocol

from edgeopt.errors import InstanceError
from edgeopt.system._validation import check_count, check_name, check_quantity
from edgeopt.system.exact import as_fraction

FLOP_PER_MAC = 2
DEFAULT_BITS_PER_PARAMETER = 16
"""FP16, as in the memory model of the decoders (eqs. (3)-(5))."""
MOST_TOTAL = 2**63 - 1
"""Largest sum over the layers, of bits and of FLOP: they are added in 64-bit integers."""

Granularity = Literal["layer", "block"]


@dataclass(frozen=True, kw_only=True)
class Layers:
    """The layers of one network, in the order in which they are sent and computed; L of them.

    Parameters
    ----------
    name : str
        Name of the network.
    names : (L,) tuple of str
        Name of each layer, distinct.
    bits : (L,) tuple of int
        Size as sent, ``S_l`` (bit), >= 0 with a positive sum.
    flop_per_sample : (L,) tuple of int
        Work, ``W_l`` (FLOP per sample), >= 0.
    overhead_s : (L,) tuple of float
        Fixed cost, ``V_l`` (s), >= 0, where it was measured; empty where it is not known (it depends on the device, not
        on the architecture).

    Raises
    ------
    InstanceError
        If there is no layer, the columns differ in length, a name is empty or repeated, a number is outside its range,
        or a sum leaves 64 bits.
    """

    name: str
    names: tuple[str, ...]
    bits: tuple[int, ...]
    flop_per_sample: tuple[int, ...]
    overhead_s: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_name("Layers", self.name)
        owner = f"layers of {self.name!r}"
        if not self.names:
            raise InstanceError(f"{owner}: names is empty; give at least one layer")
        for field in ("bits", "flop_per_sample", "overhead_s"):
            found = len(getattr(self, field))
            if found != len(self.names) and (field != "overhead_s" or found):
                raise InstanceError(
                    f"{owner}: {field} has {found} values for {len(self.names)} names; give one value a layer"
                )
        seen: dict[str, int] = {}
        for index, name in enumerate(self.names):
            check_name(f"{owner}: layer {index}", name)
            if seen.setdefault(name, index) != index:
                raise InstanceError(f"{owner}: names[{index}] = {name!r} is also names[{seen[name]}]; rename one")
        for field, unit in (("bits", "bit"), ("flop_per_sample", "FLOP per sample")):
            column = getattr(self, field)
            for index, value in enumerate(column):
                check_count(owner, f"{field}[{index}]", value, unit, least=0)
            if sum(column) > MOST_TOTAL:
                raise InstanceError(f"{owner}: {field} sums to {sum(column)} ({unit}) > {MOST_TOTAL}; check units")
        if not any(self.bits):
            raise InstanceError(f"{owner}: all bits are 0 (bit), so there is nothing to send; give the layers' sizes")
        for index, cost in enumerate(self.overhead_s):
            check_quantity(owner, f"overhead_s[{index}]", cost, "s", least=0.0)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def total_bits(self) -> int:
        """Size of the whole network (bit)."""
        return sum(self.bits)

    @property
    def total_flop_per_sample(self) -> int:
        """Work of one forward pass (FLOP per sample)."""
        return sum(self.flop_per_sample)


class Layer(Protocol):
    """What a table needs to know of a layer."""

    @property
    def name(self) -> str:
        """Name of the layer, distinct within the network."""

    @property
    def block(self) -> str:
        """Name of the block it belongs to."""

    @property
    def parameters(self) -> int:
        """Numbers to be sent (count)."""

    @property
    def macs(self) -> int:
        """Work (multiply-accumulates per sample)."""


class Counts(NamedTuple):
    """A layer of which only the counts are known, see `Layer`."""

    name: str
    block: str
    parameters: int
    macs: int


def size_bits(owner: str, parameters: int, bits_per_parameter: int | float | Fraction) -> int:
    """Return the size (bit) of so many parameters, rounded up.

    Parameters
    ----------
    owner : str
        What the parameters belong to, for the error.
    parameters : int
        Numbers to be sent (count).
    bits_per_parameter : int, float or Fraction
        Bits a parameter, > 0; 4.5 where groups of 4-bit weights share a scale. A float means its decimal.

    Raises
    ------
    InstanceError
        If `bits_per_parameter` is not finite and positive.
    """
    if not isinstance(bits_per_parameter, Fraction) or bits_per_parameter <= 0:
        check_quantity(owner, "bits_per_parameter", bits_per_parameter, "bit")
    return math.ceil(parameters * as_fraction(bits_per_parameter))


def tabulate(
    name: str,
    layers: Iterable[Layer],
    *,
    bits_per_parameter: int | float | Fraction = DEFAULT_BITS_PER_PARAMETER,
    granularity: Granularity = "layer",
) -> Layers:
    """Return the table of a network.

    Parameters
    ----------
    name : str
        Name of the network.
    layers : iterable of Layer
        In the order of the forward pass; the layers of a block follow one another.
    bits_per_parameter : int, float or Fraction
        Bits a parameter, see `size_bits`.
    granularity : {"layer", "block"}
        Whether a row is a layer, or a block with the sums of its layers.

    Raises
    ------
    InstanceError
        If an option is outside its range, or the table is no `Layers`.
    """
    owner = f"layers of {name!r}"
    if granularity not in ("layer", "block"):
        raise InstanceError(f"{owner}: granularity = {granularity!r} is unknown; choose 'layer' or 'block'")
    rows = [
        (label, list(members))
        for label, members in itertools.groupby(
            layers, key=lambda layer: layer.name if granularity == "layer" else layer.block
        )
    ]
    return Layers(
        name=name,
        names=tuple(label for label, _ in rows),
        bits=tuple(
            size_bits(owner, sum(layer.parameters for layer in members), bits_per_parameter) for _, members in rows
        ),
        flop_per_sample=tuple(FLOP_PER_MAC * sum(layer.macs for layer in members) for _, members in rows),
    )
