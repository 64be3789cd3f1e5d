"""Local processes: a thread for each, which hands tasks to its child and outcomes to the caller."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from edgeopt.studies.guard import Guard
from edgeopt.studies.task import Task

Outcome = tuple[int, dict[str, Any]]
AHEAD = 3
"""Tasks that wait for each process, so that none waits for the caller."""


class LocalPool:
    """Runs tasks in `workers` processes; a context manager."""

    def __init__(self, workers: int) -> None:
        self.room = workers * (1 + AHEAD)
        self._jobs: queue.SimpleQueue[tuple[int, Task] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
        self._guards = [Guard() for _ in range(workers)]
        self._threads = [threading.Thread(target=self._serve, args=(guard,), daemon=True) for guard in self._guards]

    def __enter__(self) -> LocalPool:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _ in self._guards:
            self._jobs.put(None)
        if kind is not None:
            for guard in self._guards:
                guard.stop()
        for thread in self._threads:
            thread.join()

    def submit(self, number: int, task: Task) -> None:
        """Have a task done; its outcome comes back with its number."""
        self._jobs.put((number, task))

    def outcomes(self, timeout_s: float) -> Iterator[Outcome]:
        """What is done by now, after waiting at most so long (s) for the first."""
        try:
            found = self._done.get(timeout=timeout_s)
            while True:
                if isinstance(found, BaseException):
                    raise found
                yield found
                found = self._done.get_nowait()
        except queue.Empty:
            return

    def _serve(self, guard: Guard) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                number, task = job
                found = guard.do(task)
                if found is None:
                    return
                self._done.put((number, found))
        except BaseException as error:
            self._done.put(error)
        finally:
            guard.close()
