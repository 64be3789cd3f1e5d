"""Generalised assignment heuristics (Algorithm 3) and its improved form.

``gah`` runs Next-Bin with unit profits (Cohen, Katzir, Raz 2006): nodes one after another, each taking
a largest batch of the requests that are left. With an exact single-node solver the value is at least half the
optimum in every node order, and no better constant holds: a bad order meets 1/2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, permutations
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeopt.errors import InstanceError
from edgeopt.instances.batching import BatchingInstance, Schedule
from edgeopt.instances.batching.node import IntArray, NodeProblem
from edgeopt.result import Answer, Termination
from edgeopt.solvers.base import Control
from edgeopt.solvers.batching import single

ALL_ORDERS_UP_TO = 5
"""With at most this many nodes every order is tried by ``gah+`` and ``order="best"``; with more, a sample."""
SAMPLED_ORDERS = 120

NO_REQUESTS = np.zeros(0, dtype=np.int64)


class Packer:
    """Runs the single-node solver, counts its effort, and stops when the user wants."""

    def __init__(self, nodes: Sequence[NodeProblem], requests: int, solver: single.Oracle, control: Control) -> None:
        self.nodes = nodes
        self.requests = requests
        self.solver = solver
        self.control = control
        self.effort: dict[str, int] = {"single_node_runs": 0}

    def best_batch(self, index: int, free: NDArray[np.bool_]) -> IntArray:
        """A largest batch of node `index` among the `free` requests, as request indices."""
        node = self.nodes[index]
        left = free[node.request]
        part = node if left.all() else node.restricted(left)
        if not part.size:
            return NO_REQUESTS
        found = self.solver(part, stop=self.control.stop)
        self.effort["single_node_runs"] += 1
        for name, count in found.effort.items():
            self.effort[name] = self.effort.get(name, 0) + count
        return part.request[found.batch]

    def next_bin(self, order: Iterable[int]) -> list[IntArray]:
        """Algorithm 3: batches of request indices, nodes served in `order`.

        When the control says stop, the nodes that are left get nothing.
        """
        free = np.ones(self.requests, dtype=bool)
        batches = [NO_REQUESTS] * len(self.nodes)
        for index in order:
            if self.control.stop():
                break
            batches[index] = self.best_batch(index, free)
            free[batches[index]] = False
        return batches


def next_bin(nodes: Sequence[NodeProblem], order: Sequence[int], solver: single.Oracle) -> list[IntArray]:
    """Algorithm 3 on compiled nodes: the request indices that each node serves."""
    requests = 1 + max((int(node.request[-1]) for node in nodes if node.size), default=-1)
    return Packer(nodes, requests, solver, Control()).next_bin(order)


def gah(
    instance: BatchingInstance,
    control: Control,
    *,
    oracle: str = "ot",
    order: str | Sequence[int] | Sequence[str] = "given",
    restarts: int = 10,
) -> Answer:
    """Algorithm 3 (OT-GAH): value at least half the optimum, whatever the order.

    Parameters
    ----------
    oracle : str
        Exact single-node solver: ``ot``, ``ot-paper``, ``large-bandwidth`` or ``brute-force``.
    order : {"given", "strong-first", "random", "best"} or sequence
        Node order: as in the instance; largest own optimum first; best of `restarts` random ones;
        best of all (of a sample above five nodes); or node numbers or names.
    restarts : int
        Number of random orders.

    Raises
    ------
    InstanceError
        If the order is not one of these.
    """
    packer = Packer(instance.compiled.nodes, instance.compiled.requests, single.oracle(oracle), control)
    best: list[IntArray] | None = None
    for candidate in _orders(packer, instance, order, restarts, control.seed):
        batches = packer.next_bin(candidate)
        if best is None or _size(batches) > _size(best):
            best = batches
            control.report(_size(best))
        if control.stop():
            break
    return _answer(packer, best or [NO_REQUESTS] * len(instance.nodes))


def gah_plus(instance: BatchingInstance, control: Control, *, oracle: str = "ot", rounds: int = 20) -> Answer:
    """Next-Bin over many node orders, then exactly checked local improvement.

    A round goes over all ordered pairs of nodes: both batches are given up and packed again; where that
    gains nothing, single requests move to the other node if their own can make up for the loss. Only
    strict gains are kept, so the value is never below that of ``gah`` in the best order tried.

    Parameters
    ----------
    oracle : str
        Exact single-node solver.
    rounds : int
        Most rounds of improvement.
    """
    packer = Packer(instance.compiled.nodes, instance.compiled.requests, single.oracle(oracle), control)
    best: list[IntArray] = [NO_REQUESTS] * len(instance.nodes)
    ceiling = _servable(packer)
    for order in _orders(packer, instance, "best", 0, control.seed):
        batches = packer.next_bin(order)
        if _size(batches) > _size(best):
            best = batches
            control.report(_size(best), ceiling)
        if control.stop() or _size(best) == ceiling:
            break
    for _ in range(rounds):
        if control.stop() or _size(best) == ceiling or not _improve(packer, best):
            break
        control.report(_size(best), ceiling)
    return _answer(packer, best)


def _improve(packer: Packer, batches: list[IntArray]) -> bool:
    """One round of local improvement, in place; whether the value grew."""
    before = _size(batches)
    for giver, taker in permutations(range(len(batches)), 2):
        if packer.control.stop():
            break
        if not _repack(packer, batches, giver, taker):
            _transfer(packer, batches, giver, taker)
    return _size(batches) > before


def _free_without(packer: Packer, batches: Sequence[IntArray], *opened: int) -> NDArray[np.bool_]:
    """Requests that no node serves once the batches of the `opened` nodes are given up."""
    free = np.ones(packer.requests, dtype=bool)
    for index, batch in enumerate(batches):
        if index not in opened:
            free[batch] = False
    return free


def _repack(packer: Packer, batches: list[IntArray], first: int, second: int) -> bool:
    """Give up two batches and pack both nodes again, `first` first; keep it if the pair serves more."""
    free = _free_without(packer, batches, first, second)
    one = packer.best_batch(first, free)
    free[one] = False
    two = packer.best_batch(second, free)
    if len(one) + len(two) <= len(batches[first]) + len(batches[second]):
        return False
    batches[first], batches[second] = one, two
    return True


def _transfer(packer: Packer, batches: list[IntArray], giver: int, taker: int) -> bool:
    """Move one request to `taker` where it still fits, if `giver` can make up for the loss."""
    node = packer.nodes[taker]
    held = np.searchsorted(node.request, batches[taker])
    free = _free_without(packer, batches, giver)
    for request in batches[giver][np.isin(batches[giver], node.request)]:
        if packer.control.stop():
            return False
        grown = np.append(held, np.searchsorted(node.request, request))
        if not node.fits(grown):
            continue
        free[request] = False
        refilled = packer.best_batch(giver, free)
        if len(refilled) >= len(batches[giver]):
            batches[giver] = refilled
            batches[taker] = np.sort(np.append(batches[taker], request))
            return True
        free[request] = True
    return False


def _orders(
    packer: Packer, instance: BatchingInstance, order: str | Sequence[int] | Sequence[str], restarts: int, seed: int
) -> Iterable[Sequence[int]]:
    count = len(instance.nodes)
    if order == "given":
        return [range(count)]
    if order == "strong-first":
        return [_strong_first(packer)]
    rng = np.random.default_rng(seed)
    if order == "random":
        return [rng.permutation(count).tolist() for _ in range(max(1, restarts))]
    if order == "best":
        if count <= ALL_ORDERS_UP_TO:
            return permutations(range(count))
        sample = min(SAMPLED_ORDERS, factorial(count))
        return chain([range(count), _strong_first(packer)], (rng.permutation(count).tolist() for _ in range(sample)))
    names: dict[Any, int] = {node.name: index for index, node in enumerate(instance.nodes)}
    chosen = order.split(",") if isinstance(order, str) else order
    places = [names.get(entry, entry) for entry in chosen]
    if sorted(map(str, places)) != sorted(map(str, range(count))):
        raise InstanceError(
            f"order = {order!r}: must be given, strong-first, random, best, or each node once "
            f"({', '.join(node.name for node in instance.nodes)})"
        )
    return [[int(place) for place in places]]


def _strong_first(packer: Packer) -> list[int]:
    """Nodes by the size of their own largest batch, largest first; ties in the given order."""
    free = np.ones(packer.requests, dtype=bool)
    sizes = [len(packer.best_batch(index, free)) for index in range(len(packer.nodes))]
    return sorted(range(len(sizes)), key=lambda index: -sizes[index])


def _servable(packer: Packer) -> int:
    """Number of requests that some node may serve: no schedule has more."""
    return len(np.unique(np.concatenate([node.request for node in packer.nodes])))


def _size(batches: Sequence[IntArray]) -> int:
    return sum(map(len, batches))


def _answer(packer: Packer, batches: Sequence[IntArray]) -> Answer:
    stopped = packer.control.stop()
    return Answer(
        solution=Schedule(tuple(batches)),
        claimed_value=_size(batches),
        termination=packer.control.stopped_by() if stopped else Termination.COMPLETE,
        effort=packer.effort,
    )
