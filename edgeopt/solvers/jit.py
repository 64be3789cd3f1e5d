"""One door to numba: compiled once, cached on disk, with a word to the user; the time is not charged to limits.

A kernel may have *parts*: functions that it calls by their address. They are compiled by themselves, by other processes
while this one compiles the kernel, so that the first call takes half as long on two cores.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import contextlib
import inspect
import json
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import config, float64, int32, int64, njit, typeof, types, uint64
from numba.core import cgutils, event
from numba.extending import lower_builtin, type_callable

from edgeopt.solvers.base import excuse

Function = TypeVar("Function", bound=Callable[..., Any])
INT, FLOAT = int64, float64
READ = types.Array(int64, 1, "C", readonly=True)  # accepts writeable arrays too
INTS, SHORTS, FLOATS, FLOATS_2D = int64[::1], int32[::1], float64[::1], float64[:, ::1]
INTS_2D, WORDS = int64[:, ::1], uint64[::1]
AXES = "axes"
"""Among the types of a part: a tuple as long as there are capacities, known when it is compiled."""
OPTIONS = {"nogil": True, "error_model": "numpy"}

_log = logging.getLogger("edgeopt")


def compiled(function: Function) -> Function:
    """Compile together with the kernels that call it; it cannot be called from Python."""
    return cast(Function, njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)(function))


def inlined(function: Function) -> Function:
    """Compile as the text of its one caller, which takes half the time that a function of its own takes."""
    return cast(Function, njit(inline="always", no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)(function))


def kernel(function: Function) -> Function:
    """Compile as an entry that Python calls, cached on disk together with all that it calls."""
    return cast(Function, Kernel(function))


def _cached(function: Callable[..., Any], **options: bool) -> Any:
    """Compile with numba, cached on disk where it finds a writable place."""
    try:
        return njit(cache=True, **options, **OPTIONS)(function)
    except RuntimeError:
        return njit(**options, **OPTIONS)(function)


class Part:
    """A function that kernels call by its address.

    What is merely `compiled` is compiled once more with everything that calls it. Compiled code calls `call`, with the
    address as first argument; what a part raises goes on to the caller.
    """

    def __init__(self, function: Callable[..., Any], returns: Any, parameters: tuple[Any, ...]) -> None:
        self.name = f"{function.__module__}:{function.__name__}"
        self.function = function
        self.returns = returns
        self.parameters = parameters
        self.dispatcher = _cached(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)
        self._addresses: dict[int, int] = {}
        self._alive: list[Any] = []  # what the machine code belongs to

        def call(address: int, *arguments: Any) -> Any:
            raise NotImplementedError(f"{self.name} is called by its address, from compiled code")

        def typer(*arguments: Any) -> Any:
            whole = self.signature(len(arguments[-1]))
            return whole.replace(args=(int64, *whole.args))

        # numba folds starred arguments into a tuple; named ones stay apart.
        own = inspect.signature(function)
        first = inspect.Parameter("address", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        typer.__signature__ = own.replace(parameters=[first, *own.parameters.values()])  # type: ignore[attr-defined]
        type_callable(call)(lambda context: typer)

        def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            returned, kinds = signature.return_type, signature.args[1:]
            own = context.call_conv.get_function_type(returned, kinds)
            pointer = builder.inttoptr(arguments[0], own.as_pointer())
            status, found = context.call_conv.call_function(builder, pointer, returned, kinds, arguments[1:])
            with cgutils.if_unlikely(builder, status.is_error):
                context.call_conv.return_status_propagate(builder, status)
            return found

        lower_builtin(call, int64, types.VarArg(types.Any))(lower)
        self.call = call

    def signature(self, rows: int) -> Any:
        """Types, for so many capacities."""
        axes = types.UniTuple(int64, rows)
        return self.returns(*(axes if kind is AXES else kind for kind in self.parameters))

    def address(self, rows: int) -> int:
        """Where its machine code lies, compiled now or loaded from the disk."""
        if rows not in self._addresses:
            signature = self.signature(rows)
            self.dispatcher.compile(signature.args)
            found = self.dispatcher.overloads.get(signature.args)
            if found is None:  # two processes wrote to the cache at once
                self.dispatcher = cast(Any, compiled(self.function))
                self.dispatcher.compile(signature.args)
                found = self.dispatcher.overloads[signature.args]
            if found.signature.return_type != self.returns:
                raise TypeError(f"{self.name} returns {found.signature.return_type}, not {self.returns}")
            self._addresses[rows] = found.library.get_pointer_to_function(found.fndesc.llvm_func_name)
            self._alive.append(found)
        return self._addresses[rows]


def part(returns: Any, *parameters: Any) -> Callable[[Callable[..., Any]], Part]:
    """Compile as a `Part` with these types; the last parameter is `AXES`."""
    return lambda function: Part(function, returns, parameters)


class Kernel:
    """A compiled entry. The first call compiles it for the types of its arguments, or loads it from the disk."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        self.folder = Path(function.__code__.co_filename).parent
        self.ready = False
        self.dispatcher = _cached(function, no_cfunc_wrapper=True)

    def __call__(self, *arguments: Any) -> Any:
        """Run it."""
        if not self.ready:
            self.prepare(tuple(typeof(argument) for argument in arguments))
        return self.dispatcher(*arguments)

    def prepare(self, signature: tuple[Any, ...], parts: Sequence[Part] = (), rows: int = 0) -> list[int]:
        """Have it ready for a signature, and its parts for so many capacities; return where the parts lie.

        They must come from the kernel's folder.
        """
        begun = time.perf_counter()
        self._remove_stale()
        helpers = _Helpers([(part, rows) for part in parts], cached=self.dispatcher.stats.cache_path is not None)
        with event.install_listener("numba:compile", _Start(self, helpers)), helpers:
            self.dispatcher.compile(signature)
        addresses = [part.address(rows) for part in parts]
        self.ready = True
        excuse(time.perf_counter() - begun)
        return addresses

    def _remove_stale(self) -> None:
        """Remove from numba's cache what is older than a source beside the kernel, which it may be built from.

        numba looks at the file of the kernel itself only.
        """
        if self.dispatcher.stats.cache_path is None:
            return
        sources = max(source.stat().st_mtime for source in [*self.folder.glob("*.py"), Path(__file__)])
        for file in Path(self.dispatcher.stats.cache_path).glob("*.nb[ci]"):
            with contextlib.suppress(OSError):  # another process is quicker
                if file.stat().st_mtime < sources:
                    file.unlink()


