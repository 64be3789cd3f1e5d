"""Columns of models and users: their kinds, and one form for equal content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from edgeopt.errors import InstanceError

if TYPE_CHECKING:
    from edgeopt.instances.slide.instance import AcceptSet, IntArray, Models, Users

    Columns = TypeVar("Columns", Models, Users)

WHOLE = ("batch", "weight", "accepts", "start", "bits", "flop_per_sample")
"""The columns of whole numbers."""


def typed(owner: Columns, where: str) -> Columns:
    """The same with int64 and float64 columns; whole numbers may stand for floats, as in a file."""
    changed: dict[str, Any] = {}
    for name, column in owner.columns().items():
        kind = np.int64 if name in WHOLE else np.float64
        given = np.asarray(column)
        if given.dtype != kind and given.dtype.kind not in "iu" and given.size:
            raise InstanceError(f"{where}.{name} holds {given.dtype}: must be {np.dtype(kind)}")
        if given is not column or given.dtype != kind or not given.flags.c_contiguous:
            changed[name] = np.asarray(given, dtype=kind, order="C")
    return replace(owner, **changed) if changed else owner


def accept_columns(wanted: Sequence[AcceptSet]) -> tuple[IntArray, tuple[AcceptSet, ...]]:
    """Columns ``accepts`` and ``accept_sets`` of users that accept these models each (None: any).

    The sets come out sorted, so that equal users give equal columns and digests.
    """
    clean = [None if names is None else tuple(sorted(set(names))) for names in wanted]
    sets = sorted(set(clean), key=lambda names: (names is not None, names or ()))
    place = {names: index for index, names in enumerate(sets)}
    return np.array([place[names] for names in clean], dtype=np.int64), tuple(sets) or (None,)


def canonical(users: Users) -> Users:
    """The users with only the accepted sets in use, sorted: equal content, equal columns and digest."""
    used, place = np.unique(users.accepts, return_inverse=True)
    accepts, sets = accept_columns([users.accept_sets[index] for index in used.tolist()])
    if sets == users.accept_sets:
        return users
    return replace(users, accepts=accepts[place.reshape(-1)], accept_sets=sets)
