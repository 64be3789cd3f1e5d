"""A bound on a batching instance that is a theorem: proved single-node bounds, summed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from edgeopt.certify.batching import node_bound
from edgeopt.instances.batching import BatchingInstance, NodeProblem
from edgeopt.result import Result
from edgeopt.solvers.base import Control
from edgeopt.solvers.batching.single import oracle


def proved_bound(instance: BatchingInstance, results: Sequence[Result], control: Control) -> int:
    """No schedule serves more requests than this.

    Without the coupling "a request runs at most once" the nodes are independent, so their optima sum to
    a bound on P1; every node's optimum is bounded by multipliers that are replayed in exact arithmetic. Nor
    does any schedule serve more requests than can be served somewhere.

    Parameters
    ----------
    instance : BatchingInstance
    results : sequence of Result
        On one node, the multipliers that these hand out are tried before new ones are computed.
    control : Control
        Its time limit ends the search for multipliers, with a looser bound.
    """
    nodes = instance.compiled.nodes
    given = [proof for result in results if _is_multipliers(proof := result.proof)] if len(nodes) == 1 else []
    total = sum([_bound(node, given, control) for node in nodes])
    servable = len(np.unique(np.concatenate([node.request for node in nodes])))
    return min(total, servable)


def _bound(node: NodeProblem, given: Sequence[NDArray[np.float64]], control: Control) -> int:
    if not node.size:
        return 0
    if not given:
        multipliers = oracle("ot")(node, stop=control.stop).multipliers
        given = [] if multipliers is None else [multipliers]
    return min([node.size, *(node_bound(node, multipliers) for multipliers in given)])


def _is_multipliers(proof: object) -> TypeGuard[NDArray[np.float64]]:
    return isinstance(proof, np.ndarray) and proof.ndim == 2 and proof.shape[1] == 4
