"""AsyncHow plans as lessons: real steps and edges, and the class of their real durations."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgeopt.instances.decomposition.asynchow import Plan
from edgeopt.planners.distilled import Lesson

LIMITS_S = (600.0, 3600.0, 86400.0)
"""Classes of durations: below 10 minutes, below an hour, below a day, longer."""


def duration_class(seconds: float) -> int:
    """The class of a duration (s)."""
    return sum(seconds >= limit for limit in LIMITS_S)


def lessons_of(plans: Sequence[Plan]) -> list[Lesson]:
    """A lesson a plan; a range of durations counts by its geometric mean."""
    found = []
    for plan in plans:
        edges = {(int(a) - 1, int(b) - 1) for a, b in plan.edges if a != "START" and b != "END"}
        sizes = []
        for place in range(1, len(plan.steps) + 1):
            least, most = plan.duration_s_min_max[str(place)]
            sizes.append(duration_class(math.sqrt(max(least, 1e-9) * max(most, 1e-9))))
        found.append(Lesson(plan.title, tuple(plan.steps), frozenset(edges), tuple(sizes)))
    return found
