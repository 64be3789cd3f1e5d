"""The least share of one pair with a rate concave in the share, in cvxpy: the recursion and an exponential cone.

No algebra of least shares: the rows are those of `edgeopt.models.slide.joint_cone`, and the share ``y`` buys at most
the rate ``y log(1 + snr / y) = -y log(y / (y + snr))``, a relative entropy.
"""

from __future__ import annotations

import math
from fractions import Fraction

import cvxpy as cp

from edgeopt.models.slide.joint_cone import ConePoint, constraints, variables
from edgeopt.models.slide.scaled import ScaledPair

TOLERANCE = 1e-8


def least_share_by_cone(pair: ScaledPair, snr: Fraction) -> ConePoint | None:
    """The least share of one pair by Clarabel; None where it finds the program infeasible or gives up.

    A reference in floats: nothing is proved by it.

    Parameters
    ----------
    pair : ScaledPair
        Its share is the one that has the same rate where rates are linear; `ScaledPair.need` is a part of the rate of
        the whole band, ``B log2(1 + snr)``.
    snr : Fraction
        ``P h / (N0 B)``, of the whole band.
    """
    own = variables(pair)
    whole = float(snr)
    # in units of `need`, which the concave rate reaches with less
    share = cp.Variable()
    part = whole / pair.need
    rate = -cp.rel_entr(share, share + part) * (pair.need / math.log1p(whole))
    rows = [*constraints(own, 1.0), rate >= pair.need * own.stretch, pair.need * share <= 1]
    problem = cp.Problem(cp.Minimize(share), rows)
    try:
        problem.solve(solver=cp.CLARABEL, tol_gap_abs=TOLERANCE, tol_gap_rel=TOLERANCE, tol_feas=TOLERANCE)
    except cp.SolverError:
        return None
    if share.value is None:
        return None
    return ConePoint(pair.need * float(share.value), own.speeds())
