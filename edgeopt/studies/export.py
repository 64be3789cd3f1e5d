"""A store's runs as CSV or Parquet, in an order that does not depend on when they were made."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgeopt.errors import BackendError, InstanceError
from edgeopt.instances.io import write_bytes
from edgeopt.studies.store import COLUMNS, TIMING, Store

NUMBERS = ("size", "seed", "time_limit_s", "value", "bound", "seconds", "environment")
"""Columns that hold numbers; all others are text."""


def export(store: Store, path: Path, *, timing: bool = True) -> int:
    """Write all runs to a ``.csv`` or ``.parquet`` file; returns how many.

    Parameters
    ----------
    store : Store
    path : Path
    timing : bool
        Whether the columns that differ between executions (`TIMING`) are written: without them, the same study gives
        the same bytes.

    Raises
    ------
    InstanceError
        If the ending is neither, or the file is the store or cannot be written.
    BackendError
        If pyarrow is not installed, for Parquet.
    """
    columns = [name for name in COLUMNS if timing or name not in TIMING]
    store.apart(path)
    if path.suffix not in (".csv", ".parquet"):
        raise InstanceError(f"{path}: the ending must be .csv or .parquet")
    if path.suffix == ".parquet" and find_spec("pyarrow") is None:
        raise BackendError("Parquet needs pyarrow: pip install 'edgeopt[parquet]' (the extra parquet)")
    rows = list(store.rows())
    write_bytes(_csv(rows, columns) if path.suffix == ".csv" else _parquet(rows, columns), path)
    return len(rows)


def _csv(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _parquet(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {name: pa.float64() if name in NUMBERS else pa.string() for name in columns}
    arrays = [
        pa.array([None if row[name] is None else _of(kind, row[name], pa) for row in rows], kind)
        for name, kind in kinds.items()
    ]
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table(arrays, names=list(columns)), sink)
    found: bytes = sink.getvalue().to_pybytes()
    return found


def _of(kind: Any, value: Any, pa: Any) -> Any:
    return float(value) if kind == pa.float64() else str(value)
