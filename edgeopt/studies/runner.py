"""Runs a study: what the store does not have is done, and kept the moment that it is finished."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from edgeopt.errors import EdgeoptError
from edgeopt.studies.store import Store
from edgeopt.studies.study import Study, canonical
from edgeopt.studies.task import DONE, FAILED, REFUSED, Identity, Task, identify

POLL_S = 0.1


class Pool(Protocol):
    """Where tasks are done: `local.LocalPool` or `cluster.DaskPool`."""

    room: int

    def submit(self, number: int, task: Task) -> None: ...
    def outcomes(self, timeout_s: float) -> Iterator[tuple[int, dict[str, Any]]]: ...


@dataclass(slots=True)
class Progress:
    """How far a study is.

    Attributes
    ----------
    total, kept, done, failed : int
        Tasks; those that the store had already; those finished now; how many of both are without an answer.
    seconds : float
        Since the beginning (s).
    """

    total: int
    kept: int = 0
    done: int = 0
    failed: int = 0
    seconds: float = 0.0

    def line(self) -> str:
        """In words, with rate and time left."""
        text = f"{self.kept + self.done} of {self.total} runs"
        if self.kept:
            text += f" ({self.kept} kept)"
        if self.failed:
            text += f", {self.failed} without an answer"
        if self.done and self.seconds > 0:
            rate = self.done / self.seconds
            left = self.total - self.kept - self.done
            text += f", {rate:.3g} runs/s" + (f", {duration(left / rate)} left" if left else "")
        return text


def duration(seconds: float) -> str:
    """A time in words."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def run_study(
    study: Study,
    store: Store,
    pool: Pool,
    *,
    retry: bool = False,
    environment: dict[str, Any] | None = None,
    listen: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Do what is left of a study.

    Parameters
    ----------
    study : Study
    store : Store
    pool : Pool
        Entered.
    retry : bool
        Whether runs that ended without an answer (died, overrun, failed) are done again.
    environment : dict, optional
        Versions to note with every run.
    listen : callable
        Hears after every finished run, and now and then.

    Returns
    -------
    Progress
        At the end. Nothing that was finished is lost when this raises, e.g. at Ctrl-C.
    """
    progress = Progress(study.total)
    store.begin(study.name, study.text, progress.total, study.folder)
    number = store.environment(environment or {})
    began = time.perf_counter()
    waiting: dict[int, tuple[Task, Identity]] = {}
    seen: set[str] = set()
    left = _left(study, store, progress, retry, seen, number)
    exhausted = False
    count = 0
    while not exhausted or waiting:
        while not exhausted and len(waiting) < pool.room:
            found = next(left, None)
            if found is None:
                exhausted = True
                break
            waiting[count] = found
            pool.submit(count, found[0])
            count += 1
        if not waiting:
            break
        for place, outcome in pool.outcomes(POLL_S):
            task, identity = waiting.pop(place)
            store.add(study.name, task, identity, outcome, number)
            progress.done += 1
            progress.failed += outcome["status"] not in (DONE, REFUSED)
        progress.seconds = time.perf_counter() - began
        listen(progress)
    progress.seconds = time.perf_counter() - began
    listen(progress)
    return progress


def _left(
    study: Study, store: Store, progress: Progress, retry: bool, seen: set[str], environment: int
) -> Iterator[tuple[Task, Identity]]:
    """Tasks that the store has no answer to; the same run is done once, however often it is asked for."""
    for task in study.tasks():
        try:
            identity = _identity(store, task)
        except EdgeoptError as error:
            unknown = Identity(canonical(task.source), canonical(task.source), "", "", None)
            key = task.key(unknown.digest)
            store.ask(study.name, key)
            if store.status(key) is None or retry:
                store.add(study.name, task, unknown, {"status": FAILED, "message": str(error)}, environment)
                progress.done += 1
            else:
                progress.kept += 1
            progress.failed += 1
            continue
        key = task.key(identity.digest)
        store.ask(study.name, key)
        status = store.status(key)
        known = status in (DONE, REFUSED) or (status is not None and not retry)
        if known or key in seen:
            progress.kept += 1
            progress.failed += key not in seen and status not in (DONE, REFUSED)
            continue
        seen.add(key)
        yield task, identity


def _identity(store: Store, task: Task) -> Identity:
    spec = canonical({"source": task.source, "version": _version()})
    found = store.identity(spec)
    if found is None:
        found = identify(task.source, task.folder)
        store.learn(spec, found)
    return found


def _version() -> str:
    from edgeopt import __version__

    return __version__
