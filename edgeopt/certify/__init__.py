"""How good is an answer, and who says so: exact checks, bounds, the ratio between them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeopt.certify.compare import Comparison
    from edgeopt.instances.base import Instance
    from edgeopt.result import Result
    from edgeopt.solvers.base import Progress


class _CertifyModule(ModuleType):
    """The room that is also the verb.

    ``edgeopt.certify(instance, result)`` is a verb of the package, and ``edgeopt.certify`` is a package that
    holds the verifier. Python binds an imported submodule to the attribute of its parent, so a function of
    that name would be replaced by the module, or replace it, depending on the order of imports. A module that
    can be called is right in every order.
    """

    def __call__(
        self,
        instance: Instance,
        answer: Result | str,
        *,
        against: str | Result | Sequence[str | Result] | None = None,
        time_limit: float | None = None,
        seed: int = 0,
        workers: int = 1,
        progress: Callable[[Progress], Any] | None = None,
        file: str | os.PathLike[str] | None = None,
    ) -> Comparison:
        """See `edgeopt.certify.compare.certify`."""
        from edgeopt.certify.compare import certify

        return certify(
            instance,
            answer,
            against=against,
            time_limit=time_limit,
            seed=seed,
            workers=workers,
            progress=progress,
            file=file,
        )


sys.modules[__name__].__class__ = _CertifyModule
