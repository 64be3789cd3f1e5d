"""What a plan does to numbers on the air: its transceivers in doubles, and vectors sent through them with noise."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from edgeopt.errors import InstanceError
from edgeopt.instances.aircomp.exact import Gaussian
from edgeopt.instances.aircomp.instance import AirCompInstance, ComplexArray, FloatArray
from edgeopt.instances.aircomp.plan import Design, Plan, exact_error
from edgeopt.instances.aircomp.validate import exact_shares


@dataclass(frozen=True, slots=True, eq=False)
class Transceivers:
    """Matrices in doubles for one draw, which keep every budget in exact arithmetic.

    Attributes
    ----------
    receive : (Nr, L) complex128
        ``A``.
    transmit : (N, Nt, L) complex128
        ``B_n``.
    error : Fraction
        Exact squared error of these doubles, what is left of zero forcing included.
    residual : Fraction
        ``sum_n ||A^H H_n B_n - I||_F^2``; for a zero-forcing design what rounding leaves.
    """

    receive: ComplexArray
    transmit: ComplexArray
    error: Fraction
    residual: Fraction


def transceivers(instance: AirCompInstance, plan: Plan, draw: int = 0) -> Transceivers:
    """The transceivers of a plan in doubles.

    Those of a zero-forcing design are computed from its directions and scaled down until each budget is kept
    exactly; what that and rounding leave of the interference is charged to the error.

    Raises
    ------
    InstanceError
        If the directions cannot invert some channel in doubles.
    """
    compiled = instance.compiled
    left = compiled.transmit_power(exact_shares(plan.shares))
    design = plan.designs[draw]
    if design.transmit is None:
        design = _inverted(instance, draw, design, left)
    error, _ = exact_error(compiled, draw, design, left)
    assert error is not None
    residual = error - compiled.noise * Gaussian.of(design.receive).norm2()
    assert design.transmit is not None
    return Transceivers(design.receive, design.transmit, error, residual)


def _inverted(instance: AirCompInstance, draw: int, design: Design, left: tuple[Fraction, ...]) -> Design:
    compiled, channels = instance.compiled, instance.channels[draw]
    directions = design.receive / np.linalg.norm(design.receive)
    seen = directions.conj().T @ channels  # G^H H_n
    inverse = np.linalg.pinv(seen)  # the least sender, (G^H H)^H (G^H H H^H G)^-1
    sent = (np.abs(inverse) ** 2).sum(axis=(1, 2))
    if not np.isfinite(sent).all() or not (sent > 0).all():
        raise InstanceError(f"draw {draw}: the receiver cannot invert every channel in doubles")
    power = np.array([float(u) for u in left]) / float(compiled.repeats)
    alpha = float((sent / power).max())
    transmit = inverse / np.sqrt(alpha)
    for n, most in enumerate(left):
        shrink = 2.0**-52
        while compiled.repeats * Gaussian.of(transmit[n]).norm2() > most:
            transmit[n] *= 1.0 - shrink
            shrink *= 2.0
    return Design(np.sqrt(alpha) * directions, transmit)


def transmit(
    instance: AirCompInstance,
    made: Transceivers,
    vectors: ComplexArray | FloatArray,
    draw: int,
    rng: np.random.Generator,
) -> ComplexArray:
    """Send vectors of all devices at once: the received sums, with fresh noise in every use of the band.

    Parameters
    ----------
    instance : AirCompInstance
    made : Transceivers
    vectors : (N, L, K) array
        Of each device the entries of ``K`` uses; of variance 1, for the error to be that of the plan.
    draw : int
    rng : numpy.random.Generator

    Returns
    -------
    (L, K) complex128
    """
    server, uses = instance.shape[1], vectors.shape[2]
    arriving = np.einsum("nij,njk->ik", instance.channels[draw] @ made.transmit, vectors)
    noise = rng.standard_normal((server, uses)) + 1j * rng.standard_normal((server, uses))
    found: ComplexArray = made.receive.conj().T @ (arriving + noise * np.sqrt(instance.noise_w / 2))
    return found
