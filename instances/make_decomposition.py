"""Write the shipped decomposition instances again: ``python instances/make_decomposition.py [DIRECTORY]``.

Every file is generated, none is copied from elsewhere; the same call gives the same content on every machine.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import edgeopt

SMALL = 30
"""Instances with at most so many tasks are plain JSON for people to read, larger ones are packed."""


def library() -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and generator options of every shipped instance."""
    yield "decomposition-paper-4x7", {"seed": 1}
    yield "decomposition-paper-2x5", {"seed": 2, "aps": 2, "devices": 5}
    yield "decomposition-busy-60x5", {"seed": 3, "tasks": 60, "rate_per_s": 0.3, "steps": (5, 5)}
    yield "decomposition-small-3", {"seed": 4, "tasks": 3, "aps": 2, "devices": 2, "steps": (2, 2), "tick_s": 0.01}
    yield "decomposition-quiet-12", {"seed": 5, "tasks": 12, "rate_per_s": 0.01}
    yield "decomposition-burst-12", {"seed": 6, "tasks": 12, "corner": "burst"}
    yield "decomposition-chains-15-context", {"seed": 7, "tasks": 15, "shape": "chain", "context": True}
    yield "decomposition-contention-20", {"seed": 8, "tasks": 20, "access": "contention"}
    yield "decomposition-slow-radio-12", {"seed": 9, "tasks": 12, "corner": "slow-radio"}
    yield "decomposition-ties-8", {"seed": 10, "tasks": 8, "corner": "ties"}
    yield "decomposition-slots-20", {"seed": 11, "tasks": 20, "slots": 3, "rate_per_s": 1.0}
    yield "decomposition-mean-15", {"seed": 12, "tasks": 15, "aggregation": "mean", "corner": "burst"}
    floor = {"objective": "latency", "correctness_floor": 0.25}
    yield "decomposition-latency-12-floor", {"seed": 13, "tasks": 12, **floor}
    yield (
        "decomposition-on-time-20",
        {"seed": 14, "tasks": 20, "objective": "on-time", "deadline_s": (4, 15), "rate_per_s": 1.0},
    )
    yield "decomposition-uncertain-15", {"seed": 15, "tasks": 15, "uncertainty": 0.5, "steps": (2, 4)}


def main(directory: Path) -> None:
    """Write every instance of the library."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, options in library():
        instance = edgeopt.generate("decomposition", name=name, **options)
        path = directory / f"{name}.json{'.gz' if len(instance.tasks) > SMALL else ''}"
        edgeopt.write(instance, path)
        print(f"{path.name}: {len(instance.tasks)} tasks, {len(instance.nodes)} nodes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "decomposition")
