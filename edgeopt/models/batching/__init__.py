"""Formulations of the batching problem."""

_HERE = "edgeopt.models.batching"

FORMULATIONS = {
    "threshold": {
        "pyomo": f"{_HERE}.pyomo_threshold:PyomoThreshold",
        "cpsat": f"{_HERE}.cpsat_threshold:CpSatThreshold",
    },
    "big-m": {
        "pyomo": f"{_HERE}.pyomo_big_m:PyomoBigM",
        "cpsat": f"{_HERE}.cpsat_big_m:CpSatBigM",
    },
}
"""Form to modelling language to class; the first form is the default."""
