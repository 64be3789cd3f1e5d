"""What a study asks for: ``study.toml`` and the tasks that it stands for."""

from __future__ import annotations

import itertools
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from edgeopt.errors import InstanceError
from edgeopt.instances.base import problem_names
from edgeopt.solvers.base import solver
from edgeopt.studies.task import Task, sha256_of

Varied = Annotated[
    dict[str, list[Any]], Meta(description="option to the values that it takes; several options are crossed")
]
Fixed = Annotated[dict[str, Any], Meta(description="option to its value")]
MOST_SEEDS = 1_000_000
"""As many seeds may be asked for by their number; more is a slip, and its tasks could not even be counted."""
LARGEST_SEED = 2**63 - 1
"""The store takes no larger numbers."""


class InstanceFields(msgspec.Struct, forbid_unknown_fields=True):
    """Instances: files, or a generator with options; ``files`` are patterns relative to the study."""

    files: list[str] = []
    generate: str | None = None
    set: Fixed = {}
    vary: Varied = {}


class SolverFields(msgspec.Struct, forbid_unknown_fields=True):
    """A solver with options."""

    name: str
    set: Fixed = {}
    vary: Varied = {}


class SimulationFields(msgspec.Struct, forbid_unknown_fields=True):
    """Simulations of batching: policies on scenarios (options of ``edgeopt simulate``)."""

    policies: list[str]
    set: Fixed = {}
    vary: Varied = {}


class StudyFile(msgspec.Struct, forbid_unknown_fields=True):
    """A study as its file says it."""

    name: str
    seeds: Annotated[int | list[int], Meta(description="of generators and scenarios: a list, or how many from 1")] = 1
    solver_seeds: list[int] = msgspec.field(default_factory=lambda: [0])
    time_limit_s: float | None = None
    kill_after_s: Annotated[
        float | None, Meta(description="a run that takes longer is killed (s); twice the limit and 30 s when absent")
    ] = None
    instances: list[InstanceFields] = []
    solvers: list[SolverFields] = []
    simulations: list[SimulationFields] = []


class Study:
    """A study that was read, and its tasks.

    Attributes
    ----------
    name : str
    text : str
        The file as it was read.
    """

    def __init__(self, content: StudyFile, text: str, folder: Path) -> None:
        self.name = content.name
        self.text = text
        self.content = content
        self.folder = folder
        _check(content)
        self.seeds = list(range(1, content.seeds + 1)) if isinstance(content.seeds, int) else content.seeds
        limit = content.time_limit_s
        self.kill_after_s = content.kill_after_s
        if self.kill_after_s is None and limit is not None:
            self.kill_after_s = 2 * limit + 30

    def tasks(self) -> Iterator[Task]:
        """All tasks in a fixed order; those of one instance follow one another."""
        folder = str(self.folder)
        for group in self.content.instances:
            for source in self._sources(group):
                for fields in self.content.solvers:
                    for options in crossed(fields.set, fields.vary):
                        for seed in self.content.solver_seeds:
                            yield Task(
                                "solve",
                                source,
                                fields.name,
                                options,
                                seed,
                                self.content.time_limit_s,
                                self.kill_after_s,
                                folder,
                            )
        for fields_ in self.content.simulations:
            for options in crossed(fields_.set, fields_.vary):
                trace = {"trace_sha256": sha256_of(self.folder / options["trace"])} if "trace" in options else {}
                for seed in self.seeds:
                    for policy in fields_.policies:
                        source = {"scenario": options, "seed": seed, **trace}
                        yield Task("simulate", source, policy, {}, seed, None, self.kill_after_s, folder)

    def _sources(self, group: InstanceFields) -> Iterator[dict[str, Any]]:
        for pattern in group.files:
            try:
                found = sorted(self.folder.glob(pattern)) if not Path(pattern).is_absolute() else [Path(pattern)]
            except (ValueError, IndexError, OSError) as error:  # what Python raises for '', '**x' and '.'
                raise InstanceError(f"{self.name}: instances.files = {pattern!r}: no pattern of files") from error
            if not found:
                raise InstanceError(f"{self.name}: instances.files = {pattern!r}: no such file in {self.folder}")
            for path in found:
                # Named from the study, so that the same study is the same wherever it is run from.
                name = path if Path(pattern).is_absolute() else path.relative_to(self.folder)
                yield {"file": str(name), "sha256": sha256_of(path)}
        if group.generate is not None:
            for options in crossed(group.set, group.vary):
                for seed in self.seeds:
                    yield {"generate": group.generate, "options": options, "seed": seed}

    @property
    def total(self) -> int:
        """Number of tasks."""
        return sum(1 for _ in self.tasks())


