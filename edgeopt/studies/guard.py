"""A run in a process of its own: when that dies or takes too long, one run is lost, and recorded as such."""

from __future__ import annotations

import time
from typing import Any

from edgeopt.errors import BackendError
from edgeopt.solvers.base import Control
from edgeopt.solvers.child import Child
from edgeopt.studies.task import DIED, OVERRUN, TARGET, Task

IMPORTS = ("edgeopt.studies.task",)


class Guard:
    """Does tasks one after another in a child that is kept warm; not for use by several threads at a time."""

    def __init__(self) -> None:
        self._child: Child | None = None
        self._control = Control("study")

    def do(self, task: Task) -> dict[str, Any] | None:
        """What came of a task; None if `stop` was called meanwhile."""
        began = time.perf_counter()
        try:
            if self._child is None:
                self._child = Child(1, IMPORTS)
            if not self._child.ready(self._control):
                return None
            began = time.perf_counter()
            returned = self._child.work(TARGET, task, task.kill_after_s, self._control, lambda _: None)
        except BackendError as error:
            self.close()
            if self._control.interrupted:
                return None
            return {"status": DIED, "message": str(error), "seconds": time.perf_counter() - began}
        if returned is not None:
            found: dict[str, Any] = returned[0]
            return found
        self.close()
        if self._control.interrupted:
            return None
        text = f"killed after {task.kill_after_s:g} s"
        return {"status": OVERRUN, "message": text, "seconds": time.perf_counter() - began}

    def stop(self) -> None:
        """Have the task that is running end without a result; for another thread."""
        self._control.interrupted = True

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            self._child = None
