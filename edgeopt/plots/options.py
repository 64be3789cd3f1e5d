"""Options of a figure as a user gives them, read as what the function that takes them asks for."""

from __future__ import annotations

import inspect
import json
import math
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from edgeopt.errors import InstanceError

WANTED = {int: ("a whole number", "whole numbers"), float: ("a number", "numbers"), str: ("text", "texts")}
"""One, and several."""
LARGEST = sys.float_info.max


def names_of(function: Callable[..., Any]) -> list[str]:
    """The options that a function takes: its keywords but for the seed, which a figure draws itself."""
    kinds = inspect.signature(function).parameters.values()
    return [one.name for one in kinds if one.kind is inspect.Parameter.KEYWORD_ONLY and one.name != "seed"]


def read_options(function: Callable[..., Any], options: Mapping[str, Any], *, what: str) -> dict[str, Any]:
    """Options that a function takes, each as its annotation says.

    A list may be given as text with commas, and a list of one item as the item.

    Parameters
    ----------
    function : callable
    options : mapping
        Of names that `names_of` gives.
    what : str
        Begins the message of an error.

    Raises
    ------
    InstanceError
        If a value is not of the kind that is asked for.
    """
    hints = get_type_hints(function)
    found = {}
    for name, value in options.items():
        try:
            found[name] = _read(hints[name], value)
        except ValueError:
            shown = value if isinstance(value, str) else json.dumps(value, default=str)
            raise InstanceError(f"{what}: {name} = {shown}: must be {_wanted(hints[name])}") from None
    return found


def _read(kind: Any, value: Any) -> Any:
    """The value as that kind; ValueError if it is none."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _first(inner, value)
    if origin is Literal or kind is type(None):
        return _required(value, value in inner if inner else value is None)
    if origin is tuple:
        items = _items(value)
        return tuple(_read(one, item) for one, item in zip(inner, items, strict=True))
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return tuple(_read(inner[0], item) for item in _items(value))
    if kind is int and isinstance(value, float):
        return int(_required(value, value.is_integer()))
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return _required(value, abs(value) <= LARGEST or abs(value) == math.inf)
    if kind is int and isinstance(value, bool):
        raise ValueError
    return _required(value, isinstance(value, kind))


def _first(kinds: Sequence[Any], value: Any) -> Any:
    for kind in kinds:
        try:
            return _read(kind, value)
        except ValueError:
            continue
    raise ValueError


def _required(value: Any, good: bool) -> Any:
    if not good:
        raise ValueError
    return value


def _items(value: Any) -> Sequence[Any]:
    if isinstance(value, str):
        return [_word(word.strip()) for word in value.split(",")]
    return value if isinstance(value, list | tuple) else [value]


def _word(word: str) -> Any:
    try:
        return json.loads(word)
    except json.JSONDecodeError:
        return word


def _wanted(kind: Any) -> str:
    """What a kind asks for, in words."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return " or ".join(map(_wanted, inner))
    if origin is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if origin is tuple:
        return f"{len(inner)} {WANTED[inner[0]][1]} with a comma between"
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return f"{WANTED[inner[0]][1]} with commas between"
    return {bool: "true or false", type(None): "null"}.get(kind) or WANTED[kind][0]
