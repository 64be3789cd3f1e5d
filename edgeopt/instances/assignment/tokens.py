"""Numbers separated by white space, as the published files hold them; errors name file, line, token and value.

Lines that begin with ``#`` or ``//`` are comments.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.assignment.instance import MOST_DIGITS, IntArray

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
COMMENTS = ("#", "//")
"""What a line begins with that is no part of the data."""
DOS_END = "\x1a"
MOST_COUNT = 10**7
"""Largest number of items, bins or problems that a file may announce."""


def count_of(token: str) -> int | None:
    """A token as a number from 1 to `MOST_COUNT`, or None."""
    return int(token) if _WHOLE.fullmatch(token) and 1 <= int(token) <= MOST_COUNT else None


class Tokens:
    """The tokens of a file, read one after another.

    Parameters
    ----------
    data : bytes
    where : str
        File name for errors.
    """

    def __init__(self, data: bytes, where: str) -> None:
        self.where = where
        lines = data.decode("utf-8", errors="replace").rstrip(DOS_END).splitlines()
        self.text = "\n".join("" if line.lstrip().startswith(COMMENTS) else line for line in lines)
        self.all = self.text.split()
        self.at = 0

    def __len__(self) -> int:
        return len(self.all)

    def line(self, place: int) -> int:
        """Line of a token, from 1."""
        seen = 0
        for number, line in enumerate(self.text.splitlines(), start=1):
            seen += len(line.split())
            if seen > place:
                return number
        return 1

    def error(self, place: int, mend: str) -> InstanceError:
        """What is wrong with a token."""
        return InstanceError(f"{self.where}: line {self.line(place)}, token {place + 1}: {self.all[place]!r}: {mend}")

    def count(self, what: str) -> int:
        """The next token as a number of things."""
        found = count_of(self._take(1, what)[0])
        if found is None:
            raise self.error(self.at - 1, f"must be a whole number from 1 to {MOST_COUNT} ({what})")
        return found

    def numbers(self, count: int, what: str) -> list[Decimal | int]:
        """The next tokens as exact numbers."""
        return [
            int(token) if _WHOLE.fullmatch(token) else self._decimal(token, self.at - count + index, what)
            for index, token in enumerate(self._take(count, what))
        ]

    def _take(self, count: int, what: str) -> list[str]:
        if self.at + count > len(self.all):
            last = self.line(len(self.all) - 1)
            raise InstanceError(
                f"{self.where}: the file ends after {len(self.all)} numbers, at line {last}: "
                f"{self.at + count - len(self.all)} of the next {count} are missing ({what})"
            )
        self.at += count
        return self.all[self.at - count : self.at]

    def _decimal(self, token: str, place: int, what: str) -> Decimal:
        if not _NUMBER.fullmatch(token):
            raise self.error(place, f"must be a number ({what})")
        return Decimal(token)

    def end(self) -> None:
        """Nothing may follow.

        Raises
        ------
        InstanceError
            If something does.
        """
        if self.at < len(self.all):
            rest = len(self.all) - self.at
            raise self.error(self.at, f"{rest} numbers more than the file announces; is this the right format?")


def whole(columns: Sequence[Sequence[Decimal | int]], what: str, where: str) -> tuple[list[IntArray], int]:
    """Columns of exact numbers as integers, with the number of decimal digits moved for that.

    Raises
    ------
    InstanceError
        If they need more than `MOST_DIGITS` digits, or leave 64 bits.
    """
    decimals = [value for column in columns for value in column if isinstance(value, Decimal)]
    digits = max((_digits(value) for value in decimals), default=0)
    if digits > MOST_DIGITS:
        raise InstanceError(f"{where}: {what}: a number has {digits} decimal digits; at most {MOST_DIGITS} can be kept")
    scale = 10**digits
    try:
        integers = [[int(Fraction(value) * scale) for value in column] for column in columns]
        return [np.array(column, dtype=np.int64) for column in integers], digits
    except OverflowError:
        raise InstanceError(f"{where}: {what}: with {digits} decimal digits a number leaves 64 bits") from None


def _digits(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
