"""Layer tables from CSV files: a profile of one's own network, one row a layer, units in the names of the columns.

========================================  ==============================================================
column                                    meaning
========================================  ==============================================================
``layer``                                 name of the layer, distinct in the file
``bits`` or ``bytes`` or ``parameters``   size as sent (bit, byte), or the count of numbers in it
``flop_per_sample`` or ``mac_per_sample`` work for one sample (FLOP, or multiply-accumulates of 2 FLOP)
``overhead_s``                            fixed cost on the device (s); may be left out
========================================  ==============================================================

The columns stand in any order. Numbers are decimals such as ``1605632``, ``118013952.5`` or ``1.2e9``, read exactly;
bits and FLOP are rounded up to whole ones. Lines that are blank or begin with ``#`` are skipped.
"""

import csv
import io
import math
import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from edgeopt.errors import InstanceError
from edgeopt.system.layers.table import DEFAULT_BITS_PER_PARAMETER, FLOP_PER_MAC, Layers, size_bits

SIZE_COLUMNS = ("bits", "bytes", "parameters")
WORK_COLUMNS = {"flop_per_sample": 1, "mac_per_sample": FLOP_PER_MAC}
COLUMNS = ("layer", *SIZE_COLUMNS, *WORK_COLUMNS, "overhead_s")
UNITS = {
    "bits": "bit", "bytes": "byte", "parameters": "count", "flop_per_sample": "FLOP per sample",
    "mac_per_sample": "MAC per sample", "overhead_s": "s",
}  # fmt: skip

# Two digits of exponent keep the exact integers small.
_NUMBER = re.compile(r"\+?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,2})?", re.ASCII)


def read_layers(
    path: str | Path,
    name: str | None = None,
    *,
    bits_per_parameter: int | float | Fraction = DEFAULT_BITS_PER_PARAMETER,
) -> Layers:
    """Read the layer table of a network from a CSV file.

    Parameters
    ----------
    path : str or pathlib.Path
        The file: UTF-8, a header with columns of the module's table, a row a layer in the order of computation.
    name : str, optional
        Name of the network; the file's name without its ending if None.
    bits_per_parameter : int, float or Fraction
        Bits a parameter, for a file with the column ``parameters``.

    Raises
    ------
    InstanceError
        If the file is no such table; the message names file, line, column, value and the mend.
    OSError
        If the file cannot be read.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InstanceError(f"{path}: not UTF-8 at byte {error.start}; save the table as UTF-8") from error
    rows = _rows(text, str(path))
    if not rows:
        raise InstanceError(f"{path}: the file is empty; give a header of {', '.join(COLUMNS)} and a row a layer")
    (line, header), rows = rows[0], rows[1:]
    size, work = _columns(header, f"{path}: line {line}")
    if not rows:
        raise InstanceError(f"{path}: there is no layer below the header of line {line}; give a row a layer")
    first_line: dict[str, int] = {}
    bits: list[int] = []
    flop: list[int] = []
    overhead: list[float] = []
    for line, fields in rows:
        where = f"{path}: line {line}"
        if len(fields) != len(header):
            raise InstanceError(f"{where} has {len(fields)} fields, the header {len(header)}; give one a column")
        row = dict(zip(header, fields, strict=True))
        layer = row["layer"]
        if not layer:
            raise InstanceError(f"{where}: layer = '' is empty; name the layer")
        if first_line.setdefault(layer, line) != line:
            raise InstanceError(f"{where}: layer = {layer!r} is also on line {first_line[layer]}; rename one")
        amount = _number(row, size, where)
        if size == "parameters":
            if amount.denominator != 1:
                raise InstanceError(f"{where}: parameters = {row[size]!r} (count) must be whole; correct it")
            bits.append(size_bits(str(path), int(amount), bits_per_parameter))
        else:
            bits.append(math.ceil(amount * (8 if size == "bytes" else 1)))
        flop.append(math.ceil(_number(row, work, where) * WORK_COLUMNS[work]))
        if "overhead_s" in row:
            overhead.append(float(_number(row, "overhead_s", where)))
    try:
        return Layers(
            name=path.stem if name is None else name,
            names=tuple(first_line),
            bits=tuple(bits),
            flop_per_sample=tuple(flop),
            overhead_s=tuple(overhead),
        )
    except InstanceError as error:  # what only the whole table shows, such as a sum beyond 64 bits
        raise InstanceError(f"{path}: {error}") from error


def _rows(text: str, where: str) -> list[tuple[int, list[str]]]:
    """Line number and stripped fields of every row that is neither blank nor a remark."""
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    rows = []
    try:
        for row in reader:
            fields = [field.strip() for field in row]
            if any(fields) and not fields[0].startswith("#"):
                rows.append((reader.line_num, fields))
    except csv.Error as error:
        raise InstanceError(f"{where}: line {reader.line_num}: not CSV ({error}); correct the line") from error
    return rows


def _columns(header: Sequence[str], where: str) -> tuple[str, str]:
    """The columns of size and work; every name must be known, and stand once."""
    for place, column in enumerate(header, start=1):
        if column not in COLUMNS:
            raise InstanceError(f"{where}: column {place} is {column!r}; known columns: {', '.join(COLUMNS)}")
        if column in header[: place - 1]:
            raise InstanceError(f"{where}: column {place} is {column!r} once more; leave one of the two out")
    if "layer" not in header:
        raise InstanceError(f"{where}: the column 'layer' is missing; add it with the layers' names")
    return _one_of(SIZE_COLUMNS, header, where), _one_of(tuple(WORK_COLUMNS), header, where)


def _one_of(choices: Sequence[str], header: Sequence[str], where: str) -> str:
    found = [column for column in choices if column in header]
    if len(found) != 1:
        given = " and ".join(found) or "none"
        raise InstanceError(f"{where}: has {given} of the columns {', '.join(choices)}; give exactly one of them")
    return found[0]


def _number(row: dict[str, str], column: str, where: str) -> Fraction:
    text = row[column]
    if not _NUMBER.fullmatch(text):
        raise InstanceError(
            f"{where}: {column} = {text!r} ({UNITS[column]}) must be a number >= 0, as 16 or 1.2e9; correct {column}"
        )
    return Fraction(text)
