"""Strict reading of JSON: whole numbers and text only, nothing missing, nothing unknown, nothing twice."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Any, NamedTuple

MOST_DIGITS = 500
MOST_BYTES = 2**30


class Unreadable(Exception):
    """The file is no certificate that this program can read."""


class Refuted(Exception):
    """The certificate says something that is not so."""


class Replay(NamedTuple):
    """What a proof kind hands back: what is so, whatever the certificate claims."""

    sense: str
    value: int | None
    """Value of the solution, None if there is none in the certificate."""
    bound: int | None
    """No solution is better, None if there is no solution at all."""
    lines: list[str]


def unpacked(path: str) -> bytes:
    """Content of a file, unpacked when it is gzip; a small file may unpack to more than a machine holds."""
    try:
        with Path(path).open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else Path(path).open("rb") as content:
            data = content.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable(f"{path}: {error}") from None
    if len(data) > MOST_BYTES:
        raise Unreadable(f"{path}: holds more than {MOST_BYTES} bytes")
    return data


def parsed(data: bytes, path: str) -> Any:
    """JSON without numbers that are not whole (1.0, 1e3, NaN) and without repeated fields."""
    try:
        return json.loads(
            data.decode("utf-8"), object_pairs_hook=_once, parse_int=_int, parse_float=_refuse, parse_constant=_refuse
        )
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{path}: not a certificate's JSON: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a field is given twice")
    return found


def _int(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number has {len(digits)} digits")
    return int(digits)


def _refuse(text: str) -> Any:
    raise ValueError(f"{text[:40]} is not a whole number")


def fields(content: Any, where: str, *names: str) -> list[Any]:
    """The values of an object that has exactly these fields."""
    if type(content) is not dict or set(content) != set(names):
        has = f"has the fields {sorted(content)}" if type(content) is dict else "is no object"
        raise Unreadable(f"{where} {has}; it must have exactly {sorted(names)}"[:400])
    return [content[name] for name in names]


def text(content: Any, where: str) -> str:
    """Text on one line."""
    if type(content) is not str or not content.isprintable():
        raise Unreadable(f"{where} must be text on one line")
    return content


def whole(content: Any, where: str) -> int:
    """A whole number; true and false are none."""
    if type(content) is not int:
        raise Unreadable(f"{where} must be a whole number")
    return content


def items(content: Any, where: str, length: int | None = None) -> list[Any]:
    """A list, of that length if one is given."""
    if type(content) is not list or length not in (None, len(content)):
        raise Unreadable(f"{where} must be a list" + (f" of {length}" if length is not None else ""))
    return content


def between(content: Any, where: str, least: int, most: int) -> int:
    """A whole number of that range."""
    found = whole(content, where)
    if not least <= found <= most:
        raise Unreadable(f"{where} must be from {least} to {most}")
    return found


def wholes(
    content: Any, where: str, length: int | None = None, least: int | None = None, most: int | None = None
) -> list[int]:
    """A list of whole numbers, none below `least` and none above `most`."""
    found = items(content, where, length)
    if any(type(value) is not int for value in found):
        raise Unreadable(f"{where} must hold whole numbers only")
    if least is not None and found and min(found) < least:
        raise Unreadable(f"{where} holds {min(found)}, less than {least}")
    if most is not None and found and max(found) > most:
        raise Unreadable(f"{where} holds a number above {most}")
    return found
