"""Test algorithms of one's own: Hypothesis strategies for every problem, and a harness around any solver.

See `assert_solver` for the harness, `aircomp_instances`, `batching_instances`, `node_problems` and `slide_instances`
for the strategies.
Hypothesis comes with the extra ``testing``: ``pip install 'edgeopt[testing]'``.
"""

try:
    import hypothesis as hypothesis
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "edgeopt.testing needs Hypothesis, which comes with the extra 'testing': pip install 'edgeopt[testing]'",
        name=error.name,
    ) from error

from edgeopt.testing.aircomp import aircomp_instances
from edgeopt.testing.batching import batching_instances, node_problems, schedules
from edgeopt.testing.binding import binding_constraints, nontrivial, nontrivial_share
from edgeopt.testing.decomposition import decomposition_instances
from edgeopt.testing.harness import assert_solver
from edgeopt.testing.offloading import offloading_instances
from edgeopt.testing.slide import slide_instances

__all__ = [
    "aircomp_instances",
    "assert_solver",
    "batching_instances",
    "binding_constraints",
    "decomposition_instances",
    "node_problems",
    "nontrivial",
    "nontrivial_share",
    "offloading_instances",
    "schedules",
    "slide_instances",
]
