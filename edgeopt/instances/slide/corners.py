"""Adversarial changes of a drawn slide instance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from edgeopt.instances.slide.instance import LEAST, FloatArray, IntArray, LayerTable, Models, SlideInstance, Users


def with_columns(instance: SlideInstance, **columns: object) -> SlideInstance:
    """The instance with other columns of its users."""
    return replace(instance, users=replace(instance.users, **columns))  # type: ignore[arg-type]


def full_speed_energy(instance: SlideInstance) -> FloatArray:
    """What the least work among the models of each user takes at full speed (J)."""
    users, compiled = instance.users, instance.compiled
    work = compiled.work_left[compiled.start[:-1]].astype(np.float64)
    least = np.array([work[compiled.models_of(user)].min() for user in range(len(users))], dtype=np.float64)
    cycles = users.batch * least * users.cycles_per_flop
    return np.asarray(users.energy_coefficient * cycles * users.frequency_hz**2)


def _no_users(instance: SlideInstance) -> SlideInstance:
    columns: dict[str, Any] = {name: column[:0].copy() for name, column in instance.users.columns().items()}
    return with_columns(instance, id=(), **columns)


def _only(instance: SlideInstance, pick: IntArray) -> SlideInstance:
    columns: dict[str, Any] = {name: column[pick] for name, column in instance.users.columns().items()}
    return with_columns(instance, **columns)


def _one_layer(instance: SlideInstance) -> SlideInstance:
    models = instance.models
    tables = [models[index] for index in range(len(models))]
    merged = [
        LayerTable.of(
            table.name,
            bits=[int(table.bits.sum())],
            flop_per_sample=[int(table.flop_per_sample.sum())],
            overhead_s=float(table.overhead_s[0]),
            accuracy=table.accuracy,
        )
        for table in tables
    ]
    return replace(instance, models=Models.of(merged))


def _energy_tight(instance: SlideInstance) -> SlideInstance:
    """Budgets of exactly what full speed takes, as near as a float can say it, with every other one a bit below."""
    budget = full_speed_energy(instance)
    budget[1::2] *= 1 - 1e-12
    return with_columns(instance, energy_j=np.maximum(budget, LEAST))


def _infeasible_users(instance: SlideInstance) -> SlideInstance:
    deadline, gain = instance.users.deadline_s.copy(), instance.users.gain.copy()
    budget = instance.users.energy_j.copy()
    deadline[::4] = 1e-6
    gain[1::4] = 1e-30
    if instance.variant != "time-varying":  # takes no budgets
        budget[2::4] = 0.0
    return with_columns(instance, deadline_s=deadline, gain=gain, energy_j=budget)


def _even_split(instance: SlideInstance) -> SlideInstance:
    """Ten users that need exactly a tenth of the band each, and as many as there are besides that need a bit more."""
    table = LayerTable.of("tenth", bits=[10**6], flop_per_sample=[0], overhead_s=0.0)
    count = max(10, len(instance.users))
    users = Users.of(
        deadline_s=[1.0 if index < 10 else 1 - 1e-11 for index in range(count)],
        frequency_hz=1e9,
        spectral_efficiency=1.0,
    )
    return replace(instance, bandwidth_hz=1e7, models=Models.of([table]), users=users)


def _scaled(instance: SlideInstance, radio: float, device: float) -> SlideInstance:
    """Bits and band, and cycles, in other units; what is rounded changes a little."""
    models, users = instance.models, instance.users
    bits = np.ceil(models.bits * radio).astype(np.int64)
    users = replace(
        users,
        frequency_hz=users.frequency_hz * device,
        cycles_per_flop=users.cycles_per_flop * device,
        energy_coefficient=users.energy_coefficient / device**3,
    )
    noise = None if instance.noise_w_per_hz is None else instance.noise_w_per_hz / radio
    return replace(
        instance,
        bandwidth_hz=instance.bandwidth_hz * radio,
        noise_w_per_hz=noise,
        models=replace(models, bits=bits),
        users=users,
    )


CORNERS: dict[str, Callable[[SlideInstance], SlideInstance]] = {
    "no-users": _no_users,
    "identical-users": lambda i: _only(i, np.zeros(len(i.users), dtype=np.int64)),
    "ties": lambda i: _only(i, np.arange(len(i.users), dtype=np.int64) % 3 % max(1, len(i.users))),
    "even-split": _even_split,
    "no-energy": lambda i: with_columns(i, energy_j=np.full(len(i.users), np.inf)),
    "energy-tight": _energy_tight,
    "zero-overheads": lambda i: replace(i, models=replace(i.models, overhead_s=np.zeros_like(i.models.overhead_s))),
    "one-layer": _one_layer,
    "infeasible-users": _infeasible_users,
    "huge-units": lambda i: _scaled(i, 1e6, 1e3),
    "tiny-units": lambda i: _scaled(i, 1e-6, 1e-9),
}
"""Adversarial changes of a drawn instance, by name."""
