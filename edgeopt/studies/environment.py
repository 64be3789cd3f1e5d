"""What a run was made with."""

from __future__ import annotations

import platform
from importlib import metadata

from edgeopt import __version__

PACKAGES = ("numpy", "scipy", "numba", "highspy", "ortools", "pyomo", "cvxpy", "clarabel", "pyscipopt", "distributed")


def versions() -> dict[str, str]:
    """Versions by part; packages that are not installed are left out."""
    found = {"edgeopt": __version__, "python": platform.python_version(), "platform": platform.platform()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
