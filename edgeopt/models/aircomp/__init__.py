"""Cone programs of the AirComp problem in cvxpy: `cones` for one draw, `joint` for shares and all draws together.

They speak a language of their own and have solvers of their own in `edgeopt.solvers.aircomp`; the generic back ends
for integer programs have nothing to do here.
"""

FORMULATIONS: dict[str, dict[str, str]] = {}
"""No form for the generic back ends."""
