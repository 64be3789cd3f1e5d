"""Write the shipped assignment instances again: ``python instances/make_assignment.py [DIRECTORY]``.

Every file is generated, none is copied from elsewhere; the same call gives the same files on every machine.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import edgeopt
from edgeopt.instances.assignment import AssignmentInstance


def library() -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and generator options of every shipped instance."""
    for letter in "abcde":
        yield f"gap-{letter}-5x40", {"kind": f"gap-{letter}", "bins": 5, "items": 40, "seed": 1}
    profits = {"sense": "max", "pick": "at-most-one"}
    yield "gap-c-5x40-max", {"kind": "gap-c", "bins": 5, "items": 40, "seed": 2, **profits}
    yield "gap-c-4x30-3dim-max", {"kind": "gap-c", "bins": 4, "items": 30, "dimensions": 3, "seed": 3, **profits}
    yield "knapsack-5x40", {"kind": "knapsack", "items": 40, "dimensions": 5, "seed": 4}
    yield "mmkp-5x20", {"kind": "mmkp", "items": 20, "dimensions": 5, "seed": 5}
    yield "mmkp-correlated-5x20", {"kind": "mmkp-correlated", "items": 20, "dimensions": 5, "seed": 6}
    yield "ties-5x40", {"kind": "gap-c", "bins": 5, "items": 40, "corner": "ties", "seed": 7, **profits}


def tight(most: int = 1000) -> AssignmentInstance:
    """Next-Bin's known worst case: `most` of an optimum of ``2 most - 1`` in the given order of the bins."""
    return AssignmentInstance(
        name="next-bin-tight",
        groups=2,
        group=np.array([0, 1, 0]),
        bin=np.array([0, 0, 1]),
        profit=np.array([most, most - 1, most]),
        weight=np.ones((3, 1), dtype=np.int64),
        capacity=np.ones((2, 1), dtype=np.int64),
        source="item 0 earns as much in either bin, item 1 a little less and only in bin 0; a bin holds one item",
    )


def main(directory: Path) -> None:
    """Write every instance of the library."""
    directory.mkdir(parents=True, exist_ok=True)
    drawn = (edgeopt.generate("assignment", name=name, **options) for name, options in library())
    for instance in (*drawn, tight()):
        edgeopt.write(instance, directory / f"{instance.name}.json")
        print(f"{instance.name}.json: {instance.groups} groups, {instance.choices} choices, {instance.bins} bins")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "assignment")
