"""Checks shared by the tables of this room: every message names field, value, unit and the mend."""

import difflib
import math
from collections.abc import Mapping
from typing import TypeVar

from edgeopt.errors import InstanceError, UnknownNameError

T = TypeVar("T")


def check_name(kind: str, name: object) -> None:
    """Raise ``InstanceError`` unless `name` is a non-empty string."""
    if not isinstance(name, str) or not name.strip():
        raise InstanceError(f"{kind}: name = {name!r} must be a non-empty text; give it a name")


def check_count(owner: str, field: str, value: object, unit: str, least: int = 1) -> None:
    """Raise ``InstanceError`` unless `value` is an integer (not a boolean) of at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InstanceError(f"{owner}: {field} = {value!r} ({unit}) must be an integer >= {least}; correct {field}")


def check_quantity(owner: str, field: str, value: object, unit: str, least: float | None = None) -> None:
    """Raise ``InstanceError`` unless `value` is finite and positive, or at least `least` if given."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if math.isfinite(number) and (number > 0 if least is None else number >= least):
        return
    wanted = "> 0" if least is None else f">= {least:g}"
    raise InstanceError(f"{owner}: {field} = {value!r} ({unit}) must be a finite number {wanted}; correct {field}")


def pick(kind: str, table: Mapping[str, T], name: str) -> T:
    """Return ``table[name]``, ignoring case.

    Raises
    ------
    UnknownNameError
        If there is no such entry; the message suggests near names, or lists all of them.
    """
    entry = table.get(name.lower())
    if entry is None:
        near = difflib.get_close_matches(name.lower(), table, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(table)}"
        raise UnknownNameError(f"{kind} {name!r} is not in the table; {hint}")
    return entry
