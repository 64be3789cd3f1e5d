"""One door to numba: compiled once, cached on disk, with a word to the user; the time is not charged to limits."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import float64, int32, int64, njit, typeof, types

from edgeopt.solvers.base import excuse

Function = TypeVar("Function", bound=Callable[..., Any])
INT, FLOAT = int64, float64
READ = types.Array(int64, 1, "C", readonly=True)  # accepts writeable arrays too
INTS, SHORTS, FLOATS, FLOATS_2D = int64[::1], int32[::1], float64[::1], float64[:, ::1]
OPTIONS = {"nogil": True, "error_model": "numpy"}

_log = logging.getLogger("edgeopt")


def compiled(function: Function) -> Function:
    """Compile as a part of the kernels that call it; it cannot be called from Python."""
    return cast(Function, njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)(function))


def inlined(function: Function) -> Function:
    """Compile as the text of its one caller, which takes half the time that a function of its own takes."""
    return cast(Function, njit(inline="always", no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)(function))


def kernel(function: Function) -> Function:
    """Compile as an entry that Python calls, cached on disk together with all that it calls."""
    return cast(Function, Kernel(function))


class Kernel:
    """A compiled entry. The first call compiles it for the types of its arguments, or loads it from the disk."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        self.folder = Path(function.__code__.co_filename).parent
        self.ready = False
        try:
            self.dispatcher: Any = njit(cache=True, no_cfunc_wrapper=True, **OPTIONS)(function)
        except RuntimeError:  # numba found no writable place for its cache
            self.dispatcher = njit(**OPTIONS)(function)

    def __call__(self, *arguments: Any) -> Any:
        """Run it."""
        if not self.ready:
            self.prepare(tuple(typeof(argument) for argument in arguments))
        return self.dispatcher(*arguments)

    def prepare(self, signature: tuple[Any, ...]) -> None:
        """Have it ready for a signature, compiled now or loaded from the disk."""
        begun = time.perf_counter()
        if not self._cached():
            _log.warning("compiling %s once, some 10 s ...", self.name)
        self.dispatcher.compile(signature)
        self.ready = True
        excuse(time.perf_counter() - begun)

    def _cached(self) -> bool:
        """Whether it is on disk and newer than its sources.

        numba looks at the file of the kernel itself only; an index older than a file beside it, which the kernel
        may be built from, is removed here, so that it cannot be stale.
        """
        if self.dispatcher.stats.cache_path is None:
            return False
        sources = max(source.stat().st_mtime for source in [*self.folder.glob("*.py"), Path(__file__)])
        fresh = False
        for index in Path(self.dispatcher.stats.cache_path).glob(f"{self.name}-*.nbi"):
            if index.stat().st_mtime < sources:
                index.unlink(missing_ok=True)
            else:
                fresh = True
        return fresh
