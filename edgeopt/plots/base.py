"""What a figure is, and how it is found and written; matplotlib is imported when a picture is drawn."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgeopt.errors import BackendError, InstanceError, UnknownNameError
from edgeopt.instances.base import problem, problem_names
from edgeopt.instances.io import write_bytes
from edgeopt.plots.options import names_of, read_options

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


@dataclass(frozen=True, slots=True)
class Maker:
    """How a figure is made, and of what options.

    Attributes
    ----------
    name : str
    make : callable
    takes : callable
        The function whose keywords are the options of the figure.
    sets : mapping
        Options that are not the user's, since the figure sets them itself, and what it does with them: its axis, its
        labels and its sentences would be wrong with other values.
    """

    name: str
    make: Callable[[Setting], Figure]
    takes: Callable[..., Any]
    sets: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, setting: Setting) -> Figure:
        (own,) = settings([self], setting)
        return self.make(own)


def settings(makers: Sequence[Maker], setting: Setting) -> list[Setting]:
    """The setting of each of some figures: with those of the options that it takes, checked.

    Raises
    ------
    InstanceError
        If no figure takes an option, a figure sets it itself, or a value is not of the kind that is asked for.
    """
    for name, value in setting.options.items():
        text = f"figures: {name} = {value}"
        if name == "seed":
            raise InstanceError(f"{text}: a figure has seeds of its own; --seeds says how many")
        for maker in makers:
            if name in maker.sets:
                raise InstanceError(f"{text}: figure {maker.name} {maker.sets[name]}, so it cannot be set")
        known = list(dict.fromkeys(option for maker in makers for option in _options(maker)))
        if name not in known:
            which = ", ".join(maker.name for maker in makers)
            raise InstanceError(f"{text}: no option of figure {which}; there are: {', '.join(known)}")
    found = []
    for maker in makers:
        own = {name: setting.options[name] for name in _options(maker) if name in setting.options}
        found.append(replace(setting, options=read_options(maker.takes, own, what=f"figure {maker.name}")))
    return found


def _options(maker: Maker) -> list[str]:
    return [name for name in names_of(maker.takes) if name not in maker.sets]


def swept(values: Sequence[float], options: Callable[[float], Mapping[str, Any]]) -> dict[str, str]:
    """What a figure sets by sweeping: the options that are not the same at all values."""
    points = [options(value) for value in values]
    names = dict.fromkeys(name for point in points for name in point)
    return {name: SWEEPS for name in names if any(point.get(name) != points[0].get(name) for point in points)}


SWEEPS = "has it on its axis"
"""What a figure does with a swept option."""


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


def require_directory(path: Path) -> None:
    """Refuse to begin where no file can be written in the end.

    Raises
    ------
    InstanceError
        If `path`, or what it would be made in, is there and no directory.
    """
    try:
        there = next((place for place in (path, *path.parents) if place.exists()), path)
    except OSError as error:
        raise InstanceError(f"{path}: cannot be a directory: {error.strerror}") from error
    if there.exists() and not there.is_dir():
        raise InstanceError(f"{there}: must be a directory")


def save(figure: Figure, directory: Path, *, prefix: str, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write the table as CSV and the picture in some formats; the files are called ``<prefix>_<name>``.

    Raises
    ------
    BackendError
        If matplotlib is not installed.
    InstanceError
        If the directory cannot be made, or a file not be written.
    """
    require_matplotlib()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InstanceError(f"{directory}: cannot be made as a directory: {error.strerror}") from error
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
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.5g}"
    return value


def _picture(figure: Figure, ending: str) -> bytes:
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    with matplotlib.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3, "legend.fontsize": 7.5}):
        canvas = Canvas(figsize=(5.6, 3.6), layout="constrained")
        figure.draw(canvas.add_subplot())
        drawn = io.BytesIO()
        canvas.savefig(drawn, format=ending, dpi=150, metadata=METADATA[ending])
    return drawn.getvalue()
