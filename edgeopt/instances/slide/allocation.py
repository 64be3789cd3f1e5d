"""A solution of the slide problem: who is served, with which model, what share of the band, at which speeds."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.slide.instance import FloatArray, IntArray, SlideInstance

Numbers = FloatArray | tuple[Fraction, ...]
"""Doubles whose exact value is meant, or fractions where no double is exact enough."""


@dataclass(frozen=True, slots=True, eq=False)
class Allocation:
    """The users served, one entry each.

    Parameters
    ----------
    user : (n,) int64
        Indices of the users.
    model : (n,) int64
        Index of the model each is given.
    share : (n,) float64 or tuple of Fraction
        Share ``y_k`` of the band.
    speed : (S,) float64, tuple of Fraction, or None
        Compute shares ``z_kl`` in (0, 1] of all layers of the first user, then of the second, and so on; None when
        every layer runs at full speed.
    broadcast : (n,) int64 or None
        Which broadcast each listens to, in the variant ``multicast-many``; None: one broadcast a model.

    Raises
    ------
    InstanceError
        If a column is no such array.
    """

    user: IntArray
    model: IntArray
    share: Numbers
    speed: Numbers | None = None
    broadcast: IntArray | None = None

    def __post_init__(self) -> None:
        for name, kind in (
            ("user", np.int64),
            ("model", np.int64),
            ("share", np.float64),
            ("speed", np.float64),
            ("broadcast", np.int64),
        ):
            column = getattr(self, name)
            if isinstance(column, tuple) and kind is np.float64:
                good = all(isinstance(value, Fraction) for value in column)
            else:
                good = isinstance(column, np.ndarray) and column.ndim == 1 and column.dtype == kind
            if not good and not (name in ("speed", "broadcast") and column is None):
                or_fractions = " or a tuple of fractions" if kind is np.float64 else ""
                raise InstanceError(f"{name} = {column!r}: must be a 1-D {kind.__name__} array{or_fractions}")

    def __len__(self) -> int:
        return len(self.user)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Allocation)
            and np.array_equal(self.user, other.user)
            and np.array_equal(self.model, other.model)
            and _same(self.share, other.share)
            and (self.speed is None) == (other.speed is None)
            and (self.speed is None or other.speed is None or _same(self.speed, other.speed))
            and np.array_equal(self.groups, other.groups)
        )

    __hash__ = None  # type: ignore[assignment]

    def offsets(self, instance: SlideInstance) -> IntArray:
        """Where the speeds of each served user begin, and their number (n + 1,)."""
        return np.concatenate([[0], np.cumsum(instance.models.layers[self.model])]).astype(np.int64)

    @property
    def groups(self) -> IntArray:
        """Which broadcast each user listens to (n,), counted from 0 in the order of their first users."""
        _, first, place = np.unique(
            self.model if self.broadcast is None else self.broadcast, return_index=True, return_inverse=True
        )
        rank = np.empty(len(first), dtype=np.int64)
        rank[np.argsort(first)] = np.arange(len(first))
        found: IntArray = rank[place]
        return found

    def exact_share(self, place: int) -> Fraction:
        """Share of the served user at a place."""
        return _exact(self.share[place])

    def exact_speeds(self, instance: SlideInstance, place: int) -> list[Fraction] | None:
        """Speeds of the served user at a place; None for full speed."""
        if self.speed is None:
            return None
        begin = int(instance.models.layers[self.model[:place]].sum())
        found = self.speed[begin : begin + int(instance.models.layers[self.model[place]])]
        return [_exact(value) for value in found]


def _same(one: Numbers, other: Numbers) -> bool:
    return len(one) == len(other) and all(_exact(a) == _exact(b) for a, b in zip(one, other, strict=True))


def _exact(value: Any) -> Fraction:
    return value if isinstance(value, Fraction) else Fraction(float(value))


EMPTY = Allocation(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))
"""Nobody is served."""


def value(instance: SlideInstance, solution: Allocation) -> int:
    """Number of users served; their total weight in the variant ``weighted``."""
    known = solution.user[(solution.user >= 0) & (solution.user < len(instance.users))]
    return int(instance.users.weight[known].sum()) if instance.variant == "weighted" else len(known)


def encode_solution(instance: SlideInstance, solution: Allocation) -> dict[str, Any]:
    """Plain data: one entry a served user, ``compute`` left out at full speed."""
    offset = solution.offsets(instance).tolist()
    speed = None if solution.speed is None else _plain(solution.speed)
    entries = []
    for place, (user, model, share) in enumerate(
        zip(solution.user.tolist(), solution.model.tolist(), _plain(solution.share), strict=True)
    ):
        entry = {"user": instance.users.id[user], "model": instance.models.name[model], "share": share}
        if speed is not None:
            own = speed[offset[place] : offset[place + 1]]
            if any(z != 1 for z in own):
                entry["compute"] = own
        if solution.broadcast is not None:
            entry["broadcast"] = int(solution.broadcast[place])
        entries.append(entry)
    return {"users": entries}


def _plain(numbers: Numbers) -> list[float | str]:
    if not isinstance(numbers, tuple):
        return list(numbers.tolist())
    return [float(n) if Fraction(float(n)) == n else f"{n.numerator}/{n.denominator}" for n in numbers]


def decode_solution(instance: SlideInstance, data: Any, where: str) -> Allocation:
    """The solution that plain data describes.

    Raises
    ------
    InstanceError
        If an entry names no user or model of the instance, a number is none, or speeds are not one a layer.
    """
    entries = data.get("users") if isinstance(data, dict) else None
    if not isinstance(entries, list):
        raise InstanceError(f"{where}: solution.users must list the users served")
    user_of = {name: index for index, name in enumerate(instance.users.id)}
    model_of = {name: index for index, name in enumerate(instance.models.name)}
    layers = instance.models.layers
    user, model, share, speed, broadcast = [], [], [], [], []
    for index, entry in enumerate(entries):
        at = f"{where}: solution.users[{index}]"
        if not isinstance(entry, dict) or not {"user", "model", "share"} <= set(entry) <= {*_FIELDS}:
            raise InstanceError(
                f"{at}: must have the fields user, model, share, and compute where not at full speed, and broadcast "
                "where models have several"
            )
        user.append(_known(entry["user"], user_of, f"{at}.user", "a user of the instance"))
        model.append(_known(entry["model"], model_of, f"{at}.model", "a model of the instance"))
        share.append(_number(entry["share"], f"{at}.share"))
        own, count = entry.get("compute"), int(layers[model[-1]])
        if own is not None and (not isinstance(own, list) or len(own) != count):
            raise InstanceError(f"{at}.compute: must list {count} speeds, one a layer of {entry['model']}")
        speed.append(None if own is None else [_number(z, f"{at}.compute[{n}]") for n, z in enumerate(own)])
        if "broadcast" in entry:
            broadcast.append(_whole(entry["broadcast"], f"{at}.broadcast"))
    if broadcast and len(broadcast) < len(entries):
        raise InstanceError(f"{where}: solution.users[].broadcast: must be given for all users or for none")
    full = all(own is None for own in speed)
    return Allocation(
        np.array(user, dtype=np.int64),
        np.array(model, dtype=np.int64),
        _numbers(share),
        None
        if full
        else _numbers(
            [
                z
                for own, i in zip(speed, model, strict=True)
                for z in (own if own is not None else [1.0] * int(layers[i]))
            ]
        ),
        np.array(broadcast, dtype=np.int64) if broadcast else None,
    )


_FIELDS = ("user", "model", "share", "compute", "broadcast")
_RATIO = re.compile(r"\d{1,4000}/[1-9]\d{0,3999}", re.ASCII)


def _known(name: Any, places: Mapping[str, int], where: str, what: str) -> int:
    if not isinstance(name, str) or name not in places:
        raise InstanceError(f"{where} = {name!r}: must be {what}")
    return places[name]


def _whole(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise InstanceError(f"{where} = {str(value)[:60]}: must be a whole number from 0")
    return value


def _number(value: Any, where: str) -> float | Fraction:
    if isinstance(value, str) and _RATIO.fullmatch(value):
        return Fraction(value)
    number = None if isinstance(value, bool) or not isinstance(value, int | float) else _float(value)
    if number is None:
        # Python does not print integers of thousands of digits
        shown = "an enormous integer" if isinstance(value, int) and abs(value) > 10**60 else str(value)[:60]
        raise InstanceError(f"{where} = {shown}: must be a number, or a fraction in words such as '1/10'")
    return number


def _float(value: float) -> float | None:
    """As a double; None where it is none that is finite."""
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def _numbers(values: Sequence[float | Fraction]) -> Numbers:
    if any(isinstance(value, Fraction) for value in values):
        return tuple(_exact(value) for value in values)
    return np.array(values, dtype=np.float64)
