"""Single-node algorithms as solvers of instances, and by name as oracles for the many-node ones."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from edgeopt.errors import AssumptionError, UnknownNameError
from edgeopt.instances.batching import BatchingInstance, Schedule
from edgeopt.instances.batching.node import NodeBatch, NodeProblem
from edgeopt.result import Answer, Termination
from edgeopt.solvers.base import Control

Oracle = Callable[..., NodeBatch]

ORACLES = {
    "ot": "edgeopt.solvers.batching.ot",
    "ot-paper": "edgeopt.solvers.batching.ot_paper",
    "large-bandwidth": "edgeopt.solvers.batching.large_bandwidth",
    "brute-force": "edgeopt.solvers.batching.brute_force",
}
"""Modules whose ``solve_node(node, *, stop, **options)`` solves one node exactly."""


def oracle(name: str) -> Oracle:
    """The single-node solver of that name.

    Raises
    ------
    UnknownNameError
        If there is none.
    """
    if name not in ORACLES:
        raise UnknownNameError(f"no single-node solver {name!r}; there are: {', '.join(ORACLES)}")
    found: Oracle = import_module(ORACLES[name]).solve_node
    return found


def only_node(instance: BatchingInstance, solver: str) -> NodeProblem:
    """The one node of an instance.

    Raises
    ------
    AssumptionError
        If there are several.
    """
    nodes = instance.compiled.nodes
    if len(nodes) != 1:
        raise AssumptionError(
            f"{solver} solves one node, the instance {instance.name} has {len(nodes)}; "
            f"use gah with oracle={solver!r}, or restrict the instance to one node"
        )
    return nodes[0]


def _solve(name: str, instance: BatchingInstance, control: Control, **options: Any) -> Answer:
    node = only_node(instance, name)
    found = oracle(name)(node, stop=control.stop, **options)
    complete = found.complete
    return Answer(
        solution=Schedule((node.request[found.batch],)),
        claimed_value=len(found.batch),
        bound=found.bound,
        termination=Termination.COMPLETE if complete else _why(control),
        effort=found.effort,
        proof=found.multipliers,
        guarantee=None if found.bound is not None else "0",  # a reading that proves nothing promises nothing
    )


def _why(control: Control) -> Termination:
    return control.stopped_by() if control.stop() else Termination.NODE_LIMIT


def ot(instance: BatchingInstance, control: Control, *, node_limit: int | None = None) -> Answer:
    """The fast exact single-node solver; see `edgeopt.solvers.batching.ot`."""
    return _solve("ot", instance, control, node_limit=node_limit)


def ot_paper(
    instance: BatchingInstance,
    control: Control,
    *,
    prune: bool = True,
    compiled: bool = True,
    variant: str = "corrected",
    node_limit: int | None = None,
) -> Answer:
    """Algorithm 2 with its errata fixed, or a literal reading; see `edgeopt.solvers.batching.ot_paper`."""
    options = {"prune": prune, "compiled": compiled, "variant": variant, "node_limit": node_limit}
    return _solve("ot-paper", instance, control, **options)


def large_bandwidth(instance: BatchingInstance, control: Control) -> Answer:
    """Algorithm 1; see `edgeopt.solvers.batching.large_bandwidth`."""
    return _solve("large-bandwidth", instance, control)
