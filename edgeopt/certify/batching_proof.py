"""What a certificate of a batching instance needs: its solution as choices, and proof trees of its bound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from edgeopt.certify.counting import bin_tree
from edgeopt.certify.parts import tree_parts
from edgeopt.instances.batching import BatchingInstance, Schedule
from edgeopt.instances.batching.node import IntArray
from edgeopt.instances.program import Program
from edgeopt.proof import Bins, FloatArray, Leaf, Tree
from edgeopt.result import Result
from edgeopt.solvers.base import Control
from edgeopt.solvers.batching.single import oracle


def choices(instance: BatchingInstance, schedule: Schedule) -> IntArray:
    """The choices of `edgeopt.instances.batching.program` that a feasible schedule makes."""
    start, found = 0, []
    for node, batch in zip(instance.compiled.nodes, schedule.batches, strict=True):
        found.append(start + np.searchsorted(node.request, np.sort(batch)))
        start += node.size
    return np.concatenate(found).astype(np.int64)


def trees(instance: BatchingInstance, program: Program, results: Sequence[Result], control: Control) -> Iterator[Tree]:
    """Proofs of bounds on an instance; the caller takes the best.

    Trees that solvers have handed out; the sum over nodes of their own optima, each closed by multipliers and, where
    those leave a gap, by counting; and the number of requests that can be served somewhere.
    """
    yield from (result.proof for result in results if isinstance(result.proof, Tree))
    yield Bins(np.zeros(program.groups), tuple(_node_trees(instance, program, results, control)))
    servable = np.zeros(program.groups)
    servable[program.group] = 1.0
    yield Leaf(servable, tuple(np.empty((0, program.weight.shape[1])) for _ in range(program.bins)))


def _node_trees(
    instance: BatchingInstance, program: Program, results: Sequence[Result], control: Control
) -> Iterator[Tree]:
    nodes = instance.compiled.nodes
    given = [proof for result in results if _is_multipliers(proof := result.proof)] if len(nodes) == 1 else []
    for b, node in enumerate(nodes):
        found = oracle("ot")(node, stop=control.stop)
        rows = [*given, *([] if found.multipliers is None else [found.multipliers])]
        multipliers: FloatArray = np.concatenate([np.empty((0, 4)), *rows])
        yield bin_tree(program, b, multipliers, node.size if found.bound is None else found.bound)


def _is_multipliers(proof: object) -> bool:
    return isinstance(proof, np.ndarray) and proof.ndim == 2 and proof.shape[1] == 4


def solution(instance: BatchingInstance, program: Program, chosen: Sequence[int]) -> Schedule:
    """The schedule behind chosen choices, the inverse of `choices`."""
    taken = np.array(chosen, dtype=np.int64)
    return Schedule(tuple(program.group[taken[program.bin[taken] == b]] for b in range(program.bins)))


PARTS = tree_parts(choices, trees, solution)
