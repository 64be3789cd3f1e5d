"""Several instances at a time, each in a process of its own: one that dies costs its instance and no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from edgeopt.cli import certify_run, progress
from edgeopt.cli.certify_run import Job, Said

if TYPE_CHECKING:
    from edgeopt.cli.guard import Outcome
    from edgeopt.solvers.base import Control, Progress


class _Board:
    """What is running now, on stderr every few seconds."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.running: dict[str, Progress | None] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> _Board:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        from edgeopt.cli.rows import console

        pause = progress.FIRST_S
        while not self._over.wait(pause):
            console(error=True).print(self.line(), markup=False)
            pause = progress.EVERY_S

    def line(self) -> str:
        """How many are done, and each running one with its latest value and bound."""
        parts = [name if at is None else f"{name} {_latest(at)}" for name, at in list(self.running.items())]
        return f"{self.done} of {self.total} done; running: {', '.join(parts) or 'nothing'}"


def _latest(at: Progress) -> str:
    from edgeopt.result import number

    found = "-" if at.value is None else number(at.value)
    return f"({at.solver} {found}{'' if at.bound is None else f' of {at.bound:.6g}'}, {at.seconds:.0f} s)"


def side_by_side(pending: Sequence[Job], jobs: int, hear: Callable[[Said], None], outcome: Outcome) -> None:
    """Do jobs in up to `jobs` child processes; what they say is heard here, in this thread's turn, as it comes.

    A child that dies is one refused instance with a row that says so. Ctrl-C ends the children.
    """
    from edgeopt.solvers.base import Control

    controls = [Control("certify") for _ in pending]
    lock = threading.Lock()

    def locked(said: Said) -> None:
        with lock:
            hear(said)

    with _Board(len(pending)) as board, ThreadPoolExecutor(jobs) as pool:
        waiting: set[Future[None]] = {
            pool.submit(_do, job, control, locked, board) for job, control in zip(pending, controls, strict=True)
        }
        try:
            while waiting:
                finished, waiting = wait(waiting, timeout=0.2)
                for future in finished:
                    future.result()
        except KeyboardInterrupt:
            outcome.interrupted = True
        finally:
            for future in waiting:
                future.cancel()
            for control in controls:
                control.interrupted = True


def _do(job: Job, control: Control, hear: Callable[[Said], None], board: _Board) -> None:
    from edgeopt.cli import rows
    from edgeopt.errors import BackendError
    from edgeopt.solvers import child
    from edgeopt.solvers.base import Progress

    name = str(job.file)
    board.running[name] = None
    began = time.perf_counter()

    def listen(content: Said | Progress) -> None:
        if isinstance(content, Progress):
            board.running[name] = content
        else:
            hear(content)

    try:
        child.run(certify_run.TARGET, job, control, listen)
    except BackendError as error:
        seconds = time.perf_counter() - began
        row = rows.row(instance=job.file.name, file=name, message=str(error), seconds=seconds)
        hear(Said(row, refused=f"{name}: {error}"))
    finally:
        board.running.pop(name, None)
        board.done += 1
