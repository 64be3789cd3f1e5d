"""Formulations of the decomposition problem.

CP-SAT has optional intervals, a literal a place, and multiplies correctness step by step. The Pyomo MILP is
disjunctive, and has a binary for every way to place all steps of a mode: two models that share nothing but the
compiled integers.
"""

_HERE = "edgeopt.models.decomposition"

FORMULATIONS = {
    "interval": {"cpsat": f"{_HERE}.cpsat_interval:CpSatInterval"},
    "disjunctive": {"pyomo": f"{_HERE}.pyomo_disjunctive:PyomoDisjunctive"},
}
"""Form to modelling language to class; the first form of a language is its default."""
