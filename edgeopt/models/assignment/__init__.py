"""Formulations of the assignment problem."""

_HERE = "edgeopt.models.assignment"

FORMULATIONS = {
    "choice": {
        "pyomo": f"{_HERE}.pyomo_choice:PyomoChoice",
        "cpsat": f"{_HERE}.cpsat_choice:CpSatChoice",
    },
}
"""Form to modelling language to class; the first form is the default."""
