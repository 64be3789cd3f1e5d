"""The assignment problem in integers: choices as columns, capacities as a matrix."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from edgeopt.errors import InstanceError

IntArray = NDArray[np.int64]
Sense = Literal["max", "min"]
Pick = Literal["at-most-one", "exactly-one"]

MOST = 2**53
"""Largest weight, capacity and total profit: doubles hold every integer up to here exactly."""
MOST_SUM = 2**62
"""No sum of weights may pass this, so that int64 never overflows."""
MOST_DIGITS = 15
COLUMNS = ("group", "bin", "profit", "weight", "capacity")


@dataclass(frozen=True, eq=False)
class AssignmentInstance:
    """Pick choices, at most or exactly one a group, within the capacities of their bins; validated on construction.

    ``max`` or ``min sum_k p_k x_k`` over binaries with ``sum_{k in group g} x_k <= 1`` (or ``= 1``) for every
    group ``g``, and ``sum_{k in bin j} w_kd x_k <= c_jd`` for every bin ``j`` and dimension ``d``. In generalised
    assignment a group is an item and a choice an eligible (item, bin) pair.

    Parameters
    ----------
    name : str
    groups : int
        Number of groups ``G``.
    group, bin : (K,) int64
        Group ``g`` and bin ``j`` of each choice ``k``.
    profit : (K,) int64
        Profit ``p_k``, or cost when the sense is ``min``, in units of ``10 ** -profit_digits``.
    weight : (K, D) int64
        Weights ``w_kd >= 0`` in units of ``10 ** -weight_digits``.
    capacity : (J, D) int64
        Capacities ``c_jd >= 0`` in the same units.
    sense : {"max", "min"}
    pick : {"at-most-one", "exactly-one"}
        How many choices of each group are picked.
    profit_digits, weight_digits : int
        Decimal digits that were moved to make the numbers of a file whole, exactly. Values and bounds are
        reported in the integers of `profit`.
    source : str
        Where the instance comes from, in words.

    Raises
    ------
    InstanceError
        Naming field, index and value of the first thing that is wrong.
    """

    problem: ClassVar[str] = "assignment"

    name: str
    groups: int
    group: IntArray
    bin: IntArray
    profit: IntArray
    weight: IntArray
    capacity: IntArray
    sense: Sense = "max"
    pick: Pick = "at-most-one"
    profit_digits: int = 0
    weight_digits: int = 0
    source: str = ""

    def __post_init__(self) -> None:
        _validate(self)
        for name in COLUMNS:
            getattr(self, name).setflags(write=False)

    @property
    def choices(self) -> int:
        """Number of choices ``K``."""
        return len(self.group)

    @property
    def bins(self) -> int:
        """Number of bins ``J``."""
        return len(self.capacity)

    @property
    def dimensions(self) -> int:
        """Number of capacities of a bin ``D``."""
        return int(self.capacity.shape[1])

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content; the same for every file form of the same instance."""
        from edgeopt.instances.assignment.file import header

        digest = hashlib.sha256(header(self))
        for name in COLUMNS:
            column = np.ascontiguousarray(getattr(self, name))
            digest.update(f"{name}{column.shape}".encode() + column.astype("<i8").tobytes())
        return digest.hexdigest()

    @cached_property
    def by_group(self) -> tuple[IntArray, ...]:
        """Choices of each group, ascending."""
        return _partition(self.group, self.groups)

    @cached_property
    def by_bin(self) -> tuple[IntArray, ...]:
        """Choices of each bin, ascending."""
        return _partition(self.bin, self.bins)


def _partition(label: IntArray, count: int) -> tuple[IntArray, ...]:
    order = np.argsort(label, kind="stable")
    ends = np.searchsorted(label[order], np.arange(count + 1))
    return tuple(order[begin:end] for begin, end in pairwise(ends))


def _validate(instance: AssignmentInstance) -> None:
    """Check every field; the texts are part of the interface."""
    if not instance.name:
        raise InstanceError(f"name = {instance.name!r}: must not be empty; give the instance a name")
    for field, allowed in (("sense", get_args(Sense)), ("pick", get_args(Pick))):
        if getattr(instance, field) not in allowed:
            raise InstanceError(f"{field} = {getattr(instance, field)!r}: must be {' or '.join(map(repr, allowed))}")
    for field in ("profit_digits", "weight_digits"):
        if not 0 <= getattr(instance, field) <= MOST_DIGITS:
            raise InstanceError(f"{field} = {getattr(instance, field)}: must be from 0 to {MOST_DIGITS}")
    if instance.groups < 0:
        raise InstanceError(f"groups = {instance.groups}: must be 0 or more")
    for field in COLUMNS:
        column = getattr(instance, field)
        wanted = 2 if field in ("weight", "capacity") else 1
        if not isinstance(column, np.ndarray) or column.dtype != np.int64 or column.ndim != wanted:
            raise InstanceError(f"{field}: must be an int64 array with {wanted} axes")
    count, dimensions = len(instance.group), instance.capacity.shape[1]
    if not len(instance.capacity) or not dimensions:
        raise InstanceError(f"capacity has the shape {instance.capacity.shape}: must have a bin and a dimension")
    shapes = {"bin": (count,), "profit": (count,), "weight": (count, dimensions)}
    for field, shape in shapes.items():
        if getattr(instance, field).shape != shape:
            raise InstanceError(f"{field} has the shape {getattr(instance, field).shape}: must be {shape}")
    _within("choices", "group", instance.group, 0, instance.groups - 1)
    _within("choices", "bin", instance.bin, 0, len(instance.capacity) - 1)
    _within("choices", "profit", instance.profit, -MOST, MOST)
    _within("choices", "weight", instance.weight, 0, MOST)
    _within("capacity", "", instance.capacity, 0, MOST)
    _sums(instance)


def _within(where: str, field: str, column: IntArray, least: int, most: int) -> None:
    bad = np.argwhere((column < least) | (column > most))
    if len(bad):
        place = tuple(bad[0].tolist())
        inner = "".join(f"[{index}]" for index in place[1:])
        shown = f"{where}[{place[0]}]{'.' + field if field else ''}{inner}"
        raise InstanceError(f"{shown} = {column[place]}: must be from {least} to {most}")


def _sums(instance: AssignmentInstance) -> None:
    """Sums over one choice a group stay within what doubles (profits) and int64 (weights) hold."""
    largest = np.zeros((instance.groups, 1 + instance.dimensions), dtype=np.int64)
    np.maximum.at(largest, instance.group, np.column_stack([np.abs(instance.profit), instance.weight]))
    # object arithmetic: the sums are what may overflow
    profit, *weights = largest.astype(object).sum(axis=0).tolist() if instance.groups else [0]
    if profit > MOST:
        raise InstanceError(f"choices.profit: the largest of each group add up to {profit}: must be at most {MOST}")
    for dimension, total in enumerate(weights):
        if total > MOST_SUM:
            raise InstanceError(
                f"choices.weight[{dimension}]: the largest of each group add up to {total}: must be at most {MOST_SUM}"
            )
