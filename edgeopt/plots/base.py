"""What a figure is, and how it is found and written; matplotlib is imported when a picture is drawn."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgeopt.errors import BackendError, UnknownNameError
from edgeopt.instances.base import problem, problem_names
from edgeopt.instances.io import write_bytes

FORMATS = ("pdf", "png")
METADATA: dict[str, dict[str, str | None]] = {
    "pdf": {"CreationDate": None, "Producer": None, "Creator": "edgeopt"},
    "png": {"Software": "edgeopt"},
}
"""No dates and versions, so that the same numbers give the same file."""


@dataclass(frozen=True, slots=True)
class Setting:
    """On what instances a figure is made.

    Attributes
    ----------
    seeds : int
        Instances a point, of the seeds 1 to `seeds`.
    options : mapping
        Options of the problem's generator; its defaults for the others.
    """

    seeds: int = 20
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A table, and how it looks as a picture.

    Attributes
    ----------
    name : str
    columns : tuple of str
        With the unit at the end of the name.
    rows : list of tuple
    draw : callable
        Draws on the matplotlib axes that it is given.
    findings : tuple of str
        What the numbers say, a sentence each.
    """

    name: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    draw: Callable[[Any], None]
    findings: tuple[str, ...] = ()


Maker = Callable[[Setting], Figure]


def figures_of(name: str) -> Mapping[str, Maker]:
    """The figures of a problem.

    Raises
    ------
    UnknownNameError
        If there is no such problem, or it has no figures.
    """
    problem(name)
    if find_spec(f"{__package__}.{name}") is None:
        there = [known for known in problem_names() if find_spec(f"{__package__}.{known}")]
        raise UnknownNameError(f"no figures of {name!r}; there are figures of: {', '.join(there)}")
    found: Mapping[str, Maker] = import_module(f"{__package__}.{name}").FIGURES
    return found


def require_matplotlib() -> None:
    """Refuse to begin where no picture can be drawn in the end.

    Raises
    ------
    BackendError
        If matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise BackendError("figures need matplotlib: pip install 'edgeopt[plot]' (the extra plot)")


def save(figure: Figure, directory: Path, *, prefix: str, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write the table as CSV and the picture in some formats; the files are called ``<prefix>_<name>``.

    Raises
    ------
    BackendError
        If matplotlib is not installed.
    InstanceError
        If a file cannot be written.
    """
    require_matplotlib()
    directory.mkdir(parents=True, exist_ok=True)
    contents = {"csv": table_bytes(figure), **{ending: _picture(figure, ending) for ending in formats}}
    paths = []
    for ending, content in contents.items():
        paths.append(directory / f"{prefix}_{figure.name}.{ending}")
        write_bytes(content, paths[-1])
    return paths


def table_bytes(figure: Figure) -> bytes:
    """The table as CSV: floats with five significant digits, nothing where there is no number."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(figure.columns)
    writer.writerows([_cell(value) for value in row] for row in figure.rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    return f"{value:.5g}" if isinstance(value, float) else value


def _picture(figure: Figure, ending: str) -> bytes:
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    with matplotlib.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3, "legend.fontsize": 7.5}):
        canvas = Canvas(figsize=(5.6, 3.6), layout="constrained")
        figure.draw(canvas.add_subplot())
        drawn = io.BytesIO()
        canvas.savefig(drawn, format=ending, dpi=150, metadata=METADATA[ending])
    return drawn.getvalue()
