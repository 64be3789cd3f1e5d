"""Formulations of the offloading problem.

Form ``fifo`` is the horizon with servers that are first come, first served, known from its beginning to its end. Shared
servers have no exact model; `edgeopt.certify.offloading_proof` bounds them.
"""

_HERE = "edgeopt.models.offloading"

FORMULATIONS = {
    "fifo": {
        "pyomo": f"{_HERE}.pyomo_fifo:PyomoFifo",
        "cpsat": f"{_HERE}.cpsat_fifo:CpSatFifo",
    },
}
"""Form to modelling language to class; the first form is the default."""
