"""Write the shipped batching instances again: ``python instances/make.py [DIRECTORY]``.

Every file is generated, none is copied from elsewhere; the same call gives the same files on every machine.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import edgeopt

SMALL = 250
"""Instances with at most so many requests are plain JSON for people to read, larger ones are packed."""

EDGE_MODELS = ["llama-3.2-3b", "qwen2.5-1.5b", "gemma-2-2b"]


def library() -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and generator options of every shipped instance."""
    for requests in (10, 50, 100, 200, 500):
        yield f"paper-bloom3b-3nodes-{requests}", {"nodes": 3, "requests": requests, "seed": requests}
    yield "paper-bloom3b-1node-100", {"nodes": 1, "requests": 100, "seed": 1}
    relaxed = {"deadline": (3.0, 4.0), "epoch": 4.0}
    yield "paper-bloom7b1-3nodes-100", {"nodes": 3, "requests": 100, "seed": 2, "model": "bloom-7b1", **relaxed}
    for requests in (30, 100, 1000, 5000):
        yield f"all-bloom3b-1node-{requests}", {"nodes": 1, "requests": requests, "regime": "all", "seed": requests}
    yield "both-bloom3b-1node-1000", {"nodes": 1, "requests": 1000, "regime": "both", "seed": 3}
    yield "fixed-bloom3b-1node-1000", {"nodes": 1, "requests": 1000, "regime": "fixed", "seed": 4}
    levels = tuple(range(32, 32 * 33, 32))
    options = {"nodes": 1, "requests": 200, "regime": "all", "output_levels": levels, "seed": 5}
    yield "all-bloom3b-1node-200-32levels", options
    per_user = {"downlink_rule": "per-user", "regime": "all"}
    yield "all-bloom3b-1node-100-peruser", {"nodes": 1, "requests": 100, "seed": 6, **per_user}
    for requests in (20, 50, 100, 200):
        options = {"nodes": 3, "requests": requests, "regime": "both", "seed": requests}
        yield f"both-bloom3b-3nodes-{requests}", options
    # The one of the docs: gah serves 41, the optimum is 43, and both are proved in seconds.
    yield "bloom3b-3nodes-100", {"nodes": 3, "requests": 100, "regime": "both", "load": 0.42, "seed": 34}
    for requests in (60, 1000, 5000):
        options = {"nodes": 3, "requests": requests, "regime": "all", "seed": requests}
        yield f"all-bloom3b-3nodes-{requests}", options
    options = {
        "nodes": 3,
        "requests": 60,
        "model": EDGE_MODELS,
        "seed": 7,
        "waiting": "uniform",
        "deadline": (2.5, 4.0),
    }
    yield "all-edgemodels-3nodes-60", {**options, "regime": "all"}
    yield "all-bloom3b-3nodes-40-peruser", {"nodes": 3, "requests": 40, "seed": 8, **per_user}
    yield "both-bloom3b-6nodes-120", {"nodes": 6, "requests": 120, "regime": "both", "seed": 9}
    yield "ties-bloom3b-3nodes-40", {"nodes": 3, "requests": 40, "regime": "all", "corner": "ties", "seed": 10}


def main(directory: Path) -> None:
    """Write every instance of the library."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, options in library():
        instance = edgeopt.generate("batching", name=name, **options)
        ending = ".json" if len(instance.requests) <= SMALL else ".json.gz"
        edgeopt.write(instance, directory / f"{name}{ending}")
        print(f"{name}{ending}: {len(instance.nodes)} nodes, {len(instance.requests)} requests")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "batching")
