"""The joint problem as a mixed-integer second-order-cone program in cvxpy: the recursion, no algebra of least shares.

For each pair (user ``k``, model ``i``), scaled as in `edgeopt.models.slide.scaled`: the binary ``x`` (provisioning),
the share ``y = need eta``, the download time ``v >= 1 / eta``, of each layer the speed ``z_l``, the slowing
``delta_l >= 1 / z_l`` and the completion ``t_l``. Every row is homogeneous in ``x`` and the rest, so a pair that is not
chosen is all 0, and one that is chosen meets its constraints as they are (perspective form).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cvxpy as cp
import numpy as np

from edgeopt.instances.slide.instance import SlideInstance
from edgeopt.models.slide.scaled import ScaledPair, scaled_pairs
from edgeopt.models.slide.serve import weights


@dataclass(frozen=True, slots=True, eq=False)
class PairVariables:
    """Variables of one pair; speeds and slowings only of the layers that compute, `busy`."""

    pair: ScaledPair
    busy: np.ndarray[tuple[int], np.dtype[np.int64]]
    stretch: Any
    download: Any
    finish: Any
    speed: Any
    slowing: Any

    def speeds(self) -> list[float]:
        """The value of ``z_l`` of every layer, 1 for those that do not compute."""
        found = np.ones(len(self.pair))
        if len(self.busy):
            found[self.busy] = self.speed.value
        return [float(z) for z in found]


def variables(pair: ScaledPair) -> PairVariables:
    """``eta``, ``v``, ``t``, ``z``, ``delta`` of a pair."""
    busy = np.flatnonzero(pair.work > 0)
    return PairVariables(
        pair=pair,
        busy=busy,
        stretch=cp.Variable(),
        download=cp.Variable(),
        finish=cp.Variable(len(pair)),
        speed=cp.Variable(len(busy)) if len(busy) else None,
        slowing=cp.Variable(len(busy)) if len(busy) else None,
    )


SLACK = 1e-7
"""By this part more of band, deadline and energy budget are lent in the mixed-integer model. What uses all of them is
then well inside, and no tolerance of a solver loses it, so that its bound is one for the problem too."""


def constraints(own: PairVariables, x: Any, room: float = 1.0, slack: float = 0.0) -> list[Any]:
    """Everything that a pair must satisfy by itself if ``x`` is 1, within this part of its deadline."""
    lent = (1 + slack) * x
    return [*_share(own, x, lent), *_recursion(own, x, room * lent), *_speed(own, x), *_energy(own, lent)]


def _share(own: PairVariables, x: Any, most: Any) -> list[Any]:
    """``v eta >= x^2`` and ``y <= most``."""
    eta, v = own.stretch, own.download
    return [cp.SOC(eta + v, cp.hstack([2 * x, eta - v])), eta >= x, own.pair.need * eta <= most, v <= x]


def _recursion(own: PairVariables, x: Any, room: Any) -> list[Any]:
    """``t_l >= part_l v + T_l``, ``t_l >= t_{l-1} + T_l``, ``t_L <= room``; ``T_l = V_l x + w_l delta_l``."""
    pair, t = own.pair, own.finish
    time = pair.overhead * x
    if len(own.busy):
        work = np.zeros((len(pair), len(own.busy)))
        work[own.busy, np.arange(len(own.busy))] = pair.work[own.busy]
        time = time + work @ own.slowing
    rows = [t >= pair.part * own.download + time, t[len(pair) - 1] <= room]
    return rows if len(pair) == 1 else [*rows, t[1:] >= t[:-1] + time[1:]]


def _speed(own: PairVariables, x: Any) -> list[Any]:
    """``delta_l z_l >= x^2``, ``z_l <= x``."""
    if not len(own.busy):
        return []
    z, delta = own.speed, own.slowing
    twice = 2 * x * np.ones((1, len(own.busy)))
    return [cp.SOC(delta + z, cp.vstack([twice, cp.reshape(delta - z, (1, len(own.busy)), order="C")])), z <= x]


def _energy(own: PairVariables, most: Any) -> list[Any]:
    """``sum_l (w_l / G) z_l^2 <= most^2``."""
    if own.pair.drain is None:
        return []
    return [cp.SOC(most, cp.multiply(np.sqrt(own.pair.drain[own.busy]), own.speed))]


@dataclass(frozen=True, slots=True, eq=False)
class JointCone:
    """The model of an instance: the problem, its pairs with their variables, and the binaries in their order."""

    problem: Any
    pairs: list[PairVariables]
    chosen: Any

    def provisioned(self) -> list[int]:
        """The pairs that the values of the binaries choose."""
        return [place for place, x in enumerate(self.chosen.value) if x > 0.5]

    def without(self, choice: list[int]) -> JointCone:
        """The same where not all of these pairs are chosen together."""
        row = sum(self.chosen[place] for place in choice) <= len(choice) - 1
        return JointCone(cp.Problem(self.problem.objective, [*self.problem.constraints, row]), self.pairs, self.chosen)


def joint_cone(instance: SlideInstance) -> JointCone | None:
    """The mixed-integer model, ``sum weight x`` to be maximised, with `SLACK`; None if no pair can be served at all."""
    pairs = [variables(pair) for pair in scaled_pairs(instance)]
    if not pairs:
        return None
    x = cp.Variable(len(pairs), boolean=True)
    worth = weights(instance)
    band = sum(own.pair.need * own.stretch for own in pairs)
    rows = [band <= 1 + SLACK]
    rows += [
        sum(x[place] for place, own in enumerate(pairs) if own.pair.user == user) <= 1
        for user in sorted({own.pair.user for own in pairs})
    ]
    for place, own in enumerate(pairs):
        rows += constraints(own, x[place], slack=SLACK)
    value = cp.Maximize(sum(worth[own.pair.user] * x[place] for place, own in enumerate(pairs)))
    return JointCone(cp.Problem(value, rows), pairs, x)


@dataclass(frozen=True, slots=True)
class ConePoint:
    """Least share of a pair by the continuous cone program, and the speeds that go with it."""

    share: float
    speed: list[float]


TOLERANCE = 1e-7
"""Clarabel's tolerances; what it cannot reach, it says."""


def least_share_by_cone(pair: ScaledPair, tolerance: float = TOLERANCE, margin: float = 0.0) -> ConePoint | None:
    """The least share of one pair by Clarabel; None where it finds the program infeasible or gives up.

    A reference in floats: nothing is proved by it.

    Parameters
    ----------
    pair : ScaledPair
    tolerance : float
        Absolute and relative, of Clarabel.
    margin : float
        Part of the deadline that is left unused, so that the speeds can be mended.
    """
    own = variables(pair)
    problem = cp.Problem(cp.Minimize(own.stretch), constraints(own, 1.0, 1.0 - margin))
    try:
        problem.solve(
            solver=cp.CLARABEL, tol_gap_abs=tolerance, tol_gap_rel=tolerance, tol_feas=tolerance, tol_ktratio=tolerance
        )
    except cp.SolverError:
        return None
    if own.stretch.value is None:
        return None
    return ConePoint(pair.need * float(own.stretch.value), own.speeds())
