"""One run of a study, and how it is done in whatever process it lands in."""

from __future__ import annotations

import hashlib
import json
import math
import threading
import time
from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from edgeopt import __version__
from edgeopt.errors import AssumptionError, EdgeoptError, InstanceError
from edgeopt.instances.base import generate
from edgeopt.instances.io import read
from edgeopt.solvers.base import solve

TARGET = "edgeopt.studies.task:run"
DONE, REFUSED, FAILED, DIED, OVERRUN = "done", "refused", "failed", "died", "overrun"
"""How a run ended: with an answer; not taken by the solver; with an error; with its process; over its limit."""


@dataclass(frozen=True, slots=True)
class Task:
    """One run.

    Attributes
    ----------
    kind : {"solve", "simulate"}
    source : dict
        Where the instance comes from: a file, or a generator or scenario with options and seed. Files are named from
        the study's folder and have their sha256 beside them.
    solver : str
        Solver, or policy of a simulation.
    options : dict
        Of the solver.
    seed : int
        Of the solver.
    time_limit_s, kill_after_s : float or None
        The solver's own limit, and when its process is killed (s).
    folder : str
        Of the study; no part of what the run is known by.
    """

    kind: str
    source: dict[str, Any]
    solver: str
    options: dict[str, Any]
    seed: int
    time_limit_s: float | None
    kill_after_s: float | None
    folder: str = ""

    def key(self, digest: str) -> str:
        """What the run is known by: the instance's content, the solver, its options and limit, our version."""
        content = {
            "instance": digest, "kind": self.kind, "solver": self.solver, "options": self.options, "seed": self.seed,
            "time_limit_s": self.time_limit_s, "version": __version__,
        }  # fmt: skip
        return hashlib.sha256(_canonical(content)).hexdigest()


def _canonical(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Identity:
    """What a source turned out to be.

    Attributes
    ----------
    digest, name, problem, sense : str
    size : int or None
        Number of requests, users, items, ...
    """

    digest: str
    name: str
    problem: str
    sense: str
    size: int | None


SIZES = ("requests", "users", "items", "groups", "tasks", "devices", "layers")
"""Fields whose length, or value, is an instance's size: the first that it has."""


def identify(source: Mapping[str, Any], folder: str = "") -> Identity:
    """Make or read the instance of a source, and say what it is."""
    from edgeopt.instances.base import sense_of

    if "scenario" in source:
        # A trace counts by its content, wherever it lies.
        options = {name: value for name, value in source["scenario"].items() if name != "trace"}
        content = {"scenario": options, "seed": source["seed"], "trace": source.get("trace_sha256")}
        digest = hashlib.sha256(_canonical(content)).hexdigest()
        text = ", ".join(f"{name}={value}" for name, value in source["scenario"].items())
        return Identity(digest, f"scenario {text or 'default'} seed {source['seed']}", "batching", "max", None)
    instance = instance_of(source, folder)
    return Identity(instance.digest, instance.name, instance.problem, sense_of(instance), size_of(instance))


def sha256_of(path: Path) -> str:
    """Hash of a file as it lies there.

    Raises
    ------
    InstanceError
        If it cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError) as error:  # the latter for a name that no file can have
        raise InstanceError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _unchanged(path: Path, sha256: str) -> Path:
    """A file of a study, which must be what it was when the study was read: the run is kept under that content."""
    if sha256_of(path) != sha256:
        raise InstanceError(f"{path}: the file has changed since; run the study again")
    return path


def size_of(instance: Any) -> int | None:
    """How large an instance is; None if nobody knows."""
    for name in SIZES:
        found: Any = getattr(instance, name, None)
        if isinstance(found, int):
            return found
        if isinstance(found, Sized):
            return len(found)
    return None


def instance_of(source: Mapping[str, Any], folder: str = "") -> Any:
    """The instance of a source that is a file, named from the study's folder, or a generator's.

    Raises
    ------
    InstanceError
        If it cannot be made or read, or the file is not the one of the source.
    """
    return _instance(_canonical(source), folder)


@lru_cache(maxsize=2)
def _instance(source: bytes, folder: str) -> Any:
    """The instance of a source; the last ones are kept, since tasks of one instance follow one another."""
    content = json.loads(source)
    if "file" in content:
        return read(_unchanged(Path(folder) / content["file"], content["sha256"]))
    return generate(content["generate"], seed=content["seed"], **content["options"])


def execute(task: Task) -> dict[str, Any]:
    """Do a run; whatever goes wrong is an entry, not an exception.

    Returns
    -------
    dict
        The columns of the store that a run fills.
    """
    began = time.perf_counter()
    try:
        found = _simulated(task) if task.kind == "simulate" else _solved(task)
        return {"status": DONE, **found}
    except AssumptionError as error:
        return {"status": REFUSED, "message": str(error), "seconds": time.perf_counter() - began}
    except EdgeoptError as error:
        return {"status": FAILED, "message": str(error), "seconds": time.perf_counter() - began}
    except Exception as error:
        text = f"{type(error).__name__}: {error}"[:500]
        return {"status": FAILED, "message": text, "seconds": time.perf_counter() - began}


def _solved(task: Task) -> dict[str, Any]:
    instance = instance_of(task.source, task.folder)
    _ = getattr(instance, "compiled", None)  # or the first solver on it would pay for all
    result = solve(instance, task.solver, time_limit=task.time_limit_s, seed=task.seed, **task.options)
    return {
        "value": result.value,
        "value_evidence": _text(result.value_evidence),
        "bound": result.bound,
        "bound_evidence": _text(result.bound_evidence),
        "termination": str(result.termination),
        "seconds": result.seconds,
        "metrics": dict(result.effort),
        "message": result.message,
    }


def _simulated(task: Task) -> dict[str, Any]:
    from edgeopt.simulation import scenario, simulate

    began = time.perf_counter()
    options = dict(task.source["scenario"])
    if "trace" in options:
        options["trace"] = str(_unchanged(Path(task.folder) / options["trace"], task.source["trace_sha256"]))
    live = scenario(seed=task.source["seed"], **options)
    outcome = simulate(live, task.solver)
    summary = {name: None if _nan(value) else value for name, value in outcome.summary().items() if name != "policy"}
    return {
        "value": summary["completion_rate"],
        "value_evidence": "checked",
        "termination": "complete",
        "seconds": time.perf_counter() - began,
        "metrics": summary,
    }


def _nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def run(task: Task, seconds: float | None, emit: Callable[[Any], None], stop: threading.Event) -> dict[str, Any]:
    """Do a run in a child process; see `edgeopt.solvers.child`."""
    return execute(task)
