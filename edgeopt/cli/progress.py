"""Progress of a long solve on stderr: incumbent, bound, gap and time, a row every few seconds."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING

from edgeopt.cli.rows import console

if TYPE_CHECKING:
    from edgeopt.solvers.base import Progress

FIRST_S = 2.0
"""Nothing is shown of a solve that is over by then (s)."""
EVERY_S = 3.0


class ProgressPrinter:
    """Listens to a solver and prints from a thread, so that a solver that says nothing is shown as well.

    Use it as a context manager around the solve, and hand it over as `progress`.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._latest: Progress | None = None
        self._shown: float | None = None
        self._solver: str | None = None
        self._over = threading.Event()
        self._started = time.perf_counter()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __call__(self, progress: Progress) -> None:
        """Hear a report."""
        self._latest = progress

    def __enter__(self) -> ProgressPrinter:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        wait = FIRST_S
        while not self._over.wait(wait):
            self._print(self._latest, time.perf_counter() - self._started)
            wait = EVERY_S

    def _print(self, latest: Progress | None, seconds: float) -> None:
        out = console(error=True)
        name = latest.solver if latest is not None else ""
        if self._solver != name:
            self._solver, self._shown = name, None
            out.print(f"{self._title} {name}".rstrip(), markup=False)
            out.print(f"  {'time':>8} {'incumbent':>12} {'bound':>12} {'gap':>8}")
        value = latest.value if latest is not None else None
        new_best = value is not None and value != self._shown
        self._shown = value
        out.print(line(seconds, value, latest.bound if latest is not None else None, new_best))


def line(seconds: float, value: float | None, bound: float | None, new_best: bool) -> str:
    """One row; an asterisk marks a new best solution."""
    from edgeopt.result import number

    gap = abs(bound - value) / max(abs(value), 1e-9) if value is not None and bound is not None else None
    cells = (
        "-" if value is None else number(value),
        "-" if bound is None else f"{bound:.6g}",
        "-" if gap is None else "large" if gap > 9.99 else f"{gap:.2%}",
    )
    return f"{'*' if new_best else ' '} {seconds:7.1f}s {cells[0]:>12} {cells[1]:>12} {cells[2]:>8}"
