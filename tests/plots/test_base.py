"""Figures are found by problem, and written whole: a table beside every picture, the same bytes each time."""

from __future__ import annotations

import csv
import importlib.util
import math
from pathlib import Path
from typing import Any

import pytest

from edgeopt.errors import BackendError, InstanceError, UnknownNameError
from edgeopt.instances.base import problem_names
from edgeopt.plots import base
from edgeopt.plots.base import Figure, figures_of, save


def figure() -> Figure:
    rows = [(1, "a,b", 0.123456789, None), (2, "c", 1e-9, 4.0)]
    return Figure("small", ("size", "name", "part", "low"), rows, lambda axes: axes.plot([1, 2], [3, 4]))


def test_files(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    paths = save(figure(), tmp_path / "new" / "folder", prefix="test")
    assert [path.name for path in paths] == ["test_small.csv", "test_small.pdf", "test_small.png"]
    with paths[0].open() as file:
        assert list(csv.reader(file)) == [
            ["size", "name", "part", "low"],
            ["1", "a,b", "0.12346", ""],
            ["2", "c", "1e-09", "4"],
        ]
    assert paths[1].read_bytes().startswith(b"%PDF")
    assert paths[2].read_bytes().startswith(b"\x89PNG")
    again = save(figure(), tmp_path / "again", prefix="test")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in paths]


def test_what_is_no_number_is_left_empty() -> None:
    made = Figure("empty", ("a", "b"), [(math.nan, None)], lambda axes: None)
    assert base.table_bytes(made) == b"a,b\n,\n"


def test_a_directory_inside_a_file_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InstanceError, match="file/x: cannot be made as a directory: Not a directory"):
        save(figure(), tmp_path / "file" / "x", prefix="test")
    with pytest.raises(InstanceError, match="file: must be a directory"):
        base.require_directory(tmp_path / "file" / "x" / "y")
    with pytest.raises(InstanceError, match="cannot be a directory: File name too long"):
        base.require_directory(tmp_path / ("x" * 300))
    base.require_directory(tmp_path / "new" / "x")


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> Any:
        return None if name == "matplotlib" else real(name, package)

    monkeypatch.setattr(base, "find_spec", without)
    with pytest.raises(BackendError, match=r"pip install 'edgeopt\[plot\]'"):
        save(figure(), tmp_path / "out", prefix="test")
    assert not (tmp_path / "out").exists()


def test_figures_of_a_problem() -> None:
    assert {"timeline", "band", "deadline", "energy"} <= set(figures_of("slide"))
    with pytest.raises(UnknownNameError, match="no problem 'slides'"):
        figures_of("slides")
    folder = Path(base.__file__).parent
    for name in (name for name in problem_names() if not (folder / name).is_dir()):
        with pytest.raises(UnknownNameError, match=f"no figures of '{name}'; there are figures of: .*slide"):
            figures_of(name)
