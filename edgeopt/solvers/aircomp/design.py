"""Transceivers for every channel draw at given shares, with the multipliers that bound them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgeopt.errors import AssumptionError
from edgeopt.instances.aircomp import AirCompInstance, Design, Plan
from edgeopt.instances.aircomp.instance import ComplexArray, FloatArray
from edgeopt.instances.aircomp.plan import evaluate
from edgeopt.result import Answer, Termination
from edgeopt.solvers.aircomp.proof import Cut, Inequality, SemidefiniteProof
from edgeopt.solvers.aircomp.recover import Recovery, linear_design, recovered, truncated
from edgeopt.solvers.aircomp.relaxed import Relaxed, Scaled, inequality_of, invertible, powers_left, relax, scaled
from edgeopt.solvers.aircomp.zero_forcing import start_factor
from edgeopt.solvers.base import Control

STARTS = 3
"""Most descents a draw; one is enough where it comes near the bound."""
Factor = Callable[[AirCompInstance, int, Scaled], ComplexArray]
"""A relaxation's matrix as a factor in the units of a scaled draw."""


@dataclass(slots=True)
class Progressed:
    """What has been done so far, draw by draw."""

    designs: list[Design] = field(default_factory=list)
    relaxations: list[Relaxed | None] = field(default_factory=list)


def given_shares(instance: AirCompInstance, solver: str) -> FloatArray:
    """The shares of an instance, for solvers that do not choose them.

    Raises
    ------
    AssumptionError
        If they are open.
    """
    if instance.shares is None:
        raise AssumptionError(
            f"{solver} takes given shares, those of {instance.name} are open: choose them by joint, sca, equal-split "
            "or power-split, or give them (instance.with_shares)"
        )
    return instance.shares


def require_invertible(instance: AirCompInstance, solver: str) -> None:
    """Refuse channels that no transmitter can invert.

    Raises
    ------
    AssumptionError
        Naming the first such draw and device.
    """
    for draw in range(instance.draws):
        for n in range(len(instance.devices)):
            if not instance.channels[draw, n].any() or not invertible(instance.channels[draw, n : n + 1]):
                raise AssumptionError(
                    f"{solver}: zero forcing cannot invert the channel of device {instance.devices.id[n]} in draw "
                    f"{draw}, its columns are dependent; leave the device out, or take the linear designs"
                )


def designed(
    instance: AirCompInstance,
    shares: FloatArray,
    control: Control,
    *,
    solver: str,
    linear: bool,
    recovery: Recovery = "descent",
    starts: int = STARTS,
    factor: Factor | None = None,
    warm: Sequence[Relaxed | None] | None = None,
    kind: Inequality | None = None,
) -> tuple[Plan, list[Relaxed | None], bool]:
    """Design every draw at given shares.

    Parameters
    ----------
    instance : AirCompInstance
    shares : (N,) float64
    control : Control
    solver : str
        Who asks, for errors.
    linear : bool
        Whether to descend over all linear designs after zero forcing.
    recovery, starts
        See `edgeopt.solvers.aircomp.recover.recovered`.
    factor : callable, optional
        Another relaxation; that of `relax` when not given.
    warm : sequence of Relaxed, optional
        Relaxations that are there already.
    kind : {"inverse", "error"}, optional
        See `relax`.

    Returns
    -------
    plan : Plan
    relaxations : list of Relaxed or None
        None for draws that were not relaxed.
    stopped : bool
        Whether time was up before all draws were done; the rest has designs that were not optimised.
    """
    left = powers_left(instance, shares)
    done = Progressed()
    stopped = False
    for draw in range(instance.draws):
        rng = np.random.default_rng([control.seed, draw])
        own = scaled(instance, draw, left)
        stopped = stopped or control.stop()
        known = None if warm is None else warm[draw]
        if stopped:
            done.designs.append(_plain(instance, own, rng))
            done.relaxations.append(known)
            continue
        relaxation = known
        if factor is not None:
            start = factor(instance, draw, own)
        else:
            relaxation = known or relax(instance, draw, left, rng, kind=kind, stop=control.stop)
            start = relaxation.factor
        done.relaxations.append(relaxation)
        done.designs.append(
            _one(instance, draw, own, shares, left, start, relaxation, linear, recovery, starts, rng, control)
        )
        control.report(None)
    return Plan(np.array(shares, dtype=np.float64), tuple(done.designs)), done.relaxations, stopped


def _one(
    instance: AirCompInstance,
    draw: int,
    own: Scaled,
    shares: FloatArray,
    left: FloatArray,
    factor: ComplexArray,
    relaxation: Relaxed | None,
    linear: bool,
    recovery: Recovery,
    starts: int,
    rng: np.random.Generator,
    control: Control,
) -> Design:
    streams = instance.streams
    bound = 0.0
    if relaxation is not None and inequality_of(instance) == "inverse":
        bound = relaxation.bound * own.size**2
    directions = recovered(
        own, factor, streams, recovery, rng, bound=bound, starts=starts if bound else 1, stop=control.stop
    )
    forced = Design(directions)
    if not linear:
        return forced
    inner = own.basis.conj().T @ directions
    seen = own.channels.conj().transpose(0, 2, 1) @ inner
    sizes = np.linalg.svd(seen, compute_uv=False)[:, :streams]
    alpha = float((1.0 / np.maximum(sizes, 1e-150) ** 2).sum(axis=1).max())
    candidates = [inner * np.sqrt(min(alpha, 1e100)), truncated(factor, streams)]
    return linear_design(instance, draw, own, shares, candidates, forced, left, control.stop)


def _plain(instance: AirCompInstance, own: Scaled, rng: np.random.Generator) -> Design:
    """A design without any optimisation: random directions in which every device is heard."""
    return Design(own.basis @ start_factor(own.channels, instance.streams, rng))


def proof_of(
    instance: AirCompInstance, shares: FloatArray, relaxations: Sequence[Relaxed | None], kind: Inequality | None = None
) -> SemidefiniteProof | None:
    """The multipliers of relaxations at these shares; None where no draw has any."""
    count, _, antennas = instance.shape
    if all(found is None for found in relaxations):
        return None
    weights = np.zeros((instance.draws, count))
    matrices = np.zeros((instance.draws, count, antennas, antennas), dtype=np.complex128)
    for draw, found in enumerate(relaxations):
        if found is not None:
            weights[draw], matrices[draw] = found.weights, found.matrices
    cut = Cut(weights, matrices, powers_left(instance, shares))
    return SemidefiniteProof(kind or inequality_of(instance), (cut,), np.ones(1))


def answer(
    instance: AirCompInstance,
    plan: Plan,
    proof: SemidefiniteProof | None,
    *,
    control: Control,
    stopped: bool,
    effort: dict[str, float] | None = None,
    note: str = "",
) -> Answer:
    """The answer of a solver: exact value, claimed bound, and the error in words."""
    error, _ = evaluate(instance, plan)
    claimed = None if error is None else instance.compiled.count_up(error)
    bound = None if proof is None else proof.claim(instance)
    if bound is not None and claimed is not None:
        bound = min(bound, claimed)
    control.report(claimed, bound)
    words = "no design" if error is None else f"mean squared error {float(error):.6g}"
    return Answer(
        solution=plan,
        claimed_value=claimed,
        bound=bound,
        termination=control.stopped_by() if stopped else Termination.COMPLETE,
        effort=effort or {},
        proof=proof,
        message="; ".join(filter(None, [words, note])),
    )