def crossed(fixed: Mapping[str, Any], varied: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Options for every combination of the varied ones, the last varying fastest."""
    for values in itertools.product(*varied.values()):
        yield {**fixed, **dict(zip(varied, values, strict=True))}


def read_study(path: Path) -> Study:
    """Read a study.

    Raises
    ------
    InstanceError
        Naming file, field and mend.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = msgspec.convert(tomllib.loads(text), StudyFile)
    except OSError as error:
        raise InstanceError(f"{path}: cannot be read: {error.strerror}") from error
    except msgspec.ValidationError as error:
        raise InstanceError(f"{path}: {error}") from error
    except (ValueError, RecursionError) as error:  # also numbers and nesting beyond what Python reads
        raise InstanceError(f"{path}: not TOML: {error}") from error
    try:
        return Study(content, text, path.parent)
    except InstanceError as error:
        raise InstanceError(f"{path}: {error}") from error


def _check(content: StudyFile) -> None:
    def require(good: bool, text: str) -> None:
        if not good:
            raise InstanceError(text)

    require(bool(content.name), "name = '': must not be empty")
    if isinstance(content.seeds, int):
        require(1 <= content.seeds <= MOST_SEEDS, f"seeds = {content.seeds}: must be one or more, at most {MOST_SEEDS}")
    else:
        good = bool(content.seeds) and min(content.seeds) >= 0 and max(content.seeds) <= LARGEST_SEED
        require(good, f"seeds = {content.seeds}: must be one or more from 0 to {LARGEST_SEED}")
    good = all(abs(seed) <= LARGEST_SEED for seed in content.solver_seeds)
    require(good, f"solver_seeds = {content.solver_seeds}: must be at most {LARGEST_SEED}")
    for field in ("time_limit_s", "kill_after_s"):
        value = getattr(content, field)
        require(value is None or value > 0, f"{field} = {value} (s): must be > 0")
    require(bool(content.instances) or bool(content.simulations), "there must be [[instances]] or [[simulations]]")
    require(bool(content.solvers) == bool(content.instances), "[[instances]] and [[solvers]] need each other")
    for place, group in enumerate(content.instances):
        where = f"instances[{place}]"
        require(bool(group.files) != (group.generate is not None), f"{where}: must have either 'files' or 'generate'")
        if group.generate is not None:
            known = ", ".join(problem_names())
            require(group.generate in problem_names(), f"{where}.generate = {group.generate!r}: must be one of {known}")
            for fields in content.solvers:
                solver(group.generate, fields.name)
        require(bool(group.generate) or not (group.set or group.vary), f"{where}: 'set' and 'vary' are of 'generate'")
    for kind in ("instances", "solvers", "simulations"):
        for place, one in enumerate(getattr(content, kind)):
            twice = sorted(set(one.set) & set(one.vary))
            require(not twice, f"{kind}[{place}]: {', '.join(twice)} is in 'set' and in 'vary'")
            empty = sorted(name for name, values in one.vary.items() if not values)
            require(not empty, f"{kind}[{place}].vary: {', '.join(empty)} has no values")
            for name, value in (*one.set.items(), *((n, v) for n, values in one.vary.items() for v in values)):
                require(name != "seed", f"{kind}[{place}]: seed is no option; it is one of 'seeds' or 'solver_seeds'")
                require(_plain(value), f"{kind}[{place}]: {name} = {value}: no option is a date or time")
                good = kind != "simulations" or name != "trace" or isinstance(value, str)
                require(good, f"{kind}[{place}]: trace = {value!r}: must be the path of a CSV file")
    if content.simulations:
        from edgeopt.simulation import policy_names

        for place, group_ in enumerate(content.simulations):
            for policy in group_.policies:
                known = ", ".join(policy_names())
                require(policy in policy_names(), f"simulations[{place}].policies: no {policy!r}; there are: {known}")


def _plain(value: Any) -> bool:
    """Whether a value of TOML is one of JSON, in which runs are kept."""
    try:
        canonical(value)
    except TypeError:
        return False
    return True


def canonical(content: Any) -> str:
    """JSON with one form for equal content."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"))
