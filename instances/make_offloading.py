"""Write the shipped offloading instances again: ``python instances/make_offloading.py [DIRECTORY]``.

Every file is generated, none is copied from elsewhere; the same call gives the same content on every machine.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import edgeopt

LARGE = 100
"""Above so many tasks a file is packed."""


def library() -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and generator options of every shipped instance."""
    yield "offloading-published-100", {"seed": 1}
    yield "offloading-published-short", {"seed": 2, "slots": 8}
    yield "offloading-3servers", {"seed": 3, "servers": 3}
    yield "offloading-11servers", {"seed": 4, "servers": 11}
    yield "offloading-half-load", {"seed": 5, "slots": 50, "load": 0.5}
    yield "offloading-saturated", {"seed": 6, "slots": 50, "load": 1.0}
    yield "offloading-shared", {"seed": 7, "slots": 50, "load": 0.6, "discipline": "ps"}
    yield "offloading-fading", {"seed": 8, "slots": 50, "channel": "fading"}
    yield "offloading-tight-deadline", {"seed": 9, "slots": 30, "deadline_slots": 4.0, "load": 0.5}
    yield "offloading-no-local", {"seed": 10, "slots": 30, "device_hz": 0.0, "arrival_probability": 0.2}
    yield "offloading-busy-uplink", {"seed": 11, "slots": 50, "arrival_probability": 0.6}
    yield "offloading-tiny", {"seed": 12, "devices": 2, "servers": 2, "slots": 6, "load": 0.7}


def main(directory: Path) -> None:
    """Write every instance of the library."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, options in library():
        instance = edgeopt.generate("offloading", name=name, **options)
        path = directory / f"{name}.json{'.gz' if len(instance) > LARGE else ''}"
        edgeopt.write(instance, path)
        print(f"{path.name}: {len(instance)} tasks, {len(instance.server_id)} servers")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "offloading")
