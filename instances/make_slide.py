"""Write the shipped slide instances again: ``python instances/make_slide.py [DIRECTORY]``.

Every file is generated, none is copied from elsewhere; the same call gives the same content on every machine.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import edgeopt

LARGE = 200
"""Above so many users, or with tables of their own, a file is packed."""
LANGUAGE = {"model": ["gpt2", "bloom-560m", "qwen2.5-0.5b"], "bits_per_parameter": 4.0, "deadline_s": (5, 20)}
CAST: dict[str, Any] = {
    "users": 40,
    "bandwidth_hz": 3e7,
    "model": ["mobilenet_v2", "vit_b_32"],
    "deadline_s": (0.3, 3.0),
    "batch": (1, 1),
    "energy": False,
    "seed": 18,
}
"""Users of two models: with several broadcasts of one model one user more is served than with one."""


def library() -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and generator options of every shipped instance."""
    yield "slide-images-20", {"seed": 1}
    yield "slide-images-200", {"users": 200, "seed": 2}
    yield "slide-images-2000", {"users": 2000, "bandwidth_hz": 1e9, "seed": 3}
    yield "slide-images-200-no-energy", {"users": 200, "energy": False, "seed": 4}
    yield "slide-blocks-50", {"users": 50, "granularity": "block", "model": "vit_b_16", "bandwidth_hz": 5e8, "seed": 5}
    yield "slide-language-30", {"users": 30, "bandwidth_hz": 2e8, "seed": 6, **LANGUAGE}
    yield "slide-own-layers-100", {"users": 100, "layers": 50, "seed": 7}
    yield "slide-ties-60", {"users": 60, "corner": "ties", "seed": 8}
    yield "slide-one-layer-40", {"users": 40, "corner": "one-layer", "seed": 9}
    yield "slide-even-split-15", {"users": 15, "corner": "even-split", "seed": 10}
    yield "slide-energy-tight-40", {"users": 40, "corner": "energy-tight", "seed": 11}
    yield "slide-infeasible-users-40", {"users": 40, "corner": "infeasible-users", "seed": 12}
    yield "slide-weighted-40", {"variant": "weighted", "users": 40, "bandwidth_hz": 3e7, "seed": 17}
    yield "slide-concave-40", {"variant": "concave", "users": 40, "bandwidth_hz": 5e7, "seed": 17}
    yield "slide-multicast-40", {"variant": "multicast", **CAST}
    yield "slide-multicast-many-40", {"variant": "multicast-many", **CAST}
    yield "slide-time-varying-20", {"variant": "time-varying", "users": 20, "bandwidth_hz": 3e7, "seed": 17}


def main(directory: Path) -> None:
    """Write every instance of the library."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, options in library():
        instance = edgeopt.generate("slide", name=name, **options)
        packed = len(instance.users) > LARGE or "layers" in options
        path = directory / f"{name}.json{'.gz' if packed else ''}"
        edgeopt.write(instance, path)
        print(f"{path.name}: {len(instance.users)} users, {len(instance.models)} models")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "slide")
