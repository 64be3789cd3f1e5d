"""The optimal algorithm `slide`: least shares, least-share provisioning, sorted admission.

Its cost is one pass over the layers of all pairs (a few where energy binds) and one sort (ours, after the paper's
abstract; the exactness comes from enclosures and, where they cannot tell, exact rationals).
"""

from __future__ import annotations

from edgeopt.errors import AssumptionError
from edgeopt.instances.slide import SlideInstance
from edgeopt.result import Answer, Termination
from edgeopt.solvers.base import Control
from edgeopt.solvers.slide.admission import admit
from edgeopt.solvers.slide.least_share import least_shares
from edgeopt.solvers.slide.proof import ExchangeProof


def slide(instance: SlideInstance, control: Control) -> Answer:
    """Serve as many users as possible, proved by exchange.

    Raises
    ------
    AssumptionError
        If the variant is not ``plain``.
    """
    require_plain(instance, control.solver)
    shares = least_shares(instance.compiled, control)
    found = admit(shares, control)
    control.report(len(found.allocation), found.most)
    return Answer(
        solution=found.allocation,
        claimed_value=len(found.allocation),
        bound=found.most,
        termination=control.stopped_by() if found.stopped else Termination.COMPLETE,
        effort={"pairs": len(shares.low), "hulls": shares.hulls, "exact_pairs": found.exact_pairs},
        proof=ExchangeProof(found.most, shares, found.refined),
    )


def require_plain(instance: SlideInstance, solver: str) -> None:
    """Refuse the variants that this algorithm is not optimal for.

    Raises
    ------
    AssumptionError
        If the variant is not ``plain``.
    """
    if instance.variant != "plain":
        raise AssumptionError(
            f"{solver or 'slide'} solves the variant 'plain', {instance.name} is {instance.variant!r}; "
            f"`edgeopt solvers slide` lists the solvers and what they solve"
        )
