"""The joint problem in Pyomo with its convex rows as tangents: the recursion, no algebra of least shares.

Variables and scaling are those of `edgeopt.models.slide.joint_cone`. A convex row ``h(u) <= 0``, homogeneous of degree
1, lies on the inner side of each of its tangents, ``h(u) >= grad h(u0) . u``; so every set of tangents keeps everything
feasible, and the optimum of the MILP is a bound on the optimum. To hold in exact arithmetic too, demands are rounded
down (`scaled`) and so are tangents: coefficients that can only ask for less.

    v eta >= x^2:                 eta0 v + eta / eta0 >= 2 x             (arithmetic and geometric mean)
    delta z >= x^2:               z0 delta + z / z0 >= 2 x
    sum_l q_l z_l^2 <= x^2:       sum_l q_l z0_l z_l <= (sum_l q_l z0_l^2)^(1/2) x        (Cauchy-Schwarz)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyomo.environ as pyo

from edgeopt.instances.slide.instance import FloatArray, SlideInstance
from edgeopt.models.base import IntArray, Model
from edgeopt.models.slide.scaled import ScaledPair, scaled_pairs
from edgeopt.models.slide.serve import weights

FIRST_TANGENTS = 5
"""Tangents of each reciprocal at the start, in geometric steps over its range."""
LEAST_SPEED = 1e-3
"""First tangents of the speeds go down to here; solutions below get their own."""
ROUNDING = 2.0**-44
"""Relative room for the roundings of a tangent of up to 64 layers; more layers have more."""


class Tangent(NamedTuple):
    """``sum coefficient[n] value[position[n]] >= 0``."""

    position: list[int]
    coefficient: list[float]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Where the variables of a pair are: ``x, eta, v``, then ``t`` of all layers, ``z`` and ``delta`` of `busy`."""

    pair: ScaledPair
    x: int
    busy: IntArray

    @property
    def eta(self) -> int:
        """Position of ``eta``, share in units of `ScaledPair.need`."""
        return self.x + 1

    @property
    def v(self) -> int:
        """Position of ``v``, the download time."""
        return self.x + 2

    @property
    def t(self) -> int:
        """Position of the first completion time."""
        return self.x + 3

    @property
    def last(self) -> int:
        """Position of the last completion time."""
        return self.z - 1

    @property
    def z(self) -> int:
        """Position of the first speed."""
        return self.t + len(self.pair)

    @property
    def delta(self) -> int:
        """Position of the first slowing."""
        return self.z + len(self.busy)

    @property
    def end(self) -> int:
        """Position of the next pair."""
        return self.delta + len(self.busy)

    def speeds(self, values: FloatArray) -> list[float]:
        """``z_l`` of every layer, 1 for those that do not compute."""
        found = np.ones(len(self.pair))
        found[self.busy] = values[self.z : self.delta]
        return [float(z) for z in found]


@dataclass(frozen=True, slots=True, eq=False)
class JointTangents:
    """The model of an instance and where its pairs are."""

    model: Model
    columns: list[Columns]


def joint_tangents(instance: SlideInstance) -> JointTangents:
    """The MILP with the first tangents, ``sum weight x`` to be maximised."""
    columns: list[Columns] = []
    for pair in scaled_pairs(instance, "down"):
        columns.append(Columns(pair, columns[-1].end if columns else 0, np.flatnonzero(pair.work > 0)))
    model = pyo.ConcreteModel(name="slide-joint")
    model.value = pyo.Var(range(columns[-1].end if columns else 0), domain=pyo.NonNegativeReals)
    for own in columns:
        model.value[own.x].domain = pyo.Binary
    worth = weights(instance)
    model.served = pyo.Objective(
        expr=sum(worth[own.pair.user] * model.value[own.x] for own in columns), sense=pyo.maximize
    )
    model.rows = pyo.ConstraintList()
    if columns:
        model.rows.add(sum(own.pair.need * model.value[own.eta] for own in columns) <= 1)
    for user in sorted({own.pair.user for own in columns}):
        model.rows.add(sum(model.value[own.x] for own in columns if own.pair.user == user) <= 1)
    for own in columns:
        _ranges(model, own)
        _recursion(model, own)
        for tangent in first_tangents(own):
            terms = zip(tangent.coefficient, tangent.position, strict=True)
            model.rows.add(sum(factor * model.value[position] for factor, position in terms) >= 0)
    return JointTangents(Model(model, list(model.value.values())), columns)