class _Start(event.Listener):  # type: ignore[misc]
    """Hears that a kernel was not in the cache, tells the user, and calls in the helpers."""

    def __init__(self, kernel: Kernel, helpers: _Helpers) -> None:
        self.kernel = kernel
        self.helpers = helpers
        self.thread = threading.get_ident()

    def on_start(self, heard: Any) -> None:
        if heard.data["dispatcher"] is self.kernel.dispatcher and threading.get_ident() == self.thread:
            _log.warning("compiling %s once, some 10 s ...", self.kernel.name)
            self.helpers.start()

    def on_end(self, heard: Any) -> None:
        pass


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


PATIENCE_S = 60.0
"""Time (s) after which a helper counts as hanging, once this process waits for it."""

_BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from edgeopt.solvers.jit import serve; serve()"


class _Helpers:
    """Processes on the other cores that compile parts into the cache, until none is left."""

    def __init__(self, parts: list[tuple[Part, int]], *, cached: bool) -> None:
        self._left: queue.SimpleQueue[tuple[Part, int]] = queue.SimpleQueue()
        for item in parts:
            self._left.put(item)
        python = Path(sys.executable or "").name.startswith("python")  # not a program that Python is embedded in
        self._most = min(len(parts), _cores() - 1) if cached and python else 0
        self._processes: list[subprocess.Popen[str]] = []
        self._threads: list[threading.Thread] = []
        self._busy: set[threading.Thread] = set()  # whose helper answers

    def start(self) -> None:
        """Start them; without any, the parts are compiled here in the end."""
        path = json.dumps([place for place in sys.path if isinstance(place, str)])
        folder = {"NUMBA_CACHE_DIR": config.CACHE_DIR} if config.CACHE_DIR else {}
        for _ in range(self._most):
            try:
                # -P: nothing comes from the current directory that this process would not import from there.
                process = subprocess.Popen(
                    [sys.executable, "-P", "-c", _BOOT, path], env={**os.environ, **folder},
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                )  # fmt: skip
                self._processes.append(process)
                thread = threading.Thread(target=self._feed, args=(process,), daemon=True)
                thread.start()
                self._threads.append(thread)
            except (OSError, RuntimeError):  # no more processes or threads for us
                return

    def _feed(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(queue.Empty, OSError, ValueError):  # nothing left, it died, or its pipes are closed
            while _DONE in process.stdout:  # reads up to that line
                self._busy.add(threading.current_thread())
                part, rows = self._left.get_nowait()
                print(part.name, rows, file=process.stdin, flush=True)

    def __enter__(self) -> None:
        """Begin with nobody."""

    def __exit__(self, kind: Any, *_: object) -> None:
        """Compile what nobody has begun, and wait for the others; what they do not do is compiled here in the end."""
        try:
            while self._processes and kind is None:
                part, rows = self._left.get_nowait()
                part.address(rows)
        except queue.Empty:
            for thread in tuple(self._busy):
                thread.join(PATIENCE_S)
        finally:
            for process in self._processes:
                process.kill()
                process.communicate()


_DONE = "edgeopt: done\n"


def serve() -> None:
    """Compile into the cache the parts that are named on standard input, one a line."""
    print(_DONE, end="", flush=True)
    for line in sys.stdin:
        name, rows = line.split()
        module, _, function = name.partition(":")
        getattr(import_module(module), function).address(int(rows))
        print(_DONE, end="", flush=True)
