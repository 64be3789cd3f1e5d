"""Formulations of the slide problem.

Form ``least-share`` is given the least share of every pair of a user and a model; generic back ends solve it. The
forms ``multicast``, ``concave`` and ``time-varying`` are for the variants of these names. The joint models, which do
not know of least shares, speak languages of their own and have solvers of their own in `edgeopt.solvers.slide`:
`joint_cone` (second-order cones), `joint_tangents` (linear, with tangents), `joint_grid`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgeopt.instances.slide.instance import SlideInstance

_HERE = "edgeopt.models.slide"

FORMULATIONS = {
    "least-share": {
        "pyomo": f"{_HERE}.pyomo_share:PyomoShare",
        "cpsat": f"{_HERE}.cpsat_share:CpSatShare",
    },
    "multicast": {
        "pyomo": f"{_HERE}.pyomo_multicast:PyomoMulticast",
        "cpsat": f"{_HERE}.cpsat_multicast:CpSatMulticast",
    },
    "concave": {
        "pyomo": f"{_HERE}.concave_share:PyomoConcave",
        "cpsat": f"{_HERE}.concave_share:CpSatConcave",
    },
    "time-varying": {
        "pyomo": f"{_HERE}.pyomo_time_varying:PyomoTimeVarying",
        "cpsat": f"{_HERE}.cpsat_time_varying:CpSatTimeVarying",
    },
}
"""Form to modelling language to class; the first form is the default where `default_form` says no other."""


def default_form(instance: SlideInstance) -> str:
    """The form for an instance's variant."""
    variant = {"multicast-many": "multicast"}.get(instance.variant, instance.variant)
    return variant if variant in FORMULATIONS else "least-share"