def _ranges(model: Any, own: Columns) -> None:
    """``eta >= x``, ``y <= x``, ``v <= x``, ``z_l <= x``."""
    value, x = model.value, model.value[own.x]
    model.rows.add(value[own.eta] >= x)
    model.rows.add(own.pair.need * value[own.eta] <= x)
    model.rows.add(value[own.v] <= x)
    for position in range(own.z, own.delta):
        model.rows.add(value[position] <= x)


def _recursion(model: Any, own: Columns) -> None:
    """``t_l >= part_l v + T_l``, ``t_l >= t_{l-1} + T_l``, ``t_L <= x``; ``T_l = V_l x + w_l delta_l``."""
    value, pair = model.value, own.pair
    slowing = {int(layer): own.delta + place for place, layer in enumerate(own.busy)}
    for layer in range(len(pair)):
        time = pair.overhead[layer] * value[own.x]
        if layer in slowing:
            time = time + pair.work[layer] * value[slowing[layer]]
        model.rows.add(value[own.t + layer] >= pair.part[layer] * value[own.v] + time)
        if layer:
            model.rows.add(value[own.t + layer] >= value[own.t + layer - 1] + time)
    model.rows.add(value[own.t + len(pair) - 1] <= value[own.x])


def first_tangents(own: Columns) -> list[Tangent]:
    """Tangents that span the ranges of the reciprocals; one of the energy at equal speeds."""
    largest = max(1.0, 1.0 / max(own.pair.need, 1e-12))
    found = [_reciprocal(own.v, own.eta, own.x, at) for at in np.geomspace(1.0, largest, FIRST_TANGENTS).tolist()]
    for place, layer in enumerate(own.busy.tolist()):
        least = max(LEAST_SPEED, min(0.5, float(own.pair.work[layer])))
        points = np.geomspace(least, 1.0, FIRST_TANGENTS).tolist()
        found += [_reciprocal(own.delta + place, own.z + place, own.x, at) for at in points]
    if own.pair.drain is not None:
        found.append(_energy(own, np.ones(len(own.busy))))
    return found


def tangents_at(own: Columns, values: FloatArray, tolerance: float) -> list[Tangent]:
    """Tangents of the convex rows of a chosen pair that values break by more than a relative tolerance."""
    found = []
    pairs = [(own.v, own.eta), *((own.delta + n, own.z + n) for n in range(len(own.busy)))]
    for one, other in pairs:
        a, b = float(values[one]), float(values[other])
        if a * b < 1.0 - tolerance:
            # the point of the hyperbola on the ray through (a, b); tiny values are moved into the open quadrant
            found.append(_reciprocal(one, other, own.x, math.sqrt(max(b, 1e-9) / max(a, 1e-9))))
    if own.pair.drain is not None:
        z = np.maximum(values[own.z : own.delta], 0.0)
        if float(own.pair.drain[own.busy] @ (z * z)) > 1.0 + tolerance:
            found.append(_energy(own, z))
    return found


def _reciprocal(one: int, other: int, x: int, at: float) -> Tangent:
    """``at a + b / at >= 2 x``, which follows from ``a b >= x^2``; the quotient is rounded up."""
    return Tangent([one, other, x], [at, math.nextafter(1.0 / at, math.inf), -2.0])


def _energy(own: Columns, z: FloatArray) -> Tangent:
    """``sum q_l z0_l z_l <= ||z0||_q x``, divided by the norm; what is subtracted is rounded down."""
    assert own.pair.drain is not None
    drain = own.pair.drain[own.busy]
    norm = math.sqrt(float(drain @ (z * z)))
    doubt = max(ROUNDING, len(drain) * 2.0**-50)
    coefficient = drain * z / norm * (1.0 - doubt)
    kept = coefficient > 0
    position = (own.z + np.flatnonzero(kept)).tolist()
    return Tangent([own.x, *position], [1.0, *(-coefficient[kept]).tolist()])
