"""Work in a process of its own: it can be stopped for certain, and what it found survives.

A library in native code may ignore its time limit, hold the interpreter's lock, print on the standard
output or die. So the back ends run in a child that is started once, kept warm for the next call, and killed
when it does not return in time. What it reports on the way stays with the parent. The child ignores
Ctrl-C (the parent passes it on as a wish to stop) and ends with its parent, however that ends.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import pickle
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

from edgeopt.errors import BackendError, EdgeoptError
from edgeopt.solvers.base import Control

GRACE_S = 0.5
"""How long (s) a child may take to return after it was asked to stop; then it is killed."""
START_S = 60.0
"""How long (s) a child may take to start."""
POLL_S = 0.02
_PING, _STOP = "ping", "stop"

_BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from edgeopt.solvers.child import main; main()"


def run(target: str, job: Any, control: Control, hear: Callable[[Any], None], *, imports: Sequence[str] = ()) -> Any:
    """Call a function in a child process.

    The clock starts when the child is ready: the call lasts at most what is left of the time limit,
    plus the start of the child (about a second, once a process), plus `GRACE_S`.

    Parameters
    ----------
    target : str
        ``module:function``, called as ``function(job, seconds, emit, stop)`` with the time left (s, or
        None), a function that sends an object to the parent, and a `threading.Event` to obey.
    job : object
        Anything that can be pickled.
    control : Control
        Its limit and its interruption are obeyed; `workers` tells children apart, because a library
        may set up its threads only once.
    hear : callable
        Called here with each object that the child emits.
    imports : sequence of str
        Modules that the child imports while it starts.

    Returns
    -------
    object or None
        What the function returned; None if it did not return in time and was killed.

    Raises
    ------
    BackendError
        If the child cannot start, dies, or the function raises.
    """
    seconds = control.remaining()
    child = _take(target, control.workers, imports)
    try:
        returned = child.ready(control) and child.work(target, job, seconds, control, hear)
    except BaseException:
        child.kill()
        raise
    if not returned:
        child.kill()
        return None
    _keep(target, child)
    return returned[0]


class Child:
    """The parent's end of one child process."""

    def __init__(self, workers: int, imports: Sequence[str]) -> None:
        self.workers = workers
        self._started = False
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed by forget
        ours, theirs = socket.socketpair()
        self._connection = Connection(ours.detach())
        with theirs:
            # A session of its own keeps the terminal's Ctrl-C away; the pipe to its standard input is
            # never written: it breaks when this process ends, see `_end_with_parent`.
            self._process = subprocess.Popen(
                [sys.executable, "-c", _BOOT, json.dumps(sys.path), str(theirs.fileno()), json.dumps(list(imports))],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._words,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        _alive.add(self)

    @property
    def pid(self) -> int:
        """Process number."""
        return self._process.pid

    def ready(self, control: Control) -> bool:
        """Wait until the child has started; False if interrupted before that.

        Raises
        ------
        BackendError
            If it does not start.
        """
        begun = time.perf_counter()
        while not self._started:
            if control.interrupted:
                return False
            if time.perf_counter() - begun > START_S:
                raise BackendError(f"the solver's process did not start within {START_S:g} s")
            if self._connection.poll(POLL_S):
                self._receive()
                self._started = True
        return True

    def answers(self) -> bool:
        """Whether an idle child still lives: a process that is dying may look alive to the system."""
        try:
            self._send(_PING)
            return self._connection.poll(START_S) and self._receive() == ("ready", None)
        except BackendError:
            return False

    def work(
        self, target: str, job: Any, seconds: float | None, control: Control, hear: Callable[[Any], None]
    ) -> tuple[Any] | None:
        """Call a function in the child; None if it must be killed to obey the limit.

        Raises
        ------
        BackendError
            If the child dies or the function raises.
        """
        self._send((target, pickle.dumps(job), seconds))
        begun = time.perf_counter()
        asked: float | None = None
        while True:
            if self._connection.poll(POLL_S):
                kind, content = self._receive()
                if kind == "done":
                    return (content,)
                hear(content)
            now = time.perf_counter()
            late = seconds is not None and now - begun >= seconds
            if asked is None and (late or control.interrupted):
                self._send(_STOP)
                asked = now
            if asked is not None and now - asked >= GRACE_S:
                return None

    def _send(self, message: Any) -> None:
        try:
            self._connection.send(message)
        except OSError as error:
            raise self._death() from error

    def _receive(self) -> tuple[str, Any]:
        try:
            kind, content = self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._death() from error
        if kind == "error":
            raise BackendError(content)
        return kind, content

    def _death(self) -> BackendError:
        code = self._process.wait()
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        self._words.seek(0)
        words = self._words.read().decode(errors="replace").strip().splitlines()
        return BackendError(f"the solver's process died ({how})" + (f": {words[-1]}" if words else ""))

    def kill(self) -> None:
        """End the process now."""
        self._process.kill()
        self._process.wait()
        self.forget()

    def forget(self) -> None:
        """Close this end of the pipes."""
        _alive.discard(self)
        self._connection.close()
        self._words.close()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()


_alive: set[Child] = set()
_idle: dict[str, Child] = {}
"""The warm child of each target, while nobody uses it."""
_idle_lock = threading.Lock()


def _take(target: str, workers: int, imports: Sequence[str]) -> Child:
    """The warm child if there is a fitting one, else a new one."""
    with _idle_lock:
        child = _idle.pop(target, None)
    if child is not None:
        if child.workers == workers and child.answers():
            return child
        child.kill()
    return Child(workers, imports)


def _keep(target: str, child: Child) -> None:
    with _idle_lock:
        other = _idle.get(target)
        _idle[target] = child
    if other is not None:
        other.kill()


@atexit.register
def close() -> None:
    """End all children; the next call starts new ones."""
    with _idle_lock:
        _idle.clear()
    for child in list(_alive):
        child.kill()


def _forked() -> None:
    """In a forked copy of this process: the children belong to the original."""
    global _idle_lock
    _idle_lock = threading.Lock()
    _idle.clear()
    for child in list(_alive):
        child._process.returncode = 0  # not ours to wait for
        child.forget()


os.register_at_fork(after_in_child=_forked)


def main() -> None:
    """The child: obey the parent until it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    connection = Connection(int(sys.argv[2]))
    sending = threading.Lock()

    def send(kind: str, content: Any) -> None:
        with sending:
            connection.send((kind, content))

    stop = threading.Event()
    jobs: queue.SimpleQueue[tuple[str, bytes, float | None]] = queue.SimpleQueue()

    def listen() -> None:
        try:
            while True:
                message = connection.recv()
                if message == _PING:
                    send("ready", None)
                elif message == _STOP:
                    stop.set()
                else:
                    stop.clear()
                    jobs.put(message)
        except (EOFError, OSError):
            os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    try:
        for name in json.loads(sys.argv[3]):
            import_module(name)
    except ImportError as error:
        send("error", f"cannot import {name}: {error}")
        return
    send("ready", None)
    while True:
        target, pickled, seconds = jobs.get()
        module, _, name = target.partition(":")
        try:
            function = getattr(import_module(module), name)
            result = function(pickle.loads(pickled), seconds, lambda content: send("event", content), stop)
            send("done", result)
        except EdgeoptError as error:
            send("error", str(error))
        except BaseException as error:
            place = "".join(traceback.format_exception(error))
            send("error", f"{target} failed: {type(error).__name__}: {error}\n{place}")


def _end_with_parent() -> None:
    """Have the system end this process when the parent's end of our standard input closes.

    The default action of SIGIO ends the process without the interpreter's lock, which a hanging library
    may hold. Where the system cannot do that, the listening thread sees the end of its connection.
    """
    if sys.platform == "linux":
        import fcntl

        signal.signal(signal.SIGIO, signal.SIG_DFL)
        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
