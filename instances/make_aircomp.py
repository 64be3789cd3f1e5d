"""Write the shipped AirComp instances again: ``python instances/make_aircomp.py [DIRECTORY]``.

Every file is generated, none is copied from elsewhere; the same call gives the same content on every machine.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import edgeopt

LARGE = 2
"""Above so many draws a file is packed."""


def library() -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and generator options of every shipped instance."""
    yield "aircomp-4dev-rician", {"seed": 1}
    yield "aircomp-8dev-rician", {"devices": 8, "seed": 2}
    yield "aircomp-8dev-rayleigh", {"devices": 8, "fading": "rayleigh", "seed": 3}
    yield "aircomp-4dev-spread20", {"gain_spread_db": 20.0, "fading": "rayleigh", "seed": 4}
    yield "aircomp-4dev-linear", {"design": "linear", "snr_db": 0.0, "seed": 5}
    yield "aircomp-8dev-linear", {"devices": 8, "design": "linear", "snr_db": 5.0, "seed": 6}
    yield "aircomp-2dev-streams", {"devices": 2, "server_antennas": 8, "antennas": 4, "streams": 2, "design": "linear",
                                   "snr_db": 5.0, "seed": 7}  # fmt: skip
    yield "aircomp-4dev-ties", {"corner": "ties", "seed": 8}
    yield "aircomp-4dev-far-device", {"corner": "far-device", "seed": 9}
    yield "aircomp-4dev-tight-budget", {"corner": "tight-budget", "seed": 10}
    yield "aircomp-3dev-open", {"devices": 3, "server_antennas": 6, "antennas": 2, "draws": 4, "shares": "open",
                                "seed": 11}  # fmt: skip
    yield "aircomp-3dev-open-linear", {"devices": 3, "server_antennas": 6, "antennas": 2, "draws": 4, "shares": "open",
                                       "design": "linear", "snr_db": 5.0, "seed": 12}  # fmt: skip
    yield "aircomp-4dev-room", {"radius_m": 30.0, "snr_db": None, "memory": True, "model": "llama-3.2-3b",
                                "hardware": "smartphone-flagship", "shares": "open", "draws": 2,
                                "seed": 13}  # fmt: skip


def main(directory: Path) -> None:
    """Write every instance of the library."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, options in library():
        instance = edgeopt.generate("aircomp", name=name, **options)
        path = directory / f"{name}.json{'.gz' if instance.draws > LARGE else ''}"
        edgeopt.write(instance, path)
        devices, server, antennas = instance.shape
        print(f"{path.name}: {devices} devices, {server} x {antennas} antennas, {instance.draws} draws")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "aircomp")
