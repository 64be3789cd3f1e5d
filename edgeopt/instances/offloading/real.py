"""Real data that an instance may be made of: base stations and users, measured rates. CSV and plain text."""

from __future__ import annotations

import csv
import io
import math
import os

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.io import read_bytes
from edgeopt.instances.offloading.instance import FloatArray

EARTH_M = 6_371_000.0
EXPONENT, SNR_AT_100_M = 3.5, 30.0
"""Rates fall with the distance as ``log2(1 + SNR)``; the signal-to-noise ratio is this at 100 m."""
REACH_M = 600.0
"""Beyond it a server is not reached, unless it is the nearest one."""


def number(text: str, where: str, unit: str) -> float:
    """A finite number in a file.

    Raises
    ------
    InstanceError
        If it is none.
    """
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise InstanceError(f"{where} = {text[:60]!r}: must be a finite number ({unit})")
    return found


def rows(path: str | os.PathLike[str], wanted: tuple[str, ...]) -> list[dict[str, str]]:
    """The rows of a CSV file with a header, by lower-case name of the column.

    Raises
    ------
    InstanceError
        If it is not UTF-8, a column is missing, a row is cut short, or there are no rows.
    """
    where = os.fspath(path)
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InstanceError(f"{where}: not UTF-8 at byte {error.start}; must be a CSV file") from error
    reader = csv.reader(io.StringIO(text))
    try:
        table = [row for row in reader if row]
    except csv.Error as error:
        raise InstanceError(f"{where}: line {reader.line_num}: {error}") from error
    header = [name.strip().lower() for name in table[0]] if table else []
    missing = [name for name in wanted if name not in header]
    if missing:
        has = ", ".join(header) or "empty"
        raise InstanceError(f"{where}: the column {missing[0]!r} is missing; its header is {has}")
    twice = [name for name in header if name and header.count(name) > 1]
    if twice:
        raise InstanceError(f"{where}: the column {twice[0]!r} comes twice; leave one out")
    for line, row in enumerate(table[1:], 2):
        if len(row) < len(header) or any(entry.strip() for entry in row[len(header) :]):
            raise InstanceError(f"{where}: row {line} has {len(row)} entries, the header has {len(header)}")
    if len(table) < 2:
        raise InstanceError(f"{where}: has no rows; there must be at least one")
    return [dict(zip(header, row, strict=False)) for row in table[1:]]


def _positions(path: str | os.PathLike[str]) -> FloatArray:
    """Latitude and longitude (degrees), (n, 2)."""
    where = os.fspath(path)
    found = []
    for index, row in enumerate(rows(path, ("latitude", "longitude")), 2):
        place = [number(row[name], f"{where}: row {index}: {name}", "degrees") for name in ("latitude", "longitude")]
        if abs(place[0]) > 90 or abs(place[1]) > 180:
            raise InstanceError(f"{where}: row {index}: {place} are no latitude and longitude (degrees)")
        found.append(place)
    return np.array(found)


def _distance_m(one: FloatArray, other: FloatArray) -> FloatArray:
    """Distances (n, m) between positions; the earth is flat within a city."""
    north = np.radians(one[:, None, 0] - other[None, :, 0])
    east = np.radians(one[:, None, 1] - other[None, :, 1]) * np.cos(np.radians(one[:, None, 0]))
    distance: FloatArray = EARTH_M * np.hypot(north, east)
    return distance


def nearest_sites(sites: str, users: str, devices: int, servers: int, rng: np.random.Generator) -> FloatArray:
    """Rates (devices, servers) relative to that at 100 m, for users drawn around one of them.

    Raises
    ------
    InstanceError
        If a file is no table of positions, or has too few.
    """
    stations, people = _positions(sites), _positions(users)
    for path, table, count in ((sites, stations, servers), (users, people, devices)):
        if len(table) < count:
            raise InstanceError(f"{path}: has {len(table)} positions, {count} are needed")
    middle = people[rng.integers(len(people))][None]
    near = people[np.argsort(_distance_m(middle, people)[0], kind="stable")[: 4 * devices]]
    chosen = near[np.sort(rng.choice(len(near), devices, replace=False))]
    hosts = stations[np.argsort(_distance_m(middle, stations)[0], kind="stable")[:servers]]
    distance = np.maximum(_distance_m(chosen, hosts), 10.0)
    rate = np.log2(1 + SNR_AT_100_M * (distance / 100.0) ** -EXPONENT) / math.log2(1 + SNR_AT_100_M)
    nearest = (distance == distance.min(axis=1, keepdims=True)) | (distance == distance.min(axis=0, keepdims=True))
    return np.where((distance <= REACH_M) | nearest, rate, 0.0)


def throughput_trace(path: str | os.PathLike[str]) -> tuple[FloatArray, FloatArray]:
    """Times (s) from 0 and rates (bit/s) of a file with lines ``time Mbit/s``, or ``time,Mbit/s``.

    Raises
    ------
    InstanceError
        If a line is no such pair, times do not ascend, a rate is negative, or all are 0.
    """
    where = os.fspath(path)
    time: list[float] = []
    rate: list[float] = []
    try:
        lines = read_bytes(path).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InstanceError(f"{where}: not UTF-8 at byte {error.start}; must be lines of 'time Mbit/s'") from error
    for index, line in enumerate(lines, 1):
        words = line.replace(",", " ").split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2:
            raise InstanceError(f"{where}: line {index} = {line[:60]!r}: must be 'time Mbit/s', two numbers")
        time.append(number(words[0], f"{where}: line {index}: time", "s"))
        rate.append(number(words[1], f"{where}: line {index}: rate", "Mbit/s"))
        if rate[-1] < 0:
            raise InstanceError(f"{where}: line {index}: rate = {rate[-1]:g} (Mbit/s): must be 0 or more")
        if len(time) > 1 and time[-1] <= time[-2]:
            raise InstanceError(f"{where}: line {index}: time = {time[-1]:g} (s): must be later than the line before")
    if not any(rate):
        raise InstanceError(f"{where}: holds no rate > 0 (Mbit/s)")
    return np.array(time) - time[0], np.array(rate) * 1e6
