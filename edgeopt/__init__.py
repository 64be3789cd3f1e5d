"""Optimisation for AI at the wireless edge: exact models, fast algorithms, proved answers.

The verbs: `read`, `write`, `generate`, `solve`, `certify`, `violations`. They are imported on first use,
so that ``import edgeopt`` loads no solver and not even numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from edgeopt.certify.compare import Comparison as Comparison
    from edgeopt.certify.compare import certify as certify
    from edgeopt.instances.base import Violation as Violation
    from edgeopt.instances.base import generate as generate
    from edgeopt.instances.base import violations as violations
    from edgeopt.instances.io import read as read
    from edgeopt.instances.io import write as write
    from edgeopt.instances.result_file import read_result as read_result
    from edgeopt.result import Result as Result
    from edgeopt.solvers.base import register as register
    from edgeopt.solvers.base import solve as solve

_HOME = {
    "Comparison": "edgeopt.certify.compare",
    "Result": "edgeopt.result",
    "Violation": "edgeopt.instances.base",
    "generate": "edgeopt.instances.base",
    "read": "edgeopt.instances.io",
    "read_result": "edgeopt.instances.result_file",
    "register": "edgeopt.solvers.base",
    "solve": "edgeopt.solvers.base",
    "violations": "edgeopt.instances.base",
    "write": "edgeopt.instances.io",
}


def __getattr__(name: str) -> Any:
    if name == "certify":  # verb and room share the name: the package is callable
        return import_module("edgeopt.certify")
    if name not in _HOME:
        raise AttributeError(f"module 'edgeopt' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME, "certify"])
