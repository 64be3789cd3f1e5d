"""The same runs on a Dask cluster (extra ``cluster``): each in a process of its own on whatever worker takes it.

A worker that dies costs nothing: the scheduler gives its tasks to another one. A task that takes down several workers
is recorded as died. Files that a study names must be there for the workers as well.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from importlib.util import find_spec
from types import TracebackType
from typing import Any

from edgeopt import __version__
from edgeopt.errors import BackendError
from edgeopt.studies.guard import Guard
from edgeopt.studies.task import DIED, Task

CONNECT_S = 10.0
AHEAD = 3

_local = threading.local()


def do(task: Task) -> dict[str, Any]:
    """Do a task on a worker, guarded; each thread of the worker keeps a child of its own."""
    guard: Guard | None = getattr(_local, "guard", None)
    if guard is None:
        guard = _local.guard = Guard()
    found = guard.do(task)
    assert found is not None  # nobody stops this guard
    return found


def version() -> str:
    """The version of edgeopt on a worker."""
    return __version__


class DaskPool:
    """Runs tasks on the cluster behind a scheduler's address; a context manager like `local.LocalPool`.

    Raises
    ------
    BackendError
        If distributed is not installed, the scheduler cannot be reached, has no workers, or a worker has another
        edgeopt.
    """

    def __init__(self, address: str) -> None:
        if find_spec("distributed") is None:
            raise BackendError("--scheduler needs distributed: pip install 'edgeopt[cluster]' (the extra cluster)")
        from distributed import Client

        try:
            self._client: Any = Client(address, timeout=CONNECT_S)
        except (OSError, TimeoutError, ValueError) as error:
            raise BackendError(f"no Dask scheduler at {address}: {error}") from error
        self._number: dict[Any, int] = {}
        try:
            versions = self._client.run(version)
        except Exception as error:
            self._client.close()
            raise BackendError(f"the workers at {address} cannot run edgeopt {__version__}: {error}") from error
        other = {where: found for where, found in versions.items() if found != __version__}
        if other or not versions:
            self._client.close()
            where, found = next(iter(other.items()), ("none", "no worker"))
            raise BackendError(f"workers at {address}: {where} has edgeopt {found}, not {__version__}")
        self.room = (1 + AHEAD) * max(1, sum(self._client.nthreads().values()))

    def __enter__(self) -> DaskPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._client.cancel(list(self._number), force=True)
        self._client.close()

    def submit(self, number: int, task: Task) -> None:
        """Have a task done; its outcome comes back with its number."""
        self._number[self._client.submit(do, task, pure=False)] = number

    def outcomes(self, timeout_s: float) -> Iterator[tuple[int, dict[str, Any]]]:
        """What is done by now, after waiting at most so long (s) for the first."""
        from distributed import wait

        try:
            done = wait(list(self._number), timeout=timeout_s, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            return
        for future in done:
            number = self._number.pop(future)
            error = future.exception()
            if error is None:
                yield number, future.result()
            else:
                yield number, {"status": DIED, "message": f"{type(error).__name__}: {error}"[:500]}
